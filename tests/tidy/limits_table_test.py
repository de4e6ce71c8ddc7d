"""Whatever is wrong with docs/limits.md, its test says so."""

import pathlib
import unittest

import limits_table
from limits_table import Code, Value, constants_of, faults_of, rows_of, told, value_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHERE = "dispatcher/engine/lane.h"


def value(source):
    return value_of(constants_of(source)[0], {"kOther": 3})


class ValueTest(unittest.TestCase):
    def test_numbers(self):
        self.assertEqual(value("constexpr int kA = 8'192;"), Value(8192, False))
        self.assertEqual(value("inline constexpr size_t kA = 16u << 20;  // 16 MiB"), Value(16 << 20, False))
        self.assertEqual(value("static constexpr size_t kA =\n    2 * 1024 * 1024;"), Value(2 << 20, False))
        self.assertEqual(value("constexpr double kA = 0.25;"), Value(told("25 %").amount, False))
        self.assertEqual(value("constexpr int kA = static_cast<int>(kOther) + 0x10;"), Value(19, False))
        self.assertEqual(value("constexpr uint64_t kA = (uint64_t{1} << 40) - 1;"), Value((1 << 40) - 1, False))
        self.assertEqual(value("constexpr unsigned long kA = 5UL;"), Value(5, False))

    def test_times(self):
        self.assertEqual(value("constexpr int64_t kASeconds = -62'135;"), told("-62,135 s"))
        self.assertEqual(value("constexpr std::chrono::seconds kA{5};"), Value(5000, True))
        self.assertEqual(value("constexpr Millis kA{24 * 3'600'000};"), told("24 h"))
        self.assertEqual(value("constexpr Millis kA{30LL * 24 * 3'600'000};"), told("30 days"))
        self.assertEqual(value("constexpr Millis kA = std::chrono::hours(24 * 366);"), told("366 days"))
        self.assertEqual(value("constexpr absl::Duration kA = absl::Milliseconds(1);"), told("1 ms"))
        self.assertEqual(value("constexpr int kAMs = 10'000;"), told("10 s"))
        self.assertEqual(value("constexpr long kASeconds = 55;"), told("55 s"))

    def test_texts_are_not_numbers(self):
        self.assertEqual(constants_of('constexpr std::string_view kA = "a"; constexpr char kB = \'b\';'), [])

    def test_what_cannot_be_computed(self):
        with self.assertRaises(ValueError):
            value("constexpr size_t kA = Compute(1);")

    def test_what_the_page_writes(self):
        self.assertEqual(told("65,536 events"), Value(65536, False))
        self.assertEqual(told("64 KiB"), Value(65536, False))
        self.assertEqual(told("0 = one per core"), Value(0, False))
        self.assertEqual(told("720h"), told("30 days"))
        self.assertIsNone(told("many"))
        self.assertNotEqual(told("5 s"), told("5,000"))


class FaultsTest(unittest.TestCase):
    """A page of one row, about a file of one constant."""

    def setUp(self):
        no_bounds = {name for names in limits_table.NOT_BOUNDS.values() for name in names.split()}
        self.files = {
            WHERE: "inline constexpr size_t kItems = 256;\n",
            "base/others.h": "".join(f"constexpr int {name} = 1;\n" for name in no_bounds),
            "base/model.h": "struct DeliveryPolicy {\n  Millis timeout{30'000};\n};\n",
            limits_table.SETTINGS: "data_dir: /var\n",
            limits_table.SCHEMA: "",
            limits_table.METRICS: "| `hookd_delay` | gauge |\n",
        }
        self.row = f"| `kItems` | 256 events | `{WHERE}` | they wait | `hookd_delay` |\n"

    def assert_fault(self, page, *words):
        found = faults_of(page, Code(self.files))
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_a_good_page(self):
        self.assertEqual(faults_of(self.row, Code(self.files)), [])

    def test_another_value(self):
        self.assert_fault(self.row.replace("256", "255"), "says 255", "code 256")
        self.files[WHERE] = self.files[WHERE].replace("256", "512")
        self.assert_fault(self.row, "code 512")

    def test_a_new_bound(self):
        self.files[WHERE] += "constexpr std::chrono::seconds kNew{1};\n"
        self.assert_fault(self.row, "kNew", "without a row")

    def test_a_row_too_many(self):
        self.assert_fault(self.row + self.row, "two rows")
        self.assert_fault(self.row + self.row.replace("kItems", "kGone"), "kGone", "not there")

    def test_a_constant_elsewhere(self):
        self.files["base/a.h"] = self.files.pop(WHERE)
        found = faults_of(self.row, Code(self.files))
        self.assertEqual(len(found), 2, found)

    def test_metrics(self):
        self.assert_fault(self.row.replace("hookd_delay", "hookd_gone"), "no metric hookd_gone")
        self.assert_fault(self.row.replace("`hookd_delay`", "some"), "name a metric")
        self.assertEqual(faults_of(self.row.replace("`hookd_delay`", "–"), Code(self.files)), [])

    def test_nothing_said_about_full(self):
        self.assert_fault(self.row.replace("they wait", ""), "when it is full?")

    def test_settings(self):
        self.files[limits_table.SETTINGS] += "a:\n  bytes: 64MiB\n  servers: []\n"
        self.files[limits_table.SCHEMA] = "repeated string servers = 2 [(rule) = { max_items: 8 }];\n"
        page = self.row + f"| `a.bytes` | 64 MiB | `{limits_table.SETTINGS}` | full | – |\n"
        self.assert_fault(page, "a.servers", "without a row")
        page += f"| `a.servers` | 8 | `{limits_table.SETTINGS}` | full | – |\n"
        self.assertEqual(faults_of(page, Code(self.files)), [])
        self.assert_fault(page.replace("64 MiB", "64 KiB"), "a.bytes")

    def test_policy_defaults(self):
        page = self.row + "| `policy.timeout` | 30 s | `base/model.h` | it fails | – |\n"
        self.assertEqual(faults_of(page, Code(self.files)), [])
        self.assert_fault(page.replace("30 s", "31 s"), "policy.timeout")

    def test_the_list_of_exceptions(self):
        self.files["base/others.h"] = self.files["base/others.h"].replace(" kExitOk ", " kExitFine ")
        found = faults_of(self.row, Code(self.files))
        self.assertEqual(len(found), 2, found)  # kExitFine has no row, kExitOk is gone

    def test_what_cannot_be_computed(self):
        self.files["base/a.h"] = "constexpr size_t kA = Compute(1);\n"
        self.assert_fault(self.row, "kA in base/a.h", "cannot compute Compute(1)")


class EveryRowTest(unittest.TestCase):
    """Of the real page: not one row can be changed or left out unnoticed."""

    def test_another_value_and_no_row(self):
        page, code = limits_table.read(ROOT)
        before = set(faults_of(page, code))
        for line in page.splitlines():
            for row in rows_of(line):
                other = line.replace(f"| {row.bound} |", "| 7,777,777 |")
                found = set(faults_of(page.replace(line, other), code)) - before
                self.assertTrue(any(f"{row.name} in {row.where}: the page says" in fault for fault in found), line)
                if row.name.startswith("k") or row.where == limits_table.SETTINGS:
                    found = set(faults_of(page.replace(line, ""), code)) - before
                    self.assertTrue(any(f"{row.name} in {row.where}: is a bound" in fault for fault in found), line)


if __name__ == "__main__":
    unittest.main()
