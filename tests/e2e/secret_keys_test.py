"""The keys that secrets are sealed under at rest: where they come from, and starts without the right one."""

import base64
import contextlib
import os

import harness
from secrets_test import OK, key_file


@contextlib.contextmanager
def environment_with(values):
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]


class KeyTest(harness.TestCase):
    def start_fails(self, hookd):
        hookd.launch()
        self.assertEqual(hookd.wait(), 1)
        return hookd.log.read_text(encoding="utf-8")

    def test_without_a_key_the_start_says_so(self):
        hookd = self.space.hookd().start()
        self.assertIn("secrets.clear", hookd.log.read_text(encoding="utf-8"))
        self.assertEqual(hookd.ask("status")["secrets_key"], "")
        self.assertIn("in clear", hookd.hookctl("status").out)

    def test_a_wrong_key_is_told_and_changes_nothing(self):
        first, second = key_file(self.space, "first"), key_file(self.space, "second")
        hookd = self.space.hookd(secrets={"key_file": first}).start()
        hookd.ask("subscribers", "create", "acme")
        self.assertEqual(hookd.terminate(), OK)
        before = {path: path.read_bytes() for path in hookd.data.rglob("*") if path.is_file()}
        for settings in ({"key_file": second}, {}):
            hookd.settings["secrets"] = settings
            self.assertIn("secrets.old_key_files", self.start_fails(hookd))
        hookd.settings["secrets"] = {"key_file": self.space.folder / "missing"}
        self.assertIn("secrets.key_file", self.start_fails(hookd))
        second.write_text("PLANTED no key\n", encoding="utf-8")
        hookd.settings["secrets"] = {"key_file": second}
        log = self.start_fails(hookd)
        self.assertIn("is not 32 bytes as base64 or hex", log)
        self.assertNotIn("PLANTED", log)
        self.assertEqual({path: path.read_bytes() for path in hookd.data.rglob("*") if path.is_file()}, before)
        hookd.settings["secrets"] = {"key_file": first}
        hookd.start()
        self.assertEqual(hookd.ask("subscribers", "get", "acme")["id"], "acme")

    def test_keys_come_from_the_environment_and_from_systemd(self):
        hookd = self.space.hookd().start()
        made = hookd.hookctl("secrets", "generate-key").out
        self.assertEqual(len(base64.b64decode(made)), 32)
        self.assertNotEqual(made, hookd.hookctl("secrets", "generate-key").out)
        hookd.terminate()
        ids = []
        (self.space.folder / "hookd-key").write_text(base64.b64decode(made).hex(), encoding="utf-8")
        for settings, environment in (
            ({"key_env": "HOOKD_TEST_KEY"}, {"HOOKD_TEST_KEY": made}),
            ({"credential": "hookd-key"}, {"CREDENTIALS_DIRECTORY": str(self.space.folder)}),
        ):
            hookd.settings["secrets"] = settings
            self.assertIn(next(iter(environment)), self.start_fails(hookd))
            with environment_with(environment):
                hookd.start()
            ids.append(hookd.ask("status")["secrets_key"])
            self.assertEqual(hookd.terminate(), OK)
        self.assertEqual(ids[0], ids[1])
        self.assertRegex(ids[0], "^[0-9a-f]{8}$")
        hookd.settings["secrets"] = {"key_env": "A", "key_file": "/x"}
        hookd.launch()
        self.assertEqual(hookd.wait(), 2)
        self.assertIn("secrets.key_file", hookd.log.read_text(encoding="utf-8"))


if __name__ == "__main__":
    harness.main()
