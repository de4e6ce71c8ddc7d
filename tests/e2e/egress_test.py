"""Where endpoints may lead: strict unless it is configured, at creation and at each attempt, and over a reload."""

import json
import os
import signal
import urllib.request

import harness
from harness import wait_for

REFUSED = ("http://127.0.0.1:9/", "http://127.1:9/", "http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/",
           "http://127.0.0.1./", "http://%31%32%37.0.0.1/", "http://１２７.0.0.1/", "http://127。0。0。1/",
           "http://localhost:9/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25eth0]/",
           "http://169.254.169.254/latest/meta-data/", "http://168.63.129.16/", "http://[64:ff9b::10.0.0.1]/",
           "http://[2002:7f00:1::]/", "https://10.0.0.1/", "https://192.168.1.1:8443/x", "https://[fd00:ec2::254]/")


class EgressTest(harness.TestCase):
    def create(self, url):
        return self.hookd.hookctl("--output", "json", "endpoints", "create", "--subscriber", "acme", "--url", url,
                                  "--mode", "parallel", "--backoff", "fixed:1s")

    def reload(self, **egress):
        self.hookd.settings["egress"] = egress
        self.hookd.write_config()
        os.kill(self.hookd.process.pid, signal.SIGHUP)

    def test_the_default_refuses_what_is_not_public(self):
        self.hookd = self.space.hookd(egress={}).start()
        self.hookd.ask("subscribers", "create", "acme")
        for url in REFUSED:
            done = self.create(url)
            self.assertNotEqual(done.code, 0, url)
            self.assertIn("INVALID_ARGUMENT", done.err, url)
            self.assertIn("url: ", done.err, url)
        print("URLs tried:", len(REFUSED))
        self.assertEqual(self.create("https://8.8.8.8/hook").code, 0)
        self.hookd.ask("subscribers", "get", "acme")

    def test_a_reload_acts_on_an_endpoint_that_was_allowed(self):
        receiver = self.space.receiver()
        self.hookd = self.space.hookd().start()
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(receiver, "acme", "/hook", "--mode", "parallel", "--backoff", "fixed:1s")

        def publish(key):
            self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "{}",
                           "--idempotency-key", key)

        publish("one")
        wait_for(lambda: self.hookd.pending() == 0, "the first delivery")
        self.reload(allow_loopback="false")
        wait_for(lambda: self.create(receiver.url("/other")).code != 0, "the reload")
        publish("two")
        list_refused = ("deliveries", "list", "--subscriber", "acme", "--error", "refused_address")
        refused = wait_for(lambda: self.hookd.ask(*list_refused).get("deliveries"), "the refusal")
        self.assertEqual(refused[0]["last_error_kind"], "refused_address")
        self.reload(allow_loopback="true")
        wait_for(lambda: self.hookd.pending() == 0, "the second delivery, once allowed again")

    def test_the_addresses_that_requests_come_from_are_told(self):
        self.hookd = self.space.hookd(egress={"allow_loopback": "true", "source_addresses": "[127.0.0.9]"}).start()
        self.assertEqual(self.hookd.ask("egress", "addresses"), {"addresses": ["127.0.0.9"]})
        done = self.hookd.hookctl("egress", "addresses")
        self.assertEqual((done.code, done.out), (0, "127.0.0.9\n"))
        self.hookd.terminate()
        self.hookd.settings["egress"] = {"published_addresses": "[203.0.113.0/24, '2001:db8::7']"}
        self.hookd.start()
        request = urllib.request.Request(f"http://{self.hookd.http}/hookd.v1.OperationsService/GetEgressAddresses",
                                         data=b"{}", headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertEqual(json.load(answer), {"addresses": ["203.0.113.0/24", "2001:db8::7"]})

    def test_a_proxy_that_is_down_is_hookds_own_trouble(self):
        receiver = self.space.receiver()
        self.hookd = self.space.hookd(egress={"allow_loopback": "true", "proxy": "'http://127.0.0.1:9'"}).start()
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(receiver, "acme", "/hook", "--mode", "parallel", "--backoff", "fixed:1s")
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "{}")
        query = ("deliveries", "list", "--subscriber", "acme", "--error", "local")
        wait_for(lambda: self.hookd.ask(*query).get("deliveries"), "an attempt that does not go past the proxy")
        self.assertEqual(receiver.ledger.entries("/hook"), [])


if __name__ == "__main__":
    harness.main()
