/* SPDX-License-Identifier: MIT */
#include "core/tls/fingerprint.h"

#include "core/base/check.h"
#include "core/tls/wolf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/md5.h>
#include <wolfssl/wolfcrypt/sha256.h>

enum {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_POINT_FORMATS = 11,
    EXTENSION_ALPN = 16,
    VALUES_MAX = LR__HELLO_MESSAGE_MAX / 2 /* two bytes each */
};

/* Text that is hashed as it is written. */
typedef struct digest {
    bool is_md5, failed;
    wc_Md5 md5;
    wc_Sha256 sha256;
} digest;

static void begin(digest *d, bool is_md5)
{
    memset(d, 0, sizeof(*d));
    d->is_md5 = is_md5;
    d->failed = (is_md5 ? wc_InitMd5(&d->md5) : wc_InitSha256(&d->sha256)) != 0;
}

static void put(digest *d, const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    word32 len = (word32)strlen(text);

    if (d->failed)
        return;
    d->failed = (d->is_md5 ? wc_Md5Update(&d->md5, bytes, len)
                           : wc_Sha256Update(&d->sha256, bytes, len)) != 0;
}

static void put_number(digest *d, const char *format, unsigned value)
{
    char text[8];

    (void)snprintf(text, sizeof(text), format, value);
    put(d, text);
}

/* The first digits of the hash; false if anything failed. */
static bool finish(digest *d, char *out, size_t digits)
{
    uint8_t hash[WC_SHA256_DIGEST_SIZE];

    if (!d->failed)
        d->failed =
            (d->is_md5 ? wc_Md5Final(&d->md5, hash) : wc_Sha256Final(&d->sha256, hash)) != 0;
    if (d->is_md5)
        wc_Md5Free(&d->md5);
    else
        wc_Sha256Free(&d->sha256);
    for (size_t i = 0; i < digits / 2 && !d->failed; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return !d->failed;
}

/* Appends the values of a list of 16-bit numbers, without GREASE. */
static uint32_t take_list(lr_slice list, uint16_t out[VALUES_MAX])
{
    uint32_t count = 0;

    for (size_t i = 0; i + 1 < list.len && count < VALUES_MAX; i += 2) {
        uint16_t value = (uint16_t)(list.bytes[i] << 8 | list.bytes[i + 1]);

        if (!lr__hello_is_grease(value))
            out[count++] = value;
    }
    return count;
}

/* Walks the extensions, which the parser has found whole. */
static bool next_extension(lr_slice *rest, uint16_t *type, lr_slice *body)
{
    if (rest->len < 4)
        return false;
    *type = (uint16_t)(rest->bytes[0] << 8 | rest->bytes[1]);
    *body = lr_slice_of(rest->bytes + 4, (size_t)rest->bytes[2] << 8 | rest->bytes[3]);
    LR_DCHECK(body->len <= rest->len - 4);
    *rest = lr_slice_of(body->bytes + body->len, rest->len - 4 - body->len);
    return true;
}

static uint32_t take_extensions(const lr__hello *hello, uint16_t out[VALUES_MAX])
{
    lr_slice rest = hello->extensions, body;
    uint32_t count = 0;
    uint16_t type;

    while (next_extension(&rest, &type, &body)) {
        if (!lr__hello_is_grease(type))
            out[count++] = type;
    }
    return count;
}

static void put_list(digest *d, const char *format, const char *between, const uint16_t *values,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(d, between);
        put_number(d, format, values[i]);
    }
}

static void put_point_formats(digest *d, const lr__hello *hello)
{
    lr_slice rest = hello->extensions, body;
    uint16_t type;

    while (next_extension(&rest, &type, &body)) {
        if (type != EXTENSION_POINT_FORMATS)
            continue;
        for (size_t i = 1; i < body.len && i <= body.bytes[0]; i++) {
            if (i > 1)
                put(d, "-");
            put_number(d, "%u", body.bytes[i]);
        }
    }
}

bool lr__ja3(const lr__hello *hello, char out[LR__JA3_SIZE])
{
    uint16_t values[VALUES_MAX];
    digest d;

    out[0] = '\0';
    begin(&d, true);
    put_number(&d, "%u", hello->legacy_version);
    put(&d, ",");
    put_list(&d, "%u", "-", values, take_list(hello->cipher_suites, values));
    put(&d, ",");
    put_list(&d, "%u", "-", values, take_extensions(hello, values));
    put(&d, ",");
    put_list(&d, "%u", "-", values, take_list(hello->group_list, values));
    put(&d, ",");
    put_point_formats(&d, hello);
    return finish(&d, out, LR__JA3_SIZE - 1);
}

static int compare(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* The highest of supported_versions, else what the hello says of itself. */
static const char *version_text(const lr__hello *hello)
{
    uint16_t version = hello->legacy_version;

    if (hello->has_supported_versions) {
        version = 0;
        for (size_t i = 0; i + 1 < hello->version_list.len; i += 2) {
            const uint8_t *at = hello->version_list.bytes + i;
            uint16_t value = (uint16_t)(at[0] << 8 | at[1]);

            if (!lr__hello_is_grease(value) && value > version)
                version = value;
        }
    }
    return version == 0x0304   ? "13"
           : version == 0x0303 ? "12"
           : version == 0x0302 ? "11"
           : version == 0x0301 ? "10"
                               : "00";
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* First and last character of the first protocol; of its hexadecimal form where one of them is
 * neither letter nor digit. */
static void alpn_text(const lr__hello *hello, char out[3])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t first, last;

    memcpy(out, "00", 3);
    if (hello->alpn.len < 2 || hello->alpn.bytes[0] == 0 || hello->alpn.bytes[0] >= hello->alpn.len)
        return;
    first = hello->alpn.bytes[1];
    last = hello->alpn.bytes[hello->alpn.bytes[0]];
    if (is_alphanumeric(first) && is_alphanumeric(last)) {
        out[0] = (char)first;
        out[1] = (char)last;
    } else {
        out[0] = hex[first >> 4];
        out[1] = hex[last & 15];
    }
}

/* What is behind the first underscore: the suites. */
static bool suites_text(uint16_t *values, uint32_t count, char *out)
{
    digest d;

    if (count == 0) {
        memset(out, '0', 12);
        return true;
    }
    qsort(values, count, sizeof(*values), compare);
    begin(&d, false);
    put_list(&d, "%04x", ",", values, count);
    return finish(&d, out, 12);
}

/* And behind the second: the extensions but for server name and ALPN, which tell of the visit and
 * not of the client; then the signature algorithms in their order. */
static bool extensions_text(const lr__hello *hello, uint16_t *values, uint32_t count, char *out)
{
    uint32_t kept = 0;
    digest d;

    for (uint32_t i = 0; i < count; i++) {
        if (values[i] != EXTENSION_SERVER_NAME && values[i] != EXTENSION_ALPN)
            values[kept++] = values[i];
    }
    if (count == 0) {
        memset(out, '0', 12);
        return true;
    }
    qsort(values, kept, sizeof(*values), compare);
    begin(&d, false);
    put_list(&d, "%04x", ",", values, kept);
    count = take_list(hello->sigalgs, values);
    if (count > 0)
        put(&d, "_");
    put_list(&d, "%04x", ",", values, count);
    return finish(&d, out, 12);
}

bool lr__ja4(const lr__hello *hello, char out[LR__JA4_SIZE])
{
    uint16_t suites[VALUES_MAX], extensions[VALUES_MAX];
    uint32_t suite_count = take_list(hello->cipher_suites, suites);
    uint32_t extension_count = take_extensions(hello, extensions);
    bool has_name = false;
    char alpn[3];

    for (uint32_t i = 0; i < extension_count; i++)
        has_name |= extensions[i] == EXTENSION_SERVER_NAME;
    alpn_text(hello, alpn);
    memset(out, 0, LR__JA4_SIZE);
    (void)snprintf(out, LR__JA4_SIZE, "t%s%c%02u%02u%s_", version_text(hello), has_name ? 'd' : 'i',
                   suite_count < 99 ? suite_count : 99, extension_count < 99 ? extension_count : 99,
                   alpn);
    if (suites_text(suites, suite_count, out + 11)) {
        out[23] = '_';
        if (extensions_text(hello, extensions, extension_count, out + 24))
            return true;
    }
    out[0] = '\0';
    return false;
}
