"""A load of events whose every acknowledgement is known at the moment it came: over HTTP, with the client's retries."""

import base64
import http.client
import json
import threading
import time

from harness import Failure, PATIENCE_S

RETRY_S = 0.02  # between two tries


class Load:
    """Threads that publish event after event, each with its idempotency key, and try again until it is answered.

    Each thread publishes for a subscriber of its own, so that its events have an order.
    """

    def __init__(self, hookd, subscribers, pause_s=0.002):
        self.hookd = hookd
        self.subscribers = subscribers
        self.pause_s = pause_s
        self.published = {name: [] for name in subscribers}  # payloads in the order of publishing
        self.acknowledged = {name: 0 for name in subscribers}  # of them, so many have been answered
        self.first_refusals = 0  # tries that ended without an answer, or were refused for a moment
        self.duplicates = 0  # answered as known already: the answer before it was lost
        self.slowest_s = 0.0  # of the tries that were answered
        self._failure = None
        self._stop = threading.Event()
        self._threads = []

    def __enter__(self):
        for name in self.subscribers:
            thread = threading.Thread(target=self._run, args=(name,))
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)

    def stop(self, check=True):
        """What is on its way is answered first."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if check and self._failure:
            raise Failure(self._failure)

    def count(self):
        return sum(self.acknowledged.values())

    def snapshot(self):
        """By subscriber: how many were acknowledged by now."""
        return dict(self.acknowledged)

    def _run(self, name):
        connection = self._publish_all(name)
        if connection is not None:
            connection.close()

    def _publish_all(self, name):
        """Returns the connection that is left open."""
        connection = None
        while not self._stop.wait(self.pause_s):
            number = len(self.published[name])
            payload = f'{{"of":"{name}","n":{number},"text":"{"x" * 500}"}}'
            self.published[name].append(payload)
            event = {"subscriber_id": name, "type": "t", "idempotency_key": str(number), "payload": base64.b64encode(payload.encode()).decode()}
            deadline = time.monotonic() + PATIENCE_S
            while True:
                began = time.monotonic()
                connection, status, answer = self._post(connection, {"event": event})
                if status == 200:
                    self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                    self.duplicates += bool(answer.get("duplicate"))
                    self.acknowledged[name] = number + 1
                    break
                if status not in (0, 503, 429) or time.monotonic() > deadline:
                    self._failure = f"a good event was answered with {status} {answer}"
                    return connection
                self.first_refusals += 1
                time.sleep(RETRY_S)
        return connection

    def _post(self, connection, message):
        """The connection to go on with, the status (0 = no answer), and the answer."""
        try:
            if connection is None:
                host, port = self.hookd.http.split(":")
                connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
            connection.request("POST", "/hookd.v1.EventService/PublishEvent", json.dumps(message),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return connection, answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if connection is not None:
                connection.close()
            return None, 0, str(error)
