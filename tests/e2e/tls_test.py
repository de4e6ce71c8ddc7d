"""TLS of an endpoint's own: from hookctl to the wire and back, its key write-only, and the end of a certificate told."""

import http.server
import json
import re
import ssl
import subprocess
import threading

import harness
from harness import wait_for


def openssl(folder, *command):
    subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    """A CA that nothing on this machine trusts; of it server.pem for 127.0.0.1, with 5 days left, and me.pem."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "30",
            "-addext", "basicConstraints=critical,CA:TRUE")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n", encoding="ascii")
    for name in ("server", "me"):
        openssl(folder, "req", "-new", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", "5", "-extfile", "names")


class Receiver:
    """HTTPS, and only for those whose certificate the CA issued. Notes the name in it and the connection of each."""

    def __init__(self, folder):
        self.seen = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                subject = dict(part[0] for part in self.connection.getpeercert()["subject"])
                seen.append((subject["commonName"], self.client_address))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class TlsTest(harness.TestCase):
    def setUp(self):
        make_certificates(self.space.folder)
        self.receiver = Receiver(self.space.folder)
        self.addCleanup(self.receiver.close)
        self.hookd = self.space.hookd().start()
        self.hookd.ask("subscribers", "create", "acme")

    def path(self, name):
        return self.space.folder / name

    def create(self, *flags):
        created = self.hookd.ask("endpoints", "create", "--subscriber", "acme", "--url", self.receiver.url,
                                 "--backoff", "fixed:100ms", "--rate-limit", "0", *flags)
        return created["endpoint"]

    def publish(self):
        self.hookd.ask("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "{}")

    def test_a_private_ca_and_a_client_certificate(self):
        key = self.path("me.key").read_text(encoding="ascii")
        endpoint = self.create("--tls-ca-file", self.path("ca.pem"), "--tls-client-certificate-file",
                               self.path("me.pem"), "--tls-client-key-file", self.path("me.key"))
        self.assertEqual(endpoint["tls"], {
            "ca_pem": self.path("ca.pem").read_text(encoding="ascii"), "pinned_keys": [],
            "client_certificate_pem": self.path("me.pem").read_text(encoding="ascii"), "client_key_pem": ""})
        for _ in range(3):
            self.publish()
        wait_for(lambda: self.hookd.pending() == 0, "the deliveries")
        self.assertEqual([name for name, _ in self.receiver.seen], ["me"] * 3)
        self.assertEqual(len({address for _, address in self.receiver.seen}), 3, "a connection each")

        # An update of the rest keeps the key; a restart too; and nothing shows it.
        self.hookd.ask("endpoints", "update", endpoint["id"], "--tls-ca-file", self.path("ca.pem"),
                       "--tls-client-certificate-file", self.path("me.pem"))
        self.hookd.terminate()
        self.hookd.start()
        self.publish()
        wait_for(lambda: self.hookd.pending() == 0, "the delivery after a restart")
        for output in ("json", "table"):
            for command in (("endpoints", "get", endpoint["id"]), ("endpoints", "list", "--subscriber", "acme"),
                            ("deliveries", "list", "--subscriber", "acme")):
                done = self.hookd.hookctl("--output", output, *command)
                self.assertEqual(done.code, 0, done.err)
                self.assertNotIn("PRIVATE KEY", done.out)
                self.assertNotIn(key.splitlines()[1], done.out)
        self.assertNotIn(key.splitlines()[1], self.hookd.log.read_text(encoding="utf-8"))

        # Five days are left.
        status, metrics = self.hookd.get("/metrics")
        self.assertEqual(status, 200)
        self.assertRegex(metrics, r"(?m)^hookd_receiver_certificates 1$")
        self.assertRegex(metrics, r"(?m)^hookd_receiver_certificates_expiring 1$")
        told = [json.loads(line) for line in self.hookd.log.read_text(encoding="utf-8").splitlines()
                if "certificate.ends" in line]
        self.assertEqual(len(told), 2, "once per host and process within a day")
        self.assertTrue(re.match(r"127\.0\.0\.1:\d+: its certificate ends in 1(19|20) h$", told[0]["message"]), told)

    def test_without_it_the_receiver_is_not_trusted(self):
        endpoint = self.create()
        self.publish()
        query = ("deliveries", "list", "--subscriber", "acme", "--error", "tls")
        wait_for(lambda: self.hookd.ask(*query).get("deliveries"), "an attempt that fails")
        self.assertEqual(self.receiver.seen, [])
        self.hookd.ask("endpoints", "update", endpoint["id"], "--tls-ca-file", self.path("ca.pem"),
                       "--tls-client-certificate-file", self.path("me.pem"), "--tls-client-key-file",
                       self.path("me.key"))
        wait_for(lambda: self.hookd.pending() == 0, "the delivery, once it is")
        done = self.hookd.hookctl("endpoints", "update", endpoint["id"], "--tls-client-certificate-file",
                                  self.path("server.pem"))
        self.assertNotEqual(done.code, 0)
        self.assertIn("tls.client_key_pem: does not belong to the certificate", done.err)
        self.hookd.ask("endpoints", "update", endpoint["id"], "--reset", "tls")
        self.assertNotIn("tls", self.hookd.ask("endpoints", "get", endpoint["id"]))


if __name__ == "__main__":
    harness.main()
