"""Calls of hookd's API as JSON over HTTP, each of which may end without an answer because hookd is killed."""

import http.client
import json
import threading

import harness

NONE = 0  # instead of a status: no answer came


class Calls:
    """A connection of its own per user. Thread-compatible."""

    def __init__(self, hookd):
        self._hookd = hookd
        self._connection = None

    def call(self, method, message):
        """Status and answer; (NONE, why) when none came."""
        try:
            if self._connection is None:
                host, port = self._hookd.http.split(":")
                self._connection = http.client.HTTPConnection(host, int(port), timeout=harness.PATIENCE_S)
            self._connection.request("POST", f"/hookd.v1.{method}", json.dumps(message),
                                     {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return NONE, str(error)

    def ask(self, method, message=None):
        """The answer of a call that must succeed."""
        status, answer = self.call(method, message or {})
        if status != 200:
            raise harness.Failure(f"{method} was answered with {status} {answer}")
        return answer

    def all(self, method, field, message):
        """What `field` holds, over all pages."""
        found = []
        message = message | {"pageSize": 1000}
        while True:
            answer = self.ask(method, message)
            found += answer.get(field, [])
            if not answer.get("nextPageToken"):
                return found
            message["pageToken"] = answer["nextPageToken"]

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Gate:
    """Publishers pass it before each try; while it is shut, they wait."""

    def __init__(self):
        self._changed = threading.Condition()
        self._open = True
        self._ended = False
        self._inside = 0  # those between `enter` and `leave`

    def enter(self):
        """False: it is all over."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._ended)
            self._inside += not self._ended
            return not self._ended

    def leave(self):
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def shut(self):
        """Who is inside may go on."""
        with self._changed:
            self._open = False

    def wait_until_empty(self):
        with self._changed:
            self._changed.wait_for(lambda: self._inside == 0)

    def open(self):
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def end(self):
        """Who waits, and who comes, is turned away."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
