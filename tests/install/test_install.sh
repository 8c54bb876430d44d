#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_install.sh static|shared CMAKE CC CONFIGURED_KIND DEPS [SYSTEM_WOLFSSL]
#
# Installs the library into a temporary prefix and looks at it as a stranger would: what lies there,
# what it exports, whether a program builds against it by find_package and by pkg-config, from C and
# from C++, and whether it leaves another wolfSSL and OpenSSL in the same program alone.
set -euo pipefail

kind=$1 cmake=$2 cc=$3 configured=$4 deps=$5 system_wolfssl=${6:-}
source_dir=${LOCKRING_SOURCE_DIR:?}
build_dir=${LOCKRING_BUILD_DIR:?}
here=$source_dir/tests/install
work=$(mktemp -d)
prefix=$work/prefix
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

passed() { echo "passed: $*"; }

quietly() {
    "$@" >"$work/log" 2>&1 || {
        tail -n 30 "$work/log"
        fail "$*"
    }
}

# ---- install ---------------------------------------------------------------------------------

if [ "$kind" != "$configured" ]; then
    other=$build_dir/other
    shared=OFF
    [ "$kind" = static ] || shared=ON
    quietly "$cmake" -S "$source_dir" -B "$other" -G Ninja -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_SHARED_LIBS=$shared -DLOCKRING_DEPS="$deps" \
        -DLOCKRING_SYSTEM_WOLFSSL="$system_wolfssl" \
        -DLOCKRING_BUILD_TESTS=OFF -DLOCKRING_BUILD_BENCH=OFF -DLOCKRING_BUILD_TOOLS=OFF \
        -DLOCKRING_BUILD_EXAMPLES=OFF
    quietly "$cmake" --build "$other" --target lockring
    build_dir=$other
fi
quietly "$cmake" --install "$build_dir" --prefix "$prefix"
lib_dir=$(dirname "$(find "$prefix" -name 'liblockring.*' | head -n 1)")
case $kind in
static) library=$lib_dir/liblockring.a ;;
shared) library=$lib_dir/liblockring.so ;;
esac
[ -f "$library" ] || fail "no $library"
passed "installed"

# ---- what lies there -------------------------------------------------------------------------

for header in "$source_dir"/include/lockring/*.h; do
    [ -f "$prefix/include/lockring/${header##*/}" ] || fail "${header##*/} is not installed"
done
[ -f "$prefix/include/lockring/version.h" ] || fail "version.h is not installed"
strangers=$(find "$prefix/include" -type f ! -path "$prefix/include/lockring/*")
[ -z "$strangers" ] || fail "headers that are not ours: $strangers"
if find "$prefix" -iname '*wolfssl*' -o -iname '*liburing*' | grep -v '/LICENSES/'; then
    fail "a file of wolfSSL or liburing is installed"
fi
[ -n "$(find "$prefix" -name GPL-3.0-or-later.txt)" ] || fail "no licence text of wolfSSL"
for program in "$prefix"/bin/*; do
    [ ! -e "$program" ] || [ -n "$(find "$prefix" -path "*/man1/${program##*/}.1")" ] ||
        fail "${program##*/} has no manual page"
done
passed "nothing of wolfSSL or liburing is installed"

# ---- what it exports -------------------------------------------------------------------------

case $kind in
static) nm -g --defined-only "$library" ;;
shared) nm -D --defined-only "$library" ;;
esac | awk 'NF == 3 && $2 != "A" { print $3 }' | sort -u >"$work/exported"
if grep -v '^lr_[a-z]' "$work/exported"; then
    fail "exported names that are not lr_[a-z]"
fi
# Each call that a header declares, and no other.
cat "$prefix"/include/lockring/*.h | tr '\n' ' ' | grep -oE 'LR_API [^;{]*[;{]' |
    grep -oE '\blr_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$work/declared"
if ! diff "$work/declared" "$work/exported" >"$work/diff"; then
    cat "$work/diff"
    fail "declared (<) and exported (>) differ"
fi
passed "exports $(wc -l <"$work/exported") calls, all declared"

# ---- programs against it ---------------------------------------------------------------------

export LD_LIBRARY_PATH=$lib_dir
quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout "$work/key.pem" -out "$work/cert.pem"

free_port() {
    python3 -c '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# Starts a program on a free port, says something to it through openssl, and ends it: try_program
# WHAT SAID VERIFY... -- PROGRAM ARGUMENT... Its answer is in client.log.
try_program() {
    local what=$1 said=$2 verify=() port status=0
    shift 2
    while [ "$1" != -- ]; do
        verify+=("$1")
        shift
    done
    shift
    port=$(free_port)
    "$1" "$port" "${@:2}" >"$work/server.log" 2>&1 &
    server=$!
    for _ in $(seq 50); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    { printf '%b' "$said"; sleep 1; printf 'Q\n'; } |
        timeout 20 openssl s_client -brief -connect "127.0.0.1:$port" -servername localhost \
            "${verify[@]}" >"$work/client.log" 2>&1 || true
    kill -TERM "$server"
    wait "$server" || status=$?
    server=
    [ "$status" = 0 ] || fail "$what: ended with $status after SIGTERM"
}

# heard WHAT LINE...: the client saw lines that begin so.
heard() {
    local what=$1 line
    shift
    for line in "$@"; do
        grep -q "^$line" "$work/client.log" && continue
        tail -n 40 "$work/server.log" "$work/client.log"
        fail "$what: no '$line'"
    done
    passed "$what"
}

try_echo() {
    try_program "$2: echo" 'to and fro\n' -CAfile "$work/cert.pem" -verify_return_error -- \
        "$1" "$work/cert.pem" "$work/key.pem"
    heard "$2: echo" 'welcome!' 'to and fro'
}

try_hello() {
    try_program "$2: hello" 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' -- "$1"
    heard "$2: hello" 'HTTP/1.1 200 OK' 'hello'
}

quietly "$cmake" -S "$here/consumer" -B "$work/consumer" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$prefix" -DECHO_SOURCE="$source_dir/docs/examples/echo.c"
quietly "$cmake" --build "$work/consumer"
try_echo "$work/consumer/echo" "find_package"
quietly "$work/consumer/from_cxx"
quietly timeout 60 "$work/consumer/serve_cxx"
passed "find_package from C++"

static_option=()
[ "$kind" = shared ] || static_option=(--static)
export PKG_CONFIG_PATH=$lib_dir/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs "${static_option[@]}" lockring)"
quietly "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -o "$work/echo" \
    "$source_dir/docs/examples/echo.c" "${flags[@]}"
try_echo "$work/echo" "pkg-config"
quietly "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -o "$work/hello" \
    "$source_dir/docs/examples/http_hello.c" "${flags[@]}"
try_hello "$work/hello" "pkg-config"

# ---- beside another wolfSSL and OpenSSL ------------------------------------------------------

if [ ! -f /usr/include/wolfssl/options.h ] || [ ! -f /usr/include/openssl/ssl.h ]; then
    echo "skipped: beside another wolfSSL and OpenSSL (their development packages are not there)"
    exit 0
fi
# The static library meets a static wolfSSL: two of each name, if ours were visible.
wolfssl=(-lwolfssl)
[ "$kind" = shared ] || wolfssl=(-l:libwolfssl.a -lm)
quietly "$cc" -std=c11 -D_GNU_SOURCE -Wall -Wextra -o "$work/coexist" "$here/coexist/main.c" \
    "$here/coexist/with_wolfssl.c" "$here/coexist/with_openssl.c" \
    "${flags[@]}" "${wolfssl[@]}" -lssl -lcrypto -pthread
timeout 60 "$work/coexist" "$work/cert.pem" "$work/key.pem" >"$work/log" 2>&1 || {
    tail -n 30 "$work/log"
    fail "beside another wolfSSL and OpenSSL"
}
cat "$work/log"
passed "beside another wolfSSL and OpenSSL"
