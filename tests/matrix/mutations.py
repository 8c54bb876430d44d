#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""mutation.sessions: would the tests see it if one part of what binds a session were not there?

Each mutation takes one input from the policy's digest (core/tls/policy.c), or one check from those
that a session must pass (core/tls/session.c). --write DIR writes both files with all mutations in
them, each behind a switch that the environment's LOCKRING_MUTANT turns; nothing else is changed.
The matrix and the unit tests are linked with these files once more (tests/matrix/CMakeLists.txt),
and --run PROGRAM... demands that the programs pass without a mutation, and that with each of them
at least one fails. The matrix runs first: what it sees is behaviour on the wire, UNSAFE a hole,
RULE a session that is resumed against the rule. The unit tests see what another check covers there.

Some cannot be seen at all, and EQUAL says why. A source whose text is not that of the mutation, or
that has an input of the digest without a mutation, ends with a failure too.

A short list without LOCKRING_FULL.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

POLICY = "core/tls/policy.c"
SESSION = "core/tls/session.c"
EQUAL = "equal"

EVIDENCE = [r"^UNSAFE: .*$", r"^RULE: .*$", r"^\[  (?:FAILED |ERROR  ) \] [a-z].*$"]

SWITCH = """
#include <stdlib.h>

static bool mutant(const char *name)
{
    const char *chosen = getenv("LOCKRING_MUTANT");

    return chosen && strcmp(chosen, name) == 0;
}
"""


def left_out(statement):
    """The statement is not there."""
    return statement, "if (!mutant(NAME)) " + statement


def held(condition):
    """The condition always holds."""
    return condition, "(mutant(NAME) || (" + condition + "))"


def instead(old, new):
    return old, "if (mutant(NAME)) " + new + " else " + old


# Name, file, texts and what stands for them; EQUAL and why: nobody can tell. A name in capitals is
# in the short list.
MUTATIONS = [
    ("version_min", POLICY, [left_out("put_number(&t, (uint32_t)context->version_min);")]),
    ("version_max", POLICY, [left_out("put_number(&t, (uint32_t)context->version_max);")]),
    ("suites", POLICY, [left_out("put_number(&t, context->suite_count);"),
                        left_out("put_number(&t, context->suites[i]);")]),
    ("asked", POLICY, [left_out("put_number(&t, asked);")]),
    ("reject_unauthorized", POLICY, [left_out("put_number(&t, context->reject_unauthorized);")]),
    ("verify_depth", POLICY, [left_out("put_number(&t, context->verify_depth);")]),
    ("rsa_bits_min", POLICY, [left_out("put_number(&t, context->rsa_bits_min);")]),
    ("has lists", POLICY, [left_out("put_number(&t, context->trust.crl_count > 0);")]),
    ("TRUST", POLICY, [left_out("put_number(&t, context->trust.authority_count);"),
                       left_out("put(&t, context->trust.digest, sizeof(context->trust.digest));")]),
    ("LABEL", POLICY, [left_out("put_number(&t, (uint32_t)label_len);"),
                       left_out('put(&t, label ? label : "", label_len);')]),
    ("number of suites", POLICY, [left_out("put_number(&t, context->suite_count);")],
     EQUAL, "without it the suites still differ where the lists do: it only tells where they end"),
    ("number of authorities", POLICY,
     [left_out("put_number(&t, context->trust.authority_count);")],
     EQUAL, "the digest of all of them differs wherever their number does"),
    ("length of the label", POLICY, [left_out("put_number(&t, (uint32_t)label_len);")],
     EQUAL, "the label is the last thing: where it ends is known without its length"),
    ("policy", SESSION, [instead("memcpy(at, lr__context_policy(context), 32);",
                                 "memset(at, 0, 32);")]),
    ("kind", SESSION, [("id ? LR__SESSION_STORED : LR__SESSION_TICKET",
                        "mutant(NAME) ? 0 : id ? LR__SESSION_STORED : LR__SESSION_TICKET")]),
    ("id", SESSION, [instead("memcpy(at, id, LR__SESSION_ID);", "memset(at, 0, LR__SESSION_ID);")]),
    ("version", SESSION, [held("of->version == version")]),
    ("binding", SESSION,
     [held("memcmp(of->binding, sessions->binding, sizeof(of->binding)) == 0")]),
    ("name in the binding", SESSION,
     [left_out("memcpy(text + 2, name.bytes, name.len);"),
      ("text[0] = (uint8_t)name.len;", "text[0] = mutant(NAME) ? 0 : (uint8_t)name.len;")]),
    ("protocol in the binding", SESSION,
     [left_out("memcpy(text + 2 + name.len, alpn.bytes, alpn.len);"),
      ("text[1] = (uint8_t)alpn.len;", "text[1] = mutant(NAME) ? 0 : (uint8_t)alpn.len;")]),
    ("issued later than now", SESSION, [held("of->issued_s <= now + CLOCK_SKEW_S")]),
    ("lifetime", SESSION,
     [held("now - of->issued_s <= (int64_t)sessions->context->session_lifetime_s")]),
    ("seven days", SESSION, [held("now - of->born_s <= LR__SESSION_AGE_MAX")]),
    ("born of the first", SESSION, [left_out("out->born_s = from->born_s;")]),
    ("resumptions", SESSION, [held("of->resumptions < LR__RESUMPTIONS_MAX")]),
    ("resumptions counted", SESSION,
     [left_out("out->resumptions = (uint8_t)(from->resumptions + 1);")]),
    ("asked or not", SESSION,
     [("if ((session->peer == LR__PEER_NOT_ASKED) == context->request_cert)",
       "if (!mutant(NAME) && (session->peer == LR__PEER_NOT_ASKED) == context->request_cert)")]),
    ("nobody is refused", SESSION,
     [("case LR__PEER_NONE:\n        return !context->reject_unauthorized;",
       "case LR__PEER_NONE:\n        return mutant(NAME) || !context->reject_unauthorized;")]),
    ("UNTIL", SESSION, [held("session->until_s >= now")]),
    ("LISTS", SESSION,
     [held("memcmp(of->lists, context->trust.lists_digest, sizeof(of->lists)) == 0")]),
    ("unauthorized", SESSION,
     [("case LR__PEER_UNAUTHORIZED:\n        if (session->judged)\n            break;\n"
       "        return false;",
       "case LR__PEER_UNAUTHORIZED:\n        if (session->judged)\n            break;\n"
       "        return mutant(NAME);")]),
    ("judged now", SESSION,
     [("    return session->judged->code == LR__VERIFY_OK || !context->reject_unauthorized;",
       "    return mutant(NAME) || session->judged->code == LR__VERIFY_OK ||\n"
       "           !context->reject_unauthorized;")]),
    ("peer passed on", SESSION, [left_out("out->peer = (uint8_t)from->peer;")]),
    ("until passed on", SESSION, [left_out("out->until_s = from->until_s;")]),
    ("leaf passed on", SESSION, [left_out("memcpy(out->leaf, from->leaf, sizeof(out->leaf));")]),
    ("as what it is today", SESSION,
     [left_out("session->peer = holds ? LR__PEER_AUTHORIZED : LR__PEER_UNAUTHORIZED;")]),
    ("until when it holds today", SESSION,
     [left_out("session->until_s = session->judged->until;")]),
]


def mutated(root, file):
    """The text with every mutation of that file, each guarded by its name."""
    text = (root / file).read_text(encoding="utf-8")
    edits = {}
    for name, where, changes, *_ in MUTATIONS:
        if where != file:
            continue
        for old, new in changes:
            if text.count(old) != 1:
                raise SystemExit(f"{file}: {text.count(old)} times instead of once: {old}")
            edits.setdefault(old, []).append((name, new))
    for old, all_new in edits.items():
        result = old
        for name, new in all_new:  # several may leave out the same statement
            result = new.replace(old, result, 1).replace("NAME", f'"{name}"')
        text = text.replace(old, result)
    last_include = [m.end() for m in re.finditer(r"^#include .*$", text, re.M)][-1]
    return text[:last_include] + "\n" + SWITCH + text[last_include:]


def unguarded_inputs(root):
    """Inputs of the digest that no mutation takes away; the first line is no input."""
    text = (root / POLICY).read_text(encoding="utf-8")
    body = text[text.index("lr__policy_digest(") :]
    known = {old for _, where, changes, *_ in MUTATIONS if where == POLICY for old, _ in changes}
    puts = re.findall(r"put(?:_number)?\(&t, .*\);", body)
    return [put for put in puts if put not in known and "first_line" not in put]


def run(program, mutant):
    environment = dict(os.environ, LOCKRING_MATRIX_FIRST="1", LOCKRING_FULL="")
    environment.pop("LOCKRING_MUTANT", None)
    if mutant:
        environment["LOCKRING_MUTANT"] = mutant
    done = subprocess.run(
        [program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def evidence(output):
    """The first line that says what failed."""
    for pattern in EVIDENCE:
        found = re.search(pattern, output, re.M)
        if found:
            return found.group(0)
    return None


def judge(programs, name):
    """What failed and where; null: nothing did. A crash or a skipped test is no evidence."""
    for program in programs:
        status, output = run(program, name)
        said = evidence(output)
        if status == 77:
            print(f"{Path(program).name}: skipped")
            sys.exit(77)
        if status > 0 and said:
            return f"{Path(program).name}: {said}"
        if status != 0:
            print(output[-4000:])
            raise SystemExit(f"{name}: {program} ended with {status} without a failed test")
    return None


def check(root, programs):
    bad = [f"no mutation for: {put}" for put in unguarded_inputs(root)]
    full = os.environ.get("LOCKRING_FULL", "") != ""
    said = judge(programs, None)
    if said:
        bad.append(f"without a mutation: {said}")
    for name, _, _, *equal in MUTATIONS:
        if not full and not name.isupper():
            continue
        said = judge(programs, name)
        print(f"{name}: {said or 'nothing failed'}", flush=True)
        if equal:
            print(f"    {equal[0]}: {equal[1]}")
        if bool(said) == bool(equal):
            bad.append(f"{name}: {'it can be seen after all' if said else 'nothing failed'}")
    for line in bad:
        print(f"FAILED: {line}")
    return 1 if bad else 0


def main():
    here = Path(__file__).resolve().parent.parent.parent
    parser = argparse.ArgumentParser(description="mutations of what binds sessions")
    parser.add_argument("--write", type=Path, help="writes the mutated files to this folder")
    parser.add_argument("--run", nargs="+", default=[], help="the programs, the matrix first")
    arguments = parser.parse_args()
    if arguments.write:
        for file in (POLICY, SESSION):
            out = arguments.write / Path(file).name
            out.write_text(mutated(here, file), encoding="utf-8")
        return 0
    return check(here, arguments.run)


if __name__ == "__main__":
    sys.exit(main())
