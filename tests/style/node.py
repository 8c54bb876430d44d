#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.node: docs/node.md has one row for each capability S1 to S133, with a state that it knows,
and names only what exists: calls, types, fields, constants and hooks of include/lockring, and files
of the tree.
"""

import re

from tree import Report, Tree, parse_arguments, without_comments

PAGE = "docs/node.md"
HEADERS = "include/lockring/"
LAST = 133
STATES = ("yes", "part", "instead", "not yet")
ROW = re.compile(r"\| S(\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
NAME = re.compile(r"\blr_\w+(?:\.\w+)?|\bLR_\w+|\bon_[a-z]\w*")
STRUCT = re.compile(r"typedef struct (lr_\w+) \{(.*?)\n\} \1;", re.DOTALL)
PATH = re.compile(r"`((?:core|docs|include|lockring|proto|tests|tools)/[\w./-]+\.\w+)`")


def public_words(tree):
    """Every word of the headers' code, and for each public struct the words of its body."""
    code = "\n".join(
        without_comments(tree.text(path)) for path in tree.files if path.startswith(HEADERS)
    )
    fields = {name: set(re.findall(r"\w+", body)) for name, body in STRUCT.findall(code)}
    return set(re.findall(r"\w+", code)), fields


def check_names(report, number, line, words, fields):
    for name in NAME.findall(line):
        report.checked += 1
        head, _, field = name.partition(".")
        if head not in words:
            report.violation(PAGE, number, f"there is no {head}")
        elif field and field not in fields.get(head, ()):
            report.violation(PAGE, number, f"{head} has no {field}")


def check_row(report, number, line, seen):
    row = ROW.match(line)
    if not row:
        report.violation(PAGE, number, "a row has a number, Node's name, a state and a text")
        return
    capability, _, state, _ = row.groups()
    report.checked += 1
    if not 1 <= int(capability) <= LAST:
        report.violation(PAGE, number, f"there is no S{capability}")
    if capability in seen:
        report.violation(PAGE, number, f"S{capability} has a row in line {seen[capability]}")
    seen[capability] = number
    if state not in STATES:
        report.violation(PAGE, number, f"'{state}' is no state")


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.node")
    if PAGE not in tree.files:
        report.violation(PAGE, 1, "is not there")
        report.checked = 1
        report.finish("names and rows")
    words, fields = public_words(tree)
    seen = {}
    for number, line in enumerate(tree.lines(PAGE), 1):
        check_names(report, number, line, words, fields)
        for path in PATH.findall(line):
            report.checked += 1
            if path not in tree.files and "include/" + path not in tree.files:
                report.violation(PAGE, number, f"there is no {path}")
        if line.startswith("| S"):
            check_row(report, number, line, seen)
    for missing in sorted({str(n) for n in range(1, LAST + 1)} - set(seen), key=int):
        report.violation(PAGE, 1, f"S{missing} has no row")
    report.finish("names and rows")


main()
