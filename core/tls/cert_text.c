/* SPDX-License-Identifier: MIT */
#include "core/tls/cert_text.h"

#include "core/base/check.h"
#include "core/tls/x509.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_NUMERIC = 0x12,
    DER_PRINTABLE = 0x13,
    DER_TELETEX = 0x14,
    DER_IA5 = 0x16,
    DER_VISIBLE = 0x1a,
    DER_UNIVERSAL = 0x1c,
    DER_BMP = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    RDN_MAX = 64 /* relative names in a name; more are left out */
};

lr__text lr__text_begin(char *out, size_t cap)
{
    return (lr__text){.out = out, .cap = out ? cap : 0};
}

size_t lr__text_end(lr__text *text)
{
    if (text->cap > 0)
        text->out[text->len < text->cap ? text->len : text->cap - 1] = '\0';
    return text->len;
}

static void put(lr__text *text, char byte)
{
    if (text->len + 1 < text->cap)
        text->out[text->len] = byte;
    text->len++;
}

static void put_all(lr__text *text, const char *bytes)
{
    for (; *bytes != '\0'; bytes++)
        put(text, *bytes);
}

void lr__text_format(lr__text *text, const char *format, ...)
{
    char part[64];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(part, sizeof(part), format, args);
    va_end(args);
    put_all(text, part);
}

void lr__text_hex(lr__text *text, lr_slice bytes, char between)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < bytes.len; i++) {
        if (i > 0 && between != '\0')
            put(text, between);
        put(text, digits[bytes.bytes[i] >> 4]);
        put(text, digits[bytes.bytes[i] & 15]);
    }
}

/* X.690 8.19; numbers of more than 63 bits become their hexadecimal content. */
void lr__text_oid(lr__text *text, lr_slice id)
{
    uint64_t number = 0;
    bool first = true;

    for (size_t i = 0; i < id.len; i++) {
        if (number >> 56 != 0) {
            put(text, '#');
            lr__text_hex(text, id, '\0');
            return;
        }
        number = number << 7 | (id.bytes[i] & 0x7f);
        if (id.bytes[i] & 0x80)
            continue;
        if (first) {
            uint64_t top = number < 80 ? number / 40 : 2;

            lr__text_format(text, "%llu.%llu", (unsigned long long)top,
                            (unsigned long long)(number - top * 40));
        } else {
            lr__text_format(text, ".%llu", (unsigned long long)number);
        }
        first = false;
        number = 0;
    }
}

/* The next character of a string. False: it ends, or is malformed (then *in is not empty). */
static bool next_character(lr_slice *in, uint8_t tag, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = tag == DER_BMP ? 2 : tag == DER_UNIVERSAL ? 4 : 1;
    uint8_t first;

    if (in->len < len || in->len == 0)
        return false;
    first = in->bytes[0];
    *out = first;
    if (tag == DER_UTF8 && first >= 0x80) {
        len = first >= 0xf0 && first < 0xf8 ? 4 : first >= 0xe0 ? 3 : 2;
        if (first < 0xc2 || first >= 0xf8 || in->len < len)
            return false;
        *out = first & (0x7fu >> len);
        for (size_t i = 1; i < len; i++) {
            if ((in->bytes[i] & 0xc0) != 0x80)
                return false;
            *out = *out << 6 | (in->bytes[i] & 0x3fu);
        }
        if (*out < least[len])
            return false;
    } else if (tag != DER_UTF8 && tag != DER_TELETEX && len == 1 && first >= 0x80) {
        return false;
    } else {
        for (size_t i = 1; i < len; i++)
            *out = *out << 8 | in->bytes[i];
    }
    if (*out > 0x10ffff || (*out >= 0xd800 && *out < 0xe000))
        return false;
    *in = lr_slice_of(in->bytes + len, in->len - len);
    return true;
}

static void put_utf8(lr__text *text, uint32_t c)
{
    if (c < 0x80) {
        put(text, (char)c);
        return;
    }
    if (c >= 0x10000)
        put(text, (char)(0xf0 | c >> 18));
    if (c >= 0x800)
        put(text, (char)((c >= 0x10000 ? 0x80 : 0xe0) | (c >> 12 & (c >= 0x10000 ? 0x3f : 0x0f))));
    put(text, (char)((c >= 0x800 ? 0x80 : 0xc0) | (c >> 6 & (c >= 0x800 ? 0x3f : 0x1f))));
    put(text, (char)(0x80 | (c & 0x3f)));
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static bool is_string(uint8_t tag)
{
    return tag == DER_UTF8 || tag == DER_NUMERIC || tag == DER_PRINTABLE || tag == DER_TELETEX ||
           tag == DER_IA5 || tag == DER_VISIBLE || tag == DER_UNIVERSAL || tag == DER_BMP;
}

/* Is it a string from its first to its last byte? */
static bool is_well_formed(lr_slice value, uint8_t tag)
{
    uint32_t c;

    while (next_character(&value, tag, &c))
        continue;
    return value.len == 0;
}

/* RFC 4514 2.4, and control characters too. */
static void put_escaped(lr__text *text, lr_slice value, uint8_t tag)
{
    static const char digits[] = "0123456789ABCDEF";
    bool first = true;
    uint32_t c;

    while (next_character(&value, tag, &c)) {
        bool edge = (first && (c == ' ' || c == '#')) || (value.len == 0 && c == ' ');

        if (is_control(c) && c < 0x80) {
            put(text, '\\');
            put(text, digits[c >> 4]);
            put(text, digits[c & 15]);
        } else if (is_control(c)) {
            put_all(text, "\\C2\\"); /* its UTF-8 */
            put(text, digits[c >> 4]);
            put(text, digits[c & 15]);
        } else {
            if (edge || (c < 0x80 && strchr(",+\"\\<>;=", (int)c)))
                put(text, '\\');
            put_utf8(text, c);
        }
        first = false;
    }
}

static const struct {
    const char *name, *id;
    size_t len;
} attributes[] = {
    {"CN", "\x55\x04\x03", 3},
    {"SN", "\x55\x04\x04", 3},
    {"serialNumber", "\x55\x04\x05", 3},
    {"C", "\x55\x04\x06", 3},
    {"L", "\x55\x04\x07", 3},
    {"ST", "\x55\x04\x08", 3},
    {"STREET", "\x55\x04\x09", 3},
    {"O", "\x55\x04\x0a", 3},
    {"OU", "\x55\x04\x0b", 3},
    {"title", "\x55\x04\x0c", 3},
    {"GN", "\x55\x04\x2a", 3},
    {"initials", "\x55\x04\x2b", 3},
    {"organizationIdentifier", "\x55\x04\x61", 3},
    {"UID", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10},
    {"DC", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10},
    {"emailAddress", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9},
};

/* Null: it has no short name. */
static const char *short_name(lr_slice id)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(attributes); i++) {
        if (id.len == attributes[i].len && memcmp(id.bytes, attributes[i].id, id.len) == 0)
            return attributes[i].name;
    }
    return NULL;
}

/* One attribute of a relative name, taken from the front. False: no more, or malformed. */
static bool take_attribute(lr_slice *rdn, lr_slice *id, uint8_t *tag, lr_slice *value,
                           lr_slice *whole)
{
    lr_slice pair;

    return lr__der_expect(rdn, DER_SEQUENCE, &pair, NULL) &&
           lr__der_expect(&pair, DER_OID, id, NULL) && lr__der_take(&pair, tag, value, whole);
}

static void put_rdn(lr__text *text, lr_slice rdn)
{
    lr_slice id, value, whole;
    bool first = true;
    uint8_t tag;

    for (; take_attribute(&rdn, &id, &tag, &value, &whole); first = false) {
        const char *name = short_name(id);

        if (!first)
            put(text, '+');
        if (name)
            put_all(text, name);
        else
            lr__text_oid(text, id);
        put(text, '=');
        if (name && is_string(tag) && is_well_formed(value, tag)) {
            put_escaped(text, value, tag);
        } else {
            put(text, '#');
            lr__text_hex(text, whole, '\0');
        }
    }
}

void lr__text_name(lr__text *text, lr_slice name)
{
    lr_slice rdns[RDN_MAX], in;
    size_t count = 0;

    if (!lr__der_expect(&name, DER_SEQUENCE, &in, NULL))
        return;
    while (count < RDN_MAX && lr__der_expect(&in, DER_SET, &rdns[count], NULL))
        count++;
    for (size_t i = count; i-- > 0;) {
        put_rdn(text, rdns[i]);
        if (i > 0)
            put(text, ',');
    }
}

static bool is_called(lr_slice id, const char *attribute)
{
    const char *name = short_name(id);
    char dotted[128];
    lr__text text = lr__text_begin(dotted, sizeof(dotted));

    if (name && strcmp(name, attribute) == 0)
        return true;
    lr__text_oid(&text, id);
    return lr__text_end(&text) < sizeof(dotted) && strcmp(dotted, attribute) == 0;
}

bool lr__text_attribute(lr__text *text, lr_slice name, const char *attribute, uint32_t index)
{
    lr_slice in, rdn, id, value;
    uint32_t c;
    uint8_t tag;

    if (!lr__der_expect(&name, DER_SEQUENCE, &in, NULL))
        return false;
    while (lr__der_expect(&in, DER_SET, &rdn, NULL)) {
        while (take_attribute(&rdn, &id, &tag, &value, NULL)) {
            if (!is_called(id, attribute) || index-- != 0)
                continue;
            if (!is_string(tag))
                return false;
            while (next_character(&value, tag, &c)) {
                if (is_control(c))
                    return false;
                put_utf8(text, c);
            }
            return value.len == 0;
        }
    }
    return false;
}

static void put_address(lr__text *text, lr_slice value)
{
    char address[INET6_ADDRSTRLEN];

    if (value.len != 4 && value.len != 16) {
        put(text, '#');
        lr__text_hex(text, value, '\0');
        return;
    }
    if (inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.bytes, address, sizeof(address)))
        put_all(text, address);
}

void lr__text_alt_name(lr__text *text, const lr_alt_name *name)
{
    switch (name->kind) {
    case LR_ALT_NAME_EMAIL:
    case LR_ALT_NAME_DNS:
    case LR_ALT_NAME_URI:
        put_all(text, name->kind == LR_ALT_NAME_DNS   ? "DNS:"
                      : name->kind == LR_ALT_NAME_URI ? "URI:"
                                                      : "email:");
        if (is_well_formed(name->value, DER_IA5)) {
            put_escaped(text, name->value, DER_IA5);
        } else {
            put(text, '#');
            lr__text_hex(text, name->value, '\0');
        }
        return;
    case LR_ALT_NAME_IP:
        put_all(text, "IP:");
        put_address(text, name->value);
        return;
    case LR_ALT_NAME_DIRECTORY:
        put_all(text, "DirName:");
        lr__text_name(text, name->value);
        return;
    case LR_ALT_NAME_ID:
        put_all(text, "ID:");
        lr__text_oid(text, name->value);
        return;
    case LR_ALT_NAME_OTHER:
        break;
    }
    put_all(text, "OTHER:"); /* and whatever RFC 5280 adds */
    lr__text_hex(text, name->value, '\0');
}
