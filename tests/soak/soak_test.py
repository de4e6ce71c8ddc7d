"""A mixed load for a long time, with receivers that misbehave at times: soak_test.py [--bin FOLDER].

HOOKD_SOAK_SECONDS (20) says how long: half an hour in the long form. Memory, descriptors, threads, disk and latency are
sampled all the while. The first quarter is the warm-up; the median of the last quarter is compared with that of the
second. HOOKD_REPORT names a file for what was found, with every sample.
"""

import json
import math
import os
import pathlib
import random
import re
import statistics
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent / "crash")]

import harness
from books import Book, Faults, Reader
from calls import Calls, Gate
from harness import wait_for
from operators import Backer, Editor, Recoverer, Rotator, Steerer
from publishers import Publisher

SECONDS = float(os.environ.get("HOOKD_SOAK_SECONDS", "20"))
SAMPLES = 400  # at most; a sample every second at least
LONG_S = 600  # from then on growth is judged: before, caches still fill
# What may grow from the second quarter to the last.
MEMORY_GROWTH = 0.05
DESCRIPTOR_GROWTH = 8
THREAD_GROWTH = 4
FAST = ("--backoff", "100ms:1s:0.1", "--rate-limit", "0", "--max-retries", "1000", "--timeout", "1s")
ENDPOINTS = {
    "healthy": ("ordered", 1, ()),
    "moody": ("parallel", 8, ("--mode", "parallel", "--max-in-flight", "8")),
    "keyed": ("keyed", 8, ("--mode", "keyed", "--max-in-flight", "8")),
    "steered": ("ordered", 1, ()),
    "rotated": ("parallel", 8, ("--mode", "parallel", "--max-in-flight", "8")),
    "recovered": ("parallel", 8, ("--mode", "parallel", "--max-in-flight", "8", "--max-retries", "1")),
}
PAUSES = {"healthy": 0.02}  # of the publishers, in seconds
MOODS = ({}, {"refuse_every": 1, "refuse_attempts": 1_000_000}, {"delay_ms": 300}, {"hold": True},
         {"refuse_every": 2, "refuse_attempts": 3, "refuse_status": 429})
EVEN = {"refuse_every": 0, "refuse_attempts": 1, "refuse_status": 503, "delay_ms": 0, "hold": False}


class TimedBook(Book):
    """Knows how long its events took."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.latencies = []  # in ms, since they were last taken
        self._sent = {}

    def publish(self, payload, key=""):
        self._sent[harness.sha256(payload)] = time.time()
        super().publish(payload, key)

    def note(self, entry):
        super().note(entry)
        sent = self._sent.pop(entry["sha256"], None)
        if sent is not None:
            self.latencies.append((entry["time"] - sent) * 1000)

    def take_p99(self):
        taken, self.latencies = sorted(self.latencies), []
        return taken[math.ceil(len(taken) * 0.99) - 1] if taken else None


class SoakTest(harness.TestCase):
    def test_nothing_grows(self):
        self.faults = Faults()
        self.chance = random.Random(1)
        began = time.monotonic()
        self.set_up()
        try:
            samples = self.run_load()
            self.end()
        except BaseException:
            self.gate.end()
            self.stop_moods.set()
            raise
        figures = self.judge(samples)
        self.report(samples, figures, time.monotonic() - began)
        self.assertEqual(self.faults.texts, [])

    def set_up(self):
        self.hookd = self.space.hookd(
            backup={"folder": self.space.folder / "backups", "keep": 2, "rate": "64MiB"}, log={"level": "warn"},
            storage={"wal_bytes": "16MiB", "block_cache": "8MiB", "ballast": "0B"}).start()
        self.receiver = self.space.receiver()
        self.look = Calls(self.hookd)
        self.addCleanup(self.look.close)
        self.books = {}
        for name, (mode, in_flight, flags) in ENDPOINTS.items():
            book = TimedBook(name, mode, in_flight, self.faults)
            self.hookd.ask("subscribers", "create", name)
            # A later flag of the same name does not count twice: the last one is taken out.
            merged = FAST if "--max-retries" not in flags else FAST[:4] + FAST[6:]
            book.endpoint = self.hookd.create_endpoint(self.receiver, name, book.path, *merged, *flags)
            self.books[name] = book
        self.books["recovered"].remade = True
        self.receiver.set("/recovered", refuse_every=5, refuse_attempts=2)
        self.reader = Reader(self.receiver, self.books.values())
        self.gate = Gate()
        self.publishers = [Publisher(self.hookd, book, self.gate, number, PAUSES.get(name, 0.03))
                           for number, (name, book) in enumerate(self.books.items())]
        self.operators = [Steerer(self.hookd, 1, self.books["steered"]), Rotator(self.hookd, 2, self.books["rotated"],
                          self.receiver), Recoverer(self.hookd, 3, self.books["recovered"]), Backer(self.hookd, 4),
                          Editor(self.hookd, 5, self.books["moody"])]
        for operator, pause_s in zip(self.operators, (0.5, 1, 2, 10, 0.5)):
            operator.pause_s = pause_s
            operator.start()
        self.stop_moods = threading.Event()
        self.moods = threading.Thread(target=self.change_moods)
        self.moods.start()

    def change_moods(self):
        while not self.stop_moods.wait(max(0.5, SECONDS / 120)):
            self.receiver.set("/moody", **(EVEN | self.chance.choice(MOODS)))

    def run_load(self):
        samples = []
        ends = time.monotonic() + SECONDS
        began = time.monotonic()
        every = max(1.0, SECONDS / SAMPLES)
        while time.monotonic() < ends:
            next_one = began + (len(samples) + 1) * every
            while time.monotonic() < next_one:
                self.alive()
                self.reader.read()
                self.stop_moods.wait(0.05)
            samples.append(self.sample(time.monotonic() - began))
        return samples

    def alive(self):
        if self.hookd.process.poll() is not None:
            raise harness.Failure(f"hookd ended with {self.hookd.process.returncode}:\n{self.hookd.log_tail()}")
        for actor in (*self.publishers, *self.operators):
            if actor.refused:
                raise harness.Failure(actor.refused)

    def sample(self, second):
        folder = pathlib.Path(f"/proc/{self.hookd.process.pid}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        metrics = dict(re.findall(r"^(hookd_\w+) (\S+)$", self.hookd.get("/metrics")[1], re.MULTILINE))
        files = float(metrics["hookd_database_table_files"]) + float(metrics["hookd_database_blob_files"])
        disk = sum(path.stat().st_blocks * 512 for path in self.hookd.data.rglob("*") if path.is_file())
        return {"s": round(second, 1), "memory_mib": int(status["VmRSS"].split()[0]) / 1024,
                "descriptors": len(list((folder / "fd").iterdir())) - files, "database_files": files,
                "threads": int(status["Threads"]), "disk_mib": disk / (1 << 20),
                "pending": float(metrics["hookd_pending_deliveries"]), "p99_ms": self.books["healthy"].take_p99(),
                "arrived": self.reader.arrived}

    def end(self):
        """Publishing stops, and everything arrives."""
        for publisher in self.publishers:
            publisher.stop()
        for operator in self.operators:
            operator.finish(killed=False)
        self.stop_moods.set()
        self.moods.join()
        self.alive()
        self.operators[0].release(self.look)
        for path in ("/moody", "/recovered"):
            self.receiver.set(path, **EVEN)

        def drained():
            self.reader.read()
            return int(self.look.ask("OperationsService/GetStatus").get("pendingDeliveries", 0)) == 0

        wait_for(drained, "all deliveries to end", 4 * harness.PATIENCE_S)
        self.hookd.ask("jobs", "recover", "--endpoint", self.books["recovered"].endpoint, "--rate", "100000", "--wait")
        wait_for(drained, "what was recovered to arrive")
        for book in self.books.values():
            if book.open:
                book.fault(f"{len(book.open)} acknowledged events never arrived")
        if self.hookd.terminate() != 0:
            self.faults.add("the stop was no orderly one")

    def judge(self, samples):
        """The growth from the second quarter to the last, by the medians."""
        quarter = len(samples) // 4
        second, last = samples[quarter:2 * quarter], samples[-quarter:]

        def grown(what):
            before, after = (statistics.median(sample[what] for sample in part) for part in (second, last))
            return before, after - before

        memory, more = grown("memory_mib")
        growth = more / memory
        descriptors, threads = grown("descriptors")[1], grown("threads")[1]
        p99 = [sample["p99_ms"] for sample in samples[quarter:] if sample["p99_ms"] is not None]
        if SECONDS >= LONG_S:
            if growth > MEMORY_GROWTH:
                self.faults.add(f"memory grew by {growth:.1%}, from {memory:.0f} MiB by {more:.0f}")
            if descriptors > DESCRIPTOR_GROWTH:
                self.faults.add(f"{descriptors:.0f} more descriptors than in the second quarter")
            if threads > THREAD_GROWTH:
                self.faults.add(f"{threads:.0f} more threads than in the second quarter")
        return [{"name": "memory growth", "value": round(100 * growth, 2), "unit": "%"},
                {"name": "descriptors growth", "value": descriptors, "unit": ""},
                {"name": "threads growth", "value": threads, "unit": ""},
                {"name": "memory, last quarter", "value": round(memory + more, 1), "unit": "MiB"},
                {"name": "p99 of the healthy endpoint, median of the samples", "value": round(statistics.median(p99), 2),
                 "unit": "ms"},
                {"name": "p99 of the healthy endpoint, worst sample", "value": round(max(p99), 2), "unit": "ms"}]

    def report(self, samples, figures, seconds):
        counts = {"minutes": round(SECONDS / 60, 1), "samples": len(samples), "requests": self.reader.arrived,
                  "events acknowledged": sum(len(book.acknowledged) for book in self.books.values()),
                  "attempts refused": sum(book.refused for book in self.books.values())}
        print(f"{seconds:.0f} s, " + ", ".join(f"{name} {count}" for name, count in counts.items()))
        print(", ".join(f"{figure['name']} {figure['value']} {figure['unit']}".rstrip() for figure in figures))
        if "HOOKD_REPORT" not in os.environ:
            return

        def plot(name, title, **lines):
            return {"name": name, "title": title, "x": "seconds", "lines": {
                label: [[sample["s"], sample[key]] for sample in samples if sample[key] is not None]
                for key, label in lines.items()}}

        series = [plot("memory", "resident memory, MiB", memory_mib="hookd"),
                  plot("descriptors", "descriptors and threads", descriptors="descriptors, without the database's files",
                       database_files="the database's files", threads="threads"),
                  plot("disk", "data folder, MiB", disk_mib="on disk"),
                  plot("latency", "publish to the healthy receiver, p99 in ms", p99_ms="p99")]
        report = {"name": "soak", "tried": 1, "found": self.faults.count, "seconds": round(seconds), "counts": counts,
                  "figures": figures, "series": series, "faults": self.faults.texts}
        pathlib.Path(os.environ["HOOKD_REPORT"]).write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    harness.main()
