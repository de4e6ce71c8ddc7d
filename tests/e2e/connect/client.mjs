// Connect's own client for Node.js, with the code that Connect's own generator made of our .proto files, which lies
// beside this file: client.mjs HOOKD_URL RECEIVER_URL SIGNING_SECRET. Ends with 0 when everything was as it should be;
// its output is what it made, as JSON.
import assert from "node:assert/strict";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { DeliveryService, DeliveryState, ListOrder } from "./hookd/v1/delivery_service_pb.js";
import { DeliveryMode, EndpointService } from "./hookd/v1/endpoint_service_pb.js";
import { EventService } from "./hookd/v1/event_service_pb.js";
import { OperationsService } from "./hookd/v1/operations_service_pb.js";
import { SubscriberService } from "./hookd/v1/subscriber_service_pb.js";

const [baseUrl, receiverUrl, signingSecret] = process.argv.slice(2);

async function refused(call, code, message) {
  const error = ConnectError.from(await call.then(() => assert.fail("it was not refused"), (reason) => reason));
  assert.equal(error.code, code, error.message);
  assert.match(error.rawMessage, message);
}

async function run(useBinaryFormat) {
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat });
  const subscribers = createClient(SubscriberService, transport);
  const endpoints = createClient(EndpointService, transport);
  const events = createClient(EventService, transport);
  const deliveries = createClient(DeliveryService, transport);
  const operations = createClient(OperationsService, transport);
  const id = useBinaryFormat ? "binary" : "json";

  const subscriber = await subscribers.createSubscriber({ subscriber: { id, name: "Acme Ltd" } });
  assert.equal(subscriber.name, "Acme Ltd");
  assert.ok(subscriber.createTime.seconds > 1_700_000_000n);
  await refused(subscribers.createSubscriber({ subscriber: { id } }), Code.AlreadyExists, /exists already/);
  await refused(subscribers.getSubscriber({ id: "nobody" }), Code.NotFound, /nobody/);
  await refused(
    endpoints.createEndpoint({ endpoint: { subscriberId: id, url: "ftp://x" } }),
    Code.InvalidArgument,
    /^endpoint\.url|^url/,
  );

  const created = await endpoints.createEndpoint({
    endpoint: {
      subscriberId: id,
      url: `${receiverUrl}/${id}`,
      signingSecret,
      policy: { mode: DeliveryMode.PARALLEL, timeout: { seconds: 5n } },
    },
  });
  assert.equal(created.signingSecret, signingSecret);
  const updated = await endpoints.updateEndpoint({
    endpoint: { id: created.endpoint.id, policy: { maxRetries: 3 } },
    updateMask: { paths: ["policy.max_retries"] },
  });
  assert.equal(updated.policy.maxRetries, 3);

  const payload = new TextEncoder().encode('{"text":"Привет"}');
  const event = { subscriberId: id, type: "message:in:new", payload, idempotencyKey: "k-1" };
  const published = await events.publishEvent({ event });
  assert.equal(published.deliveries, 1);
  assert.equal((await events.publishEvent({ event })).eventId, published.eventId);
  const batch = await events.publishEvents({
    events: [{ ...event, idempotencyKey: "k-2" }, { ...event, type: "no good" }],
  });
  assert.deepEqual(batch.results.map((result) => result.code), [0, Code.InvalidArgument]);

  let list;
  do {
    list = await deliveries.listDeliveries({ endpointId: created.endpoint.id, order: ListOrder.OLDEST_FIRST });
  } while (list.deliveries.some((delivery) => delivery.state === DeliveryState.PENDING));
  assert.deepEqual(list.deliveries.map((delivery) => delivery.state), [
    DeliveryState.SUCCEEDED,
    DeliveryState.SUCCEEDED,
  ]);
  const first = await deliveries.getDelivery({ id: list.deliveries[0].id });
  assert.equal(first.eventId, published.eventId);
  assert.equal(first.attempts.length, 1);

  // A stream of the server's: all that has happened to this endpoint since before it was made.
  const seen = [];
  const enough = new AbortController();  // leaving the loop alone does not end the stream
  const watch = { endpointId: created.endpoint.id, afterCommit: 1n };
  for await (const answer of deliveries.watchDeliveries(watch, { signal: enough.signal })) {
    seen.push(...answer.changes);
    if (seen.length >= 4) break;
  }
  enough.abort();
  assert.deepEqual(
    seen.map((change) => change.state).sort(),
    [DeliveryState.PENDING, DeliveryState.PENDING, DeliveryState.SUCCEEDED, DeliveryState.SUCCEEDED],
  );
  assert.equal(seen[0].eventId, published.eventId);

  // Needs both directions at once, so this transport refuses it itself.
  const stream = events.publishStream((async function* () { yield { batch: 1n, events: [event] }; })());
  await assert.rejects(async () => { for await (const answer of stream) assert.fail(String(answer)); });
  const status = await operations.getStatus({}, { timeoutMs: 20_000, headers: { authorization: "Bearer x" } });
  assert.ok(status.eventsAccepted >= 2n);
  return { subscriber: id, endpoint: created.endpoint.id, event: published.eventId };
}

console.log(JSON.stringify([await run(false), await run(true)]));
