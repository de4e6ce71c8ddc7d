"""Batches and SIGKILL: batch_crash_test.py [--bin FOLDER]. HOOKD_CRASH_CYCLES (10) says how often."""

import base64
import json
import os
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness
from harness import wait_for

ROUNDS = int(os.environ.get("HOOKD_CRASH_CYCLES", "10"))
FAST = ("--backoff", "100ms:500ms:0.1", "--rate-limit", "0", "--max-retries", "1000")


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
