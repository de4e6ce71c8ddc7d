"""Secrets stay where they belong: planted ones are looked for everywhere; sealed at rest, rekeyed, purged."""

import base64
import http.server
import json
import resource
import secrets
import signal
import threading
import urllib.error
import urllib.request

import harness
from harness import wait_for
from tls_test import make_certificates

OK, REFUSED = 0, 1
FAST = ("--backoff", "100ms:500ms:0", "--rate-limit", "0", "--max-retries", "3")
TEMPLATES = harness.HERE.parents[1] / "config/templates"


def files_with(folder, needle):
    """Of the folder and all below it, but for the ballast, which is empty."""
    while True:
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "ballast")
        try:
            found = [str(path.relative_to(folder)) for path in paths if needle in path.read_bytes()]
        except FileNotFoundError:
            continue  # the database has rewritten a file: what it held is in another
        if sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "ballast") == paths:
            return found


class Talker:
    """A receiver on a thread: answers every POST with a status, headers and a body that are set, and those at /token
    with `token`."""

    def __init__(self, status, body, headers, token=None):
        talker = self
        self.status, self.seen, self.asked = status, [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                payload = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/token":
                    return self.grant(payload)
                talker.seen.append((self.path, dict(self.headers.items()), payload))
                self.send_response(talker.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if talker.status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if talker.status != 204:
                    self.wfile.write(body)

            def grant(self, payload):
                talker.asked.append((dict(self.headers.items()), payload))
                status, text = token(len(talker.asked))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self):  # hub_challenge, which is not answered as it should be
                talker.seen.append((self.path, dict(self.headers.items()), b""))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"no")

            def log_message(self, format, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):  # the sender is killed on purpose
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def random_mark():
    """Of its own letters from the beginning, so that no compression of tables hides it behind another text."""
    return "".join(secrets.choice("GHJKLMNPQRSTUVWXYZ") for _ in range(16))


def key_file(space, name):
    path = space.folder / name
    path.write_text(base64.b64encode(secrets.token_bytes(32)).decode() + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


class PlantedSecretsTest(harness.TestCase):
    """Everything that a caller or a log sees is collected by `said`, but for the answers that show a secret once."""

    def setUp(self):
        self.key = key_file(self.space, "key")
        self.plants = {}
        self.mark = lambda name: self.plants.setdefault(name, random_mark())
        self.backups = self.space.folder / "backups"
        mail = self.space.folder / "mail"
        mail.write_text(self.mark("mail"), encoding="utf-8")
        # A mail server that is down: every mail fails, and says so in the log.
        settings = {"server": "127.0.0.1:9", "from": "hookd@example.com", "user": "hookd", "password_file": str(mail),
                    "digest_after": "100ms", "timeout": "1s", "templates_dir": str(TEMPLATES)}
        self.hookd = self.space.hookd(
            secrets={"key_file": self.key}, log={"level": "trace"}, backup={"folder": self.backups},
            alerts={"mail": json.dumps(settings | {"to": ["ops@example.com"]})}).start()
        self.said = []
        self.talker = Talker(500, b"no: " + self.mark("answer").encode(), {"Set-Cookie": f"id={self.mark('cookie')}"},
                             self.token)
        self.addCleanup(self.talker.close)

    def token(self, number):
        """Of the token server: first it refuses, and says more than it should."""
        if number == 1:
            return 401, json.dumps({"error": self.mark("token_error"), "error_description": self.mark("client")}).encode()
        return 200, json.dumps({"access_token": self.mark("access_token"), "expires_in": 3600}).encode()

    def run_hookctl(self, *arguments, keep=True, **options):
        """In both forms of output."""
        for form in ("text", "json"):
            done = self.hookd.hookctl("--output", form, *arguments, **options)
            if keep:
                self.said.append((" ".join(map(str, arguments)), done.out + done.err))
        return done

    def post(self, method, message):
        """Over the JSON gateway, as text that need not be JSON."""
        request = urllib.request.Request(
            f"http://{self.hookd.http}/hookd.v1.{method}", data=message.encode(), method="POST",
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
        self.said.append((f"{method} {message[:60]}", text))
        return text

    def plant(self):
        mark = self.mark
        raw = f"{mark('signing')}-and-32-bytes-and-more"
        self.signing = "whsec_" + base64.b64encode(raw.encode()).decode()
        self.plants["signing_base64"] = self.signing.removeprefix("whsec_").rstrip("=")
        self.plants["key"] = self.key.read_text(encoding="utf-8").strip()
        secret = self.space.folder / "signing"
        secret.write_text(self.signing, encoding="utf-8")
        header = self.space.folder / "header"
        header.write_text(f"Bearer {mark('header')}", encoding="utf-8")
        self.url = f"http://127.0.0.1:{self.talker.port}/in?key={mark('query')}"
        self.hookd.ask("subscribers", "create", "acme")
        created = self.hookd.ask(
            "endpoints", "create", "--subscriber", "acme", "--url", self.url, "--signing-secret-file", secret,
            "--secret-header", f"Authorization: @{header}", "--header", f"X-Api-Key: {mark('plain')}", *FAST,
            "--keep-bodies", "all", "--alert-after", "2",
        )
        self.endpoint = created["endpoint"]["id"]
        made = self.hookd.ask("endpoints", "create", "--subscriber", "acme", "--url", "http://127.0.0.1:9/x", *FAST)
        self.plants["made_secret"] = made["signing_secret"].removeprefix("whsec_").rstrip("=")
        self.credentials()
        token = self.hookd.ask("tokens", "create", "--subscriber", "acme", "--description", "a shop")
        self.token_id, self.plants["token"] = token["token"]["id"], token["text"]

    def credentials(self):
        """Endpoints with a password and with a token, whose secrets rotate."""
        password, client = self.space.folder / "password", self.space.folder / "client"
        password.write_text(self.mark("password"), encoding="utf-8")
        client.write_text(self.mark("client"), encoding="utf-8")
        here = f"http://127.0.0.1:{self.talker.port}"
        new = ("endpoints", "create", "--subscriber", "acme", *FAST, "--url")
        self.basic = self.hookd.ask(*new, f"{here}/basic", "--basic-user", "hookd", "--basic-password-file", password)
        self.oauth2 = self.hookd.ask(
            *new, f"{here}/oauth2", "--oauth2-token-url", f"{here}/token", "--oauth2-client-id", "hookd",
            "--oauth2-client-secret-file", client, "--oauth2-scope", "hooks")
        for made in (self.basic, self.oauth2):
            self.plants[f"made_{made['endpoint']['id']}"] = made["signing_secret"].removeprefix("whsec_").rstrip("=")
        self.basic, self.oauth2 = self.basic["endpoint"]["id"], self.oauth2["endpoint"]["id"]
        # As they go over the wire.
        for name, text in (("basic_value", f"hookd:{self.mark('password')}"), ("client_value", f"hookd:{self.mark('client')}")):
            self.plants[name] = base64.b64encode(text.encode()).decode().rstrip("=")
        make_certificates(self.space.folder)
        pem = (self.space.folder / "me.key").read_text(encoding="ascii").splitlines()
        self.plants["client_key"], self.plants["client_key_end"] = pem[1], pem[-2].rstrip("=")
        self.tls = self.hookd.ask(*new, "https://127.0.0.1:9/", "--tls-client-certificate-file",
                                  self.space.folder / "me.pem", "--tls-client-key-file", self.space.folder / "me.key")
        self.plants["made_tls"] = self.tls["signing_secret"].removeprefix("whsec_").rstrip("=")
        self.tls = self.tls["endpoint"]["id"]
        rotated = self.hookd.ask("endpoints", "rotate-secret", self.basic)["signing_secret"]
        self.plants["rotated"] = rotated.removeprefix("whsec_").rstrip("=")
        # A published pair: of the text, only what is behind the seed may be seen.
        seed = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMb"
        pair = f"whsk_{seed}fVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
        self.plants["private"] = seed
        self.run_hookctl("endpoints", "rotate-secret", self.basic, "--scheme", "v1a", "--secret-file", "-", input=pair)

    def publish(self, count):
        for n in range(count):
            payload = json.dumps({"n": n, "text": self.mark("payload")})
            self.run_hookctl("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", payload)

    def use(self):
        """A bit of everything."""
        run = self.run_hookctl
        self.publish(3)
        wait_for(lambda: len(self.talker.seen) >= 4, "attempts and retries")
        self.talker.status = 204
        wait_for(lambda: self.hookd.pending() == 0 or len(self.talker.seen) > 12, "the lane to go on")
        run("endpoints", "test", self.endpoint, "--type", "t", "--payload", '{"n": 1}')
        run("endpoints", "verify", self.endpoint, "--method", "hub_challenge", "--verify-token", self.mark("hub"))
        run("captures", "start", self.endpoint, "--duration", "1m")
        self.publish(1)
        wait_for(lambda: self.hookd.ask("captures", "list", self.endpoint).get("requests"), "what is captured")
        run("captures", "list", self.endpoint)
        run("captures", "show", self.endpoint, "1")
        run("captures", "stop", self.endpoint)
        run("endpoints", "get", self.endpoint)
        run("endpoints", "list")
        run("endpoints", "list", "--subscriber", "acme")
        run("endpoints", "top", "--once")
        run("endpoints", "disable", self.endpoint, "--reason", "a test", "--yes")
        run("endpoints", "enable", self.endpoint)
        run("endpoints", "update", self.endpoint, "--description", "another")
        for endpoint in (self.basic, self.oauth2):
            run("endpoints", "test", endpoint, "--type", "t", "--payload", '{"n": 1}')
            run("endpoints", "get", endpoint)
            run("endpoints", "verify", endpoint, "--method", "hub_challenge")
            for delivery in self.hookd.ask("deliveries", "list", "--endpoint", endpoint)["deliveries"]:
                run("deliveries", "get", delivery["id"])
        run("captures", "start", self.basic, "--duration", "1m")
        self.publish(1)
        wait_for(lambda: self.hookd.ask("captures", "list", self.basic).get("requests"), "what is captured")
        run("captures", "show", self.basic, "1")
        run("captures", "stop", self.basic)
        run("endpoints", "update", self.oauth2, "--oauth2-token-url", "http://127.0.0.1:9/", "--oauth2-client-id", "hookd")
        run("endpoints", "update", self.basic, "--basic-user", "another")
        run("endpoints", "get", self.tls)
        run("endpoints", "update", self.tls, "--description", "another")
        run("endpoints", "test", self.tls, "--type", "t", "--payload", '{"n": 1}')
        run("endpoints", "update", self.tls, "--tls-client-certificate-file", self.space.folder / "ca.pem")
        run("subscribers", "get", "acme")
        run("subscribers", "list")
        run("deliveries", "list", "--subscriber", "acme")
        for delivery in self.hookd.ask("deliveries", "list", "--endpoint", self.endpoint)["deliveries"]:
            run("deliveries", "get", delivery["id"])
        run("deliveries", "retry", delivery["id"])
        run("jobs", "recover", "--endpoint", self.endpoint, "--wait")
        run("jobs", "list")
        run("tokens", "list")
        run("audit", "list", "--limit", "0")
        run("audit", "export")
        run("audit", "show", "1")
        run("profiles", "list")
        run("status")
        run("health")
        run("backup", "create", "--wait")
        run("backup", "list")
        run("backup", "verify", "--wait")
        self.post("OperationsService/GetStatus", "{}")
        self.post("EndpointService/ListEndpoints", "{}")
        self.apply()

    def apply(self):
        manifest = self.space.folder / "manifest.yaml"
        manifest.write_text(json.dumps({"subscribers": [{"id": "acme", "endpoints": [{
            "name": "another", "url": self.url + "x",
            "headers": [{"name": "Authorization", "value": self.mark("manifest"), "secret": True},
                        {"name": "X-Api-Key", "value": self.mark("plain")}]}]}]}),
            encoding="utf-8")
        self.run_hookctl("apply", "-f", manifest, "--dry-run")
        self.run_hookctl("apply", "-f", manifest, "--yes", "--secrets")

    def misuse(self):
        """Bad input with a secret in it: what is wrong is told without it."""
        bad = self.mark("bad")
        new = ("endpoints", "create", "--subscriber", "acme", "--url")
        for url in (
            f"http://user:{bad}@127.0.0.1/", f"http://127.0.0.1:99999/?key={bad}", f"ftp://127.0.0.1/?key={bad}",
            f"http://127.0.0.1/?key={bad} x", f"http://10.0.0.1/?key={bad}", f"http://127.0.0.1/?key={bad}#{bad}",
            f"http://[::1/?key={bad}", f"http:{bad}", f"http://127.0.0.1/?{'x' * 5000}{bad}", f"http://a..b/?key={bad}",
        ):
            self.assertNotEqual(self.run_hookctl(*new, url).code, OK, url)
            self.run_hookctl("endpoints", "update", self.endpoint, "--url", url)
            self.run_hookctl("endpoints", "test", "--subscriber", "acme", "--url", url, "--type", "t", "--payload", "1")
            self.post("EndpointService/CreateEndpoint",
                      json.dumps({"endpoint": {"subscriberId": "acme", "url": url}}))
        value = self.space.folder / "bad"
        for text in (f"{bad}\x01", f"{bad}\u00e9", f"{bad}\n{bad}", bad * 2000):
            value.write_text(text, encoding="utf-8")
            self.run_hookctl(*new, "http://127.0.0.1/", "--secret-header", f"X-Key: @{value}")
        for text in (f"{bad}\x01", f"{bad}\n{bad}", f"{bad}\r\nX-Evil: 1", bad * 2000):
            value.write_text(text, encoding="utf-8")
            for flags in (("--basic-user", "hookd", "--basic-password-file", value),
                          ("--oauth2-token-url", "http://127.0.0.1/", "--oauth2-client-id", "hookd",
                           "--oauth2-client-secret-file", value)):
                self.assertNotEqual(self.run_hookctl(*new, "http://127.0.0.1/", *flags).code, OK)
        for url in (f"http://127.0.0.1/?key={bad}", f"http://user:{bad}@127.0.0.1/", f"ftp://{bad}/"):
            self.assertNotEqual(self.run_hookctl(*new, "http://127.0.0.1/", "--oauth2-token-url", url, "--oauth2-client-id",
                                                 "hookd", "--oauth2-client-secret-file", "-", input=bad).code, OK)
        for scheme, text in (("v1", f"whsec_{bad}!"), ("v1a", f"whsk_{bad}")):
            self.assertNotEqual(self.run_hookctl("endpoints", "rotate-secret", self.endpoint, "--scheme", scheme,
                                                 "--secret-file", "-", input=text).code, OK)
        for name in ("Host", "X Y", "webhook-id", "Content-Length"):
            value.write_text(bad, encoding="utf-8")
            self.assertNotEqual(
                self.run_hookctl(*new, "http://127.0.0.1/", "--secret-header", f"{name}: @{value}").code, OK)
        for text in (bad, f"whsec_{bad}!", "whsec_" + base64.b64encode(bad.encode()[:20]).decode(), "whsec_" + bad * 99):
            value.write_text(text, encoding="utf-8")
            self.assertNotEqual(self.run_hookctl(*new, "http://127.0.0.1/", "--signing-secret-file", value).code, OK)
        self.plants["bad_base64"] = base64.b64encode(bad.encode()[:20]).decode().rstrip("=")
        self.run_hookctl("endpoints", "verify", self.endpoint, "--verify-token", f"{bad} \u00e9")
        self.run_hookctl("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", f'{{"a": {bad}')
        self.run_hookctl("events", "publish", "--subscriber", "nobody", "--type", "t", "--payload", f'"{bad}"')
        self.post("EventService/PublishEvent", f'{{"event": {{"payload": "{bad}')
        self.post("EndpointService/CreateEndpoint", f'{{"endpoint": {{"url": "{bad}", "{bad[:9]}')
        self.post("EndpointService/CreateEndpoint", json.dumps({"endpoint": {"signingSecret": {"no": bad}}}))
        self.post("EndpointService/CreateEndpoint", json.dumps({"endpoint": {"headers": [{"value": [bad]}]}}))
        self.post("EndpointService/CreateEndpoint", json.dumps({"endpoint": {"headers": bad}}))

    def find(self, where, text, allowed=()):
        for name, plant in self.plants.items():
            if name not in allowed:
                self.assertNotIn(plant, text, f"{name} is in {where}")

    def test_planted_secrets_are_nowhere(self):
        self.plant()
        self.use()
        self.misuse()
        metrics = self.hookd.get("/metrics")[1]
        self.hookd.process.send_signal(signal.SIGHUP)
        for path in ("/healthz", "/readyz", "/nothing"):
            self.said.append((path, self.hookd.get(path)[1]))
        wait_for(lambda: "config.reloaded" in self.hookd.log.read_text(encoding="utf-8"), "the reload")
        self.hookd.kill()
        self.hookd.start()
        self.said.append(("after a kill", self.run_hookctl("endpoints", "get", self.endpoint).out))
        self.assertEqual(self.hookd.terminate(), OK)

        # The search finds what is there: requests had it all, and payloads are in the data folder.
        sent = str(self.talker.seen)
        for name in ("query", "header", "plain", "payload", "hub", "basic_value", "access_token"):
            self.assertIn(self.plants[name], sent, name)
        self.assertIn(self.plants["client_value"], str(self.talker.asked))
        self.assertIn("attempt", metrics)
        # What a caller may read: payloads by whoever captures or tests, answers and own headers of attempts.
        for where, text in self.said:
            self.find(where, text, allowed=("payload", "answer", "plain"))
        self.find("/metrics", metrics)
        output = "".join(path.read_text(encoding="utf-8") for path in self.space.folder.glob("hookd*.out"))
        self.find("standard output", output)
        log = self.hookd.log.read_text(encoding="utf-8")
        self.assertIn("the mail server cannot be used", log)
        self.find("the log", log)
        for folder in (self.hookd.data, self.backups):
            for name, plant in self.plants.items():
                found = files_with(folder, plant.encode())
                if name in ("payload", "answer", "plain"):
                    self.assertNotEqual(found, [], f"{name} in {folder}")
                else:
                    self.assertEqual(found, [], f"{name} is in {folder}")
            self.assertEqual(files_with(folder, base64.b64decode(self.plants["key"])), [], f"the key itself in {folder}")
        print(f"{len(self.plants)} secrets, looked for in {len(self.said)} answers, the output, the log, /metrics, the data "
              f"folder and a backup")
        self.assertGreater(len(self.said), 170)
        self.assertGreater(len(self.plants), 25)


class CoreDumpTest(harness.TestCase):
    def test_there_is_none_unless_it_is_asked_for(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        if hard == 0:
            self.skipTest("no process here may leave one")
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, (soft, hard))
        hookd = self.space.hookd().start()
        pid = hookd.process.pid
        self.assertEqual(resource.prlimit(pid, resource.RLIMIT_CORE), (0, hard))
        resource.prlimit(pid, resource.RLIMIT_CORE, (hard, hard))
        hookd.ask("status")


class RekeyTest(harness.TestCase):
    ENDPOINTS = 400

    def load(self, hookd, stop):
        """Publishes until `stop`; what happens to each is not the matter here."""
        n = 0
        while not stop.is_set():
            n += 1
            hookd.hookctl("events", "publish", "--subscriber", "s0", "--type", "t", "--payload", f'{{"n": {n}}}')

    def test_rekey_under_load_with_a_kill_in_the_middle(self):
        receiver = self.space.receiver()
        first, second = key_file(self.space, "first"), key_file(self.space, "second")
        hookd = self.space.hookd().start()  # in clear to begin with
        mark = random_mark()
        hookd.ask("subscribers", "create", "s0")
        sending = hookd.create_endpoint(receiver, "s0", "/hooks?key=" + mark, *FAST)
        manifest = {"subscribers": [{"id": "many", "endpoints": [
            {"name": f"e{n}", "url": f"http://127.0.0.1:9/{n}?key={mark}"} for n in range(self.ENDPOINTS)]}]}
        file = self.space.folder / "many.yaml"
        file.write_text(json.dumps(manifest), encoding="utf-8")
        self.assertEqual(hookd.hookctl("apply", "-f", file, "--yes").code, OK)
        total = self.ENDPOINTS + 1
        hookd.terminate()

        hookd.settings["secrets"] = {"key_file": first}
        hookd.start()
        self.assertNotEqual(files_with(hookd.data, mark.encode()), [])
        dry = hookd.ask("secrets", "rekey", "--dry-run")
        self.assertEqual((dry["dry_run"], int(dry["matched"])), (True, total))
        self.assertEqual(hookd.ask("secrets", "rekey", "--wait")["state"], "JOB_STATE_DONE")
        self.assertEqual(int(hookd.ask("secrets", "rekey", "--dry-run")["matched"]), 0)
        wait_for(lambda: files_with(hookd.data, mark.encode()) == [], "what was in clear to be gone from the files")
        old = hookd.ask("status")["secrets_key"]
        hookd.terminate()

        hookd.settings["secrets"] = {"key_file": second, "old_key_files": f"[{first}]"}
        hookd.start()
        status = hookd.ask("status")
        self.assertNotEqual(status["secrets_key"], old)
        self.assertEqual(status["secrets_old_keys"], [old])
        stop = threading.Event()
        publisher = threading.Thread(target=self.load, args=(hookd, stop))
        publisher.start()
        self.addCleanup(publisher.join)
        self.addCleanup(stop.set)
        job = hookd.ask("secrets", "rekey", "--rate", "100")["id"]
        wait_for(lambda: int(hookd.ask("jobs", "get", job)["done"]) >= 100, "a part of it")
        hookd.kill()
        hookd.start()
        left = int(hookd.ask("secrets", "rekey", "--dry-run")["matched"])
        self.assertTrue(0 < left <= total - 100, left)
        ended = hookd.ask("jobs", "watch", job)  # by itself, from where it was
        self.assertEqual((ended["state"], int(ended["done"])), ("JOB_STATE_DONE", total))
        self.assertEqual(hookd.ask("status")["secrets_old_keys"], [])
        stop.set()
        publisher.join()
        hookd.terminate()

        first.unlink()
        hookd.settings["secrets"] = {"key_file": second}
        hookd.start()
        shown = hookd.ask("endpoints", "list", "--limit", "0", "--show-query")["endpoints"]
        self.assertEqual(len(shown), total)
        self.assertTrue(all(endpoint["url"].endswith(mark) for endpoint in shown))
        before = receiver.ledger.account("/hooks?key=" + mark).delivered
        hookd.ask("events", "publish", "--subscriber", "s0", "--type", "t", "--payload", "1")
        wait_for(lambda: receiver.ledger.account("/hooks?key=" + mark).delivered > before, "one more")
        account = receiver.ledger.account("/hooks?key=" + mark)
        self.assertEqual((account.unverified, account.sequence_errors()), (0, []))
        self.assertEqual(hookd.ask("endpoints", "get", sending)["id"], sending)
        self.assertEqual(files_with(hookd.data, mark.encode()), [])


class PurgeTest(harness.TestCase):
    def setUp(self):
        self.mark, self.answer, self.header = random_mark(), random_mark(), random_mark()
        self.talker = Talker(500, self.answer.encode(), {"X-Answer": self.header})
        self.addCleanup(self.talker.close)
        self.hookd = self.space.hookd().start()
        for subscriber in ("acme", "other"):
            self.hookd.ask("subscribers", "create", subscriber)
            self.hookd.ask("endpoints", "create", "--subscriber", subscriber, "--url",
                           f"http://127.0.0.1:{self.talker.port}/{subscriber}", "--mode", "parallel",
                           "--rate-limit", "0", "--backoff", "1h:1h", "--keep-bodies", "all")

    def publish(self, subscriber, text, count):
        """Small ones are in tables, large ones in blob files."""
        lines = []
        for n in range(count):
            size = 20_000 if n % 2 else 10
            payload = {"text": text, "n": n, "pad": secrets.token_hex(size)}
            lines.append(json.dumps({"subscriber_id": subscriber, "type": "t", "payload": payload}))
        done = self.hookd.hookctl("events", "publish", "--file", "-", input="\n".join(lines) + "\n")
        self.assertEqual(done.code, OK, done.err)

    def files(self, text):
        return files_with(self.hookd.data, text.encode())

    def test_a_subscriber_is_purged_from_the_files(self):
        stays = random_mark()
        self.publish("acme", self.mark, 40)
        self.publish("other", stays, 40)
        wait_for(lambda: len(self.talker.seen) >= 80, "an attempt of each")
        self.hookd.kill()  # and what is in the log becomes tables and blob files
        self.hookd.start()
        self.publish("acme", self.mark, 20)
        wait_for(lambda: len(self.talker.seen) >= 100, "an attempt of the rest")
        self.hookd.ask("subscribers", "pause", "acme")
        self.publish("acme", self.mark, 20)
        for text in (self.mark, self.answer, self.header):
            self.assertNotEqual(self.files(text), [], text)

        refused = self.hookd.hookctl("jobs", "purge", "--subscriber", "acme", input="")
        self.assertNotEqual(refused.code, OK, "it asks first")
        dry = self.hookd.ask("jobs", "purge", "--subscriber", "acme", "--dry-run")
        self.assertEqual(int(dry["matched"]), 160)
        job = self.hookd.ask("jobs", "purge", "--subscriber", "acme", "--yes", "--wait", "--reason", "they asked")
        self.assertEqual((job["kind"], job["state"], int(job["done"])), ("JOB_KIND_PURGE", "JOB_STATE_DONE", 160))
        wait_for(lambda: self.files(self.mark) == [], "payloads to be gone from the files")
        for text in (stays, self.answer, self.header):
            self.assertNotEqual(self.files(text), [], "the other's")
        for delivery in self.hookd.ask("deliveries", "list", "--subscriber", "acme", "--limit", "0")["deliveries"]:
            self.assertTrue(delivery["state"].endswith("CANCELED"), delivery)
            self.assertEqual(delivery["end_reason"], "purged")
        shown = str(self.hookd.ask("deliveries", "get", delivery["id"]))
        for text in (self.mark, self.answer, self.header):
            self.assertNotIn(text, shown)
        self.assertEqual(self.hookd.hookctl("deliveries", "retry", delivery["id"]).code, REFUSED)

        job = self.hookd.ask("jobs", "purge", "--subscriber", "other", "--yes", "--wait")
        self.assertEqual(job["state"], "JOB_STATE_DONE")
        for text in (self.mark, stays, self.answer, self.header):
            wait_for(lambda text=text: self.files(text) == [], f"{text} to be gone from the files")
        self.assertEqual(self.hookd.pending(), 0)
        self.hookd.kill()
        self.hookd.start()
        self.assertEqual(self.files(self.mark), [])

    def test_one_event_is_purged(self):
        self.publish("acme", self.mark, 1)
        stays = random_mark()
        self.publish("acme", stays, 2)
        wait_for(lambda: len(self.talker.seen) >= 3, "an attempt of each")
        deliveries = self.hookd.ask("deliveries", "list", "--subscriber", "acme", "--order", "oldest")["deliveries"]
        event = deliveries[0]["event_id"]
        self.assertEqual(int(self.hookd.ask("jobs", "purge", "--event", event, "--dry-run")["matched"]), 1)
        job = self.hookd.ask("jobs", "purge", "--event", event, "--yes", "--wait")
        self.assertEqual((job["state"], job["event_id"]), ("JOB_STATE_DONE", event))
        wait_for(lambda: self.files(self.mark) == [], "the payload to be gone from the files")
        self.assertEqual(self.hookd.hookctl("events", "get", event).code, REFUSED)
        self.assertNotEqual(self.files(stays), [])
        self.assertEqual(self.hookd.ask("events", "get", deliveries[1]["event_id"])["subscriber_id"], "acme")
        for bad in (("--event", "evt_x"), ("--event", event), ("--subscriber", "nobody")):
            self.assertEqual(self.hookd.hookctl("jobs", "purge", *bad, "--yes").code, REFUSED, bad)


if __name__ == "__main__":
    harness.main()
