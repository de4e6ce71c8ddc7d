"""The unit, the Dockerfile and the Kubernetes manifests, as far as they can be checked without what runs them."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

import common

APP = {"app.kubernetes.io/name": "hookd"}


def manifests():
    text = (common.DEPLOY / "kubernetes/hookd.yaml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def deadline_s():
    config = yaml.safe_load((common.ROOT / "config/hookd.default.yaml").read_text())
    return int(config["shutdown"]["deadline"].removesuffix("s"))


class KubernetesTest(unittest.TestCase):
    def setUp(self):
        self.kinds = manifests()
        self.pod = self.kinds["StatefulSet"]["spec"]["template"]["spec"]
        self.containers = {container["name"]: container for container in self.pod["containers"]}

    def test_the_kinds_belong_together(self):
        self.assertEqual({kind: manifest["apiVersion"] for kind, manifest in self.kinds.items()},
                         {"ConfigMap": "v1", "Service": "v1", "PodDisruptionBudget": "policy/v1",
                          "StatefulSet": "apps/v1"})
        stateful = self.kinds["StatefulSet"]["spec"]
        self.assertEqual(stateful["replicas"], 1)
        self.assertEqual(stateful["serviceName"], self.kinds["Service"]["metadata"]["name"])
        self.assertEqual(self.kinds["Service"]["spec"]["selector"], APP)
        for spec in (stateful, self.kinds["PodDisruptionBudget"]["spec"]):
            self.assertEqual(spec["selector"]["matchLabels"], APP)
        self.assertEqual(stateful["template"]["metadata"]["labels"], APP)

    def test_the_service_leads_to_ports_that_the_proxy_listens_on(self):
        named = {port["name"]: port["containerPort"] for c in self.containers.values() for port in c.get("ports", [])}
        listens = set(map(int, re.findall(r"listen (\d+)", self.kinds["ConfigMap"]["data"]["nginx.conf"])))
        self.assertEqual(set(named.values()), listens)
        for port in self.kinds["Service"]["spec"]["ports"]:
            self.assertEqual(port["port"], named[port["targetPort"]])

    def test_volumes_are_there_and_used(self):
        there = {volume["name"] for volume in self.pod["volumes"]}
        there |= {claim["metadata"]["name"] for claim in self.kinds["StatefulSet"]["spec"]["volumeClaimTemplates"]}
        used = {mount["name"] for container in self.containers.values() for mount in container["volumeMounts"]}
        self.assertEqual(used, there)
        mounts = {mount["name"]: mount["mountPath"] for mount in self.containers["hookd"]["volumeMounts"]}
        config = yaml.safe_load(self.kinds["ConfigMap"]["data"]["hookd.yaml"])
        self.assertEqual(mounts["data"], config["data_dir"])
        self.assertIn(f"{mounts['config']}/hookd.yaml", self.containers["hookd"]["args"])

    def test_probes_ask_where_hookd_listens(self):
        http = yaml.safe_load(self.kinds["ConfigMap"]["data"]["hookd.yaml"])["http"]["listen"]
        for probe, path in (("startupProbe", "readyz"), ("readinessProbe", "readyz"), ("livenessProbe", "healthz")):
            self.assertEqual(self.containers["hookd"][probe]["exec"]["command"][-1], f"http://{http}/{path}")
        startup = self.containers["hookd"]["startupProbe"]
        self.assertGreaterEqual(startup["periodSeconds"] * startup["failureThreshold"], 900)

    def test_nobody_is_root_and_a_stop_has_its_time(self):
        self.assertTrue(self.pod["securityContext"]["runAsNonRoot"])
        for container in self.containers.values():
            self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
            self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
            self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
        deadline = yaml.safe_load(self.kinds["ConfigMap"]["data"]["hookd.yaml"])["shutdown"]["deadline"]
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], int(deadline.removesuffix("s")) + 15)

    def test_nginx_takes_the_configuration(self):
        with tempfile.TemporaryDirectory(prefix="hookd-manifests-") as folder:
            path = pathlib.Path(folder)
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", "/CN=hookd", "-days", "1", "-keyout", path / "tls.key", "-out", path / "tls.crt"],
                           check=True, capture_output=True)
            shutil.copy(path / "tls.crt", path / "ca.crt")
            text = self.kinds["ConfigMap"]["data"]["nginx.conf"].replace("/tmp/", f"{folder}/")
            text = text.replace("/etc/hookd-tls", folder)
            (path / "nginx.conf").write_text(text)
            nginx = shutil.which("nginx") or "/usr/sbin/nginx"
            done = subprocess.run([nginx, "-t", "-c", path / "nginx.conf"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)


class DockerTest(unittest.TestCase):
    def setUp(self):
        text = (common.DEPLOY / "docker/Dockerfile").read_text()
        self.lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]

    def of(self, instruction):
        return [line.split(maxsplit=1)[1] for line in self.lines if line.split()[0] == instruction]

    def test_stages_user_and_health(self):
        stages = self.of("FROM")
        self.assertEqual(len(stages), 2)
        self.assertTrue(stages[0].endswith(" AS build"))
        self.assertEqual({stage.split()[0] for stage in stages}, {"debian:12-slim"})
        self.assertEqual(self.of("USER"), ["hookd"])
        self.assertEqual(self.of("STOPSIGNAL"), ["SIGTERM"])
        config = yaml.safe_load((common.ROOT / "config/hookd.default.yaml").read_text())
        self.assertIn(f"http://{config['http']['listen']}/healthz", self.of("HEALTHCHECK")[0])
        self.assertEqual(self.of("VOLUME"), [config["data_dir"]])

    def test_what_it_copies_and_runs_is_there(self):
        for line in self.of("COPY"):
            parts = line.split()
            if not parts[0].startswith("--from="):
                for source in parts[:-1]:
                    self.assertTrue((common.ROOT / source).exists(), source)
        for line in self.of("RUN"):
            if line.startswith("scripts/"):
                self.assertTrue((common.ROOT / line.split()[0]).is_file(), line)

    def test_a_stop_has_its_time(self):
        text = (common.DEPLOY / "docker/Dockerfile").read_text()
        told = int(re.search(r"--stop-timeout (\d+)", text).group(1))
        self.assertGreaterEqual(told, deadline_s() + 15)


class SystemdTest(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
    def test_systemd_takes_the_unit(self):
        with tempfile.TemporaryDirectory(prefix="hookd-manifests-") as folder:
            unit = pathlib.Path(folder) / "hookd.service"
            text = (common.DEPLOY / "systemd/hookd.service").read_text()
            # Neither the binary nor the page is installed here.
            unit.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE).replace(
                "ExecStart=/usr/bin/hookd", "ExecStart=/bin/true"))
            done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-500:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
