"""Events as a messaging platform has them: invented people, invented messages, the usual shapes.

A conversation is some inbound messages and some answers; an answer is followed by status updates (sent, delivered,
read) or by a failure. Events of one conversation are in the order in which they happen; conversations interleave.
"""

import collections
import dataclasses
import datetime
import json
import random

import harness

MESSAGE_IN = "message:in:new"
MESSAGE_OUT = "message:out:new"
STATUS = "message:out:ack"
FAILED = "message:out:failed"

NAMES = ["Amara Osei", "Bruno Keller", "Chloé Martin", "Davit Lomidze", "Elif Şahin", "Farid Nassar", "Greta Lind"]
OPENINGS = ["Hi there,", "Good morning!", "Olá,", "Вечер добрый,", "Hello again 🙂", "One more thing:"]
SUBJECTS = [
    "my parcel still shows the depot in Porto",
    "could we move Thursday's fitting to half past four",
    "the blue kettle arrived with a dent in its lid",
    "is table nine free for a party of six",
    "the invoice lists two lamps but I bought three",
    "which of the bicycles has the step-through frame",
]
CLOSINGS = ["Thank you!", "No hurry.", "Please call before noon.", "Best, from the workshop", "Merci d'avance", "🙏"]
FAILURES = [
    (1013, "recipient_unknown", "The number is not registered with the network."),
    (1031, "media_rejected", "The attachment is larger than the network allows."),
    (1008, "retries_used_up", "The network could not be reached in time."),
]
START = datetime.datetime(2024, 3, 4, 8, 0, tzinfo=datetime.timezone.utc)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One event, as the platform hands it over."""

    type: str
    idempotency_key: str  # the platform's own id of it
    ordering_key: str  # the chat
    payload: str  # JSON text: receivers must get exactly these bytes

    @property
    def sha256(self):
        return harness.sha256(self.payload)

    def line(self, subscriber):
        """For `hookctl events publish --file`. The payload stands in it as it is."""
        head = {
            "subscriber_id": subscriber,
            "type": self.type,
            "idempotency_key": self.idempotency_key,
            "ordering_key": self.ordering_key,
        }
        return f'{json.dumps(head)[:-1]}, "payload": {self.payload}}}\n'


class Conversation:
    def __init__(self, random_source, number):
        self.random = random_source
        self.name = random_source.choice(NAMES)
        self.phone = f"+99970{number:06d}"
        self.account = f"+999800{number % 7:05d}"
        self.chat = f"{self.phone[1:]}@chat.example"
        self.coming = collections.deque()  # (type, data) that follow what has happened

    def next(self, now):
        """The type and the data of what happens now."""
        if self.coming:
            event_type, data = self.coming.popleft()
            return event_type, data | {"date": now.isoformat(timespec="milliseconds")}
        message = self.message(now)
        if self.random.random() < 0.62:
            return MESSAGE_IN, message | {"flow": "inbound", "ack": "delivered", "fromNumber": self.phone}
        reference = {"messageId": message["id"], "toNumber": self.phone, "chat": self.chat}
        if self.random.random() < 0.12:
            code, reason, text = self.random.choice(FAILURES)
            error = {"code": code, "reason": reason, "description": text, "attempts": self.random.randint(1, 4)}
            self.coming.append((FAILED, reference | {"error": error, "original": message}))
        else:
            for ack in ("sent", "delivered", "read"):
                self.coming.append((STATUS, reference | {"ack": ack, "via": "app", "links": self.links(message)}))
        return MESSAGE_OUT, message | {"flow": "outbound", "ack": "pending", "toNumber": self.phone}

    def message(self, now):
        identity = f"{self.random.getrandbits(96):024X}"
        sentences = [self.random.choice(SUBJECTS) + "." for _ in range(self.random.randint(1, 6))]
        text = " ".join([self.random.choice(OPENINGS), *sentences, self.random.choice(CLOSINGS)])
        chat = {"id": self.chat, "name": self.name, "type": "chat", "status": "active", "labels": ["orders", "vip"]}
        message = {"id": identity, "type": "text", "body": text, "date": now.isoformat(timespec="milliseconds")}
        message |= {"chat": chat | {"contact": {"displayName": self.name, "phone": self.phone, "language": "pt"}}}
        message |= {"meta": {"isForwarded": False, "isGroup": False, "isBroadcast": False, "source": "phone"}}
        if self.random.random() < 0.2:
            media = {"mime": "image/jpeg", "size": self.random.randint(20_000, 900_000), "caption": None}
            message |= {"type": "image", "media": media | {"sha256": f"{self.random.getrandbits(256):064x}"}}
        return message | {"links": self.links({"id": identity})}

    def links(self, message):
        return {"message": f"/v1/messages/{message['id']}", "chat": f"/v1/chats/{self.chat}"}


def make_samples(count, seed=1):
    """`count` events, the same for the same seed."""
    source = random.Random(seed)
    conversations = [Conversation(source, number) for number in range(60)]
    now = START
    samples = []
    for number in range(1, count + 1):
        now += datetime.timedelta(milliseconds=source.randint(5, 900))
        conversation = source.choice(conversations)
        event_type, data = conversation.next(now)
        document = {"object": "message", "event": event_type, "created": int(now.timestamp()), "data": data}
        document["device"] = {"phone": conversation.account, "alias": "Front desk", "plan": "business"}
        # Some platforms escape what is not ASCII, some write it as it is: both arrive as they were written.
        payload = json.dumps(document, ensure_ascii=number % 2 == 0)
        samples.append(Sample(event_type, f"platform-{seed}-{number:06d}", conversation.chat, payload))
    return samples
