"""hookd under a supervisor that speaks systemd's protocol."""

import os
import re
import socket
import subprocess
import unittest

import common
import harness

WATCHDOG_S = 1


class SupervisorTest(harness.TestCase):
    def start(self, **environment):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        path = self.space.folder / "notify"
        self.socket.bind(str(path))
        self.socket.settimeout(harness.PATIENCE_S)
        self.hookd = self.space.hookd(storage={"ballast": "0B"})
        self.hookd.write_config()
        with open(self.hookd.log, "wb") as log:
            self.process = self.space.popen(
                harness.bin_dir / "hookd", "--config", self.hookd.config, stdout=subprocess.DEVNULL, stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": str(path)} | environment)

    def next(self):
        return self.socket.recv(4096).decode()

    def test_ready_alive_and_stopping(self):
        self.start(WATCHDOG_USEC=str(WATCHDOG_S * 1_000_000))
        ready = self.next()
        self.assertTrue(ready.startswith("READY=1\n"), ready)
        self.hookd.http = re.search(r"http (127\.0\.0\.1:\d+)", ready).group(1)
        self.assertEqual(self.hookd.get("/readyz"), (200, "ready\n"))
        self.socket.settimeout(10 * WATCHDOG_S)
        for _ in range(4):
            self.assertEqual(self.next(), "WATCHDOG=1")
        self.process.terminate()
        harness.wait_for(lambda: self.next().startswith("STOPPING=1\n"), "the stop")
        self.assertEqual(self.process.wait(harness.PATIENCE_S), 0)

    def test_without_a_watchdog_it_is_silent(self):
        self.start()
        self.assertTrue(self.next().startswith("READY=1\n"))
        self.process.terminate()
        self.assertTrue(self.next().startswith("STOPPING=1\n"))
        self.assertEqual(self.process.wait(harness.PATIENCE_S), 0)

    def test_what_cannot_start_is_never_ready(self):
        self.start()
        self.assertTrue(self.next().startswith("READY=1\n"))
        second = self.space.popen(harness.bin_dir / "hookd", "--config", self.hookd.config, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL,
                                  env=os.environ | {"NOTIFY_SOCKET": self.socket.getsockname()})
        self.assertEqual(second.wait(harness.PATIENCE_S), 1)  # the folder is in use
        self.socket.settimeout(0)
        with self.assertRaises(BlockingIOError):
            self.next()


class UnitTest(unittest.TestCase):
    def test_the_unit_gives_the_drain_its_time(self):
        unit = (common.DEPLOY / "systemd/hookd.service").read_text()
        config = (common.ROOT / "config/hookd.default.yaml").read_text()
        deadline = int(re.search(r"^  deadline: (\d+)s$", config, re.MULTILINE).group(1))
        stop = int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE).group(1))
        self.assertGreaterEqual(stop, deadline + 15)
        self.assertIn("\nType=notify\n", unit)


if __name__ == "__main__":
    harness.main()
