"""The scrape configuration and the alert rules, by promtool."""

import subprocess
import unittest

import yaml

import common

FOLDER = common.DEPLOY / "prometheus"


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class RulesTest(unittest.TestCase):
    def test_promtool_finds_nothing(self):
        for arguments in (("check", "config", "prometheus.yml"), ("check", "rules", "--lint-fatal", "hookd.rules.yml"),
                          ("test", "rules", "hookd.rules.test.yml")):
            code, output = promtool(*arguments)
            self.assertEqual(code, 0, output)

    def test_each_alert_is_seen_to_fire(self):
        rules = common.alerts(yaml.safe_load((FOLDER / "hookd.rules.yml").read_text()))
        tests = yaml.safe_load((FOLDER / "hookd.rules.test.yml").read_text())["tests"]
        fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
        self.assertEqual(fired, {rule["alert"] for rule in rules})

    def test_each_alert_says_how_urgent_it_is_and_what_it_is_about(self):
        for rule in common.alerts(yaml.safe_load((FOLDER / "hookd.rules.yml").read_text())):
            self.assertIn(rule["labels"]["severity"], ("page", "ticket"), rule["alert"])
            self.assertIn("$labels.instance", rule["annotations"]["summary"], rule["alert"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
