"""docs/profiles.md answers every statement, and each of its proofs exists."""

import collections
import pathlib
import re
import string
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "profiles.md"
ROW = re.compile(r"^\| (\S+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NUMBER = re.compile(r"^(00[0-4]\.(\d+|[a-z])|F\d+)$")
PROOF = re.compile(r"^`([\w./-]+)::([\w.]+)`$")
ADVICE = re.compile(r"^\[receivers\]\(receivers\.md#[\w-]+\)$")  # docs_test.py looks where links lead
OUTSIDE = "outside the sender"
NOT_YET = "not yet"  # hookd does not do it: its row is named in the section of that name

# How many statements each text has, and how many open questions.
STATEMENTS = {"000": 69, "001": 22, "002": 70, "003": 38, "004": 26}
QUESTIONS = {"000": 11, "001": 8, "002": 17, "003": 9, "004": 11}
DECISIONS = 25


def rows():
    found = [row for row in ROW.findall(PAGE.read_text(encoding="utf-8")) if NUMBER.match(row[0])]
    return [(number, text.strip(), does.strip(), proof.strip().split("<br>")) for number, text, does, proof in found]


def exists(path, name):
    file = ROOT / path
    if not file.is_file():
        return False
    source = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        return re.search(rf"^ *(?:async )?def {re.escape(name)}\(", source, re.MULTILINE) is not None
    suite, _, test = name.partition(".")
    return re.search(rf"^(?:TYPED_)?TEST(?:_F|_P)?\({suite},\s*{test}\)", source, re.MULTILINE) is not None


class ProfilesPageTest(unittest.TestCase):
    maxDiff = None

    def test_every_statement_and_decision_has_one_row(self):
        wanted = [f"{text}.{n}" for text, last in STATEMENTS.items() for n in range(1, last + 1)]
        wanted += [f"{text}.{letter}" for text, count in QUESTIONS.items() for letter in string.ascii_lowercase[:count]]
        wanted += [f"F{n}" for n in range(1, DECISIONS + 1)]
        counted = collections.Counter(number for number, *_ in rows())
        self.assertEqual({number: count for number, count in counted.items() if count > 1}, {})
        self.assertEqual(set(wanted) - set(counted), set())
        self.assertEqual(set(counted) - set(wanted), set())

    def test_every_row_is_proven(self):
        faults = []
        for number, text, does, proofs in rows():
            if not text or not does:
                faults.append(f"{number}: says nothing")
            for proof in proofs:
                named = PROOF.match(proof)
                if named:
                    if not exists(*named.groups()):
                        faults.append(f"{number}: there is no {proof}")
                elif proof not in (OUTSIDE, NOT_YET) and not ADVICE.match(proof):
                    faults.append(f"{number}: {proof!r} is no proof")
        self.assertEqual(faults, [])

    def test_what_is_not_there_yet_is_named(self):
        marked = {number for number, _, _, proofs in rows() if NOT_YET in proofs}
        section = PAGE.read_text(encoding="utf-8").partition("\n## Not there yet\n")[2].partition("\n## ")[0]
        self.assertEqual(marked, set(re.findall(r"\b(?:00[0-4]\.(?:\d+|[a-z])|F\d+)\b", section)))

    def test_what_is_no_test_is_found_out(self):
        here = "tests/tidy/profiles_page_test.py"
        self.assertTrue(exists(here, "test_what_is_no_test_is_found_out"))
        self.assertFalse(exists(here, "test_what_is_no_test"))
        self.assertFalse(exists("tests/tidy/none.py", "test_what_is_no_test_is_found_out"))
        self.assertTrue(exists("tests/unit/core/backoff_test.cc", "BackoffTest.GrowsByOneStepPerRetry"))
        self.assertFalse(exists("tests/unit/core/backoff_test.cc", "BackoffTest.GrowsByOneStep"))
        self.assertFalse(exists("tests/unit/core/backoff_test.cc", "OtherTest.GrowsByOneStepPerRetry"))


if __name__ == "__main__":
    unittest.main()
