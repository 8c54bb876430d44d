#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""style.layers: who may include whom.

Reads every #include line. A header is one of three: a file of this tree (named from its root, or
beside the file that includes it), a header of the system, or one of a library; anything else is a
violation, so that a new library needs a line here. What a file reaches through headers of the tree
counts as if it were included.
"""

import posixpath
import re
from fnmatch import fnmatch

from tree import Report, Tree, parse_arguments, without_comments

PUBLIC = "include/lockring/"

# Layers by the beginning of a path, the most special first, and the layers each may include.
LAYERS = [
    (PUBLIC, {PUBLIC}),
    ("core/base/", {PUBLIC, "core/base/"}),
    ("core/io/", {PUBLIC, "core/base/", "core/io/"}),
    ("core/tls/", {PUBLIC, "core/base/", "core/tls/"}),
    ("core/run/", {PUBLIC, "core/base/", "core/io/", "core/tls/", "core/run/"}),
    ("proto/", {PUBLIC, "core/base/", "proto/"}),
    ("bench/micro_", {PUBLIC, "core/", "bench/"}),  # measures one part of core
    ("bench/", {PUBLIC, "bench/"}),
    ("tools/", {PUBLIC, "proto/", "tools/"}),
    ("docs/examples/redis_sessions.c", {PUBLIC, "proto/"}),
    ("docs/examples/", {PUBLIC}),
    ("tests/live/", {PUBLIC, "proto/", "tests/live/"}),
    ("tests/install/", {PUBLIC, "tests/install/"}),
    ("tests/", {PUBLIC, "core/", "proto/", "tools/", "bench/", "tests/"}),
]

# Each library: its headers, and the files that may see them.
LIBRARIES = {
    "wolfSSL": (
        ["wolfssl/*"],
        [
            "core/tls/*",
            "tools/cmake/check_wolfssl.c",
            "tools/wolfssl/*",
            "tests/install/coexist/with_wolfssl.c",  # another wolfSSL than ours, in one program
            "tests/deps/*",
            "tests/unit/*",
            "tests/sim/*",
            "tests/fuzz/*",
            "tests/matrix/matrix_keys.c",  # the version that tickets are sealed to
        ],
    ),
    "liburing": (
        ["liburing.h", "liburing/*"],
        ["core/io/uring*.c", "tests/deps/*", "tests/unit/*"],
    ),
    "libipsec-mb": (["intel-ipsec-mb.h"], ["core/tls/record_ipsec.c"]),
    "nghttp2": (["nghttp2/*"], ["proto/*"]),
    "OpenSSL": (["openssl/*"], ["tests/*", "bench/*"]),
    "cmocka": (["cmocka.h"], ["tests/*"]),
}

# C++ has headers of its own, without an ending; public headers see these three only.
CXX_ENDINGS = (".cc", ".cpp", ".hpp")
PUBLIC_SYSTEM = {"stdbool.h", "stddef.h", "stdint.h"}
SYSTEM = set(
    "assert ctype dirent dlfcn elf endian errno fcntl fenv float fnmatch getopt glob grp ifaddrs "
    "inttypes libgen limits link locale malloc math mntent netdb poll pthread pty pwd regex sched "
    "search semaphore setjmp signal spawn stdarg stdatomic stdbool stddef stdint stdio stdlib "
    "string strings syslog termios threads time ucontext uchar unistd wchar wctype wordexp "
    "cpuid immintrin x86intrin execinfo".split()
)
SYSTEM_FOLDERS = ("arpa/", "asm/", "linux/", "net/", "netinet/", "sanitizer/", "sys/")


def layer_of(path):
    return next((layer for layer, _ in LAYERS if path.startswith(layer)), None)


def library_of(name):
    for library, (headers, _) in LIBRARIES.items():
        if any(fnmatch(name, pattern) for pattern in headers):
            return library
    return None


def is_system(path, name):
    if path.endswith(CXX_ENDINGS) and re.fullmatch(r"\w+", name):
        return True
    return name.startswith(SYSTEM_FOLDERS) or (name.endswith(".h") and name[:-2] in SYSTEM)


def includes(tree, path):
    """(line, name, quoted) of each #include; name is None if it is a macro."""
    code = without_comments(tree.text(path), keep_literals=True).split("\n")
    for number, line in enumerate(code, 1):
        if not re.match(r"\s*#\s*include", line):
            continue
        found = re.match(r'\s*#\s*include(?:_next)?\s*([<"])([^>"]+)[>"]', line)
        yield (number, found.group(2), found.group(1) == '"') if found else (number, None, False)


def resolve(tree, path, name, quoted):
    """The file of this tree that an #include names, or null."""
    known = set(tree.files)
    candidates = [posixpath.join("include", name)]
    if quoted:
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        candidates = [name, beside]
    for candidate in candidates:
        for real in (candidate, candidate + ".in"):  # version.h is made at configure time
            if real in known:
                return real
    return None


class Layers:
    def __init__(self, tree, report):
        self.tree, self.report = tree, report
        self.reached = {}

    def check(self, path):
        layer = layer_of(path)
        if not layer:
            self.report.violation(path, 1, "this folder is not in the table of layers")
            return
        for line, name, quoted in includes(self.tree, path):
            self.report.checked += 1
            if name is None:
                self.report.violation(path, line, "an #include by way of a macro")
                continue
            target = resolve(self.tree, path, name, quoted)
            if target:
                self.check_project(path, layer, line, target)
            else:
                self.check_foreign(path, layer, line, name, quoted)

    def check_project(self, path, layer, line, target):
        allowed = next(may for at, may in LAYERS if at == layer)
        if not target.startswith(tuple(allowed)):
            self.report.violation(path, line, f"{layer} may not include {target}")
        elif target.endswith(".c"):
            self.report.violation(path, line, f"includes the source file {target}")
        for name, way in self.libraries_behind(target).items():
            if not self.may_see(path, library_of(name)):
                self.report.violation(path, line, f"reaches <{name}> by way of {way}")

    def check_foreign(self, path, layer, line, name, quoted):
        library = library_of(name)
        if library:
            if not self.may_see(path, library):
                self.report.violation(path, line, f"may not see {library}: <{name}>")
        elif quoted:
            self.report.violation(path, line, f'no file of this tree: "{name}"')
        elif layer == PUBLIC:
            if name not in PUBLIC_SYSTEM:
                self.report.violation(path, line, f"<{name}> in a public header")
        elif not is_system(path, name):
            self.report.violation(
                path, line, f"<{name}> is neither in the tree nor known to tests/style/layers.py"
            )

    @staticmethod
    def may_see(path, library):
        return any(fnmatch(path, pattern) for pattern in LIBRARIES[library][1])

    def libraries_behind(self, path):
        """Headers of libraries that a header of the tree reaches, with the file that names them."""
        if path not in self.reached:
            self.reached[path] = found = {}
            for _, name, quoted in includes(self.tree, path):
                target = name and resolve(self.tree, path, name, quoted)
                if target:
                    found.update(self.libraries_behind(target))
                elif name and library_of(name):
                    found[name] = path
        return self.reached[path]


def main():
    tree = Tree(parse_arguments(__doc__).root)
    report = Report("style.layers")
    layers = Layers(tree, report)
    for path in [*tree.c_files(), *(f for f in tree.files if f.endswith(CXX_ENDINGS))]:
        layers.check(path)
    report.finish("#include lines")


main()
