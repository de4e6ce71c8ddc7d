"""The judges themselves: what the demo and the crash test would say of a hookd that breaks its word."""

import unittest

import demo
import harness


def entry(number, answer=204, attempt=1, verified=True, body=None):
    return {
        "id": f"evt_{number}",
        "sequence": f"1.{number}",
        "attempt": attempt,
        "answer": answer,
        "verified": verified,
        "sha256": harness.sha256(body or str(number)),
    }


def faults(*entries, mode="ordered", published=3):
    plan = demo.Plan("/p", mode, (), {})
    return demo.faults_of(plan, harness.Account(list(entries)), [harness.sha256(str(n + 1)) for n in range(published)])


REFUSED = entry(1, answer=503)
RETRIED = entry(1, attempt=2)


class JudgeTest(unittest.TestCase):
    def assert_fault(self, expected, *entries, **options):
        self.assertTrue(any(expected in fault for fault in faults(*entries, **options)), faults(*entries, **options))

    def test_a_good_run_has_no_faults(self):
        self.assertEqual(faults(REFUSED, RETRIED, entry(2), entry(3)), [])
        self.assertEqual(faults(REFUSED, entry(3), entry(2), RETRIED, mode="parallel"), [])

    def test_the_last_one_may_come_again(self):
        self.assertEqual(faults(REFUSED, RETRIED, entry(2), entry(2), entry(3)), [])

    def test_loss(self):
        self.assert_fault("1 event lost", REFUSED, RETRIED, entry(2))
        self.assert_fault("1 sequence numbers never came", REFUSED, RETRIED, entry(3), mode="parallel")
        self.assert_fault("lost", REFUSED, RETRIED, entry(2), entry(3, answer=503), mode="parallel")

    def test_a_changed_body(self):
        self.assert_fault("lost or changed", REFUSED, RETRIED, entry(2, body="other"), entry(3))
        self.assert_fault("not published for it", REFUSED, RETRIED, entry(2), entry(3), entry(4), mode="parallel")

    def test_disorder(self):
        self.assert_fault("sequence 3 arrived when 1 was", REFUSED, RETRIED, entry(3), entry(2))
        self.assert_fault("sequence 2 arrived when 0 was", REFUSED, entry(2), RETRIED, entry(3))
        self.assert_fault("sequence 1 arrived when 2 was", REFUSED, RETRIED, entry(2), entry(1), entry(3))
        swapped = (entry(2, body="3"), entry(3, body="2"))
        self.assert_fault("do not follow the order of publishing", REFUSED, RETRIED, *swapped)

    def test_duplicates_beyond_what_was_in_flight(self):
        self.assert_fault("2 duplicates, but at most 1", REFUSED, RETRIED, entry(2), entry(2), entry(2), entry(3))

    def test_signatures(self):
        self.assert_fault("1 signature did not verify", REFUSED, RETRIED, entry(2, verified=False), entry(3))

    def test_an_event_with_two_numbers(self):
        twice = entry(3, body="2") | {"id": "evt_2"}
        self.assert_fault("webhook ids have", REFUSED, RETRIED, entry(2), twice)


if __name__ == "__main__":
    unittest.main()
