"""What hookctl does by itself: apply, questions, profiles, completion, progress."""

import json
import os
import pathlib
import pty
import re
import select
import subprocess

import harness
from harness import wait_for

# Exit codes of hookctl.
OK, REFUSED, USAGE, UNREACHABLE, DIFFERS, DECLINED = 0, 1, 2, 3, 5, 6
ROOT = pathlib.Path(__file__).resolve().parents[2]


class ClientTest(harness.TestCase):
    def setUp(self):
        self.hookd = self.space.hookd().start()
        self.receiver = self.space.receiver()
        self.hookd.ask("subscribers", "create", "acme")

    def file(self, name, text):
        path = self.space.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def run_with(self, environment, *arguments, server=True):
        """hookctl with settings of a person of its own."""
        command = [str(harness.bin_dir / "hookctl"), *(["--server", self.hookd.grpc] if server else []), *arguments]
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.space.folder)} | environment
        done = subprocess.run(command, env=clean, capture_output=True, timeout=harness.PATIENCE_S, check=False)
        return harness.Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def on_a_terminal(self, *arguments, answers=()):
        """The exit code and what a person saw; each answer is a pair of what it waits for, and what is typed."""
        command = [str(part) for part in (harness.bin_dir / "hookctl", "--server", self.hookd.grpc, *arguments)]
        master, slave = pty.openpty()
        process = self.space.popen(*command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        seen = b""

        def read():
            nonlocal seen
            if select.select([master], [], [], 0)[0]:
                try:
                    seen += os.read(master, 4096)
                except OSError:  # the other side is closed
                    return False
                return True
            return process.poll() is None

        for awaited, typed in answers:
            wait_for(lambda text=awaited: (read(), text in seen)[1], f"hookctl to show {awaited}")
            os.write(master, typed)
        wait_for(lambda: not read(), "hookctl to end")
        code = process.wait(harness.PATIENCE_S)
        os.close(master)
        return code, seen.decode()

    def test_a_person_is_asked_before_what_destroys(self):
        endpoint = self.hookd.create_endpoint(self.receiver, "acme", "/hooks")
        done = self.hookd.hookctl("endpoints", "delete", endpoint)
        self.assertEqual((done.code, done.out), (USAGE, ""))
        self.assertIn("give --yes to delete endpoint " + endpoint, done.err)
        command = ("endpoints", "delete", endpoint)
        code, seen = self.on_a_terminal(*command, answers=[(b"[y/N]", b"n\n")])
        self.assertEqual(code, DECLINED, seen)
        self.assertIn("nothing was changed", seen)
        self.hookd.ask("endpoints", "get", endpoint)
        code, seen = self.on_a_terminal(*command, answers=[(b"[y/N]", b"y\n")])
        self.assertEqual(code, OK, seen)
        self.assertEqual(self.hookd.ask("endpoints", "list")["endpoints"], [])

    def test_apply(self):
        shop, other = self.receiver.url("/shop"), self.receiver.url("/other")
        secret = self.file("secret", "Bearer hush-hush\n")
        text = f"""
subscribers:
  - id: acme
    name: Acme Ltd
    endpoints:
      - name: shop
        url: {shop}
        event_types: ["message:*"]
        channels: [c1, c2]
        headers:
          - {{name: X-Shop, value: one}}
          - {{name: Authorization, value_file: {secret}}}
        policy:
          mode: keyed
          max_in_flight: 3
          timeout: 5s
          success_codes: [200-204, 410]
          max_retries: 7
          backoff: exponential:1s:1h:2
          rate_limit: "9:2"
          retry_after_max: 10m
          alert_after: 3
          auto_disable: {{failures: 30, span: 2h, on_gone: false}}
          backlog: 500
          http_version: 1.1
          kept_bodies: all
      - url: {other}
        paused: true
  - id: beta
    paused: true
"""
        file = self.file("hookd.yaml", text)
        done = self.hookd.hookctl("apply", "-f", file, "--dry-run")
        self.assertEqual(done.code, DIFFERS, done.err)
        for line in ("~ subscriber acme", "    name:  -> Acme Ltd", "+ endpoint shop of acme", "+ subscriber beta"):
            self.assertIn(line + "\n", done.out)
        self.assertIn("3 to create, 1 to change, 0 to delete", done.out)
        self.assertEqual(self.hookd.ask("endpoints", "list")["endpoints"], [], "nothing was changed")
        self.assertEqual(self.hookd.hookctl("apply", "-f", file).code, USAGE, "there is nobody to ask")

        done = self.hookd.hookctl("apply", "-f", file, "--yes")
        self.assertEqual((done.code, done.err), (OK, ""))
        self.assertEqual(len(re.findall(r"whsec_", done.out)), 2, "each new secret is shown once")
        self.assertNotIn("hush", done.out)
        endpoints = {e["description"]: e for e in self.hookd.ask("endpoints", "list")["endpoints"]}
        self.assertEqual(endpoints["shop"]["policy"]["auto_disable"]["failures"], 30)
        self.assertTrue(endpoints[""]["paused"])
        self.assertTrue(self.hookd.ask("subscribers", "get", "beta")["paused"])
        for again in (("--dry-run",), ("--yes",), ("--dry-run", "--prune")):
            done = self.hookd.hookctl("apply", "-f", file, *again)
            self.assertEqual((done.code, done.out), (OK, "no difference\n"), "it is as it is to be")

        changed = text.replace("timeout: 5s", "timeout: 6s").replace("paused: true\n  - id", "paused: false\n  - id")
        plan = self.hookd.hookctl("--output", "json", "apply", "-f", "-", "--dry-run", input=changed)
        self.assertEqual(plan.code, DIFFERS)
        fields = [field for change in json.loads(plan.out)["changes"] for field in change["fields"]]
        self.assertIn({"path": "policy.timeout", "before": "5s", "after": "6s"}, fields)
        self.assertIn({"path": "paused", "before": "yes", "after": "no"}, fields)
        result = json.loads(self.hookd.hookctl("--output", "json", "apply", "-f", "-", "--yes", input=changed).out)
        self.assertEqual((result["applied"], result["created"]), (2, []))

        fewer = changed[: changed.index(f"      - url: {other}")]
        self.assertEqual(self.hookd.hookctl("apply", "-f", "-", "--dry-run", input=fewer).code, OK)
        done = self.hookd.hookctl("apply", "-f", "-", "--prune", "--yes", input=fewer)
        self.assertEqual(done.code, OK, done.err)
        left = [endpoint["description"] for endpoint in self.hookd.ask("endpoints", "list")["endpoints"]]
        self.assertEqual(left, ["shop"])

    def test_apply_asks_on_a_terminal(self):
        file = self.file("hookd.yaml", "subscribers: [{id: new}]")
        code, seen = self.on_a_terminal("apply", "-f", file, answers=[(b"[y/N]", b"\n")])
        self.assertEqual(code, DECLINED, seen)
        self.assertLess(seen.index("+ subscriber new"), seen.index("[y/N]"), "the difference comes first")
        code, seen = self.on_a_terminal("apply", "-f", file, answers=[(b"[y/N]", b"yes\n")])
        self.assertEqual(code, OK, seen)
        self.hookd.ask("subscribers", "get", "new")

    def test_apply_stops_at_a_refusal_and_goes_on(self):
        url = self.receiver.url("/hooks")
        text = "subscribers: [{id: new, endpoints: [{url: %s}, {url: %s, policy: {timeout: %s}}]}]"
        done = self.hookd.hookctl("apply", "-f", "-", "--yes", input=text % (url, url + "2", "1ms"))
        self.assertEqual(done.code, REFUSED)
        self.assertIn("INVALID_ARGUMENT: policy.timeout", done.err)
        self.assertIn("2 of 3 were applied and stay", done.err)
        done = self.hookd.hookctl("apply", "-f", "-", "--yes", input=text % (url, url + "2", "1s"))
        self.assertEqual(done.code, OK, done.err)
        self.assertEqual(len(self.hookd.ask("endpoints", "list", "--subscriber", "new")["endpoints"]), 2)

    def test_profiles(self):
        folder = self.space.folder / ".config" / "hookd"
        folder.mkdir(parents=True)
        config = f"profile: here\nprofiles:\n  here: {{server: '{self.hookd.grpc}', output: json}}\n"
        config += "  away: {server: '127.0.0.1:1', deadline: 1s}\n"
        (folder / "hookctl.yaml").write_text(config, encoding="utf-8")
        done = self.run_with({}, "subscribers", "list", server=False)
        self.assertEqual([s["id"] for s in json.loads(done.out)["subscribers"]], ["acme"])
        done = self.run_with({}, "--profile", "away", "subscribers", "list", server=False)
        self.assertEqual(done.code, UNREACHABLE)
        shown = self.run_with({"HOOKCTL_PROFILE": "away", "HOOKCTL_DEADLINE": "7"}, "config", "show", server=False)
        rows = [line.split() for line in shown.out.splitlines()]
        self.assertIn(["server", "127.0.0.1:1", "profile", "away"], rows)
        self.assertIn(["output", "table", "default"], rows)
        self.assertEqual(["deadline", "7s"], [row for row in rows if row[0] == "deadline"][0][:2])
        # A flag goes before the environment, and that before the file.
        environment = {"HOOKD_SERVER": "127.0.0.1:2"}
        done = self.run_with(environment, "config", "show", "--output", "json", "--server", "127.0.0.1:3", server=False)
        self.assertEqual(json.loads(done.out)["server"], "127.0.0.1:3")
        done = self.run_with(environment, "config", "show", server=False)
        self.assertEqual(json.loads(done.out)["server"], "127.0.0.1:2")
        listed = json.loads(self.run_with({}, "config", "list", server=False).out)
        self.assertEqual(sorted(listed["profiles"]), ["away", "here"])
        for text, fault in (("profiles: [", "not valid YAML"), ("profile: gone", "none of its profiles")):
            path = self.file("bad.yaml", text)
            done = self.run_with({"HOOKCTL_CONFIG": str(path)}, "status")
            self.assertEqual(done.code, USAGE)
            self.assertIn(fault, done.err)
            self.assertEqual(self.run_with({"HOOKCTL_CONFIG": str(path)}, "completion", "bash").code, OK)
        self.assertEqual(self.run_with({"HOOKCTL_CONFIG": "/nonexistent"}, "status").code, USAGE)

    def complete(self, line):
        """What bash offers behind `line`."""
        script = self.file("hookctl.bash", self.hookd.hookctl("completion", "bash").out)
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        run = f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _hookctl; "
        run += 'printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "--norc", "-ec", run], capture_output=True, cwd=self.space.folder, timeout=60,
                              check=True)
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode().split()

    def test_bash_completes(self):
        self.assertLessEqual({"subscribers", "endpoints", "jobs", "apply", "config"}, set(self.complete("hookctl ")))
        self.assertEqual(self.complete("hookctl deliv"), ["deliveries"])
        self.assertEqual(self.complete("hookctl --output json deliveries t"), ["tail"])
        self.assertEqual(self.complete("hookctl --output "), ["table", "json"])
        self.assertEqual(self.complete("hookctl deliveries list --state ex"), ["exhausted", "expired"])
        self.assertEqual(self.complete("hookctl deliveries list --state expired --ord"), ["--order"])
        self.assertEqual(self.complete("hookctl endpoints bulk dis"), ["disable"])
        self.assertEqual(self.complete("hookctl endpoints bulk disable --ye"), ["--yes"])
        self.assertEqual(self.complete("hookctl subscribers delete acme --out"), ["--output"])
        self.file("events.ndjson", "")
        self.assertEqual(self.complete("hookctl events publish --file events.nd"), ["events.ndjson"])

    def test_the_other_shells_take_their_script(self):
        for shell, check in (("zsh", ["-n"]), ("fish", ["--no-execute"])):
            script = self.hookd.hookctl("completion", shell)
            self.assertEqual(script.code, OK)
            self.assertIn("deliveries", script.out)
            with self.subTest(shell=shell):
                if not any((pathlib.Path(folder) / shell).exists() for folder in os.environ["PATH"].split(":")):
                    self.skipTest(f"{shell} is not installed")
                path = self.file(f"completion.{shell}", script.out)
                subprocess.run([shell, *check, path], check=True, timeout=60)

    def test_the_reference_has_every_command(self):
        script = self.hookd.hookctl("completion", "bash").out
        paths = re.findall(r"^    '([a-z -]+)'\)$", script, re.MULTILINE)
        leaves = [path for path in paths if not any(other.startswith(path + " ") for other in paths)]
        self.assertGreater(len(leaves), 40)
        page = (ROOT / "docs" / "hookctl.md").read_text(encoding="utf-8")
        self.assertEqual([path for path in leaves if f"hookctl {path}" not in page], [])

    def test_progress_of_publish(self):
        line = '{"subscriber_id":"acme","type":"t","payload":1}\n'
        file = self.file("events.ndjson", line * 3000 + "nonsense\n")
        done = self.hookd.hookctl("events", "publish", "--file", file)
        self.assertEqual(done.code, REFUSED)
        self.assertEqual(len(done.err.splitlines()), 1, "without a terminal only refusals are told")
        done = self.hookd.hookctl("events", "publish", "--file", file, "--progress")
        self.assertRegex(done.err, r"(?m)^\[[#.]{20}\] +\d+ %  [\d,]+ accepted")
        code, seen = self.on_a_terminal("events", "publish", "--file", file)
        self.assertEqual(code, REFUSED)
        self.assertIn("\r\x1b[K", seen, "the line is taken away again")
        self.assertIn("line 3001: INVALID_ARGUMENT", seen)

if __name__ == "__main__":
    harness.main()
