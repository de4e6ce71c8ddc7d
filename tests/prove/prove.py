"""Runs the long forms of the harnesses, and writes one report: build/prove/report.md and report.json, with plots.

A part leaves build/prove/NAME.json; the report is made of those that are there, whenever they were run. Ends with 1 if a
part of this run failed; a figure that misses its goal is printed, and fails nothing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import plots
import report
from parts import NotRun, PARTS, ROOT, Run

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "an unknown processor")
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // 1024
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:,} MiB, Linux {os.uname().release}"


def commit():
    return output_of("git", "describe", "--always", "--dirty") or "unknown"


def now():
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime())


class Log:
    """What is run says it here and on the terminal."""

    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "w", encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def run(self, argv, environment=None):
        """The exit status."""
        whole = os.environ | {name: str(value) for name, value in (environment or {}).items()}
        process = subprocess.Popen([str(word) for word in argv], cwd=ROOT, env=whole, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace")
        for line in process.stdout:
            self._file.write(line)
            self._file.flush()
            print(line, end="", flush=True)
        return process.wait()


def build(part, log):
    if not part.targets:
        return 0
    configured = log.run(["cmake", "--preset", part.preset, "--log-level=WARNING"])
    return configured or log.run(["cmake", "--build", "--preset", part.preset, "--target", *part.targets])


def run_part(part, run):
    """Leaves its JSON; returns the status."""
    began = time.monotonic()
    result = {"name": part.name, "date": now(), "commit": commit(), "scale": run.scale}
    for old in run.raw().parent.glob(f"{part.name}.json"):
        old.unlink()
    try:
        with Log(run.folder / "logs" / f"{part.name}.txt") as log:
            if build(part, log) != 0:
                raise OSError("it does not build")
            codes = [log.run(command.argv, command.environment) for command in part.commands(run)]
        result["status"] = PASSED if not any(codes) else FAILED
        result |= {key: value for key, value in part.read(run).items() if key not in ("name", "seconds")}
        if result.get("found"):
            result["status"] = FAILED
    except NotRun as reason:
        print(f"{part.name}: not run, {reason}")
        return NOT_RUN
    except Exception as error:  # whatever one part's trouble is, the others run
        print(f"{part.name}: {error}", file=sys.stderr)
        result |= {"status": FAILED, "faults": [str(error)]}
    result["seconds"] = round(time.monotonic() - began, 1)
    (run.folder / f"{part.name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result["status"]


def write_report(folder, parts):
    found = report.load(folder, [part.name for part in parts])
    drawn = {name: plots.draw(folder, name, one) for name, one in found.items()}
    return report.write(folder, parts, machine(), now(), commit(), drawn)


def main():
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0],
                                     epilog="parts: " + ", ".join(f"{part.name} ({part.what})" for part in PARTS))
    parser.add_argument("--only", default=",".join(names), help="parts to run, with commas; 'none' writes the report alone")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1 = a tenth of the long form; default 1")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build" / "prove")
    options = parser.parse_args()
    only = [] if options.only == "none" else options.only.split(",")
    if unknown := set(only) - set(names):
        parser.error(f"--only: there is no part {', '.join(sorted(unknown))}; use {', '.join(names)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    statuses = {}
    for part in PARTS:
        if part.name in only:
            print(f"== {part.name}: {part.what}", flush=True)
            statuses[part.name] = run_part(part, Run(options.scale, options.folder, part.name))
            write_report(options.folder, PARTS)  # also for whoever stops it on the way
    missed = write_report(options.folder, PARTS)
    print()
    for name, status in statuses.items():
        print(f"{name:10} {status}")
    for figure in missed:
        print(f"missed: {figure}")
    print(f"report: {options.folder / 'report.md'}")
    return 1 if FAILED in statuses.values() else 0


if __name__ == "__main__":
    sys.exit(main())
