#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manual.py BIN: docs/man/lockring-serve.1 and lockring-serve --help name the same options with the
same values and defaults, and the page is well-formed. Only the last needs mandoc; without it that
case is skipped."""

import os
import re
import shutil
import subprocess
import sys
import unittest

PAGE = os.path.join(os.environ.get("LOCKRING_SOURCE_DIR", "../.."), "docs/man/lockring-serve.1")
DEFAULT = re.compile(r"[Dd]efault:? (\S*[^\s.,;:])")


def of_help(text):
    """Option: what stands behind its name, up to the next option."""
    parts = re.split(r"(?m)^  (--[a-z0-9-]+)", text.split("\n\nReady:")[0])
    return {name: re.sub(r"\s+", " ", rest) for name, rest in zip(parts[1::2], parts[2::2])}


def of_page(text):
    """Option: its value, "" for none, and what is said of it."""
    parts = re.split(r"(?m)^\.It Fl Fl ([a-z0-9-]+)(?: Ar (\S+))?$", text)
    rows = zip(parts[1::3], parts[2::3], parts[3::3])
    return {"--" + name: (value or "", re.split(r"(?m)^\.(?:El|It)\b", rest)[0])
            for name, value, rest in rows}


class Manual(unittest.TestCase):
    def setUp(self):
        text = subprocess.run([BINARY, "--help"], capture_output=True, text=True,
                              check=True).stdout
        with open(PAGE, encoding="utf-8") as file:
            self.page = of_page(file.read())
        self.help = of_help(text)
        self.assertGreater(len(self.help), 20)

    def test_every_option_is_in_both(self):
        self.assertEqual(sorted(self.page), sorted(self.help))

    def test_values_are_the_same(self):
        for name, (value, _) in self.page.items():
            with self.subTest(name=name):
                if value:
                    self.assertTrue(self.help[name].startswith(f" {value} "), self.help[name])
                else:
                    self.assertNotRegex(self.help[name], r"\A [A-Z]{2}|\A \S+\|")

    def test_defaults_are_the_same(self):
        for name, (_, said) in self.page.items():
            with self.subTest(name=name):
                first = DEFAULT.search(self.help[name])
                second = DEFAULT.search(re.sub(r"\s+", " ", said))
                if first:
                    self.assertTrue(second, f"no default of {name} in the page")
                    self.assertEqual(second[1], first[1])

    def test_the_page_is_well_formed(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE],
                                capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout), (0, ""))


if __name__ == "__main__":
    BINARY = os.path.join(sys.argv.pop(1), "lockring-serve")
    unittest.main(verbosity=2)
