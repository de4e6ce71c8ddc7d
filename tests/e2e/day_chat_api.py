"""A day of Chat API: one attempt for each notification, in order, unless a setting says otherwise."""

import base64
import json

from day import Answer, listed, once_each, payload_of, play, seconds_of, shown, state_of, wait_for

FACTOR = 60


def numbered(day, count):
    """Messages that differ in their serial number."""
    document = json.loads(day.sample("messages"))
    return [
        json.dumps(document | {"messages": [document["messages"][0] | {"messageNumber": number}]})
        for number in range(1, count + 1)
    ]


def numbers(requests):
    return [request.json["messages"][0]["messageNumber"] for request in requests]


def set_settings(day, endpoint, **settings):
    changed = {"endpoint": {"id": endpoint, "settings": settings}, "updateMask": "settings"}
    return day.call("EndpointService/UpdateEndpoint", changed)


def one_url_per_instance(day):
    """An instance has one address: a name or an IP, http or https."""
    day.subscriber("instance-1", plan="paid")
    first = day.endpoint("instance-1", "/one")
    with day.refused("000.8, F16", "another one for the instance is refused", "failed_precondition", day.profile):
        day.endpoint("instance-1", "/two")
    urls = ("http://8.8.4.4/hook", "https://hooks.example.com/hook", "http://hooks.example.com:8080/hook")
    for number, url in enumerate(urls):
        subscriber = f"instance-2{number}"
        day.subscriber(subscriber)
        day.call("EndpointService/CreateEndpoint", {"endpoint": {"subscriberId": subscriber, "url": url}})
    day.rule("000.6, 000.7", "name or IP, http or https", f"{len(urls)} forms are taken", True)
    moved = {"endpoint": {"id": first, "url": day.receiver.url("/moved")}, "updateMask": "url"}
    day.call("EndpointService/UpdateEndpoint", moved)
    day.rule("000.5", "the user sets the address", "and changes it", True)


def one_attempt(day):
    """A receiver that refuses every fifth message, and answers one with 201."""
    day.subscriber("plain")
    answer = lambda r: Answer({5: 500, 10: 500, 12: 201}.get(numbers([r])[0], 200))
    endpoint = day.endpoint("plain", "/plain", answer)
    day.publish_all("plain", "messages", numbered(day, 15))
    deliveries = day.settled(endpoint)
    got = numbers(day.receiver.requests("/plain"))
    day.rule("000.63, 000.h", "one attempt; what fails does not stop the queue", f"{got}", got == list(range(1, 16)))
    lost = [number for number, delivery in enumerate(deliveries, 1) if state_of(delivery) == "EXHAUSTED"]
    day.rule("000.30", "200 is success and nothing else", f"given up: {lost}", lost == [5, 10, 12])
    most = day.receiver.most_at_once["/plain"]
    day.rule("000.65", "many form a queue", f"at most {most} at a time, in order", most == 1)
    first = seconds_to_first(day, deliveries)
    day.rule("000.4", "as soon as the event occurs", f"the first after {first * 1000:.0f} ms", first < 5)


def seconds_to_first(day, deliveries):
    return seconds_of(day.attempts(deliveries[0])[0]["startTime"]) - seconds_of(deliveries[0]["acceptTime"])


def guaranteed(day):
    """guaranteedHooks: a receiver that is down for three quarters of an hour."""
    day.subscriber("sure")
    answer = lambda r: Answer(500 if numbers([r]) == [1] and r.attempt < 20 else 200)
    endpoint = day.endpoint("sure", "/sure", answer, settings={"guaranteedHooks": True})
    stored = day.get(endpoint)
    day.rule("000.64", "the setting goes by its documented name", f"{stored['settings']}",
             stored["settings"].get("guaranteed_hooks") is True)
    day.publish_all("sure", "messages", numbered(day, 2))
    one, two = day.settled(endpoint)
    day.rule("000.64, 000.g", "20 attempts", f"{one['attemptCount']}, {state_of(one)}",
             (one["attemptCount"], state_of(one), two["attemptCount"]) == (20, "SUCCEEDED", 1))
    waits = day.waits(one)
    kept = day.are_waits(waits, [15 * n for n in range(1, 20)])
    day.rule("000.g", "within 47 min 30 s, and up to a tenth", f"{listed(waits[:3])} ... {shown(sum(waits))}", kept)


def parallel(day):
    """parallelHooks: all at once."""
    day.subscriber("crowd")
    endpoint = day.endpoint("crowd", "/crowd", lambda _: Answer(delay=0.2), settings={"parallel_hooks": True})
    day.publish_all("crowd", "messages", numbered(day, 40))
    day.settled(endpoint)
    got = numbers(once_each(day.receiver.requests("/crowd")))
    most = day.receiver.most_at_once["/crowd"]
    day.rule("000.66, 000.j", "all at once, up to max_in_flight", f"{most} at a time", 12 <= most <= 16)
    day.rule("000.66", "each of them", f"{len(got)} messages", sorted(got) == list(range(1, 41)))


def toggles(day):
    """What is told, by the switches of the instance."""
    day.subscriber("quiet")
    endpoint = day.endpoint("quiet", "/quiet")

    def heard():
        before = len(day.receiver.requests("/quiet"))
        for event_type in ("messages", "ack", "status", "chat_update"):
            day.publish("quiet", event_type, day.sample(event_type))
        day.settled(endpoint)
        return [request.headers["hookd-event-type"] for request in day.receiver.requests("/quiet")[before:]]

    got = heard()
    day.rule("000.2, 000.3", "all four by default", ", ".join(got), len(got) == 4)
    for statement, name, muted in (
        ("000.59", "statusNotificationsOn", "status"),
        ("000.60", "ackNotificationsOn", "ack"),
        ("000.61", "chatUpdateOn", "chat_update"),
    ):
        set_settings(day, endpoint, **{name: False})
        got = heard()
        day.rule(statement, f"{name} off: no {muted}", ", ".join(got), len(got) == 3 and muted not in got)
    set_settings(day, endpoint, videoUploadOn=True)
    stored = day.get(endpoint)["settings"]
    day.rule("000.62, F13", "videoUploadOn is stored and returned", f"{stored}", stored.get("video_upload_on") is True)
    got = heard()
    day.rule("000.62", "and changes nothing here", ", ".join(got), len(got) == 4)
    with day.refused("000.58", "a setting that there is not is refused", "invalid_argument", "settings"):
        set_settings(day, endpoint, fasterHooks=True)


def missed_calls(day):
    """A missed call, and the rest of the catalogue."""
    published = 0
    for kind in day.original["event_types"]:
        for sample in kind["samples"]:
            day.publish("quiet", kind["name"], day.sample(kind["name"], sample["name"]))
            published += 1
    events = day.call("EventService/PollEvents", {"subscriberId": "quiet", "pageSize": 1000})["events"]
    day.rule("000.1", "events can be polled too", f"{len(events)} events", len(events) >= published)
    bodies = [each["body"] for event in events if event["type"] == "messages" for each in payload_of(event)["messages"]]
    day.rule("000.2, F14", "a missed call is a message", "Call-Miss" if "Call-Miss" in bodies else "none",
             "Call-Miss" in bodies)


def simulation(day):
    """Webhook simulation: a new message, delivered, read."""
    kinds = [("messages", "incoming"), ("ack", "delivered"), ("ack", "viewed")]
    samples = [{"eventType": kind, "sample": sample} for kind, sample in kinds]
    (unpaid,) = day.call("EndpointService/ListEndpoints", {"subscriberId": "plain"})["endpoints"]
    with day.refused("000.13, F8", "an instance that is not paid has none", "failed_precondition", "paid"):
        day.call("ToolService/TestEndpoint", {"endpointId": unpaid["id"], "samples": samples})
    (paid,) = day.call("EndpointService/ListEndpoints", {"subscriberId": "instance-1"})["endpoints"]
    day.receiver.behave("/moved", Answer())
    results = day.call("ToolService/TestEndpoint", {"endpointId": paid["id"], "samples": samples})["results"]
    got = [request.json for request in day.receiver.requests("/moved")]
    day.rule("000.10, 000.12, 000.14", "a POST to the instance's own address", f"{len(got)} requests", len(got) == 3)
    statuses = [each["status"] for document in got for each in document.get("ack", [])]
    day.rule("000.15, 000.16", "three kinds, each its own notification", f"messages, {statuses}",
             statuses == ["delivered", "viewed"])
    answers = [result["attempt"]["status"] for result in results]
    day.rule("000.17", "the answer shows at once", f"{answers}", answers == [200] * 3)
    away = {"subscriberId": "instance-1", "url": "http://127.0.0.1:1/nobody"}
    (result,) = day.call("ToolService/TestEndpoint", {"endpoint": away, "samples": samples[:1]})["results"]
    text = result["diagnosis"]["text"]
    day.rule("000.9, 000.18", "what went wrong, and on which side", text,
             result["diagnosis"]["kind"] == "DIAGNOSIS_KIND_CONNECTION_REFUSED")


def verification(day):
    """Webhook verification: the bin stands in for the address for a while."""
    (endpoint,) = day.call("EndpointService/ListEndpoints", {"subscriberId": "plain"})["endpoints"]
    day.receiver.behave("/plain", Answer())
    before = len(day.receiver.requests("/plain"))
    started = day.call("CaptureService/StartCapture", {"endpointId": endpoint["id"], "duration": "60s"})
    for event_type, sample in (("messages", "incoming"), ("ack", "delivered")):
        day.publish("plain", event_type, day.sample(event_type, sample))

    def captured():
        found = day.call("CaptureService/ListCaptured", {"id": started["bin"]["id"]}).get("requests", [])
        return found if len(found) >= 2 else None

    shown_now = wait_for(captured, "two requests in the bin")
    whole = day.call("CaptureService/GetCaptured", {"id": started["bin"]["id"], "number": shown_now[-1]["number"]})
    body = base64.b64decode(whole["body"]).decode()
    day.rule("000.19, 000.23", "the very requests show up", f"{len(shown_now)} of them, {len(body)} bytes the first",
             body == day.sample("messages", "incoming"))
    samples = [{"eventType": "ack", "sample": "viewed"}]
    changed = {"subscriber": {"id": "plain", "plan": "paid"}, "updateMask": "plan"}
    day.call("SubscriberService/UpdateSubscriber", changed)
    (result,) = day.call("ToolService/TestEndpoint", {"endpointId": endpoint["id"], "samples": samples})["results"]
    day.rule("000.22", "simulated messages show up there too", f"sent to {result.get('binId', 'the address')[:8]}",
             result.get("binId") == started["bin"]["id"])
    quiet = len(day.receiver.requests("/plain")) - before
    day.rule("000.20", "the bin replaces the address", f"{quiet} requests to it", quiet == 0)
    day.call("CaptureService/StopCapture", {"endpointId": endpoint["id"]})
    day.settled(endpoint["id"])
    back = day.get(endpoint["id"])
    came = len(day.receiver.requests("/plain")) - before
    day.rule("000.21, 000.i", "afterwards it is back, and gets what came meanwhile", f"{back['url']}, {came} requests",
             back["url"] == endpoint["url"] and came == 2)
    alone = day.call("CaptureService/CreateBin", {})
    day.rule("000.11", "a bin that anybody may use as a target", "made", bool(alone["url"]))


SCENES = (one_url_per_instance, one_attempt, guaranteed, parallel, toggles, missed_calls, simulation, verification)

if __name__ == "__main__":
    play("chat-api", FACTOR, SCENES)
