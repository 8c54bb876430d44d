#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_hardening.sh PROGRAM: a program of this build is position independent, has no writable code
# and no executable stack, binds at once into read-only tables, and holds no path of the build.
set -euo pipefail

program=$1
source_dir=${LOCKRING_SOURCE_DIR:?}

fail() {
    echo "FAILED: $program $*"
    exit 1
}

headers=$(readelf -hlW "$program")
dynamic=$(readelf -dW "$program")
symbols=$(nm "$program")
texts=$(strings -n 6 "$program")
grep -q 'Type:.*DYN' <<<"$headers" || fail "is not position independent"
grep -q 'GNU_RELRO' <<<"$headers" || fail "has no GNU_RELRO"
grep -q 'GNU_STACK.* RW ' <<<"$headers" || fail "has an executable stack"
if grep -q 'LOAD.* RWE ' <<<"$headers"; then fail "has memory that is writable and executable"; fi
grep -q 'BIND_NOW' <<<"$dynamic" || fail "binds lazily"
if grep -qE 'RPATH|RUNPATH' <<<"$dynamic"; then fail "has a run path"; fi
grep -q '__stack_chk_fail' <<<"$symbols" || fail "has no stack protector"
grep -qE '__(memcpy|fprintf|vsnprintf|snprintf)_chk' <<<"$symbols" || fail "is not fortified"
if grep -qF "$source_dir/core" <<<"$texts"; then fail "holds paths of the build"; fi
echo "passed: $program"
