"""The event catalogues of config/profiles: samples fit their schemas and hold all that is documented."""

import json
import pathlib
import unittest

import jsonschema
import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROFILES = ROOT / "config" / "profiles"
MAX_FILE_BYTES = 64 * 1024  # kMaxProfileFileBytes
# What the profiles' loader refuses in a schema: a payload could make it expensive.
REFUSED_KEYWORDS = {"pattern", "patternProperties", "uniqueItems", "format"}


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def profiles():
    return {path.stem: load(path) for path in sorted(PROFILES.glob("*.yaml"))}


def event_type(profile, name):
    return next(kind for kind in profile["event_types"] if kind["name"] == name)


def payloads(profile, names):
    """Of all samples of these types, each a parsed document."""
    folder = PROFILES / profile["name"]
    for name in names:
        for sample in event_type(profile, name)["samples"]:
            yield json.loads((folder / sample["file"]).read_text(encoding="utf-8"))


def values_at(document, path):
    """All values at a dotted path; arrays on the way are looked into, one at its end is a value."""
    found = [document]
    for step in path.split(".") if path else []:
        inner = []
        for value in found:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and step in item:
                    inner.append(item[step])
        found = inner
    return found


def is_same(a, b):
    """1 and true are two values."""
    return type(a) is type(b) and a == b


def members(schema):
    """Names of all properties that a schema has anywhere, and its keywords."""
    keywords, names = set(), set()
    for key, value in schema.items():
        keywords.add(key)
        if key == "properties":
            names.update(value)
            inner = list(value.values())
        else:
            inner = value if isinstance(value, list) else [value]
        for item in inner:
            if isinstance(item, dict):
                more_keywords, more_names = members(item)
                keywords |= more_keywords
                names |= more_names
    return keywords, names


class CatalogueTest(unittest.TestCase):
    def setUp(self):
        self.profiles = profiles()
        self.documented = load(HERE / "documented_fields.yaml")

    def test_the_six_are_there(self):
        self.assertEqual(list(self.profiles), ["cbot", "chat-api", "standard", "wamm", "wassenger", "whizard"])
        for name, profile in self.profiles.items():
            self.assertEqual(profile["name"], name)

    def test_samples_fit_their_schemas(self):
        checked = 0
        for name, profile in self.profiles.items():
            for kind in profile["event_types"]:
                schema = json.loads((PROFILES / name / kind["schema"]).read_text(encoding="utf-8"))
                jsonschema.Draft7Validator.check_schema(schema)
                validator = jsonschema.Draft7Validator(schema)
                for sample in kind["samples"]:
                    document = json.loads((PROFILES / name / sample["file"]).read_text(encoding="utf-8"))
                    errors = [error.message for error in validator.iter_errors(document)]
                    self.assertEqual(errors, [], f"{name}/{sample['file']}")
                    self.assertFalse(validator.is_valid([document]), f"{name}/{kind['schema']} takes an array")
                    checked += 1
        self.assertGreater(checked, 70)

    def test_schemas_are_loose_and_cheap(self):
        for path in PROFILES.glob("*/schemas/*.json"):
            schema = json.loads(path.read_text(encoding="utf-8"))
            keywords, _ = members(schema)
            self.assertEqual(keywords & REFUSED_KEYWORDS, set(), path)
            self.assertNotIn("additionalProperties", keywords, f"{path}: what is not documented may come")
            self.assertEqual(schema["$schema"], "http://json-schema.org/draft-07/schema#", path)

    def test_what_is_no_such_event_does_not_fit(self):
        cases = {
            "wassenger/schemas/message.json": {"object": "message", "event": "message:in:new", "created": 1},
            "wassenger/schemas/message_failed.json": {"event": "message:out:failed", "data": {"id": "1"}},
            "wassenger/schemas/message_ack.json": {"object": "message", "event": "x", "created": 1, "device": {}},
            "chat-api/schemas/messages.json": {"messages": [], "instanceId": 1},
            "chat-api/schemas/ack.json": {"ack": [{"id": "1"}], "instanceId": 1},
            "chat-api/schemas/status.json": {"substatus": "normal", "instanceId": 1},
            "cbot/schemas/notification.json": {"contacts": []},
            "wamm/schemas/msg.json": {"tip": "msg_state", "msg_data": {"msg_id": 1, "state": "viewed"}},
            "wamm/schemas/msg_state.json": {"tip": "msg_state", "msg_data": {"state": "viewed"}},
            "standard/schemas/event.json": {"type": "message.sent", "data": {}},
        }
        for file, document in cases.items():
            schema = json.loads((PROFILES / file).read_text(encoding="utf-8"))
            self.assertFalse(jsonschema.Draft7Validator(schema).is_valid(document), file)

    def test_every_file_is_of_a_profile(self):
        for name, profile in self.profiles.items():
            named = set()
            for kind in profile["event_types"]:
                self.assertGreater(len(kind["samples"]), 0, kind["name"])
                named.add(kind["schema"])
                named.update(sample["file"] for sample in kind["samples"])
                for sample in kind["samples"]:  # a comma in a description makes a key
                    self.assertLessEqual(set(sample), {"name", "file", "description"}, sample)
                names = [sample["name"] for sample in kind["samples"]]
                self.assertEqual(len(names), len(set(names)), f"{name}: {kind['name']}")
            there = {
                str(path.relative_to(PROFILES / name)) for path in (PROFILES / name).rglob("*") if path.is_file()
            }
            self.assertEqual(there, named, name)
        folders = {path.name for path in PROFILES.iterdir() if path.is_dir()}
        self.assertEqual(folders, set(self.profiles))
        for path in PROFILES.rglob("*"):
            if path.is_file():
                self.assertLessEqual(path.stat().st_size, MAX_FILE_BYTES, path)

    def test_documented_members_and_values_are_in_samples(self):
        for statement, said in self.documented.items():
            documents = list(payloads(self.profiles[said["profile"]], said["types"]))
            parents = [""]
            for parent, children in said.get("each_of", {}).items():
                parents = [f"{parent}.{child}." for child in children]
            for parent in parents:
                for field in said.get("fields", []):
                    found = any(values_at(document, parent + field) for document in documents)
                    self.assertTrue(found, f"{statement}: no sample has {parent}{field}")
            for field, values in said.get("values", {}).items():
                found = [value for document in documents for value in values_at(document, field)]
                for value in values:
                    here = any(is_same(value, other) for other in found)
                    self.assertTrue(here, f"{statement}: no sample has {field} = {value!r}")

    def test_no_documented_statement_is_forgotten(self):
        wanted = [f"000.{n}" for n in (25, 28, *range(32, 48), *range(49, 58))]
        wanted += ["001.3", "001.4", "001.5", "001.14", "004.2", "004.3"]
        wanted += [f"002.{n}" for n in range(23, 41)] + [f"003.{n}" for n in range(11, 30)]
        self.assertEqual(set(self.documented), set(wanted))

    def test_wassenger_has_the_seventeen_flags_and_what_only_some_have(self):
        profile = self.profiles["wassenger"]
        (new,) = [d for d in payloads(profile, ["message:in:new"]) if d["data"]["meta"]["isFirstMessage"]]
        counted = {"isFirstMessage", "isChannel"}
        flags = {name for name, value in new["data"]["meta"].items() if isinstance(value, bool)} - counted
        self.assertEqual(len(flags), 17)
        for document in payloads(profile, ["message:in:new"]):
            self.assertEqual(values_at(document, "data.meta.via"), [])
            self.assertEqual(values_at(document, "data.links.messageAckinfo"), [])
        for document in payloads(profile, ["message:out:new", "message:out:ack"]):
            self.assertEqual(values_at(document, "data.chat.contact.businessInfo"), [])

    def test_wassenger_has_eleven_types_of_which_one_is_a_batch(self):
        kinds = self.profiles["wassenger"]["event_types"]
        self.assertEqual(len(kinds), 11)
        batches = [kind["name"] for kind in kinds if kind["shape"] == "batch"]
        self.assertEqual(batches, ["message:out:failed"])
        self.assertEqual(self.profiles["wassenger"]["policy"]["batch"]["event_types"], batches)
        for document in payloads(self.profiles["wassenger"], [kind["name"] for kind in kinds]):
            self.assertIn(document["event"], [kind["name"] for kind in kinds])
        others = [p for p in self.profiles if any(k["shape"] == "batch" for k in self.profiles[p]["event_types"])]
        self.assertEqual(others, ["wassenger"])

    def test_wassenger_gates_four_types_by_plan(self):
        every = ["platform", "platform-business", "platform-enterprise"]
        gates = {kind["name"]: kind["plans"] for kind in self.profiles["wassenger"]["event_types"] if "plans" in kind}
        expected = dict.fromkeys(("message:in:new", "message:out:new", "channel:in"), every)
        self.assertEqual(gates, expected | {"message:out:ack": every[1:]})
        self.assertEqual(self.profiles["chat-api"]["tools"]["simulation"]["plans"], ["paid"])

    def test_chat_api_acks_belong_to_messages_that_went_out(self):
        for document in payloads(self.profiles["chat-api"], ["messages"]):
            for message in document["messages"]:
                self.assertEqual("ack" in message, message["fromMe"], message["id"])
        api = {
            message["id"]
            for document in payloads(self.profiles["chat-api"], ["messages"])
            for message in document["messages"]
            if message["self"] == 1
        }
        for document in payloads(self.profiles["chat-api"], ["ack"]):
            self.assertTrue({entry["id"] for entry in document["ack"]} <= api, "acks are for the API's messages")

    def test_wamm_types_tell_the_direction(self):
        for name, from_me in (("msg:in", 0), ("msg:out", 1)):
            for document in payloads(self.profiles["wamm"], [name]):
                self.assertEqual((document["tip"], document["msg_data"]["from_me"]), ("msg", from_me))

    def test_cbot_and_whizard_share_a_catalogue(self):
        self.assertEqual(self.profiles["cbot"]["event_types"], self.profiles["whizard"]["event_types"])
        for path in (PROFILES / "cbot").rglob("*.json"):
            other = PROFILES / "whizard" / path.relative_to(PROFILES / "cbot")
            self.assertEqual(path.read_bytes(), other.read_bytes(), path)

    def test_standard_events_have_the_form_of_the_specification(self):
        for kind in self.profiles["standard"]["event_types"]:
            self.assertRegex(kind["name"], r"^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$")
            for document in payloads(self.profiles["standard"], [kind["name"]]):
                self.assertEqual(list(document), ["type", "timestamp", "data"])
                self.assertEqual(document["type"], kind["name"])


class SettingsTest(unittest.TestCase):
    """Figures of the profiles, as the texts have them or as they were chosen."""

    def setUp(self):
        self.profiles = profiles()

    def test_every_profile_states_the_same_keys(self):
        keys = {name: set(profile["policy"]) for name, profile in self.profiles.items()}
        self.assertEqual(len(keys["standard"]), 17)
        for name, stated in keys.items():
            self.assertEqual(stated, keys["standard"], name)

    def test_settings_are_those_of_the_table(self):
        columns = ("mode", "timeout", "success_codes", "max_retries", "backlog", "alert_after", "mail_subscriber")
        table = {
            "wassenger": ("keyed", "30s", ["200-209"], 100, 0, 10, True),
            "chat-api": ("ordered", "30s", ["200"], 0, 1_000_000, 0, False),
            "cbot": ("parallel", "30s", ["200"], 240, 1_000_000, 0, False),
            "wamm": ("ordered", "10s", ["200"], 5, 1_000_000, 0, False),
            "whizard": ("parallel", "30s", ["200"], 240, 1_000_000, 0, False),
            "standard": ("parallel", "30s", ["200-299"], 9, 1_000_000, 10, True),
        }
        for name, row in table.items():
            policy = self.profiles[name]["policy"]
            self.assertEqual(tuple(policy[column] for column in columns), row, name)
            self.assertLessEqual(int(policy["timeout"][:-1]), int(self.profiles[name]["longest_timeout"][:-1]))

    def test_urls_and_endpoints_are_those_of_the_texts(self):
        rules = {name: (p["url"]["schemes"], p["url"]["ports"], p["endpoints_per_channel"]) for name, p in
                 self.profiles.items()}
        both = ["http", "https"]
        self.assertEqual(rules, {
            "wassenger": (["https"], [], 0),
            "chat-api": (both, [], 1),
            "cbot": (["https"], [], 1),
            "wamm": (both, [], 1),
            "whizard": (["https"], [443], 1),
            "standard": (both, [], 0),
        })

    def test_retries_take_the_times_that_are_documented(self):
        def total(name, retries):
            backoff = self.profiles[name]["policy"]["backoff"]
            self.assertEqual(backoff["kind"], "linear")
            step, cap = int(backoff["step"][:-1]), 60 * int(backoff["cap"][:-1])
            return sum(min(step * n, cap) for n in range(1, retries + 1))

        self.assertEqual(total("chat-api", 19), 47 * 60 + 30)
        self.assertEqual(total("wamm", 5), 3 * 60 + 45)
        self.assertEqual(total("cbot", 240), 24 * 3600 + 6 * 60)
        self.assertEqual(total("whizard", 240), total("cbot", 240))
        self.assertEqual(total("wassenger", 9), 11 * 60 + 15)  # the 10th failure
        self.assertEqual(total("wassenger", 59), 7 * 3600 + 22 * 60 + 30)  # the 60th
        self.assertEqual(total("wassenger", 100), 17 * 3600 + 37 * 60 + 30)
        seconds = {"s": 1, "m": 60, "h": 3600}
        schedule = self.profiles["standard"]["policy"]["backoff"]["schedule"]
        self.assertEqual(len(schedule), self.profiles["standard"]["policy"]["max_retries"])
        self.assertEqual(sum(int(wait[:-1]) * seconds[wait[-1]] for wait in schedule), 75 * 3600 + 35 * 60 + 5)

    def test_statuses_outside_the_success_codes_are_alike_in_the_five(self):
        for name, profile in self.profiles.items():
            policy = profile["policy"]
            if name == "standard":
                self.assertEqual(policy["auto_disable"]["on_gone"], True)
                continue
            self.assertEqual(policy["retry_after_max"], "0s", name)
            self.assertIn("retry_after_max", profile["overridable"], name)
            self.assertEqual((policy["auto_disable"]["on_gone"], policy["auto_disable"]["count_429"]), (False, True))
            failures = {"wassenger": 60}.get(name, 0)
            self.assertEqual(policy["auto_disable"]["failures"], failures, name)
            rate = {"wassenger": {"per_second": 5, "burst": 1, "unit": "request"}}
            self.assertEqual(policy["rate_limit"], rate.get(name, {"per_second": 0, "burst": 1, "unit": "request"}))
            self.assertEqual(policy["backoff"]["exact_first"], name == "wassenger")

    def test_chat_api_settings_have_their_documented_names(self):
        settings = {setting["name"]: setting for setting in self.profiles["chat-api"]["settings"]}
        aliases = {name: setting["aliases"] for name, setting in settings.items()}
        self.assertEqual(aliases, {
            "guaranteed_hooks": ["guaranteedHooks"],
            "parallel_hooks": ["parallelHooks"],
            "status_notifications_on": ["statusNotificationsOn"],
            "ack_notifications_on": ["ackNotificationsOn"],
            "chat_update_on": ["chatUpdateOn"],
            "instance_statuses": ["instanceStatuses"],
            "video_upload_on": ["videoUploadOn"],
        })
        self.assertEqual(settings["guaranteed_hooks"]["when_on"], {"max_retries": 19})
        self.assertEqual(settings["parallel_hooks"]["when_on"], {"mode": "parallel"})
        types = {kind["name"] for kind in self.profiles["chat-api"]["event_types"]}
        muted = {name for setting in settings.values() for name in setting.get("when_off", {}).get("mutes", [])}
        self.assertEqual(muted, types - {"messages"})
        for name in ("instance_statuses", "video_upload_on"):
            self.assertFalse({"when_on", "when_off"} & set(settings[name]), "the platform acts on it")

    def test_keys_are_those_of_the_two_that_have_them(self):
        keys = {name: p["api_key"] for name, p in self.profiles.items() if "api_key" in p}
        self.assertEqual(keys, {
            "cbot": {"header": "API-KEY", "on_rotate": "clear_endpoints", "echo_headers": "masked"},
            "whizard": {"header": "WHIZARD-KEY", "on_rotate": "keep", "echo_headers": "clear"},
        })


if __name__ == "__main__":
    unittest.main()
