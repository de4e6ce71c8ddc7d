"""What a delivery costs, counted: system calls, and instructions with HOOKD_COST_CALLGRIND=1: cost_test.py [--bin FOLDER].

hookd runs twice, for a few and for many deliveries: what the second does more is what its further deliveries cost. The
count of system calls is watched loosely by `make test`. Instructions take a minute under callgrind; with neither the
kernel's nor the receiver's among them. HOOKD_COST_EVENTS (2000) says how many are many; HOOKD_REPORT names a file.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import harness
from harness import wait_for

MANY = int(os.environ.get("HOOKD_COST_EVENTS", "2000"))
FEW = MANY // 5
WITH_CALLGRIND = os.environ.get("HOOKD_COST_CALLGRIND") == "1"
MAX_SYSTEM_CALLS = 15  # per delivery; twice what it is
ENDPOINTS = 4

figures = []


def may_trace():
    """strace is here, and nothing forbids it to trace."""
    return shutil.which("strace") and subprocess.run(
        ["strace", "-f", "-c", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


class CostTest(harness.TestCase):
    def deliver(self, name, events, wrapper):
        """Runs hookd under `wrapper` for so many deliveries."""
        hookd = self.space.hookd(name, log={"level": "warn"}, storage={"ballast": "0B"})
        hookd.wrapper = wrapper
        hookd.start()
        receiver = self.space.receiver(f"{name}-receiver")
        hookd.ask("subscribers", "create", "acme")
        for number in range(ENDPOINTS):
            hookd.create_endpoint(receiver, "acme", f"/{number}", "--mode", "parallel", "--rate-limit", "0")
        lines = "".join(f'{{"subscriber_id":"acme","type":"t","payload":{{"n":{n},"text":"{"x" * 900}"}}}}\n'
                        for n in range(events // ENDPOINTS))
        self.assertEqual(hookd.ask("events", "publish", "--file", "-", input=lines)["accepted"], events // ENDPOINTS)
        # hookd is not asked meanwhile: its answers cost too.
        wait_for(lambda: len(receiver.ledger.entries()) >= events, "all requests", 10 * harness.PATIENCE_S)
        wait_for(lambda: hookd.pending() == 0, "all deliveries to end", 10 * harness.PATIENCE_S)
        self.assertEqual(hookd.terminate(), 0)
        self.assertEqual(len(receiver.ledger.entries()), events, "each delivery is one attempt")

    def difference(self, few, many):
        return (many - few) / (MANY - FEW)

    @unittest.skipUnless(may_trace(), "strace is not here, or may not trace")
    def test_system_calls(self):
        totals = []
        for name, events in (("few", FEW), ("many", MANY)):
            summary = self.space.folder / f"{name}.strace"
            self.deliver(name, events, ["strace", "-D", "-f", "-c", "-o", summary])
            # The tracer is a process of its own, and ends after hookd.
            wait_for(lambda: summary.exists() and "total" in summary.read_text(encoding="utf-8"), "strace's summary")
            totals.append(calls_of(summary.read_text(encoding="utf-8")))
        each = {call: self.difference(totals[0].get(call, 0), count) for call, count in totals[1].items()}
        total = each.pop("total")
        print(f"{total:.1f} system calls per delivery: " + ", ".join(
            f"{call} {count:.1f}" for call, count in sorted(each.items(), key=lambda one: -one[1]) if count >= 0.1))
        figures.append({"name": "system calls per delivery", "value": round(total, 1), "unit": ""})
        figures.extend({"name": f"of them {call}", "value": round(count, 2), "unit": ""}
                       for call, count in sorted(each.items(), key=lambda one: -one[1])[:8])
        self.assertLess(total, MAX_SYSTEM_CALLS)
        self.assertGreater(total, 2, "a request is sent, and its answer read")

    @unittest.skipUnless(WITH_CALLGRIND, "HOOKD_COST_CALLGRIND=1 counts instructions")
    def test_instructions(self):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is not here")
        totals = []
        for name, events in (("few", FEW), ("many", MANY)):
            out = self.space.folder / f"{name}.callgrind"
            self.deliver(name, events, ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"])
            totals.append(int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(encoding="utf-8"), re.MULTILINE)[1]))
        each = self.difference(*totals)
        print(f"{each:,.0f} instructions per delivery")
        figures.append({"name": "instructions per delivery", "value": round(each), "unit": ""})
        self.assertGreater(each, 1000)


def calls_of(summary):
    """By name, from strace -c: `% time  seconds  usecs/call  calls  [errors]  syscall`."""
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +(?:\d+ +)?(\d+)(?: +\d+)? +(\w+)$", summary, re.MULTILINE)
    return {name: int(count) for count, name in rows}


def tearDownModule():
    if "HOOKD_REPORT" in os.environ:
        whole = {"name": "cost", "tried": MANY, "found": 0, "figures": figures}
        pathlib.Path(os.environ["HOOKD_REPORT"]).write_text(json.dumps(whole, indent=2), encoding="utf-8")


if __name__ == "__main__":
    harness.main()
