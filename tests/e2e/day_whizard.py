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


def rest_configuration(day):
    """The customer sets the webhook by REST, with its API key."""
    path, status = "/v1/configs/webhook", day.sample("statuses")
    day.subscriber("rest")
    key = ("WHIZARD-KEY", day.key("rest"))

    def failed(statement, promised, code, answer):
        got, document = answer
        meta = document.get("meta", {})
        fits = got == code == meta.get("http_code") and meta.get("success") is False and meta.get("developer_message")
        day.rule(statement, promised, f"{got} {meta}", bool(fits))
        return meta

    failed("004.14, 004.h", "without a key: 401", 401, day.rest("POST", path, None, {"url": "https://example.com/"}))
    failed("004.22, F23", "with an unknown key: 401", 401, day.rest("GET", path, ("WHIZARD-KEY", "adafABC43")))
    failed("004.20", "GET before one was set: 404", 404, day.rest("GET", path, key))
    meta = failed("004.24, 004.d", "a URL without a scheme: 400, with details", 400,
                  day.rest("POST", path, key, {"url": "www.example.com/webhook"}))
    day.rule("004.24", "details are texts", f"{meta.get('details')}",
             bool(meta.get("details")) and all(isinstance(each, str) for each in meta["details"]))
    url, other = day.receiver.url("/rest"), day.receiver.url("/other")
    failed("004.13", "POST without application/json: 400", 400, day.rest("POST", path, key, {"url": url}, ""))
    day.receiver.behave("/rest", Answer())
    day.receiver.behave("/other", Answer())

    wanted = {"url": url, "headers": {"Authorization": "Basic " + base64.b64encode(b"ann:a-pass").decode()}}
    got = day.rest("POST", path, key, wanted)
    day.rule("004.11, 004.12, 004.16, 004.19", "POST answers with what was stored", f"{got}", got == (200, wanted))
    got = day.rest("GET", path, key, None, "")
    day.rule("004.23, 004.26, 004.e, F22", "GET, without a content type, shows it in clear", f"{got}",
             got == (200, wanted))
    (endpoint,) = day.call("EndpointService/ListEndpoints", {"subscriberId": "rest"})["endpoints"]
    shown = str(day.get(endpoint["id"]))
    hidden = wanted["headers"]["Authorization"] not in shown
    day.rule("F22", "to the key that owns it alone", "hidden elsewhere" if hidden else "shown elsewhere", hidden)
    day.publish("rest", "statuses", status)
    day.settled(endpoint["id"])
    (request,) = once_each(day.receiver.requests("/rest"))
    day.rule("004.18", "the header goes with the notification", request.headers.get("authorization", "none"),
             request.headers.get("authorization") == wanted["headers"]["Authorization"])

    got = day.rest("POST", path, key, {"url": other})
    day.rule("004.15, 004.h", "POST again replaces both; without headers there are none", f"{got}",
             got == (200, {"url": other, "headers": {}}))
    day.publish("rest", "statuses", status)
    day.settled(endpoint["id"])
    (request,) = once_each(day.receiver.requests("/other"))
    day.rule("004.h", "and acts on what comes next", request.headers.get("authorization", "no header"),
             "authorization" not in request.headers)
    got = day.rest("DELETE", path, key)
    day.rule("004.f", "DELETE, an extension: 200 and nothing in it", f"{got}", got == (200, {"url": "", "headers": {}}))
    failed("004.f", "then GET: 404", 404, day.rest("GET", path, key))


SCENES = (addresses, basic_auth, retries, rest_configuration)

if __name__ == "__main__":
    play("whizard", FACTOR, SCENES, CHANGES, LIFTED)
