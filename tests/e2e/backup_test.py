"""Backups of a hookd that works, and what a hookd on the restored folder does."""

import re
import resource
import signal
import subprocess
import time

import harness
from harness import Account, wait_for
from load import Load

OK, REFUSED, START_REFUSED = 0, 1, 1
FAST = ("--backoff", "100ms:500ms:0.1", "--rate-limit", "0", "--max-retries", "1000")
PATHS = {"/ordered": "ordered", "/refusing": "refusing", "/parallel": "parallel"}
SLOW = "256KiB"  # per second: a backup of these tests takes seconds


class BackupTest(harness.TestCase):
    def start(self, **settings):
        self.backups = self.space.folder / "backups"
        backup = {"folder": self.backups, **settings}
        self.hookd = self.space.hookd(backup=backup).start()
        self.receiver = self.space.receiver()

    def hookd_program(self, *arguments):
        command = [str(part) for part in (harness.bin_dir / "hookd", *arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=harness.PATIENCE_S, check=False)

    def run_now(self):
        return self.hookd.ask("backup", "status")

    def restart_with_rate(self, rate):
        self.assertEqual(self.hookd.terminate(), OK)
        self.hookd.settings["backup"]["rate"] = rate
        self.hookd.start()

    def backup(self):
        """Makes one, and returns what the list says of it."""
        done = self.hookd.ask("backup", "create", "--wait")
        self.assertEqual(done.get("error", ""), "")
        newest = self.hookd.ask("backup", "list")["backups"][-1]
        self.assertEqual(newest["id"], done["id"])
        return newest

    def restored(self, backup="latest", name="restored", *flags):
        """A hookd on a folder that was made from it, not started."""
        hookd = self.space.hookd(name, backup={"folder": self.backups})
        done = self.hookd.hookctl("backup", "restore", backup, "--from", self.backups, "--to", hookd.data, *flags)
        self.assertEqual(done.code, OK, done.err)
        self.assertIn(f"restored into {hookd.data}: backup ", done.out)
        return hookd

    def make_endpoints(self):
        self.endpoints = {}
        for path, subscriber in PATHS.items():
            self.hookd.ask("subscribers", "create", subscriber)
            mode = ("--mode", "parallel", "--max-in-flight", "8") if path == "/parallel" else ()
            refusals = {} if path == "/ordered" else {"refuse_every": 10, "refuse_attempts": 1}
            self.endpoints[path] = self.hookd.create_endpoint(
                self.receiver, subscriber, path, *mode, *FAST, **refusals)
        # Nothing of this one has been delivered when the backup is made.
        self.hookd.ask("subscribers", "create", "paused")
        self.endpoints["/paused"] = self.hookd.create_endpoint(self.receiver, "paused", "/paused", *FAST)
        self.hookd.ask("endpoints", "pause", self.endpoints["/paused"])

    def test_taken_under_load_and_restored(self):
        self.start(rate=SLOW)
        self.make_endpoints()
        names = {path: path[1:] for path in self.endpoints}
        ledger = self.receiver.ledger
        with Load(self.hookd, list(names.values())) as load:
            wait_for(lambda: len(ledger.entries()) > 300, "a load")
            before = load.snapshot()
            load.slowest_s = 0.0
            first = self.backup()
            during = load.snapshot()
            slowest = load.slowest_s
            at_most = {name: len(load.published[name]) for name in names.values()}
            wait_for(lambda: len(ledger.entries()) > 300 + sum(during.values()), "more load")
        took = self.run_now()["duration"]
        self.assertGreater(sum(during.values()), sum(before.values()) + 50, "events were accepted meanwhile")
        self.assertLess(slowest, 5, "no publish waited for the backup")
        print(f"backup of {took} under load: {sum(during.values()) - sum(before.values())} events meanwhile, "
              f"the slowest was answered within {slowest * 1000:.0f} ms")
        self.hookd.kill()  # the machine is gone
        self.receiver.settle()
        old = len(ledger.entries())

        new = self.restored(first["id"], "restored", "--paused")
        for path in PATHS:
            self.receiver.set(path, refuse_every=0)
        new.start()
        status = new.ask("status")
        self.assertGreaterEqual(int(status["last_commit"]), int(first["last_commit"]))
        self.assertEqual((status["paused"], status["pause_reason"]), (True, f"restored from backup {first['id']}"))
        self.assertGreater(new.pending(), 0)
        self.assertEqual(len(ledger.entries()), old, "it is looked at before anything is sent")
        new.ask("resume")
        paused = new.ask("endpoints", "get", self.endpoints["/paused"])
        self.assertTrue(paused["paused"])
        new.ask("endpoints", "resume", self.endpoints["/paused"])
        wait_for(lambda: new.pending() == 0, "everything to be delivered")
        earlier, later = ledger.entries()[:old], ledger.entries()[old:]
        for path, name in names.items():
            with self.subTest(path=path):
                self.judge(new, path, load.published[name], before[name], at_most[name],
                           [entry for entry in earlier if entry["path"] == path],
                           [entry for entry in later if entry["path"] == path])
        self.judge_idempotency(new, load, before, at_most)
        self.assertEqual(new.terminate(), OK)

    def judge(self, hookd, path, published, acknowledged, at_most, earlier, later):
        number_of = {harness.sha256(payload): n for n, payload in enumerate(published)}
        was, now = Account(earlier), Account(later)
        self.assertEqual((was.unverified, now.unverified), (0, 0))
        arrived = {number_of[entry["sha256"]] for entry in was.accepted + now.accepted}
        self.assertEqual(set(range(acknowledged)) - arrived, set(), "acknowledged before the backup, but lost")
        # The epochs tell the two apart, and each number is the same event in both.
        self.assertEqual({entry["sequence"].split(".")[0] for entry in earlier} - {"1"}, set())
        self.assertEqual({entry["sequence"].split(".")[0] for entry in later} - {"2"}, set())
        for sequence, digest in now.sha256.items():
            self.assertEqual(was.sha256.get(sequence, digest), digest, f"sequence {sequence} is another event")
        # What the restored folder holds is a beginning of what was published: in order, without a gap.
        listed = hookd.ask("deliveries", "list", "--endpoint", self.endpoints[path], "--limit", "100000")["deliveries"]
        self.assertEqual({delivery["state"] for delivery in listed}, {"DELIVERY_STATE_SUCCEEDED"})
        kept = sorted(int(delivery["sequence"]) for delivery in listed)
        self.assertEqual(kept, list(range(1, len(kept) + 1)))
        self.assertGreaterEqual(len(kept), acknowledged)
        self.assertLessEqual(len(kept), at_most)
        self.assertLess(len(kept), len(published), "what came after the backup is absent")
        digests = {**was.sha256, **now.sha256}
        self.assertEqual([number_of[digests[sequence]] for sequence in kept], list(range(len(kept))))
        if path != "/parallel" and later:
            sent = [int(entry["sequence"].split(".")[1]) for entry in later]
            self.assertEqual(sent, list(range(sent[0], len(kept) + 1)), "in order, each once")

    def judge_idempotency(self, hookd, load, before, at_most):
        def publish(number):
            answer = hookd.ask("events", "publish", "--subscriber", "ordered", "--type", "t", "--idempotency-key",
                               str(number), "--payload", load.published["ordered"][number])
            return answer.get("duplicate", False)

        self.assertTrue(publish(before["ordered"] - 1), "its key came with the backup")
        self.assertFalse(publish(len(load.published["ordered"]) - 1), "it is absent, and so is its key")

    def test_killed_during_a_backup(self):
        self.start()
        self.make_endpoints()
        with Load(self.hookd, ["ordered"]) as load:
            wait_for(lambda: load.count() > 800, "a load")
        whole = self.backup()
        self.restart_with_rate("64KiB")
        for _ in range(3):
            with Load(self.hookd, ["ordered", "parallel"]):
                already = self.hookd.ask("backup", "create")
                self.assertTrue(already["running"])
                busy = self.hookd.hookctl("backup", "create")
                self.assertEqual(busy.code, REFUSED)
                self.assertIn("a backup or a verification runs", busy.err)
                wait_for(lambda: int(self.run_now().get("bytes", 0)) > 50_000, "the backup to be under way")
                self.hookd.kill()  # publishing goes on, without an answer
                self.hookd.start()
            (listed,) = self.hookd.ask("backup", "list")["backups"]
            self.assertEqual(listed, whole)
        self.restart_with_rate("64MiB")
        checked = self.hookd.ask("backup", "verify", whole["id"], "--wait")
        self.assertEqual((checked.get("error", ""), checked["id"]), ("", whole["id"]))
        after = self.backup()
        self.assertEqual(self.hookd.ask("backup", "verify", "--wait")["id"], after["id"])
        left = [path.name for path in self.backups.rglob("*") if path.name.endswith(".tmp")]
        self.assertEqual(left, [], "what was cut off is gone")
        wait_for(lambda: self.hookd.pending() == 0, "everything to be delivered")
        self.assertEqual(self.hookd.terminate(), OK)
        for number, backup in enumerate((whole, after)):
            restored = self.restored(backup["id"], f"restored-{number}").start()
            wait_for(lambda hookd=restored: hookd.pending() == 0, "everything to be delivered")
            self.assertEqual(restored.terminate(), OK)

    def test_a_stop_does_not_wait_for_a_backup(self):
        self.start(rate="64KiB")
        self.make_endpoints()
        with Load(self.hookd, ["ordered", "parallel"]) as load:
            wait_for(lambda: load.count() > 1000, "a load")
        self.hookd.ask("backup", "create")
        wait_for(lambda: int(self.run_now().get("bytes", 0)) > 50_000, "the backup to be under way")
        began = time.monotonic()
        self.assertEqual(self.hookd.terminate(), OK)
        self.assertLess(time.monotonic() - began, 20)
        self.hookd.start()
        self.assertEqual(self.hookd.ask("backup", "list")["backups"], [])

    def test_by_itself_in_intervals(self):
        self.start(every="1s", keep=2)
        self.hookd.ask("subscribers", "create", "acme")
        listed = wait_for(lambda: [backup["id"] for backup in self.hookd.ask("backup", "list").get("backups", [])
                                   if int(backup["id"]) > 3], "a fourth backup")
        self.assertLessEqual(len(self.hookd.ask("backup", "list")["backups"]), 2)
        self.assertIn("backup.made", self.hookd.log_tail())
        metrics = dict(re.findall(r"^(hookd_backup\w+) (\S+)$", self.hookd.get("/metrics")[1], re.MULTILINE))
        self.assertEqual(metrics["hookd_backup_interval_seconds"], "1")
        self.assertGreaterEqual(float(metrics["hookd_backups_made_total"]), listed[-1])
        self.assertEqual(metrics["hookd_backups_failed_total"], "0")
        self.assertLess(abs(float(metrics["hookd_backup_last_success_timestamp_seconds"]) - time.time()), 60)
        self.assertGreater(float(metrics["hookd_backup_last_bytes"]), 0)

    def test_a_failure_is_told_and_counted(self):
        self.start()
        self.backups.mkdir()
        (self.backups / "notes.txt").write_text("mine", encoding="utf-8")
        done = self.hookd.hookctl("backup", "create", "--wait")
        self.assertEqual(done.code, REFUSED)
        self.assertIn("not empty", done.out)
        self.assertIn("hookd_backups_failed_total 1\n", self.hookd.get("/metrics")[1])
        self.assertIn("backup.failed", self.hookd.log_tail())

    def test_what_is_refused(self):
        self.start()
        self.hookd.ask("subscribers", "create", "acme")
        for command in (("backup", "verify"), ("backup", "verify", "7")):
            done = self.hookd.hookctl(*command)
            self.assertEqual(done.code, REFUSED)
            self.assertIn("NOT_FOUND", done.err)
        self.backup()
        self.assertEqual(self.hookd.hookctl("backup", "restore", "1").code, 2)
        taken = self.hookd.hookctl("backup", "restore", "1", "--from", self.backups, "--to", self.hookd.data)
        self.assertEqual(taken.code, START_REFUSED)
        self.assertIn("is not empty", taken.err)
        unknown = self.hookd.hookctl("backup", "restore", "9", "--from", self.backups, "--to", self.space.folder / "x")
        self.assertEqual(unknown.code, START_REFUSED)
        self.assertIn("there is no backup 9: there are 1", unknown.err)
        listed = self.hookd_program("--list-backups", "--backup-folder", self.backups)
        self.assertEqual(listed.returncode, OK)
        self.assertRegex(listed.stdout, r"^1  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  \d+ bytes  commit \d+  format 1  hookd ")

        table = next(path for path in sorted(self.backups.rglob("*")) if path.suffix in (".log", ".sst")
                     and path.stat().st_size > 0)
        content = bytearray(table.read_bytes())
        content[len(content) // 2] ^= 0x40
        table.write_bytes(content)
        damaged = self.hookd.hookctl("backup", "verify", "1", "--wait")
        self.assertEqual(damaged.code, REFUSED)
        self.assertIn(table.name, damaged.out)
        refused = self.hookd.hookctl("backup", "restore", "1", "--from", self.backups, "--to", self.space.folder / "y")
        self.assertEqual(refused.code, START_REFUSED)
        self.assertIn(table.name.split("_")[0], refused.err)

    def test_a_restore_that_was_cut_off(self):
        self.start()
        self.make_endpoints()
        with Load(self.hookd, ["ordered"]) as load:
            wait_for(lambda: load.count() > 200, "a load")
        wait_for(lambda: self.hookd.pending() == 0, "everything to be delivered")
        self.backup()
        self.assertEqual(self.hookd.terminate(), OK)
        new = self.space.hookd("restored", backup={"folder": self.backups})
        command = [harness.bin_dir / "hookd", "--restore-backup", "latest", "--backup-folder", self.backups,
                   "--data-dir", new.data]

        def no_large_files():  # the first one that it writes ends it, as a kill would
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

        cut = subprocess.run(command, capture_output=True, timeout=harness.PATIENCE_S, preexec_fn=no_large_files,
                             check=False)
        self.assertEqual(cut.returncode, -signal.SIGXFSZ)
        left = {path.name for path in new.data.iterdir()}
        self.assertEqual(left, {"RESTORING", "db"})
        new.launch()
        self.assertEqual(new.wait(), START_REFUSED)
        self.assertIn("not a hookd data folder", new.log_tail())
        self.assertEqual({path.name for path in new.data.iterdir()}, left)
        self.assertEqual(subprocess.run(command, capture_output=True, timeout=harness.PATIENCE_S,
                                        check=False).returncode, OK)
        new.start()
        self.assertEqual(new.ask("status")["subscribers"], "4")
        self.assertEqual(new.terminate(), OK)

    def test_not_configured(self):
        hookd = self.space.hookd().start()
        for command in ("create", "list", "verify", "status"):
            done = hookd.hookctl("backup", command)
            self.assertEqual(done.code, REFUSED)
            self.assertIn("FAILED_PRECONDITION: backup.folder: is not configured", done.err)
        self.assertNotIn("hookd_backup", hookd.get("/metrics")[1])
        nowhere = self.space.hookd("nowhere", backup={"every": "1h"}).launch()
        self.assertEqual(nowhere.wait(), START_REFUSED)
        self.assertIn("backup.every: is set, but backup.folder is not", nowhere.log_tail())
        inside = self.space.hookd("inside", backup={"folder": self.space.folder / "inside-data" / "backups"}).launch()
        self.assertEqual(inside.wait(), START_REFUSED)
        self.assertIn("backup.folder: and data_dir lie one in the other", inside.log_tail())


if __name__ == "__main__":
    harness.main()
