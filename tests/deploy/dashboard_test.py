"""The dashboard and the alert rules against a hookd that works: a Prometheus scrapes it, and every query is asked.

hookd has by then delivered, failed, been throttled and held back, so that each query has something to show.
"""

import http.server
import json
import math
import re
import socket
import subprocess
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

import common
import harness

SUBSCRIBER = "acme"
SCRAPES_BEFORE, SCRAPES = 2, 5
# What Grafana puts in.
VARIABLES = {"$__rate_interval": "30s", "$instance": ".*"}
# Their last values must be numbers above 0 after what the test has done: expression, and why.
MUST_HAVE = {
    "hookd_ready": "it is up",
    "hookd_pending_deliveries": "an endpoint fails",
    "hookd_oldest_pending_age_seconds": "likewise",
    'hookd_active_endpoints{state="enabled"}': "three are active",
    'hookd_active_endpoints{state="paused"}': "one is paused",
    "hookd_held_back_endpoints": "one answers with Retry-After",
    "hookd_throttled_endpoints": "one has a low rate limit",
    'hookd_attempts_total{outcome="success",status_class="2xx"}': "one works",
    'hookd_attempts_total{outcome="status",status_class="4xx"}': "one answers 429",
    'hookd_attempts_total{outcome="status",status_class="5xx"}': "one answers 503",
    'hookd_events_rejected_total{reason="not_found"}': "one event was for nobody",
    "hookd_filesystem_free_bytes": "there is a disk",
    "hookd_database_memtable_bytes": "rows were written",
    "hookd_commit_duration_seconds_count": "likewise",
    "hookd_backup_last_bytes": "one is made at the start",
    "process_resident_memory_bytes": "it runs",
    "histogram_quantile(0.99, hookd_success_delay_seconds_bucket)": "one works",
    "histogram_quantile(0.99, hookd_first_attempt_delay_seconds_bucket)": "likewise",
    'histogram_quantile(0.9, hookd_attempt_duration_seconds_bucket{phase="connect"})': "connections were made",
}


class AskForLess(http.server.BaseHTTPRequestHandler):
    """Answers 429: come again in an hour."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(429)
        self.send_header("Retry-After", "3600")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Prometheus:
    """Scrapes one hookd as deploy/prometheus says, only more often."""

    def __init__(self, space, hookd):
        folder = space.folder / "prometheus"
        folder.mkdir()
        config = yaml.safe_load((common.DEPLOY / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [hookd.http]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        (folder / "hookd.rules.yml").write_text((common.DEPLOY / "prometheus/hookd.rules.yml").read_text())
        with socket.socket() as free:  # Prometheus does not say which port it was given
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = space.popen("prometheus", f"--config.file={folder / 'prometheus.yml'}",
                                       f"--storage.tsdb.path={folder / 'data'}",
                                       f"--web.listen-address={self.address}", stdout=log, stderr=subprocess.STDOUT)

    def api(self, path, **parameters):
        """The data of the answer; None while it starts. An error of Prometheus' is raised."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 503:
                    return None
                raise harness.Failure(f"{parameters}: {error.read().decode()}") from None
        except OSError:
            if self.process.poll() is not None:
                raise harness.Failure(f"prometheus ended:\n{self.log.read_text()}") from None
            return None

    def query(self, expression):
        """The values of the series that it gives."""
        data = self.api("query", query=expression)
        return None if data is None else [float(series["value"][1]) for series in data["result"]]


class DashboardTest(harness.TestCase):
    def backups(self):
        """The first one is made at the start."""
        return {"folder": self.space.folder / "backups", "every": "1h"}

    def work(self):
        """A hookd with one endpoint each that works, fails, asks for less, is throttled, and is paused."""
        hookd = self.space.hookd(storage={"ballast": "0B"}, backup=self.backups()).start()
        receiver = self.space.receiver()
        less = http.server.ThreadingHTTPServer(("127.0.0.1", 0), AskForLess)
        threading.Thread(target=less.serve_forever, daemon=True).start()
        self.addCleanup(less.server_close)
        self.addCleanup(less.shutdown)
        hookd.ask("subscribers", "create", SUBSCRIBER)
        hookd.create_endpoint(receiver, SUBSCRIBER, "/works", "--rate-limit", "0")
        hookd.create_endpoint(receiver, SUBSCRIBER, "/fails", "--backoff", "1s:1s:0", refuse_every=1,
                              refuse_attempts=1000, refuse_status=503)
        hookd.create_endpoint(receiver, SUBSCRIBER, "/slowly", "--rate-limit", "1:1", "--mode", "parallel")
        paused = hookd.create_endpoint(receiver, SUBSCRIBER, "/paused")
        hookd.ask("endpoints", "create", "--subscriber", SUBSCRIBER, "--url",
                  f"http://127.0.0.1:{less.server_port}/less")
        hookd.ask("endpoints", "pause", paused)
        self.publish(hookd, 100)
        return hookd

    def publish(self, hookd, events):
        """And one that is refused."""
        lines = [json.dumps({"subscriber_id": SUBSCRIBER, "type": "t", "payload": {"n": n}}) for n in range(events)]
        done = hookd.hookctl("events", "publish", "--file", "-", input="".join(f"{line}\n" for line in lines))
        self.assertEqual(done.code, 0, done.err)
        done = hookd.hookctl("events", "publish", "--subscriber", "nobody", "--type", "t", "--payload", "{}")
        self.assertNotEqual(done.code, 0)

    def queries(self):
        dashboard = json.loads((common.DEPLOY / "grafana/hookd.json").read_text())
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))
        for panel in panels:
            self.assertTrue(panel["targets"], panel["title"])
            for target in panel["targets"]:
                expression = target["expr"]
                for variable, value in VARIABLES.items():
                    expression = expression.replace(variable, value)
                self.assertNotIn("$", expression, panel["title"])
                yield panel["title"], expression

    def test_every_query_has_something_to_show(self):
        hookd = self.work()
        prometheus = Prometheus(self.space, hookd)
        for scrapes in (SCRAPES_BEFORE, SCRAPES):
            harness.wait_for(lambda n=scrapes: prometheus.query(f"count_over_time(hookd_ready[1m]) >= {n}"), "scrapes")
            self.publish(hookd, 10)  # rates see what changes between two scrapes
        harness.wait_for(lambda: prometheus.query('rate(hookd_events_rejected_total{reason="not_found"}[30s]) > 0'),
                         "a rate of what was published last")
        for expression, why in MUST_HAVE.items():
            with self.subTest(expression, why=why):
                harness.wait_for(lambda e=expression: any(value > 0 and not math.isnan(value)
                                                          for value in prometheus.query(e)), f"{expression}: {why}", 20)

        asked = 0
        for title, expression in self.queries():
            with self.subTest(title, expression=expression):
                self.assertTrue(prometheus.query(expression), "no data")
            asked += 1
        self.assertGreater(asked, 60)

        rules = common.alerts(yaml.safe_load((common.DEPLOY / "prometheus/hookd.rules.yml").read_text()))
        for rule in rules:
            for series in common.selectors(rule["expr"]):
                with self.subTest(rule["alert"], series=series):
                    self.assertTrue(prometheus.query(series), "no such series")
        loaded = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
        self.assertEqual({rule["name"]: rule["health"] for rule in loaded}, {rule["alert"]: "ok" for rule in rules})
        self.assertEqual([rule["name"] for rule in loaded if rule["state"] == "firing"], [])

    def test_names_are_as_prometheus_wants_them_and_each_is_explained(self):
        hookd = self.space.hookd(storage={"ballast": "0B"}, backup=self.backups()).start()
        _, text = hookd.get("/metrics")
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        exported = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
        page = (common.ROOT / "docs/metrics.md").read_text()
        rows = [line.split("|") for line in page.splitlines() if line.startswith(("| `hookd_", "| `process_"))]
        explained = {cells[1].strip(" `"): cells[2].strip() for cells in rows}
        types = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE ")}
        self.assertEqual(explained, types)
        asked = {name for name, _ in common.SELECTOR.findall(" ".join(query for _, query in self.queries()))}
        asked = {re.sub("_bucket$", "", name) for name in asked}
        self.assertEqual(asked - exported, set())
        self.assertEqual(hookd.terminate(), 0)


if __name__ == "__main__":
    harness.main()
