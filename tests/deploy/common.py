"""What the tests of deploy/ share."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEPLOY = ROOT / "deploy"
sys.path.insert(0, str(HERE.parent / "e2e"))

# A series as an expression names it: its name, and the matchers in braces.
SELECTOR = re.compile(r"\b((?:hookd|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?")


def alerts(rules):
    return [rule for group in rules["groups"] for rule in group["rules"]]


def selectors(expression):
    """The series that an expression reads, each as an expression of its own."""
    return sorted({f"{name}{{{matchers}}}" if matchers else name for name, matchers in SELECTOR.findall(expression)})
