"""A disk that fails below hookd as it is shipped: an fsync that does not work. Needs strace, to make it fail."""

import shutil
import subprocess

import harness
from harness import wait_for

FATAL = 70


class FailingDiskTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.strace = shutil.which("strace")
        if self.strace is None or subprocess.run([self.strace, "true"], capture_output=True, check=False).returncode:
            self.skipTest("needs strace, and to be allowed to trace")

    def publish(self, payload):
        return self.hookd.hookctl("--output", "json", "events", "publish", "--subscriber", "acme", "--type", "t",
                                  "--payload", payload, "--retry-for", "0s")

    def fails_after(self, syncs):
        """hookd acknowledges until the fsync that fails, ends, and the next one has all of that."""
        inject = (self.strace, "-f", "-o", "/dev/null", "-e", "trace=fdatasync",
                  "-e", f"inject=fdatasync:error=EIO:when={syncs}+")
        self.hookd.start(*inject)
        acknowledged = []
        for n in range(1000):
            if self.publish(str(n)).code != 0:
                break
            acknowledged.append(n)
        self.assertLess(len(acknowledged), 1000, "it never failed")
        self.assertEqual(self.hookd.wait(), FATAL, "the supervisor has to start it again")
        self.assertNotEqual(self.publish("9").code, 0)
        self.assertEqual(self.hookd.get("/readyz")[0], 0)
        log = self.hookd.log.read_text(encoding="utf-8")
        self.assertIn('"event":"hookd.fatal"', log)
        self.assertIn("Input/output error", log)
        self.assertIn("hookd: the store failed, restarting:", log)
        self.hookd.start()
        wait_for(lambda: self.hookd.pending() == 0, "everything to be delivered")
        got = {entry["sha256"] for entry in self.receiver.ledger.entries("/hooks")}
        self.assertEqual({n for n in acknowledged if harness.sha256(str(n)) not in got}, set(), "acknowledged, but lost")
        self.assertEqual(self.receiver.ledger.account("/hooks").order_errors(), [])
        self.assertEqual(self.hookd.terminate(), 0)

    def test_nothing_is_acknowledged_after_an_fsync_that_failed(self):
        self.receiver = self.space.receiver()
        self.hookd = self.space.hookd().start()
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.create_endpoint(self.receiver, "acme", "/hooks", "--rate-limit", "0")
        self.assertEqual(self.hookd.terminate(), 0)
        for syncs in (25, 40):
            with self.subTest(syncs=syncs):
                self.fails_after(syncs)


if __name__ == "__main__":
    harness.main()
