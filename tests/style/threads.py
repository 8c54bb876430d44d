#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.threads: docs/threads.md names each atomic field and variable that core, proto and tools
declare, and each file that declares one. Parameters are not declarations of this kind.
"""

import re

from tree import Report, Tree, parse_arguments, without_comments

PAGE = "docs/threads.md"
DECLARED = re.compile(
    r"(?:\b_Atomic\s*(?:\([^()]*\)|\s[\w\s]*?)|\batomic_\w+)"  # the type
    r"\s+(\w+)\s*(?:\[[^\]]*\])?\s*(?:=[^;]*)?;"
)


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.threads")
    if PAGE not in tree.files:
        report.violation(PAGE, 1, "is not there")
        report.checked = 1
        report.finish("atomics")
    page = tree.text(PAGE)
    for path in tree.c_files():
        if not path.startswith(("core/", "proto/", "tools/")):
            continue
        for number, line in enumerate(without_comments(tree.text(path)).split("\n"), 1):
            for name in DECLARED.findall(line.replace("\\", ";")):
                report.checked += 1
                if not re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", page):
                    report.violation(path, number, f"{PAGE} does not name {name}")
                elif path not in page:
                    report.violation(path, number, f"{PAGE} does not name {path}")
    report.finish("atomics")


main()
