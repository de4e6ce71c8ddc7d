"""Tokens and TLS from outside: the first token, what hookctl does with it, and what a start refuses."""

import base64
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

import harness
from harness import wait_for

TEXT = r"hkt_[0-9a-f]{16}_[0-9a-f]{64}"


class AuthTest(harness.TestCase):
    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def certificate(self, name, authority="ca"):
        """name.pem and name.key for 127.0.0.1 in the space's folder; the authority signs itself."""
        folder = self.space.folder
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
               folder / f"{name}.key"]
        if name == authority:
            self.openssl("req", "-x509", *new, "-days", "2", "-out", folder / f"{name}.pem")
            return
        (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
        self.openssl("req", *new, "-out", folder / f"{name}.csr")
        self.openssl("x509", "-req", "-days", "2", "-in", folder / f"{name}.csr", "-CA", folder / f"{authority}.pem",
                     "-CAkey", folder / f"{authority}.key", "-CAcreateserial", "-extfile", folder / "extensions",
                     "-out", folder / f"{name}.pem")

    def make_token(self, hookd):
        hookd.write_config()
        return subprocess.run([harness.bin_dir / "hookd", "--config", hookd.config, "--make-operator-token"],
                              capture_output=True, text=True, timeout=60, check=False)

    def run_hookctl(self, hookd, *arguments, token="", **environment):
        variables = {**os.environ, "HOOKCTL_CONFIG": "", **environment}
        if token:
            variables["HOOKD_TOKEN"] = token
        done = subprocess.run([harness.bin_dir / "hookctl", "--server", hookd.grpc, *map(str, arguments)],
                              capture_output=True, text=True, timeout=60, check=False, env=variables)
        return harness.Done(done.returncode, done.stdout, done.stderr)

    def test_the_first_token_is_made_offline_and_makes_the_others(self):
        hookd = self.space.hookd(auth={"required": "true"})
        hookd.launch()
        wait_for(lambda: "--make-operator-token" in hookd.log.read_text(encoding="utf-8"), "the hint")
        busy = self.make_token(hookd)
        self.assertEqual(busy.returncode, 1)
        self.assertIn("FAILED_PRECONDITION", busy.stderr)
        hookd.terminate()
        made = self.make_token(hookd)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertRegex(made.stdout, f"^{TEXT}\n$")
        operator = made.stdout.strip()
        before = len(hookd.log.read_text(encoding="utf-8"))
        hookd.start()
        self.assertNotIn("--make-operator-token", hookd.log.read_text(encoding="utf-8")[before:])

        refused = self.run_hookctl(hookd, "status")
        self.assertEqual(refused.code, 1)
        self.assertIn("UNAUTHENTICATED: authorization: is missing", refused.err)
        self.assertEqual(self.run_hookctl(hookd, "status", token=operator).code, 0)
        file = self.space.folder / "token"
        file.write_text(operator + "\n", encoding="utf-8")
        self.assertEqual(self.run_hookctl(hookd, "--token-file", file, "subscribers", "create", "acme").code, 0)
        created = self.run_hookctl(hookd, "--token-file", file, "--output", "json", "tokens", "create", "--role",
                                   "viewer")
        viewer = json.loads(created.out)["text"]
        denied = self.run_hookctl(hookd, "subscribers", "create", "beta", token=viewer)
        self.assertEqual(denied.code, 1)
        self.assertIn("PERMISSION_DENIED", denied.err)
        settings = self.space.folder / "hookctl.yaml"
        settings.write_text(f"profile: a\nprofiles: {{a: {{token_file: {file}}}}}\n", encoding="utf-8")
        self.assertEqual(self.run_hookctl(hookd, "status", HOOKCTL_CONFIG=str(settings)).code, 0)
        file.write_text("secret of another kind\n", encoding="utf-8")
        wrong = self.run_hookctl(hookd, "--token-file", file, "status")
        self.assertEqual(wrong.code, 2)
        self.assertIn("holds no token", wrong.err)
        self.assertNotIn("secret", wrong.err)

        # Probes and metrics stay open; calls over HTTP do not.
        self.assertEqual(hookd.get("/healthz")[0], 200)
        self.assertIn('hookd_auth_failures_total{reason="role"} 1', hookd.get("/metrics")[1])
        call = urllib.request.Request(f"http://{hookd.http}/hookd.v1.OperationsService/GetStatus", b"{}",
                                      {"Content-Type": "application/json"})
        with self.assertRaises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(call, timeout=10)
        self.assertEqual(error.exception.code, 401)
        error.exception.close()
        call.add_header("Authorization", f"Bearer {viewer}")
        with urllib.request.urlopen(call, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        hookd.terminate()
        for text in (operator, viewer):
            self.assertNotIn(text, hookd.log.read_text(encoding="utf-8"))
            for path in hookd.data.rglob("*"):
                if path.is_file():
                    self.assertNotIn(text.encode(), path.read_bytes(), path)

    def test_other_addresses_need_tls_and_tokens(self):
        hookd = self.space.hookd()
        hookd.grpc = "0.0.0.0:0"
        hookd.launch()
        self.assertEqual(hookd.wait(), 2)
        self.assertIn("set grpc.tls.cert_file and key_file, and auth.required", hookd.log_tail())
        flag = subprocess.run([harness.bin_dir / "hookd", "--http-listen", "0.0.0.0:0"], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(flag.returncode, 2)
        self.assertIn("http.listen: 0.0.0.0:0 is not a loopback address", flag.stderr)

        for name in ("ca", "server", "client"):
            self.certificate(name)
        folder = self.space.folder
        tls = f"{{cert_file: {folder}/server.pem, key_file: {folder}/server.key"
        hookd = self.space.hookd("open", auth={"required": "true"}, grpc={
            "listen": "0.0.0.0:0", "tls": f"{tls}, client_ca_file: {folder}/ca.pem}}"}, http={
            "listen": "0.0.0.0:0", "tls": tls + "}"})
        token = self.make_token(hookd).stdout.strip()
        hookd.start()
        hookd.grpc = hookd.grpc.replace("0.0.0.0", "127.0.0.1")
        flags = ("--ca-file", folder / "ca.pem", "--cert-file", folder / "client.pem", "--key-file",
                 folder / "client.key")
        self.assertEqual(self.run_hookctl(hookd, *flags, "status", token=token).code, 0)
        self.assertEqual(self.run_hookctl(hookd, *flags[:2], "--deadline", "3", "status", token=token).code, 3)
        self.assertEqual(self.run_hookctl(hookd, "--deadline", "3", "status", token=token).code, 3)
        self.assertEqual(self.run_hookctl(hookd, *flags, "status").code, 1)
        trusting = ssl.create_default_context(cafile=folder / "ca.pem")
        url = "https://" + hookd.http.replace("0.0.0.0", "127.0.0.1")
        with urllib.request.urlopen(url + "/readyz", timeout=10, context=trusting) as answer:
            self.assertEqual(answer.status, 200)
        call = urllib.request.Request(url + "/hookd.v1.EventService/PublishEvent",
                                      json.dumps({"event": {"subscriberId": "acme", "type": "t",
                                                            "payload": base64.b64encode(b'"' + b"x" * 900_000 +
                                                                                        b'"').decode()}}).encode(),
                                      {"Content-Type": "application/json", "Authorization": f"Bearer {token}",
                                       "Host": "hookd.example"})
        self.assertEqual(self.run_hookctl(hookd, *flags, "subscribers", "create", "acme", token=token).code, 0)
        with urllib.request.urlopen(call, timeout=10, context=trusting) as answer:
            self.assertIn(b"evt_", answer.read())
        hookd.terminate()


if __name__ == "__main__":
    harness.main()
