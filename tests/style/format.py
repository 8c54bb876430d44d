#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.format: clang-format 14 would change no C file. Other versions of clang-format disagree
with it in places, so they are not asked.
"""

import re
import shutil
import subprocess

from tree import Report, Tree, parse_arguments, skip

VERSION = "14"
FILES_AT_ONCE = 20


def find_clang_format():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        if not shutil.which(name):
            continue
        said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
        if re.search(rf"version {VERSION}\.", said.stdout):
            return name
    return None


def runs_of_lines(said):
    """(file, first, last) of neighbouring lines that clang-format would change."""
    run = None
    for path, number in re.findall(r"^(.+?):(\d+):\d+: (?:error|warning)", said, re.MULTILINE):
        line = int(number)
        if run and run[0] == path and line <= run[2] + 1:
            run[2] = line
            continue
        if run:
            yield run
        run = [path, line, line]
    if run:
        yield run


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.format")
    program = find_clang_format()
    files = tree.c_files()
    if not program:
        skip("style.format", f"clang-format {VERSION} is not installed")
    if ".clang-format" not in tree.files:
        report.violation(".clang-format", 1, "is not there")
    for begin in range(0, len(files), FILES_AT_ONCE):
        some = files[begin : begin + FILES_AT_ONCE]
        command = [program, "--dry-run", "--Werror", "--style=file", *some]
        result = subprocess.run(
            command, cwd=tree.root, capture_output=True, text=True, check=False
        )
        for path, first, last in runs_of_lines(result.stderr):
            report.violation(path, first, f"to {last}: not as clang-format lays it out")
        if result.returncode != 0 and not report.violations:
            report.violation(some[0], 1, f"{program} fails: {result.stderr.strip()}")
    report.checked = len(files)
    report.finish("files")


main()
