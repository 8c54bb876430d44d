#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.budgets: a function has at most 70 lines, from its name to its closing brace; a file 800; a
line of C or of a script 100 columns.
"""

from tree import Report, Tree, functions, parse_arguments

FUNCTION_LINES = 70
FILE_LINES = 800
COLUMNS = 100


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.budgets")
    c_files = tree.c_files()
    scripts = [f for f in tree.files if f.endswith((".py", ".sh")) or tree.shebang(f)]
    for path in sorted({*c_files, *scripts}):
        report.checked += 1
        lines = tree.text(path).splitlines()
        if len(lines) > FILE_LINES:
            report.violation(path, len(lines), f"{len(lines)} lines of {FILE_LINES}")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS:
                report.violation(path, number, f"{len(line)} columns of {COLUMNS}")
    for path in c_files:
        for function in functions(path, tree.text(path)):
            length = function.last - function.first + 1
            if length > FUNCTION_LINES:
                report.violation(
                    path, function.first, f"{function.name}: {length} lines of {FUNCTION_LINES}"
                )
    report.finish("files")


main()
