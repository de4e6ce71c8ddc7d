"""Starting, stopping and refusing to start. tests/crash has what SIGKILL does."""

import subprocess
import time

import harness
from harness import wait_for

START_REFUSED, BAD_CONFIG, SECOND_SIGNAL = 1, 2, 130
UNREACHABLE = 3  # of hookctl
FAST = ("--backoff", "100ms:1s", "--rate-limit", "0")


class StopTest(harness.TestCase):
    def start(self, deadline):
        self.hookd = self.space.hookd(shutdown={"deadline": deadline}).start()
        self.receiver = self.space.receiver()
        self.hookd.ask("subscribers", "create", "acme")

    def publish(self, number):
        for n in range(number):
            self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", str(n))

    def arrived(self, number):
        wait_for(lambda: len(self.receiver.ledger.entries()) >= number, f"{number} requests to arrive")

    def test_sigterm_lets_attempts_in_flight_end(self):
        self.start("50s")
        self.hookd.create_endpoint(self.receiver, "acme", "/slow", "--mode", "parallel", *FAST)
        self.publish(1)  # what has never succeeded gets one attempt at a time
        wait_for(lambda: self.hookd.pending() == 0, "the first delivery")
        self.receiver.set("/slow", hold=True)
        self.publish(4)
        self.arrived(5)
        self.hookd.process.terminate()
        code, reason = wait_for(lambda: self.not_ready(), "hookd to say that it is draining")
        self.assertEqual((code, reason.strip()), (503, "shutting down"))
        self.assertEqual(self.hookd.get("/healthz")[0], 200, "it lives")
        refused = self.hookd.hookctl("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "9")
        self.assertEqual(refused.code, UNREACHABLE, refused.err)
        self.assertIsNone(self.hookd.process.poll(), "it waits for the attempts in flight")
        released = time.monotonic()
        self.receiver.set("/slow", hold=False)
        self.assertEqual(self.hookd.wait(), 0)
        self.assertLess(time.monotonic() - released, 25, "it ends with the attempts, not at the deadline")
        self.hookd.start()
        self.assertEqual(self.hookd.pending(), 0)
        self.assertEqual(self.hookd.terminate(), 0)
        self.assertEqual(len(self.receiver.ledger.entries()), 5, "nothing was delivered twice")

    def not_ready(self):
        code, reason = self.hookd.get("/readyz")
        return (code, reason) if code != 200 else None

    def test_sigterm_gives_up_at_the_deadline_and_resumes_later(self):
        self.start("1s")
        endpoint = self.hookd.create_endpoint(
            self.receiver, "acme", "/stuck", "--max-retries", "0", *FAST, hold=True
        )
        self.publish(1)
        self.arrived(1)
        self.assertEqual(self.hookd.terminate(), 0)
        self.receiver.set("/stuck", hold=False)
        self.hookd.start()
        wait_for(lambda: self.hookd.pending() == 0, "the delivery to end")
        (delivery,) = self.hookd.ask("deliveries", "list", "--endpoint", endpoint)["deliveries"]
        attempts = self.hookd.ask("deliveries", "get", delivery["id"])["attempts"]
        # Our own trouble is not the receiver's: the attempt cut off spends no retry, and there was none to spend.
        self.assertEqual([attempt["error_kind"] for attempt in attempts], ["local", ""])
        self.assertEqual(delivery["state"], "DELIVERY_STATE_SUCCEEDED")
        self.assertEqual([entry["attempt"] for entry in self.receiver.ledger.entries()], [1, 2])

    def test_a_second_signal_ends_it_at_once(self):
        self.start("5m")
        self.hookd.create_endpoint(self.receiver, "acme", "/stuck", *FAST, hold=True)
        self.publish(1)
        self.arrived(1)
        self.hookd.process.terminate()
        wait_for(lambda: self.not_ready(), "hookd to say that it is draining")
        self.assertEqual(self.hookd.terminate(), SECOND_SIGNAL)
        self.receiver.set("/stuck", hold=False)
        self.hookd.start()
        wait_for(lambda: self.hookd.pending() == 0, "the delivery to end")

    def test_sigint_stops_it_in_order(self):
        self.start("5s")
        self.hookd.process.send_signal(harness.signal.SIGINT)
        self.assertEqual(self.hookd.wait(), 0)

    def test_a_pause_and_its_backlog_survive_a_restart(self):
        self.start("5s")
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/later", *FAST)
        self.hookd.ask("endpoints", "pause", endpoint)
        self.publish(10)
        self.assertEqual(self.hookd.terminate(), 0)
        self.hookd.start()
        self.assertTrue(self.hookd.ask("endpoints", "get", endpoint)["paused"])
        self.assertEqual(self.hookd.pending(), 10)
        self.assertEqual(self.receiver.ledger.entries(), [])
        self.hookd.ask("endpoints", "resume", endpoint)
        wait_for(lambda: self.hookd.pending() == 0, "the backlog to drain")
        account = self.receiver.ledger.account("/later")
        self.assertEqual([entry["sequence"] for entry in account.entries], [f"1.{n}" for n in range(1, 11)])


class StartTest(harness.TestCase):
    def refused_start(self, hookd, *expected):
        hookd.launch()
        self.assertEqual(hookd.wait(), START_REFUSED, hookd.log_tail())
        for text in expected:
            self.assertIn(text, hookd.log_tail())

    def files(self, folder):
        """Path to (content, time of the last change); of a folder: its time."""
        return {
            path: (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns) for path in folder.rglob("*")
        }

    def test_a_second_hookd_on_the_same_folder_is_refused(self):
        first = self.space.hookd("first").start()
        second = self.space.hookd("second")
        second.data = first.data
        self.refused_start(second, "FAILED_PRECONDITION", "is in use by another hookd")
        first.ask("subscribers", "create", "acme")
        self.assertEqual(first.terminate(), 0)
        second.start()
        self.assertEqual(second.ask("status")["subscribers"], "1")

    def test_a_foreign_folder_is_refused_and_left_alone(self):
        hookd = self.space.hookd()
        (hookd.data / "photos").mkdir(parents=True)
        (hookd.data / "photos" / "cat.jpg").write_bytes(b"meow")
        before = self.files(hookd.data)
        self.refused_start(hookd, "FAILED_PRECONDITION", "not a hookd data folder")
        self.assertEqual(self.files(hookd.data), before)

    def test_a_newer_format_is_refused_and_left_alone(self):
        hookd = self.space.hookd().start()
        hookd.ask("subscribers", "create", "acme")
        self.assertEqual(hookd.terminate(), 0)
        identity = hookd.data / "HOOKD"
        ours = identity.read_text(encoding="ascii")
        self.assertIn("format 1\n", ours)
        identity.write_text(ours.replace("format 1", "format 2"), encoding="ascii")
        before = self.files(hookd.data)
        self.refused_start(hookd, "FAILED_PRECONDITION", "has storage format 2, this hookd reads up to 1")
        self.assertEqual(self.files(hookd.data), before)
        identity.write_text(ours, encoding="ascii")
        hookd.start()
        self.assertEqual(hookd.ask("status")["subscribers"], "1")

    def test_a_damaged_identity_is_refused(self):
        hookd = self.space.hookd()
        hookd.data.mkdir()
        (hookd.data / "HOOKD").write_text("someone else's\n", encoding="ascii")
        self.refused_start(hookd, "FAILED_PRECONDITION", "is damaged")

    def test_a_port_in_use_is_refused(self):
        first = self.space.hookd("first").start()
        for port, name in ((first.grpc, "grpc.listen"), (first.http, "http.listen")):
            second = self.space.hookd(name)
            setattr(second, name.split(".")[0], port)
            self.refused_start(second, name, port)


class ConfigTest(harness.TestCase):
    def check(self, text):
        file = self.space.folder / "checked.yaml"
        file.write_text(text, encoding="utf-8")
        command = [harness.bin_dir / "hookd", "--check-config", "--config", file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=harness.PATIENCE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_good_ones(self):
        default = (harness.HERE.parent.parent / "config" / "hookd.default.yaml").read_text(encoding="utf-8")
        for text in (default, "", "log:\n  level: debug\n", 'http:\n  listen: "[::1]:0"\n'):
            self.assertEqual(self.check(text), (0, "configuration is valid\n", ""))

    def test_bad_ones_name_the_line_and_the_key(self):
        for text, *expected in (
            ("log:\n  levle: debug\n", "checked.yaml:2", "log.levle"),
            ("log:\n  level: loud\n", "checked.yaml:2", "log.level"),
            ("delivery:\n  shards: 65\n", "checked.yaml:2", "delivery.shards", "64"),
            ("delivery:\n  shards: many\n", "checked.yaml:2", "delivery.shards"),
            ("shutdown:\n  deadline: 25\n", "checked.yaml:2", "shutdown.deadline"),
            ("commit:\n  max_bytes: 1KiB\n", "checked.yaml:2", "commit.max_bytes", "64KiB"),
            ("grpc:\n  listen: 0.0.0.0:7070\n", "checked.yaml:2", "grpc.listen", "oopback"),
            ("data_dir: /a\ndata_dir: /b\n", "checked.yaml:2", "data_dir"),
            ("log: [\n", "checked.yaml:"),
        ):
            with self.subTest(text=text):
                code, out, err = self.check(text)
                self.assertEqual((code, out), (BAD_CONFIG, ""), err)
                for part in expected:
                    self.assertIn(part, err)

    def test_all_errors_are_told_at_once(self):
        code, _, err = self.check("nonsense: 1\nlog:\n  level: loud\ndelivery:\n  shards: -1\n")
        self.assertEqual(code, BAD_CONFIG)
        for part in (":1: nonsense", ":3: log.level", ":5: delivery.shards"):
            self.assertIn(part, err)

    def test_a_bad_one_does_not_start(self):
        hookd = self.space.hookd(log={"level": "loud"}).launch()
        self.assertEqual(hookd.wait(), BAD_CONFIG)
        self.assertIn("log.level", hookd.log_tail())
        self.assertFalse(hookd.data.exists())

    def test_a_missing_file(self):
        command = [harness.bin_dir / "hookd", "--config", self.space.folder / "none.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=harness.PATIENCE_S, check=False)
        self.assertEqual(done.returncode, BAD_CONFIG)
        self.assertIn("none.yaml", done.stderr)


class HttpPortTest(harness.TestCase):
    def test_health_readiness_and_metrics(self):
        hookd = self.space.hookd().start()
        self.assertEqual(hookd.get("/healthz")[0], 200)
        self.assertEqual(hookd.get("/readyz")[0], 200)
        code, metrics = hookd.get("/metrics")
        self.assertEqual(code, 200)
        values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
        self.assertEqual(values["hookd_events_accepted_total"], "0")
        self.assertEqual(hookd.get("/nonsense")[0], 404)

    def test_metrics_count_what_happened(self):
        hookd = self.space.hookd().start()
        receiver = self.space.receiver()
        hookd.ask("subscribers", "create", "acme")
        hookd.create_endpoint(receiver, "acme", "/hooks", *FAST, refuse_every=2, refuse_attempts=1)
        for n in range(4):
            hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", str(n))
        wait_for(lambda: hookd.pending() == 0, "the deliveries to end")
        lines = hookd.get("/metrics")[1].splitlines()
        self.assertIn("hookd_events_accepted_total 4", lines)
        self.assertIn('hookd_deliveries_ended_total{state="succeeded"} 4', lines)
        for secretive in ("acme", "/hooks", "ep_"):
            self.assertNotIn(secretive, "\n".join(lines), "metrics have no labels without a bound")


if __name__ == "__main__":
    harness.main()
