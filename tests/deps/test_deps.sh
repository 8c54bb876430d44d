#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# tools/deps: the mirror, a corrupt tarball, two callers at once, a second call, and, where the
# network is there, the distribution's source packages. Nothing is compiled, except with
# LOCKRING_FULL=1.
set -euo pipefail

source_dir=${LOCKRING_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
deps=$source_dir/tools/deps
cache=${LOCKRING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lockring}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset LOCKRING_MIRROR LOCKRING_DEPS_SOURCES

fail() {
    echo "FAILED: $*"
    [ ! -s "$work/err" ] || sed 's/^/    /' "$work/err"
    exit 1
}

passed() { echo "passed: $*"; }

# Runs tools/deps on a cache of the test's own; what it says goes to $work/err.
run() {
    local cache_name=$1
    shift
    LOCKRING_CACHE=$work/$cache_name "$deps" "$@" >"$work/out" 2>"$work/err"
}

says() { grep -q -- "$1" "$work/err" || fail "it did not say: $1"; }

tarballs=(wolfssl-5.9.2.tar.gz liburing-2.15.tar.gz)
mkdir "$work/mirror" "$work/bad"
for tarball in "${tarballs[@]}"; do
    if [ ! -f "$cache/sources/$tarball" ]; then
        echo "skipped: $tarball is not in $cache/sources (was a replacement built?)"
        exit 77
    fi
    ln -s "$cache/sources/$tarball" "$work/mirror/$tarball"
done

# A second call finds what the configured build uses: no source is asked, nothing is compiled.
prefix=$(LOCKRING_DEPS_SOURCES=none "$deps" --cc "${CC:-gcc}" 2>"$work/err") ||
    fail "no second call"
[ -f "$prefix/wolfssl/lib/libwolfssl.a" ] || fail "$prefix has no libwolfssl.a"
[ ! -s "$work/err" ] || fail "a second call has something to say"
passed "second call: $prefix"

# The mirror comes first.
LOCKRING_MIRROR=$work/mirror run a --fetch || fail "mirror"
says "wolfssl 5.9.2 taken from the mirror"
for tarball in "${tarballs[@]}"; do
    cmp -s "$work/a/sources/$tarball" "$work/mirror/$tarball" || fail "$tarball differs"
done
passed "mirror"

# Then it is cached, and no mirror is needed.
LOCKRING_DEPS_SOURCES=none run a --fetch || fail "fetch from the cache"
[ ! -s "$work/err" ] || fail "it has something to say"
passed "cache"

# A cached tarball that was damaged later is noticed and fetched anew.
printf x | dd of="$work/a/sources/liburing-2.15.tar.gz" bs=1 seek=1000 conv=notrunc status=none
LOCKRING_MIRROR=$work/mirror run a --fetch || fail "damaged cache"
says "liburing-2.15.tar.gz does not verify: expected sha256"
says "liburing 2.15 taken from the mirror"
passed "damaged cache"

# A corrupt file in the mirror stops everything, with both sums in the message.
cp -L "$work/mirror/liburing-2.15.tar.gz" "$work/bad/"
cp -L "$work/mirror/liburing-2.15.tar.gz" "$work/bad/wolfssl-5.9.2.tar.gz"
if LOCKRING_MIRROR=$work/bad run b --fetch; then fail "a corrupt tarball was taken"; fi
says "$work/bad/wolfssl-5.9.2.tar.gz does not verify: expected sha256 2f4ef3d4"
says "found efd299ff"
[ ! -f "$work/b/sources/wolfssl-5.9.2.tar.gz" ] || fail "a corrupt tarball was kept"
passed "corrupt tarball"

# Nothing to be had: one clear line.
if LOCKRING_DEPS_SOURCES=none run c --fetch; then fail "it found something"; fi
says "wolfssl 5.9.2 is nowhere to be had"
if LOCKRING_MIRROR=$work/nowhere run c --fetch; then fail "a missing mirror was accepted"; fi
says "LOCKRING_MIRROR names no directory"
if run c --print; then fail "it printed a prefix that is not there"; fi
says "not built yet"
passed "nothing to be had"

# Two at the same time.
LOCKRING_MIRROR=$work/mirror LOCKRING_CACHE=$work/d "$deps" --fetch 2>"$work/err" &
first=$!
LOCKRING_MIRROR=$work/mirror LOCKRING_CACHE=$work/d "$deps" --fetch 2>"$work/err2" ||
    fail "second of two"
wait "$first" || fail "first of two"
[ "$(cat "$work/err" "$work/err2" | grep -c 'taken from the mirror')" = 2 ] || fail "both fetched"
passed "two at the same time"

if [ -n "${LOCKRING_FULL:-}" ]; then
    LOCKRING_MIRROR=$work/mirror LOCKRING_CACHE=$work/e "$deps" >"$work/out1" 2>"$work/err1" &
    first=$!
    LOCKRING_MIRROR=$work/mirror run e || fail "second build of two"
    wait "$first" || fail "first build of two"
    [ "$(cat "$work/err" "$work/err1" | grep -c 'building wolfssl')" = 1 ] || fail "both built"
    cmp -s "$work/out" "$work/out1" || fail "two prefixes"
    cmp -s "$(cat "$work/out")/wolfssl/lib/libwolfssl.a" "$("$deps")/wolfssl/lib/libwolfssl.a" ||
        fail "two builds of libwolfssl.a differ"
    passed "two builds at the same time, and byte for byte what the cache has"
fi

# The distribution's source packages need a Debian and its mirror.
if ! command -v apt-get >/dev/null || [ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    echo "skipped: source packages (this is no Debian)"
    exit 0
fi
if ! LOCKRING_DEPS_SOURCES=distribution run f --fetch --pinned; then
    if grep -q "no unstable source packages from\|no Debian mirror" "$work/err"; then
        echo "skipped: source packages (the mirror of this machine cannot be reached)"
        exit 0
    fi
    if ! grep -q "and --pinned refuses any but\|older than" "$work/err"; then
        fail "source packages"
    fi
    passed "source packages: the pinned version is not there any more, and --pinned says so"
    exit 0
fi
says "taken from the source package"
passed "source packages"

# A pinned version that the distribution no longer has: the newer one, aloud, unless --pinned.
mkdir "$work/tools"
cp -r "$source_dir/tools/deps" "$source_dir/tools/wolfssl" "$work/tools/"
deps=$work/tools/deps
sed -i 's/\[liburing\]=2\.15)/[liburing]=2.14)/; s/\[liburing\]=efd299ff/[liburing]=0/' "$deps"
mkdir -p "$work/g/sources"
ln -s "$work/f/sources/wolfssl-5.9.2.tar.gz" "$work/g/sources/"
if LOCKRING_DEPS_SOURCES=distribution run g --fetch --pinned; then
    fail "--pinned took a newer one"
fi
says "has liburing .*, and --pinned refuses any but 2.14"
LOCKRING_DEPS_SOURCES=distribution run g --fetch || fail "newer version"
says "WARNING: liburing .* stands in for the pinned 2.14"
passed "newer version"
