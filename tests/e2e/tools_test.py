"""The tools around a webhook, through hookctl: tests of an endpoint, captures, proofs of ownership."""

import base64

import harness

OK, REFUSED, USAGE = 0, 1, 2


class SimulationTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver(keep_requests=True)
        self.hookd.ask("subscribers", "create", "acme")

    def test_an_endpoint_disabled_and_paused_is_tested_past_its_queue(self):
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--secret-header", "X-Key: planted-hush")
        self.hookd.ask("endpoints", "disable", endpoint)
        self.hookd.ask("endpoints", "pause", endpoint)
        answer = self.hookd.ask("endpoints", "test", endpoint, "--type", "a", "--type", "b", "--payload", '{"n": 1}')
        first, second = answer["results"]
        self.assertEqual(first["diagnosis"]["kind"], "DIAGNOSIS_KIND_SUCCESS")
        self.assertEqual((first["attempt"]["status"], second["event_type"]), (204, "b"))
        self.assertEqual(base64.b64decode(first["payload"]), b'{"n": 1}')
        got = self.receiver.ledger.entries("/hooks")
        self.assertEqual([entry["id"] for entry in got], [first["webhook_id"], second["webhook_id"]])
        self.assertEqual([entry["verified"] for entry in got], [True, True])
        self.assertIsNone(got[0]["sequence"])
        self.assertEqual(got[0]["headers"]["X-Key"], "planted-hush")
        self.assertNotIn("planted-hush", str(answer))
        shown = self.hookd.ask("endpoints", "get", endpoint)
        self.assertEqual(shown["health"]["next_sequence"], "1")
        self.assertEqual(shown["disabled"]["reason"], "DISABLE_REASON_PERSON")

    def test_one_that_is_not_saved(self):
        url = self.receiver.url("/new")
        secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
        secret_file = self.space.folder / "secret"
        secret_file.write_text(secret + "\n", encoding="utf-8")
        new = ("--subscriber", "acme", "--url", url, "--signing-secret-file", secret_file)
        self.receiver.set("/new", secret=secret)
        self.assertEqual(self.hookd.hookctl("endpoints", "test", *new, "--type", "t", "--payload", "1").code, OK)
        self.receiver.set("/new", refuse_every=1, refuse_attempts=9)
        result = self.hookd.hookctl("endpoints", "test", *new, "--type", "t", "--payload", "1")
        self.assertEqual(result.code, REFUSED)
        self.assertRegex(result.out, r"(?m)^t: WRONG STATUS\n  that is +answered 503; success is 200-209")
        self.assertEqual(self.hookd.ask("endpoints", "list").get("endpoints", []), [])

    def test_refusals(self):
        run = self.hookd.hookctl
        url = ("--url", "http://127.0.0.1:1/")
        self.assertEqual(run("endpoints", "test", "--type", "t", "--payload", "1").code, USAGE)
        gone = run("endpoints", "test", "--subscriber", "nobody", *url, "--type", "t", "--payload", "1")
        self.assertIn("NOT_FOUND: subscriber_id: no subscriber nobody", gone.err)
        bad = run("endpoints", "test", "--subscriber", "acme", *url, "--type", "t", "--payload", "{")
        self.assertIn("INVALID_ARGUMENT: samples[0]: payload", bad.err)
        none = run("endpoints", "test", "--subscriber", "acme", *url, "--type", "t")
        self.assertIn("there is no catalogue with event type t: give a payload", none.err)
        refused = run("endpoints", "test", "--subscriber", "acme", *url, "--type", "t", "--payload", "1")
        self.assertIn("t: CONNECTION REFUSED\n", refused.out)


if __name__ == "__main__":
    harness.main()
