"""A disk that fills up: events are refused, deliveries go on, and intake opens again by itself. Needs to mount."""

import shutil
import subprocess

import harness
from harness import wait_for

DISK_MIB = 512
FULL = 0.94  # above storage.disk_high_percent, with room for the database to go on
FAST = ("--backoff", "100ms:1s", "--rate-limit", "0")


class FullDiskTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.disk = self.space.folder / "disk"
        self.disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", self.disk]
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            self.skipTest(f"needs to mount a small disk: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=False)

    def held(self):
        return self.hookd.ask("status").get("intake_closed", "")

    def publish(self):
        return self.hookd.hookctl("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "1")

    def test_intake_is_refused_deliveries_go_on_and_it_recovers_by_itself(self):
        self.receiver = self.space.receiver()
        self.hookd = self.space.hookd(storage={"wal_bytes": "16MiB", "ballast": "0B"})
        self.hookd.data = self.disk / "data"
        self.hookd.start()
        self.hookd.ask("subscribers", "create", "acme")
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks", *FAST)
        self.hookd.ask("endpoints", "pause", endpoint, "--reason", "to have something pending")
        for _ in range(5):
            self.assertEqual(self.publish().code, 0)

        filler = self.disk / "filler"
        total, used, _ = shutil.disk_usage(self.disk)
        filler.write_bytes(b"x" * int(total * FULL - used))
        wait_for(lambda: self.held() == "disk", "hookd to see that the disk is full")
        refused = self.publish()
        self.assertNotEqual(refused.code, 0)
        self.assertIn("intake is held (disk)", refused.err)
        self.assertEqual(self.hookd.get("/readyz")[0], 200, "deliveries need no intake")
        self.hookd.ask("endpoints", "resume", endpoint, "--reason", "")
        wait_for(lambda: self.hookd.pending() == 0, "what was accepted to be delivered")
        self.assertEqual(len(self.receiver.ledger.entries()), 5)

        filler.unlink()
        wait_for(lambda: self.held() == "", "intake to open again")
        self.assertEqual(self.publish().code, 0)
        wait_for(lambda: len(self.receiver.ledger.entries()) == 6, "the next event")
        self.assertEqual(self.hookd.terminate(), 0)
        self.assertIn('"kind":"disk"', self.hookd.log.read_text(encoding="utf-8"))


if __name__ == "__main__":
    harness.main()
