"""The documents say what the code does: docs_test.py [ROOT]."""

import pathlib
import re
import sys
import unittest

import limits_table
from limits_table import keys_of_yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOT_OURS = {"build", ".go", ".node", ".venv", ".git"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documents():
    return [path for path in sorted(ROOT.rglob("*.md")) if path.relative_to(ROOT).parts[0] not in NOT_OURS]


def code_in(text):
    """What stands in fences and between backticks."""
    fence = re.compile(r"^```.*?$(.*?)^```$", re.MULTILINE | re.DOTALL)
    return fence.findall(text) + re.findall(r"`([^`\n]+)`", fence.sub("", text))


def anchors_of(text):
    """Of a document's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def first_columns(text):
    """First and second cell of each row of the tables, where the first is one word of code."""
    return re.findall(r"^\| `([^`]+)` \| ([^|]*?) *\|", text, re.MULTILINE)


def first_cells(text, header):
    """Of the rows of the table that begins so."""
    table = text.partition(f"\n{header}\n")[2].partition("\n\n")[0]
    return "\n".join(row.split("|")[1] for row in table.splitlines())


class DocsTest(unittest.TestCase):
    maxDiff = None

    def test_links_lead_somewhere(self):
        for document in documents():
            for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
                if re.match(r"[a-z]+:", link):
                    continue
                name, _, anchor = link.partition("#")
                target = (document.parent / name) if name else document
                where = f"{document.relative_to(ROOT)}: {link}"
                self.assertTrue(target.exists(), where)
                if anchor:
                    self.assertIn(anchor, anchors_of(target.read_text(encoding="utf-8")), where)

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
        self.assertTrue(targets)
        named = set()
        for document in documents():
            for code in code_in(document.read_text(encoding="utf-8")):
                named.update(re.findall(r"(?:^|&& )make ([a-z-]+)", code, re.MULTILINE))
        self.assertTrue({"demo", "test"} <= named)
        self.assertEqual(named - targets, set())

    def test_configuration_is_complete_and_its_defaults_are_right(self):
        given = keys_of_yaml(read("config/hookd.default.yaml"))
        self.assertIn("data_dir", given)
        told = {key: default.strip("`") for key, default in first_columns(read("docs/configuration.md"))}
        self.assertEqual(told, given)

    def test_limits_are_complete_and_those_of_the_code(self):
        page, code = limits_table.read(ROOT)
        self.assertGreater(len(limits_table.rows_of(page)), 100)
        self.assertEqual(limits_table.faults_of(page, code), [])

    def test_metrics_are_complete(self):
        sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dispatcher/telemetry").glob("*.cc"))
        exported = set(re.findall(r'"((?:hookd|process)_[a-z_]+)"', sources))
        self.assertTrue(exported)
        page = read("docs/metrics.md")
        table = [name for name, _ in first_columns(page) if re.match(r"(hookd|process)_", name)]
        self.assertEqual(sorted(table), sorted(exported))
        for elsewhere in (page, read("docs/operations.md"), read("docs/limits.md")):
            named = set(re.findall(r"\b((?:hookd|process)_[a-z_]+)", elsewhere))
            self.assertEqual(named - exported, set())

    def test_alert_rules_are_complete(self):
        rules = re.findall(r"^ +- alert: (\w+)$", read("deploy/prometheus/hookd.rules.yml"), re.MULTILINE)
        severities = re.findall(r"severity: (\w+)", read("deploy/prometheus/hookd.rules.yml"))
        table = dict(first_columns(read("docs/metrics.md").partition("## Alerts")[2]))
        self.assertEqual(list(table.items()), list(zip(rules, severities)))

    def test_log_fields_are_complete(self):
        written = set(re.findall(r'\.(?:Text|Number|Bool)\("([a-z_]+)"', read("dispatcher/telemetry/event_log.cc")))
        written -= {"level", "event", "message"}  # of every line
        table = first_cells(read("docs/operations.md"), "| fields | meaning |")
        self.assertEqual(set(re.findall(r"`([a-z_]+)`", table)), written)

    def test_alerts_are_complete(self):
        source = read("dispatcher/telemetry/prometheus_telemetry.cc")
        raised = re.findall(r'case AlertKind::k\w+:\s*return "([a-z_]+)"', source)
        table = first_cells(read("docs/operations.md"), "| kind | when | what to do |")
        self.assertEqual(re.findall(r"`([a-z_]+)`", table), raised)

    def test_state_diagram_is_the_transition_table(self):
        model = read("base/model.h")
        enum = re.search(r"enum class DeliveryState[^{]*\{(.*?)\};", model, re.DOTALL).group(1)
        states = set(re.findall(r"^\s*k(\w+) = ", enum, re.MULTILINE))
        self.assertIn("return state != DeliveryState::kPending;", model)  # IsTerminal
        source = read("dispatcher/core/delivery_state.cc")
        body = re.search(r"bool MayMove\(.*?\{(.*?)\n\}", source, re.DOTALL).group(1)
        self.assertIn("if (IsTerminal(from)) return false;", body)
        allowed = re.search(r"switch \(to\) \{(.*?)return true;", body, re.DOTALL).group(1)
        reached = set(re.findall(r"case DeliveryState::k(\w+):", allowed))
        self.assertTrue(reached <= states)
        table = {("PENDING", state.upper()) for state in reached}
        table |= {("[*]", "PENDING")} | {(state.upper(), "[*]") for state in states - {"Pending"}}

        page = read("docs/delivery-semantics.md")
        diagram = re.search(r"```mermaid\nstateDiagram-v2\n(.*?)```", page, re.DOTALL).group(1)
        drawn = re.findall(r"^\s*(\S+) --> (\S+)", diagram, re.MULTILINE)
        self.assertEqual(len(drawn), len(set(drawn)))
        self.assertEqual(set(drawn), table)

    def test_every_decision_has_a_status(self):
        pages = sorted((ROOT / "docs/adr").glob("*.md"))
        self.assertEqual([int(page.name[:4]) for page in pages], list(range(1, len(pages) + 1)))
        for page in pages:
            text = page.read_text(encoding="utf-8")
            self.assertTrue(text.startswith(f"# {int(page.name[:4])}. "), page.name)
            self.assertRegex(text, r"\nStatus: (accepted|superseded by \d+)", page.name)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
