"""Every figure that is promised, with its goal. The report looks each up in what the parts have found."""

import dataclasses
import re


NOT_RUN = "not run"
MET, MISSED, NONE = "met", "missed", ""


@dataclasses.dataclass
class Verdict:
    value: str  # in words; NOT_RUN where there is none
    wanted: str
    verdict: str


@dataclasses.dataclass
class Goal:
    """`figure`: of the part's figures the first whose name begins so, as a regular expression; or "count:NAME" of its
    counts; or "tried", "found". `at_least` or `at_most` is for its ratio, where `ratio` says so. With `own` in words, the
    figure comes with a goal that was worked out in its run. Without any of these it is shown without a goal."""

    section: str
    text: str
    part: str
    figure: str
    at_least: float = None
    at_most: float = None
    ratio: bool = False
    unit: str = ""
    own: str = ""

    def judge(self, parts):
        """By the parts' JSON, by name."""
        figure = self._find(parts.get(self.part, {}))
        unit = f" {self.unit}" if self.unit else ""
        at_least, at_most = self.at_least, self.at_most
        if self.own and figure is not None:
            at_most = figure["goal"]
        if at_least is not None:
            wanted = f"≥ {number(at_least)}{unit}"
        elif at_most is not None:
            wanted = f"≤ {number(at_most)}{unit}" if at_most else "0"
        else:
            wanted = self.own
        if figure is None:
            return Verdict(NOT_RUN, wanted, NONE)
        value = figure["ratio"] if self.ratio else figure["value"]
        verdict = NONE
        if at_least is not None or at_most is not None:
            verdict = MET if (value >= at_least if at_least is not None else value <= at_most) else MISSED
        return Verdict(f"{number(value)}{unit}", wanted, verdict)

    def _find(self, found):
        if self.figure in ("tried", "found"):
            return {"value": found[self.figure]} if self.figure in found else None
        if self.figure.startswith("count:"):
            counts, name = found.get("counts", {}), self.figure.removeprefix("count:")
            return {"value": counts[name]} if name in counts else None
        for figure in found.get("figures", []):
            if re.match(self.figure, figure["name"]) and ("ratio" in figure or not self.ratio):
                return figure
        return None


def number(value):
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{int(value):,}"


CRASHES, BACKUP, SIZE, ISOLATION, SPEED = (
    "Crashes and faults", "Backup, upgrade, exit", "Size", "Isolation", "Speed")

GOALS = [
    Goal(CRASHES, "SIGKILL at random moments under load", "crash", "tried", at_least=200, unit="kills"),
    Goal(CRASHES, "... acknowledged deliveries lost, order broken, states or counters wrong", "crash", "found", at_most=0),
    Goal(CRASHES, "... duplicates beyond what was in flight", "crash", "count:duplicates beyond the bound", at_most=0),
    Goal(CRASHES, "a recovery killed on its way: deliveries lost or made twice", "job_kill", "found", at_most=0),
    Goal(CRASHES, "power loss, failing, full and rotting disks, clocks, descriptors", "fault", "tried", at_least=200,
         unit="runs"),
    Goal(CRASHES, "... acknowledged and lost, or corrupt and delivered", "fault", "found", at_most=0),
    Goal(CRASHES, "a disk that fills up", "pressure", "found", at_most=0),
    Goal(CRASHES, "lives from a seed", "sim", "tried", at_least=1000, unit="seeds"),
    Goal(CRASHES, "... promises broken", "sim", "found", at_most=0),
    Goal(CRASHES, "data races (ThreadSanitizer)", "tsan", "found", at_most=0),
    Goal(CRASHES, "soak", "soak", "count:minutes", at_least=30, unit="min"),
    Goal(CRASHES, "... growth of memory from the second quarter to the last", "soak", "memory growth", at_most=5, unit="%"),
    Goal(CRASHES, "... growth of descriptors", "soak", "descriptors growth", at_most=8),
    Goal(CRASHES, "... growth of threads", "soak", "threads growth", at_most=4),
    Goal(BACKUP, "backups under load, restored; formats forward and backward", "backup", "found", at_most=0),
    Goal(BACKUP, "stops under load: acknowledgements lost, duplicates", "rolling", "found", at_most=0),
    Goal(SIZE, "memory per idle endpoint", "size", "memory per idle endpoint", at_most=128, unit="B"),
    Goal(SIZE, "memory with everything pending", "size", "memory, and ", unit="MiB"),
    Goal(SIZE, "restart until the first delivery", "size", r"\.\.\. until the first delivery$", at_most=5, unit="s"),
    Goal(SIZE, "end to end at size, of the empty system's", "size", "end to end beside", at_least=0.9, ratio=True),
    Goal(SIZE, "draining at size, of the empty system's", "size", "draining, ", at_least=0.9, ratio=True),
    Goal(SIZE, "publish latency at size, p99", "size", "publish at size, p99", unit="ms"),
    Goal(SIZE, "list latency at size, p99", "size", "list at size, p99", unit="ms"),
    Goal(SIZE, "disk per pending delivery", "size", "disk per pending delivery", unit="B"),
    Goal(SIZE, "disk returned after draining", "size", "disk after draining", ratio=True),
    Goal(SIZE, "write amplification", "size", "write amplification"),
    Goal(SIZE, "a history in one run: throughput of its last tenth, of the first's", "history",
         "history, its last tenth", at_least=0.95, ratio=True),
    Goal(SIZE, "instructions per delivery", "cost", "instructions"),
    Goal(SIZE, "system calls per delivery", "cost", "system calls"),
    *[Goal(ISOLATION, f"healthy p99 beside {text}", "isolation", f"p99 beside: {figure}", unit="ms",
           own="1.5 times alone, or 5 ms above")
      for text, figure in (
          ("10 % black holes", "a tenth black holes"),
          ("10 % that answer in 29 s", "a tenth slow"),
          ("10 % that refuse", "a tenth refusing"),
          ("10 % with bodies without end", "a tenth endless"),
          ("dead endpoints", r"\d+ dead"),
          ("a flooded subscriber of many endpoints", "a flooded subscriber"),
          ("a backlog of 5,000,000", "a backlog"),
          ("a subscriber publishing 100 times its share", "a greedy subscriber"),
          ("an outage of everybody for 10 minutes, and the return", "an outage"))],
    Goal(SPEED, "end to end, of the bare libcurl loop", "speed", "hookd, end to end$", at_least=0.7, ratio=True),
    Goal(SPEED, "CPU per delivery, of the sum of the bare loops", "speed", "hookd, CPU per delivery", at_most=1.25,
         ratio=True),
    Goal(SPEED, "ingest, of the bare RocksDB loop", "speed", "hookd, ingest", at_least=0.7, ratio=True),
    Goal(SPEED, "p99 from publish to receiver at 1,000/s, PARALLEL", "speed", "publish to receiver.*PARALLEL, p99",
         at_most=8, unit="ms"),
    Goal(SPEED, "p99 from publish to receiver at 1,000/s, ORDERED", "speed", "publish to receiver.*ORDERED, p99",
         at_most=8, unit="ms"),
    Goal(SPEED, "receivers that answer after 29 s, in flight at once", "slow", "in flight at once", at_least=15_000),
    Goal(SPEED, "... memory", "slow", "memory", at_most=1024, unit="MiB"),
    Goal(SPEED, "scaling over shards (6 cores or more)", "scaling", "throughput of all cores", ratio=True),
]
