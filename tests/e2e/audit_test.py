"""The audit log from outside: every kind of change by its actor, without secrets; kept by kills; exported, verified."""

import base64
import contextlib
import http.server
import json
import os
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import harness
from harness import wait_for
from secrets_test import files_with, key_file, random_mark

DIFFERS = 5


class Prover:
    """A receiver that proves that it is wanted (hub_challenge), and answers POSTs with a status that is set."""

    def __init__(self):
        prover = self
        self.status = 200

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                self._answer(200, query["hub.challenge"][0].encode())

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(prover.status, b"")

            def _answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class AuditTest(harness.TestCase):
    def setUp(self):
        self.prover = Prover()
        self.addCleanup(self.prover.close)
        self.key = key_file(self.space, "key")
        self.hookd = self.space.hookd(auth={"required": "true"}, secrets={"key_file": self.key},
                                      profiles={"dir": harness.PROFILES, "allow_http": "true"})
        self.hookd.write_config()
        made = subprocess.run([harness.bin_dir / "hookd", "--config", self.hookd.config, "--make-operator-token"],
                              capture_output=True, text=True, timeout=60, check=True)
        self.operator = made.stdout.strip()
        os.environ["HOOKD_TOKEN"] = self.operator
        self.addCleanup(os.environ.pop, "HOOKD_TOKEN")
        self.hookd.start()
        self.actor = "tok_" + self.operator[4:20]

    def records(self, *flags):
        return self.hookd.ask("audit", "list", "--limit", "0", "--oldest-first", *flags).get("records", [])

    def last(self, call):
        found = self.records("--call", call)
        self.assertTrue(found, f"no record of {call}")
        return found[-1]

    def state(self, record):
        return [json.loads(record[side]) if record.get(side) else None for side in ("before", "after")]

    def rest(self, method, key, body=None):
        request = urllib.request.Request(
            f"http://{self.hookd.http}/v1/configs/webhook", data=None if body is None else json.dumps(body).encode(),
            method=method, headers={"WHIZARD-KEY": key, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def test_every_kind_of_change_is_recorded_with_its_actor_and_without_secrets(self):
        marks = {name: random_mark() for name in ("signing", "header", "query", "rest", "payload", "client")}
        hookd, ask = self.hookd, self.hookd.ask
        signing = self.space.folder / "signing"
        signing.write_text("whsec_" + base64.b64encode((marks["signing"] + "x" * 16).encode()).decode())
        header = self.space.folder / "header"
        header.write_text(marks["header"])

        ask("subscribers", "create", "acme", "--name", "ACME")
        endpoint = ask("endpoints", "create", "--subscriber", "acme", "--url",
                       f"{self.prover.url}/in?key={marks['query']}", "--signing-secret-file", signing,
                       "--secret-header", f"X-Secret: @{header}", "--backoff", "100ms:500ms:0", "--rate-limit",
                       "0")["endpoint"]["id"]
        ask("endpoints", "disable", endpoint, "--reason", "for a while")
        record = self.last("DisableEndpoint")
        before, after = self.state(record)
        self.assertEqual((record["actor"], record["actor_role"], record["peer"]), (self.actor, "operator", "127.0.0.1"))
        self.assertEqual((record["resource_type"], record["resource_id"]), ("endpoint", endpoint))
        self.assertEqual((record["subscriber_id"], record["reason"]), ("acme", "for a while"))
        self.assertNotIn("disabled", before)
        self.assertEqual(after["disabled"]["reason"], "DISABLE_REASON_PERSON")
        ask("endpoints", "enable", endpoint)
        ask("endpoints", "pause", endpoint)
        header.write_text(marks["client"])
        ask("endpoints", "update", endpoint, "--secret-header", f"X-Secret: @{header}")
        self.assertEqual(self.last("UpdateEndpoint")["secrets_changed"], ["headers/X-Secret"])

        payload = json.dumps({"text": marks["payload"]})
        for _ in range(2):
            ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", payload)
        self.assertEqual(self.records("--call", "PublishEvent"), [])
        delivery = ask("deliveries", "list", "--endpoint", endpoint)["deliveries"][0]["id"]
        ask("deliveries", "cancel", delivery)
        record = self.last("CancelDelivery")
        self.assertEqual((record["resource_id"], record["actor"]), (delivery, self.actor))
        self.assertEqual(self.state(record)[1]["state"], "CANCELED")
        ask("deliveries", "retry", delivery)
        self.assertEqual(self.state(self.last("RetryDelivery"))[1], {"replaces": delivery})
        ask("jobs", "expire", "--endpoint", endpoint, "--reason", "old", "--yes", "--wait")
        self.assertEqual(self.last("ExpireBacklog")["reason"], "old")
        ask("secrets", "rekey", "--wait")
        self.last("RekeySecrets")

        # Of itself: 410 disables.
        self.prover.status = 410
        ask("endpoints", "resume", endpoint)
        ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", payload)
        wait_for(lambda: self.records("--call", "auto_disable"), "the disablement")
        record = self.last("auto_disable")
        self.assertEqual((record["actor"], record["call"]), ("hookd", "hookd/auto_disable"))
        self.assertEqual(record["reason"], "it answered 410")
        self.assertEqual(self.state(record)[1]["disabled"]["reason"], "DISABLE_REASON_GONE")
        ask("endpoints", "enable", endpoint)

        # A proof of ownership ends on another thread.
        ask("endpoints", "verify", endpoint, "--method", "hub_challenge")
        self.assertEqual(self.last("VerifyEndpoint")["actor"], self.actor)

        # A customer, with its key.
        ask("subscribers", "create", "shop", "--delivery-profile", "whizard")
        made = ask("tokens", "create", "--subscriber", "shop", "--description", "the shop")
        marks["token"] = made["text"][21:]
        self.assertEqual(self.rest("POST", made["text"], {
            "url": "https://example.com/shop", "headers": {"Authorization": marks["rest"]}}), 200)
        record = self.last("POST /v1/configs/webhook")
        self.assertEqual((record["actor"], record["actor_role"], record["actor_name"], record["peer"]),
                         (made["token"]["id"], "subscriber", "the shop", "127.0.0.1"))
        self.assertEqual((record["subscriber_id"], self.state(record)[0]), ("shop", None))
        self.assertEqual(self.rest("GET", made["text"]), 200)
        self.assertEqual(self.rest("DELETE", made["text"]), 200)
        self.assertEqual(self.state(self.last("DELETE /v1/configs/webhook"))[1], None)
        ask("tokens", "revoke", made["token"]["id"], "--yes")
        self.assertEqual(self.state(self.last("RevokeToken"))[0]["description"], "the shop")

        # Who may act on the process and its folder.
        hookd.settings["log"] = {"level": "debug"}
        hookd.write_config()
        hookd.process.send_signal(1)
        wait_for(lambda: self.records("--call", "SIGHUP"), "the record of the reload")
        self.assertEqual(self.state(self.last("SIGHUP"))[1], {"changed": ["log.level"]})
        self.assertEqual(self.records()[0]["call"], "hookd --make-operator-token")

        # Bound to a subscriber, or to publishing: it is not theirs.
        for role, flags in (("subscriber", ("--subscriber", "acme")), ("publisher", ()), ("viewer", ())):
            text = ask("tokens", "create", "--role", role, *flags)["text"]
            os.environ["HOOKD_TOKEN"] = text
            done = hookd.hookctl("audit", "list")
            self.assertEqual(done.code, 0 if role == "viewer" else 1, done.err)
            os.environ["HOOKD_TOKEN"] = self.operator

        said = hookd.hookctl("audit", "export").out + hookd.log.read_text(encoding="utf-8")
        for number in range(1, len(self.records()) + 1):
            said += hookd.hookctl("audit", "show", number).out
        for name, mark in marks.items():
            self.assertNotIn(mark, said, name)
        hookd.terminate()
        for name, mark in marks.items():
            if name != "payload":
                self.assertEqual(files_with(hookd.data, mark.encode()), [], name)

    def test_a_kill_leaves_the_change_and_its_record_or_neither(self):
        """Killed while callers make subscribers: what is there has its record, and what has one is there."""
        hookd = self.hookd
        known = 0
        for _ in range(4):
            stop = threading.Event()

            def make(worker):
                number = 0
                while not stop.is_set():
                    with contextlib.suppress(harness.Failure):
                        hookd.ask("subscribers", "create", f"s{known}-{worker}-{number}")
                    number += 1

            workers = [threading.Thread(target=make, args=(worker,)) for worker in range(3)]
            for worker in workers:
                worker.start()
            wait_for(lambda: int(hookd.ask("status").get("subscribers", 0)) > known + 5, "some subscribers")
            hookd.kill()
            stop.set()
            for worker in workers:
                worker.join()
            hookd.start()
            there = {one["id"] for one in hookd.ask("subscribers", "list", "--limit", "0").get("subscribers", [])}
            recorded = {one["resource_id"] for one in self.records("--call", "CreateSubscriber")}
            self.assertEqual(there, recorded)
            known = len(there)
            verified = hookd.ask("audit", "verify")
            self.assertEqual(verified["records"], known + 1)  # and the first token's

    def test_what_was_changed_or_cut_off_shows(self):
        hookd = self.hookd
        for number in range(5):
            hookd.ask("subscribers", "create", f"s{number}")
        newest = hookd.ask("audit", "verify")["newest"]
        lines = hookd.hookctl("audit", "export").out.splitlines()
        self.assertEqual([json.loads(line)["number"] for line in lines], [str(n) for n in range(1, 7)])
        file = self.space.folder / "audit.ndjson"

        def verify(kept, *flags):
            file.write_text("\n".join(kept) + "\n", encoding="utf-8")
            done = hookd.hookctl("audit", "verify", "--file", file, *flags)
            return done.code, done.err

        self.assertEqual(verify(lines, "--expect", newest), (0, ""))
        self.assertEqual(verify(lines[2:], "--expect", newest), (0, ""))
        code, said = verify(lines[:3] + lines[4:])
        self.assertEqual((code, said), (DIFFERS, "hookctl: record 4 is missing: 5 follows 3\n"))
        code, said = verify(lines[:5], "--expect", newest)
        self.assertEqual((code, said), (DIFFERS, f"hookctl: there is no record {newest}\n"))
        changed = [line.replace("s2", "s7") for line in lines]
        code, said = verify(changed)
        self.assertEqual(code, DIFFERS)
        self.assertIn("record 4 is not as it was written", said)
        since = hookd.ask("audit", "show", "4")["time"]
        first = json.loads(hookd.hookctl("audit", "export", "--since", since).out.splitlines()[0])
        self.assertLessEqual(int(first["number"]), 4)
        self.assertEqual(hookd.hookctl("audit", "export", "--until", "2020-01-01T00:00:00Z").out, "")

    def test_wrong_keys_of_customers_are_slowed_and_counted(self):
        hookd = self.hookd
        hookd.ask("subscribers", "create", "shop", "--delivery-profile", "whizard")
        key = hookd.ask("tokens", "create", "--subscriber", "shop")["text"]
        self.assertEqual(self.rest("GET", key), 404)  # nothing is set yet
        codes = [self.rest("GET", f"hkt_{n:016x}_" + "0" * 64) for n in range(60)]
        self.assertEqual(set(codes[:20]), {401})
        self.assertIn(429, codes)
        self.assertEqual(self.rest("GET", key), 404, "a key in use is not slowed by who guesses")
        status, text = hookd.get("/metrics")
        self.assertEqual(status, 200)
        counts = dict(line.rsplit(" ", 1) for line in text.splitlines() if "auth_failures" in line and line[0] != "#")
        slowed = int(float(counts['hookd_auth_failures_total{reason="slowed"}']))
        invalid = int(float(counts['hookd_auth_failures_total{reason="invalid"}']))
        self.assertEqual(slowed, codes.count(429))
        self.assertEqual(invalid, codes.count(401))


if __name__ == "__main__":
    harness.main()
