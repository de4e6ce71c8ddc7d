"""Runs what has threads under ThreadSanitizer, and counts its reports: tsan.py [--only NAMES] [--cycles N] [--report FILE].

Builds the preset tsan. A report is a race until it is shown to be none; what the libraries do among themselves is left out
by suppressions.txt, each line with its reason.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "tsan"
# What is built, and how it is run; of hookd itself by the tests that kill it.
TESTS = ("engine_test", "transport_test", "delivery_test", "hostile_test", "oauth2_test", "job_kill_test")
SUMMARY = re.compile(r"^SUMMARY: ThreadSanitizer: (.*)$", re.MULTILINE)


def command_of(name, cycles):
    if name == "crash":
        return ["/usr/bin/python3", "-B", ROOT / "tests/crash/crash_test.py", "--bin", BUILD / "bin"], {
            "HOOKD_CRASH_CYCLES": str(cycles), "HOOKD_UNDER_TSAN": "1"}
    return [BUILD / "tests" / name], {"HOOKD_BIN_DIR": str(BUILD / "bin")}


def run(name, cycles, logs):
    """Exit status, and the summary of each report."""
    argv, environment = command_of(name, cycles)
    for old in logs.glob(f"{name}.*"):
        old.unlink()
    environment["TSAN_OPTIONS"] = (f"suppressions={HERE / 'suppressions.txt'}:ignore_noninstrumented_modules=1:"
                                   f"log_path={logs / name}:exitcode=0:second_deadlock_stack=1:history_size=4")
    code = subprocess.run([str(word) for word in argv], cwd=ROOT, env=os.environ | environment, check=False).returncode
    found = [summary for path in sorted(logs.glob(f"{name}.*"))
             for summary in SUMMARY.findall(path.read_text(encoding="utf-8", errors="replace"))]
    return code, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join((*TESTS, "crash")))
    parser.add_argument("--cycles", type=int, default=3, help="kills of hookd")
    parser.add_argument("--report", type=pathlib.Path)
    options = parser.parse_args()
    names = options.only.split(",")
    targets = ["seen_test"] + [name for name in names if name in TESTS] + (["hookd", "hookctl"] if "crash" in names else [])
    for command in (["cmake", "--preset", "tsan", "--log-level=WARNING"],
                    ["cmake", "--build", "--preset", "tsan", "--target", *targets],
                    ["ctest", "--test-dir", BUILD, "-L", "^tsan$", "--output-on-failure"]):
        subprocess.run(command, cwd=ROOT, check=True)
    logs = BUILD / "reports"
    logs.mkdir(parents=True, exist_ok=True)
    began, failed, counts, faults = time.monotonic(), 0, {}, []
    for name in names:
        code, found = run(name, options.cycles, logs)
        counts[f"{name}: reports"] = len(found)
        faults += [f"{name}: {summary}" for summary in dict.fromkeys(found)]
        failed += code != 0
        print(f"{name}: {'passed' if code == 0 else 'failed'}, {len(found)} reports of ThreadSanitizer", flush=True)
    for fault in faults:
        print(fault)
    if options.report:
        options.report.write_text(json.dumps({
            "name": "tsan", "tried": len(names), "found": len(faults), "seconds": round(time.monotonic() - began),
            "counts": counts, "faults": faults}, indent=2), encoding="utf-8")
    return 1 if failed or faults else 0


if __name__ == "__main__":
    sys.exit(main())
