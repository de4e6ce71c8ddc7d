"""Payloads sealed at rest: no file shows one, and whatever works with them works."""

import json

import harness
from harness import wait_for
from secrets_test import Talker, files_with, key_file, random_mark


class SealedPayloadsTest(harness.TestCase):
    def publish(self, hookd, mark, count):
        for n in range(count):
            payload = json.dumps({"n": n, "text": " ".join([mark] * 700)})  # more than fits beside its row
            hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", payload)

    def whole(self, bodies, mark):
        return [body for body in bodies if json.loads(body)["text"] == " ".join([mark] * 700)]

    def test_no_file_shows_a_payload_and_all_that_works_with_them_works(self):
        clear, sealed, answer = random_mark(), random_mark(), random_mark()
        talker = Talker(500, f"no: {answer}".encode(), {"X-Answer": answer})
        self.addCleanup(talker.close)
        first, second = key_file(self.space, "first"), key_file(self.space, "second")
        hookd = self.space.hookd(secrets={"key_file": first}).start()
        hookd.ask("subscribers", "create", "acme")
        endpoint = hookd.ask("endpoints", "create", "--subscriber", "acme", "--url",
                             f"http://127.0.0.1:{talker.port}/in", "--backoff", "100ms:500ms:0", "--rate-limit", "0",
                             "--keep-bodies", "all")["endpoint"]["id"]
        hookd.ask("endpoints", "pause", endpoint)
        self.publish(hookd, clear, 2)
        self.assertEqual(hookd.terminate(), 0)
        self.assertNotEqual(files_with(hookd.data, clear.encode()), [], "the search finds what is there")

        hookd.settings["secrets"]["seal_payloads"] = "true"
        hookd.start()
        self.publish(hookd, sealed, 3)
        hookd.ask("endpoints", "resume", endpoint)
        wait_for(lambda: len(talker.seen) >= 3, "failed attempts")
        hookd.kill()  # what is pending comes from the disk
        hookd.start()
        talker.status = 200
        wait_for(lambda: hookd.pending() == 0, "all to be delivered")
        bodies = [body for _, _, body in talker.seen]
        self.assertEqual(len({body for body in self.whole(bodies, clear)}), 2)
        self.assertEqual(len({body for body in self.whole(bodies, sealed)}), 3)

        deliveries = hookd.ask("deliveries", "list", "--endpoint", endpoint, "--order", "oldest")["deliveries"]
        attempts = hookd.ask("deliveries", "get", deliveries[0]["id"])["attempts"]
        self.assertIn(answer, json.dumps(attempts))
        event = hookd.ask("events", "get", deliveries[-1]["event_id"])
        self.assertEqual(event["payload"]["n"], 2)
        polled = hookd.ask("events", "poll", "--subscriber", "acme", "--limit", "10")["events"]
        self.assertEqual(len(self.whole([json.dumps(one["payload"]) for one in polled], sealed)), 3)
        seen = len(talker.seen)
        hookd.ask("jobs", "replay", "--endpoint", endpoint, "--from", "1h", "--wait")
        wait_for(lambda: len(talker.seen) == seen + 5, "the replay")

        # Another key: payloads stay as they are, and the old key is not needed any more.
        self.assertEqual(hookd.terminate(), 0)
        hookd.settings["secrets"] = {"key_file": second, "old_key_files": f"[{first}]", "seal_payloads": "true"}
        hookd.start()
        hookd.ask("secrets", "rekey", "--wait")
        self.assertEqual(hookd.terminate(), 0)
        hookd.settings["secrets"] = {"key_file": second, "seal_payloads": "true"}
        hookd.start()
        self.assertEqual(hookd.ask("events", "get", deliveries[-1]["event_id"])["payload"]["n"], 2)
        self.assertEqual(hookd.terminate(), 0)
        self.assertEqual(files_with(hookd.data, sealed.encode()), [])

        hookd.start()
        hookd.ask("jobs", "purge", "--subscriber", "acme", "--yes", "--wait")
        self.assertEqual(hookd.hookctl("events", "get", deliveries[-1]["event_id"]).code, 1)
        self.assertEqual(hookd.terminate(), 0)
        for mark in (clear, sealed, answer):
            self.assertEqual(files_with(hookd.data, mark.encode()), [])

    def test_the_setting_needs_a_key(self):
        hookd = self.space.hookd(secrets={"seal_payloads": "true"})
        hookd.launch()
        self.assertNotEqual(hookd.wait(), 0)
        self.assertIn("secrets.seal_payloads: needs a key", hookd.log.read_text(encoding="utf-8"))


if __name__ == "__main__":
    harness.main()
