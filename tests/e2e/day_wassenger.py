"""A day of Wassenger: chats that do not wait for each other, 5 requests a second, failures in arrays, a disablement."""

import json

from day import Answer, listed, most_within, once_each, play, shown, span, state_of, wait_for

FACTOR = 100
KEY = "k3y%20of/the~bakery&again=%7e"


def message(day, event_type, chat, number):
    document = json.loads(day.sample(event_type))
    document["data"] |= {"id": f"{chat}-{number}"}
    return json.dumps(document)


def send(day, subscriber, chat, count, event_type="message:in:new"):
    payloads = [message(day, event_type, chat, number) for number in range(1, count + 1)]
    return day.publish_all(subscriber, event_type, payloads, orderingKey=chat)


def ids(requests):
    return [request.json["data"]["id"] for request in requests]


def addresses_and_plans(day):
    """https is asked for; what a plan does not have is not sent."""
    strict = day.space.hookd("strict", profiles=day.settings(allow_http=False)).start()
    day.call("SubscriberService/CreateSubscriber", {"subscriber": {"id": "bakery", "profile": "wassenger"}}, strict)
    with day.refused("002.3, F10", "http is for development", "invalid_argument", "https", "allow_http"):
        made = {"subscriberId": "bakery", "url": "http://example.com/hooks"}
        day.call("EndpointService/CreateEndpoint", {"endpoint": made}, strict)
    strict.terminate()

    day.subscriber("bakery", plan="starter")
    endpoint = day.endpoint("bakery", "/bakery")
    with day.refused("002.16, F8", "acknowledgements are for two plans", "failed_precondition", "platform-business"):
        day.endpoint("bakery", "/acks", eventTypes=["message:out:ack"])
    answer = day.publish("bakery", "message:in:new", day.sample("message:in:new"))
    told = answer.get("notFannedOut", "")
    day.rule("002.15, F8", "a gated type is not fanned out, and the answer says so", told,
             "platform" in told and "deliveries" not in answer)
    answer = day.publish("bakery", "group:update", day.sample("group:update"))
    day.rule("002.8", "an open type is", f"{answer.get('deliveries', 0)} delivery", answer.get("deliveries") == 1)
    for plan, types in (("platform", 10), ("platform-enterprise", 11)):
        changed = {"subscriber": {"id": "bakery", "plan": plan}, "updateMask": "plan"}
        day.call("SubscriberService/UpdateSubscriber", changed)
        sent = [day.publish("bakery", kind["name"], day.sample(kind["name"])) for kind in day.original["event_types"]]
        fanned = sum(each.get("deliveries", 0) for each in sent)
        day.rule("002.4-14, 002.p", f"the plan {plan} has {types} of 11 types from the next publish on", f"{fanned}",
                 fanned == types)
    day.settled(endpoint)


def rate(day):
    """Twelve customers write at the same moment."""
    day.subscriber("rush", plan="platform")
    endpoint = day.endpoint("rush", "/rush", lambda _: Answer(204))
    results = [send(day, "rush", f"chat-{number}", 1) for number in range(12)]
    deliveries = day.settled(endpoint)
    got = once_each(day.receiver.requests("/rush"))
    most = most_within(day.starts(deliveries), 0.99)
    day.rule("002.59, F6", "no second holds more than 5", f"at most {most} in any 0.99 s", most <= 5)
    took = got[-1].time - got[0].time
    day.rule("002.60, 002.1", "the others are queued and come as soon as possible", f"{len(got)} in {took:.1f} s",
             len(results) == len(got) == 12 and 2.0 <= took <= 8)
    first = day.attempts(deliveries[0])[0]
    queued = span(first["phases"].get("queue", "0s"))
    day.rule("002.62", "hookd adds little to the first", f"{queued * 1000:.0f} ms", queued < 1)


def batches(day):
    """A campaign has failed for sixty numbers."""
    day.subscriber("campaign", plan="platform")
    endpoint = day.endpoint("campaign", "/campaign")
    failures = []
    for number in range(60):
        document = json.loads(day.sample("message:out:failed"))
        failures.append(json.dumps(document | {"entityId": f"failed-{number}"}))
    day.publish_all("campaign", "message:out:failed", failures)
    day.settled(endpoint)
    bodies = [request.json for request in once_each(day.receiver.requests("/campaign"))]
    sizes = [len(body) if isinstance(body, list) else 0 for body in bodies]
    members = [each["entityId"] for body in bodies if isinstance(body, list) for each in body]
    day.rule("002.21", "arrays of up to 25, in order, none lost", f"sizes {sizes}",
             all(1 <= size <= 25 for size in sizes) and members == [f"failed-{number}" for number in range(60)])
    day.publish("campaign", "message:out:failed", failures[0])
    send(day, "campaign", "chat-1", 1)
    day.settled(endpoint)
    last = [request.json for request in day.receiver.requests("/campaign")][-2:]
    shapes = sorted(type(body).__name__ for body in last)
    day.rule("002.21, 002.22", "an array even of one; other types are objects", f"{shapes}", shapes == ["dict", "list"])


def success_codes(day):
    """A receiver that answers 204, 209, 210, 302, 410 and 429."""
    day.subscriber("codes", plan="platform")
    statuses = iter((204, 209, 210, 302, 410, 429, 200))
    answer = lambda _: Answer(next(statuses, 200), location="/elsewhere", retry_after=3600)
    endpoint = day.endpoint("codes", "/codes", answer)
    send(day, "codes", "chat-1", 3)
    deliveries = day.settled(endpoint)
    got = [request.status for request in day.receiver.requests("/codes")]
    numbers = [delivery["attemptCount"] for delivery in deliveries]
    day.rule("002.45, 002.47", "200 to 209 is success, an empty 204 too", f"{got}", numbers == [1, 1, 5])
    enabled = "disabled" not in day.get(endpoint)
    day.rule("F5", "410 does not disable, Retry-After does not hold", "it went on", enabled)


def retries(day):
    """A receiver that is down for a few minutes; hookd is killed meanwhile."""
    day.subscriber("outage", plan="platform")
    endpoint = day.endpoint("outage", "/outage", lambda r: Answer(500 if r.attempt <= 8 else 200))
    send(day, "outage", "chat-1", 1)
    wait_for(lambda: len(day.receiver.requests("/outage")) >= 4, "some retries")
    day.hookd.kill()
    day.hookd.start()
    (delivery,) = day.settled(endpoint)
    waits = day.waits(delivery)
    day.rule("002.48, 002.b", "again after 15 s, to the second", shown(waits[0]), abs(waits[0] - 15) < 1)
    kept = day.are_waits(waits, [15 * n for n in range(1, 9)], exact_first=True)
    day.rule("002.66", "then growing by 15 s, over a restart too", listed(waits), kept)
    policy = day.original["policy"]
    total = sum(min(15 * n, 900) for n in range(1, policy["max_retries"] + 1))
    day.rule("002.50", "100 retries in 17 h 37 min 30 s", f"{policy['max_retries']} in {shown(total)}, by the profile",
             (policy["max_retries"], total) == (100, 63_450))


def fifty_retries(day):
    """An endpoint that wants fewer retries, and a message that nobody takes."""
    day.subscriber("fewer", plan="platform")
    endpoint = day.endpoint("fewer", "/fewer", Answer(500), policy={"maxRetries": 4})
    send(day, "fewer", "chat-1", 1)
    (delivery,) = day.settled(endpoint)
    day.rule("002.50, 002.65", "after the last retry it has failed for good (4 here, as an endpoint may set it)",
             f"{delivery['attemptCount']} attempts, {state_of(delivery)}",
             (delivery["attemptCount"], state_of(delivery)) == (5, "EXHAUSTED"))


def timeouts(day):
    """A receiver that thinks for forty seconds."""
    day.subscriber("slow", plan="platform")
    slow = 40 / FACTOR
    endpoint = day.endpoint("slow", "/slow", lambda r: Answer(delay=slow if r.attempt == 1 else 0))
    send(day, "slow", "chat-1", 1)
    (delivery,) = day.settled(endpoint)
    first = day.attempts(delivery)[0]
    took = span(first["phases"]["total"]) * FACTOR
    day.rule("002.46", "a valid answer within 30 s", f"{first['errorKind']} after {shown(took)}",
             first["errorKind"] == "timeout" and 29 <= took <= 45)
    wait = day.waits(delivery)[0]
    day.rule("002.49", "else again after 15 s", f"{shown(wait)}, {state_of(delivery)}", abs(wait - 15) < 1)


def other_chats_go_on(day):
    """One message is refused for long; other chats do not wait for it."""
    day.subscriber("chats", plan="platform")
    bad = lambda r: Answer(500 if ids([r]) == ["bad-1"] and r.attempt <= 5 else 200)
    endpoint = day.endpoint("chats", "/chats", bad)
    send(day, "chats", "bad", 2)
    for number in range(4):
        send(day, "chats", f"good-{number}", 2)
    day.settled(endpoint)
    got = ids(day.receiver.requests("/chats"))
    others = max(got.index(f"good-{number}-2") for number in range(4))
    last_bad = len(got) - 1 - got[::-1].index("bad-1")
    day.rule("F12, 002.c", "others go on while it waits", f"all of them before its attempt {got.count('bad-1')}",
             others < last_bad)
    day.rule("F12", "within its chat order is kept", f"bad-2 comes after {got[:got.index('bad-2')].count('bad-1')} "
             "attempts of bad-1", got.index("bad-2") > last_bad)


def disabled_and_enabled(day):
    """A receiver that is down for more than an hour; hookd is killed meanwhile."""
    day.subscriber("down", plan="platform")
    endpoint = day.endpoint("down", "/down", Answer(503))
    for number in range(8):
        send(day, "down", f"chat-{number}", 2)
    wait_for(lambda: len(day.receiver.requests("/down")) >= 20, "some failures")
    day.hookd.kill()
    day.hookd.start()
    wait_for(lambda: "disabled" in day.get(endpoint), "the disablement", timeout=180)
    shown_now = day.get(endpoint)
    failures = shown_now["health"]["consecutiveFailures"]
    times = [request.time for request in day.receiver.requests("/down")]
    took = (times[-1] - times[0]) * FACTOR
    day.rule("002.68, 002.d", "60 in a row or more, over an hour or more: disabled",
             f"{failures} failures in {shown(took)}, {shown_now['disabled']['reason']}",
             failures >= 60 and took >= 3600 and shown_now["disabled"]["reason"] == "DISABLE_REASON_FAILURES")
    told = [json.loads(line) for line in day.hookd.log.read_text(encoding="utf-8").splitlines()]
    alerts = [line for line in told if line["event"] == "alert" and endpoint in json.dumps(line)]
    day.rule("002.67, 002.e", "told once at 10 in a row, and at the disablement", f"{len(alerts)} alerts in the log",
             len(alerts) == 2)
    send(day, "down", "chat-0", 1)
    day.receiver.behave("/down", Answer())
    day.call("EndpointService/EnableEndpoint", {"id": endpoint, "reason": "the certificate is new"})
    deliveries = day.settled(endpoint)
    done = [state_of(delivery) for delivery in deliveries]
    most = most_within(day.starts(deliveries), 0.99)
    day.rule("002.70, 002.o", "enabled again, all that queued is sent, at the rate",
             f"{done.count('SUCCEEDED')} of {len(done)}, at most {most} in any 0.99 s",
             done == ["SUCCEEDED"] * 17 and most <= 5)


def query_key(day):
    """A key in the query."""
    day.subscriber("keyed", plan="platform")
    endpoint = day.endpoint("keyed", "/keyed", query="?key=" + KEY)
    send(day, "keyed", "chat-1", 1)
    day.settled(endpoint)
    (request,) = once_each(day.receiver.requests("/keyed"))
    day.rule("002.64, F9", "a query is sent byte for byte", request.target, request.target == "/keyed?key=" + KEY)
    metrics = day.hookd.get("/metrics")[1]
    log = day.hookd.log.read_text(encoding="utf-8")
    day.rule("F9", "and is in no log and no metric", "not found" if KEY not in log + metrics else "found",
             KEY not in log and KEY not in metrics)


def bytes_as_published(day):
    """Payloads as the platform writes them, odd ones too."""
    day.subscriber("bytes", plan="platform")
    endpoint = day.endpoint("bytes", "/bytes")
    published = [day.sample("message:in:new"), '{ "object":"message" , "n": 1e3, "n": 1.0, "é": "\\u00e9" }']
    for payload in published:
        day.publish("bytes", "message:in:new", payload)
    day.settled(endpoint)
    got = once_each(day.receiver.requests("/bytes"))
    day.rule("002.53, 002.l", "the body is what was published, byte for byte", f"{sum(len(r.body) for r in got)} bytes",
             [request.body.decode() for request in got] == published)
    types = {request.headers["content-type"] for request in got}
    day.rule("002.54, 002.55", "POST of application/json", ", ".join(types), types == {"application/json"})


SCENES = (
    addresses_and_plans,
    rate,
    batches,
    success_codes,
    retries,
    fifty_retries,
    timeouts,
    other_chats_go_on,
    disabled_and_enabled,
    query_key,
    bytes_as_published,
)

if __name__ == "__main__":
    play("wassenger", FACTOR, SCENES)
