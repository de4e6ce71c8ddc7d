"""The books see what they are there to see."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.dont_write_bytecode = True

import harness
from books import Book, Faults


class BooksTest(unittest.TestCase):
    def open_book(self, mode="ordered", keys=("", "", ""), **settings):
        self.faults = Faults()
        self.book = Book("book", mode, 1, self.faults, **settings)
        for number, key in enumerate(keys):
            self.book.publish(f"payload {number}", key)

    def arrive(self, number, sequence=None, answer=204, verified=True):
        self.book.note({"path": "/book", "id": f"evt_{number}", "sequence": f"1.{sequence or number + 1}", "answer": answer,
                        "verified": verified, "sha256": harness.sha256(f"payload {number}")})

    def assert_fault(self, text):
        self.assertIn(text, " ".join(self.faults.texts))

    def test_all_is_well(self):
        self.open_book()
        self.book.acknowledge("evt_0")
        self.assertEqual(self.book.open, {"evt_0"})
        for number, answer in ((0, 503), (0, 204), (0, 204), (1, 204), (2, 204)):
            self.arrive(number, answer=answer)
        self.book.acknowledge("evt_2")
        self.assertEqual((self.book.open, self.book.duplicates(), self.book.refused), (set(), 1, 1))
        self.assertEqual(self.faults.texts, [])

    def test_out_of_turn(self):
        self.open_book()
        self.arrive(1)
        self.assert_fault("sequence 2 arrived when 0 was the last one taken")

    def test_overtaken_by_what_was_refused(self):
        self.open_book()
        self.arrive(0, answer=503)
        self.arrive(1)
        self.assert_fault("sequence 2 arrived when 0 was the last one taken")

    def test_an_old_one_again(self):
        self.open_book()
        for number in (0, 1, 0):
            self.arrive(number)
        self.assert_fault("sequence 1 arrived when 2 was the last one taken")

    def test_keys(self):
        self.open_book("keyed", ("a", "b", "a"))
        for number in (1, 0, 0, 2):
            self.arrive(number)
        self.assertEqual(self.faults.texts, [])
        self.open_book("keyed", ("a", "b", "a"))
        self.arrive(2)
        self.assert_fault("of key a, event 2 arrived when 0 were taken")

    def test_another_number(self):
        self.open_book("parallel")
        self.arrive(2, sequence=2)
        self.assert_fault("event 3 has the sequence number 2")

    def test_two_events_with_one_number(self):
        self.open_book("parallel", sure=False)
        self.arrive(0, sequence=1)
        self.arrive(1, sequence=1)
        self.assert_fault("sequence 1 is both evt_0 and evt_1")

    def test_a_stream_may_lose_what_was_not_answered_but_no_order(self):
        self.open_book(sure=False)
        self.arrive(1, sequence=1)
        self.arrive(2, sequence=2)
        self.assertEqual(self.faults.texts, [])
        self.arrive(0, sequence=3)
        self.assert_fault("event 0 came behind 2")

    def test_signature_and_body(self):
        self.open_book()
        self.arrive(0, verified=False, answer=400)
        self.arrive(7, sequence=1)
        self.assert_fault("signed with none of the secrets in force")
        self.assert_fault("has a body that was never published")


if __name__ == "__main__":
    unittest.main()
