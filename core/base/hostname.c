/* SPDX-License-Identifier: MIT */
#include "core/base/hostname.h"

enum { LABEL_MAX = 63 };

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* The lower-case form of a byte that may stand in a label, 0 of any other. ASCII only, whatever the
 * locale is. */
static char fold(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte - 'A' + 'a');
    if ((byte >= 'a' && byte <= 'z') || is_digit(byte) || byte == '-' || byte == '_')
        return (char)byte;
    return '\0';
}

/* The length of the label at the start of name, 0 if it is none. */
static size_t take_label(lr_slice name, char *out)
{
    size_t len = 0;

    while (len < name.len && name.bytes[len] != '.') {
        if (len == LABEL_MAX || fold(name.bytes[len]) == '\0')
            return 0;
        out[len] = fold(name.bytes[len]);
        len++;
    }
    if (len == 0 || out[0] == '-' || out[len - 1] == '-')
        return 0;
    return len;
}

/* Four labels of one to three digits: 999.1.1.1 is no address either, but nobody's name. An IPv6
 * literal has colons and fails as a label. */
static bool is_ipv4(const char *name, size_t len)
{
    size_t labels = 1, digits = 0;

    for (size_t i = 0; i < len; i++) {
        if (name[i] == '.') {
            labels++;
            digits = 0;
        } else if (!is_digit((uint8_t)name[i]) || ++digits > 3) {
            return false;
        }
    }
    return labels == 4;
}

bool lr__hostname_canonical(lr_slice name, char *out, size_t *len)
{
    size_t at = 0;

    if (name.len > 0 && name.bytes[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > LR__HOSTNAME_MAX)
        return false;
    for (;;) {
        size_t label = take_label(lr_slice_of(name.bytes + at, name.len - at), out + at);

        if (label == 0)
            return false;
        at += label;
        if (at == name.len)
            break;
        out[at++] = '.'; /* A dot at the very end makes an empty last label: no name. */
    }
    out[at] = '\0';
    if (is_ipv4(out, at))
        return false;
    *len = at;
    return true;
}
