"""A day of WAMM.chat: everything in order, ten seconds, five retries, then it can be fetched."""

import json

from day import Answer, listed, once_each, payload_of, play, shown, state_of

FACTOR = 30
NUMBER = "15550100142"


def numbered(day, event_type, count, first=1):
    """Payloads that differ in their msg_id."""
    document = json.loads(day.sample(event_type))
    return [json.dumps(document | {"msg_data": document["msg_data"] | {"msg_id": first + n}}) for n in range(count)]


def ids(requests):
    return [request.json["msg_data"]["msg_id"] for request in requests]


def one_url_per_channel(day):
    """A channel has one webhook."""
    day.subscriber("bus", plan="basic")
    day.endpoint("bus", "/one", channels=[NUMBER])
    with day.refused("003.3, F16", "another one for the channel is refused", "failed_precondition", day.profile):
        day.endpoint("bus", "/two", channels=[NUMBER])
    day.endpoint("bus", "/other", channels=["15550100143"])
    day.rule("003.3", "another channel has its own", "taken", True)


def order(day):
    """Messages and states come one after another, in the order of events."""
    day.subscriber("order")
    endpoint = day.endpoint("order", "/order", lambda _: Answer(delay=0.005))
    for number in range(1, 31):
        (incoming,) = numbered(day, "msg:in", 1, number)
        (outgoing,) = numbered(day, "msg:out", 1, number)
        day.publish("order", "msg:in", incoming)
        day.publish("order", "msg:out", outgoing)
        day.publish("order", "msg_state", day.sample("msg_state"))
    day.settled(endpoint)
    got = once_each(day.receiver.requests("/order"))
    kinds = [request.headers["hookd-event-type"] for request in got]
    day.rule("003.1, 003.4", "incoming, outgoing and states, as JSON", f"{len(got)} requests of three types",
             kinds == ["msg:in", "msg:out", "msg_state"] * 30)
    most = day.receiver.most_at_once["/order"]
    day.rule("003.8", "one after another", f"at most {most} at a time", most == 1)
    gap = got[-1].time - got[0].time
    day.rule("003.2", "without delay", f"90 in {gap:.2f} s, of which 0.45 s are the receiver's", gap < 20)


def time_allowed(day):
    """A receiver that takes more than ten seconds."""
    day.subscriber("slow")
    slow = 14 / FACTOR
    endpoint = day.endpoint("slow", "/slow", lambda r: Answer(delay=slow if r.attempt == 1 else 0))
    day.publish("slow", "msg:in", day.sample("msg:in"))
    (delivery,) = day.settled(endpoint)
    first = day.attempts(delivery)[0]
    day.rule("003.7", "at most 10 s", f"the attempt of 14 s: {first['errorKind']}", first["errorKind"] == "timeout")
    day.rule("003.9", "no answer: another try", state_of(delivery), state_of(delivery) == "SUCCEEDED")
    with day.refused("003.7", "no endpoint may have more", "invalid_argument", "timeout"):
        day.call("EndpointService/UpdateEndpoint",
                 {"endpoint": {"id": endpoint, "policy": {"timeout": "11s"}}, "updateMask": "policy.timeout"})


def five_retries(day):
    """A receiver that does not want the second message, and another that answers 201 and 400."""
    day.subscriber("picky")
    endpoint = day.endpoint("picky", "/picky", lambda r: Answer(500 if r.json["msg_data"]["msg_id"] == 2 else 200))
    day.publish_all("picky", "msg:in", numbered(day, "msg:in", 3))
    first, second, third = day.settled(endpoint)
    got = ids(day.receiver.requests("/picky"))
    day.rule("003.8, 003.9", "5 more tries, and what is behind waits", f"{got}", got == [1, 2, 2, 2, 2, 2, 2, 3])
    waits = day.waits(second)
    promised = [15 * n for n in range(1, 6)]
    day.rule("003.10, 003.c", "growing: 15, 30, 45, 60, 75 s", listed(waits), day.are_waits(waits, promised))
    day.rule("003.c", "3 min 45 s in all, and up to a tenth", shown(sum(waits)), 220 <= sum(waits) <= 255)
    states = [state_of(delivery) for delivery in (first, second, third)]
    day.rule("003.d", "then it is given up and the next goes", ", ".join(states),
             states == ["SUCCEEDED", "EXHAUSTED", "SUCCEEDED"])
    day.subscriber("odd")
    statuses = iter((201, 302, 400, 200))
    endpoint = day.endpoint("odd", "/odd", lambda _: Answer(next(statuses), location="/elsewhere"))
    day.publish("odd", "msg:in", day.sample("msg:in"))
    day.settled(endpoint)
    got = [request.status for request in day.receiver.requests("/odd")]
    day.rule("003.6, 003.b, 003.30", "200 alone is success; 400 brings it again", f"{got}", got == [201, 302, 400, 200])


def held_channel(day):
    """The channel's connection is down for a while."""
    day.subscriber("north")
    endpoint = day.endpoint("north", "/north", channels=[NUMBER])
    day.call("SubscriberService/HoldChannel", {"subscriberId": "north", "channel": NUMBER})
    for payload in numbered(day, "msg:in", 5):
        day.publish("north", "msg:in", payload, channel=NUMBER)
    polled = day.call("EventService/PollEvents", {"subscriberId": "north"}).get("events", [])
    day.rule("F20", "what waits can be polled", f"{len(polled)} events", len(polled) == 5)
    quiet = len(day.receiver.requests("/north"))
    pending = int(day.get(endpoint)["health"]["pending"])
    day.rule("003.37", "nothing is sent without the connection", f"{quiet} requests, {pending} pending",
             (quiet, pending) == (0, 5))
    day.hookd.kill()
    day.hookd.start()
    quiet = len(day.receiver.requests("/north"))
    day.rule("003.37", "nor after a restart", f"{quiet} requests", quiet == 0)
    day.call("SubscriberService/ReleaseChannel", {"subscriberId": "north", "channel": NUMBER})
    day.settled(endpoint)
    got = ids(day.receiver.requests("/north"))
    day.rule("003.g", "nothing is lost; then it comes, in order", f"{got}", got == [1, 2, 3, 4, 5])


def missed_messages(day):
    """What was given up is fetched."""
    polled = day.call("EventService/PollEvents", {"subscriberId": "picky", "eventType": "msg:in"})["events"]
    got = [payload_of(event)["msg_data"]["msg_id"] for event in polled]
    day.rule("003.38", "what was not delivered can be fetched, by direction", f"messages {got}", got == [1, 2, 3])


def two_gets(day):
    """The provider's two calls for what was missed."""
    token = day.key("picky")
    code, document = day.rest("GET", f"/api2/msg_get_last/{token}/?col=2&from_me=0")
    got = [message.get("msg_id") for message in document.get("msg_data", [])]
    day.rule("003.38, F21, 003.h", "msg_get_last: the newest of one direction", f"{code}, messages {got}",
             code == 200 and document.get("err") == 0 and sorted(got) == [2, 3])
    phone = json.loads(day.sample("msg:in"))["msg_data"]["phone"]
    day.publish("picky", "msg:in", day.sample("msg:in"), orderingKey=phone)
    code, document = day.rest("GET", f"/api2/msg_get/{token}/?phone={phone}&col=100")
    got = [message.get("msg_id") for message in document.get("msg_data", [])]
    day.rule("003.38, F21", "msg_get: those of one chat", f"{code}, messages {got}",
             code == 200 and document.get("err") == 0 and got == [json.loads(day.sample("msg:in"))["msg_data"]["msg_id"]])
    code, document = day.rest("GET", "/api2/msg_get_last/wrong/?col=2")
    day.rule("F21", "only with the subscriber's own key", f"{code}", code != 200 or document.get("err") != 0)


SCENES = (one_url_per_channel, order, time_allowed, five_retries, held_channel, missed_messages, two_gets)

if __name__ == "__main__":
    play("wamm", FACTOR, SCENES)
