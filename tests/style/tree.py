# SPDX-License-Identifier: MIT
"""What the style checks share: the files of the tree, C text without comments, and the report.

Each check is a script that looks at one tree (--root, else $LOCKRING_SOURCE_DIR, else the one that
it lies in), prints FILE:LINE: and one clause per violation, and ends with 1 if there was any, 77
if a tool that it needs is not there. selftest.py runs each of them on small trees that break its
rule.
"""

import argparse
import os
import re
import sys
from pathlib import Path

SKIPPED = 77
C_ENDINGS = (".c", ".h")


def parse_arguments(description, flags=()):
    """Every check takes --root; flags are (name, help) of further switches."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", help="the tree to look at")
    for name, text in flags:
        parser.add_argument(name, action="store_true", help=text)
    arguments = parser.parse_args()
    here = Path(__file__).resolve().parent.parent.parent
    arguments.root = Path(arguments.root or os.environ.get("LOCKRING_SOURCE_DIR") or here).resolve()
    return arguments


class Tree:
    """Files by their path from the root, with slashes. Build folders, wherever they lie, do not
    belong to the tree: they are known by their CMakeCache.txt."""

    def __init__(self, root):
        self.root = Path(root)
        self.files = sorted(self._walk())
        self._texts = {}

    def _walk(self):
        for folder, folders, files in os.walk(self.root):
            at = Path(folder)
            if at != self.root and "CMakeCache.txt" in files:
                folders.clear()
                continue
            skip = {".git", "__pycache__"}
            if at == self.root:
                skip.add("build")
            folders[:] = [name for name in folders if name not in skip]
            for name in files:
                path = at / name
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(self.root).as_posix()

    def text(self, path):
        """Bytes that are no UTF-8 are kept as surrogates."""
        if path not in self._texts:
            data = (self.root / path).read_bytes()
            self._texts[path] = data.decode("utf-8", "surrogateescape")
        return self._texts[path]

    def lines(self, path):
        return self.text(path).split("\n")

    def c_files(self):
        return [f for f in self.files if f.endswith(C_ENDINGS) and "/corpus/" not in f]

    def cmake_files(self):
        return [f for f in self.files if f.endswith((".cmake", "CMakeLists.txt"))]

    def shebang(self, path):
        """The first line of a script, "" for anything else."""
        with open(self.root / path, "rb") as file:
            first = file.readline(200)
        return first.decode("utf-8", "replace").rstrip("\n") if first.startswith(b"#!") else ""

    def shell_scripts(self):
        return [
            f
            for f in self.files
            if "/corpus/" not in f and re.match(r"#!.*\b(sh|bash)\b", self.shebang(f))
        ]


class Report:
    """Collects violations and ends the program."""

    def __init__(self, name):
        self.name = name
        self.violations = []
        self.checked = 0

    def violation(self, path, line, text):
        entry = f"{path}:{line}: {text}"
        if entry not in self.violations:
            self.violations.append(entry)

    def finish(self, what):
        """A check that found nothing to look at has failed: its root or its patterns are wrong."""
        for entry in self.violations:
            print(entry)
        print(f"{self.name}: {self.checked} {what}, {len(self.violations)} violations")
        if self.checked == 0:
            print(f"{self.name}: nothing was checked")
            sys.exit(1)
        sys.exit(1 if self.violations else 0)


def skip(name, why):
    print(f"{name}: skipped: {why}")
    sys.exit(SKIPPED)


_COMMENT_OR_LITERAL = re.compile(
    r"/\*.*?\*/|//(?:[^\n\\]|\\.)*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", re.DOTALL
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text, keep_literals=False):
    """C text with comments (and what stands in literals) blanked; lines and columns stay."""

    def replace(match):
        found = match.group()
        if found[0] == "/":
            return _blank(found)
        return found if keep_literals else found[0] + _blank(found[1:-1]) + found[-1]

    return _COMMENT_OR_LITERAL.sub(replace, text)


def without_directives(text):
    """Takes text without comments; blanks preprocessor directives with their continuations, and
    every branch of a conditional but the first, so that braces are balanced."""
    out, branches, in_directive = [], [], False
    for line in text.split("\n"):
        directive = re.match(r"\s*#\s*(\w*)", line)
        if in_directive or directive:
            if directive and not in_directive:
                word = directive.group(1)
                if word in ("if", "ifdef", "ifndef"):
                    branches.append(True)
                elif word in ("else", "elif") and branches:
                    branches[-1] = False
                elif word == "endif" and branches:
                    branches.pop()
            in_directive = line.endswith("\\")
            out.append("")
        else:
            out.append(line if all(branches) else "")
    return "\n".join(out)


class Function:
    """A function definition: first and last line, its parameters and its body without comments."""

    def __init__(self, path, name, first, last, head, body):
        self.path, self.name, self.first, self.last = path, name, first, last
        self.head, self.body = head, body

    @property
    def parameters(self):
        inside = self.head[self.head.index("(") + 1 :]
        names = re.findall(r"(\w+)\s*(?:\[[^\]]*\])?\s*(?=,|\)\s*$|\)\s*__attribute__)", inside)
        return [name for name in names if name != "void"]


def functions(path, text):
    """Every function defined in a C file, by counting braces."""
    code = without_directives(without_comments(text))
    code = re.sub(r'extern\s+"\s*"\s*\{', lambda found: _blank(found.group()), code)
    found, depth, begin, start, head = [], 0, 0, None, ""
    for at, char in enumerate(code):
        if char == "{":
            if depth == 0:
                head = code[begin:at]
                name = re.search(r"(\w+)\s*\(", head.replace("__attribute__", " " * 13))
                is_function = (
                    head.rstrip().endswith(")")
                    and "=" not in head
                    and name
                    and not re.match(r"\s*(typedef|struct|enum|union)\b[^(]*$", head)
                )
                start = (begin + len(head) - len(head.lstrip()), at) if is_function else None
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if start:
                    first = code.count("\n", 0, start[0]) + 1
                    last = code.count("\n", 0, at) + 1
                    body = code[start[1] + 1 : at]
                    found.append(Function(path, name.group(1), first, last, head.strip(), body))
                start = None
                begin = at + 1
        elif char == ";" and depth == 0:
            begin = at + 1
    return found
