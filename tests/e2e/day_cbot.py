"""A day of Cbot: everything at once, three statuses for each message, retries for a day."""

import json

from day import Answer, listed, once_each, play, shown, state_of

FACTOR = 30
NUMBER = "15550100142"
SLOW_S = 0.3


def addresses(day):
    """A number has one webhook, over https."""
    day.subscriber("heating")
    strict = day.space.hookd("strict", profiles=day.settings(allow_http=False)).start()
    url = {"subscriberId": "repairs", "channels": [NUMBER]}
    day.call("SubscriberService/CreateSubscriber", {"subscriber": {"id": "repairs", "profile": "cbot"}}, strict)
    with day.refused("001.6, 001.8", "http is refused", "invalid_argument", "https", "cbot"):
        day.call("EndpointService/CreateEndpoint", {"endpoint": url | {"url": "http://hooks.example.com/"}}, strict)
    made = {"endpoint": url | {"url": "https://hooks.example.com:8443/"}}
    day.call("EndpointService/CreateEndpoint", made, strict)
    day.rule("001.g", "https on any port", "port 8443 is taken", True)
    with day.refused("001.20, F16", "another one for the number is refused", "failed_precondition", "cbot"):
        day.call("EndpointService/CreateEndpoint", made, strict)
    strict.terminate()


def parallel_and_statuses(day):
    """Twenty messages go out; their statuses come all at once to a receiver that is slow."""
    endpoint = day.endpoint("heating", "/all", lambda _: Answer(delay=SLOW_S))
    for number in range(20):
        payloads = []
        for status in ("sent", "delivered", "read"):
            document = json.loads(day.sample("statuses", status))
            document["statuses"][0]["id"] = f"message-{number}"
            payloads.append(json.dumps(document))
        day.publish_all("heating", "statuses", payloads)
    deliveries = day.settled(endpoint)
    got = day.receiver.requests("/all")
    counted = {}
    for request in got:
        for status in request.json["statuses"]:
            counted.setdefault(status["id"], set()).add(status["status"])
    three = all(statuses == {"sent", "delivered", "read"} for statuses in counted.values())
    day.rule("001.4, 001.14", "up to three notices per message", f"{len(counted)} messages, {len(deliveries)} notices",
             three and len(counted) == 20)
    most = day.receiver.most_at_once["/all"]
    day.rule("001.15, F3", "in parallel, up to 16", f"{most} at a time", 12 <= most <= 16)
    took = got[-1].time - got[0].time
    alone = SLOW_S * len(deliveries)
    day.rule("001.1, 001.16", "so that a slow receiver need not make the queue grow",
             f"all began within {took:.1f} s; one after another they take {alone:.0f} s", took < alone / 2)


def retries(day):
    """A receiver that answers 201, 302, 410, 429 and 503 before it takes a message."""
    day.call("SubscriberService/CreateSubscriber", {"subscriber": {"id": "moody", "profile": day.profile}})
    refusals = (201, 302, 410, 429, 503)

    def moody(request):
        if request.attempt > len(refusals):
            return Answer()
        return Answer(refusals[request.attempt - 1], location="/elsewhere", retry_after=60)

    endpoint = day.endpoint("moody", "/moody", moody)
    day.publish("moody", "messages", day.sample("messages"))
    (delivery,) = day.settled(endpoint)
    got = [request.status for request in day.receiver.requests("/moody")]
    day.rule("001.6, 001.7, F5", "200 is success, whatever else is tried again", f"{got}, {state_of(delivery)}",
             got == [*refusals, 200])
    waits = day.waits(delivery)
    day.rule("001.a, F2", "after 3, 6, 9, 12, 15 s", listed(waits), day.are_waits(waits, [3, 6, 9, 12, 15]))
    policy = day.original["policy"]
    total = sum(min(3 * n, 900) for n in range(1, policy["max_retries"] + 1))
    day.rule("F2", "240 retries in 24 h 6 min", f"{policy['max_retries']} in {shown(total)}, by the profile",
             (policy["max_retries"], total) == (240, 86_760))
    enabled = "disabled" not in day.get(endpoint)
    day.rule("F4, F5", "neither 410 nor failures disable", "enabled" if enabled else "disabled", enabled)


def errors_too(day):
    """What belongs to no message."""
    for event_type in ("messages", "errors"):
        day.publish("moody", event_type, day.sample(event_type))
    wanted = {"messages", "errors"}
    (endpoint,) = day.call("EndpointService/ListEndpoints", {"subscriberId": "moody"})["endpoints"]
    kinds = {delivery["eventType"] for delivery in day.settled(endpoint["id"])}
    day.rule("001.3, 001.5, 001.h", "all three kinds come by default", ", ".join(sorted(kinds)), wanted <= kinds)


def new_key(day):
    """The number gets a new API key."""
    path = "/v1/configs/webhook"
    day.subscriber("rekeyed")
    old = ("API-KEY", day.key("rekeyed"))
    url = day.receiver.url("/rekeyed")
    day.receiver.behave("/rekeyed", Answer())
    secret = "Bearer of-the-boiler-room"
    code, _ = day.rest("POST", path, old, {"url": url, "headers": {"Authorization": secret}})
    day.rule("001.17, 001.18, 001.e", "the customer sets the URL", f"{code}", code == 200)
    _, stored = day.rest("GET", path, old)
    day.rule("F22", "headers' values are masked, as the profile says", f"{stored}",
             stored.get("url") == url and list(stored.get("headers", {})) == ["Authorization"]
             and secret not in str(stored))
    (endpoint,) = day.call("EndpointService/ListEndpoints", {"subscriberId": "rekeyed"})["endpoints"]
    day.publish("rekeyed", "messages", day.sample("messages"))
    day.settled(endpoint["id"])

    new = ("API-KEY", day.key("rekeyed"))
    code, _ = day.rest("GET", path, old)
    day.rule("001.f, F19", "the old key ends at once", f"{code}", code == 401)
    shown_now = day.get(endpoint["id"])
    reason = shown_now.get("disabled", {}).get("reason")
    day.rule("001.21", "the URL is gone", f"{reason}, URL {shown_now.get('url', '')!r}",
             reason == "DISABLE_REASON_URL_CLEARED" and not shown_now.get("url"))
    for status in ("sent", "delivered", "read"):
        day.publish("rekeyed", "statuses", day.sample("statuses", status))
    pending = int(day.get(endpoint["id"])["health"]["pending"])
    day.rule("F19", "what comes meanwhile is kept", f"{pending} pending", pending == 3)
    code, _ = day.rest("POST", path, new, {"url": url})
    day.settled(endpoint["id"])
    came = len(once_each(day.receiver.requests("/rekeyed")))
    day.rule("001.22", "set again with the new key, it is sent", f"{code}, {came} requests", (code, came) == (200, 4))
    code, _ = day.rest("DELETE", path, new)
    day.rule("001.19", "the customer removes the URL", f"{code}", code == 200)


SCENES = (addresses, parallel_and_statuses, retries, errors_too, new_key)

if __name__ == "__main__":
    play("cbot", FACTOR, SCENES)
