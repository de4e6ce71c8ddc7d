"""What the days judge by: day_test.py. Needs no hookd."""

import importlib
import inspect
import types
import unittest

import day
import harness
from day import Refused, most_within, milliseconds, seconds_of, shorter, shown, shrink


def fake(factor):
    """A Day without hookd, whose rules are noted."""
    made = day.Day.__new__(day.Day)
    made.factor, made.faults = factor, 0
    return made


class ReckoningTest(unittest.TestCase):
    def test_durations_shrink_and_nothing_else(self):
        policy = {"timeout": "30s", "rate_limit": {"per_second": 5, "burst": 1}, "max_retries": 100,
                  "backoff": {"step": "15s", "cap": "15m", "jitter": 0.1},
                  "auto_disable": {"failures": 60, "span": "1h"}, "retry_after_max": "0s"}
        shrink(policy, 100)
        self.assertEqual(policy, {
            "timeout": "300ms", "rate_limit": {"per_second": 5, "burst": 1}, "max_retries": 100,
            "backoff": {"step": "150ms", "cap": "9000ms", "jitter": 0.1},
            "auto_disable": {"failures": 60, "span": "36000ms"}, "retry_after_max": "0ms"})
        schedule = {"schedule": ["5s", "5m"]}
        shrink(schedule, 50)
        self.assertEqual(schedule, {"schedule": ["100ms", "6000ms"]})
        self.assertEqual((milliseconds("72h"), shorter("90s", 60)), (259_200_000, "1500ms"))

    def test_most_within_is_of_a_half_open_stretch(self):
        self.assertEqual(most_within([], 1), 0)
        self.assertEqual(most_within([0, 0.2, 0.4, 0.6, 0.8, 1.0], 1), 5)
        self.assertEqual(most_within([3, 0, 0.5, 0.9, 0.99], 1), 4)

    def test_times(self):
        self.assertEqual(seconds_of("1970-01-01T00:01:40.250Z") - seconds_of("1970-01-01T00:00:00Z"), 100.25)
        self.assertEqual([shown(s) for s in (0.5, 75, 225, 86_760, 3600)],
                         ["0.5 s", "75.0 s", "3 min 45 s", "24 h 6 min", "1 h"])

    def test_waits_are_judged(self):
        fast = fake(100)
        self.assertTrue(fast.are_waits([15, 33, 45], [15, 30, 45]))
        self.assertTrue(fast.are_waits([15.5, 30], [15, 30], exact_first=True))
        self.assertFalse(fast.are_waits([16, 30], [15, 30], exact_first=True))
        self.assertFalse(fast.are_waits([14.1, 30], [15, 30]), "too early")
        self.assertFalse(fast.are_waits([15, 34], [15, 30]), "too late")
        self.assertFalse(fast.are_waits([15, 15], [15, 30]), "does not grow")
        self.assertFalse(fast.are_waits([15], [15, 30]), "one is missing")


class ScenesTest(unittest.TestCase):
    def test_every_scene_is_played(self):
        for path in sorted(harness.HERE.glob("day_*.py")):
            if path.name == "day_test.py":
                continue
            module = importlib.import_module(path.stem)
            written = [
                function
                for function in vars(module).values()
                if inspect.isfunction(function)
                and function.__module__ == path.stem
                and list(inspect.signature(function).parameters) == ["day"]
            ]
            self.assertEqual(list(module.SCENES), written, path.name)
            for scene in module.SCENES:
                self.assertTrue(scene.__doc__, f"{path.stem}.{scene.__name__} is announced by its docstring")


class RefusalTest(unittest.TestCase):
    def judge(self, error):
        judge = types.SimpleNamespace(said=[])
        judge.rule = lambda statements, promised, seen, kept: judge.said.append(kept)
        with day.Refusal(judge, "1", "it is refused", "invalid_argument", ("https",)):
            if error is not None:
                raise error
        return judge.said

    def test_it_has_to_be_refused_in_these_words(self):
        self.assertEqual(self.judge(Refused("invalid_argument", "url: https only")), [True])
        self.assertEqual(self.judge(Refused("invalid_argument", "url: is bad")), [False])
        self.assertEqual(self.judge(Refused("not_found", "https")), [False])
        self.assertEqual(self.judge(None), [False])
        with self.assertRaises(KeyError):
            self.judge(KeyError("other"))


if __name__ == "__main__":
    unittest.main()
