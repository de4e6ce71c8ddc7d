"""SIGHUP: what acts at once, what waits for a restart, what is refused, and a rotated log."""

import json
import os
import signal

import harness
from harness import wait_for


class ReloadTest(harness.TestCase):
    def lines(self, path, event):
        if not path.exists():
            return []
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [entry for entry in entries if entry["event"] == event]

    def reload(self, **settings):
        self.hookd.settings.update(settings)
        self.hookd.write_config()
        os.kill(self.hookd.process.pid, signal.SIGHUP)

    def test_a_reload_changes_what_it_can_and_says_what_it_cannot(self):
        log = self.space.folder / "hookd.jsonl"
        self.hookd = self.space.hookd(log={"level": "info", "file": str(log)}).start()
        self.hookd.ask("subscribers", "create", "acme")

        rotated = log.with_suffix(".1")
        log.rename(rotated)
        self.reload(log={"level": "warn", "file": str(log)}, intake={"bytes": "32MiB"})
        restart = wait_for(lambda: self.lines(log, "config.restart"), "the new file to have a line")
        self.assertIn("intake.bytes", restart[0]["message"])
        self.assertEqual(self.lines(rotated, "config.restart"), [], "the old file is closed")
        self.assertEqual(self.lines(log, "config.reloaded"), [], "info is below the new level")

        self.reload(log={"level": "info", "file": str(log)}, intake={})
        reloaded = wait_for(lambda: self.lines(log, "config.reloaded"), "the level to be back")
        self.assertEqual(reloaded[0]["message"], "log.level")

        self.hookd.config.write_text("retention: {pending: soon}\n", encoding="utf-8")
        os.kill(self.hookd.process.pid, signal.SIGHUP)
        refused = wait_for(lambda: self.lines(log, "config.refused"), "the refusal")
        self.assertIn("retention.pending", refused[0]["message"])
        self.hookd.ask("subscribers", "get", "acme")
        self.hookd.write_config()
        self.assertEqual(self.hookd.terminate(), 0)


if __name__ == "__main__":
    harness.main()
