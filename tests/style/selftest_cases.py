# SPDX-License-Identifier: MIT
"""The clean tree of style.selftest, and what breaks each rule in it."""

from dataclasses import dataclass, field

C = "/* SPDX-License-Identifier: MIT */\n"
SH = "#!/bin/sh\n# SPDX-License-Identifier: MIT\n"
EXAMPLE = C + "#include <lockring/lockring.h>\n\nint main(void)\n{\n    return 0;\n}\n"

BASE_H = C + """\
#ifndef LOCKRING_BASE_H
#define LOCKRING_BASE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LR_API
#define LR_WORKER
#define LR_ANY

/* A hook is no prototype: void lr_not_one(void); */
typedef struct lr_conn lr_conn;
typedef struct lr_handlers {
    void (*on_open)(lr_conn *c);
} lr_handlers;

static inline int lr_one(void)
{
    return 1;
}

LR_API LR_ANY const char *lr_version(void);
LR_API LR_WORKER int lr_conn_size(const lr_conn *c);
LR_API LR_WORKER void lr_conn_end(lr_conn *c);

#ifdef __cplusplus
}
#endif

#endif
"""

CONN_C = C + """\
#include "core/base/check.h"
#include "core/io/ring.h"
#include "core/tls/wolf.h"

#include <lockring/base.h>

struct lr_conn {
    int size;
};

static void end(lr_conn *c)
{
    lr__dcheck_on_worker(c);
    c->size = 0;
}

int lr_conn_size(const lr_conn *c)
{
    LR_CHECK(c != 0);
    return c->size;
}

void lr_conn_end(lr_conn *c)
{
    end(c);
}
"""

NODE_MD = "| number | Node | state | lockring |\n|---|---|---|---|\n" + "".join(
    f"| S{n} | `a()` | yes | `lr_conn_size()` |\n" for n in range(1, 134)
)
CLEAN = {
    "CMakeLists.txt": "# SPDX-License-Identifier: MIT\nproject(lockring VERSION 0.2.0)\n"
    "# -D" "SHOW_SECRETS is forbidden.\nadd_executable(echo docs/examples/echo.c)\n",
    "CHANGELOG.md": "# Changelog\n\n## [0.2.0] - unreleased\n\n### Known limits\n\n- One.\n\n"
    "## [0.1.9] - 2026-01-31\n",
    "README.md": f"# lockring\n\n```c docs/examples/echo.c\n{EXAMPLE}```\n\nAnd more.\n",
    "build/left/over.c": "TO" "DO, of a build, not of the tree\n",
    "out/CMakeCache.txt": "another build folder\n",
    "out/made.c": "strcpy(a, b);\n",
    "include/lockring/base.h": BASE_H,
    "include/lockring/lockring.h": C + "#ifndef LOCKRING_LOCKRING_H\n#define LOCKRING_LOCKRING_H\n"
    "\n#include <lockring/base.h>\n\n#endif\n",
    "include/lockring/version.h.in": C + '#define LR_VERSION "@PROJECT_VERSION@"\n',
    "core/base/check.h": C + "void lr__check(int x);\n#define LR_CHECK(x) lr__check(x)\n",
    "core/base/mem.c": C + "#include <stdlib.h>\n\nvoid *lr__alloc(void)\n{\n"
    "    return malloc(1);\n}\n",
    "core/io/ring.h": C + '#include "core/base/check.h"\n\n#include <sys/socket.h>\n',
    "core/io/uring.c": C + '#include "core/io/ring.h"\n\n#include <liburing.h>\n',
    "core/tls/wolf.h": C + "#include <stdint.h>\n",
    "core/tls/engine.c": C + '#include "core/tls/wolf.h"\n\n#include <wolfssl/ssl.h>\n',
    "core/tls/record_ipsec.c": C + "#include <intel-ipsec-mb.h>\n",
    "core/run/conn.c": CONN_C,
    "core/run/version.c": C + "#include <lockring/base.h>\n#include <lockring/version.h>\n",
    "proto/echo.h": C + "#include <lockring/base.h>\n\n"
    "LR_ANY const lr_handlers *lr_echo_handlers(void);\n",
    "docs/examples/echo.c": EXAMPLE,
    "tests/live/live_echo.c": C + "#include <lockring/lockring.h>\n\n#include <cmocka.h>\n"
    "#include <openssl/ssl.h>\n#include <stdio.h>\n",
    "tests/unit/test_conn.c": C + '#include "core/run/conn.c.h"\n',
    "core/run/conn.c.h": C,
    "tests/fuzz/corpus/hello/raw.c": "\x01 TO" "DO strcpy(",
    "tools/serve": SH + 'echo "$1"\n',
    "docs/threads.md": "`size` and `a_b.head` (core/base/shared.h), `seen` there too\n",
    "core/base/shared.h": C + "struct shared {\n    _Atomic int size;\n"
    "    _Atomic(void *) head;\n    atomic_bool seen;\n};\n"
    "int lr__load(_Atomic int *number);\n",
    "docs/node.md": NODE_MD + "`lr_handlers.on_open`, `on_open`, `LR_ANY`, `lockring/base.h`\n",
    "LICENSE": "MIT\n",
}


@dataclass
class Case:
    rule: str
    title: str
    expected: str | None  # the beginning of a line of output; None: the check passes
    changes: dict = field(default_factory=dict)
    arguments: tuple = ()


def with_line(path, line):
    """One more line at the end of a file of the clean tree."""
    return {path: CLEAN[path] + line + "\n"}


def prototype(text):
    """The public header with one more prototype, and where it lies."""
    marker = "LR_API LR_ANY const"
    return {"include/lockring/base.h": BASE_H.replace(marker, text + "\n" + marker)}


def layers():
    def breaks(title, path, include):
        line = CLEAN.get(path, "").count("\n") + 1
        text = CLEAN.get(path, "") + f"#include {include}\n"
        return Case("layers", title, f"{path}:{line}: ", {path: text})

    yield Case("layers", "a clean tree", None)
    yield breaks("base sees io", "core/base/mem.c", '"core/io/ring.h"')
    yield breaks("io sees tls", "core/io/uring.c", '"core/tls/wolf.h"')
    yield breaks("tls sees io", "core/tls/engine.c", '"core/io/ring.h"')
    yield breaks("tls sees run", "core/tls/engine.c", '"core/run/conn.c.h"')
    yield breaks("run sees wolfSSL", "core/run/conn.c", "<wolfssl/ssl.h>")
    yield breaks("io beside uring sees liburing", "core/io/epoll.c", "<liburing.h>")
    yield breaks("a header beside uring sees liburing", "core/io/ring.h", "<liburing.h>")
    yield breaks("tls sees libipsec-mb", "core/tls/engine.c", "<intel-ipsec-mb.h>")
    yield breaks("proto sees a private header", "proto/echo.h", '"core/run/conn.c.h"')
    yield breaks("tools see core", "tools/tune.c", '"core/base/check.h"')
    yield breaks("bench sees core", "bench/close.c", '"core/base/check.h"')
    yield breaks("live sees core", "tests/live/live_echo.c", '"core/base/check.h"')
    yield breaks("live sees wolfSSL", "tests/live/live_echo.c", "<wolfssl/ssl.h>")
    yield breaks("install sees core", "tests/install/use.c", '"core/base/check.h"')
    yield breaks("C++ sees core", "tests/install/use.cpp", '"core/base/check.h"')
    yield breaks("an example sees proto", "docs/examples/echo.c", '"proto/echo.h"')
    yield breaks("a public header sees the system", "include/lockring/base.h", "<sys/socket.h>")
    yield breaks("a public one sees a private one", "include/lockring/base.h", '"core/io/ring.h"')
    yield breaks("an unknown library", "core/base/mem.c", "<zlib.h>")
    yield breaks("a file that is not there", "core/base/mem.c", '"core/base/gone.h"')
    yield breaks("a source file", "tests/unit/test_conn.c", '"core/run/conn.c"')
    yield breaks("a macro", "core/base/mem.c", "SOMETHING")
    yield breaks("spaces do not hide it", "core/base/mem.c", '\t"core/io/ring.h" /* why */')
    yield Case("layers", "an unknown folder", "extra/a.c:1: ", {"extra/a.c": C})
    yield Case(
        "layers",
        "wolfSSL by way of a private header",
        "core/run/conn.c:4: reaches <wolfssl/ssl.h>",
        {"core/tls/wolf.h": C + "#include <wolfssl/ssl.h>\n"},
    )
    yield Case(
        "layers",
        "an include in a comment is none",
        None,
        with_line("core/base/mem.c", '/*\n#include "core/io/ring.h"\n*/'),
    )


def tags():
    at = "include/lockring/base.h:26: "
    body = CONN_C.replace("lr__dcheck_on_worker(c);", "(void)c;")
    getter = "    LR_CHECK(c != 0);\n"
    yield Case("tags", "a clean tree", None)
    yield Case("tags", "no tag", at, prototype("LR_API int lr_x(void);"))
    yield Case("tags", "two tags", at, prototype("LR_API LR_ANY LR_WORKER int lr_x(void);"))
    yield Case("tags", "two tags apart", at, prototype("LR_API LR_ANY int LR_WORKER lr_x(void);"))
    yield Case("tags", "the tag behind", at, prototype("LR_API int LR_ANY lr_x(void);"))
    yield Case("tags", "no LR_API", at, prototype("LR_ANY int lr_x(void);"))
    yield Case("tags", "over two lines", at, prototype("LR_API int\nlr_x(int a,\n     int b);"))
    yield Case("tags", "a private name", at, prototype("LR_API LR_ANY int lr__x(void);"))
    yield Case("tags", "a strange name", at, prototype("LR_API LR_ANY int ring_x(void);"))
    yield Case(
        "tags",
        "a worker function defined nowhere",
        at,
        prototype("LR_API LR_WORKER int lr_gone(void);"),
    )
    yield Case(
        "tags", "does not find out its thread", "core/run/conn.c:24: ", {"core/run/conn.c": body}
    )
    yield Case(
        "tags",
        "a getter that changes something",
        "core/run/conn.c:18: ",
        {"core/run/conn.c": CONN_C.replace(getter, "    ((lr_conn *)c)->size++;\n")},
    )
    yield Case(
        "tags",
        "a getter that hands the object on",
        "core/run/conn.c:18: ",
        {"core/run/conn.c": CONN_C.replace("return c->size;", "return size_of(c);")},
    )
    yield Case(
        "tags",
        "a getter that hands a value on",
        None,
        {"core/run/conn.c": CONN_C.replace("return c->size;", "return name_of(c->size);")},
    )
    yield Case(
        "tags",
        "a protocol without a tag",
        "proto/echo.h:",
        with_line("proto/echo.h", "int lr_echo_count(void);"),
    )


def headers():
    base = "include/lockring/base.h"
    yield Case("headers", "a clean tree", None)
    yield Case(
        "headers",
        "needs another header",
        f"{base}:",
        {base: BASE_H.replace("#include <stdint.h>\n", "")
         .replace("#define LR_API\n", "#define LR_API\nextern uint8_t lr_byte;\n")},
    )
    yield Case(
        "headers",
        "is no C++",
        f"{base}:",
        prototype("LR_API LR_ANY int lr_x(int class);"),
    )
    yield Case(
        "headers",
        "is no C11",
        f"{base}:",
        {base: BASE_H.replace("return 1;", "return 0b1;")},
    )
    yield Case(
        "headers",
        "has no include guard",
        f"{base}:",
        {base: C + "typedef struct lr_conn {\n    int size;\n} lr_conn;\n"},
    )
    yield Case(
        "headers",
        "is not in lockring.h",
        "include/lockring/lockring.h:1: ",
        {"include/lockring/more.h": C + "typedef int lr_more;\n"},
    )


def format_cases():
    yield Case("format", "a clean tree", None)
    yield Case(
        "format",
        "a brace at the end of the line",
        "core/base/mem.c:3: ",
        {"core/base/mem.c": C + "\nint lr__one(void) {\n    return 1;\n}\n"},
    )
    yield Case(
        "format",
        "a tab in a header",
        "core/io/ring.h:",
        with_line("core/io/ring.h", "\nstruct lr__x {\n\tint a;\n};"),
    )


def budgets():
    def function(lines):
        return C + "\nint lr__long(\n    void)\n{\n" + "    lr__x();\n" * (lines - 4) + "}\n"

    path = "core/base/long.c"
    noise = "\n#if 1\nstatic int a[] = {1};\n#else\n{{{\n#endif\nstatic const char b[] = \"{\";\n"
    yield Case("budgets", "a clean tree", None)
    yield Case("budgets", "70 lines", None, {path: function(70)})
    yield Case("budgets", "71 lines", f"{path}:3: lr__long: 71", {path: function(71)})
    yield Case(
        "budgets",
        "braces in literals, comments and other branches do not count",
        f"{path}:10: lr__long: 71",
        {path: C + noise + "/* { */\n" + function(71).split("\n", 2)[2]},
    )
    yield Case(
        "budgets",
        "an attribute before the body",
        f"{path}:3: lr__long: 71",
        {path: function(71).replace("int lr__long", "LR_PRINTF(1, 2) int lr__long", 1)
         .replace("LR_PRINTF(1, 2) ", "__attribute__((cold)) ")},
    )
    yield Case("budgets", "801 lines", f"{path}:801: ", {path: C + "\n" * 800})
    yield Case("budgets", "800 lines", None, {path: C + "\n" * 799})
    yield Case("budgets", "100 columns", None, {path: C + "/*" + "-" * 96 + "*/\n"})
    yield Case("budgets", "101 columns", f"{path}:2: ", {path: C + "/*" + "-" * 97 + "*/\n"})
    yield Case(
        "budgets",
        "a script without an ending",
        "tools/serve:3: ",
        {"tools/serve": SH + "echo " + "x" * 96 + "\n"},
    )


def words():
    mem = "core/base/mem.c"
    yield Case("words", "a clean tree", None)
    for word in ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"):
        yield Case("words", f"the note {word}", f"{mem}:8: ", with_line(mem, f"/* {word}: it */"))
    yield Case("words", "a note in a page", "README.md:", with_line("README.md", "TO" "DO"))
    yield Case("words", "part of a name is no note", None, with_line(mem, "/* /tmp/a.XX" "XXXX */"))
    for folder in ("work", "root", "home"):
        path = f"/{folder}" + "/somebody/main"
        yield Case("words", f"a path below {folder}", f"{mem}:8: ", with_line(mem, f"/* {path} */"))
    yield Case(
        "words", "a part of an address is no path", None,
        with_line("README.md", "https://example.org/work" "/a and $HOME/root" "/b"),
    )
    for path in ("core/base/a.c", "core/base/a.h", "cmake/a.cmake", "a/CMakeLists.txt", "a/b.py"):
        yield Case("words", f"no SPDX in {path}", f"{path}:1: ", {path: "\n"})
    yield Case("words", "another licence", f"{mem}:1: ", {mem: CLEAN[mem].replace("MIT", "BSD")})
    yield Case("words", "a script", "tools/go:2: ", {"tools/go": "#!/bin/sh\necho\n"})


def examples():
    page = CLEAN["README.md"]
    yield Case("examples", "a clean tree", None)
    yield Case(
        "examples",
        "an example that nobody compiles",
        "docs/examples/more.c:1: ",
        {"docs/examples/more.c": EXAMPLE},
    )
    yield Case(
        "examples",
        "an example compiled in a comment",
        "docs/examples/echo.c:1: ",
        {"CMakeLists.txt": CLEAN["CMakeLists.txt"].replace("add_exec", "# add_exec")},
    )
    yield Case(
        "examples",
        "a block that is older than its file",
        "README.md:3: ",
        {"docs/examples/echo.c": EXAMPLE.replace("0", "1")},
    )
    yield Case(
        "examples",
        "a block that differs in a blank",
        "README.md:3: ",
        {"README.md": page.replace("return 0", "return  0")},
    )
    yield Case(
        "examples",
        "a block without its file's name",
        "README.md:1: ",
        {"README.md": page.replace("```c docs/examples/echo.c", "```c")},
    )
    yield Case(
        "examples",
        "a block of a file that is not there",
        "docs/more.md:1: ",
        {"docs/more.md": "```c docs/examples/gone.c\n```\n"},
    )
    yield Case("examples", "no README", "README.md:1: ", {"README.md": None})
    main = "int main(void)\n{\n    return 0;\n}\n"
    block = "```c docs/examples/echo.c:main\n"
    yield Case("examples", "a function", None, {"docs/more.md": f"{block}{main}```\n"})
    yield Case(
        "examples",
        "a function that differs",
        "docs/more.md:1: ",
        {"docs/more.md": f"{block}{main.replace('0', '1')}```\n"},
    )
    yield Case(
        "examples",
        "a function that is not there",
        "docs/more.md:1: ",
        {"docs/more.md": "```c docs/examples/echo.c:main,gone\n```\n"},
    )
    yield Case(
        "examples",
        "code in the page for authors that nothing compiles",
        "docs/handlers.md:1: ",
        {"docs/handlers.md": "```c\nint x;\n```\n"},
    )


def changelog():
    changes, cmake = CLEAN["CHANGELOG.md"], CLEAN["CMakeLists.txt"]
    at = "CHANGELOG.md"
    yield Case("changelog", "a clean tree", None)
    yield Case(
        "changelog",
        "the version moved on",
        "CMakeLists.txt:2: ",
        {"CMakeLists.txt": cmake.replace("0.2.0", "0.2.1")},
    )
    yield Case(
        "changelog",
        "the entries moved on",
        "CMakeLists.txt:2: ",
        {at: changes.replace("0.2.0", "0.10.0")},
    )
    yield Case(
        "changelog", "what is not released yet", None,
        {at: changes.replace("## [0.2.0]", "## [Unreleased]\n\n## [0.2.0]")},
    )
    yield Case("changelog", "no date", f"{at}:3: ", {at: changes.replace(" - unreleased", "")})
    yield Case("changelog", "out of order", f"{at}:9: ", {at: changes.replace("0.1.9", "0.3.0")})
    yield Case("changelog", "no limits", f"{at}:3: ", {at: changes.replace("### Known", "### ")})
    yield Case("changelog", "no entry", "style.changelog: nothing", {at: "# Changelog\n"})
    yield Case("changelog", "no file", f"{at}:1: ", {at: None})
    yield Case(
        "changelog", "no version", "CMakeLists.txt:1: ",
        {"CMakeLists.txt": cmake.replace("VERSION 0.2.0", "")},
    )


def forbidden():
    mem, unit = "core/base/mem.c", "tests/unit/test_conn.c"
    yield Case("forbidden", "a clean tree", None)
    for name in ("SHOW_SECRETS", "WOLFSSL_SSLKEYLOGFILE"):
        yield Case("forbidden", f"{name} in C", f"{mem}:8: ", with_line(mem, f"#define {name}"))
        yield Case(
            "forbidden", f"{name} in CMake", "CMakeLists.txt:5: ",
            with_line("CMakeLists.txt", f"target_compile_definitions(a PRIVATE {name})"),
        )
        yield Case(
            "forbidden", f"{name} in a script", "tools/serve:4: ",
            with_line("tools/serve", f"cc -D{name} a.c"),
        )
        yield Case("forbidden", f"{name} tested", None, with_line(mem, f"#if defined({name})"))
    for name in "strcpy strcat sprintf vsprintf gets alloca strtok".split():
        yield Case("forbidden", name, f"{unit}:3: ", with_line(unit, f"{name} (a, b);"))
    yield Case("forbidden", "safe relatives", None, with_line(unit, "snprintf(a); memcpy(b);"))
    yield Case("forbidden", "in a literal", None, with_line(unit, 'f("strcpy(a, b)");'))
    for name in ("malloc", "free", "strdup", "printf", "exit"):
        at = "core/io/uring.c"
        yield Case("forbidden", f"{name} in core", f"{at}:5: ", with_line(at, f"{name}(a);"))
    yield Case("forbidden", "a member", None, with_line("core/io/uring.c", "pool->free(a);"))
    yield Case("forbidden", "the heap outside core", None, with_line(unit, "free(a);"))


def node():
    page = "docs/node.md"
    yield Case("node", "a clean tree", None)
    for name in ("lr_conn_length()", "lr_not_one()", "LR_NOTHING", "on_never", "lr_pair"):
        word = name.rstrip("()")
        yield Case(
            "node", name, f"{page}:137: there is no {word}", with_line(page, f"`{name}`")
        )
    yield Case(
        "node", "a field of another struct", f"{page}:137: lr_handlers has no",
        with_line(page, "`lr_handlers.size`"),
    )
    yield Case(
        "node", "no such file", f"{page}:137: there is no docs/a.c", with_line(page, "`docs/a.c`")
    )
    yield Case(
        "node", "a row twice", f"{page}:137: S7 has a row in line 9",
        with_line(page, "| S7 | a | yes | b |"),
    )
    yield Case(
        "node", "a row too many", f"{page}:137: there is no S134",
        with_line(page, "| S134 | a | yes | b |"),
    )
    for row in ("| S5 | `a()` | soon | b |", "| S5 | `a()` | yes |", "| S5 | a | yes | b | c |"):
        yield Case(
            "node", row, f"{page}:7: ",
            {page: NODE_MD.replace("| S5 | `a()` | yes | `lr_conn_size()` |", row)},
        )
    yield Case(
        "node", "a row too few", f"{page}:1: S5 has no row",
        {page: NODE_MD.replace("| S5 |", "| T5 |")},
    )
    yield Case("node", "no page", f"{page}:1: ", {page: None})


def rows():
    """A tree with a test for each row: in C for all but S1 and S8, in Python for those two."""
    page, live, python = "docs/node.md", "tests/live/live_rows.c", "tests/interop/rows.py"
    names = [f"S{n}" for n in range(9, 134)] + [
        f"B{n}" for n in (1, 3, 4, 6, 7, 8, 12, 13, 18, 19)
    ]
    tests = "LIVE_TEST(live_S2_S3_S4_S5_S6_S7_a)\n" + "".join(
        f"LIVE_TEST(live_{name}_a)\n" for name in names
    )
    clean = {live: C + tests, python: "def s1_a():\n    pass\n\n\ndef s8_a():\n    pass\n"}

    def without(name, path=live):
        return {**clean, path: clean[path].replace(f"{name}_", "other_")}

    def state(row, word):
        old = f"| {row} | `a()` | yes |"
        return {**clean, page: CLEAN[page].replace(old, f"| {row} | `a()` | {word} |")}

    yield Case("rows", "a clean tree", None, clean)
    for name in ("S9", "S45", "S133"):
        line = int(name[1:]) + 2
        yield Case(
            "rows", f"no {name}", f"{page}:{line}: no test is named live_{name}_", without(name)
        )
    yield Case("rows", "one of several", f"{page}:5: no test is named live_S3_", without("S3"))
    yield Case("rows", "no S8", f"{page}:10: no test is", without("s8", python))
    yield Case("rows", "no B13", "tests/style/rows.py:1: no test is", without("B13"))
    for word in ("part", "instead"):
        changes = {**state("S45", word), live: without("S45")[live]}
        yield Case("rows", f"no S45, {word}", f"{page}:47: no test is", changes)
    both = {**state("S45", "not yet"), live: without("S45")[live]}
    yield Case("rows", "not yet, and no test", None, both)
    yield Case(
        "rows", "not yet, and a test", f"{live}:39: {page} says that S45 is not there",
        state("S45", "not yet"),
    )
    for name in ("S134", "B21", "B2"):
        more = {**clean, live: clean[live] + f"LIVE_TEST(live_{name}_a)\n"}
        yield Case("rows", f"a test of {name}", f"{live}:138: there is no {name},", more)
    yield Case("rows", "a name in no list of tests", f"{page}:47: no test is", {
        **clean, live: clean[live].replace("LIVE_TEST(live_S45_a)", "/* LIVE_TEST(live_S45_a) */")
    })
    yield Case("rows", "another row's test", None, without("S98"))
    yield Case("rows", "no page", f"{page}:1: ", {page: None})


def shell():
    path, cmd = "tools/serve", ("--without-shellcheck",)
    broken = {path: SH + "if true; then\necho\n"}
    yield Case("shell", "a clean tree", None)
    yield Case("shell", "a clean tree, read only", None, {}, cmd)
    yield Case("shell", "a word unquoted", f"{path}:3: ", {path: SH + "rm $1\n"})
    yield Case("shell", "no end", f"{path}:", broken)
    yield Case("shell", "no end, read only", f"{path}:", broken, cmd)
    yield Case(
        "shell", "no end, bash, read only", f"{path}:",
        {path: broken[path].replace("/bin/sh", "/usr/bin/env bash")}, cmd,
    )
    yield Case("shell", "no script", "style.shell: nothing", {path: None})


def threads():
    at, page = "core/base/shared.h", "docs/threads.md"
    yield Case("threads", "a clean tree", None)
    for declared in ("_Atomic int more;", "_Atomic(void *) more;", "atomic_bool more;",
                     "static _Atomic long long more = 1;", "_Atomic int more[3];",
                     "static atomic_flag more = ATOMIC_FLAG_INIT;"):
        line = f"{at}:8: {page} does not name more"
        yield Case("threads", declared, line, with_line(at, declared))
    yield Case(
        "threads", "named in prose only", f"{at}:3: ",
        {page: CLEAN[page].replace("`size`", "size")},
    )
    yield Case(
        "threads", "another file", f"core/io/ring.h:5: {page} does not name core/io/ring.h",
        with_line("core/io/ring.h", "extern _Atomic int size;"),
    )
    yield Case("threads", "no page", f"{page}:1: ", {page: None})


GROUPS = [
    budgets, changelog, examples, forbidden, format_cases, headers, layers, node, rows, shell, tags,
    threads, words,
]
CASES = [case for group in GROUPS for case in group()]
