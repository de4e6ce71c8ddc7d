"""hookd runs out of what the machine gives: descriptors, threads. It answers again, and recovers, by itself."""

import os
import pathlib
import resource
import shutil
import socket
import subprocess
import threading

import harness
from harness import wait_for

FAST = ("--backoff", "100ms:500ms:0.1", "--rate-limit", "0")
NOBODY = 54321  # a user of nothing else
SHORT_S = 2
MOST_PROCESSOR = 0.5  # of one core, while it can do nothing


class ShortageTest(harness.TestCase):
    def begin(self, hookd):
        self.hookd = hookd
        self.receiver = self.space.receiver()
        self.hookd.ask("subscribers", "create", "acme")
        self.endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks", *FAST)

    def arrived(self):
        return len(self.receiver.ledger.entries("/hooks"))

    def publish(self):
        return self.hookd.hookctl("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "1",
                                  "--retry-for", "0s")

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.hookd.process.pid}/{name}")

    def processor_s(self):
        fields = self.proc("stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_short(self):
        """Looks at hookd while it can do nothing: it must not spin."""
        before = self.processor_s()
        threading.Event().wait(SHORT_S)
        self.assertIsNone(self.hookd.process.poll(), self.hookd.log_tail())
        self.assertLess(self.processor_s() - before, MOST_PROCESSOR * SHORT_S, "it spins")

    def recovers(self, arrived):
        wait_for(lambda: self.publish().code == 0, "publishes to be accepted again")
        wait_for(lambda: self.hookd.get("/readyz")[0] == 200, "the HTTP port to answer again")
        wait_for(lambda: self.hookd.pending() == 0 and self.arrived() > arrived, "everything to be delivered")
        endpoint = self.hookd.ask("endpoints", "get", self.endpoint)
        self.assertNotIn("disabled", endpoint)

    def test_descriptors(self):
        self.begin(self.space.hookd().start())
        self.assertEqual(self.publish().code, 0)
        wait_for(lambda: self.arrived() == 1, "the first event")
        # Its publisher is connected before there are no descriptors any more.
        stream = self.space.popen(harness.bin_dir / "hookctl", "--server", self.hookd.grpc, "events", "publish",
                                  "--file", "-", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        line = b'{"subscriber_id":"acme","type":"t","payload":2}\n'
        stream.stdin.write(line)
        stream.stdin.flush()
        wait_for(lambda: self.arrived() == 2, "the stream's first event")
        used = max(int(fd.name) for fd in self.proc("fd").iterdir()) + 1
        resource.prlimit(self.hookd.process.pid, resource.RLIMIT_NOFILE,
                         (used + 4, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        idle = []
        for port in (self.hookd.grpc, self.hookd.http) * 10:
            host, number = port.split(":")
            idle.append(socket.create_connection((host, int(number))))
        # An endpoint that was never tried needs a connection of its own.
        stream.stdin.write(line * 5)
        stream.stdin.flush()
        self.is_short()
        for connection in idle:
            connection.close()
        stream.stdin.close()
        self.assertEqual(stream.wait(harness.PATIENCE_S), 0)
        self.recovers(2)
        self.assertEqual(self.hookd.terminate(), 0)

    def test_threads(self):
        setpriv = shutil.which("setpriv")
        if os.geteuid() != 0 or setpriv is None:
            self.skipTest("needs to run hookd as another user")
        hookd = self.space.hookd()
        self.space.folder.chmod(0o777)
        (self.space.folder / "hookd-data").mkdir()
        os.chown(self.space.folder / "hookd-data", NOBODY, NOBODY)
        as_nobody = (setpriv, f"--reuid={NOBODY}", "--clear-groups")
        self.begin(hookd.start(*as_nobody))
        self.assertEqual(self.publish().code, 0)
        wait_for(lambda: self.arrived() == 1, "the first event")
        # Not one more.
        change = [*as_nobody, "prlimit", "--pid", str(hookd.process.pid)]
        most = self.proc("limits").read_text(encoding="ascii").split("Max processes")[1].split()[1]
        subprocess.run([*change, "--nproc=1:"], check=True)
        threads = [threading.Thread(target=self.publish) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIsNone(hookd.process.poll(), hookd.log_tail())
        self.is_short()
        subprocess.run([*change, f"--nproc={most}:"], check=True)
        self.recovers(1)
        # gRPC may wait for a thread that it never got: a stop then takes its supervisor's SIGKILL.
        hookd.kill()
        hookd.start(*as_nobody)
        self.assertEqual(hookd.pending(), 0)
        self.assertEqual(hookd.terminate(), 0)


if __name__ == "__main__":
    harness.main()
