"""Profiles as an operator and the platform use them: the files, what endpoints get, plans, strict subscribers, a held
channel over a restart, and the catalogue on the command line."""

import json
import shutil
import subprocess

import harness
from harness import wait_for


class ProfilesTest(harness.TestCase):
    def start(self, **profiles):
        self.hookd = self.space.hookd(profiles={"dir": harness.PROFILES} | profiles).start()
        return self.hookd

    def refused(self, *arguments):
        done = self.hookd.hookctl(*arguments)
        self.assertEqual(done.code, 1, done.out)
        return done.err

    def publish(self, subscriber, kind, payload, *flags):
        return self.hookd.ask("events", "publish", "--subscriber", subscriber, "--type", kind, "--payload", payload, *flags)

    def test_an_endpoint_of_chat_api_behaves_by_its_settings(self):
        hookd = self.start()
        receiver = self.space.receiver()
        hookd.ask("subscribers", "create", "acme", "--delivery-profile", "chat-api")
        endpoint = hookd.create_endpoint(receiver, "acme", "/hook", "--channel", "i1", "--setting",
                                         "ackNotificationsOn=off", "--setting", "video_upload_on=on",
                                         refuse_every=1, refuse_attempts=9)
        read = hookd.ask("endpoints", "get", endpoint)
        self.assertEqual(read["profile"], "chat-api")
        self.assertEqual(read["settings"]["ack_notifications_on"], False)
        self.assertEqual(read["settings"]["video_upload_on"], True)
        self.assertEqual(read["settings"]["guaranteed_hooks"], False)
        self.assertEqual(read["policy"].get("max_retries", 0), 0)
        self.assertEqual(self.publish("acme", "ack", "{}", "--channel", "i1").get("deliveries", 0), 0)
        # One attempt, and then it has ended.
        event = self.publish("acme", "messages", "{}", "--channel", "i1")["event_id"]
        delivery = hookd.ask("events", "get", event)["delivery_ids"][0]
        wait_for(lambda: hookd.ask("deliveries", "get", delivery)["state"] == "DELIVERY_STATE_EXHAUSTED", "its end")
        error = self.refused("endpoints", "create", "--subscriber", "acme", "--channel", "i1", "--url", receiver.url("/2"))
        self.assertIn("endpoints_per_channel", error)
        self.assertEqual(self.hookd.ask("endpoints", "update", endpoint, "--setting", "guaranteed_hooks=on",
                                        "--setting", "parallel_hooks=on")["policy"]["max_retries"], 19)
        self.assertIn("policy.mode: profile chat-api does not let",
                      self.refused("endpoints", "update", endpoint, "--mode", "keyed"))
        self.assertEqual(hookd.terminate(), 0)

    def test_a_held_channel_waits_over_a_kill(self):
        hookd = self.start()
        receiver = self.space.receiver()
        hookd.ask("subscribers", "create", "acme", "--delivery-profile", "wamm")
        hookd.create_endpoint(receiver, "acme", "/hook", "--channel", "34600")
        held = hookd.ask("subscribers", "hold", "acme", "34600")
        self.assertEqual(held["held_channels"], ["34600"])
        for number in range(3):
            event = self.publish("acme", "msg", json.dumps(number), "--channel", "34600")["event_id"]
        delivery = hookd.ask("events", "get", event)["delivery_ids"][0]
        hookd.kill()
        hookd.start()
        waiting = hookd.ask("deliveries", "get", delivery)["waiting_on"]
        self.assertEqual(waiting["kind"], "WAIT_KIND_CHANNEL")
        self.assertEqual(receiver.ledger.entries(), [])
        self.assertEqual(hookd.ask("subscribers", "release", "acme", "34600").get("held_channels", []), [])
        wait_for(lambda: len(receiver.ledger.entries()) == 3, "what queued")
        self.assertEqual(hookd.terminate(), 0)

    def test_plans_and_strictness_act_on_the_next_publish(self):
        hookd = self.start()
        receiver = self.space.receiver()
        hookd.ask("subscribers", "create", "acme", "--delivery-profile", "wassenger", "--plan", "starter")
        self.assertIn("takes https only (url.schemes)",
                      self.refused("endpoints", "create", "--subscriber", "acme", "--url", receiver.url("/hook")))
        self.assertEqual(hookd.terminate(), 0)
        self.hookd.settings["profiles"]["allow_http"] = "true"
        hookd.start()
        hookd.create_endpoint(receiver, "acme", "/hook")
        gated = self.publish("acme", "message:in:new", "{}")
        self.assertEqual(gated.get("deliveries", 0), 0)
        self.assertIn("platform-business", gated["not_fanned_out"])
        line = '{"subscriber_id":"acme","type":"message:in:new","payload":{}}\n'
        self.assertEqual(hookd.ask("events", "publish", "--file", "-", input=2 * line),
                         {"accepted": 2, "duplicates": 0, "deliveries": 0, "not_fanned_out": 2, "refused": 0})
        hookd.ask("subscribers", "update", "acme", "--plan", "platform")
        self.assertEqual(self.publish("acme", "message:in:new", "{}")["deliveries"], 1)
        hookd.ask("subscribers", "update", "acme", "--strict", "yes")
        publish = ("events", "publish", "--subscriber", "acme")
        self.assertIn("schema of message:in:new",
                      self.refused(*publish, "--type", "message:in:new", "--payload", '"no object"'))
        self.assertIn("not in the catalogue of profile wassenger", self.refused(*publish, "--type", "t", "--payload", "{}"))
        sample = hookd.ask("catalogue", "wassenger", "message:in:new")["samples"][0]["payload"]
        self.assertEqual(self.publish("acme", "message:in:new", sample)["deliveries"], 1)
        self.assertEqual(hookd.terminate(), 0)

    def test_a_querys_values_are_never_told(self):
        hookd = self.start()
        receiver = self.space.receiver()
        hookd.ask("subscribers", "create", "acme")
        path = "/h?key=hush-hush&x=%2f+"
        created = hookd.ask("endpoints", "create", "--subscriber", "acme", "--url", receiver.url(path))
        endpoint = created["endpoint"]["id"]
        self.assertEqual(created["endpoint"]["url"], receiver.url(path))
        receiver.set(path, secret=created["signing_secret"])
        self.publish("acme", "t", "{}")
        wait_for(lambda: receiver.ledger.entries(path), "the delivery")
        told = [hookd.hookctl("endpoints", "get", endpoint).out, hookd.hookctl("endpoints", "list").out,
                hookd.hookctl("--output", "json", "endpoints", "list").out,
                hookd.hookctl("endpoints", "update", endpoint, "--description", "d").out,
                hookd.hookctl("endpoints", "pause", endpoint).out, hookd.log.read_text(encoding="utf-8")]
        for text in told:
            self.assertNotIn("hush-hush", text)
        self.assertIn("key=***&x=***", told[0])
        self.assertIn("hush-hush", hookd.hookctl("endpoints", "get", endpoint, "--show-query").out)
        self.assertEqual(hookd.terminate(), 0)

    def test_operators_add_profiles_and_faults_stop_the_start(self):
        own = self.space.folder / "own"
        shutil.copytree(harness.HERE.parent / "profiles", own)
        hookd = self.start(extra_dir=own)
        names = [profile["name"] for profile in hookd.ask("profiles", "list")["profiles"]]
        self.assertEqual(names, ["cbot", "chat-api", "small", "standard", "wamm", "wassenger", "whizard"])
        self.assertIn("Call-Miss", hookd.hookctl("catalogue", "small", "message").out)
        self.assertIn("guaranteed", hookd.hookctl("profiles", "show", "small").out)
        self.assertIn("message:out:failed", hookd.hookctl("catalogue").out)
        self.assertEqual(hookd.terminate(), 0)
        small = own / "small.yaml"
        small.write_text(small.read_text(encoding="utf-8").replace("backlog: 1000", "backlog: -1"), encoding="utf-8")
        check = subprocess.run([harness.bin_dir / "hookd", "--check-config", "--config", hookd.config],
                               capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 2)
        self.assertIn("small.yaml:17: policy.backlog: ", check.stderr)


if __name__ == "__main__":
    harness.main()
