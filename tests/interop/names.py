#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares lr_names with a matcher that shares nothing with it: 20,000 random tables' questions.

Usage: names.py NAMES_ANSWER [SEED]
"""
import random
import re
import subprocess
import sys

LABEL = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")
ADDRESS = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}\Z")
CASES = 20000
ADDED_MAX = 16


def labels(name):
    """The labels of a host name, folded; None if it is none."""
    if name.endswith(b"."):
        name = name[:-1]
    if not 1 <= len(name) <= 253 or ADDRESS.match(name):
        return None
    parts = name.split(b".")
    return [p.lower() for p in parts] if all(LABEL.match(p) for p in parts) else None


def pattern_labels(pattern):
    """The same of a pattern; a first label of b"*" is the asterisk."""
    if pattern == b"*":
        return [b"*"]
    if not pattern.startswith(b"*."):
        return labels(pattern)
    rest = labels(pattern[2:])
    return None if rest is None or len(b".".join(rest)) + 2 > 253 else [b"*"] + rest


class Table:
    def __init__(self):
        self.patterns = []  # [labels, number], in no order that matters
        self.added = 0

    def add(self, pattern):
        number, self.added = self.added, self.added + 1
        parts = pattern_labels(pattern)
        if parts is None:
            return "no"
        self.patterns = [p for p in self.patterns if p[0] != parts] + [(parts, number)]
        return "ok"

    def remove(self, pattern):
        parts = pattern_labels(pattern)
        left = [p for p in self.patterns if p[0] != parts]
        gone = len(left) != len(self.patterns)
        self.patterns = left
        return "ok" if gone else "no"

    def find(self, name):
        parts = labels(name)
        if parts is None:
            return "none"
        exact = [n for p, n in self.patterns if p == parts]
        if exact:
            return str(exact[0])
        if parts[0].startswith(b"xn--"):
            return "none"
        wild = [n for p, n in self.patterns if p[0] == b"*" and p[1:] == parts[1:]]
        return str(wild[0]) if wild else "none"


def random_label(r):
    kind = r.random()
    if kind < 0.7:
        return r.choice([b"a", b"b", b"www", b"xn--a", b"A", b"B", b"WWW", b"org", b"0", b"127"])
    if kind < 0.8:
        return b"a" * r.choice([1, 2, 62, 63, 64])
    if kind < 0.9:
        return bytes(r.choice(b"ab-_0*.\0 /%\xc3\x7f") for _ in range(r.randint(0, 4)))
    return r.choice([b"-a", b"a-", b"a-b", b"XN--A", b"xn--", b"xn-", b"*", b"a*", b"", b"_a"])


def random_name(r):
    parts = [random_label(r) for _ in range(r.choice([1, 1, 2, 2, 2, 3, 3, 4, 5]))]
    if r.random() < 0.03:  # near the highest length
        parts = [b"a" * 63, b"b" * 63, b"c" * 63, b"d" * r.randint(56, 63)]
    name = b".".join(parts)
    return name + b"." * (r.random() < 0.15)


def random_pattern(r):
    name = random_name(r)
    kind = r.random()
    pattern = name if kind < 0.5 else b"*." + name if kind < 0.95 else b"*"
    return bytes(c for c in pattern if c not in b"\0\n")  # a C string on one line


def near(r, pattern):
    """A name that a pattern might fit."""
    name = pattern.replace(b"*", random_label(r), 1) if r.random() < 0.9 else pattern
    return name.swapcase() if r.random() < 0.3 else name


def main():
    seed = int(sys.argv[2], 0) if len(sys.argv) > 2 else 20261123
    r = random.Random(seed)
    lines, expected = [], []
    cases = found = 0
    while cases < CASES:
        table, patterns = Table(), []
        lines.append(b"!")
        expected.append("ok")
        for _ in range(r.randint(1, ADDED_MAX)):
            patterns.append(random_pattern(r))
            lines.append(b"+" + patterns[-1])
            expected.append(table.add(patterns[-1]))
            if r.random() < 0.15:
                gone = r.choice(patterns)
                lines.append(b"-" + gone)
                expected.append(table.remove(gone))
        for _ in range(20):
            name = near(r, r.choice(patterns)) if r.random() < 0.7 else random_name(r)
            lines.append(b"?" + name.hex().encode())
            expected.append(table.find(name))
            found += expected[-1] != "none"
            cases += 1
    answers = subprocess.run([sys.argv[1]], input=b"\n".join(lines) + b"\n", stdout=subprocess.PIPE,
                             check=True).stdout.decode().split("\n")
    if answers[-1] != "" or len(answers) - 1 != len(expected):
        sys.exit(f"seed {seed}: {len(expected)} lines, {len(answers) - 1} answers")
    for i, (line, want, got) in enumerate(zip(lines, expected, answers)):
        if want != got:
            table = max(j for j in range(i + 1) if lines[j] == b"!")
            sys.exit(f"seed {seed}: {lines[table:i + 1]}: expected {want}, got {got}")
    if not cases / 5 < found < cases * 4 / 5:
        sys.exit(f"{found} of {cases} names were found: the cases say little")
    print(f"seed {seed}: {cases} names, {found} found, {expected.count('no')} patterns not taken")


if __name__ == "__main__":
    main()
