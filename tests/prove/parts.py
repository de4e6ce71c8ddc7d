"""The parts of `make prove`: what each runs, and how its figures are read. No part knows of another."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"


@dataclasses.dataclass
class Run:
    """What a part is given: how much of the long form, where the builds are, where it may write."""

    scale: float
    folder: pathlib.Path  # build/prove
    name: str

    def times(self, long_form, least=1):
        return max(least, round(long_form * self.scale))

    def raw(self, name=None):
        """Where a harness writes what it found."""
        path = self.folder / "raw" / f"{name or self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclasses.dataclass
class Command:
    argv: list
    environment: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Part:
    """`commands` are run one after the other, each to its end; one that fails fails the part.

    `read` returns what they found: any of tried, found, counts, figures, faults, series.
    """

    name: str
    what: str
    targets: list  # of the release build, or of `preset`
    commands: typing.Callable
    read: typing.Callable
    preset: str = "release"


class NotRun(Exception):
    """Why a part could not be run here; neither passed nor failed."""


def bin_dir(preset="release"):
    return ROOT / "build" / preset / "bin"


def test_binary(name, preset="release"):
    return ROOT / "build" / preset / "tests" / name


def python_test(path, *arguments, preset="release", **environment):
    return Command([PYTHON, "-B", ROOT / "tests" / path, "--bin", bin_dir(preset), *arguments], environment)


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def harness_report(run):
    """What a harness wrote to HOOKD_REPORT by itself."""
    return read_json(run.raw())


def tests_in_log(run):
    """Of a part that writes no report: how many tests ran, and how many of them failed, as unittest and GoogleTest say."""
    log = (run.folder / "logs" / f"{run.name}.txt").read_text(encoding="utf-8", errors="replace")
    ran = [int(count) for count in re.findall(r"^Ran (\d+) tests? in", log, re.MULTILINE)]
    ran += [int(count) for count in re.findall(r"^\[==========\] (\d+) tests? from .* ran", log, re.MULTILINE)]
    failed = [int(count) for count in re.findall(r"\b(?:failures|errors)=(\d+)", log)]
    failed += [int(count) for count in re.findall(r"^\[  FAILED  \] (\d+) tests?", log, re.MULTILINE)]
    skipped = [int(count) for count in re.findall(r"skipped=(\d+)", log)]
    return {"tried": sum(ran) - sum(skipped), "found": sum(failed), "counts": {"tests": sum(ran), "skipped": sum(skipped)}}


# The benchmarks.

UNITS = {"per_second": "/s", "ms": "ms", "seconds": "s", "mib": "MiB", "bytes": "B", "us": "us", "count": "", "times": "×"}


def figures_of_bench(run):
    """hookd_bench's JSON in the form of the report."""
    figures = []
    for result in read_json(run.raw()).get("results", []):
        key = next(key for key in UNITS if key in result)
        figure = {"name": result["name"], "value": result[key], "unit": UNITS[key]}
        figure |= {key: result[key] for key in ("ratio", "of", "cpu_us_each", "goal") if key in result}
        figures.append(figure)
    if not figures:
        raise NotRun("the benchmark measured nothing here; its log says why")
    return {"figures": figures}


def bench(run, only, **options):
    argv = [bin_dir() / "hookd_bench", "--hookd", bin_dir() / "hookd", "--only", only, "--json", run.raw()]
    for name, value in options.items():
        argv += [f"--{name.replace('_', '-')}", value]
    return Command(argv)


BENCH_TARGETS = ["hookd", "hookd_unguarded", "hookd_bench"]


# The harnesses.

def crash_commands(run):
    kills = run.times(200, 10)
    return [python_test("crash/crash_test.py", HOOKD_CRASH_CYCLES=kills, HOOKD_REPORT=run.raw()),
            python_test("crash/batch_crash_test.py", HOOKD_CRASH_CYCLES=kills)]


def sim_commands(run):
    return [Command([test_binary("sim_test")], {"HOOKD_SIM_SEEDS": run.times(1000, 6), "HOOKD_REPORT": run.raw()})]


def fault_tests():
    """tests/fault names its own: those of CTest's label."""
    listed = subprocess.run(["ctest", "--test-dir", ROOT / "build" / "release", "-N", "-L", "^fault$"],
                            capture_output=True, text=True, check=False).stdout
    return re.findall(r"Test +#\d+: (\w+)", listed)


def fault_commands(run):
    names = fault_tests()
    if not names:
        raise NotRun("there is no tests/fault in this build")
    built = subprocess.run(["cmake", "--build", "--preset", "release", "--target", *names], cwd=ROOT, check=False)
    if built.returncode != 0:
        raise NotRun("tests/fault was not built")
    long_form = {"HOOKD_FAULT_CYCLES": run.times(200, 5), "HOOKD_FAULT_TRIALS": run.times(200, 5),
                 "HOOKD_FAULT_FLIPS": run.times(2000, 50)}
    return [Command([test_binary(name)], long_form | {"HOOKD_REPORT": run.raw(name)}) for name in names]


def read_fault(run):
    """The reports of its files, added up."""
    whole = {"tried": 0, "found": 0, "counts": {}, "faults": []}
    for name in fault_tests():
        one = read_json(run.raw(name))
        whole["tried"] += one.get("tried", 0)
        whole["found"] += one.get("found", 0)
        whole["faults"] += one.get("faults", [])
        for key, count in (one | one.get("counts", {})).items():
            if key not in (*whole, "name", "seconds"):
                whole["counts"][f"{name.removesuffix('_test')}: {key}"] = count
    return whole


def tsan_commands(run):
    return [Command([PYTHON, "-B", ROOT / "tests/tsan/tsan.py", "--report", run.raw(),
                     "--cycles", run.times(20, 3)])]


def soak_commands(run):
    return [python_test("soak/soak_test.py", HOOKD_SOAK_SECONDS=run.times(1800, 60), HOOKD_REPORT=run.raw())]


def cost_commands(run):
    return [python_test("cost/cost_test.py", HOOKD_COST_EVENTS=run.times(20_000, 2000), HOOKD_COST_CALLGRIND=1,
                        HOOKD_REPORT=run.raw())]


PARTS = [
    Part("crash", "SIGKILL at random moments while hookd publishes, delivers, retries, disables, rotates, recovers, "
         "compacts and backs up; a ledger outside is compared after every restart", ["hookd", "hookctl"],
         crash_commands, harness_report),
    Part("fault", "power loss below every fsync, disks that fail and fill, torn logs, flipped bits, clocks that jump, "
         "descriptors that run out", ["hookd", "hookctl"], fault_commands, read_fault),
    Part("sim", "lives of two days from a seed, in virtual time: policies, weather, people, kills, clock jumps",
         ["sim_test"], sim_commands, harness_report),
    Part("job_kill", "a recovery of 100,000 deliveries, killed ten times on its way", ["job_kill_test"],
         lambda run: [Command([test_binary("job_kill_test")], {"HOOKD_JOB_DELIVERIES": run.times(100_000, 20_000)})],
         tests_in_log),
    Part("rolling", "SIGTERM and a new start under load", ["hookd", "hookctl"],
         lambda run: [python_test("e2e/rolling_test.py", HOOKD_ROLLING_ROUNDS=run.times(30, 6))], tests_in_log),
    Part("backup", "backups under load, restored, killed on their way, damaged; and folders of the released formats",
         ["hookd", "hookctl", "rocksdb_store_test"],
         lambda run: [python_test("e2e/backup_test.py"),
                      Command([test_binary("rocksdb_store_test"), "--gtest_filter=*OldFolder*:*Format*"])], tests_in_log),
    Part("pressure", "a disk that fills up", ["hookd", "hookctl"],
         lambda run: [python_test("e2e/pressure_test.py")], tests_in_log),
    Part("tsan", "the engine, the transport and hookd under kills, by ThreadSanitizer", [], tsan_commands,
         harness_report),
    Part("soak", "half an hour of mixed load with receivers that misbehave: memory, descriptors, threads, disk, latency",
         ["hookd", "hookctl"], soak_commands, harness_report),
    Part("cost", "instructions and system calls per delivery", ["hookd", "hookctl"], cost_commands, harness_report),
    Part("speed", "throughput and CPU beside the bare libraries; latency at a steady pace", BENCH_TARGETS,
         lambda run: [bench(run, "throughput,latency", events=run.times(100_000, 10_000), rounds=5 if run.scale >= 1 else 3,
                            seconds=run.times(10, 4))], figures_of_bench),
    Part("size", "a million endpoints, ten thousand of them active, ten million deliveries pending", BENCH_TARGETS,
         lambda run: [bench(run, "size", endpoints=run.times(1_000_000, 10_000), active=run.times(1000, 100) * 10,
                            pending=run.times(10_000_000, 200_000))], figures_of_bench),
    Part("slow", "15,000 receivers that answer after 29 s, all in flight at once", BENCH_TARGETS,
         lambda run: [bench(run, "in-flight", in_flight=run.times(15_000, 500))], figures_of_bench),
    Part("history", "twenty million deliveries of 256 bytes written in one run; pages of lists out of them",
         BENCH_TARGETS, lambda run: [bench(run, "lists", history=run.times(20_000_000, 200_000))], figures_of_bench),
    Part("isolation", "healthy endpoints beside bad neighbours", BENCH_TARGETS,
         lambda run: [bench(run, "isolation", seconds=10 if run.scale >= 1 else 4, backlog=run.times(5_000_000, 100_000),
                            isolation_rounds=5 if run.scale >= 0.1 else 1)], figures_of_bench),
]
