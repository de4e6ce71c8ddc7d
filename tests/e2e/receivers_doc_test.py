"""The verifying code of docs/receivers.md does what the page says: receivers_doc_test.py [--bin FOLDER].

Each language's block is taken out of the page and run: against Standard Webhooks' vectors, against what has to be
refused, and against requests of hookd. Go is not part of scripts/setup, as it is large: it is run where it is there.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import time
import unittest

import harness
from harness import wait_for

PAGE = harness.HERE.parents[1] / "docs" / "receivers.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ID, TIME = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

# Each reads a JSON list of cases from standard input and writes a JSON list of booleans.
PYTHON = """
import json, sys
cases = json.load(sys.stdin)
print(json.dumps([verify(c["secret"], c["headers"], base64.b64decode(c["body"]), c["now"]) for c in cases]))
"""
JAVASCRIPT = """
import { readFileSync } from "node:fs";
const cases = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map((c) => verify(c.secret, c.headers, Buffer.from(c.body, "base64"), c.now))));
"""
GO = """package main

import (
	"encoding/json"
	"net/http"
	"os"
	"time"

	"example.com/page/webhooks"
)

func main() {
	var cases []struct {
		Secret  string
		Headers map[string]string
		Body    []byte
		Now     int64
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	results := []bool{}
	for _, c := range cases {
		header := http.Header{}
		for name, value := range c.Headers {
			header.Set(name, value)
		}
		results = append(results, webhooks.Verify(c.Secret, header, c.Body, time.Unix(c.Now, 0)))
	}
	json.NewEncoder(os.Stdout).Encode(results)
}
"""
PHP = """
$results = [];
foreach (json_decode(file_get_contents('php://stdin'), true) as $c) {
    $results[] = verify($c['secret'], $c['headers'], base64_decode($c['body']), $c['now']);
}
echo json_encode($results);
"""
RUBY = """
require "json"
cases = JSON.parse($stdin.read)
puts JSON.generate(cases.map { |c| verify(c["secret"], c["headers"], c["body"].unpack1("m"), c["now"]) })
"""


def block(language):
    """The page's only block of code in this language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        raise harness.Failure(f"docs/receivers.md has {len(found)} blocks of {language}, expected one")
    return found[0]


def make_case(secret=SECRET, message_id=ID, timestamp=TIME, body=BODY, signature=SIGNATURE, now=TIME, **change):
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    headers |= {name.replace("_", "-"): value for name, value in change.items()}
    headers = {name: value for name, value in headers.items() if value is not None}
    return {"secret": secret, "headers": headers, "body": base64.b64encode(body).decode(), "now": now}


def sign(secret, message_id, timestamp, body):
    """By a way of its own, for the cases that are not published."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


GOOD = {
    "the specification's libraries": make_case(),
    "another of them": make_case(
        OTHER,
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1649367553,
        b'{"email":"test@example.com","username":"test_user"}',
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        now=1649367553,
    ),
    "262,143 bytes": make_case(body=b"a" * 262143, signature="v1,NTItnqyWMoFhk2Bbe5V/BMdcFRWgcSQaTgqLHX7FC7c="),
    "1 MiB": make_case(body=b"a" * 1048576, signature="v1,txpEUxqWZJ5nteTnymUVa+7C4NHpBeXJ6CsBAW0c3/A="),
    "an empty body": make_case(body=b"", signature="v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="),
    "a second key": make_case(OTHER, signature="v1,78nXHjpFP0tVJQW5D0SBwmVyyW87BV/rL6MgfM/Bw44="),
    "UTF-8": make_case(
        body='{"text":"héllo 👋"}'.encode(), signature="v1,mF3q1GZpstYd3iSwftLFyonQPG3DJ0pGH4OtSFJL+Vs="
    ),
    "bytes that are no UTF-8": make_case(body=b"\xff\x00\n", signature=sign(SECRET, ID, TIME, b"\xff\x00\n")),
    "a secret without its prefix": make_case(SECRET.removeprefix("whsec_")),
    "the second of a list": make_case(signature=f"v1,{'A' * 43}= v2,abc {SIGNATURE} v1,x"),
    "300 s old": make_case(now=TIME + 300),
    "300 s ahead": make_case(now=TIME - 300),
}
BAD = {
    "another secret": make_case(OTHER),
    "an empty secret": make_case("", signature=sign("", ID, TIME, BODY)),
    "a bare prefix": make_case("whsec_", signature=sign("", ID, TIME, BODY)),
    "a changed body": make_case(body=BODY + b" "),
    "a changed id": make_case(message_id=ID + "x"),
    "a changed timestamp": make_case(timestamp=TIME + 1),
    "no id": make_case(webhook_id=None),
    "an empty id": make_case(message_id="", signature=sign(SECRET, "", TIME, BODY)),
    "no timestamp": make_case(webhook_timestamp=None),
    "no signature": make_case(webhook_signature=None),
    "an empty signature": make_case(signature=""),
    "a timestamp of letters": make_case(timestamp="hello", signature=sign(SECRET, ID, "hello", BODY)),
    "a timestamp with a fraction": make_case(timestamp="1614265330.0", signature=sign(SECRET, ID, f"{TIME}.0", BODY)),
    "301 s old": make_case(now=TIME + 301),
    "301 s ahead": make_case(now=TIME - 301),
    "v1 and nothing": make_case(signature="v1,"),
    "its beginning": make_case(signature=SIGNATURE[:8]),
    "another version": make_case(signature=SIGNATURE.replace("v1,", "v2,")),
    "no version": make_case(signature=SIGNATURE.removeprefix("v1,")),
}


class ReceiversDocTest(harness.TestCase):
    def answers(self, language, cases):
        """What the page's code says to each case."""
        folder = self.space.folder / language
        folder.mkdir()
        code, environment = block(language), os.environ.copy()
        if language == "go":
            if shutil.which("go") is None:
                self.skipTest("Go is not installed: its block of docs/receivers.md was NOT run")
            (folder / "webhooks").mkdir()
            (folder / "webhooks" / "verify.go").write_text(code, encoding="utf-8")
            (folder / "main.go").write_text(GO, encoding="utf-8")
            (folder / "go.mod").write_text("module example.com/page\n\ngo 1.18\n", encoding="utf-8")
            environment |= {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off"}
            command = ["go", "run", "."]
        else:
            command, ending, driver = {
                "python": (["/usr/bin/python3", "-B"], "py", PYTHON),
                "javascript": (["node"], "mjs", JAVASCRIPT),
                "php": (["php"], "php", PHP),
                "ruby": (["ruby"], "rb", RUBY),
            }[language]
            file = folder / f"page.{ending}"
            file.write_text(code + driver, encoding="utf-8")
            command = [*command, file.name]
        done = subprocess.run(
            command, input=json.dumps(cases), capture_output=True, text=True, cwd=folder, env=environment, check=False
        )
        self.assertEqual(done.returncode, 0, f"{language}: {done.stderr}")
        return json.loads(done.stdout)

    def check_vectors(self, language):
        named = {**{f"accepts {name}": case for name, case in GOOD.items()},
                 **{f"refuses {name}": case for name, case in BAD.items()}}
        said = dict(zip(named, self.answers(language, list(named.values())), strict=True))
        self.assertEqual(said, {name: name.startswith("accepts") for name in named})

    def test_python(self):
        self.check_vectors("python")

    def test_javascript(self):
        self.check_vectors("javascript")

    def test_go(self):
        self.check_vectors("go")

    def test_php(self):
        self.check_vectors("php")

    def test_ruby(self):
        self.check_vectors("ruby")

    def test_what_hookd_sends_is_accepted_by_each_of_them(self):
        hookd = self.space.hookd().start()
        receiver = self.space.receiver(keep_requests=True)
        hookd.ask("subscribers", "create", "acme")
        command = ("endpoints", "create", "--subscriber", "acme", "--url", receiver.url("/page"))
        secret = hookd.ask(*command, "--rate-limit", "0")["signing_secret"]
        receiver.set("/page", secret=secret)
        for payload in ('{"text":"plain"}', '{"text":"Grüße, 東京 🙂"}', '"' + "x" * 100_000 + '"'):
            hookd.ask("events", "publish", "--subscriber", "acme", "--type", "a", "--payload-file", "-", input=payload)
        wait_for(lambda: hookd.pending() == 0, "all deliveries to end")
        cases = []
        for entry in receiver.ledger.entries("/page"):
            headers = {name.lower(): value for name, value in entry["headers"].items()}
            cases.append({"secret": secret, "headers": headers, "body": entry["body"], "now": int(time.time())})
        cases += [case | {"secret": OTHER} for case in cases]
        expected = [True] * 3 + [False] * 3
        for language in ("python", "javascript", "php", "ruby"):
            self.assertEqual(self.answers(language, cases), expected, language)
        if shutil.which("go") is not None:
            self.assertEqual(self.answers("go", cases), expected, "go")


class PageTest(unittest.TestCase):
    def test_the_page_has_five_languages(self):
        fences = re.findall(r"^```(\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(fences, ["python", "javascript", "go", "php", "ruby"])


if __name__ == "__main__":
    harness.main()
