#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.forbidden: settings that write secrets, and functions that cannot be used safely.

Nowhere are wolfSSL's two settings that write secrets to a file defined. Nowhere are the functions
called that do not know how long their destination is. In core nothing goes round core/base/mem.c to
the heap, writes to standard output or ends the process.

It also counts the checks of core per function; that is a report, not a rule (goal: 0.5).
"""

import re
from collections import Counter

from tree import Report, Tree, functions, parse_arguments, without_comments

SECRETS = "(SHOW_SECRETS|WOLFSSL_SSLKEYLOGFILE)"
DEFINED = re.compile(rf"#\s*define\s+{SECRETS}\b|-D\s*{SECRETS}\b")
MENTIONED = re.compile(rf"\b{SECRETS}\b")
BANNED = "strcpy strcat stpcpy sprintf vsprintf gets alloca strtok".split()
HEAP = "malloc calloc realloc reallocarray free strdup strndup posix_memalign aligned_alloc".split()
PROCESS = "printf vprintf puts putchar exit _exit quick_exit system".split()
HEAP_OWNER = "core/base/mem.c"
CHECKS = re.compile(
    r"\b(LR_CHECK|LR_DCHECK|LR_BUG_IF|LR_UNREACHABLE|static_assert|lr__dcheck_on_worker)\s*\("
)


def called(names):
    return re.compile(rf"(?<![\w.>])({'|'.join(names)})\s*\(")


def check_lines(report, path, text, pattern, why):
    for number, line in enumerate(text.split("\n"), 1):
        for found in pattern.finditer(line):
            name = next(filter(None, found.groups()))
            report.violation(path, number, f"{name}: {why}")


def check_settings(report, tree):
    """C and scripts must not define them; in CMake any mention outside a comment does."""
    cmake = set(tree.cmake_files()) | {f for f in tree.files if f.endswith(".json")}
    for path in tree.files:
        if "/corpus/" in path or path.endswith(".md"):
            continue
        text = tree.text(path)
        if path in cmake:
            text = re.sub(r"#.*", "", text)
        pattern = MENTIONED if path in cmake else DEFINED
        check_lines(report, path, text, pattern, "writes secrets, never defined")


def report_density(tree):
    checks, count = Counter(), Counter()
    for path in tree.c_files():
        if not path.startswith("core/"):
            continue
        folder = path.split("/")[1]
        count[folder] += len(functions(path, tree.text(path)))
        if path != "core/base/check.h":
            checks[folder] += len(CHECKS.findall(without_comments(tree.text(path))))
    for folder in sorted(count):
        ratio = checks[folder] / max(count[folder], 1)
        print(f"core/{folder}: {checks[folder]} checks, {count[folder]} functions, {ratio:.2f}")
    if count:
        print(f"core: {checks.total() / max(count.total(), 1):.2f} checks per function (goal 0.5)")


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.forbidden")
    check_settings(report, tree)
    for path in tree.c_files():
        report.checked += 1
        code = without_comments(tree.text(path))
        check_lines(report, path, code, called(BANNED), "does not know its destination's size")
        if path.startswith("core/"):
            check_lines(report, path, code, called(PROCESS), "not in a library")
            if path != HEAP_OWNER:
                check_lines(report, path, code, called(HEAP), f"goes round {HEAP_OWNER}")
    report_density(tree)
    report.finish("files")


main()
