"""The Debian package's life: installed, started as its unit says, upgraded, removed and purged.

All of it in namespaces of its own: an overlay over / whose changes are in memory, a loopback interface that nobody else
has, and processes that end with it. The machine is not touched. Without root, or where the kernel forbids it, the test
is skipped (77). There is no systemd in it: what the maintainer scripts ask of a running one is not covered.
"""

import argparse
import grp
import json
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import common  # finds harness
import harness

SKIPPED = 77
NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
NEXT_VERSION = "99.0.0"
LINK = "etc/systemd/system/multi-user.target.wants/hookd.service"
NOTIFY = "@hookd-package-test"

packages = None  # a folder with old.deb and new.deb, and what is in them under tree; set by main


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise harness.Failure(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def make_packages(build, folder):
    """As `make package` does; and the same again as a later version."""
    run("cpack", "-G", "DEB", "--config", build / "CPackConfig.cmake", "-B", folder / "cpack", cwd=build)
    (made,) = (folder / "cpack").glob("hookd_*.deb")
    made.rename(folder / "old.deb")
    run("dpkg-deb", "-R", folder / "old.deb", folder / "tree")
    control = folder / "tree/DEBIAN/control"
    text, count = re.subn(r"^Version: .*$", f"Version: {NEXT_VERSION}", control.read_text(), flags=re.MULTILINE)
    assert count == 1
    control.write_text(text)
    run("dpkg-deb", "--root-owner-group", "-b", folder / "tree", folder / "new.deb")


class BillTest(unittest.TestCase):
    """The bill of materials in the package, against what its binaries ask for."""

    def test_names_whatever_is_in_the_binaries(self):
        tree = packages / "tree"
        bill = json.loads((tree / "usr/share/doc/hookd/sbom.cdx.json").read_text())
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        self.assertEqual(bill["metadata"]["component"]["version"], run("dpkg-deb", "-f", packages / "old.deb", "Version").strip())
        files, linkage = set(), {}
        for component in bill["components"]:
            properties = [(each["name"], each["value"]) for each in component["properties"]]
            files |= {value for name, value in properties if name == "hookd:file"}
            linkage[component["name"]] = dict(properties)["hookd:linkage"]
            installed = run("dpkg-query", "-W", "-f", "${Version}", component["name"])
            self.assertEqual(component["version"], installed, component["name"])
            self.assertIn(f"/{component['name']}@{installed}?", component["purl"])
            self.assertTrue(all(each["license"]["name"] for each in component["licenses"]), component["name"])
            self.assertGreater(len(component["licenses"]), 0, component["name"])
        asked = set()
        for binary in ("hookd", "hookctl"):
            needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", tree / "usr/bin" / binary))
            loaded = re.findall(r"^\s*(\S+) => ", run("ldd", tree / "usr/bin" / binary), re.MULTILINE)
            self.assertGreater(len(needed), 10, binary)
            asked |= set(needed) | set(loaded)
        self.assertEqual(asked - files, set(), "not in the bill")
        # What no loader shows.
        self.assertEqual(linkage["librocksdb-dev"], "static")
        self.assertEqual({name for name in linkage if linkage[name] == "headers"},
                         {"libboost1.81-dev", "libcli11-dev", "libvalijson-dev"})
        self.assertEqual({each["bom-ref"] for each in bill["components"]}, set(bill["dependencies"][0]["dependsOn"]))


class Machine:
    """A machine as it is, but for what is done to this one."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hookd-package-root-"))
        run("mount", "-t", "tmpfs", "tmpfs", self.folder)
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        self.root = self.folder / "root"
        layers = f"lowerdir=/,upperdir={self.folder}/upper,workdir={self.folder}/work"
        run("mount", "-t", "overlay", "overlay", "-o", layers, self.root)
        run("mount", "-t", "proc", "proc", self.root / "proc")
        run("mount", "--rbind", "/dev", self.root / "dev")
        for name in ("run", "tmp"):  # none of the machine's sockets and files
            run("mount", "-t", "tmpfs", "-o", "mode=1777" if name == "tmp" else "mode=755", "tmpfs", self.root / name)
        run("ip", "link", "set", "lo", "up")
        for package in packages.glob("*.deb"):
            shutil.copy(package, self.root / "tmp")

    def close(self):
        run("umount", "-R", "-l", self.folder)
        self.folder.rmdir()

    def run(self, *command):
        return run("chroot", self.root, *command, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})

    def dpkg(self, *arguments):
        # Whatever the package does, it has no terminal to ask on, and no service may be started.
        return run("chroot", self.root, "dpkg", "--force-confold", *arguments, stdin=subprocess.DEVNULL, env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})

    def status(self):
        done = subprocess.run(["chroot", self.root, "dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}", "hookd"],
                              capture_output=True, text=True, check=False)
        return done.stdout

    def user(self):
        return self.run("getent", "passwd", "hookd").strip().split(":")


class Service:
    """hookd as its unit starts it: the command, the user, no privileges, the supervisor's socket."""

    def __init__(self, machine):
        self.machine = machine
        unit = (machine.root / "lib/systemd/system/hookd.service").read_text()
        setting = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + NOTIFY[1:])
        self.socket.settimeout(harness.PATIENCE_S)
        self.output = open(machine.root / "tmp/hookd.out", "w+b")
        command = ["setpriv", f"--reuid={setting['User']}", f"--regid={setting['Group']}", "--init-groups",
                   "--no-new-privs", "--bounding-set=-all", *shlex.split(setting["ExecStart"])]
        self.process = subprocess.Popen(
            ["chroot", str(machine.root), *command], stdout=self.output, stderr=self.output,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": NOTIFY})
        try:
            told = self.socket.recv(4096).decode()
        except TimeoutError:
            raise harness.Failure(f"it was never ready:\n{self.text()}") from None
        if not told.startswith("READY=1\n"):
            raise harness.Failure(f"{told!r} instead of READY=1:\n{self.text()}")

    def text(self):
        return (self.machine.root / "tmp/hookd.out").read_text()

    def hookctl(self, *arguments):
        return self.machine.run("hookctl", *arguments)

    def uids(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        # Outside the chroot /proc is that of the other processes' namespace.
        status = self.machine.root / status.relative_to("/")
        return set(re.search(r"^Uid:\s+(.*)$", status.read_text(), re.MULTILINE).group(1).split())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(harness.PATIENCE_S)
        self.socket.close()
        self.output.close()
        return code


class PackageTest(unittest.TestCase):
    def setUp(self):
        self.machine = Machine()
        self.addCleanup(self.machine.close)
        self.root = self.machine.root

    def start(self):
        service = Service(self.machine)
        self.addCleanup(lambda: service.process.poll() is None and service.process.kill())
        with urllib.request.urlopen("http://127.0.0.1:7071/readyz", timeout=10) as answer:
            self.assertEqual((answer.status, answer.read()), (200, b"ready\n"))
        return service

    def pending(self, service):
        return int(re.search(r'"pending_?[dD]eliveries":\s*"?(\d+)', service.hookctl("--output", "json", "status"))[1])

    def check_installed(self, version):
        self.assertEqual(self.machine.status(), f"ii {version}")
        self.assertNotIn("usr/", self.machine.run("dpkg", "-V", "hookd"))
        user = self.machine.user()
        self.assertEqual(user[5:], ["/var/lib/hookd", "/usr/sbin/nologin"])
        data = (self.root / "var/lib/hookd").stat()
        self.assertEqual((str(data.st_uid), str(data.st_gid), stat.S_IMODE(data.st_mode)), (user[2], user[3], 0o700))
        self.assertTrue((self.root / LINK).is_symlink(), "it is not enabled")
        self.assertTrue((self.root / "usr/share/hookd/templates/failing.txt").is_file())
        return user

    def test_installs_runs_upgrades_and_purges(self):
        first = run("dpkg-deb", "-f", packages / "old.deb", "Version").strip()
        self.machine.dpkg("-i", "/tmp/old.deb")
        user = self.check_installed(first)
        self.assertEqual(self.machine.run("hookd", "--version").strip(), f"hookd {first}")
        self.assertEqual(self.machine.run("hookd", "--check-config", "--config", "/etc/hookd/hookd.yaml"),
                         "configuration is valid\n")

        service = self.start()
        self.assertEqual(service.uids(), {user[2]})
        self.assertIn("wassenger", service.hookctl("profiles", "list"))
        service.hookctl("subscribers", "create", "acme")
        service.hookctl("endpoints", "create", "--subscriber", "acme", "--url", "https://nobody.invalid/")
        service.hookctl("events", "publish", "--subscriber", "acme", "--type", "t", "--payload", "{}")
        self.assertEqual(self.pending(service), 1)
        self.assertEqual(service.stop(), 0, "SIGTERM")

        config = self.root / "etc/hookd/hookd.yaml"
        config.write_text(config.read_text().replace("level: info", "level: warn"))
        self.machine.dpkg("-i", "/tmp/new.deb")
        self.assertEqual(self.check_installed(NEXT_VERSION), user)
        self.assertIn("level: warn", config.read_text())
        service = self.start()
        self.assertEqual(self.pending(service), 1)
        self.assertEqual(service.stop(), 0, "SIGTERM")

        self.machine.dpkg("-r", "hookd")
        self.assertEqual(self.machine.status(), f"rc {NEXT_VERSION}")
        self.assertFalse((self.root / "usr/bin/hookd").exists())
        self.assertTrue(config.exists())
        self.assertTrue((self.root / "var/lib/hookd/db").is_dir())
        self.machine.dpkg("-i", "/tmp/new.deb")
        self.check_installed(NEXT_VERSION)
        service = self.start()
        self.assertEqual(self.pending(service), 1)
        self.assertEqual(service.stop(), 0, "SIGTERM")

        self.machine.dpkg("--purge", "hookd")
        self.assertNotIn(self.machine.status()[:2], ("ii", "rc"))
        for gone in ("usr/bin/hookd", "usr/bin/hookctl", "etc/hookd", "var/lib/hookd", "usr/share/doc/hookd", "usr/share/hookd",
                     LINK,
                     "lib/systemd/system/hookd.service", "etc/systemd/system/hookd.service"):
            self.assertFalse(os.path.lexists(self.root / gone), gone)
        self.assertEqual(self.machine.user(), user)


def traces():
    """What the package would leave on this machine."""
    def there(find):
        try:
            return bool(find("hookd"))
        except KeyError:
            return False
    return [path for path in ("/usr/bin/hookd", "/etc/hookd", "/var/lib/hookd") if os.path.lexists(path)] + [
        there(pwd.getpwnam), there(grp.getgrnam)]


def outside(build):
    if os.geteuid() != 0:
        print("skipped: namespaces and dpkg need root")
        return SKIPPED
    probe = subprocess.run([*NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True,
                           check=False)
    if probe.returncode != 0:
        print(f"skipped: no namespaces here: {probe.stderr}")
        return SKIPPED
    before = traces()
    with tempfile.TemporaryDirectory(prefix="hookd-package-") as folder:
        make_packages(build, pathlib.Path(folder))
        done = subprocess.run([*NAMESPACES, sys.executable, "-B", __file__, "--inside", folder], check=False)
    if traces() != before:
        print(f"the machine was touched: {before} before, {traces()} now")
        return 1
    return done.returncode


def main():
    global packages
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    parser.add_argument("--inside", type=pathlib.Path, help=argparse.SUPPRESS)
    options, sys.argv[1:] = parser.parse_known_args()
    if options.inside is None:
        sys.exit(outside(options.build.resolve()))
    packages = options.inside
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
