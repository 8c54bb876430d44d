#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manual.py BIN: the pages in docs/man and --help of lockring-serve and of each command of
lockring-keys name the same options with the same values and defaults, and the pages are
well-formed. Only the last needs mandoc; without it that case is skipped."""

import os
import re
import shutil
import subprocess
import sys
import unittest

PAGES = os.path.join(os.environ.get("LOCKRING_SOURCE_DIR", "../.."), "docs/man")
COMMANDS = ("make", "inspect", "rotate", "convert", "ocsp")
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


class Both:
    """What is said of the same options in two places: self.page and self.help."""

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


def help_of(program, *arguments):
    command = [os.path.join(FOLDER, program), *arguments, "--help"]
    return of_help(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def page_text(program):
    with open(os.path.join(PAGES, program + ".1"), encoding="utf-8") as file:
        return file.read()


class Serve(Both, unittest.TestCase):
    def setUp(self):
        self.page = of_page(page_text("lockring-serve"))
        self.help = help_of("lockring-serve")
        self.assertGreater(len(self.help), 20)


class Keys(Both, unittest.TestCase):
    """The options of each command, with its name in front."""

    def setUp(self):
        parts = re.split(r"(?m)^\.S[sh] (\S+)\n", page_text("lockring-keys"))
        sections = dict(zip(parts[1::2], parts[2::2]))
        self.page, self.help = {}, {}
        for command in COMMANDS:
            said = help_of("lockring-keys", command)
            self.assertIn("--help", said)
            del said["--help"]  # described once for all
            self.help.update({f"{command} {name}": rest for name, rest in said.items()})
            self.page.update({f"{command} {name}": row
                              for name, row in of_page(sections[command]).items()})
        self.assertGreater(len(self.help), 10)


class Pages(unittest.TestCase):
    def test_they_are_well_formed(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        for name in sorted(os.listdir(PAGES)):
            with self.subTest(name=name):
                result = subprocess.run(
                    ["mandoc", "-T", "lint", "-W", "warning", os.path.join(PAGES, name)],
                    capture_output=True, text=True, check=False)
                self.assertEqual((result.returncode, result.stdout), (0, ""))


if __name__ == "__main__":
    FOLDER = sys.argv.pop(1)
    unittest.main(verbosity=2)
