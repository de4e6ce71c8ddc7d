"""Bad input: each gives a clear error that names the field, and changes nothing."""

import json
import urllib.request

import harness
import raw_grpc

REFUSED = 1
UNKNOWN_ENDPOINT = "ep_0000000000000001"
MIB = 1 << 20


class RefusalsTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver()
        self.hookd.ask("subscribers", "create", "acme", "--name", "Acme Ltd")
        self.endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--header", "X-One: 1")
        self.hookd.ask("endpoints", "pause", self.endpoint)
        self.publish = ("events", "publish", "--subscriber", "acme", "--type", "t")
        self.hookd.ask(*self.publish, "--payload", "1", "--idempotency-key", "used")
        self.refused = 0
        self.lists = self.read_lists()
        self.commit = self.read_commit()

    def read_commit(self):
        """Over HTTP, which is quicker than a process each time."""
        url = f"http://{self.hookd.http}/hookd.v1.OperationsService/GetStatus"
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["lastCommit"]

    def tearDown(self):
        if self.refused > 0:
            self.assertEqual(self.read_lists(), self.lists)

    def read_lists(self):
        """All that refusals must leave as it was."""
        deliveries = self.hookd.ask("deliveries", "list", "--endpoint", self.endpoint)
        return [self.hookd.ask(noun, "list") for noun in ("subscribers", "endpoints")], deliveries

    def assert_unchanged(self):
        self.refused += 1
        commit, self.commit = self.commit, self.read_commit()
        self.assertEqual(self.commit, commit, "something was written")

    def assert_refused(self, code, expected, *arguments, input=None, never=()):
        with self.subTest(expected=expected, arguments=[str(argument)[:80] for argument in arguments]):
            done = self.hookd.hookctl(*arguments, input=input)
            self.assertEqual(done.code, REFUSED, f"{done.err}{done.out}")
            self.assertEqual(done.out, "")
            self.assertTrue(done.err.startswith(f"hookctl: {code}: {expected}"), done.err)
            self.assertLess(len(done.err), 500)
            for secret in never:
                self.assertNotIn(secret, done.err)
            self.assert_unchanged()

    def assert_invalid(self, expected, *arguments, **options):
        self.assert_refused("INVALID_ARGUMENT", expected, *arguments, **options)

    def assert_raw(self, code, expected, method, fields):
        with self.subTest(expected=expected, method=method):
            got, message = raw_grpc.call(self.hookd.grpc, method, fields)
            self.assertEqual(got, code, message)
            self.assertIn(expected, message)
            self.assert_unchanged()

    def test_payloads(self):
        command = (*self.publish, "--payload-file", "-")
        not_json = (b"", b"{", b"{'a':1}", b"[1,]", b"nul", b"1 2", b"NaN", b'{"a":1}{"a":2}', b'"a\nb"', b"\xef\xbb\xbf{}")
        for bad in not_json:
            self.assert_invalid("payload: ", *command, input=bad)
        for bad in (b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'{"\xf5":1}'):  # not UTF-8
            self.assert_invalid("payload: ", *command, input=bad)
        self.assert_invalid("payload: is JSON of more than 64 levels", *command, input=b"[" * 65 + b"]" * 65)
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            deep = opening * 100_000 + b"1" + closing * 100_000
            self.assert_invalid("payload: is JSON of more than 64 levels", *command, input=deep)
        over = b'"' + b"x" * (MIB - 1) + b'"'
        self.assert_invalid(f"payload: is {MIB + 1} bytes long, use at most {MIB}", *command, input=over)

    def test_payloads_at_the_limits_are_accepted(self):
        for good in (b'"' + b"x" * (MIB - 2) + b'"', b"[" * 64 + b"]" * 64, "\"\U0010ffff\"".encode()):
            self.hookd.ask(*self.publish, "--payload-file", "-", input=good)

    def test_events(self):
        publish = ("events", "publish", "--payload", "1")
        self.assert_refused("NOT_FOUND", "subscriber_id: ", *publish, "--subscriber", "nobody", "--type", "t")
        self.assert_invalid("subscriber_id: ", *publish, "--subscriber", "a b", "--type", "t")
        for bad in ("a b", "x" * 129, "message/in", "typé"):
            self.assert_invalid("type: ", *publish, "--subscriber", "acme", "--type", bad)
        for field in ("channel", "ordering-key", "idempotency-key", "traceparent"):
            name = field.replace("-", "_")
            self.assert_invalid(f"{name}: is 129 bytes", *self.publish, "--payload", "1", f"--{field}", "x" * 129)
            self.assert_invalid(f"{name}: holds a control", *self.publish, "--payload", "1", f"--{field}", "a\r\nb: c")
        used = ("--idempotency-key", "used")
        self.assert_refused("ALREADY_EXISTS", "idempotency_key: ", *self.publish, "--payload", "2", *used)

    def test_event_times(self):
        publish = (*self.publish, "--payload", "1")
        self.assert_invalid("expire_time: is not in the future", *publish, "--expires", "2020-01-31T12:00:00Z")
        self.assert_invalid("expire_time: is not in the future", *publish, "--expires", "1970-01-01T00:00:00Z")
        self.assert_invalid("expire_time: is not in the future", *publish, "--expires", "0s")
        times = ("--not-before", "2h", "--expires", "1h")
        self.assert_invalid("expire_time: is not after not_before_time", *publish, *times)
        self.assert_invalid("not_before_time: is too far ahead, use at most 30 days", *publish, "--not-before", "721h")
        self.assert_invalid("not_before_time: is before 1970", *publish, "--not-before", "1969-12-31T23:59:59Z")

    def test_reasons(self):
        for bad, expected in (("x" * 257, "reason: is 257 bytes"), ("a\nb", "reason: holds a control")):
            for verb in ("enable", "disable", "pause", "resume"):
                self.assert_invalid(expected, "endpoints", verb, self.endpoint, "--reason", bad)
            self.assert_invalid(expected, "pause", "--reason", bad)

    def test_batches(self):
        event = [(1, "acme"), (2, "t"), (3, "1")]
        for method in ("EventService/PublishEvents", "EventService/PublishStream"):
            inside = 1 if method.endswith("Events") else 2
            self.assert_raw("INVALID_ARGUMENT", "events: 1001 in one message", method, [(inside, event)] * 1001)
            large = [(1, "acme"), (2, "t"), (3, '"' + "x" * 900_000 + '"')]
            self.assert_raw("INVALID_ARGUMENT", "bytes in one message", method, [(inside, large)] * 5)
        self.assert_raw("INVALID_ARGUMENT", "events: is empty", "EventService/PublishEvents", [])
        self.assert_raw("INVALID_ARGUMENT", "event: is missing", "EventService/PublishEvent", [])

    def test_a_bad_event_is_refused_alone(self):
        lines = ['{"subscriber_id":"acme","type":"t","payload":1}', '{"subscriber_id":"acme","type":"a b","payload":2}']
        done = self.hookd.hookctl("--output", "json", "events", "publish", "--file", "-", input="\n".join(lines))
        self.assertEqual(done.code, REFUSED)
        self.assertEqual(json.loads(done.out), {"accepted": 1, "duplicates": 0, "deliveries": 1,
                                                "not_fanned_out": 0, "refused": 1})
        self.assertIn("line 2: INVALID_ARGUMENT: type: ", done.err)

    def test_urls(self):
        for bad in (
            "ftp://example.com/",
            "file:///etc/passwd",
            "example.com",
            "http://",
            "http://user:hush@example.com/",
            "http://example.com/\x01",
            "http://example.com/a b",
            "http://example.com/\r\nX-Injected: 1",
            "http://exämple.com/",
            "http://example.com/#part",
            "http://example.com:0/",
            "http://example.com:70000/",
            "http://2130706433/",
            "http://example.com/" + "x" * 2030,
        ):
            command = ("endpoints", "create", "--subscriber", "acme", "--url", bad)
            self.assert_invalid("url: ", *command, never=["hush"])
            self.assert_invalid("url: ", "endpoints", "update", self.endpoint, "--url", bad, never=["hush"])

    def test_headers(self):
        for name in (
            "Host", "content-length", "Content-Type", "Connection", "Transfer-Encoding", "TE", "Upgrade", "User-Agent",
            "Webhook-Id", "webhook-signature", "hookd-sequence", "Proxy-Authorization", "traceparent",
        ):  # fmt: skip
            self.assert_header(f"{name}: x", "headers[0].name: ")
        for bad in ("a b: x", "naïve: x", "x" * 129 + ": x", "a(b): x"):
            self.assert_header(bad, "headers[0].name: ")
        for bad in ("X-A: hush\r\nX-B: 2", "X-A: hush\nX-B: 2", "X-A: hush\x7fx", "X-A: hüsh", "X-A: " + "x" * 4097):
            self.assert_header(bad, "headers[0].value: ")
        many = [part for number in range(33) for part in ("--header", f"X-{number}: x")]
        self.assert_invalid("headers: ", "endpoints", "update", self.endpoint, *many)
        twice = ("--header", "X-A: 1", "--header", "x-a: 2")
        self.assert_invalid("headers[1].name: ", "endpoints", "update", self.endpoint, *twice)

    def assert_header(self, text, expected):
        create = ("endpoints", "create", "--subscriber", "acme", "--url", "http://127.0.0.1:9/")
        for flag in ("--header", "--secret-header"):
            self.assert_invalid(expected, *create, flag, text, never=["hush", "hüsh"])
            self.assert_invalid(expected, "endpoints", "update", self.endpoint, flag, text, never=["hush", "hüsh"])

    def test_policies_name_the_range(self):
        create = ("endpoints", "create", "--subscriber", "acme", "--url", "http://127.0.0.1:9/")
        for flag, bad, expected in (
            ("--timeout", "99ms", "policy.timeout: 99ms is out of range, use 100ms to 120s"),
            ("--timeout", "121s", "policy.timeout: 121s is out of range, use 100ms to 120s"),
            ("--max-retries", "1001", "policy.max_retries: 1001 is out of range, use 0 to 1000"),
            ("--max-in-flight", "1001", "policy.max_in_flight: 1001 is out of range, use 1 to 1000"),
            ("--backoff", "99ms:1s", "policy.backoff.step: 99ms is out of range, use 100ms to 24h"),
            ("--backoff", "1s:25h", "policy.backoff.cap: 25h is out of range, use 1s to 24h"),
            ("--backoff", "10s:5s", "policy.backoff.cap: 5s is out of range, use 10s to 24h"),
            ("--backoff", "1s:5s:1.5", "policy.backoff.jitter: 1.5 is out of range, use 0 to 1"),
            ("--backoff", "1s:5s:nan", "policy.backoff.jitter: nan is out of range, use 0 to 1"),
            ("--backoff", "fixed:25h", "policy.backoff.step: 25h is out of range, use 100ms to 24h"),
            ("--backoff", "exponential:1s:1h:11", "policy.backoff.factor: 11 is out of range, use 1 to 10"),
            ("--backoff", "exponential:1s:1h:0.5", "policy.backoff.factor: 0.5 is out of range, use 1 to 10"),
            ("--backoff", "exponential:1s:1h:nan", "policy.backoff.factor: nan is out of range, use 1 to 10"),
            ("--backoff", "exponential:10s:5s:2", "policy.backoff.cap: 5s is out of range, use 10s to 24h"),
            ("--backoff", "schedule:5s,25h", "policy.backoff.schedule[1]: 25h is out of range, use 100ms to 24h"),
            ("--backoff", "schedule:0s", "policy.backoff.schedule[0]: 0ms is out of range, use 100ms to 24h"),
            ("--retry-after-max", "25h", "policy.retry_after_max: 25h is out of range, use 0ms to 24h"),
            ("--alert-after", "100001", "policy.alert_after: 100001 is out of range, use 0 to 100000"),
            ("--backlog", "1000000001", "policy.backlog: 1000000001 is out of range, use 0 to 1000000000"),
            ("--rate-limit", "10001:1", "policy.rate_limit.per_second: 10001 is out of range, use 0 to 10000"),
            ("--rate-limit", "5:10001", "policy.rate_limit.burst: 10001 is out of range, use 1 to 10000"),
            ("--success", "99-200", "policy.success_codes[0]: 99 to 200 is not a range"),
            ("--success", "200-600", "policy.success_codes[0]: 200 to 600 is not a range"),
            ("--success", "300-200", "policy.success_codes[0]: 300 to 200 is not a range"),
        ):
            self.assert_invalid(expected, *create, flag, bad)
            self.assert_invalid(expected, "endpoints", "update", self.endpoint, flag, bad)
        long = "schedule:" + ",".join(["1s"] * 65)
        expected = "policy.backoff.schedule: there are 65 entries, use 1 to 64"
        self.assert_invalid(expected, *create, "--backoff", long)
        for after, expected in (
            ("100001:1h", "policy.auto_disable.failures: 100001 is out of range, use 0 to 100000"),
            ("60:721h", "policy.auto_disable.span: 721h is out of range, use 0ms to 720h"),
        ):
            flags = ("--disable-after", after, "--disable-on-gone", "yes")
            self.assert_invalid(expected, *create, *flags)
            self.assert_invalid(expected, "endpoints", "update", self.endpoint, *flags)
        ranges = [part for code in range(200, 217) for part in ("--success", str(code))]
        self.assert_invalid("policy.success_codes: there are 17 ranges, use 1 to 16", *create, *ranges)

    def test_endpoints(self):
        create = ("endpoints", "create", "--url", "http://127.0.0.1:9/", "--subscriber")
        self.assert_refused("NOT_FOUND", "subscriber_id: ", *create, "nobody")
        self.assert_invalid("subscriber_id: ", *create, "no body")
        self.assert_invalid("description: ", *create, "acme", "--description", "x" * 257)
        self.assert_invalid("event_types[0]: ", *create, "acme", "--event-type", "a*b")
        self.assert_invalid("event_types: ", *create, "acme", *["--event-type", "a"] * 65)
        self.assert_invalid("channels[0]: ", *create, "acme", "--channel", "x" * 129)
        for bad in ("whsec_", "whsec_AAAA", "whsec_!!!!", "hush-hush"):
            secret = self.space.folder / "secret"
            secret.write_text(bad, encoding="ascii")
            command = (*create, "acme", "--signing-secret-file", secret)
            self.assert_invalid("signing_secret: ", *command, never=["hush"])
        for verb in ("get", "delete", "enable", "disable", "pause", "resume"):
            yes = ("--yes",) if verb == "delete" else ()
            self.assert_refused("NOT_FOUND", "", "endpoints", verb, UNKNOWN_ENDPOINT, *yes)
            self.assert_invalid("id: ", "endpoints", verb, "ep_1", *yes)
        self.assert_refused("NOT_FOUND", "", "endpoints", "update", UNKNOWN_ENDPOINT, "--description", "x")
        reset = ("endpoints", "update", self.endpoint, "--reset")
        for path in ("subscriber_id", "paused", "disabled", "state_note", "health", "policy.backoff.linear"):
            self.assert_invalid("update_mask: ", *reset, path)
        twice = (*reset, "policy.timeout", "--timeout", "5s")
        self.assert_invalid("update_mask: names policy.timeout twice", *twice)
        self.assert_invalid("url: ", *reset, "url")
        self.assert_invalid("signing_secret: is empty", *reset, "signing_secret")
        mask = [(1, [(1, self.endpoint), (3, "words")]), (2, [(1, "description")] * 300_000)]
        self.assert_raw("INVALID_ARGUMENT", "update_mask: names 300000 paths", "EndpointService/UpdateEndpoint", mask)

    def test_subscribers(self):
        for bad in ("a b", "x" * 129, "a/b", "ä"):
            self.assert_invalid("id: ", "subscribers", "create", bad)
        self.assert_invalid("name: ", "subscribers", "create", "new", "--name", "x" * 257)
        self.assert_invalid("name: ", "subscribers", "update", "acme", "--name", "a\nb")
        self.assert_refused("ALREADY_EXISTS", "", "subscribers", "create", "acme")
        self.assert_refused("FAILED_PRECONDITION", "", "subscribers", "delete", "acme", "--yes")
        for verb in ("get", "delete", "pause", "resume"):
            yes = ("--yes",) if verb == "delete" else ()
            self.assert_refused("NOT_FOUND", "", "subscribers", verb, "nobody", *yes)

    def test_deliveries(self):
        self.assert_invalid("id: ", "deliveries", "get", "dlv_1")
        self.assert_refused("NOT_FOUND", "", "deliveries", "get", "dlv_" + "0" * 32)
        self.assert_invalid("", "deliveries", "list")
        self.assert_invalid("endpoint_id: ", "deliveries", "list", "--endpoint", "nonsense")

    def test_pages(self):
        lists = {
            "SubscriberService/ListSubscribers": (1, 2, []),
            "EndpointService/ListEndpoints": (2, 3, []),
            "DeliveryService/ListDeliveries": (3, 4, [(1, self.endpoint)]),
        }
        for method, (page_size, page_token, query) in lists.items():
            for made_up in ("nonsense", "AAAAAAAAAAAAAAAA", "!", "x" * 3000):
                self.assert_raw("INVALID_ARGUMENT", "page_token: ", method, [*query, (page_token, made_up)])
            for bad in (-1, 1001):
                expected = f"page_size: {bad} is out of range"
                self.assert_raw("INVALID_ARGUMENT", expected, method, [*query, (page_size, bad)])


if __name__ == "__main__":
    harness.main()
