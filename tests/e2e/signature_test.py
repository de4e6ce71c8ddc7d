"""The official Standard Webhooks library verifies what hookd sends: signature_test.py [--bin FOLDER]."""

import base64
import os
import pathlib
import sys

import harness
from harness import wait_for

VENV = harness.HERE.parent.parent / ".venv" / "bin" / "python"
try:
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError
except ImportError:
    if not VENV.exists() or pathlib.Path(sys.prefix) == VENV.parent.parent:
        sys.exit("the Standard Webhooks library is missing: run scripts/setup-python")
    os.execv(VENV, [str(VENV), "-B", *sys.argv])

GIVEN_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 148))).decode()
PAYLOADS = [
    b"{}",
    b'{"text":"plain"}',
    '{"text":"Привет, Δημήτρη 🙂"}'.encode(),
    b'{"text":"\\u041f\\u0440\\u0438\\u0432\\u0435\\u0442 \\ud83d\\ude42"}',
    b' {\t"spaces" :  [ 1 , 2.0 , 1e3 , -0 ] ,\n "again" : null }',
    b'{"a":1,"a":2,"":"","/":"\\/"}',
    b'"' + b"x" * 300_000 + b'"',
]


def accepts(secret, entry):
    """True: the library verifies this request as it arrived."""
    try:
        Webhook(secret).verify(base64.b64decode(entry["body"]), entry["headers"])
    except WebhookVerificationError:
        return False
    return True


class SignatureTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver(keep_requests=True)
        self.hookd.ask("subscribers", "create", "acme")

    def create(self, path, *flags, **behaviour):
        """The endpoint's id and its secret."""
        command = ("endpoints", "create", "--subscriber", "acme", "--url", self.receiver.url(path))
        created = self.hookd.ask(*command, "--backoff", "100ms:1s", "--rate-limit", "0", *flags)
        self.receiver.set(path, secret=created["signing_secret"], **behaviour)
        return created["endpoint"]["id"], created["signing_secret"]

    def publish(self, payloads):
        command = ("events", "publish", "--subscriber", "acme", "--type", "message:in:new", "--payload-file", "-")
        for payload in payloads:
            self.hookd.ask(*command, input=payload)
        wait_for(lambda: self.hookd.pending() == 0, "all deliveries to end")

    def test_every_request_verifies_and_carries_the_published_bytes(self):
        secret_file = self.space.folder / "secret"
        secret_file.write_text(GIVEN_SECRET + "\n", encoding="ascii")
        _, made = self.create("/made")
        _, given = self.create("/given", "--signing-secret-file", secret_file)
        self.assertEqual(given, GIVEN_SECRET)
        self.assertNotEqual(made, given)
        self.publish(PAYLOADS)
        for path, secret, other in (("/made", made, given), ("/given", given, made)):
            entries = self.receiver.ledger.entries(path)
            self.assertEqual([base64.b64decode(entry["body"]) for entry in entries], PAYLOADS)
            for entry in entries:
                self.assertTrue(accepts(secret, entry), f"{path} {entry['headers']} does not verify")
                self.assertFalse(accepts(other, entry), "another endpoint's secret must not verify")

    def test_each_attempt_is_signed_anew(self):
        _, secret = self.create("/retried", refuse_every=1, refuse_attempts=2)
        self.publish(PAYLOADS[:2])
        entries = self.receiver.ledger.entries("/retried")
        self.assertEqual([entry["attempt"] for entry in entries], [1, 2, 3, 1, 2, 3])
        self.assertEqual(len({entry["id"] for entry in entries}), 2, "retries keep the webhook-id")
        for entry in entries:
            self.assertTrue(accepts(secret, entry))

    def test_what_was_changed_on_the_way_does_not_verify(self):
        _, secret = self.create("/changed")
        self.publish([b'{"amount":100}'])
        (entry,) = self.receiver.ledger.entries("/changed")
        self.assertTrue(accepts(secret, entry))
        body = base64.b64encode(b'{"amount":900}').decode()
        self.assertFalse(accepts(secret, entry | {"body": body}))
        for header in ("webhook-id", "webhook-timestamp"):
            value = entry["headers"][header]
            changed = value[:-1] + ("1" if value[-1] != "1" else "2")
            self.assertFalse(accepts(secret, entry | {"headers": entry["headers"] | {header: changed}}), header)

    def test_a_new_secret_signs_what_is_sent_after_its_answer(self):
        endpoint, old = self.create("/rotated")
        self.publish([b'{"signed":"with the old one"}'])
        self.receiver.set("/rotated", secret=GIVEN_SECRET)
        changed = self.hookd.hookctl("endpoints", "update", endpoint, "--signing-secret-file", "-", input=GIVEN_SECRET)
        self.assertEqual((changed.code, changed.err), (0, ""))
        self.assertNotIn(GIVEN_SECRET.removeprefix("whsec_"), changed.out, "reads never show a secret")
        self.publish([b'{"signed":"with the new one"}'])
        first, second = self.receiver.ledger.entries("/rotated")
        self.assertTrue(accepts(old, first))
        self.assertTrue(accepts(GIVEN_SECRET, second))
        self.assertFalse(accepts(old, second))


if __name__ == "__main__":
    harness.main()
