"""The report of `make prove` says what was missed, what was not run, and what failed."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import goals
import prove
import report
from parts import Command, NotRun, PARTS, Part, Run, tests_in_log


def part(name, *argv, read=lambda run: {}):
    return Part(name, f"what {name} does", [], lambda run: [Command(argv)], read)


class ProveTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_part(self, one, scale=1.0):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return prove.run_part(one, Run(scale, self.folder, one.name))

    def left(self, name):
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    def keep(self, name, **found):
        whole = {"name": name, "date": "2030-01-02 03:04", "commit": "abc", "scale": 1.0, "status": "passed",
                 "seconds": 61.0} | found
        (self.folder / f"{name}.json").write_text(json.dumps(whole), encoding="utf-8")

    def text(self):
        missed = report.write(self.folder, PARTS, "a machine", "today", "def", {})
        return missed, (self.folder / "report.md").read_text(encoding="utf-8")

    def row(self, text, beginning):
        return next(line for line in text.splitlines() if line.startswith(f"| {beginning}"))

    def test_a_part_leaves_what_it_found(self):
        one = part("one", "/bin/true", read=lambda run: {"tried": 7, "found": 0, "counts": {"kills": 7}})
        self.assertEqual(self.run_part(one, scale=0.5), "passed")
        left = self.left("one")
        self.assertEqual((left["tried"], left["status"], left["scale"]), (7, "passed", 0.5))
        self.assertRegex(left["date"], r"^\d{4}-\d\d-\d\d \d\d:\d\d$")

    def test_what_fails(self):
        self.assertEqual(self.run_part(part("status", "/bin/false")), "failed")
        self.assertEqual(self.run_part(part("found", "/bin/true", read=lambda run: {"tried": 1, "found": 1})), "failed")
        self.assertEqual(self.run_part(part("missing", "/nowhere/to/be/found")), "failed")
        self.assertEqual(self.run_part(part("unreadable", "/bin/true", read=lambda run: 1 / 0)), "failed")
        for name in ("status", "found", "missing", "unreadable"):
            self.assertEqual(self.left(name)["status"], "failed")

    def test_what_cannot_be_run_leaves_nothing(self):
        def not_here(run):
            raise NotRun("no valgrind")

        self.assertEqual(self.run_part(Part("one", "what", [], not_here, lambda run: {})), "not run")
        self.assertFalse((self.folder / "one.json").exists())

    def test_nothing_was_run(self):
        missed, text = self.text()
        self.assertEqual(missed, [])
        self.assertIn(f"Not run: {len(goals.GOALS)}.", text)
        self.assertEqual(self.row(text, "SIGKILL"),
                         "| SIGKILL at random moments under load | not run | ≥ 200 kills |  |  |")

    def test_met_missed_and_short(self):
        self.keep("crash", tried=200, found=1, faults=["one is lost"])
        self.keep("sim", tried=100, found=0, scale=0.1)
        self.keep("size", figures=[
            {"name": "end to end beside 9 pending", "value": 30418.0, "unit": "/s", "ratio": 0.91, "of": "the empty system"},
            {"name": "... until the first delivery", "value": 5.5, "unit": "s"},
            {"name": "... until the first delivery, empty system", "value": 0.1, "unit": "s"}])
        self.keep("isolation", figures=[
            {"name": "p99 beside: a tenth black holes", "value": 5.62, "unit": "ms", "goal": 5.59}])
        missed, text = self.text()
        self.assertEqual(self.row(text, "SIGKILL"),
                         "| SIGKILL at random moments under load | 200 kills | ≥ 200 kills | met |  |")
        self.assertEqual(self.row(text, "... acknowledged deliveries lost"),
                         "| ... acknowledged deliveries lost, order broken, states or counters wrong | 1 | 0 | **missed** |  |")
        self.assertEqual(self.row(text, "lives from a seed"),
                         "| lives from a seed | 100 seeds | ≥ 1,000 seeds | **missed** | short form |")
        self.assertEqual(self.row(text, "end to end at size"),
                         "| end to end at size, of the empty system's | 0.91 | ≥ 0.90 | met |  |")
        self.assertEqual(self.row(text, "restart until"),
                         "| restart until the first delivery | 5.50 s | ≤ 5 s | **missed** |  |")
        self.assertEqual(self.row(text, "healthy p99 beside 10 % black holes"),
                         "| healthy p99 beside 10 % black holes | 5.62 ms | ≤ 5.59 ms | **missed** |  |")
        self.assertIn("- found: one is lost", text)
        self.assertIn("| crash |", text)
        self.assertIn("2030-01-02 03:04, abc |", text)
        self.assertEqual(len(missed), 4)
        whole = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        self.assertEqual(whole["parts"]["crash"]["tried"], 200)
        self.assertEqual([goal["verdict"] for goal in whole["goals"]][:2], ["met", "missed"])

    def test_tests_are_counted(self):
        (self.folder / "logs").mkdir()
        log = self.folder / "logs" / "one.txt"
        log.write_text("Ran 3 tests in 1.2s\n\nFAILED (failures=1, errors=1, skipped=1)\n"
                       "[==========] 5 tests from 2 test suites ran. (7 ms total)\n[  FAILED  ] 2 tests, listed below:\n",
                       encoding="utf-8")
        found = tests_in_log(Run(1, self.folder, "one"))
        self.assertEqual((found["tried"], found["found"]), (7, 4))

    def test_every_goal_has_its_part(self):
        parts = {one.name for one in PARTS}
        nobody = {goal.part for goal in goals.GOALS} - parts
        self.assertEqual(nobody, {"scaling"}, "figures that nothing measures yet")
        self.assertEqual(len(parts), len(PARTS))


if __name__ == "__main__":
    unittest.main()
