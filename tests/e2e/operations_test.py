"""docs/operations.md, from the first sign to the repair: its commands as printed, in one shell, in their order."""

import os
import pathlib
import re
import socket
import subprocess

import harness

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
HEADING = "## A receiver breaks"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def commands():
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index(HEADING) :]
    section = section[: section.index("\n## ", 1)]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


class OperationsTest(harness.TestCase):
    def test_the_page_as_printed(self):
        hookd = self.space.hookd().start()
        # Only the ports differ: the test's own are free ones.
        blocks = [
            block.replace(":7071/", f":{hookd.http.rpartition(':')[2]}/").replace("8080", self.port) for block in commands()
        ]
        self.assertGreaterEqual(len(blocks), 6)
        script = "set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n" + "\necho '== block'\n".join(blocks)
        environment = os.environ | {
            "PATH": f"{harness.bin_dir.resolve()}:{os.environ['PATH']}",
            "HOOKD_SERVER": hookd.grpc,
            "HOME": str(self.space.folder),
        }
        ran = subprocess.run(
            ["bash", "-c", script],
            cwd=self.space.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        first, broken, metrics, failed, repair, nothing = ran.stdout.split("== block\n")
        self.assertIn("whsec_", first)
        self.assertIn('status_class="5xx"', metrics)
        self.assertRegex(metrics, r"ep_[0-9a-f]{16}")
        self.assertIn("500", failed)
        self.assertIn("retries_used_up", failed)
        self.assertRegex(repair, r"19")
        self.assertRegex(nothing, r"would look at\s+0")
        self.assertEqual(hookd.terminate(), 0)

    def setUp(self):
        super().setUp()
        self.port = str(free_port())


if __name__ == "__main__":
    harness.main()
