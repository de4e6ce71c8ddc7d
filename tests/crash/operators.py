"""People at work while hookd is killed: each does one thing again and again, and knows what hookd must remember of it.

What was answered is in force; what was being asked at the kill may be, or not. `check` holds hookd to that after the
restart, and takes over what it finds.
"""

import base64
import hashlib
import os
import random
import threading

from calls import Calls, NONE

POLL_S = 0.005


class Operator:
    """One life: `start` when hookd runs, `finish` once it was killed, or shall go on without."""

    def __init__(self, hookd, seed):
        self.pause_s = 0.005  # between two steps
        self.done = 0  # calls that were answered
        self.at_work = False  # something was under way as the last life ended
        self.refused = None  # an answer that should not have come
        self._chance = random.Random(seed)
        self._calls = Calls(hookd)

    def start(self):
        self.at_work = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def halt(self):
        """What is being asked may be answered yet; nothing else is asked in this life."""
        self._stop.set()

    def finish(self, killed):
        """`killed`: also, nothing that was sent before can arrive any more."""
        self._stop.set()
        self._thread.join()
        self._calls.close()

    def check(self, look):
        """Yields what hookd has forgotten, or never knew."""
        yield from ()

    def _run(self):
        while not self._stop.wait(self.pause_s) and self._step():
            pass

    def _step(self):
        """False: hookd is gone, or what it said is wrong."""
        raise NotImplementedError

    def _ask(self, method, message):
        """The answer; None when hookd is gone, or refuses."""
        self.at_work = True
        status, answer = self._calls.call(method, message)
        if status == NONE:
            return None
        self.at_work = False
        if status != 200:
            self.refused = f"{method} was answered with {status} {answer}"
            return None
        self.done += 1
        return answer


class Steerer(Operator):
    """Disables and enables, pauses and resumes."""

    CHANGES = {"Disable": ("disabled", True), "Enable": ("disabled", False),
               "Pause": ("paused", True), "Resume": ("paused", False)}

    def __init__(self, hookd, seed, book):
        super().__init__(hookd, seed)
        self._book = book
        self._may_be = {"disabled": {False}, "paused": {False}}

    def _step(self):
        call = self._chance.choice(list(self.CHANGES))
        what, value = self.CHANGES[call]
        self._may_be[what].add(value)
        answer = self._ask(f"EndpointService/{call}Endpoint", {"id": self._book.endpoint, "reason": "a test"})
        if answer is None:
            return False
        self._may_be[what] = {value}
        self._stop.wait(self._chance.uniform(0, 0.05))  # some of it is sent
        return True

    def check(self, look):
        endpoint = look.ask("EndpointService/GetEndpoint", {"id": self._book.endpoint})
        for what, may_be in self._may_be.items():
            found = bool(endpoint.get(what))
            if found not in may_be:
                yield f"steered: {what} is {found} after the restart, and {may_be} was answered"
            self._may_be[what] = {found}

    def release(self, look):
        for call in ("Enable", "Resume"):
            look.ask(f"EndpointService/{call}Endpoint", {"id": self._book.endpoint, "reason": "the end"})


class Editor(Operator):
    """Gives an endpoint a new description."""

    def __init__(self, hookd, seed, book):
        super().__init__(hookd, seed)
        self._book = book
        self._next = 0
        self._may_be = {""}

    def _step(self):
        self._next += 1
        text = f"version {self._next}"
        self._may_be.add(text)
        message = {"endpoint": {"id": self._book.endpoint, "description": text}, "updateMask": "description"}
        if self._ask("EndpointService/UpdateEndpoint", message) is None:
            return False
        self._may_be = {text}
        return True

    def check(self, look):
        found = look.ask("EndpointService/GetEndpoint", {"id": self._book.endpoint}).get("description", "")
        if found not in self._may_be:
            yield f"edited: the description is {found!r} after the restart, and {self._may_be} was answered"
        self._may_be = {found}


class Rotator(Operator):
    """Brings a new secret along; the old one ends at once."""

    ON_THEIR_WAY = 30

    def __init__(self, hookd, seed, book, receiver):
        super().__init__(hookd, seed)
        self._book = book
        self._receiver = receiver
        self._may_be = []  # newest first

    def _step(self):
        new = "whsec_" + base64.b64encode(os.urandom(32)).decode()
        # Requests that are signed with those before may still be on their way.
        self._may_be = [new, *self._may_be][:self.ON_THEIR_WAY]
        self._receiver.set(self._book.path, or_secrets=self._may_be)
        message = {"id": self._book.endpoint, "overlap": "0s", "secret": new}
        if self._ask("EndpointService/RotateSecret", message) is None:
            return False
        self._stop.wait(self._chance.uniform(0, 0.05))
        return True

    def finish(self, killed):
        super().finish(killed)
        if killed and self._may_be:
            # From now on nothing is signed with what ended before.
            self._may_be = self._may_be[:2 if self.at_work else 1]
            self._receiver.set(self._book.path, secret=self._may_be[0], or_secrets=self._may_be[1:])

    def check(self, look):
        if not self._may_be:
            return
        endpoint = look.ask("EndpointService/GetEndpoint", {"id": self._book.endpoint})
        found = endpoint["signingKeys"][0]["fingerprint"]
        right = [secret for secret in self._may_be if fingerprint(secret) == found]
        if not right:
            yield "rotated: signs with a secret that was not the last one"
        self._may_be = right


class Jobber(Operator):
    """Starts a job, and waits for its end."""

    def __init__(self, hookd, seed, kind):
        super().__init__(hookd, seed)
        self.jobs = 0  # that ended
        self._kind = kind
        self._known = None  # the newest one that was answered

    def _request(self):
        """Method and message; None: there is nothing to do at the moment."""
        raise NotImplementedError

    def _step(self):
        request = self._request()
        if request is None:
            return True
        job = self._ask(*request)
        if job is None:
            return False
        self._known = job["id"]
        while job.get("state") == "JOB_STATE_RUNNING" and not self._stop.wait(POLL_S):
            job = self._ask("JobService/GetJob", {"id": self._known})
            self.at_work = True
            if job is None:
                return False
        self.at_work = job.get("state") == "JOB_STATE_RUNNING"
        if job.get("state") == "JOB_STATE_FAILED":
            self.refused = f"the job failed: {job}"
            return False
        self.jobs += not self.at_work
        return True

    def check(self, look):
        if self._known is not None:
            status, answer = look.call("JobService/GetJob", {"id": self._known})
            if status != 200 or answer["kind"] != self._kind:
                yield f"job {self._known} was answered, and is {status} {answer} after the restart"


class Recoverer(Jobber):
    """Has what was given up sent again."""

    def __init__(self, hookd, seed, book):
        super().__init__(hookd, seed, "JOB_KIND_RECOVER")
        self._book = book

    def _request(self):
        return "JobService/RecoverDeliveries", {"endpointId": self._book.endpoint, "rate": 100000}


class Purger(Jobber):
    """Erases an event that has arrived; the job's last step compacts the whole database."""

    def __init__(self, hookd, seed, book):
        super().__init__(hookd, seed, "JOB_KIND_PURGE")
        self.purged = set()  # that it asked for
        self._book = book

    def _request(self):
        arrived = [event for event in list(self._book.accepted)[-50:] if event not in self.purged]
        if not arrived:
            return None
        event = self._chance.choice(arrived)
        self.purged.add(event)
        return "JobService/PurgeEvent", {"eventId": event}


class Backer(Operator):
    """Makes backups."""

    def __init__(self, hookd, seed):
        super().__init__(hookd, seed)
        self.made = 0  # id of the newest that was made, as far as was told

    def _step(self):
        if self._ask("BackupService/CreateBackup", {}) is None:
            return False
        while True:
            run = self._ask("BackupService/GetBackupRun", {})
            self.at_work = True
            if run is None:
                return False
            if not run.get("running"):
                break
            if self._stop.wait(POLL_S):
                return False
        self.at_work = False
        if run.get("error"):
            self.refused = f"the backup failed: {run}"
            return False
        self.made = run["id"]
        return True

    def check(self, look):
        backups = look.ask("BackupService/ListBackups").get("backups", [])
        newest = max((backup["id"] for backup in backups), default=0)
        if newest < self.made:
            yield f"backup {self.made} was made, and the newest is {newest} after the restart"
        for backup in backups:
            if backup.get("problem"):
                yield f"backup {backup['id']}: {backup['problem']}"
        self.made = newest


def fingerprint(secret):
    return hashlib.sha256(base64.b64decode(secret.removeprefix("whsec_"))).hexdigest()[:16]
