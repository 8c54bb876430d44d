#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.words: what may not stand in the tree, and what must.

No notes about work left over: those are entries of CHANGELOG's "known limits". No absolute path of
somebody's machine. Each source and script begins with its SPDX line, behind the #! if there is one.
"""

import re

from tree import Report, Tree, parse_arguments

# Written so that this file does not find itself.
NOTES = re.compile(r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"]) + r")\b")
PATHS = re.compile(r"(?<![\w.}~$)>-])/(work|root|home|Users)" "/")
SPDX = re.compile(r"(/\*|//|#) SPDX-License-Identifier: MIT\b")
SOURCES = re.compile(
    r"\.(c|h|cc|cpp|hpp|py|sh|cmake|map|yml|yaml)(\.in)?$|(^|/)CMakeLists\.txt$|\.(cmake|h|c)\.in$"
)
FOREIGN = ("LICENSE", "LICENSES/")  # texts of others


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.words")
    for path in tree.files:
        if path.startswith(FOREIGN) or "/corpus/" in path or "\0" in tree.text(path):
            continue
        report.checked += 1
        lines = tree.lines(path)
        for number, line in enumerate(lines, 1):
            for word in NOTES.findall(line):
                report.violation(path, number, f"{word}: put it under CHANGELOG's known limits")
            if PATHS.search(line):
                report.violation(path, number, "an absolute path of one machine")
        has_shebang = lines[0].startswith("#!")
        if (SOURCES.search(path) or has_shebang) and not SPDX.match(
            lines[1] if has_shebang and len(lines) > 1 else lines[0]
        ):
            report.violation(path, 2 if has_shebang else 1, "no SPDX line")
    report.finish("files")


main()
