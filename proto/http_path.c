/* SPDX-License-Identifier: MIT */
#include "proto/http_path.h"

#include "proto/http_chars.h"

#include <string.h>

/* The next byte of the path, decoded; -1 if it is malformed or may not be in a name. A slash comes
 * out only where it stood as such: decoded it would change the segments that others saw. */
static int take_byte(lr_slice *path)
{
    int byte = path->bytes[0];
    size_t size = 1;

    if (byte == '%') {
        int high = path->len >= 3 ? lr__http_hex(path->bytes[1]) : -1;
        int low = path->len >= 3 ? lr__http_hex(path->bytes[2]) : -1;

        if (high < 0 || low < 0 || high * 16 + low == '/')
            return -1;
        byte = high * 16 + low;
        size = 3;
    }
    *path = lr__http_skip(*path, size);
    return byte < 0x20 || byte == 0x7f ? -1 : byte;
}

/* A segment begins at start and ends at *at: the dot segments and the empty one take themselves
 * away, ".." the one before it too. */
static bool end_segment(const char *out, size_t start, size_t *at)
{
    size_t len = *at - start;

    if (len == 1 && out[start] == '.')
        *at = start;
    if (len != 2 || memcmp(out + start, "..", 2) != 0)
        return true;
    if (start == 0)
        return false;
    for (*at = start - 1; *at > 0 && out[*at - 1] != '/';)
        --*at;
    return true;
}

bool lr_http_path(lr_slice path, char *out, size_t cap, size_t *len)
{
    const uint8_t *query = path.len > 0 ? memchr(path.bytes, '?', path.len) : NULL;
    size_t start = 0, at = 0;

    if (query != NULL)
        path.len = (size_t)(query - path.bytes);
    if (query != NULL && path.len == 0)
        path = LR_LIT("/"); /* "http://host?q" (RFC 9110 4.2.3) */
    if (path.len == 0 || path.bytes[0] != '/' || cap == 0)
        return false;
    path = lr__http_skip(path, 1);
    while (path.len > 0) {
        int byte = take_byte(&path);

        if (byte < 0 || at + 1 >= cap)
            return false;
        if (byte != '/') {
            out[at++] = (char)byte;
            continue;
        }
        if (!end_segment(out, start, &at))
            return false;
        if (at > 0 && out[at - 1] != '/')
            out[at++] = '/';
        start = at;
    }
    if (!end_segment(out, start, &at))
        return false;
    out[at] = '\0';
    *len = at;
    return true;
}
