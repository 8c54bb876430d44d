#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.changelog: the newest entry of CHANGELOG.md is the version in project(VERSION) of
CMakeLists.txt; entries come newest first, each with a date or "unreleased"; the newest names its
known limits, since README points there.
"""

import re

from tree import Report, Tree, parse_arguments

ENTRY = re.compile(r"## \[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d|unreleased)$")


def entries(report, tree):
    """(line, version) of each entry."""
    for number, line in enumerate(tree.lines("CHANGELOG.md"), 1):
        if not line.startswith("## ") or line == "## [Unreleased]":
            continue
        found = ENTRY.match(line)
        if found:
            report.checked += 1
            yield number, tuple(int(part) for part in found.groups()[:3])
        else:
            report.violation("CHANGELOG.md", number, "is no '## [x.y.z] - date'")


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.changelog")
    for path in {"CMakeLists.txt", "CHANGELOG.md"} - set(tree.files):
        report.violation(path, 1, "is not there")
    if report.violations:
        report.finish("entries")
    text = tree.text("CMakeLists.txt")
    project = re.search(r"project\([^)]*?\bVERSION\s+(\d+)\.(\d+)\.(\d+)\b", text)
    found = list(entries(report, tree))
    if not project:
        report.violation("CMakeLists.txt", 1, "no project(... VERSION x.y.z)")
    elif found:
        version = tuple(int(part) for part in project.groups())
        if version != found[0][1]:
            line = text.count("\n", 0, project.start(1)) + 1
            newest = ".".join(map(str, found[0][1]))
            report.violation(
                "CMakeLists.txt",
                line,
                f"version {'.'.join(map(str, version))}, but CHANGELOG.md begins with {newest}",
            )
    for (_, newer), (line, older) in zip(found, found[1:]):
        if older >= newer:
            report.violation("CHANGELOG.md", line, "entries must come newest first")
    changes = tree.text("CHANGELOG.md")
    newest = re.split(r"^## \[\d", changes, flags=re.MULTILINE)[1:2]
    if newest and "### Known limits" not in newest[0]:
        report.violation("CHANGELOG.md", found[0][0] if found else 1, "has no '### Known limits'")
    report.finish("entries")


main()
