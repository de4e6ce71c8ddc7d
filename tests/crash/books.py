"""What is known outside of hookd: per endpoint, what was published and acknowledged, and what its receiver was sent."""

import collections
import dataclasses
import threading

import harness

MAX_FAULTS = 20  # the first ones say it all


class Faults:
    """Broken promises, in plain words."""

    def __init__(self):
        self.count = 0
        self.texts = []

    def add(self, text):
        self.count += 1
        if len(self.texts) < MAX_FAULTS:
            self.texts.append(text)


@dataclasses.dataclass
class Item:
    number: int  # from 0, in the order of publishing
    key: str
    place: int  # from 0, among those of its key


class Book:
    """One endpoint, of a subscriber of its own. Publishers and the reader of the ledger may write at once.

    mode: ordered, keyed or parallel. Whoever publishes with `sure` repeats until it is answered, so that every event
    gets the sequence number that it was published with; else what was not answered may be missing.
    """

    def __init__(self, name, mode, in_flight, faults, sure=True):
        self.name = name
        self.path = f"/{name}"
        self.mode = mode
        self.in_flight = in_flight
        self.endpoint = None
        self.remade = False  # new deliveries are made of old ones: they have numbers of their own
        self.acknowledged = set()  # ids of events
        self.accepted = collections.Counter()  # ids of events that the receiver took, and how often
        self.open = set()  # acknowledged, and not taken yet
        self.sequences = {}  # of what was taken: id of the event
        self.numbers = set()  # of what was taken, if not `sure`: numbers of the events
        self.refused = 0
        self._faults = faults
        self._sure = sure
        self._items = {}  # by the digest of the payload
        self._of_key = collections.Counter()  # how many were published
        self._taken_of_key = collections.Counter()  # keyed: how many were taken
        self._newest = -1  # number of the newest event that was sent
        self._last = 0  # ordered: the last sequence number taken
        self._lock = threading.Lock()

    def published(self):
        return len(self._items)

    def publish(self, payload, key=""):
        """Before it is sent: from now on it may arrive."""
        with self._lock:
            self._items[harness.sha256(payload)] = Item(len(self._items), key, self._of_key[key])
            self._of_key[key] += 1

    def acknowledge(self, event):
        with self._lock:
            self.acknowledged.add(event)
            if event not in self.accepted:
                self.open.add(event)

    def backlog(self):
        return len(self.open)

    def duplicates(self):
        return sum(self.accepted.values()) - len(self.accepted)

    def fault(self, text):
        self._faults.add(f"{self.name}: {text}")

    def note(self, entry):
        """A request that arrived; in the order of arrival."""
        with self._lock:
            item = self._items.get(entry["sha256"])
            sequence = int(entry["sequence"].split(".")[1])
            if not entry["verified"]:
                self.fault(f"sequence {sequence} is signed with none of the secrets in force")
            if item is None:
                self.fault(f"sequence {sequence} has a body that was never published")
                return
            taken = entry["answer"] < 300
            self._judge_place(item, sequence, taken)
            if not taken:
                self.refused += 1
                return
            if self.sequences.setdefault(sequence, entry["id"]) != entry["id"]:
                self.fault(f"sequence {sequence} is both {self.sequences[sequence]} and {entry['id']}")
            self.accepted[entry["id"]] += 1
            if not self._sure:
                self.numbers.add(item.number)
            self.open.discard(entry["id"])

    def _judge_place(self, item, sequence, taken):
        if self._sure and not self.remade and sequence != item.number + 1:
            self.fault(f"event {item.number + 1} has the sequence number {sequence}")
        if self.mode == "ordered":
            # Only the last one taken may come again: its outcome may not have been on disk at the kill.
            if sequence not in (self._last, self._last + 1):
                self.fault(f"sequence {sequence} arrived when {self._last} was the last one taken")
            if not self._sure and sequence > self._last and item.number <= self._newest:
                self.fault(f"event {item.number} came behind {self._newest}")
            if taken:
                self._last = sequence
                self._newest = max(self._newest, item.number)
        elif self.mode == "keyed":
            taken_before = self._taken_of_key[item.key]
            if item.place not in (taken_before - 1, taken_before):
                self.fault(f"of key {item.key}, event {item.place + 1} arrived when {taken_before} were taken")
            elif taken:
                self._taken_of_key[item.key] = item.place + 1


class Reader:
    """Hands what the receiver noted to the books, each entry once."""

    def __init__(self, receiver, books):
        self._ledger = receiver.ledger
        self._books = {book.path: book for book in books}
        self._lock = threading.Lock()
        self.arrived = 0

    def read(self):
        """Returns how many have arrived in all."""
        with self._lock:
            for entry in self._ledger.take():
                self.arrived += 1
                self._books[entry["path"]].note(entry)
            return self.arrived
