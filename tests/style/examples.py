#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.examples: every docs/examples/*.c is compiled by CMake, and a code block of a page whose
first line is ```c FILE is FILE, byte for byte; ```c FILE:NAME,NAME is those functions of FILE, each
with the comment above it. README.md has such a block for each example that it must show, and
docs/handlers.md has no other C. --update rewrites the blocks.
"""

import re

from tree import Report, Tree, functions, parse_arguments

SHOWN = {"README.md": ["docs/examples/echo.c"]}
COMPILED = ["docs/handlers.md"]
BLOCK = re.compile(r"^```c (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def cmake_text(tree):
    return "\n".join(
        re.sub(r"#.*", "", line) for path in tree.cmake_files() for line in tree.lines(path)
    )


def text_of(tree, source):
    """What a block must be; None: there is no such file or function."""
    path, _, names = source.partition(":")
    if path not in tree.files:
        return None
    text = tree.text(path)
    if not names:
        return text
    lines, parts = text.split("\n"), []
    known = {function.name: function for function in functions(path, text)}
    for name in names.split(","):
        if name not in known:
            return None
        first = known[name].first - 1
        while first > 0 and lines[first - 1] != "":
            first -= 1
        parts.append("\n".join(lines[first : known[name].last]) + "\n")
    return "\n".join(parts)


def check_blocks(report, tree, path, update):
    """Compares the blocks of one page; returns the files that they show."""
    text, shown = tree.text(path), set()
    for found in BLOCK.finditer(text):
        source = found.group(1)
        line = text.count("\n", 0, found.start()) + 1
        shown.add(source)
        report.checked += 1
        expected = text_of(tree, source)
        if expected is None:
            report.violation(path, line, f"there is no {source}")
        elif expected != found.group(2) and not update:
            report.violation(path, line, f"is not {source} (tests/style/examples.py --update)")
    if update:
        new = BLOCK.sub(
            lambda m: f"```c {m[1]}\n{text_of(tree, m[1]) or m[2]}```", text
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
        if page in COMPILED:
            for number, line in enumerate(tree.lines(page), 1):
                if line.rstrip() == "```c":
                    report.violation(page, number, "code that nothing compiles")
        for missing in set(SHOWN.get(page, ())) - shown:
            report.violation(page, 1, f"has no block ```c {missing}")
    for page in set(SHOWN) - set(tree.files):
        report.violation(page, 1, "is not there")
    report.finish("examples and blocks")


main()
