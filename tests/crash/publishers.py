"""Who publishes while hookd is killed, and what was acknowledged at that moment."""

import base64
import contextlib
import json
import random
import subprocess
import threading

import harness
from calls import Calls, NONE

TEXT = "x" * 300
KEYS = 8
MOST_OPEN = 300  # events of one endpoint that have not arrived; beyond that its publisher waits
UNREACHABLE = 3  # of hookctl
TRY_AGAIN = (429, 503)


def payload_of(book):
    return f'{{"of":"{book.name}","n":{book.published()},"text":"{TEXT}"}}'


class Publisher:
    """Batches with idempotency keys, one after the other, each tried until it is answered: over all kills."""

    def __init__(self, hookd, book, gate, seed, pause_s):
        self.cut_off = 0  # tries that a kill left without an answer
        self.known_already = 0  # of those, events that were on disk
        self.refused = None  # an answer that should not have come
        self._calls = Calls(hookd)
        self._book = book
        self._gate = gate
        self._chance = random.Random(seed)
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self):
        """Once what it is at was answered: hookd must run, and the gate be open."""
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(self._pause_s):
            if self._book.backlog() < MOST_OPEN and not self._publish(self._chance.randrange(1, 6)):
                break
        self._calls.close()

    def _publish(self, count):
        """False: it is all over."""
        events = []
        for _ in range(count):
            number, payload = self._book.published(), payload_of(self._book)
            key = f"k{self._chance.randrange(KEYS)}" if self._book.mode == "keyed" else ""
            self._book.publish(payload, key)
            events.append({"subscriberId": self._book.name, "type": "t", "idempotencyKey": str(number),
                           "orderingKey": key, "payload": base64.b64encode(payload.encode()).decode()})
        while self._gate.enter():
            try:
                status, answer = self._calls.call("EventService/PublishEvents", {"events": events})
            finally:
                self._gate.leave()
            if status == 200:
                for result in answer["results"]:
                    if result.get("code"):
                        self.refused = f"a good event was answered with {result}"
                        return False
                    self.known_already += result.get("duplicate", False)
                    self._book.acknowledge(result["eventId"])
                return True
            if status == NONE:
                self.cut_off += 1
            elif status not in TRY_AGAIN:
                self.refused = f"good events were answered with {status} {answer}"
                return False
            self._stop.wait(0.01)
        return False


class Stream:
    """hookctl's stream of single events, which is not repeated: what was not answered is unknown."""

    PAUSE_S = 0.004

    def __init__(self, space, hookd, book):
        self.acknowledged = set()  # numbers of events
        self._space = space
        self._hookd = hookd
        self._book = book
        self._lives = 0

    def start(self):
        self._lives += 1
        self._first = self._book.published()
        self._output = self._space.folder / f"stream-{self._lives}.json"
        command = [harness.bin_dir / "hookctl", "--server", self._hookd.grpc, "--output", "json"]
        command += ["events", "publish", "--file", "-", "--retry-for", "0s"]
        with open(self._output, "wb") as output:
            self._hookctl = self._space.popen(*command, stdin=subprocess.PIPE, stdout=output,
                                              stderr=subprocess.DEVNULL)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self):
        with contextlib.suppress(BrokenPipeError, ValueError), self._hookctl.stdin as pipe:
            while not self._stop.wait(self.PAUSE_S):
                payload = payload_of(self._book)
                self._book.publish(payload)
                pipe.write(f'{{"subscriber_id":"{self._book.name}","type":"t","payload":{payload}}}\n'.encode())
                pipe.flush()

    def finish(self, killed):
        """`killed`: hookd is gone; else the stream ends by itself. Returns how many were accepted in this life."""
        if not killed:
            self._stop.set()
        self._thread.join()
        code = self._hookctl.wait(harness.PATIENCE_S)
        summary = json.loads(self._output.read_text(encoding="utf-8"))
        self._output.unlink()
        if code != (UNREACHABLE if killed else 0) or summary["refused"]:
            raise harness.Failure(f"hookctl ended with {code}: {summary}")
        # Answers come in order: what was accepted are the first ones.
        self.acknowledged.update(range(self._first, self._first + summary["accepted"]))
        return summary["accepted"]
