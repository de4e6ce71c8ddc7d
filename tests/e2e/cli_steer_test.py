"""hookctl's commands that find, steer and repair deliveries: filters, retry, jobs, watch, events, bulk, top."""

import json

import harness
from harness import wait_for

# Exit codes of hookctl.
OK, REFUSED = 0, 1


class SteerTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver()
        self.hookd.ask("subscribers", "create", "acme")

    def fail_one(self):
        """An endpoint with a delivery that ended EXHAUSTED; its receiver is well again."""
        endpoint = self.hookd.create_endpoint(
            self.receiver, "acme", "/hooks", "--backoff", "100ms:1s", "--max-retries", "0", "--rate-limit", "0"
        )
        self.receiver.set("/hooks", refuse_every=1, refuse_attempts=9)
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", '{"n": 1}')
        wait_for(lambda: self.hookd.pending() == 0, "the delivery to end")
        self.receiver.set("/hooks", refuse_every=0)
        return endpoint

    def listed(self, *filters):
        return self.hookd.ask("deliveries", "list", *filters)["deliveries"]

    def test_lists_take_every_filter(self):
        endpoint = self.fail_one()
        self.assertEqual(len(self.listed("--subscriber", "acme", "--type", "t", "--from", "1h")), 1)
        self.assertEqual(len(self.listed("--subscriber", "acme", "--status-class", "5xx", "--error", "status")), 1)
        self.assertEqual(self.listed("--endpoint", endpoint, "--status-class", "4xx"), [])
        self.assertEqual(self.listed("--endpoint", endpoint, "--before", "1h"), [])
        self.assertEqual(self.listed("--endpoint", endpoint, "--type", "other:*"), [])

    def test_retry_of_one_that_ended_makes_a_new_one(self):
        endpoint = self.fail_one()
        old = self.listed("--endpoint", endpoint)[0]["id"]
        new = self.hookd.ask("deliveries", "retry", old)
        self.assertEqual((new["origin"], new["replaces"]), ("DELIVERY_ORIGIN_RETRY", old))
        wait_for(lambda: self.hookd.ask("deliveries", "get", new["id"])["state"].endswith("SUCCEEDED"), "its success")
        self.assertEqual(self.hookd.ask("deliveries", "get", old)["replaced_by"], new["id"])

    def test_waiting_and_cancel(self):
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks")
        self.hookd.ask("endpoints", "pause", endpoint)
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "1")
        identity = self.listed("--endpoint", endpoint)[0]["id"]
        self.assertRegex(self.hookd.hookctl("deliveries", "get", identity).out, r"(?m)^waiting on +paused")
        self.assertTrue(self.hookd.ask("deliveries", "cancel", identity)["state"].endswith("CANCELED"))
        self.assertEqual(self.hookd.hookctl("deliveries", "cancel", identity).code, REFUSED)

    def test_jobs(self):
        endpoint = self.fail_one()
        dry = self.hookd.ask("jobs", "recover", "--endpoint", endpoint, "--dry-run")
        self.assertEqual((dry["id"], dry["dry_run"]), ("", True))
        done = self.hookd.ask("jobs", "recover", "--endpoint", endpoint, "--wait", "--reason", "it is well again")
        self.assertEqual((done["state"], done["done"], done["reason"]), ("JOB_STATE_DONE", "1", "it is well again"))
        wait_for(lambda: self.hookd.pending() == 0, "the new delivery to end")
        replayed = self.hookd.ask("jobs", "replay", "--endpoint", endpoint, "--from", "1h", "--wait")
        self.assertEqual(replayed["done"], "1")
        self.assertEqual(self.hookd.ask("jobs", "get", done["id"])["id"], done["id"])
        self.assertEqual(self.hookd.ask("jobs", "watch", done["id"])["state"], "JOB_STATE_DONE")
        jobs = self.hookd.ask("jobs", "list")["jobs"]
        self.assertEqual([job["id"] for job in jobs], [replayed["id"], done["id"]])
        self.assertEqual(self.hookd.hookctl("jobs", "cancel", done["id"], "--yes").code, REFUSED, "it has ended")
        self.hookd.ask("endpoints", "pause", endpoint)
        wait_for(lambda: self.hookd.pending() == 0, "the replayed delivery to end")
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "2")
        expired = self.hookd.ask("jobs", "expire", "--endpoint", endpoint, "--yes", "--wait")
        self.assertEqual((expired["matched"], expired["done"], expired["error"]), ("1", "1", ""))
        self.assertEqual(self.hookd.pending(), 0)

    def test_watch_resumes_over_a_crash(self):
        self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--rate-limit", "0")
        commit = self.hookd.ask("status")["last_commit"]
        output = self.space.folder / "watch.ndjson"
        command = [harness.bin_dir / "hookctl", "--server", self.hookd.grpc, "--output", "json"]
        command += ["deliveries", "tail", "--subscriber", "acme", "--state", "succeeded", "--after-commit", commit]
        with open(output, "wb") as file:
            tail = self.space.popen(*command, "--limit", "2", stdout=file)
        publish = ("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "1")
        self.hookd.ask(*publish)
        wait_for(lambda: output.read_bytes().count(b"\n") == 1, "the first change")
        self.hookd.kill()
        self.hookd.start()
        self.hookd.ask(*publish)
        self.assertEqual(tail.wait(harness.PATIENCE_S), OK)
        changes = [json.loads(line)["changes"][0] for line in output.read_text(encoding="utf-8").splitlines()]
        self.assertEqual([change["state"] for change in changes], ["DELIVERY_STATE_SUCCEEDED"] * 2)
        self.assertEqual(len({change["delivery_id"] for change in changes}), 2)

    def test_events(self):
        endpoint = self.fail_one()
        page = self.hookd.ask("events", "poll", "--endpoint", endpoint)
        self.assertEqual([event["payload"] for event in page["events"]], [{"n": 1}])
        after = self.hookd.ask("events", "poll", "--endpoint", endpoint, "--cursor", page["cursor"])
        self.assertEqual(after["events"], [])
        event = self.hookd.ask("events", "get", page["events"][0]["id"])
        self.assertEqual((event["payload"], len(event["delivery_ids"])), ({"n": 1}, 1))
        self.assertEqual(self.hookd.hookctl("events", "get", event["id"], "--payload").out, '{"n": 1}')

    def test_bulk(self):
        first = self.hookd.create_endpoint(self.receiver, "acme", "/1")
        second = self.hookd.create_endpoint(self.receiver, "acme", "/2")
        bulk = ("endpoints", "bulk")
        changed = self.hookd.ask(*bulk, "disable", "--subscriber", "acme", "--dry-run")
        self.assertEqual(changed["endpoint_ids"], [first, second])
        self.assertNotIn("disabled", self.hookd.ask("endpoints", "get", first))
        self.hookd.ask(*bulk, "disable", "--host", f"127.0.0.1:{self.receiver.port}", "--yes", "--reason", "away")
        self.assertEqual(self.hookd.ask("endpoints", "get", first)["state_note"], "away")
        enabled = self.hookd.ask(*bulk, "enable", "--disabled-for", "person", "--from", "1h")
        self.assertEqual(enabled["endpoint_ids"], [first, second])

    def test_statistics_and_top(self):
        endpoint = self.fail_one()
        for command in (("endpoints", "stats", endpoint), ("subscribers", "stats", "acme")):
            statistics = self.hookd.ask(*command, "--window", "minute")
            self.assertEqual((statistics["attempts"], statistics["status_5xx"]), ("1", "1"))
        top = self.hookd.ask("endpoints", "top", "--by", "failures")
        self.assertEqual([ranked["id"] for ranked in top["failures"]["endpoints"]], [endpoint])
        table = self.hookd.hookctl("endpoints", "top", "--once").out
        for headline in ("BUSIEST", "MOST FAILING", "SLOWEST", "MOST PENDING"):
            self.assertIn(headline + "\n", table)


if __name__ == "__main__":
    harness.main()
