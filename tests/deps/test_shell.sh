#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every shell script of the tree passes shellcheck.
set -euo pipefail

command -v shellcheck >/dev/null || {
    echo "skipped: shellcheck is not installed"
    exit 77
}
cd "${LOCKRING_SOURCE_DIR:-$(dirname "$0")/../..}"
mapfile -t scripts < <(grep -rlE '^#!(/usr/bin/env bash|/bin/sh|/bin/bash)' .ci tools tests bench | sort)
shellcheck "${scripts[@]}"
echo "passed: ${#scripts[@]} scripts"
