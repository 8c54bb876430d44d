#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.selftest: each check passes on a small clean tree, and each way of breaking its rule that
is listed in selftest_cases.py makes it fail and name the place.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from selftest_cases import CASES, CLEAN
from tree import SKIPPED

HERE = Path(__file__).resolve().parent
NOT_CHECKS = {"tree.py", "selftest.py", "selftest_cases.py"}


def make_tree(folder, changes):
    """The clean tree with some files changed, or taken away (None)."""
    files = {**CLEAN, ".clang-format": (HERE / "../../.clang-format").read_text(), **changes}
    for path, text in files.items():
        if text is None:
            continue
        at = Path(folder) / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(text.encode("utf-8"))


def run_check(rule, changes, arguments):
    with tempfile.TemporaryDirectory() as folder:
        make_tree(folder, changes)
        command = [sys.executable, "-B", str(HERE / f"{rule}.py"), "--root", folder, *arguments]
        environment = {**os.environ, "LOCKRING_SOURCE_DIR": str(HERE)}  # --root must win
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )


def verdict(case, result):
    """What is wrong with the outcome of a case, "" if nothing."""
    said = result.stdout + result.stderr
    if result.returncode == SKIPPED:
        return ""
    if case.expected is None:
        return "" if result.returncode == 0 else f"fails on a clean tree:\n{said}"
    if result.returncode != 1:
        return f"ends with {result.returncode} instead of 1:\n{said}"
    places = [line for line in result.stdout.split("\n") if line.startswith(case.expected)]
    return "" if places else f"does not say {case.expected!r}:\n{said}"


def main():
    rules = sorted(path.stem for path in HERE.glob("*.py") if path.name not in NOT_CHECKS)
    failed = skipped = 0
    for rule in rules:
        kinds = {case.expected is None for case in CASES if case.rule == rule}
        if kinds != {True, False}:
            print(f"FAILED {rule}: it needs a case that passes and one that fails")
            failed += 1
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda c: run_check(c.rule, c.changes, c.arguments), CASES))
    for case, result in zip(CASES, results):
        wrong = verdict(case, result)
        skipped += result.returncode == SKIPPED
        if wrong:
            failed += 1
            print(f"FAILED {case.rule}: {case.title}: {wrong}")
    print(f"style.selftest: {len(CASES)} cases, {skipped} skipped, {failed} failed")
    sys.exit(1 if failed else 0)


main()
