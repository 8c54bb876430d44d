# SPDX-License-Identifier: MIT
# cmake -DPAGE=page.html -DOUT=page.c -P embed_page.cmake: the page as an array of C, and the
# Content-Security-Policy that lets a browser run its one style and its one script (by their SHA-256)
# and nothing else.

file(READ "${PAGE}" _page)

# hash_of(NAME OUT): base64 of the SHA-256 of what stands between <NAME> and </NAME>.
function(hash_of NAME OUT)
    string(FIND "${_page}" "<${NAME}>" _from)
    string(FIND "${_page}" "</${NAME}>" _to)
    if(_from LESS 0 OR _to LESS _from)
        message(FATAL_ERROR "${PAGE}: no <${NAME}>")
    endif()
    string(LENGTH "<${NAME}>" _tag)
    math(EXPR _from "${_from} + ${_tag}")
    math(EXPR _len "${_to} - ${_from}")
    string(SUBSTRING "${_page}" ${_from} ${_len} _text)
    string(SHA256 _hex "${_text}")
    set(_digits "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    set(_base64 "")
    # 64 hexadecimal digits: 21 times three of them are two digits of base64, the last is one and "=".
    foreach(_at RANGE 0 60 3)
        string(SUBSTRING "${_hex}" ${_at} 3 _three)
        math(EXPR _high "0x${_three} >> 6")
        math(EXPR _low "0x${_three} & 63")
        string(SUBSTRING "${_digits}" ${_high} 1 _high)
        string(SUBSTRING "${_digits}" ${_low} 1 _low)
        string(APPEND _base64 "${_high}${_low}")
    endforeach()
    string(SUBSTRING "${_hex}" 63 1 _last)
    math(EXPR _last "0x${_last} << 2")
    string(SUBSTRING "${_digits}" ${_last} 1 _last)
    set(${OUT} "${_base64}${_last}=" PARENT_SCOPE)
endfunction()

hash_of(style _style)
hash_of(script _script)
file(READ "${PAGE}" _hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," _bytes "${_hex}")
string(REGEX REPLACE "(0x[0-9a-f][0-9a-f],0x[0-9a-f][0-9a-f],0x[0-9a-f][0-9a-f],0x[0-9a-f][0-9a-f],)"
    "\\1\n" _bytes "${_bytes}")
file(WRITE "${OUT}" "/* Made of tools/status_page.html. */
#include \"tools/status_page.h\"

const uint8_t status_page[] = {
${_bytes}
};
const size_t status_page_size = sizeof(status_page);
const char status_page_policy[] = \"default-src 'none'; style-src 'sha256-${_style}'; \"
    \"script-src 'sha256-${_script}'; img-src data:; connect-src 'self'; base-uri 'none'; \"
    \"form-action 'none'; frame-ancestors 'none'\";
")
