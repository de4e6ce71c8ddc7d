"""Secrets rotate under load, and the official Standard Webhooks libraries of three languages verify every request:
rotation_test.py [--bin FOLDER]."""

import base64
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

import harness
from harness import wait_for

ROOT = harness.HERE.parent.parent
VENV = ROOT / ".venv" / "bin" / "python"
MODULES = ROOT / ".node" / "node_modules"
GO = ROOT / ".go" / "verify"
try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError
except ImportError:
    if not VENV.exists() or pathlib.Path(sys.prefix) == VENV.parent.parent:
        sys.exit("the Standard Webhooks library is missing: run scripts/setup-python")
    os.execv(VENV, [str(VENV), "-B", *sys.argv])

# Svix's published pair.
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
PER_SECOND, BATCH = 200, 10


def python_verifies(key, entry):
    headers, body = entry["headers"], base64.b64decode(entry["body"])
    if key.startswith("whsec_"):
        try:
            Webhook(key).verify(body, headers)
            return True
        except WebhookVerificationError:
            return False
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for one in headers["webhook-signature"].split(" "):
        version, _, signature = one.partition(",")
        if version == "v1a":
            try:
                public.verify(base64.b64decode(signature), signed)
                return True
            except InvalidSignature:
                pass
    return False


class Load:
    """Publishes numbered events, PER_SECOND of them, on a thread until it is stopped."""

    def __init__(self, hookd, type):
        self.begun = 0  # events whose publish may have been sent
        self._address, self._type = hookd.http, type
        self._stop = threading.Event()
        self.error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        start = time.monotonic()
        try:
            while not self._stop.wait(max(0, start + self.begun / PER_SECOND - time.monotonic())):
                first, self.begun = self.begun, self.begun + BATCH
                events = [self._event(n) for n in range(first, first + BATCH)]
                request = urllib.request.Request(
                    f"http://{self._address}/hookd.v1.EventService/PublishEvents", method="POST",
                    data=json.dumps({"events": events}).encode(), headers={"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=harness.PATIENCE_S) as answer:
                    results = json.loads(answer.read())["results"]
                if any(result.get("code") for result in results):
                    raise harness.Failure(str(results))
        except Exception as error:
            self.error = error

    def _event(self, n):
        payload = base64.b64encode(json.dumps({"n": n, "text": "Привет 🙂"}, ensure_ascii=False).encode()).decode()
        return {"subscriberId": "acme", "type": self._type, "payload": payload}

    def reach(self, count):
        wait_for(lambda: self.error or self.begun >= count, f"{count} events")
        if self.error:
            raise self.error

    def stop(self):
        self._stop.set()
        self._thread.join()
        if self.error:
            raise self.error


class RotationTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver(keep_requests=True)
        self.hookd.ask("subscribers", "create", "acme")

    def create(self, path):
        created = self.hookd.ask(
            "endpoints", "create", "--subscriber", "acme", "--url", self.receiver.url(path), "--mode", "parallel",
            "--max-in-flight", "32", "--rate-limit", "0", "--backoff", "100ms:1s")
        self.receiver.set(path, secret=created["signing_secret"])
        return created["endpoint"]["id"], created["signing_secret"]

    def rotate(self, endpoint, *flags, **options):
        return self.hookd.ask("endpoints", "rotate-secret", endpoint, *flags, **options)

    def arrived(self):
        return len(self.receiver.ledger.entries())

    def verdicts(self, keys, entries):
        """By key, a list of verdicts over the entries; of all three languages, which have to agree."""
        lines = []
        for key in keys:
            name = "secret" if key.startswith("whsec_") else "public_key"
            lines += [json.dumps({name: key, "headers": one["headers"], "body": one["body"]}) for one in entries]
        flat = {"python": [python_verifies(key, one) for key in keys for one in entries]}
        folder = self.space.folder / "node"
        folder.mkdir(exist_ok=True)
        shutil.copy(harness.HERE / "verifiers" / "verify.mjs", folder)
        if not (folder / "node_modules").is_symlink():
            (folder / "node_modules").symlink_to(MODULES)
        commands = {"javascript": ["node", folder / "verify.mjs"], "go": [GO]}
        if not GO.exists():
            print("Go is left out: see scripts/setup-go", file=sys.stderr)
            del commands["go"]
        for language, command in commands.items():
            done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True,
                                  timeout=harness.PATIENCE_S, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), language)
            flat[language] = [{"true": True, "false": False}[word] for word in done.stdout.split()]
            self.assertEqual(flat[language], flat["python"], language)
        return {key: flat["python"][i * len(entries):(i + 1) * len(entries)] for i, key in enumerate(keys)}

    def test_every_request_verifies_while_secrets_rotate_under_load(self):
        endpoint, first = self.create("/load")
        load = Load(self.hookd, "message:in:new")
        load.reach(PER_SECOND)

        before = self.arrived()
        answer = self.rotate(endpoint, "--overlap", "4s")
        second, from_second = answer["signing_secret"], load.begun
        self.receiver.set("/load", secret=second)
        end = datetime.datetime.fromisoformat(answer["endpoint"]["signing_keys"][1]["expire_time"]).timestamp()
        load.reach(from_second + PER_SECOND)
        public, from_public = self.rotate(endpoint, "--scheme", "v1a")["public_key"], load.begun
        load.reach(from_public + PER_SECOND)
        overlapped = self.arrived() if time.time() < end - 0.1 else None
        wait_for(lambda: time.time() > end, "the overlap to end")
        from_end = load.begun
        load.reach(from_end + PER_SECOND)
        until_third = self.arrived()
        third = self.rotate(endpoint, "--overlap", "0s")["signing_secret"]
        from_third = load.begun
        self.receiver.set("/load", secret=third)
        load.reach(from_third + PER_SECOND)
        load.stop()
        wait_for(lambda: self.hookd.pending() == 0, "all deliveries to end")

        entries = self.receiver.ledger.entries("/load")
        numbers = [json.loads(base64.b64decode(one["body"]))["n"] for one in entries]
        self.assertEqual(set(numbers), set(range(load.begun)))
        says = self.verdicts([first, second, third, public], entries)
        self.assertGreater(before, 0)
        for i, (n, one) in enumerate(zip(numbers, entries)):
            what = f"request {i} of event {n}: {one['headers']['webhook-signature']}"
            old, new, newest = (says[secret][i] for secret in (first, second, third))
            self.assertTrue(old or new or newest, what)
            if i < before:
                self.assertEqual((old, new), (True, False), what)
            if n >= from_second and i < until_third:
                self.assertTrue(new, f"the very next attempt: {what}")
            if n >= from_second and overlapped is not None and i < overlapped:
                self.assertTrue(old, f"the old one signs beside it: {what}")
            if n >= from_public:
                self.assertTrue(says[public][i], what)
            if n >= from_end:
                self.assertFalse(old, f"it has ended: {what}")
            if n >= from_third:
                self.assertEqual((new, newest), (False, True), what)
            versions = [part.partition(",")[0] for part in one["headers"]["webhook-signature"].split(" ")]
            self.assertEqual(versions, sorted(versions, reverse=True), "v1a comes before v1")
        print(f"{len(entries)} requests of {load.begun} events, "
              f"{sum(says[first])}, {sum(says[second])}, {sum(says[third])} and {sum(says[public])} verify",
              file=sys.stderr)

    def test_a_pair_of_keys_may_be_brought(self):
        endpoint, secret = self.create("/pair")
        answer = self.rotate(endpoint, "--scheme", "v1a", "--secret-file", "-", input=PRIVATE)
        self.assertEqual(answer["public_key"], PUBLIC)
        self.assertNotIn("signing_secret", {name: value for name, value in answer.items() if value})
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", '{"n": 1}')
        wait_for(lambda: self.hookd.pending() == 0, "the delivery")
        says = self.verdicts([secret, PUBLIC], self.receiver.ledger.entries("/pair"))
        self.assertEqual(says, {secret: [True], PUBLIC: [True]})
        shown = self.hookd.hookctl("endpoints", "get", endpoint)
        self.assertRegex(shown.out, r"signs with +v1a [0-9a-f]{16}, since \S+, whpk_1SiA4o9h")
        self.assertRegex(shown.out, r"signs with +v1 [0-9a-f]{16}, since \S+\n")
        for text in (PRIVATE.removeprefix("whsk_")[:20], secret.removeprefix("whsec_")[:20]):
            self.assertNotIn(text, shown.out)

    def test_ten_are_the_most_and_mistakes_are_told(self):
        endpoint, _ = self.create("/ten")
        for _ in range(9):
            newest = self.rotate(endpoint)["signing_secret"]
        full = self.hookd.hookctl("endpoints", "rotate-secret", endpoint)
        self.assertEqual(full.code, 1)
        self.assertIn("signing_keys: there are 10, which is the most", full.err)
        same = self.hookd.hookctl("endpoints", "rotate-secret", endpoint, "--secret-file", "-", input=newest)
        self.assertIn("secret: the endpoint has it already", same.err)
        self.assertNotIn(newest.removeprefix("whsec_")[:20], same.err)
        shown = self.hookd.hookctl("endpoints", "rotate-secret", endpoint, "--overlap", "0s")
        self.assertRegex(shown.out, r"signing secret \(shown this once\) +whsec_")
        self.assertEqual(len(self.hookd.ask("endpoints", "get", endpoint)["signing_keys"]), 1)
        for flags, why in ((("--overlap", "31d"), "overlap: use 0 to 30 days"), (("--overlap", "soon"), "--overlap is"),
                           (("--scheme", "v2"), "--scheme"), (("--secret-file", "/nowhere"), "/nowhere")):
            refused = self.hookd.hookctl("endpoints", "rotate-secret", endpoint, *flags)
            self.assertNotEqual(refused.code, 0)
            self.assertIn(why, refused.err)


if __name__ == "__main__":
    harness.main()
