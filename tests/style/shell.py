#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.shell: shellcheck has nothing to say about any shell script of the tree; where it is not
installed, the shell itself at least reads them.
"""

import re
import shutil
import subprocess

from tree import Report, Tree, parse_arguments


def run(report, tree, path, command, pattern):
    result = subprocess.run(
        [*command, path], cwd=tree.root, capture_output=True, text=True, check=False
    )
    found = re.findall(pattern, result.stdout + result.stderr, re.MULTILINE)
    for line, text in found:
        report.violation(path, line, text)
    if result.returncode != 0 and not found:
        report.violation(path, 1, (result.stdout + result.stderr).strip())


def main():
    arguments = parse_arguments(__doc__, [("--without-shellcheck", "as if it were not installed")])
    tree = Tree(arguments.root)
    report = Report("style.shell")
    has_shellcheck = shutil.which("shellcheck") and not arguments.without_shellcheck
    for path in tree.shell_scripts():
        report.checked += 1
        shell = "bash" if "bash" in tree.shebang(path) else "sh"
        if has_shellcheck:
            run(report, tree, path, ["shellcheck", "-f", "gcc"], r"^.+?:(\d+):\d+: (.*)$")
        else:
            run(report, tree, path, [shell, "-n"], r"^.+?: (?:line )?(\d+): (.*)$")
    report.finish(f"scripts ({'shellcheck' if has_shellcheck else 'read only'})")


main()
