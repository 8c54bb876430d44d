#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.rows: each capability that docs/node.md calls yes, part or instead has a test named after
it, live_S45_add_context_wildcards, and none that it calls not yet has one; the same for the
features B1 to B20 beyond Node's, by the list below.

A test may be named after several, live_S24_S36_each_server_has_its_own_hooks, if it fails without
any one of them. What only a program can show has a function s7_... in tests/interop. Whether each
test fails with its feature broken no script finds: the commit that brings it says what was broken.
"""

import re

from tree import Report, Tree, parse_arguments, without_comments

PAGE = "docs/node.md"
ROW = re.compile(r"\| (S\d+) \| [^|]+ \| ([^|]+) \|")
FEATURE = re.compile(r"[SB]\d+")
C_TEST = re.compile(
    r"\b(?:LIVE_TEST|cmocka_unit_test\w*)\(\s*live_([SB]\d+(?:_[SB]\d+)*)_[a-z0-9]"
)
PYTHON_TEST = re.compile(r"^def (s\d+)_[a-z0-9]", re.MULTILINE)
C_FOLDERS = ("tests/live/", "tests/matrix/")
PYTHON_FOLDER = "tests/interop/"

# Rows that are another one's, word for word, of an object that lockring does not have: its tests
# are theirs.
SAME_AS = {
    "S81": "S22",  # the session of a server's connection: on_new_session gives it
    "S98": "S14",  # NPN of a client that nobody makes
}
# What is there of the features beyond Node's tls.
BEYOND = "B1 B3 B4 B6 B7 B8 B12 B13 B18 B19".split()


def tests_of(tree):
    """The first place of a test for each row: (path, line)."""
    found = {}
    for path in tree.files:
        if path.startswith(C_FOLDERS) and path.endswith(".c"):
            pattern = C_TEST
        elif path.startswith(PYTHON_FOLDER) and path.endswith(".py"):
            pattern = PYTHON_TEST
        else:
            continue
        text = without_comments(tree.text(path)) if pattern is C_TEST else tree.text(path)
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            for row in FEATURE.findall(match[1].upper()):
                found.setdefault(row, (path, line))
    return found


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.rows")
    if PAGE not in tree.files:
        report.violation(PAGE, 1, "is not there")
        report.checked = 1
        report.finish("rows")
    tests = tests_of(tree)
    known = set(BEYOND)
    for number, line in enumerate(tree.lines(PAGE), 1):
        row = ROW.match(line)
        if not row:
            continue
        name, state = row.groups()
        report.checked += 1
        known.add(name)
        shown = name in tests or (name in SAME_AS and SAME_AS[name] in tests)
        if state == "not yet" and name in tests:
            report.violation(*tests[name], f"{PAGE} says that {name} is not there yet")
        elif state != "not yet" and not shown:
            report.violation(PAGE, number, f"no test is named live_{name}_...")
    for name in BEYOND:
        report.checked += 1
        if name not in tests:
            report.violation("tests/style/rows.py", 1, f"no test is named live_{name}_...")
    for name in sorted(set(tests) - known):
        report.violation(*tests[name], f"there is no {name}, or the list in rows.py lacks it")
    report.finish("rows")


main()
