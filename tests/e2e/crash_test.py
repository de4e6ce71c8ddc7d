"""SIGKILL at random moments under load, again and again: nothing acknowledged is lost, order is kept."""

import base64
import contextlib
import json
import random
import subprocess
import threading

import harness
from harness import wait_for

ROUNDS = 10
PAUSE_S = 0.002  # between two events: some are always on their way
UNREACHABLE = 3  # of hookctl
PARALLEL_IN_FLIGHT = 8
FAST = ("--backoff", "100ms:500ms:0.1", "--rate-limit", "0", "--max-retries", "1000")


class Publisher:
    """Publishes event after event, until hookd is gone. Remembers what was acknowledged."""

    def __init__(self, space, hookd):
        self.space = space
        self.hookd = hookd
        self.published = []  # payloads in the order of publishing
        self.acknowledged = set()

    def start(self):
        """Events are not sent again: what was not answered is unknown."""
        self._first = len(self.published)
        self._output = self.space.folder / f"publish-{self._first}.json"
        command = [harness.bin_dir / "hookctl", "--server", self.hookd.grpc, "--output", "json"]
        command += ["events", "publish", "--file", "-", "--retry-for", "0s"]
        with open(self._output, "wb") as output:
            self._hookctl = self.space.popen(*command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.DEVNULL)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self):
        with contextlib.suppress(BrokenPipeError, ValueError), self._hookctl.stdin as pipe:
            while not self._stop.wait(PAUSE_S):
                payload = f'{{"n":{len(self.published)},"text":"{"x" * 500}"}}'
                self.published.append(payload)
                pipe.write(f'{{"subscriber_id":"acme","type":"t","payload":{payload}}}\n'.encode())
                pipe.flush()

    def finish(self, stop=False):
        """Returns hookctl's exit code. With `stop` it ends by itself; else because hookd is gone."""
        if stop:
            self._stop.set()
        self._thread.join()
        code = self._hookctl.wait(harness.PATIENCE_S)
        summary = json.loads(self._output.read_text(encoding="utf-8"))
        if summary["refused"]:
            raise harness.Failure(f"hookd refused {summary['refused']} good events")
        # Answers come in order: what was accepted are the first ones.
        self.acknowledged.update(self.published[self._first : self._first + summary["accepted"]])
        return code


class CrashTest(harness.TestCase):
    def test_ten_kills_under_load(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        with self.subTest(seed=seed):
            self.run_rounds(chance)

    def run_rounds(self, chance):
        hookd = self.space.hookd().start()
        receiver = self.space.receiver()
        ledger = receiver.ledger
        hookd.ask("subscribers", "create", "acme")
        for path in ("/ordered", "/refusing"):
            hookd.create_endpoint(receiver, "acme", path, *FAST)
        receiver.set("/refusing", refuse_every=10, refuse_attempts=1)
        parallel = ("--mode", "parallel", "--max-in-flight", PARALLEL_IN_FLIGHT)
        hookd.create_endpoint(receiver, "acme", "/parallel", *parallel, *FAST, refuse_every=5)
        publisher = Publisher(self.space, hookd)
        for _ in range(ROUNDS):
            publisher.start()
            seen = len(ledger.entries())
            more = chance.randrange(1, 200)
            wait_for(lambda: len(ledger.entries()) >= seen + more, f"{more} more requests to arrive")
            threading.Event().wait(chance.uniform(0, 0.03))  # between two requests, not at one
            hookd.kill()
            self.assertEqual(publisher.finish(), UNREACHABLE)
            receiver.settle()
            hookd.start()
        publisher.start()
        seen = len(ledger.entries())
        wait_for(lambda: len(ledger.entries()) > seen + 100, "requests to arrive after it all")
        self.assertEqual(publisher.finish(stop=True), 0)
        wait_for(lambda: hookd.pending() == 0, "all deliveries to end")
        self.assertEqual(hookd.terminate(), 0)
        self.assertGreater(len(publisher.acknowledged), ROUNDS * 10, "there was a load")
        for path in ("/ordered", "/refusing", "/parallel"):
            with self.subTest(path=path):
                self.judge(path, ledger.account(path), publisher)

    def judge(self, path, account, publisher):
        number_of = {harness.sha256(payload): n for n, payload in enumerate(publisher.published)}
        arrived = [number_of.get(account.sha256[sequence]) for sequence in sorted(account.sha256)]
        self.assertNotIn(None, arrived, "a body that was never published")
        acknowledged = {number_of[harness.sha256(payload)] for payload in publisher.acknowledged}
        self.assertEqual(acknowledged - set(arrived), set(), "acknowledged, but lost")
        self.assertEqual(account.sequence_errors(), [])
        self.assertEqual(account.unverified, 0)
        self.assertEqual(arrived, sorted(arrived), "sequence numbers follow the order of publishing")
        self.assertEqual(len(arrived), len(set(arrived)), "an event has one sequence number")
        in_flight = PARALLEL_IN_FLIGHT if path == "/parallel" else 1
        self.assertLessEqual(account.duplicates, ROUNDS * in_flight)
        if path != "/parallel":
            self.assertEqual(account.order_errors(), [])


class BatchCrashTest(harness.TestCase):
    """A batch is stored before its first attempt: after any SIGKILL it has the same members and the same webhook-id."""

    MEMBERS = 25

    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver(keep_requests=True)
        self.hookd.ask("subscribers", "create", "acme")
        self.endpoint = self.hookd.create_endpoint(
            self.receiver, "acme", "/batched", *FAST, "--batch", "t", "--batch-linger", "50ms")
        self.published = 0

    def publish(self, count):
        lines = [f'{{"subscriber_id":"acme","type":"t","payload":{self.published + n + 1}}}' for n in range(count)]
        self.published += count
        answer = self.hookd.ask("events", "publish", "--file", "-", input="\n".join(lines) + "\n")
        self.assertEqual(answer["accepted"], count)

    def arrived(self):
        return self.receiver.ledger.entries("/batched")

    def body(self, entry):
        return base64.b64decode(entry["body"]).decode()

    def restart(self):
        self.hookd.kill()
        self.receiver.set("/batched", hold=False)
        self.receiver.settle()
        self.hookd.start()

    def test_killed_before_its_outcome(self):
        for _ in range(3):
            seen = len(self.arrived())
            self.receiver.set("/batched", hold=True)
            self.publish(40)
            wait_for(lambda: len(self.arrived()) == seen + 1, "the first batch to arrive")
            # More of its kind must not join it.
            self.publish(10)
            self.restart()
            wait_for(lambda: self.hookd.pending() == 0, "all deliveries to end")
            first, again, rest = self.arrived()[seen:][:3]
            numbers = range(self.published - 49, self.published - 49 + self.MEMBERS)
            self.assertEqual(json.loads(self.body(first)), list(numbers))
            for same in ("id", "sequence", "attempt", "sha256"):
                self.assertEqual(again[same], first[same], same)
            self.assertEqual(json.loads(self.body(rest)), list(range(numbers[-1] + 1, self.published + 1)))
        self.judge()

    def test_killed_while_it_waits_for_its_retry(self):
        self.receiver.set("/batched", refuse_every=1, refuse_attempts=1, refuse_status=500)
        for _ in range(3):
            seen = len(self.arrived())
            self.publish(self.MEMBERS)
            wait_for(lambda: len(self.arrived()) > seen, "the batch to be refused")
            self.restart()
            wait_for(lambda: self.hookd.pending() == 0, "all deliveries to end")
            self.assertEqual(len({entry["id"] for entry in self.arrived()[seen:]}), 1)
        self.judge()

    def test_killed_at_any_moment(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        self.receiver.set("/batched", refuse_every=3, refuse_attempts=2, refuse_status=500)
        with self.subTest(seed=seed):
            for _ in range(ROUNDS):
                self.publish(chance.randrange(1, 60))
                threading.Event().wait(chance.uniform(0, 0.1))  # while they form, are in flight, or wait
                self.restart()
            wait_for(lambda: self.hookd.pending() == 0, "all deliveries to end")
            self.judge()

    def judge(self):
        bodies = {}
        for entry in self.arrived():
            self.assertTrue(entry["verified"])
            self.assertEqual(bodies.setdefault(entry["id"], self.body(entry)), self.body(entry), "one id, two bodies")
        taken = [entry for entry in self.arrived() if entry["answer"] < 300]
        once = list(dict.fromkeys(entry["id"] for entry in taken))
        delivered = [number for batch in once for number in json.loads(bodies[batch])]
        self.assertEqual(delivered, list(range(1, self.published + 1)), "each in one batch, and in order")
        self.assertEqual(set(bodies), set(once), "every batch was taken in the end")
        self.assertTrue(all(len(json.loads(body)) <= self.MEMBERS for body in bodies.values()))
        # Each delivery names the batch that it went out in.
        listed = self.hookd.ask("deliveries", "list", "--endpoint", self.endpoint, "--limit", "1000")["deliveries"]
        named = {int(delivery["sequence"]): delivery["batch_id"] for delivery in listed}
        self.assertEqual(named, {number: batch for batch in once for number in json.loads(bodies[batch])})
        self.assertEqual(self.hookd.terminate(), 0)


if __name__ == "__main__":
    harness.main()
