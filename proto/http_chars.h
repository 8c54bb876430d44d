/* SPDX-License-Identifier: MIT */
/* proto/http_chars.h: which bytes may stand where in HTTP, and how names compare. ASCII only,
 * whatever the locale is. */
#ifndef LR_PROTO_HTTP_CHARS_H
#define LR_PROTO_HTTP_CHARS_H

#include <lockring/base.h>

/* RFC 9110 5.6.2: letters, digits and !#$%&'*+-.^_`|~, one bit for each byte below 128. */
static inline bool lr__http_is_token_byte(uint8_t byte)
{
    static const uint64_t bits[2] = {UINT64_C(0x03ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe)};

    return byte < 128 && ((bits[byte >> 6] >> (byte & 63)) & 1) != 0;
}

/* RFC 9110 5.5: field-vchar, space and tab. Zero, line ends and the other controls are none. */
static inline bool lr__http_is_value_byte(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static inline bool lr__http_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static inline uint8_t lr__http_fold(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

/* The value of a hexadecimal digit, -1 if it is none. */
static inline int lr__http_hex(uint8_t byte)
{
    uint8_t folded = lr__http_fold(byte);

    if (lr__http_is_digit(byte))
        return byte - '0';
    return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

/* Is text, in any case, the word that lower spells? */
static inline bool lr__http_is(lr_slice text, lr_slice lower)
{
    if (text.len != lower.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (lr__http_fold(text.bytes[i]) != lower.bytes[i])
            return false;
    }
    return true;
}

static inline lr_slice lr__http_skip(lr_slice text, size_t count)
{
    return lr_slice_of(text.bytes + count, text.len - count);
}

/* Without the optional white space (RFC 9110 5.6.3) at both ends. */
static inline lr_slice lr__http_trim(lr_slice text)
{
    while (text.len > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t'))
        text = lr__http_skip(text, 1);
    while (text.len > 0 && (text.bytes[text.len - 1] == ' ' || text.bytes[text.len - 1] == '\t'))
        text.len--;
    return text;
}

#endif
