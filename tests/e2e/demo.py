"""The main job, end to end, with a crash in the middle. Everything is on loopback and in a temporary folder.

A messaging platform publishes some 2,000 events through hookctl. One subscriber has two endpoints: one wants its
conversations in order, one wants status updates as fast as they come. Their receiver refuses some of the attempts.
While events come in and go out, hookd is killed with SIGKILL and started again. In the end every event must have
arrived, byte for byte, signed, in order where that was asked for. Exit code 0 = it has.

--keep keeps the temporary folder also when all is well.
"""

import contextlib
import dataclasses
import sys
import threading
import time

import harness
import samples
from harness import Failure, count, wait_for

EVENTS = 2000
EVENTS_PER_SECOND = 500  # so that the crash finds both publishing and delivering under way
SUBSCRIBER = "riverside-bikes"
MAX_IN_FLIGHT = 16


@dataclasses.dataclass(frozen=True)
class Plan:
    """What an endpoint asks for, and how its receiver behaves."""

    path: str
    mode: str
    types: tuple
    refusals: dict  # see receiver.py

    def create(self, hookd, receiver):
        flags = ["--description", f"the demo's {self.mode} endpoint", "--mode", self.mode, "--rate-limit", "0"]
        flags += ["--backoff", "200ms:2s:0.1", "--timeout", "5s"]
        if self.mode == "parallel":
            flags += ["--max-in-flight", MAX_IN_FLIGHT]
        for event_type in self.types:
            flags += ["--event-type", event_type]
        return hookd.create_endpoint(receiver, SUBSCRIBER, self.path, *flags, **self.refusals)

    def expected(self, events):
        return [event.sha256 for event in events if event.type in self.types]


PLANS = (
    Plan(
        "/conversations",
        "ordered",
        (samples.MESSAGE_IN, samples.MESSAGE_OUT),
        {"refuse_every": 150, "refuse_attempts": 2, "refuse_status": 503},
    ),
    Plan(
        "/status",
        "parallel",
        (samples.STATUS, samples.FAILED),
        {"refuse_every": 7, "refuse_attempts": 1, "refuse_status": 500},
    ),
)


def say(text):
    print(f"[{time.monotonic() - START:5.1f} s] {text}", flush=True)


class Platform:
    """Publishes through one hookctl, at a steady pace, and does not know that hookd crashes."""

    def __init__(self, space, hookd, events):
        command = [harness.bin_dir / "hookctl", "--server", hookd.grpc, "--output", "json"]
        command += ["events", "publish", "--file", "-", "--retry-for", "30s"]
        self._output = space.folder / "publish.json"
        with open(self._output, "wb") as output:
            self._hookctl = space.popen(*command, stdin=harness.subprocess.PIPE, stdout=output)
        self.handed_over = 0
        self._thread = threading.Thread(target=self._feed, args=(events,), daemon=True)
        self._thread.start()

    def _feed(self, events):
        start = time.monotonic()
        pace = threading.Event()
        # The pipe breaks when hookctl ends early, and is closed under this thread when the demo is interrupted.
        with contextlib.suppress(BrokenPipeError, ValueError), self._hookctl.stdin as pipe:
            for event in events:
                pace.wait(max(0.0, start + self.handed_over / EVENTS_PER_SECOND - time.monotonic()))
                pipe.write(event.line(SUBSCRIBER).encode())
                pipe.flush()
                self.handed_over += 1

    def finish(self):
        """What hookctl says at its end."""
        self._thread.join(harness.PATIENCE_S)
        code = self._hookctl.wait(harness.PATIENCE_S)
        text = self._output.read_text(encoding="utf-8")
        if code != 0:
            raise Failure(f"hookctl events publish ended with {code}: {text}")
        return harness.json.loads(text)


def run(space):
    events = samples.make_samples(EVENTS)
    hookd = space.hookd(shutdown={"deadline": "10s"}).start()
    say(f"hookd runs: gRPC on {hookd.grpc}, metrics on http://{hookd.http}/metrics, data in {hookd.data}")
    receiver = space.receiver()
    say(f"a receiver listens on port {receiver.port}; it verifies every signature and refuses some attempts")
    hookd.ask("subscribers", "create", SUBSCRIBER, "--name", "Riverside Bikes")
    endpoints = {plan.path: plan.create(hookd, receiver) for plan in PLANS}
    for plan in PLANS:
        say(f"endpoint {endpoints[plan.path]} wants {', '.join(plan.types)} at {plan.path}, {plan.mode}")

    say(f"hookctl publishes {EVENTS:,} events, {EVENTS_PER_SECOND} a second")
    platform = Platform(space, hookd, events)
    crash(hookd, receiver, platform)
    summary = platform.finish()
    again = summary["duplicates"]
    say(f"hookctl is done: {summary['accepted']:,} accepted, {again} known already when sent again after the crash")

    say("waiting until nothing is pending")
    wait_for(lambda: hookd.pending() == 0, "all deliveries to end")
    show_a_retry(hookd, endpoints["/conversations"])
    metrics = hookd.get("/metrics")[1]
    say("SIGTERM: hookd drains and ends")
    code = hookd.terminate()
    if code != 0:
        raise Failure(f"hookd ended with {code} after SIGTERM, expected 0:\n{hookd.log_tail()}")
    report(space, hookd, receiver, events, summary, metrics)


def crash(hookd, receiver, platform):
    """In the middle: when a third was handed over and a good part of it has arrived."""
    wait_for(lambda: platform.handed_over >= EVENTS // 3, "a third of the events to be handed over")
    wait_for(lambda: len(receiver.ledger.entries()) >= EVENTS // 6, "the first deliveries to arrive")
    pending = hookd.pending()
    hookd.kill()
    handed_over = platform.handed_over
    if handed_over >= EVENTS:
        raise Failure("hookd was killed too late: everything was published before")
    receiver.settle()
    arrived = len(receiver.ledger.entries())
    say(f"SIGKILL: {handed_over:,} events handed over, {arrived:,} requests arrived, about {pending:,} pending")
    hookd.start()
    say("hookd runs again, on the same data and ports; hookctl sends again what was not answered")


def show_a_retry(hookd, endpoint):
    deliveries = hookd.ask("deliveries", "list", "--endpoint", endpoint, "--limit", "0")["deliveries"]
    retried = next((delivery for delivery in deliveries if int(delivery["attempt_count"]) > 1), None)
    if retried is None:
        raise Failure("no delivery was retried, but the receiver refused some")
    say("one of the deliveries that were refused at first, as hookctl deliveries get shows it:")
    print(hookd.hookctl("deliveries", "get", retried["id"]).out, flush=True)


def faults_of(plan, account, expected):
    """What is wrong at one endpoint; nothing, if hookd kept its word."""
    faults = account.sequence_errors()
    arrived = [account.sha256[number] for number in sorted(account.sha256)]
    lost = set(expected) - set(arrived)
    if lost:
        faults.append(f"{count(len(lost), 'event')} lost or changed on the way")
    if set(arrived) - set(expected):
        faults.append(f"{count(len(set(arrived) - set(expected)), 'body')} arrived that was not published for it")
    if len(arrived) != account.delivered:
        faults.append(f"{account.delivered} webhook ids have {len(arrived)} sequence numbers")
    if plan.mode == "ordered":
        faults += account.order_errors()
        if not lost and arrived != expected:
            faults.append("sequence numbers do not follow the order of publishing")
    if account.unverified:
        faults.append(f"{count(account.unverified, 'signature')} did not verify")
    in_flight = 1 if plan.mode == "ordered" else MAX_IN_FLIGHT
    if account.duplicates > in_flight:
        faults.append(f"{account.duplicates} duplicates, but at most {in_flight} were in flight at the kill")
    if account.retries == 0:
        faults.append("no retry arrived, but some attempts were refused")
    return faults


def report(space, hookd, receiver, events, summary, metrics):
    header = ("endpoint", "mode", "published", "delivered", "duplicates", "retries", "signatures", "order")
    rows, faults = [], []
    for plan in PLANS:
        account = receiver.ledger.account(plan.path)
        expected = plan.expected(events)
        found = faults_of(plan, account, expected)
        faults += [f"{plan.path}: {fault}" for fault in found]
        requests = len(account.entries)
        kept = "-" if plan.mode == "parallel" else "BROKEN" if account.order_errors() else "kept"
        verified = f"{requests - account.unverified}/{requests}"
        numbers = (len(expected), account.delivered, account.duplicates, account.retries)
        rows.append((plan.path, plan.mode, *numbers, verified, kept))
    total = summary["accepted"] + summary["duplicates"]
    if total != EVENTS or summary["refused"]:
        faults.append(f"hookctl counted {total} events and {summary['refused']} refused, expected {EVENTS} and 0")

    sums = [sum(row[column] for row in rows) for column in range(2, 6)]
    all_verified = f"{sum(int(row[6].split('/')[0]) for row in rows)}/{len(receiver.ledger.entries())}"
    print_table([header, *rows, ("in all", "", *sums, all_verified, "")])
    possible = MAX_IN_FLIGHT + 1
    print(f"Duplicates: the kill caught {sums[2]} between answer and record; up to {possible} are possible.")
    print_pointers(hookd, receiver, metrics)
    if faults:
        space.failed = True
        print("\n".join(f"FAILED: {fault}" for fault in faults), file=sys.stderr)
        sys.exit(1)
    say("every event arrived, each in its place")


def print_table(table):
    widths = [max(len(str(row[column])) for row in table) for column in range(len(table[0]))]
    print()
    for row in table:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()


def print_pointers(hookd, receiver, metrics):
    shown = ("hookd_events_accepted_total", 'hookd_deliveries_ended_total{state="succeeded"}')
    lines = [line for line in metrics.splitlines() if line.startswith(shown)]
    print("Where to look further (make demo is scripts/demo; with --keep the files stay):")
    print(f"  metrics   http://{hookd.http}/metrics while it ran; since the crash: {', '.join(lines)}")
    print(f"  data      {hookd.data}")
    print(f"  log       {hookd.log}, one JSON object per line")
    print(f"  ledger    {receiver.ledger.path}, what the receiver saw")
    print("  README.md to try it yourself; docs/delivery-semantics.md for what is promised; hookctl --help")
    print()


def main():
    with harness.Workspace("demo") as space:
        space.keep = "--keep" in sys.argv
        try:
            run(space)
        except Failure as failure:
            space.failed = True
            print(f"FAILED: {failure}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)


START = time.monotonic()

if __name__ == "__main__":
    harness.parse_bin(__doc__.splitlines()[0])
    main()
