"""A day of Standard Webhooks: any 2xx, ten attempts over three days, 410 disables, Retry-After holds."""

import json
import time

from day import Answer, listed, play, shown, state_of, wait_for

# So that the first wait, 5 s, is the shortest that there is; the second one is 6 s then.
FACTOR = 50
SCHEDULE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


def form(day):
    """Events have a type, a timestamp and data; any 2xx takes them."""
    day.subscriber("bikes")
    statuses = iter((200, 201, 202, 204, 299))
    endpoint = day.endpoint("bikes", "/any", lambda _: Answer(next(statuses)))
    for event_type in ("message.received", "message.sent", "message.status.changed", "contact.updated"):
        day.publish("bikes", event_type, day.sample(event_type))
    day.publish("bikes", "message.status.changed", day.sample("message.status.changed", "failed"))
    deliveries = day.settled(endpoint)
    got = [request.status for request in day.receiver.requests("/any")]
    done = {state_of(delivery) for delivery in deliveries}
    day.rule("standard", "2xx is success, the whole range", f"{sorted(got)}, {', '.join(done)}", done == {"SUCCEEDED"})
    forms = {tuple(request.json) for request in day.receiver.requests("/any")}
    day.rule("standard", "type, timestamp, data", f"{forms}", forms == {("type", "timestamp", "data")})


def schedule(day):
    """A receiver that refuses twice: 5 s and 5 min."""
    day.subscriber("twice")
    endpoint = day.endpoint("twice", "/twice", lambda r: Answer(500 if r.attempt <= 2 else 200))
    day.publish("twice", "message.sent", day.sample("message.sent"))
    (delivery,) = day.settled(endpoint)
    waits = day.waits(delivery)
    day.rule("standard", "waits of 5 s, 5 min", listed(waits), day.are_waits(waits, SCHEDULE[:2]))
    first, second, third = day.receiver.requests("/twice")
    same = first.id == second.id == third.id
    anew = first.headers["webhook-timestamp"] < third.headers["webhook-timestamp"]
    day.rule("standard", "one id over all attempts, a timestamp of each", f"{first.id}", same and anew)
    policy = day.original["policy"]
    seconds = {"s": 1, "m": 60, "h": 3600}
    stated = tuple(int(wait[:-1]) * seconds[wait[-1]] for wait in policy["backoff"]["schedule"])
    day.rule("standard", "ten attempts, the last after 75 h 35 min 5 s", f"{1 + policy['max_retries']}, "
             f"{shown(sum(stated))}, by the profile", (stated, policy["max_retries"]) == (SCHEDULE, 9))


def redirect(day):
    """A receiver that has moved."""
    day.subscriber("moved")
    answer = lambda r: Answer(301 if r.attempt == 1 else 200, location=day.receiver.url("/new"))
    endpoint = day.endpoint("moved", "/old", answer)
    day.receiver.behave("/new", Answer())
    day.publish("moved", "message.sent", day.sample("message.sent"))
    day.settled(endpoint)
    followed = len(day.receiver.requests("/new"))
    day.rule("standard", "a redirect is a failure and is not followed", f"{followed} followed", followed == 0)


def retry_after(day):
    """A receiver that asks for a pause."""
    day.subscriber("busy")

    def first_only(request):
        busy = request.attempt == 1 and request.headers["hookd-event-type"] == "message.sent"
        return Answer(429 if busy else 200, retry_after=2)

    endpoint = day.endpoint("busy", "/busy", first_only)
    day.publish("busy", "message.sent", day.sample("message.sent"))
    wait_for(lambda: "holdUntil" in day.get(endpoint)["health"], "the hold")
    day.publish("busy", "contact.updated", day.sample("contact.updated"))
    deliveries = day.settled(endpoint)
    got = day.receiver.requests("/busy")
    gap = got[1].time - got[0].time
    day.rule("standard", "429 with Retry-After: 2 s holds the endpoint (of real time)", f"{gap:.2f} s, then both",
             1.9 <= gap and {state_of(delivery) for delivery in deliveries} == {"SUCCEEDED"})


def gone(day):
    """A receiver that wants no more."""
    day.subscriber("leaves")
    endpoint = day.endpoint("leaves", "/gone", Answer(410))
    day.publish("leaves", "message.sent", day.sample("message.sent"))
    wait_for(lambda: "disabled" in day.get(endpoint), "the disablement")
    reason = day.get(endpoint)["disabled"]["reason"]
    day.rule("standard", "410 disables at once", reason, reason == "DISABLE_REASON_GONE")
    day.publish("leaves", "message.sent", json.dumps(json.loads(day.sample("message.sent"))))
    pending = int(day.get(endpoint)["health"]["pending"])
    got = len(day.receiver.requests("/gone"))
    day.rule("standard", "nothing is sent any more, nothing is lost", f"{got} request, {pending} pending",
             (got, pending) == (1, 2))
    day.receiver.behave("/gone", Answer(204))
    day.call("EndpointService/EnableEndpoint", {"id": endpoint, "reason": "the shop is back"})
    deliveries = day.settled(endpoint)
    done = {state_of(delivery) for delivery in deliveries}
    day.rule("standard", "enabled again, what waited is sent", f"{len(deliveries)} {', '.join(done)}",
             done == {"SUCCEEDED"})


def long_failure(day):
    """A receiver that is down for three days and more."""
    day.subscriber("down")
    span_h = day.original["policy"]["auto_disable"]["span"]
    endpoint = day.endpoint(
        "down", "/down", Answer(503),
        policy={"autoDisable": {"failures": 10, "span": "3s", "onGone": True},
                "backoff": {"fixed": {"step": "0.400s"}}},
    )
    begin = time.monotonic()
    day.publish("down", "message.sent", day.sample("message.sent"))
    wait_for(lambda: "disabled" in day.get(endpoint), "the disablement")
    took = time.monotonic() - begin
    failures = day.get(endpoint)["health"]["consecutiveFailures"]
    day.rule("standard", f"10 failures in a row over {span_h} disable (here over 3 s, with even waits, which the "
             "profile lets an endpoint set)", f"{failures} failures, after {took:.1f} s", failures >= 10 and took >= 3)


SCENES = (form, schedule, redirect, retry_after, gone, long_failure)

if __name__ == "__main__":
    play("standard", FACTOR, SCENES)
