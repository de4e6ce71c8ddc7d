"""The tools around a webhook, through hookctl: tests of an endpoint, captures, proofs of ownership."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import subprocess
import threading
import urllib.error
import urllib.request

import harness
from harness import wait_for

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


def send(url, method="POST", body=None, **headers):
    """The status of the answer."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class CaptureTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver(keep_requests=True)
        self.hookd.ask("subscribers", "create", "acme")

    def publish(self, *payloads):
        for payload in payloads:
            self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", payload)

    def bodies(self, identity):
        """What the bin keeps, oldest first."""
        listed = self.hookd.ask("captures", "list", identity)["requests"]
        shown = [self.hookd.ask("captures", "show", identity, one["number"]) for one in reversed(listed)]
        return [base64.b64decode(one["body"]).decode() for one in shown]

    def received(self, path="/hooks"):
        return [base64.b64decode(entry["body"]).decode() for entry in self.receiver.ledger.entries(path)]

    def test_held_shown_and_delivered_in_order_afterwards(self):
        endpoint = self.hookd.create_endpoint(
            self.receiver, "acme", "/hooks", "--rate-limit", "0", "--secret-header", "X-Key: planted-hush"
        )
        self.publish("0")
        wait_for(lambda: self.received() == ["0"], "the first to arrive")
        started = self.hookd.ask("captures", "start", endpoint, "--duration", "5m")
        self.publish("1", "2", "3")
        wait_for(lambda: self.bodies(endpoint) == ["1", "2", "3"], "three in the bin")
        self.assertEqual(self.received(), ["0"])
        shown = self.hookd.hookctl("captures", "show", started["bin"]["id"], "1")
        self.assertRegex(shown.out, r"(?m)^POST /hooks$")
        self.assertRegex(shown.out, r"(?m)^X-Key: \(not shown\)$")
        self.assertRegex(shown.out, r"(?m)^webhook-signature: v1,")
        self.assertNotIn("hookd-sequence", shown.out)
        waiting = self.hookd.ask("deliveries", "list", "--endpoint", endpoint, "--state", "pending")["deliveries"]
        detail = self.hookd.ask("deliveries", "get", waiting[0]["id"])["waiting_on"]
        self.assertEqual(detail["detail"], f"a capture holds its endpoint ({started['bin']['id']})")
        self.assertEqual(self.hookd.ask("endpoints", "get", endpoint)["capture"]["bin_id"], started["bin"]["id"])
        self.assertEqual(self.hookd.hookctl("captures", "start", endpoint).code, REFUSED)
        tested = self.hookd.ask("endpoints", "test", endpoint, "--type", "t", "--payload", '"test"')["results"][0]
        self.assertEqual(tested["bin_id"], started["bin"]["id"])
        self.assertEqual(self.bodies(endpoint)[-1], '"test"')
        self.assertEqual(self.hookd.ask("captures", "stop", endpoint)["bin_id"], started["bin"]["id"])
        wait_for(lambda: self.received() == ["0", "1", "2", "3"], "the rest to arrive, in order")
        self.assertEqual(self.receiver.ledger.account("/hooks").sequence_errors(), [])
        self.assertEqual(self.bodies(started["bin"]["id"])[:3], ["1", "2", "3"], "the bin stays for a while")
        self.assertEqual(self.hookd.ask("captures", "stop", endpoint)["bin_id"], "")
        self.assertIsNone(self.hookd.ask("endpoints", "get", endpoint).get("capture"))

    def test_a_kill_ends_no_capture_and_its_time_does(self):
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--rate-limit", "0")
        self.hookd.ask("captures", "start", endpoint, "--duration", "8s")
        self.publish("1", "2")
        wait_for(lambda: self.bodies(endpoint) == ["1", "2"], "two in the bin")
        self.hookd.kill()
        self.hookd.start()
        self.publish("3")
        wait_for(lambda: self.bodies(endpoint) == ["1", "2", "3"], "it to begin anew with what is pending")
        self.assertEqual(self.received(), [])
        wait_for(lambda: self.received() == ["1", "2", "3"], "its time to be over")

    def test_one_that_delivers(self):
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--backoff", "100ms:1s")
        started = self.hookd.ask("captures", "start", endpoint, "--delivers", "--status", "503")
        self.publish("1")
        wait_for(lambda: len(self.bodies(endpoint)) >= 2, "a failure, and its retry")
        self.hookd.kill()
        self.hookd.start()
        wait_for(lambda: self.hookd.pending() == 0, "success: after a restart the bin answers 200")
        delivery = self.hookd.ask("deliveries", "list", "--endpoint", endpoint)["deliveries"][0]
        attempts = self.hookd.ask("deliveries", "get", delivery["id"])["attempts"]
        self.assertEqual(attempts[0]["error_detail"], f"sent to {started['bin']['id']} (a capture): answered 503")
        self.assertEqual(attempts[-1]["error_detail"], f"sent to {started['bin']['id']} (a capture)")
        self.hookd.ask("captures", "stop", endpoint)
        self.publish("2")
        wait_for(lambda: self.received() == ["2"], "what comes afterwards")

    def test_bins(self):
        made = self.hookd.ask("bins", "create", "--status", "418")
        self.assertEqual(made["url"], f"http://{self.hookd.http}/bin/{made['id']}")
        tail = self.space.popen(harness.bin_dir / "hookctl", "--server", self.hookd.grpc, "--output", "json", "captures",
                                "tail", made["id"], "--after", "0", stdout=subprocess.PIPE, text=True)
        self.assertEqual(send(made["url"] + "/more?a=1", "PUT", b"hello", X_Mine="1"), 418)
        first = json.loads(tail.stdout.readline())
        self.assertEqual((first["method"], first["target"].partition("/more")[2]), ("PUT", "?a=1"))
        self.assertEqual(base64.b64decode(first["body"]), b"hello")
        self.assertEqual(send(made["url"], "DELETE"), 418)
        self.assertEqual(json.loads(tail.stdout.readline())["method"], "DELETE")
        self.assertEqual(send(made["url"], "POST", b"x" * (1 << 20)), 418)
        self.assertEqual(json.loads(tail.stdout.readline())["body_bytes"], str(1 << 20))
        with contextlib.suppress(OSError):  # the answer may be lost while the body is being sent
            self.assertEqual(send(made["url"], "POST", b"x" * (2 << 20)), 413)
        self.assertEqual(json.loads(tail.stdout.readline())["status"], 413)
        table = self.hookd.hookctl("captures", "list", made["id"]).out
        self.assertRegex(table, r"(?m)^2 .* DELETE ")
        self.hookd.ask("bins", "delete", made["id"])
        self.assertEqual(tail.wait(harness.PATIENCE_S), REFUSED)
        self.assertEqual(send(made["url"]), 404)
        self.assertEqual(send(f"http://{self.hookd.http}/bin/bin_none"), 404)

    def test_refusals(self):
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks")
        run = self.hookd.hookctl
        self.assertIn("duration: is 7200000 ms, use 1 s to 60 min", run("captures", "start", endpoint, "--duration",
                                                                        "2h").err)
        self.assertIn("status: is 99, use 200 to 599", run("bins", "create", "--status", "99").err)
        self.assertIn("NOT_FOUND", run("captures", "list", endpoint).err)
        self.assertIn("NOT_FOUND: no bin bin_x", run("captures", "show", "bin_x", "1").err)


class Prover(http.server.BaseHTTPRequestHandler):
    """A receiver that proves with `server.key`, and takes what comes afterwards."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append(self.headers["hookd-event-type"])
        answer = b""
        if "crc_token" in body:
            mac = hmac.new(self.server.key, body["crc_token"].encode(), hashlib.sha256).digest()
            answer = json.dumps({"response_token": base64.b64encode(mac).decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format, *args):
        pass


class OwnershipTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd(tools={"verification": "required"}).start()
        self.hookd.ask("subscribers", "create", "acme")
        self.prover = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prover)
        self.prover.got, self.prover.key = [], b"k" * 32
        threading.Thread(target=self.prover.serve_forever, daemon=True).start()
        self.addCleanup(self.prover.server_close)
        self.addCleanup(self.prover.shutdown)
        self.url = f"http://127.0.0.1:{self.prover.server_port}"

    def reason(self, endpoint):
        return self.hookd.ask("endpoints", "get", endpoint).get("disabled", {}).get("reason")

    def test_nothing_goes_out_before_the_proof(self):
        secret = self.space.folder / "secret"
        secret.write_text("whsec_" + base64.b64encode(b"k" * 32).decode(), encoding="utf-8")
        made = self.hookd.ask("endpoints", "create", "--subscriber", "acme", "--url", self.url + "/a",
                              "--signing-secret-file", secret)["endpoint"]
        endpoint = made["id"]
        self.assertEqual(self.reason(endpoint), "DISABLE_REASON_UNVERIFIED")
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "{}")
        refused = self.hookd.hookctl("endpoints", "enable", endpoint)
        self.assertIn("FAILED_PRECONDITION: its ownership is not proven yet", refused.err)
        self.prover.key = b"x" * 32
        wrong = self.hookd.hookctl("endpoints", "verify", endpoint)
        self.assertEqual(wrong.code, REFUSED)
        self.assertRegex(wrong.out, r"(?m)^verified +no$")
        self.assertRegex(wrong.out, r"(?m)^received +a response_token of another key or text")
        self.assertEqual(self.prover.got, ["endpoint.verification"])
        self.prover.key = b"k" * 32
        self.assertTrue(self.hookd.ask("endpoints", "verify", endpoint)["verified"])
        self.assertIsNone(self.reason(endpoint))
        wait_for(lambda: self.prover.got[2:] == ["t"], "what had queued")
        self.hookd.ask("endpoints", "update", endpoint, "--url", self.url + "/b")
        self.assertEqual(self.reason(endpoint), "DISABLE_REASON_UNVERIFIED")
        self.hookd.ask("endpoints", "update", endpoint, "--description", "the same URL")
        self.assertTrue(self.hookd.ask("endpoints", "verify", endpoint)["verified"])
        self.hookd.ask("endpoints", "update", endpoint, "--url", self.url + "/b", "--timeout", "5s")
        self.assertIsNone(self.reason(endpoint), "the URL is the same")

    def test_refusals(self):
        self.assertIn("NOT_FOUND", self.hookd.hookctl("endpoints", "verify", "ep_0000000000000001").err)
        self.assertIn("INVALID_ARGUMENT: id", self.hookd.hookctl("endpoints", "verify", "x").err)


if __name__ == "__main__":
    harness.main()
