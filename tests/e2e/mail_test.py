"""Alerts by mail, to a real mail server: who gets what, over TLS and with a password, down and up again, no repeats."""

import collections
import re
import shutil

import harness
from harness import wait_for
from mail_server import MailServer, make_certificate

OPS, DEV = "ops@example.com", "dev@acme.example"
TEMPLATES = harness.HERE.parents[1] / "config/templates"
USER, PASSWORD = "hookd", "a pass word: with \u00fc"
FAILURES = 12  # the alert is at 10


class MailTest(harness.TestCase):
    def setUp(self):
        self.certificate = make_certificate(self.space.folder)
        self.password_file = self.space.folder / "password"
        self.password_file.write_text(PASSWORD + "\n", encoding="utf-8")

    def start(self, server, **settings):
        mail = {"server": server.address, "from": "hookd@example.com", "to": f"[{OPS}]", "digest_after": "500ms",
                "timeout": "5s", "templates_dir": TEMPLATES, "ca_file": self.certificate[0]} | settings
        inline = ", ".join(f"{key}: {value if str(value).startswith('[') else repr(str(value))}"
                           for key, value in mail.items())
        self.hookd = self.space.hookd(alerts={"mail": "{" + inline + "}"}).start()
        self.receiver = self.space.receiver()
        self.hookd.ask("subscribers", "create", "acme")
        self.hookd.ask("subscribers", "update", "acme", "--alert-address", DEV)

    def login(self):
        return {"user": USER, "password_file": self.password_file}

    def endpoint_that_fails(self, path, failures=FAILURES, status=503):
        """An endpoint that fails so often, and then does not."""
        endpoint = self.hookd.create_endpoint(
            self.receiver, "acme", path, "--backoff", "fixed:100ms", "--rate-limit", "0", "--mail-subscriber", "yes",
            "--event-type", path.strip("/"), refuse_every=1, refuse_attempts=failures, refuse_status=status)
        self.publish(path)
        return endpoint

    def publish(self, path):
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", path.strip("/"), "--payload", "{}")

    def metric(self, result):
        text = self.hookd.get("/metrics")[1]
        return int(re.search(rf'^hookd_alert_mails_total{{result="{result}"}} (\d+)', text, re.MULTILINE).group(1))

    def test_an_incident_is_mailed_over_starttls_with_a_password_and_never_again(self):
        with MailServer(self.certificate, "starttls", USER, PASSWORD) as server:
            self.start(server, **self.login())
            endpoint = self.endpoint_that_fails("/shop")
            # Failing and recovered are within one digest, or not: by then all of it has come.
            recovered = wait_for(lambda: [mail for mail in server.to(DEV) if "recovered" in mail.message.get_content()
                                          or "again" in mail.message["Subject"]], "the mail to the subscriber")[0]
            wait_for(lambda: len(server.to(OPS)) == len(server.to(DEV)), "the mail to the operators")
            self.assertTrue(recovered.tls)
            self.assertEqual(recovered.user, USER)
            self.assertEqual(recovered.sender, "hookd@example.com")
            self.assertIn(endpoint, recovered.message.get_content())
            self.assertIn("acme", server.to(OPS)[0].message.get_content())
            self.assertNotIn("acme", server.to(DEV)[0].message.get_content())
            self.assertRegex(recovered.message["Message-ID"], r"^<evt_\w{26}\.evt_\w{26}\.[0-9a-f]{16}@example\.com>$")
            self.assertTrue({"AUTH", "MAIL", "RCPT"} <= set(server.commands), server.commands)
            self.assertNotIn(PASSWORD, self.hookd.log.read_text(encoding="utf-8"))

            self.hookd.kill()
            self.hookd.start()
            other = self.endpoint_that_fails("/other")
            wait_for(lambda: [mail for mail in server.to(DEV) if other in mail.message.get_content()],
                     "the mail about the other endpoint")
            self.assertEqual(self.hookd.terminate(), 0)
            ids = collections.Counter(mail.message["Message-ID"] for mail in server.mails)
            self.assertEqual({key: count for key, count in ids.items() if count > 1}, {}, "nothing is repeated")

    def test_a_disablement_asks_a_person_over_tls_from_the_first_byte(self):
        with MailServer(self.certificate, "tls") as server:
            self.start(server, tls="tls")
            endpoint = self.endpoint_that_fails("/gone", failures=1000, status=410)
            mail = wait_for(lambda: server.to(DEV), "the mail to the subscriber")[0]
            self.assertTrue(mail.tls)
            self.assertIn("was disabled: please act", mail.message["Subject"])
            self.assertIn("410", mail.message.get_content())
            enable = f"hookctl endpoints enable {endpoint}"
            self.assertIn(enable, wait_for(lambda: server.to(OPS), "the operators'")[0].message.get_content())

    def test_a_server_that_is_down_holds_up_no_delivery_and_gets_the_mail_later(self):
        with MailServer() as server:
            port = server.port
        self.start(server, tls="off")
        self.endpoint_that_fails("/shop")
        wait_for(lambda: self.metric("retried") > 0, "the first try")
        self.hookd.create_endpoint(self.receiver, "acme", "/well", "--event-type", "well")
        self.publish("/well")
        wait_for(lambda: self.hookd.pending() == 0, "deliveries to go on")
        self.assertIn("the mail server cannot be used", self.hookd.log.read_text(encoding="utf-8"))
        with MailServer(port=port) as server:
            wait_for(lambda: server.to(OPS) and server.to(DEV), "the mails")
            self.assertFalse(server.mails[0].tls)
            wait_for(lambda: re.search(r"^hookd_alert_mail_backlog 0$", self.hookd.get("/metrics")[1], re.MULTILINE),
                     "nothing to wait")

    def test_a_recipient_that_is_refused_holds_up_nobody(self):
        with MailServer(refuse={OPS: "550 no such user", DEV: "451 later"}) as server:
            self.start(server, tls="off", to=f"[{OPS}, zoe@example.com]")
            self.endpoint_that_fails("/shop")
            wait_for(lambda: server.to("zoe@example.com"), "the other operator's mail")
            wait_for(lambda: self.metric("retried") >= 2, "both to be tried again later")
            log = self.hookd.log.read_text(encoding="utf-8")
            self.assertIn(f"not taken for operator {OPS}, tried again later: RCPT: 550 no such user", log)
            self.assertIn(f"not taken for {DEV} of subscriber acme, tried again later: RCPT: 451 later", log)
            self.assertEqual(self.metric("refused"), 0)

    def test_nothing_is_said_to_a_server_that_cannot_be_trusted(self):
        def refused(server, **settings):
            self.start(server, **settings)
            self.endpoint_that_fails("/shop")
            wait_for(lambda: self.metric("retried") > 0, "the first try")
            self.assertEqual(self.hookd.terminate(), 0)
            self.assertEqual(server.mails, [])
            self.assertTrue({"AUTH", "MAIL"}.isdisjoint(server.commands), server.commands)
            shutil.rmtree(self.hookd.data)

        with MailServer() as server:  # has no STARTTLS
            refused(server, **self.login())
        strange = make_certificate(self.space.folder, "strange")
        with MailServer(strange, "starttls", USER, PASSWORD) as server:
            refused(server, **self.login())
        with MailServer(strange, "tls") as server:
            refused(server, tls="tls")

    def test_a_wrong_password_is_the_servers_trouble(self):
        with MailServer(self.certificate, "starttls", USER, "another") as server:
            self.start(server, **self.login())
            self.endpoint_that_fails("/shop")
            wait_for(lambda: self.metric("retried") > 0, "the first try")
            self.assertEqual(server.mails, [])
            self.assertIn("the mail server cannot be used", self.hookd.log.read_text(encoding="utf-8"))

    def test_faults_are_found_before_the_start(self):
        templates = self.space.folder / "templates"
        shutil.copytree(TEMPLATES, templates)
        (templates / "failing.txt").write_text("Subject: {{hots}}\n\nx\n", encoding="utf-8")
        (templates / "clock.txt").unlink()
        hookd = self.space.hookd(alerts={"mail": "{server: mail.example.com, tls: 'off', user: a, to: [nobody], "
                                                 f"templates_dir: {templates}}}"})
        hookd.write_config()
        check = self.space.popen(harness.bin_dir / "hookd", "--check-config", "--config", hookd.config,
                                 stderr=-1, text=True)  # -1: a pipe
        faults = check.communicate(timeout=harness.PATIENCE_S)[1].splitlines()
        self.assertEqual(check.returncode, 2)
        self.assertEqual(faults, [
            "alerts.mail.server: is not HOST:PORT: write mail.example.com:587",
            "alerts.mail.user: the password would go in clear: set alerts.mail.tls to starttls or tls",
            "alerts.mail.password_file: belongs to alerts.mail.user: give both, or neither",
            "alerts.mail.from: is not a mail address: write LOCAL@DOMAIN, at most 254 characters, without quotes",
            "alerts.mail.to[0]: is not a mail address: write LOCAL@DOMAIN, at most 254 characters, without quotes",
            f"{templates}/clock.txt: cannot be read: it has to be there",
            f"{templates}/failing.txt:1: there is no {{{{hots}}}} here: use any of time, message, endpoint_id, "
            "subscriber_id, host, description, incident, failures, failing_since, last_result, disable_reason",
        ])


if __name__ == "__main__":
    harness.main()
