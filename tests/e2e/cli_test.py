"""Every hookctl command against a live hookd: tables, JSON, exit codes. cli_refusals_test.py has what is refused."""

import fcntl
import json
import signal
import subprocess
import termios

import harness
import raw_grpc
from harness import wait_for

# Exit codes of hookctl.
OK, REFUSED, USAGE, UNREACHABLE, FAILED = 0, 1, 2, 3, 4

# What hookctl refuses before it asks the server.
REFUSED_BY_HOOKCTL = (
    ("deliveries", "list", "--state", "pending", "--from", "yesterday"),
    *(("deliveries", "list", "--status-class", text) for text in ("6xx", "5x", "55", "")),
    ("deliveries", "watch", "--retry-for", "long"),
    ("events", "poll"),
    ("events", "poll", "--endpoint", "ep_1", "--subscriber", "acme"),
    ("events", "poll", "--endpoint", "ep_1", "--wait", "31s"),
    ("jobs", "expire"),
    ("jobs", "replay", "--endpoint", "ep_1"),
    ("jobs", "expire", "--endpoint", "ep_1"),  # there is nobody to ask
    ("jobs", "cancel", "job_1"),
    ("subscribers", "delete", "acme"),
    ("endpoints", "delete", "ep_1"),
    ("endpoints", "bulk", "pause"),
    ("endpoints", "bulk", "disable", "--subscriber", "acme"),
    ("endpoints", "top", "--by", "luck"),
    ("apply", "-f", "/nonexistent"),
    ("completion", "tcsh"),
    ("--profile", "nowhere", "status"),
)


class CliTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver()

    def table(self, *arguments, input=None):
        """The lines of a command that must succeed, in the form for people."""
        done = self.hookd.hookctl(*arguments, input=input)
        self.assertEqual((done.code, done.err), (OK, ""), done.out)
        return done.out.splitlines()

    def fields(self, *arguments):
        """Of the "name  value" lines."""
        return dict(line.split("  ", 1) for line in self.table(*arguments) if "  " in line)

    def field(self, name, *arguments):
        return {key.strip(): value.strip() for key, value in self.fields(*arguments).items()}[name]

    def test_reflection_lists_the_services(self):
        listed = raw_grpc.exchange(
            self.hookd.grpc, "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", [(7, "")]
        )
        services = ("Event", "Subscriber", "Endpoint", "Delivery", "Operations")
        for service in (*(f"hookd.v1.{name}Service" for name in services), "grpc.health.v1.Health"):
            self.assertIn(service.encode(), listed)

    def test_subscribers(self):
        made = self.hookd.ask("subscribers", "create", "acme", "--name", "Acme Ltd")
        self.assertEqual((made["id"], made["name"], made["paused"]), ("acme", "Acme Ltd", False))
        self.assertRegex(made["create_time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.table("subscribers", "create", "beta")
        self.assertEqual(self.field("name", "subscribers", "get", "acme"), "Acme Ltd")
        header, *rows = self.table("subscribers", "list")
        self.assertEqual(header.split(), ["ID", "NAME", "PAUSED", "PROFILE", "PLAN", "ENDPOINTS", "CREATED"])
        self.assertEqual(sorted(row.split()[0] for row in rows), ["acme", "beta"])
        self.assertEqual(len(self.hookd.ask("subscribers", "list", "--limit", "1")["subscribers"]), 1)

        self.assertEqual(self.hookd.ask("subscribers", "update", "acme", "--name", "New")["name"], "New")
        self.assertTrue(self.hookd.ask("subscribers", "pause", "acme")["paused"])
        self.assertTrue(self.hookd.ask("subscribers", "pause", "acme")["paused"], "pausing is idempotent")
        self.assertEqual(self.field("paused", "subscribers", "get", "acme"), "yes")
        self.assertFalse(self.hookd.ask("subscribers", "resume", "acme")["paused"])
        self.table("subscribers", "delete", "beta", "--yes")
        self.assertEqual([s["id"] for s in self.hookd.ask("subscribers", "list")["subscribers"]], ["acme"])

    def test_lists_are_read_to_their_end(self):
        for number in range(105):  # more than the default page
            self.hookd.ask("subscribers", "create", f"s{number:03d}")
        everyone = [s["id"] for s in self.hookd.ask("subscribers", "list", "--limit", "0")["subscribers"]]
        self.assertEqual(sorted(everyone), [f"s{number:03d}" for number in range(105)])
        some = [s["id"] for s in self.hookd.ask("subscribers", "list")["subscribers"]]
        self.assertEqual(some, everyone[:100], "the order is fixed")

    def test_endpoints(self):
        self.hookd.ask("subscribers", "create", "acme")
        url = self.receiver.url("/hooks")
        flags = ("--description", "the shop", "--event-type", "message:*", "--channel", "c1", "--timeout", "5s")
        flags += ("--mode", "parallel", "--max-in-flight", "3", "--success", "200-204", "--max-retries", "7")
        flags += ("--backoff", "1s:1m:0.5", "--rate-limit", "9:2", "--header", "X-Shop: one")
        flags += ("--secret-header", "Authorization: Bearer hush")
        made = self.hookd.ask("endpoints", "create", "--subscriber", "acme", "--url", url, *flags)
        self.assertRegex(made["signing_secret"], r"^whsec_[A-Za-z0-9+/]{32,}=*$")
        endpoint = made["endpoint"]
        self.assertRegex(endpoint["id"], r"^ep_[0-9a-f]{16}$")
        policy = endpoint["policy"]
        self.assertEqual((policy["mode"], policy["max_in_flight"]), ("DELIVERY_MODE_PARALLEL", 3))
        self.assertEqual((policy["timeout"], policy["max_retries"]), ("5s", 7))
        self.assertEqual(policy["backoff"], {"linear": {"step": "1s", "cap": "60s"}, "jitter": 0.5,
                                             "exact_first": False})
        self.assertEqual(policy["rate_limit"], {"per_second": 9, "burst": 2, "unit": "RATE_UNIT_REQUEST"})
        self.assertEqual(policy["success_codes"], [{"first": 200, "last": 204}])
        identity = endpoint["id"]

        shown = "\n".join(self.table("endpoints", "get", identity))
        for text in (url, "the shop", "message:*", "X-Shop: one", "Authorization: (secret)", "parallel, 3 in flight"):
            self.assertIn(text, shown)
        header, row = self.table("endpoints", "list", "--subscriber", "acme")
        columns = ["ID", "SUBSCRIBER", "URL", "MODE", "PAUSED", "DISABLED", "PENDING", "RETRYING", "FAILURES"]
        self.assertEqual(header.split(), columns)
        self.assertEqual(row.split(), [identity, "acme", url, "parallel", "no", "no", "0", "0", "0"])

        changed = self.hookd.ask("endpoints", "update", identity, "--timeout", "6s", "--reset", "policy.backoff")
        self.assertEqual(changed["policy"]["timeout"], "6s")
        self.assertEqual(changed["policy"]["backoff"], {"linear": {"step": "15s", "cap": "900s"}, "jitter": 0.1,
                                                        "exact_first": False})
        self.assertEqual(changed["policy"]["max_retries"], 7, "what was not named stays")
        self.assertTrue(self.hookd.ask("endpoints", "pause", identity)["paused"])
        self.assertFalse(self.hookd.ask("endpoints", "resume", identity)["paused"])
        self.table("endpoints", "delete", identity, "--yes")
        self.assertEqual(self.hookd.ask("endpoints", "list")["endpoints"], [])

    def test_every_policy(self):
        self.hookd.ask("subscribers", "create", "acme")
        url = self.receiver.url("/hooks")
        flags = ("--mode", "keyed", "--retry-after-max", "10m", "--alert-after", "7", "--disable-after", "30:2h")
        flags += ("--disable-on-gone", "no", "--backlog", "500", "--http", "2", "--keep-bodies", "all")
        flags += ("--batch", "message:*", "--batch-members", "10", "--batch-linger", "500ms", "--coalesce", "yes")
        flags += ("--mail-subscriber", "yes", "--auto-probe", "5m:1h", "--disable-on-429", "yes")
        made = self.hookd.ask("endpoints", "create", "--subscriber", "acme", "--url", url, *flags)["endpoint"]
        policy, identity = made["policy"], made["id"]
        self.assertEqual(policy["batch"], {"event_types": ["message:*"], "max_members": 10, "linger": "0.500s"})
        self.assertEqual(policy["auto_probe"], {"first": "300s", "cap": "3600s"})
        self.assertEqual((policy["coalesce"], policy["mail_subscriber"]), (True, True))
        self.assertEqual((policy["mode"], policy["retry_after_max"]), ("DELIVERY_MODE_KEYED", "600s"))
        self.assertEqual((policy["alert_after"], policy["backlog"]), (7, "500"))
        self.assertEqual(policy["auto_disable"], {"failures": 30, "span": "7200s", "on_gone": False, "count_429": True})
        self.assertEqual((policy["http_version"], policy["kept_bodies"]), ("HTTP_VERSION_2", "KEPT_BODIES_ALL"))
        words = {"mode": "keyed, 16 in flight", "retry-after": "honoured up to 600s", "kept bodies": "of all attempts"}
        words |= {"alert": "after 7 failures in a row", "auto-disable": "30 failures in a row over 7200s, 429 counted",
                  "http": "2"}
        words |= {"backlog": "at most 500 deliveries", "paused": "no", "disabled": "no"}
        words |= {"batch": "message:*, at most 10, lingers 0.500s", "coalesce": "yes", "mail to subscriber": "yes"}
        words |= {"auto-probe": "after 300s, at most 3600s apart"}
        self.assert_words(words, "endpoints", "get", identity)

        changed = ("--mode", "ordered", "--retry-after-max", "0s", "--alert-after", "0", "--disable-after", "never")
        changed += ("--disable-on-gone", "yes", "--backlog", "0", "--http", "1.1", "--keep-bodies", "failures")
        words = {"mode": "ordered", "retry-after": "ignored", "kept bodies": "of failures", "alert": "never"}
        changed += ("--batch", "none", "--coalesce", "no", "--mail-subscriber", "no", "--auto-probe", "never")
        words |= {"auto-disable": "status 410", "http": "1.1", "backlog": "as the disk allows"}
        words |= {"batch": "off", "coalesce": "no", "mail to subscriber": "no", "auto-probe": "never"}
        self.assert_words(words, "endpoints", "update", identity, *changed)
        for given, words in (
            ("linear:1s:1m:0", "1s x n, at most 60s, jitter 0"),
            ("fixed:3s", "3s each, jitter 0.1"),
            ("exponential:1s:1h:2:0.5", "1s x 2^(n-1), at most 3600s, jitter 0.5"),
            ("schedule:5s,5m,30m", "5s, 300s, 1800s, the last one repeats, jitter 0.1"),
        ):
            self.assert_words({"backoff": words}, "endpoints", "update", identity, "--backoff", given)

    def assert_words(self, words, *arguments):
        shown = {key.strip(): value.strip() for key, value in self.fields(*arguments).items()}
        self.assertEqual({name: shown.get(name) for name in words}, words)

    def test_states_keep_a_reason(self):
        self.hookd.ask("subscribers", "create", "acme")
        identity = self.hookd.create_endpoint(self.receiver, "acme", "/hooks")
        disabled = self.hookd.ask("endpoints", "disable", identity, "--reason", "moved away")
        self.assertEqual(disabled["disabled"]["reason"], "DISABLE_REASON_PERSON")
        self.assertEqual(disabled["state_note"], "moved away")
        self.assertIn("by a person, since 20", self.field("disabled", "endpoints", "get", identity))
        self.assertEqual(self.field("reason", "endpoints", "get", identity), "moved away")
        paused = self.hookd.ask("endpoints", "pause", identity, "--reason", "repair")
        self.assertEqual((paused["paused"], paused["state_note"]), (True, "repair"))
        resumed = self.hookd.ask("endpoints", "resume", identity, "--reason", "repaired")
        self.assertEqual((resumed["paused"], resumed["state_note"]), (False, "repaired"))
        self.assertIn("disabled", resumed, "resume does not enable")
        self.assertNotIn("disabled", self.hookd.ask("endpoints", "enable", identity, "--reason", "back"))

    def test_everything_is_paused_and_resumed(self):
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(self.receiver, "acme", "/hooks")
        self.assertEqual(self.hookd.ask("pause", "--reason", "network work")["pause_reason"], "network work")
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "1")
        self.assertEqual(self.field("paused", "status"), "yes, everything: network work")
        self.assertEqual(self.hookd.pending(), 1)
        self.assertEqual(self.receiver.ledger.entries("/hooks"), [])
        self.assertEqual(self.field("paused", "resume"), "no")
        wait_for(lambda: self.hookd.pending() == 0, "what queued to be delivered")
        self.assertEqual(self.field("clock", "confirm-clock"), "trusted")

    def test_secrets_are_never_read_again(self):
        self.hookd.ask("subscribers", "create", "acme")
        command = ("endpoints", "create", "--subscriber", "acme", "--url", self.receiver.url("/hooks"))
        made = self.hookd.ask(*command, "--secret-header", "Authorization: Bearer hush-hush-1")
        secrets = (made["signing_secret"].removeprefix("whsec_"), "hush-hush-1")
        self.assertNotIn("hush-hush-1", json.dumps(made))
        identity = made["endpoint"]["id"]
        for command in (("get", identity), ("list",), ("pause", identity), ("update", identity, "--description", "x")):
            for form in ("table", "json"):
                shown = self.hookd.hookctl("--output", form, "endpoints", *command).out
                self.assertIn(identity, shown)
                for secret in secrets:
                    self.assertNotIn(secret, shown, f"endpoints {command[0]} shows a secret")
        self.assertEqual(self.hookd.terminate(), 0)
        for secret in secrets:
            self.assertNotIn(secret, self.hookd.log.read_text(encoding="utf-8"), "the log shows a secret")

    def test_deliveries(self):
        self.hookd.ask("subscribers", "create", "acme")
        endpoint = self.hookd.create_endpoint(
            self.receiver, "acme", "/hooks", "--backoff", "100ms:1s", "--max-retries", "1", "--rate-limit", "0"
        )
        self.receiver.set("/hooks", refuse_every=2, refuse_attempts=9)  # the second is refused for good
        for number in range(3):
            self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", str(number))
        wait_for(lambda: self.hookd.pending() == 0, "the deliveries to end")
        listed = self.hookd.ask("deliveries", "list", "--endpoint", endpoint, "--order", "oldest")["deliveries"]
        self.assertEqual([int(d["sequence"]) for d in listed], [1, 2, 3])
        states = [d["state"].removeprefix("DELIVERY_STATE_") for d in listed]
        self.assertEqual(states, ["SUCCEEDED", "EXHAUSTED", "SUCCEEDED"])
        exhausted = self.hookd.ask("deliveries", "list", "--state", "exhausted")["deliveries"]
        self.assertEqual([d["id"] for d in exhausted], [listed[1]["id"]])
        one = self.hookd.ask("deliveries", "get", listed[1]["id"])
        self.assertEqual((one["end_reason"], one["attempt_count"]), ("retries_used_up", 2))
        attempts = [(attempt["number"], attempt["status"], attempt["error_kind"]) for attempt in one["attempts"]]
        self.assertEqual(attempts, [(1, 503, "status"), (2, 503, "status")])
        lines = self.table("deliveries", "get", listed[1]["id"])
        columns = ["ATTEMPT", "STARTED", "STATUS", "TOOK", "PHASES", "OUTCOME", "THEN", "RESPONSE"]
        self.assertIn(columns, [line.split() for line in lines])
        verbose = "\n".join(self.table("deliveries", "get", "-v", listed[1]["id"]))
        self.assertRegex(verbose, r"(?s)attempt 1\n.*attempt 2\n  started +20.*  outcome +status.*  phases +.*byte")
        oldest = ("--order", "oldest")
        header, *rows = self.table("deliveries", "list", "--endpoint", endpoint, "--limit", "2", *oldest)
        self.assertEqual(header.split()[:5], ["ID", "STATE", "TYPE", "SEQUENCE", "ATTEMPTS"])
        shown = [row.split()[1:5] for row in rows]
        self.assertEqual(shown, [["SUCCEEDED", "t", "1", "1"], ["EXHAUSTED", "t", "2", "2"]])

    def test_publish_one_event(self):
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(self.receiver, "acme", "/hooks")
        command = ("events", "publish", "--subscriber", "acme", "--type", "message:in:new")
        payload = '{"n": 1.0}'
        first = self.hookd.ask(*command, "--payload", payload, "--idempotency-key", "k1")
        self.assertRegex(first["event_id"], r"^evt_[0-9a-z]{26}$")
        self.assertEqual((first["deliveries"], first["duplicate"]), (1, False))
        again = self.hookd.ask(*command, "--payload", payload, "--idempotency-key", "k1")
        self.assertEqual((again["event_id"], again["duplicate"]), (first["event_id"], True))
        file = self.space.folder / "payload.json"
        file.write_text(payload, encoding="utf-8")
        self.assertNotEqual(self.hookd.ask(*command, "--payload-file", file)["event_id"], first["event_id"])
        wait_for(lambda: self.hookd.pending() == 0, "the deliveries to end")
        self.assertEqual(len(self.receiver.ledger.entries("/hooks")), 2, "the duplicate made no delivery")

    def test_publish_with_times(self):
        self.hookd.ask("subscribers", "create", "acme")
        command = ("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "1")
        self.hookd.ask(*command, "--not-before", "15m", "--expires", "1h")
        self.hookd.ask(*command, "--not-before", "2020-01-31T12:00:00Z", "--expires", "2999-01-31T12:00:00+01:00")
        line = '{"subscriber_id":"acme","type":"t","payload":1,"expire_time":"%s"}\n'
        lines = line % "2999-01-31T12:00:00Z" + line % "2020-01-31T12:00:00Z"
        done = self.hookd.hookctl("events", "publish", "--file", "-", input=lines)
        self.assertEqual(done.code, REFUSED)
        self.assertIn("line 2: INVALID_ARGUMENT: expire_time: is not in the future", done.err)

    def test_publish_a_file(self):
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--rate-limit", "0")
        lines = [f'{{"subscriber_id":"acme","type":"t","payload":{{"n" : {n}.0}}}}' for n in range(1200)]
        lines[700] = '{"subscriber_id":"nobody","type":"t","payload":1}'
        lines[701] = '{"subscriber_id":"acme","type":"t","payload":{"broken}'
        lines[702] = ""
        done = self.hookd.hookctl("--output", "json", "events", "publish", "--file", "-", input="\n".join(lines))
        self.assertEqual(done.code, REFUSED)
        self.assertEqual(
            json.loads(done.out),
            {"accepted": 1197, "duplicates": 0, "deliveries": 1197, "not_fanned_out": 0, "refused": 2},
        )
        self.assertIn("line 701: NOT_FOUND", done.err)
        self.assertIn("line 702: INVALID_ARGUMENT", done.err)
        wait_for(lambda: self.hookd.pending() == 0, "the deliveries to end")
        account = self.receiver.ledger.account("/hooks")
        self.assertEqual((account.delivered, account.order_errors()), (1197, []))
        published = [harness.sha256(line[line.index('{"n"') : -1]) for line in lines if '"n"' in line]
        self.assertEqual([entry["sha256"] for entry in account.accepted], published)

    def test_publishing_goes_on_over_a_crash(self):
        """Also when hookctl was waiting because as many batches are unanswered as may be."""
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--rate-limit", "0")
        output = self.space.folder / "publish.json"
        command = [harness.bin_dir / "hookctl", "--server", self.hookd.grpc, "--output", "json"]
        command += ["events", "publish", "--file", "-", "--retry-for", "30s"]
        with open(output, "wb") as file:
            hookctl = self.space.popen(*command, stdin=subprocess.PIPE, stdout=file)
        hand_over(hookctl, 0)
        wait_for(lambda: self.receiver.ledger.entries(), "hookctl to be connected")
        self.hookd.process.send_signal(signal.SIGSTOP)  # it answers nothing any more
        events = 1
        while hand_over(hookctl, events):
            events += 1
            self.assertLess(events, 1000, "hookctl waits for answers at some point")
        self.assertGreater(events, 60)
        self.hookd.kill()
        self.hookd.start()
        hookctl.stdin.close()
        self.assertEqual(hookctl.wait(harness.PATIENCE_S), OK)
        summary = json.loads(output.read_text(encoding="utf-8"))
        self.assertEqual(summary["accepted"] + summary["duplicates"], events + 1)
        wait_for(lambda: self.hookd.pending() == 0, "the deliveries to end")
        account = self.receiver.ledger.account("/hooks")
        self.assertEqual((account.delivered, account.order_errors()), (events + 1, []))

    def test_publishing_goes_on_while_standard_input_is_silent(self):
        """A break is noticed, and what it left unanswered is sent again, before the next line comes."""
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--rate-limit", "0")
        command = [harness.bin_dir / "hookctl", "--server", self.hookd.grpc]
        command += ["events", "publish", "--file", "-", "--retry-for", "30s"]
        hookctl = self.space.popen(*command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        hand_over(hookctl, 0)
        wait_for(lambda: self.receiver.ledger.entries(), "hookctl to be connected")
        self.hookd.process.send_signal(signal.SIGSTOP)
        self.assertTrue(hand_over(hookctl, 1))  # it is not answered any more
        self.hookd.kill()
        self.hookd.start()
        wait_for(lambda: len(self.receiver.ledger.entries("/hooks")) >= 2, "the event to come without another line")
        hookctl.stdin.close()
        self.assertEqual(hookctl.wait(harness.PATIENCE_S), OK)

    def test_status_and_health(self):
        status = self.hookd.ask("status")
        self.assertEqual((status["subscribers"], status["endpoints"], status["draining"]), ("0", "0", False))
        self.assertEqual(status["storage_format"], 1)
        words = {"pending deliveries": "0", "paused": "no", "intake": "open", "clock": "trusted"}
        self.assert_words(words | {"auto-disable": "active"}, "status")
        self.assertEqual(self.table("health"), ["SERVING"])
        self.assertEqual(self.hookd.ask("health"), {"status": "SERVING"})

    def test_usage_errors(self):
        publish = ("events", "publish", "--subscriber", "acme", "--type", "t")
        create = ("endpoints", "create", "--subscriber", "a", "--url", "http://h/")
        bad_options = [("--mode", "random"), ("--http", "3"), ("--keep-bodies", "none"), ("--alert-after", "-1")]
        bad_options += [("--disable-after", text) for text in ("60", "60:1", "always")]
        bad_options += [("--disable-on-gone", "maybe"), ("--backlog", "many"), ("--retry-after-max", "1")]
        bad_options += [("--backoff", text) for text in ("15s", "fixed:1s:2s", "exponential:1s:1h", "schedule:")]
        bad_options += [("--signing-secret-file", "/"), ("--secret-header", "A: @/"), ("--secret-header", "A: @/no")]
        for arguments in (
            (),
            ("subscribers",),
            ("nonsense",),
            ("subscribers", "create"),
            ("endpoints", "create", "--subscriber", "acme"),
            ("endpoints", "update", "ep_0000000000000001"),
            ("events", "publish", "--subscriber", "acme"),
            ("events", "publish", "--file", "/nonexistent"),
            ("events", "publish", "--file", "x", "--type", "t"),
            ("endpoints", "create", "--subscriber", "a", "--url", "http://h/", "--timeout", "5 parsecs"),
            ("deliveries", "list", "--state", "lost"),
            ("--output", "xml", "status"),
            ("pause", "--reason"),
            ("resume", "--reason", "x"),
            *((*publish, "--payload", "1", "--expires", text) for text in ("tomorrow", "-15m", "999999999h")),
            (*publish, "--payload", "1", "--not-before", "soon"),
            (*publish, "--payload-file", "/"),
            ("events", "publish", "--file", "x", "--expires", "1h"),
            ("events", "publish", "--file", "/"),
            ("events", "publish", "--file", "-", "--retry-for", "for ever"),
            *((*create, flag, text) for flag, text in bad_options),
            ("endpoints", "update", "ep_0000000000000001", "--disable-after", "60:1h"),
            ("endpoints", "update", "ep_0000000000000001", "--disable-on-gone", "yes"),
            ("endpoints", "disable"),
            *REFUSED_BY_HOOKCTL,
        ):
            with self.subTest(arguments=arguments):
                done = self.hookd.hookctl(*arguments)
                self.assertEqual(done.code, USAGE, done.err)
                self.assertTrue(done.err or done.out, "says what is wrong")

    def test_an_empty_secret_file_is_refused(self):
        empty = self.space.folder / "empty"
        empty.write_text("\n", encoding="ascii")
        for flag, value in (("--signing-secret-file", empty), ("--secret-header", f"Authorization: @{empty}")):
            done = self.hookd.hookctl("endpoints", "create", "--subscriber", "a", "--url", "http://h/", flag, value)
            self.assertEqual((done.code, done.err), (USAGE, f"hookctl: {empty} is empty\n"))

    def test_lost_output_is_a_failure(self):
        for arguments in (("status",), ("--output", "json", "status"), ("health",), ("--help",), ("--version",)):
            command = [harness.bin_dir / "hookctl", "--server", self.hookd.grpc, *arguments]
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
                self.assertEqual(done.returncode, FAILED)
                self.assertEqual(done.stderr, b"hookctl: cannot write to standard output\n")

    def test_no_server(self):
        self.assertEqual(self.hookd.terminate(), 0)
        done = self.hookd.hookctl("--deadline", "5", "status")
        self.assertEqual(done.code, UNREACHABLE)
        self.assertRegex(done.err, "^hookctl: (UNAVAILABLE|DEADLINE_EXCEEDED): ")
        done = self.hookd.hookctl("events", "publish", "--file", "-", "--retry-for", "1s", input=event_line())
        self.assertEqual(done.code, UNREACHABLE)

    def test_version_and_help(self):
        self.assertRegex("\n".join(self.table("--version")), r"^hookctl \d+\.\d+\.\d+$")
        self.assertIn("subscribers", "\n".join(self.table("--help")))


def hand_over(hookctl, number):
    """Writes an event into hookctl's pipe. False: hookctl does not take it."""
    line = f'{{"subscriber_id":"acme","type":"t","idempotency_key":"{number}","payload":{number}}}\n'
    hookctl.stdin.write(line.encode())
    hookctl.stdin.flush()

    def taken():
        waiting = fcntl.ioctl(hookctl.stdin, termios.FIONREAD, b"\0" * 4)
        return int.from_bytes(waiting, "little") == 0

    try:
        return wait_for(taken, "hookctl to read", timeout=2)
    except harness.Failure:
        return False


def event_line():
    return '{"subscriber_id":"acme","type":"t","payload":1}\n'


if __name__ == "__main__":
    harness.main()
