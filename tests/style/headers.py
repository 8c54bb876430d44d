#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.headers: each public header compiles alone, as C11 and as C++17, pedantic, without a
warning, with gcc and with clang where they are installed. lockring.h includes all the others
(except unstable.h and version.h, which a program asks for by name).
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tree import Report, Tree, parse_arguments, skip

FLAGS = ["-pedantic-errors", "-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Werror", "-fsyntax-only"]
C_FLAGS = ["-x", "c", "-std=c11", "-Wstrict-prototypes", *FLAGS]
CXX_FLAGS = ["-x", "c++", "-std=c++17", *FLAGS]
COMPILERS = [("gcc", C_FLAGS), ("clang", C_FLAGS), ("g++", CXX_FLAGS), ("clang++", CXX_FLAGS)]
ASKED_FOR = {"lockring.h", "unstable.h", "version.h"}


def make_version(tree, into):
    """What configure_file() makes of version.h.in."""
    template = "include/lockring/version.h.in"
    if template not in tree.files:
        return
    found = re.search(r"VERSION\s+(\d+)\.(\d+)\.(\d+)", tree.text("CMakeLists.txt"))
    parts = found.groups() if found else ("0", "0", "0")
    text = tree.text(template).replace("@PROJECT_VERSION@", ".".join(parts))
    for name, part in zip(("MAJOR", "MINOR", "PATCH"), parts):
        text = text.replace(f"@PROJECT_VERSION_{name}@", part)
    (into / "lockring").mkdir()
    (into / "lockring" / "version.h").write_text(text)


def compile_alone(report, compiler, flags, name, folders):
    """The header twice, so that a missing include guard shows too, and a declaration, since a file
    without one is not C."""
    source = f"#include <lockring/{name}>\n" * 2 + "extern int lockring_alone;\n"
    command = [compiler, *flags, *(f"-I{folder}" for folder in folders), "-"]
    result = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    report.checked += 1
    if result.returncode == 0:
        return
    found = re.search(r"(include/lockring/\S+?):(\d+):.*?(?:error|warning): (.*)", result.stderr)
    at = found.groups() if found else (f"include/lockring/{name}", "1", result.stderr.strip())
    report.violation(at[0], at[1], f"{name} alone with {compiler}: {at[2]}")


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.headers")
    headers = [Path(f).name for f in tree.files if re.fullmatch(r"include/lockring/\w+\.h", f)]
    compilers = [(name, flags) for name, flags in COMPILERS if shutil.which(name)]
    if not compilers:
        skip("style.headers", "no compiler is installed")
    for name, _ in COMPILERS:
        if not shutil.which(name):
            print(f"style.headers: without {name}, which is not installed", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        make_version(tree, Path(folder))
        if (Path(folder) / "lockring").exists():
            headers.append("version.h")
        for name in headers:
            for compiler, flags in compilers:
                compile_alone(report, compiler, flags, name, [tree.root / "include", folder])
    whole = tree.text("include/lockring/lockring.h")
    for name in sorted(set(headers) - ASKED_FOR):
        if f"#include <lockring/{name}>" not in whole:
            report.violation("include/lockring/lockring.h", 1, f"does not include {name}")
    report.finish("compilations")


main()
