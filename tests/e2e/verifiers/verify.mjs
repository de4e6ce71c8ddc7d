// The official Standard Webhooks library for JavaScript, and Node's own Ed25519, over requests on standard input: one
// line of JSON each ({"secret" or "public_key", "headers", "body" in base64}), answered by a line true or false.
import { createPublicKey, verify } from "node:crypto";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

function verifiesV1(secret, headers, body) {
  try {
    new Webhook(secret).verify(body.toString(), headers);
    return true;
  } catch (error) {
    if (error.name === "WebhookVerificationError" || error.constructor.name === "WebhookVerificationError") return false;
    throw error;
  }
}

function verifiesV1a(publicKey, headers, body) {
  const raw = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  const signed = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);
  return headers["webhook-signature"].split(" ").some((one) => {
    const [version, signature] = one.split(",");
    return version === "v1a" && verify(null, signed, key, Buffer.from(signature, "base64"));
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, public_key: publicKey, headers, body } = JSON.parse(line);
  const bytes = Buffer.from(body, "base64");
  console.log(secret ? verifiesV1(secret, headers, bytes) : verifiesV1a(publicKey, headers, bytes));
}
