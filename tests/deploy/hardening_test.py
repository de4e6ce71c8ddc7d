"""The binaries that are shipped defend themselves: hardening_test.py --bin FOLDER reads them with readelf."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import unittest

import common

BINARIES = ("hookd", "hookctl")
SHIPPED = ("base/", "cli/", "config/", "dispatcher/", "proto/", "storage/")  # folders of sources, generated ones too
FLAGS = ("-fPIE", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection", "-D_FORTIFY_SOURCE=2")
folder = None  # set by main


def readelf(binary, *flags):
    done = subprocess.run(["readelf", "-W", *flags, folder / binary], capture_output=True, text=True, check=True)
    return done.stdout


def functions(binary):
    """The undefined ones: what the C library is asked for."""
    return set(re.findall(r" UND (\w+)", readelf(binary, "--dyn-syms")))


class HardeningTest(unittest.TestCase):
    def of_each(self, check):
        for binary in BINARIES:
            with self.subTest(binary=binary):
                check(binary)

    def test_loaded_at_an_address_of_its_own(self):
        def check(binary):
            self.assertRegex(readelf(binary, "-h"), r"Type:\s+DYN \(Position-Independent Executable")
            self.assertRegex(readelf(binary, "-d"), r"FLAGS_1.* PIE\b")
            self.assertNotIn("TEXTREL", readelf(binary, "-d"))
        self.of_each(check)

    def test_full_relro(self):
        def check(binary):
            self.assertIn("GNU_RELRO", readelf(binary, "-l"))
            self.assertRegex(readelf(binary, "-d"), r"\(FLAGS\).*BIND_NOW|FLAGS_1.*NOW")
        self.of_each(check)

    def test_nothing_is_both_written_and_run(self):
        def check(binary):
            segments = re.findall(r"^\s+(LOAD|GNU_STACK)\s+(?:0x\w+\s+){5}([RWE ]{3})", readelf(binary, "-l"), re.MULTILINE)
            self.assertIn("GNU_STACK", [name for name, _ in segments])
            for name, flags in segments:
                self.assertFalse("W" in flags and "E" in flags, f"{name} {flags}")
        self.of_each(check)

    def test_stack_protector(self):
        self.of_each(lambda binary: self.assertIn("__stack_chk_fail", functions(binary)))

    def test_checked_library_functions(self):
        def check(binary):
            checked = {name for name in functions(binary) if name.endswith("_chk")} - {"__stack_chk_fail"}
            self.assertGreater(len(checked), 0, "built without _FORTIFY_SOURCE")
        self.of_each(check)

    def test_every_object_of_ours_was_compiled_so(self):
        """The symbols above may come from a library that is linked in: the compiler's commands tell."""
        commands = json.loads((folder.parent / "compile_commands.json").read_text(encoding="utf-8"))
        checked = 0
        for each in commands:
            source = pathlib.Path(each["file"])
            name = source.relative_to(folder.parent if source.is_relative_to(folder.parent) else common.ROOT).as_posix()
            if not name.startswith(SHIPPED):
                continue
            checked += 1
            for flag in FLAGS:
                self.assertIn(f" {flag} ", each["command"], name)
        self.assertGreater(checked, 150)

    def test_libraries_come_from_the_system_alone(self):
        self.of_each(lambda binary: self.assertNotRegex(readelf(binary, "-d"), r"\((RPATH|RUNPATH)\)"))


def main():
    global folder
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default=common.ROOT / "build/release/bin")
    options, sys.argv[1:] = parser.parse_known_args()
    folder = options.bin.resolve()
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
