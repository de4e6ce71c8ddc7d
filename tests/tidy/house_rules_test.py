"""Every house rule can fail."""

import unittest

import house_rules

FILES = {"base/clock.h", "storage/delivery_store.h", "storage/rocksdb_store.h", "dispatcher/core/backoff.h"}


def breaches(path, text):
    return [breach for _, breach in house_rules.breaches_of(path, text, FILES.__contains__)]


class HouseRulesTest(unittest.TestCase):
    def assert_breach(self, path, text, words):
        found = breaches(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_good_source_has_no_breach(self):
        text = '#include <boost/asio/post.hpp>\n#include "storage/delivery_store.h"\n// steady_clock::now is not called\n'
        self.assertEqual(breaches("dispatcher/engine/engine.cc", text), [])

    def test_include_directions(self):
        self.assert_breach("dispatcher/engine/a.cc", '#include "storage/rocksdb_store.h"\n', "engine may not")
        self.assert_breach("dispatcher/alerts/a.cc", '#include "storage/rocksdb_store.h"\n', "alerts may not")
        self.assert_breach("base/a.cc", '#include "dispatcher/core/backoff.h"\n', "base may not")
        self.assert_breach("dispatcher/core/a.cc", '#include "hookd/v1/event.pb.h"\n', "core may not")
        self.assertEqual(breaches("tests/unit/a.cc", '#include "storage/rocksdb_store.h"\n'), [])

    def test_include_paths_start_at_the_root(self):
        self.assert_breach("base/a.cc", '#include "clock.h"\n', "not a path from the root")

    def test_libraries_are_private(self):
        self.assert_breach("storage/a.cc", "#include <curl/curl.h>\n",
                           "private to dispatcher/alerts, dispatcher/transport")
        self.assert_breach("dispatcher/engine/a.cc", "#include <rocksdb/db.h>\n", "private to storage")
        self.assert_breach("dispatcher/api/a.cc", "  #  include <spdlog/spdlog.h>\n", "private to dispatcher/telemetry")
        self.assertEqual(breaches("storage/a.cc", "#include <rocksdb/db.h>\n"), [])

    def test_clocks_are_read_in_one_place(self):
        text = "auto now = std::chrono::steady_clock::now();\n"
        self.assert_breach("dispatcher/core/a.cc", text, "reads a clock")
        self.assertEqual(breaches("base/clock.cc", text), [])
        self.assertEqual(breaches("tests/unit/a.cc", text), [])

    def test_tests_do_not_sleep(self):
        self.assert_breach("tests/unit/a.cc", "std::this_thread::sleep_for(1s);\n", "sleeps")
        self.assert_breach("tests/unit/a.cc", "  sleep(1);\n", "sleeps")
        self.assertEqual(breaches("tests/unit/a.cc", "clock.sleep(1);\n"), [])

    def test_headers_have_pragma_once(self):
        self.assert_breach("base/a.h", "int a();\n", "#pragma once")
        self.assertEqual(breaches("base/a.cc", "int a();\n"), [])

    def test_files_are_short(self):
        self.assertEqual(breaches("base/a.cc", "\n" * 600), [])
        self.assert_breach("base/a.cc", "\n" * 601, "longer than 600")

    def test_every_folder_is_a_room(self):
        self.assert_breach("dispatcher/misc/a.cc", "", "in no room")


if __name__ == "__main__":
    unittest.main()
