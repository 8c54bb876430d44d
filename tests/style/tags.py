#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.tags: every public prototype says on which thread it may be called, and core checks it.

In include/lockring each prototype begins with LR_API and exactly one of LR_SETUP, LR_WORKER and
LR_ANY, and its name with lr_. A prototype in a header of proto/ that is called lr_NAME carries one
tag too; it is not exported, so it has no LR_API.

A function tagged LR_WORKER must find out that it is on its worker: it, or something in core that
it calls, calls lr__dcheck_on_worker(). Exempt is a simple getter: nothing but checks, `if` and
`return`, no assignment, and no call that is handed the object (except of simple getters).
"""

import re

from tree import Report, Tree, functions, parse_arguments, without_comments, without_directives

TAGS = ("LR_SETUP", "LR_WORKER", "LR_ANY")
CHECKS = {"LR_CHECK", "LR_DCHECK", "LR_BUG_IF"}
WORDS = {"if", "return", "sizeof", "for", "while", "switch", "do"}


def prototypes(tree, path):
    """(line, text, name) of each declaration of a function at the top level of a header."""
    code = without_comments(tree.text(path))
    code = re.sub(r"#ifdef __cplusplus.*?#endif", lambda m: re.sub(r"[^\n]", " ", m[0]), code,
                  flags=re.DOTALL)
    code = without_directives(code)
    depth = begin = 0
    for at, char in enumerate(code):
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            # A body of an inline function ends a statement, that of a type does not.
            if depth == 0 and "(" in code[begin:at].split("{")[0]:
                begin = at + 1
        elif char == ";" and depth == 0:
            text = code[begin:at]
            line = code.count("\n", 0, begin + len(text) - len(text.lstrip())) + 1
            begin = at + 1
            text = " ".join(text.split())
            name = re.search(r"(\w+) ?\((?!\*)", text)
            if name and "{" not in text and not text.startswith(("typedef ", "static_assert")):
                yield line, text, name.group(1)


def check_header(report, tree, path):
    """Judges the prototypes of a public header; yields the names of those tagged LR_WORKER."""
    for line, text, name in prototypes(tree, path):
        report.checked += 1
        words = text.split("(")[0].split()
        tags = [word for word in words if word in TAGS]
        if not name.startswith("lr_") or name.startswith("lr__"):
            report.violation(path, line, f"{name}: a public name begins with lr_ and a letter")
        if words[0] != "LR_API" or len(words) < 2 or words[1] not in TAGS:
            report.violation(path, line, f"{name}: begin with LR_API and one thread tag")
        elif len(tags) != 1:
            report.violation(path, line, f"{name}: more than one thread tag: {' '.join(tags)}")
        elif tags == ["LR_WORKER"]:
            yield line, name


def check_proto_header(report, tree, path):
    for line, text, name in prototypes(tree, path):
        tags = [word for word in text.split("(")[0].split() if word in TAGS]
        if name.startswith("lr_") and not name.startswith("lr__"):
            report.checked += 1
            if len(tags) != 1:
                report.violation(path, line, f"{name}: exactly one thread tag, not {len(tags)}")


def calls(body):
    """(name, arguments) of each call in a body, the inner ones too."""
    for found in re.finditer(r"\b(\w+)\s*\(", body):
        depth, at = 1, found.end()
        while at < len(body) and depth > 0:
            depth += {"(": 1, ")": -1}.get(body[at], 0)
            at += 1
        if found.group(1) not in WORDS:
            yield found.group(1), body[found.end() : at - 1]


class Core:
    """What the functions of core call, by name."""

    def __init__(self, tree):
        self.functions = {}
        for path in tree.c_files():
            if path.startswith("core/"):
                for function in functions(path, tree.text(path)):
                    self.functions.setdefault(function.name, function)

    def checks_worker(self, name, seen=()):
        function = self.functions.get(name)
        if not function or name in seen:
            return False
        called = {callee for callee, _ in calls(function.body)}
        return "lr__dcheck_on_worker" in called or any(
            self.checks_worker(callee, (*seen, name)) for callee in called
        )

    def is_getter(self, name, seen=()):
        function = self.functions.get(name)
        if not function or name in seen:
            return False
        body = re.sub(r"[=!<>]=", " ", function.body)
        if re.search(r"=|\+\+|--|\b(for|while|do|switch|goto)\b", body):
            return False
        statements = [text.strip() for text in re.split(r"[;{}]", function.body) if text.strip()]
        first_words = {re.match(r"\W*(\w*)", text).group(1) for text in statements}
        if not first_words <= CHECKS | {"if", "return"}:
            return False
        for callee, arguments in calls(function.body):
            handed = any(
                re.search(rf"(?<![\w.>]){own}\b(?!\s*(->|\.|\[))|&\s*{own}\b", arguments)
                for own in function.parameters
            )
            if callee not in CHECKS and handed and not self.is_getter(callee, (*seen, name)):
                return False
        return True


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.tags")
    core = Core(tree)
    for path in tree.files:
        if re.match(r"proto/.*\.h$", path):
            check_proto_header(report, tree, path)
        if not re.match(r"include/lockring/.*\.h$", path):
            continue
        for line, name in check_header(report, tree, path):
            function = core.functions.get(name)
            if not function:
                report.violation(path, line, f"{name}: defined nowhere in core")
            elif not core.checks_worker(name) and not core.is_getter(name):
                report.violation(
                    function.path,
                    function.first,
                    f"{name} is LR_WORKER but never reaches lr__dcheck_on_worker()",
                )
    report.finish("public prototypes")


main()
