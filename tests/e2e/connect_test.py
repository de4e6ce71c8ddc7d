"""The gateway, with Connect's own client for another language, and with the curl commands of the documentation:
connect_test.py [--bin FOLDER]."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess

import harness
from harness import wait_for

ROOT = harness.HERE.parent.parent
MODULES = ROOT / ".node" / "node_modules"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CLIENT = harness.HERE / "connect" / "client.mjs"


class ConnectTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver(keep_requests=True)

    def post(self, procedure, message):
        """Status and answer of a call by a plain client."""
        command = ["curl", "-sS", "--max-time", str(harness.PATIENCE_S), "-w", "\n%{http_code}", "-d", "@-"]
        command += ["-H", "Content-Type: application/json", f"http://{self.hookd.http}/hookd.v1.{procedure}"]
        done = subprocess.run(command, input=message.encode(), capture_output=True, check=True)
        answer, _, status = done.stdout.decode().rpartition("\n")
        return int(status), json.loads(answer)

    def generated_client(self):
        """A folder with the client and its code."""
        if not MODULES.is_dir():
            raise harness.Failure("Connect's client is missing: run scripts/setup-node")
        folder = self.space.folder / "client"
        folder.mkdir()
        plugin = MODULES / ".bin" / "protoc-gen-es"
        protos = sorted(str(path) for path in (ROOT / "proto" / "hookd" / "v1").glob("*.proto"))
        command = ["protoc", f"--plugin=protoc-gen-es={plugin}", f"--es_out={folder}", "--es_opt=target=js,import_extension=js"]
        subprocess.run([*command, "-I", str(ROOT / "proto"), *protos], check=True)
        (folder / "node_modules").symlink_to(MODULES)
        (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
        return shutil.copy(CLIENT, folder)

    def test_a_generated_client_for_another_language(self):
        for path in ("/json", "/binary"):
            self.receiver.set(path, secret=SECRET)
        command = ["node", self.generated_client(), f"http://{self.hookd.http}", self.receiver.url(""), SECRET]
        done = subprocess.run(command, capture_output=True, timeout=harness.PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        for made in json.loads(done.stdout):
            entries = self.receiver.ledger.entries(f"/{made['subscriber']}")
            self.assertEqual([entry["answer"] for entry in entries], [204, 204])
            self.assertIn(made["event"], [entry["id"] for entry in entries])
            self.assertEqual(base64.b64decode(entries[0]["body"]).decode(), '{"text":"Привет"}')
            endpoint = self.hookd.ask("endpoints", "get", made["endpoint"])
            self.assertEqual(endpoint["subscriber_id"], made["subscriber"])

    def test_the_commands_of_the_documentation(self):
        page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
        section = page.partition("\n## JSON over HTTP\n")[2].partition("\n## ")[0]
        commands = "\n".join(re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
        self.assertGreater(commands.count("hookd "), 10)
        commands = commands.replace("127.0.0.1:7071", self.hookd.http)
        self.assertIn(self.hookd.http, commands)
        self.receiver.set("/hooks", secret=SECRET)  # not the right one: it refuses, and notes what came
        commands = commands.replace("http://127.0.0.1:8080/hooks", self.receiver.url("/hooks"))
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=self.space.folder, env=os.environ,
                              capture_output=True, timeout=harness.PATIENCE_S, check=False)
        output = done.stdout.decode()
        self.assertEqual(done.returncode, 0, done.stderr.decode() + output)
        self.assertNotIn('"code":"', output)
        self.assertIn('"eventId":"evt_', output)
        entries = wait_for(lambda: self.receiver.ledger.entries("/hooks"), "the event to arrive")
        self.assertEqual(base64.b64decode(entries[0]["body"]).decode(), '{"text":"hello"}')

    def test_errors_have_connects_form(self):
        self.assertEqual(
            self.post("SubscriberService/CreateSubscriber", '{"subscriber":{"id":"a","nmae":"x"}}'),
            (400, {"code": "invalid_argument",
                   "message": "subscriber.nmae: there is no such field, see the .proto files"}))
        status, error = self.post("SubscriberService/GetSubscriber", '{"id":"nobody"}')
        self.assertEqual((status, error["code"]), (404, "not_found"))
        status, error = self.post("EventService/PublishStream", "{}")
        self.assertEqual((status, error["code"]), (501, "unimplemented"))

    def test_calls_in_flight_end_with_a_stop(self):
        """Connections that are open, idle or in the middle of a request do not hold hookd up."""
        address, _, port = self.hookd.http.rpartition(":")
        start = b"POST /hookd.v1.OperationsService/GetStatus HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        halves = []
        for _ in range(10):
            halves.append(socket.create_connection((address, int(port))))
            halves[-1].sendall(start + b"Content-Length: 2\r\n\r\n{")
        self.assertEqual(self.post("OperationsService/GetStatus", "{}")[0], 200)
        self.assertEqual(self.hookd.terminate(), 0)
        for half in halves:
            half.close()


if __name__ == "__main__":
    harness.main()
