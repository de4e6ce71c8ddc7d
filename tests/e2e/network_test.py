"""The network goes and comes back, and so do the name servers: everything recovers alone, and without a storm.

Runs in a network namespace of its own, with the receivers in a second one. Needs to make them.
"""

import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import harness
from harness import wait_for

INSIDE = "HOOKD_TEST_NAMESPACE"
ENDPOINTS = 40
EVENTS = 8  # of each endpoint
PER_SECOND = 5
BURST = 2
STEP_S, CAP_S = 0.5, 2.0
AWAY_S = 6
BEGUN = time.monotonic()
POLICY = ("--backoff", f"linear:{int(STEP_S * 1000)}ms:{int(CAP_S * 1000)}ms:0.1", "--rate-limit", f"{PER_SECOND}:{BURST}",
          "--timeout", "2s")


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


FIGURES = {"name": "network", "tried": 0, "found": 0, "seconds": 0}


def report(case, failed, arrived, took, peak):
    """Adds the case's figures to the file that HOOKD_REPORT names."""
    FIGURES["tried"] += 1
    FIGURES["seconds"] = round(time.monotonic() - BEGUN, 1)
    FIGURES.update({f"{case}_failed": int(failed), f"{case}_arrived": arrived, f"{case}_seconds": round(took, 2),
                f"{case}_peak_per_second": peak})
    if path := os.environ.get("HOOKD_REPORT"):
        pathlib.Path(path).write_text(json.dumps(FIGURES) + "\n", encoding="utf-8")


class Names(threading.Thread):
    """A name server that knows one address for every name. Silent while it is away."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.away = False
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            query, client = self.socket.recvfrom(2048)
            self.asked += 1
            if self.away:
                continue
            end = query.index(b"\0", 12) + 5
            is_a = query[end - 4 : end - 2] == b"\0\1"
            header = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if is_a else 0, 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(self.address)
            self.socket.sendto(header + query[12:end] + (record if is_a else b""), client)


class NetworkTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        # The other namespace lives as long as this process.
        self.holder = self.space.popen("unshare", "--net", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdin.write(b"\n")
        self.holder.stdin.flush()
        self.assertEqual(self.holder.stdout.readline(), b"\n")
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.holder.pid))
        self.addCleanup(run, "ip", "link", "delete", "near")
        run("ip", "address", "add", "10.77.0.1/24", "dev", "near")
        run("ip", "link", "set", "near", "up")
        self.far("ip", "address", "add", "10.77.0.2/24", "dev", "far")
        self.far("ip", "link", "set", "far", "up")
        self.ledger = self.space.folder / "sink.txt"
        there = ("nsenter", "--target", self.holder.pid, "--net")
        self.sink = self.space.popen(*there, sys.executable, "-B", harness.HERE / "sink.py", "--listen", "10.77.0.2",
                                     "--ledger", self.ledger, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.sink.stdout.readline().removeprefix("sink ready port="))
        self.names = Names("10.77.0.2")

    def far(self, *command):
        run("nsenter", "--target", str(self.holder.pid), "--net", *command)

    def start(self, host):
        self.hookd = self.space.hookd(transport={"dns_servers": f"[{self.names.server}]"},
                                      egress={"allow_loopback": "true", "allow_addresses": "[10.77.0.0/24]"}).start()
        self.hookd.ask("subscribers", "create", "acme")
        self.endpoints = [
            self.hookd.ask("endpoints", "create", "--subscriber", "acme", "--channel", f"c{n}",
                           "--url", f"http://{host.format(n)}:{self.port}/{n}", *POLICY)["endpoint"]["id"]
            for n in range(ENDPOINTS)
        ]

    def publish(self, count):
        lines = [f'{{"subscriber_id":"acme","type":"t","channel":"c{n}","payload":1}}\n'
                 for _ in range(count) for n in range(ENDPOINTS)]
        self.hookd.ask("events", "publish", "--file", "-", input="".join(lines))

    def arrivals(self):
        if not self.ledger.exists():
            return []
        return [float(line.split()[0]) for line in self.ledger.read_text(encoding="utf-8").splitlines()]

    def attempts(self, outcome):
        text = self.hookd.get("/metrics")[1]
        return sum(float(value) for value in
                   re.findall(rf'^hookd_attempts_total{{[^}}]*outcome="{outcome}"[^}}]*}} (\S+)$', text, re.MULTILINE))

    def be_away(self):
        threading.Event().wait(AWAY_S)

    def judge(self, before, back, failed):
        """`before` arrivals came before it; the way is open again since `back`; so many attempts `failed`."""
        wait_for(lambda: self.hookd.pending() == 0, "everything to be delivered")
        arrived = self.arrivals()
        self.assertGreaterEqual(len(arrived), before + EVENTS * ENDPOINTS)
        returned = [at for at in arrived if at >= back]
        peak = max(sum(at <= other < at + 1 for other in returned) for at in returned)
        took = returned[-1] - back
        # While it was away each endpoint had one attempt under way, and waited longer after each.
        most_failed = ENDPOINTS * (AWAY_S / STEP_S)
        report(self.id().rsplit(".test_", 1)[1], failed, len(returned), took, peak)
        print(f"{failed:.0f} attempts failed, {len(returned)} arrived within {took:.1f} s, at most {peak} in a second",
              file=sys.stderr)
        self.assertLessEqual(failed, most_failed)
        self.assertLessEqual(peak, ENDPOINTS * (PER_SECOND + BURST), "each endpoint keeps to its rate")
        self.assertLessEqual(took, CAP_S * 1.1 + EVENTS / PER_SECOND + 10, "within the longest wait and the rate")
        for endpoint in self.endpoints:
            got = self.hookd.ask("endpoints", "get", endpoint)
            self.assertNotIn("disabled", got)
        self.assertEqual(self.hookd.terminate(), 0)

    def test_a_link_goes_down_and_comes_back(self):
        self.start("10.77.0.2")
        self.publish(1)
        wait_for(lambda: self.hookd.pending() == 0, "what came before")
        run("ip", "link", "set", "near", "down")
        self.publish(EVENTS)
        self.be_away()
        failed = self.attempts("local") + self.attempts("connect") + self.attempts("timeout")
        self.assertGreaterEqual(self.attempts("local"), ENDPOINTS, "no way there is our own trouble")
        back = time.monotonic()
        run("ip", "link", "set", "near", "up")
        self.judge(ENDPOINTS, back, failed)

    def test_the_other_side_goes_and_comes_back(self):
        self.start("10.77.0.2")
        self.publish(1)
        wait_for(lambda: self.hookd.pending() == 0, "what came before")
        self.far("ip", "link", "set", "far", "down")
        self.publish(EVENTS)
        self.be_away()
        failed = self.attempts("local") + self.attempts("connect") + self.attempts("timeout")
        self.assertGreaterEqual(failed, ENDPOINTS)
        back = time.monotonic()
        self.far("ip", "link", "set", "far", "up")
        self.judge(ENDPOINTS, back, failed)

    def test_name_servers_go_and_come_back(self):
        self.start("r{}.example")
        self.publish(1)
        wait_for(lambda: self.hookd.pending() == 0, "what came before")
        wait_for(lambda: time.monotonic() > max(self.arrivals()) + 1.5, "what was learnt of names to be forgotten")
        self.names.away = True
        self.publish(EVENTS)
        self.be_away()
        # `name` as long as other names were answered lately.
        failed = self.attempts("local") + self.attempts("name") + self.attempts("timeout")
        self.assertGreaterEqual(failed, ENDPOINTS)
        asked = self.names.asked
        back = time.monotonic()
        self.names.away = False
        self.judge(ENDPOINTS, back, failed)
        # Two tries for each of two families.
        self.assertLessEqual(asked, 4 * (ENDPOINTS * (2 + AWAY_S / STEP_S)))


def main():
    if INSIDE not in os.environ:
        probe = subprocess.run(["unshare", "--net", "unshare", "--net", "true"], capture_output=True, text=True,
                               check=False)
        if probe.returncode != 0:
            print(f"skipped: needs to make network namespaces: {probe.stderr.strip()}")
            return
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-B", *sys.argv])
    run("ip", "link", "set", "lo", "up")
    harness.main()


if __name__ == "__main__":
    main()
