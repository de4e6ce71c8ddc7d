"""What the six days in the life of a profile share: hookd with the profiles, a receiver that misbehaves, an account.

A day is a module of scenes. `play` calls them in their order, each with a `Day`; a scene sees to it that something
happens, and says by `day.rule` what was promised and what was seen. A day whose account has a fault ends with 1.

Every duration of the profile is divided by a factor, as real ones take days: the day runs on a copy of the profile,
made here, that is the original but for these. Rates are left as they are.
"""

import base64
import collections
import copy
import dataclasses
import datetime
import http.server
import json
import pathlib
import re
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request

import harness
import receiver
import yaml
from harness import Failure, wait_for

PROFILES = harness.HERE.parents[1] / "config" / "profiles"
JITTER = 0.1
UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
# Of a policy; and the profile's longest_timeout.
DURATIONS = {"timeout", "step", "cap", "schedule", "retry_after_max", "span", "linger", "first", "longest_timeout"}


class Refused(Exception):
    """hookd's answer to a call that it does not take."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int = 200
    delay: float = 0  # seconds before it
    location: str = ""
    retry_after: int = 0


@dataclasses.dataclass
class Request:
    time: float
    target: str
    headers: dict  # names in lower case
    body: bytes
    status: int = 0  # 0 = not answered yet

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def attempt(self):
        return int(self.headers["hookd-attempt"])

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def json(self):
        return json.loads(self.body)


class Receiver(http.server.ThreadingHTTPServer):
    """Verifies, notes and answers. What it answers is set by path; without, 404."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self._lock = threading.Lock()
        self._behaviour, self._secrets, self._requests = {}, {}, []
        self._open, self.most_at_once = collections.Counter(), collections.Counter()
        self.unverified = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def behave(self, path, answer):
        """`answer` makes an Answer of a Request; or it is one."""
        self._behaviour[path] = answer if callable(answer) else lambda _: answer

    def trust(self, path, secret):
        self._secrets[path] = secret

    def requests(self, path):
        with self._lock:
            return [request for request in self._requests if request.path == path]

    def take(self, request):
        path = request.path
        with self._lock:
            self._requests.append(request)
            self._open[path] += 1
            self.most_at_once[path] = max(self.most_at_once[path], self._open[path])
            secret = self._secrets.get(path)
            if secret and not receiver.signature_is_valid(request.headers, request.body, secret, time.time()):
                self.unverified += 1
        answer = self._behaviour.get(path, lambda _: Answer(404))(request)
        if answer.delay:
            time.sleep(answer.delay)  # what a slow receiver is
        with self._lock:
            request.status = answer.status
            self._open[path] -= 1
        return answer

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the sender has given up
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        now = time.monotonic()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.take(Request(now, self.path, headers, body))
        self.send_response(answer.status)
        if answer.location:
            self.send_header("Location", answer.location)
        if answer.retry_after:
            self.send_header("Retry-After", str(answer.retry_after))
        if answer.status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        pass


class Day:
    def __init__(self, space, name, factor, changes=None):
        self.space, self.name, self.factor = space, name, factor
        self.faults = 0
        self._start = time.monotonic()
        self.original = yaml.safe_load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8"))
        self.profile = f"{name}-day"
        self._folder = space.folder / "profiles"
        self.scaled = self._write_copy(changes or {})
        self.receiver = Receiver()
        self.hookd = space.hookd(profiles=self.settings(allow_http=True)).start()

    def settings(self, allow_http):
        return {"dir": PROFILES, "extra_dir": self._folder, "allow_http": str(allow_http).lower()}

    def _write_copy(self, changes):
        profile = copy.deepcopy(self.original) | changes
        profile["name"] = self.profile
        shrink(profile["policy"], self.factor)
        profile["longest_timeout"] = shorter(profile["longest_timeout"], self.factor)
        shutil.copytree(PROFILES / self.name, self._folder / self.profile)
        text = yaml.safe_dump(profile, sort_keys=False, allow_unicode=True)
        (self._folder / f"{self.profile}.yaml").write_text(text, encoding="utf-8")
        return profile

    # What is said.

    def say(self, text):
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", flush=True)

    def rule(self, statements, promised, seen, kept):
        """One line of the account."""
        self.faults += not kept
        mark = "kept  " if kept else "BROKEN"
        print(f"  {mark} {statements}: {promised}\n           seen: {seen}", flush=True)

    def refused(self, statements, promised, code, *words):
        """A context whose call has to be refused, in these words."""
        return Refusal(self, statements, promised, code, words)

    # What is asked.

    def call(self, method, message=None, hookd=None):
        """`method` is SERVICE/METHOD of hookd.v1."""
        url = f"http://{(hookd or self.hookd).http}/hookd.v1.{method}"
        body = json.dumps(message or {}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=harness.PATIENCE_S) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                refusal = json.loads(error.read())
            raise Refused(refusal.get("code", ""), refusal.get("message", "")) from None

    def rest(self, method, path, key=None, document=None, content_type="application/json"):
        """Status and document of a call beside the API, with a header for the key: (name, text)."""
        headers = dict([key] if key else [])
        if content_type:
            headers["Content-Type"] = content_type
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"http://{self.hookd.http}{path}", body, headers, method=method)
        if not content_type:
            request.add_unredirected_header("Content-type", "text/plain")  # urllib has one of its own otherwise
        try:
            with urllib.request.urlopen(request, timeout=harness.PATIENCE_S) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")

    def key(self, subscriber):
        """A new API key of the subscriber."""
        token = {"role": "TOKEN_ROLE_SUBSCRIBER", "subscriberIds": [subscriber]}
        return self.call("TokenService/CreateToken", {"token": token})["text"]

    def subscriber(self, name, **fields):
        fields = {"profile": self.profile, **fields}
        return self.call("SubscriberService/CreateSubscriber", {"subscriber": {"id": name, **fields}})

    def endpoint(self, subscriber, path, answer=None, query="", **fields):
        """Its id. Its requests get this answer, or 200."""
        fields = {"subscriberId": subscriber, "url": self.receiver.url(path) + query, **fields}
        made = self.call("EndpointService/CreateEndpoint", {"endpoint": fields})
        self.receiver.trust(path, made["signingSecret"])
        self.receiver.behave(path, answer or Answer())
        return made["endpoint"]["id"]

    def get(self, endpoint):
        return self.call("EndpointService/GetEndpoint", {"id": endpoint})

    def sample(self, event_type, sample=None):
        """Text of a sample of the catalogue."""
        kind = next(kind for kind in self.original["event_types"] if kind["name"] == event_type)
        file = next(each["file"] for each in kind["samples"] if sample in (None, each["name"]))
        return (PROFILES / self.name / file).read_text(encoding="utf-8")

    def publish(self, subscriber, event_type, payload, **fields):
        event = {"subscriberId": subscriber, "type": event_type, **fields}
        event["payload"] = base64.b64encode(payload.encode()).decode()
        return self.call("EventService/PublishEvent", {"event": event})

    def publish_all(self, subscriber, event_type, payloads, **fields):
        """In one call, so that they come at once."""
        events = [{"subscriberId": subscriber, "type": event_type, **fields} for _ in payloads]
        for event, payload in zip(events, payloads):
            event["payload"] = base64.b64encode(payload.encode()).decode()
        return self.call("EventService/PublishEvents", {"events": events})["results"]

    def deliveries(self, endpoint, **filters):
        """In the order of acceptance, without their attempts."""
        query = {"endpointId": endpoint, "order": "LIST_ORDER_OLDEST_FIRST", "pageSize": 1000, **filters}
        listed = self.call("DeliveryService/ListDeliveries", query).get("deliveries", [])
        return sorted(listed, key=lambda delivery: int(delivery["sequence"]))

    def delivery(self, identity):
        return self.call("DeliveryService/GetDelivery", {"id": identity})

    def settled(self, endpoint, what="all deliveries of an endpoint to end"):
        """Its deliveries, once none is pending."""
        wait_for(lambda: int(self.get(endpoint).get("health", {}).get("pending", 0)) == 0, what)
        return self.deliveries(endpoint)

    def attempts(self, delivery):
        return self.delivery(delivery["id"])["attempts"]

    # What is reckoned, in the profile's own time.

    def waits(self, delivery):
        """Seconds from each failed attempt's end to when the next was due, as recorded."""
        found = []
        for attempt in self.attempts(delivery):
            if "nextDueTime" in attempt:
                begin, total = seconds_of(attempt["startTime"]), span(attempt["phases"]["total"])
                found.append((seconds_of(attempt["nextDueTime"]) - begin - total) * self.factor)
        return found

    def starts(self, deliveries):
        """When their attempts began, by hookd's record: what a busy machine makes of it does not matter."""
        attempts = [attempt for delivery in deliveries for attempt in self.attempts(delivery)]
        return [seconds_of(attempt["startTime"]) for attempt in attempts]

    def are_waits(self, waits, promised, exact_first=False):
        """As promised, with jitter above it; 8 ms of the real time are left to the machine."""
        slack = 0.008 * self.factor
        if len(waits) != len(promised):
            return False
        for number, (wait, least) in enumerate(zip(waits, promised)):
            most = least if exact_first and number == 0 else least * (1 + JITTER)
            if not least - slack <= wait <= most + slack:
                return False
        return True

    def finish(self):
        self.rule("signatures", "every request verifies", f"{self.receiver.unverified} did not",
                  self.receiver.unverified == 0)
        code = self.hookd.terminate()
        if code != 0:
            raise Failure(f"hookd ended with {code}")
        if self.faults:
            raise Failure(f"{harness.count(self.faults, 'rule')} broken")
        self.say("the day was as the text has it")


class Refusal:
    def __init__(self, day, statements, promised, code, words):
        self._day, self._statements, self._promised, self._code, self._words = day, statements, promised, code, words

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self._day.rule(self._statements, self._promised, "it was taken", False)
            return False
        if not isinstance(error, Refused):
            return False
        fits = error.code == self._code and all(word in error.message for word in self._words)
        self._day.rule(self._statements, self._promised, str(error), fits)
        return True


def payload_of(event):
    """The JSON document of an event as the API shows it."""
    return json.loads(base64.b64decode(event["payload"]))


def state_of(delivery):
    return delivery["state"].removeprefix("DELIVERY_STATE_")


def once_each(requests):
    """Without repeated attempts: a busy machine may cause one that nobody promised."""
    return list({request.id: request for request in requests}.values())


def milliseconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * UNITS_MS[unit]


def shorter(text, factor):
    return f"{round(milliseconds(text) / factor)}ms"


def shrink(values, factor):
    """Divides every duration, in place; one that is 0 stays so."""
    for key, value in values.items():
        if isinstance(value, dict):
            shrink(value, factor)
        elif key in DURATIONS and isinstance(value, list):
            values[key] = [shorter(each, factor) for each in value]
        elif key in DURATIONS:
            values[key] = shorter(value, factor)


def seconds_of(text):
    """Of an RFC 3339 time, since 1970."""
    head, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.datetime.fromisoformat(head + "+00:00").timestamp()
    return whole + float(f"0.{fraction or 0}")


def span(text):
    """Of a duration in JSON, such as "0.015s"."""
    return float(text.removesuffix("s"))


def shown(seconds):
    """For people: 75 s, 3 min 45 s, 24 h 6 min."""
    whole = round(seconds)
    if whole < 100:
        return f"{seconds:.1f} s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (left, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def listed(seconds):
    return ", ".join(shown(each) for each in seconds)


def most_within(times, width):
    """Most of the times that lie in any half-open stretch so long."""
    times = sorted(times)
    most, first = 0, 0
    for last, end in enumerate(times):
        while end - times[first] >= width:
            first += 1
        most = max(most, last - first + 1)
    return most


def catalogue(day):
    """A strict subscriber's events are in the catalogue, and fit."""
    day.subscriber("strict", strict=True)
    taken = 0
    for kind in day.original["event_types"]:
        for sample in kind["samples"]:
            day.publish("strict", kind["name"], day.sample(kind["name"], sample["name"]))
            taken += 1
    kinds = len(day.original["event_types"])
    day.rule("catalogue", "every sample of every type is taken", f"{taken} samples of {kinds} types", taken >= kinds)
    first = day.original["event_types"][0]["name"]
    with day.refused("catalogue", "another type is refused", "invalid_argument", "order.paid", day.profile):
        day.publish("strict", "order.paid", "{}")
    with day.refused("catalogue", "a payload that does not fit is refused", "invalid_argument", first):
        day.publish("strict", first, '{"greeting": "hello"}')


def play(name, factor, scenes, changes=None, lifted=""):
    harness.parse_bin(f"A day in the life of the profile {name}.")
    with harness.Workspace(f"day-{name}") as space:
        space.keep = "--keep" in sys.argv
        try:
            day = Day(space, name, factor, changes)
            day.say(f"{day.original['title']}: every duration is divided by {factor}{lifted}")
            for scene in (catalogue, *scenes):
                day.say(scene.__doc__.strip().splitlines()[0])
                scene(day)
            day.finish()
        except (Failure, Refused) as failure:
            space.failed = True
            print(f"FAILED: {failure}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)
