"""SIGKILL at random moments of a busy hookd, again and again: crash_test.py [--bin FOLDER].

HOOKD_CRASH_CYCLES (10) says how often, HOOKD_CRASH_SEED what is done when: the same seed makes the same choices, though
not the same moments. HOOKD_REPORT names a file for what was tried and found.
"""

import collections
import json
import os
import pathlib
import random
import shutil
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import harness
from books import Book, Faults, Reader
from calls import Calls, Gate
from harness import wait_for
from operators import Backer, Editor, Purger, Recoverer, Rotator, Steerer
from publishers import Publisher, Stream

CYCLES = int(os.environ.get("HOOKD_CRASH_CYCLES", "10"))
SEED = int(os.environ.get("HOOKD_CRASH_SEED", random.randrange(1 << 32)))
RESTORE_EVERY = 25  # kills
START_SHARE = 0.2  # of the starts that are killed too
PARALLEL = 8
FAST = ("--backoff", "100ms:500ms:0.1", "--rate-limit", "0", "--max-retries", "1000")
ORDERED = ("ordered", 1, FAST)
PARALLEL_AT_ONCE = ("parallel", PARALLEL, ("--mode", "parallel", "--max-in-flight", str(PARALLEL)) + FAST)
KEYED = ("keyed", PARALLEL, ("--mode", "keyed", "--max-in-flight", str(PARALLEL)) + FAST)
# Two tries, then it is given up.
GIVES_UP = ("parallel", PARALLEL, ("--mode", "parallel", "--max-in-flight", str(PARALLEL), "--backoff", "fixed:100ms:0",
                                   "--rate-limit", "0", "--max-retries", "1"))
# Each endpoint is the only one of its subscriber: how it works, and what its receiver is like.
ENDPOINTS = {
    "ordered": (ORDERED, {}),
    "refusing": (ORDERED, {"refuse_every": 10, "refuse_attempts": 1}),
    "keyed": (KEYED, {"refuse_every": 7, "refuse_attempts": 2}),
    "parallel": (PARALLEL_AT_ONCE, {"refuse_every": 5, "refuse_attempts": 1, "delay_ms": 10}),
    "steered": (ORDERED, {}),
    "rotated": (PARALLEL_AT_ONCE, {"refuse_every": 9, "refuse_attempts": 1}),
    "recovered": (GIVES_UP, {"refuse_every": 3, "refuse_attempts": 2}),
    "purged": (ORDERED, {}),
    "streamed": (ORDERED, {"refuse_every": 11, "refuse_attempts": 1}),
}
STREAMED = "streamed"
STATES = ("PENDING", "SUCCEEDED", "EXHAUSTED", "CANCELED")


class CrashTest(harness.TestCase):
    def test_kills_of_a_busy_hookd(self):
        print(f"seed {SEED}, {harness.count(CYCLES, 'kill')}", flush=True)
        began = time.monotonic()
        try:
            self.live(CYCLES)
        finally:
            self.report(time.monotonic() - began)
        again = f"HOOKD_CRASH_SEED={SEED} HOOKD_CRASH_CYCLES={CYCLES}"
        self.assertEqual(self.faults.texts, [], f"{self.faults.count} faults; the same choices again: {again}")

    def test_the_judge_sees_a_folder_that_went_back(self):
        """To what it was at the kill before: what was acknowledged since is gone."""
        old = self.space.folder / "old"

        def go_back(cycle):
            if cycle == 1:
                shutil.copytree(self.hookd.data, old)
            else:
                shutil.rmtree(self.hookd.data)
                old.rename(self.hookd.data)

        self.live(2, go_back)
        found = "\n".join(self.faults.texts)
        self.assertIn("acknowledged events are lost after the restart", found)
        self.assertIn("events were acknowledged, and", found)
        self.assertIn("would come again, more than were in flight", found)

    def live(self, cycles, before_start=lambda cycle: None):
        self.chance = random.Random(SEED)
        self.faults = Faults()
        self.counts = collections.Counter()
        self.before_start = before_start
        self.set_up()
        try:
            for cycle in range(1, cycles + 1):
                self.work(cycle)
                if self.faults.count:
                    break
            self.finish()
        except BaseException:
            self.gate.end()
            raise

    def set_up(self):
        self.backups = self.space.folder / "backups"
        self.hookd = self.space.hookd(
            backup={"folder": self.backups, "keep": 3, "rate": "8MiB"}, log={"level": "warn"},
            storage={"wal_bytes": "16MiB", "ballast": "0B"}).start()
        self.receiver = self.space.receiver()
        self.look = Calls(self.hookd)
        self.addCleanup(self.look.close)
        self.books = {}
        for name, ((mode, in_flight, flags), behaviour) in ENDPOINTS.items():
            book = Book(name, mode, in_flight, self.faults, sure=name != STREAMED)
            self.hookd.ask("subscribers", "create", name)
            book.endpoint = self.hookd.create_endpoint(self.receiver, name, book.path, *flags, **behaviour)
            self.books[name] = book
        self.books["recovered"].remade = True
        self.reader = Reader(self.receiver, self.books.values())
        self.gate = Gate()
        pauses = {"ordered": 0.004}
        self.publishers = [Publisher(self.hookd, book, self.gate, self.chance.randrange(1 << 32), pauses.get(name, 0.02))
                           for name, book in self.books.items() if name != STREAMED]
        self.stream = Stream(self.space, self.hookd, self.books[STREAMED])
        seeds = [self.chance.randrange(1 << 32) for _ in range(6)]
        self.purger = Purger(self.hookd, seeds[0], self.books["purged"])
        self.steerer = Steerer(self.hookd, seeds[1], self.books["steered"])
        self.operators = {
            "disabling": self.steerer,
            "rotating": Rotator(self.hookd, seeds[2], self.books["rotated"], self.receiver),
            "recovering": Recoverer(self.hookd, seeds[3], self.books["recovered"]),
            "compacting": self.purger,
            "backing up": Backer(self.hookd, seeds[4]),
            "editing": Editor(self.hookd, seeds[5], self.books["refusing"]),
        }
        self.last_commit = 0
        self.start_s = 0.3  # that the last start took

    def work(self, cycle):
        """From the start to a kill, and the look at what the next start finds."""
        at_work = {name: self.operators[name] for name in
                   self.chance.sample(list(self.operators), self.chance.randrange(3, len(self.operators) + 1))}
        made_before, born = self.created(), time.time()
        self.stream.start()
        for operator in at_work.values():
            operator.start()
        target = self.reader.read() + self.chance.randrange(1, 400)
        wait_for(lambda: self.alive() and self.reader.read() >= target, "requests to arrive")
        threading.Event().wait(self.chance.uniform(0, 0.3))  # between two requests, not at one
        cut_off = sum(publisher.cut_off for publisher in self.publishers)
        # Nothing new is begun in the last microseconds: what is met by the kill was under way.
        self.gate.shut()
        for operator in at_work.values():
            operator.halt()
        self.hookd.kill()
        self.look.close()
        self.gate.wait_until_empty()
        self.receiver.settle()
        streamed = self.stream.finish(killed=True)
        for name, operator in at_work.items():
            operator.finish(killed=True)
            self.counts[f"kills while {name}"] += operator.at_work
        self.counts["kills"] += 1
        self.counts["kills while publishing"] += sum(p.cut_off for p in self.publishers) > cut_off
        kills = 1 + self.kill_at_start()
        self.reader.read()
        for book in self.books.values():
            self.receiver.set(book.path, hold=True)
        self.before_start(cycle)
        started = time.monotonic()
        self.hookd.start()
        self.counts["slowest start in ms"] = max(self.counts["slowest start in ms"],
                                                 round((time.monotonic() - started) * 1000))
        self.start_s = time.monotonic() - started
        self.check(made_before, streamed, born, kills)
        for book in self.books.values():
            self.receiver.set(book.path, hold=False)
        self.gate.open()
        if cycle % RESTORE_EVERY == 0:
            self.restore(f"restored-{cycle}")
        print(f"kill {cycle}: " + ", ".join(n for n, o in at_work.items() if o.at_work), flush=True)

    def kill_at_start(self):
        """Now and then also while it recovers, or is just ready. Returns how many kills that were."""
        if self.chance.random() > START_SHARE:
            return 0
        self.hookd.launch()
        threading.Event().wait(self.chance.uniform(0, 1.5 * self.start_s))
        self.hookd.kill()
        self.receiver.settle()
        self.counts["kills"] += 1
        self.counts["kills while starting"] += 1
        return 1

    def alive(self):
        code = self.hookd.process.poll()
        if code is not None:
            raise harness.Failure(f"hookd ended by itself with {code}:\n{self.hookd.log_tail()}")
        for actor in (*self.publishers, *self.operators.values()):
            if actor.refused:
                raise harness.Failure(actor.refused)
        return True

    def created(self):
        """Deliveries that were ever made, by endpoint."""
        return {name: self.health(book)["nextSequence"] for name, book in self.books.items()}

    def health(self, book):
        """Its numbers, as numbers."""
        health = self.look.ask("EndpointService/GetEndpoint", {"id": book.endpoint})["health"]
        return {name: int(health.get(name, 0)) for name in ("pending", "retrying", "nextSequence")}

    def deliveries(self, book, **filters):
        return self.look.all("DeliveryService/ListDeliveries", "deliveries", {"endpointId": book.endpoint} | filters)

    def check(self, made_before, streamed, born, kills):
        """No answer goes out meanwhile, nothing is published, and nobody is at work: what is found stands still, but for
        the jobs that go on."""
        pending_in_all, met = 0, collections.Counter()
        running = self.look.ask("JobService/ListJobs", {"running": True}).get("jobs")
        for name, book in self.books.items():
            jobs = book in (self.books["recovered"], self.books["purged"])
            health = self.health(book)
            pending = self.deliveries(book, state="DELIVERY_STATE_PENDING")
            pending_in_all += health["pending"]
            ids = {delivery["eventId"] for delivery in pending}
            if not jobs and (health["pending"], len(ids)) != (len(pending), len(pending)):
                book.fault(f"{health['pending']} are counted as pending, and {len(pending)} listed of {len(ids)} events")
            repeated = ids & book.accepted.keys()
            if len(repeated) > book.in_flight * kills:
                book.fault(f"{len(repeated)} would come again, more than were in flight")
            self.counts["outcomes lost"] += len(repeated)
            self.counts["retries waiting"] += health["retrying"]
            met["kills while delivering"] |= bool(repeated)
            met["kills while retrying"] |= health["retrying"] > 0
            self.check_made(book, health["nextSequence"], made_before[name], streamed)
            lost = book.open - ids
            if lost and book.remade:
                lost -= {one["eventId"] for one in self.deliveries(book, state="DELIVERY_STATE_EXHAUSTED")}
            if lost:
                book.fault(f"{len(lost)} acknowledged events are lost after the restart, such as {min(lost)}")
            self.check_states(book, ids, born)
        self.counts.update(met)
        status = self.look.ask("OperationsService/GetStatus")
        if not running and int(status.get("pendingDeliveries", 0)) != pending_in_all:
            self.faults.add(f"{status} counts other pending deliveries than the endpoints, {pending_in_all}")
        if int(status["lastCommit"]) < self.last_commit:
            self.faults.add(f"commit {status['lastCommit']} is the last one, and was {self.last_commit}")
        self.last_commit = int(status["lastCommit"])
        for operator in self.operators.values():
            for fault in operator.check(self.look):
                self.faults.add(fault)

    def check_made(self, book, next_sequence, before, streamed):
        made, published = next_sequence - 1, book.published()
        if book.name == STREAMED:
            if next_sequence - before < streamed:
                book.fault(f"{streamed} events were acknowledged in this life, and {next_sequence - before} made")
        elif made < len(book.acknowledged):
            book.fault(f"{len(book.acknowledged)} events were acknowledged, and {made} deliveries made")
        if made > published and not book.remade:
            book.fault(f"{published} events were published, and {made} deliveries made")

    def check_states(self, book, pending, born):
        """Of what this life made: an end that hookd remembers has happened."""
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(born - 1))
        for delivery in self.deliveries(book, acceptTimeFrom=since):
            state = delivery["state"].removeprefix("DELIVERY_STATE_")
            self.counts["states compared"] += 1
            event = delivery["eventId"]
            right = {
                "PENDING": event in pending or book.name == "recovered",
                "SUCCEEDED": event in book.accepted,
                "EXHAUSTED": book.name == "recovered",
                "CANCELED": event in self.purger.purged,
            }.get(state, False)
            if not right:
                book.fault(f"sequence {delivery['sequence']} is {state} after the restart")

    def restore(self, name):
        """The newest backup is whole, and a hookd starts on it."""
        backer = self.operators["backing up"]
        if not backer.made:
            return
        self.hookd.ask("backup", "verify", "--wait")
        other = self.space.hookd(name, backup={"folder": self.backups}, storage={"ballast": "0B"})
        done = self.hookd.hookctl("backup", "restore", "latest", "--from", self.backups, "--to", other.data, "--paused")
        if done.code != 0:
            self.faults.add(f"a backup cannot be restored: {done.err}")
            return
        other.start()
        if int(other.ask("status")["endpoints"]) != len(ENDPOINTS):
            self.faults.add("a restored hookd lacks endpoints")
        other.kill()
        self.counts["backups restored"] += 1

    def finish(self):
        """Publishing ends, everything arrives, and the books are closed."""
        for publisher in self.publishers:
            publisher.stop()
        self.counts["tries without an answer"] = sum(publisher.cut_off for publisher in self.publishers)
        self.counts["answers lost"] = sum(publisher.known_already for publisher in self.publishers)
        if self.faults.count:
            return
        self.alive()
        self.steerer.release(self.look)
        self.receiver.set("/recovered", refuse_every=0)
        recovered = self.books["recovered"]

        def drained():
            self.alive()
            self.reader.read()
            return int(self.look.ask("OperationsService/GetStatus").get("pendingDeliveries", 0)) == 0

        wait_for(drained, "all deliveries to end", 4 * harness.PATIENCE_S)
        self.hookd.ask("jobs", "recover", "--endpoint", recovered.endpoint, "--rate", "100000", "--wait")
        wait_for(drained, "what was recovered to arrive")
        self.reader.read()
        for book in self.books.values():
            self.close(book)
        lost = self.stream.acknowledged - self.books[STREAMED].numbers
        if lost:
            self.books[STREAMED].fault(f"{len(lost)} acknowledged events never arrived, such as number {min(lost)}")
        self.restore("restored")
        if self.hookd.terminate() != 0:
            self.faults.add(f"the last stop was no orderly one: {self.hookd.log_tail()}")

    def close(self, book):
        listed = self.deliveries(book)
        sequences = sorted(int(delivery["sequence"]) for delivery in listed)
        if sequences != list(range(1, len(listed) + 1)):
            book.fault("sequence numbers have gaps")
        succeeded = {int(one["sequence"]): one["eventId"] for one in listed if one["state"].endswith("SUCCEEDED")}
        purged = {int(one["sequence"]): one["eventId"] for one in listed
                  if one["state"].endswith("CANCELED") and one["eventId"] in self.purger.purged}
        if not succeeded.items() <= book.sequences.items() <= (succeeded | purged).items():
            book.fault(f"{len(succeeded)} are listed as delivered, and {len(book.sequences)} were taken by the receiver")
        if book.open:
            book.fault(f"{len(book.open)} acknowledged events never arrived, such as {min(book.open)}")
        beyond = max(0, book.duplicates() - self.counts["kills"] * book.in_flight)
        self.counts["duplicates beyond the bound"] += beyond
        if beyond:
            book.fault(f"{book.duplicates()} duplicates, {beyond} more than were in flight at the kills")
        replaced = [one["replaces"] for one in listed if one.get("replaces")]
        if len(replaced) != len(set(replaced)):
            book.fault(f"{len(replaced) - len(set(replaced))} deliveries were made anew twice")
        self.counts["events published"] += book.published()
        self.counts["events acknowledged"] += len(book.acknowledged)
        self.counts["deliveries"] += len(listed)
        self.counts["deliveries made anew"] += len(replaced)
        self.counts["duplicates"] += book.duplicates()
        self.counts["attempts refused"] += book.refused

    def report(self, seconds):
        self.counts["events acknowledged"] += len(self.stream.acknowledged) if hasattr(self, "stream") else 0
        for name, operator in getattr(self, "operators", {}).items():
            self.counts[f"calls answered, {name}"] = operator.done
        print(f"{seconds:.0f} s: " + ", ".join(f"{name} {count}" for name, count in self.counts.items()), flush=True)
        if "HOOKD_REPORT" in os.environ:
            report = {"name": "crash", "tried": self.counts["kills"], "found": self.faults.count, "seconds": round(seconds),
                      "seed": SEED, "counts": self.counts, "faults": self.faults.texts}
            pathlib.Path(os.environ["HOOKD_REPORT"]).write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    harness.main()
