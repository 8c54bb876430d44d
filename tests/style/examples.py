#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.examples: every docs/examples/*.c is compiled by CMake, and a code block of a page whose
first line is ```c FILE is FILE, byte for byte. README.md has such a block for each example that it
must show. --update rewrites the blocks.
"""

import re

from tree import Report, Tree, parse_arguments

SHOWN = {"README.md": ["docs/examples/echo.c"]}
BLOCK = re.compile(r"^```c (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def cmake_text(tree):
    return "\n".join(
        re.sub(r"#.*", "", line) for path in tree.cmake_files() for line in tree.lines(path)
    )


def check_blocks(report, tree, path, update):
    """Compares the blocks of one page; returns the files that they show."""
    text, shown = tree.text(path), set()
    for found in BLOCK.finditer(text):
        source = found.group(1)
        line = text.count("\n", 0, found.start()) + 1
        shown.add(source)
        report.checked += 1
        if source not in tree.files:
            report.violation(path, line, f"there is no {source}")
        elif tree.text(source) != found.group(2) and not update:
            report.violation(path, line, f"is not {source} (tests/style/examples.py --update)")
    if update:
        new = BLOCK.sub(
            lambda m: f"```c {m[1]}\n{tree.text(m[1]) if m[1] in tree.files else m[2]}```", text
        )
        if new != text:
            (tree.root / path).write_text(new, encoding="utf-8")
            print(f"{path}: updated")
    return shown


def main():
    arguments = parse_arguments(__doc__, [("--update", "rewrite the blocks")])
    tree = Tree(arguments.root)
    report = Report("style.examples")
    compiled = cmake_text(tree)
    for path in tree.files:
        if re.fullmatch(r"docs/examples/[^/]+\.c", path):
            report.checked += 1
            if not re.search(rf"(?<![\w/]){re.escape(path)}(?![\w.])", compiled):
                report.violation(path, 1, "no CMake file compiles it")
    for page in [f for f in tree.files if f.endswith(".md")]:
        shown = check_blocks(report, tree, page, arguments.update)
        for missing in set(SHOWN.get(page, ())) - shown:
            report.violation(page, 1, f"has no block ```c {missing}")
    for page in set(SHOWN) - set(tree.files):
        report.violation(page, 1, "is not there")
    report.finish("examples and blocks")


main()
