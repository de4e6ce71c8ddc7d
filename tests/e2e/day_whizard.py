"""A day of Whizard: https on 443 alone, Basic with every request, retries after a short delay."""

import base64

from day import Answer, listed, once_each, play, state_of

FACTOR = 30
# The day's own receiver speaks http on a port that is free.
CHANGES = {"url": {"schemes": ["http", "https"], "ports": []}}
LIFTED = "; its receiver is on a free port without TLS, so the day's copy takes that"


def addresses(day):
    """Only https on port 443."""
    strict = day.space.hookd("strict", profiles=day.settings(allow_http=False)).start()
    day.call("SubscriberService/CreateSubscriber", {"subscriber": {"id": "shop", "profile": "whizard"}}, strict)

    def create(url):
        day.call("EndpointService/CreateEndpoint", {"endpoint": {"subscriberId": "shop", "url": url}}, strict)

    with day.refused("004.4", "http is refused", "invalid_argument", "https", "whizard"):
        create("http://www.example.com/webhook")
    with day.refused("004.4", "another port is refused", "invalid_argument", "443", "whizard"):
        create("https://www.example.com:8443/webhook")
    create("https://www.example.com/webhook")
    day.rule("004.4, 004.10", "https on port 443 is taken, anybody's", "taken", True)
    with day.refused("004.9", "one webhook is configured", "failed_precondition", "whizard"):
        create("https://partner.example.com/webhook")
    strict.terminate()


def basic_auth(day):
    """The receiver wants user and password with every request."""
    day.subscriber("shop")
    wanted = "Basic " + base64.b64encode(b"corner-shop:open sesame").decode()
    headers = [{"name": "Authorization", "value": wanted, "secret": True}]
    guard = lambda r: Answer(200 if r.headers.get("authorization") == wanted else 401)
    endpoint = day.endpoint("shop", "/basic", guard, headers=headers)
    for status in ("sent", "delivered", "read"):
        day.publish("shop", "statuses", day.sample("statuses", status))
    day.publish("shop", "messages", day.sample("messages"))
    day.settled(endpoint)
    got = [request.status for request in day.receiver.requests("/basic")]
    day.rule("004.1, 004.18", "own headers go with each notification", f"{got}", got == [200] * 4)
    read = str(day.get(endpoint))
    day.rule("004.18", "a secret header is not read again", "not shown" if wanted not in read else "shown",
             wanted not in read and "corner-shop" not in day.hookd.log.read_text(encoding="utf-8"))


def retries(day):
    """A receiver that processes first and fails, thrice."""
    day.subscriber("moody")
    endpoint = day.endpoint("moody", "/moody", lambda r: Answer(500 if r.attempt <= 3 else 200))
    day.publish("moody", "messages", day.sample("messages", "image"))
    (delivery,) = day.settled(endpoint)
    waits = day.waits(delivery)
    day.rule("004.6, 004.i", "again after a short delay: 3, 6, 9 s", listed(waits), day.are_waits(waits, [3, 6, 9]))
    day.rule("004.5", "200 is success", state_of(delivery), state_of(delivery) == "SUCCEEDED")


SCENES = (addresses, basic_auth, retries)

if __name__ == "__main__":
    play("whizard", FACTOR, SCENES, CHANGES, LIFTED)
