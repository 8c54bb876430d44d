/* SPDX-License-Identifier: MIT */
#include "proto/proxy_parse.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    SIGNATURE_SIZE = 12,
    FIXED_SIZE = 16, /* signature, version and command, family, length */
    UNIX_PATH_SIZE = 108,
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    TLV_HEADER = 3
};

/* Families and transports of version 2; only streams come over TCP. */
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };

static const uint8_t signature[SIGNATURE_SIZE] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                  0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static lr_proxy_result refuse(const char **reason, const char *what)
{
    *reason = what;
    return LR_PROXY_REFUSED;
}

static uint16_t read_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)read_u16(at) << 16 | read_u16(at + 2);
}

/* Version 1. */

/* The word up to the next blank or the end; what follows the blank stays in *line. */
static lr_slice take_word(lr_slice *line)
{
    const uint8_t *blank = line->len > 0 ? memchr(line->bytes, ' ', line->len) : NULL;
    lr_slice word = *line;

    if (!blank) {
        *line = lr_slice_of(line->bytes + line->len, 0);
        return word;
    }
    word.len = (size_t)(blank - line->bytes);
    *line = lr_slice_of(blank + 1, line->len - word.len - 1);
    return word;
}

static bool read_host(lr_slice word, lr_address *out)
{
    char text[INET6_ADDRSTRLEN];

    if (word.len == 0 || word.len >= sizeof(text))
        return false;
    memcpy(text, word.bytes, word.len);
    text[word.len] = '\0';
    return inet_pton(out->family == LR_FAMILY_IPV4 ? AF_INET : AF_INET6, text, out->bytes) == 1;
}

static bool read_port(lr_slice word, uint16_t *out)
{
    uint32_t port = 0;

    if (word.len == 0 || word.len > 5 || (word.len > 1 && word.bytes[0] == '0'))
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.bytes[i] < '0' || word.bytes[i] > '9')
            return false;
        port = port * 10 + (word.bytes[i] - '0');
    }
    *out = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* The line without "PROXY " and CRLF. */
static lr_proxy_result read_line(lr_slice line, lr_proxy_header *out, const char **reason)
{
    lr_slice protocol, ports[2];

    protocol = take_word(&line);
    if (protocol.len == 7 && memcmp(protocol.bytes, "UNKNOWN", 7) == 0)
        return LR_PROXY_DONE;
    if (protocol.len == 4 && memcmp(protocol.bytes, "TCP4", 4) == 0)
        out->source.family = out->destination.family = LR_FAMILY_IPV4;
    else if (protocol.len == 4 && memcmp(protocol.bytes, "TCP6", 4) == 0)
        out->source.family = out->destination.family = LR_FAMILY_IPV6;
    else
        return refuse(reason, "PROXY: neither TCP4 nor TCP6 nor UNKNOWN");
    if (!read_host(take_word(&line), &out->source) ||
        !read_host(take_word(&line), &out->destination))
        return refuse(reason, "PROXY: an address is not one of its family");
    ports[0] = take_word(&line);
    ports[1] = line; /* a blank in it makes it no number */
    if (!read_port(ports[0], &out->source.port) || !read_port(ports[1], &out->destination.port))
        return refuse(reason, "PROXY: a port is not a number from 0 to 65535");
    return LR_PROXY_DONE;
}

static lr_proxy_result parse_v1(lr_slice bytes, lr_proxy_header *out, const char **reason)
{
    static const char begin[] = "PROXY ";
    const size_t begin_len = sizeof(begin) - 1;

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.bytes[i];

        if (i + 1 >= LR_PROXY_V1_MAX && byte != '\n') /* there is no place for a CRLF any more */
            return refuse(reason, "PROXY: the line is longer than 107 bytes");
        if (i < begin_len && byte != (uint8_t)begin[i])
            return refuse(reason, "PROXY: there is no header");
        if (byte == '\r') {
            if (i + 1 == bytes.len)
                return LR_PROXY_MORE;
            if (bytes.bytes[i + 1] != '\n')
                return refuse(reason, "PROXY: a CR without LF");
            out->version = 1;
            out->size = i + 2;
            return read_line(lr_slice_of(bytes.bytes + begin_len, i - begin_len), out, reason);
        }
        if (byte < ' ' || byte > '~')
            return refuse(reason, "PROXY: a byte that is not text");
    }
    return LR_PROXY_MORE;
}

/* Version 2. */

bool lr_proxy_tlv_next(lr_slice *rest, lr_proxy_tlv *out)
{
    size_t len;

    if (rest->len < TLV_HEADER)
        return false;
    len = read_u16(rest->bytes + 1);
    if (rest->len - TLV_HEADER < len)
        return false;
    out->type = rest->bytes[0];
    out->value = lr_slice_of(rest->bytes + TLV_HEADER, len);
    *rest = lr_slice_of(rest->bytes + TLV_HEADER + len, rest->len - TLV_HEADER - len);
    return true;
}

bool lr_proxy_tlv_find(lr_slice tlvs, uint8_t type, lr_slice *value)
{
    lr_proxy_tlv tlv;

    while (lr_proxy_tlv_next(&tlvs, &tlv)) {
        if (tlv.type == type) {
            *value = tlv.value;
            return true;
        }
    }
    return false;
}

bool lr_proxy_ssl_read(lr_slice value, lr_proxy_ssl *out)
{
    lr_proxy_tlv tlv;
    lr_slice rest;

    if (value.len < 5)
        return false;
    out->client = value.bytes[0];
    out->verify = read_u32(value.bytes + 1);
    rest = out->tlvs = lr_slice_of(value.bytes + 5, value.len - 5);
    while (lr_proxy_tlv_next(&rest, &tlv))
        continue;
    return rest.len == 0;
}

static uint32_t crc_add(uint32_t crc, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0 - (crc & 1)));
    }
    return crc;
}

/* Over the whole header, with zeros in the place of the sum itself. */
static bool crc_is_right(lr_slice whole, lr_slice sum)
{
    static const uint8_t zeros[4] = {0};
    const uint8_t *behind = sum.bytes + sum.len;
    uint32_t crc = crc_add(UINT32_MAX, whole.bytes, (size_t)(sum.bytes - whole.bytes));

    crc = crc_add(crc, zeros, sizeof(zeros));
    crc = crc_add(crc, behind, (size_t)(whole.bytes + whole.len - behind));
    return ~crc == read_u32(sum.bytes);
}

/* A number for those that may come once; -1: any number of times. */
static int once_index(uint8_t type)
{
    static const uint8_t once[] = {LR_PROXY_ALPN,      LR_PROXY_AUTHORITY, LR_PROXY_CRC32C,
                                   LR_PROXY_UNIQUE_ID, LR_PROXY_SSL,       LR_PROXY_NETNS};

    for (size_t i = 0; i < sizeof(once); i++) {
        if (once[i] == type)
            return (int)i;
    }
    return -1;
}

static lr_proxy_result check_tlv(lr_slice whole, const lr_proxy_tlv *tlv, const char **reason)
{
    lr_proxy_ssl ssl;

    if (tlv->type == LR_PROXY_CRC32C && tlv->value.len != 4)
        return refuse(reason, "PROXY: a CRC32C is not of four bytes");
    if (tlv->type == LR_PROXY_CRC32C && !crc_is_right(whole, tlv->value))
        return refuse(reason, "PROXY: the CRC32C is wrong");
    if (tlv->type == LR_PROXY_UNIQUE_ID && tlv->value.len > LR_PROXY_UNIQUE_ID_MAX)
        return refuse(reason, "PROXY: a UNIQUE_ID is longer than 128 bytes");
    if (tlv->type == LR_PROXY_SSL && !lr_proxy_ssl_read(tlv->value, &ssl))
        return refuse(reason, "PROXY: an SSL block is malformed");
    return LR_PROXY_DONE;
}

static lr_proxy_result check_tlvs(lr_slice whole, lr_proxy_header *out, const char **reason)
{
    lr_slice rest = out->tlvs;
    lr_proxy_tlv tlv;
    uint32_t seen = 0;

    while (lr_proxy_tlv_next(&rest, &tlv)) {
        int index = once_index(tlv.type);

        if (index >= 0 && (seen & UINT32_C(1) << index) != 0)
            return refuse(reason, "PROXY: a TLV that may come once comes again");
        if (index >= 0)
            seen |= UINT32_C(1) << index;
        if (check_tlv(whole, &tlv, reason) != LR_PROXY_DONE)
            return LR_PROXY_REFUSED;
        out->has_crc |= tlv.type == LR_PROXY_CRC32C;
    }
    return rest.len == 0 ? LR_PROXY_DONE : refuse(reason, "PROXY: a TLV ends outside the header");
}

/* A path ends at its first zero byte; an abstract name, which begins with one, at its last that is
 * none. */
static lr_slice path_of(const uint8_t *at)
{
    size_t len = 0;

    if (at[0] != 0) {
        while (len < UNIX_PATH_SIZE && at[len] != 0)
            len++;
    } else {
        len = UNIX_PATH_SIZE;
        while (len > 0 && at[len - 1] == 0)
            len--;
    }
    return lr_slice_of(at, len);
}

static size_t address_size(uint8_t family)
{
    switch (family) {
    case V2_TCP4:
        return 2 * 4 + 2 * 2;
    case V2_TCP6:
        return 2 * 16 + 2 * 2;
    case V2_UNIX:
        return (size_t)2 * UNIX_PATH_SIZE;
    default:
        return 0;
    }
}

static void read_addresses(const uint8_t *at, uint8_t family, lr_proxy_header *out)
{
    size_t size = family == V2_TCP4 ? 4 : 16;

    if (family == V2_UNSPEC)
        return;
    if (family == V2_UNIX) {
        out->source.family = out->destination.family = LR_FAMILY_UNIX;
        out->source_path = path_of(at);
        out->destination_path = path_of(at + UNIX_PATH_SIZE);
        return;
    }
    out->source.family = out->destination.family =
        family == V2_TCP4 ? LR_FAMILY_IPV4 : LR_FAMILY_IPV6;
    memcpy(out->source.bytes, at, size);
    memcpy(out->destination.bytes, at + size, size);
    out->source.port = read_u16(at + 2 * size);
    out->destination.port = read_u16(at + 2 * size + 2);
}

/* The sixteen fixed bytes, as far as they are there. MORE: they are right so far. */
static lr_proxy_result check_fixed(lr_slice bytes, const char **reason)
{
    size_t have = bytes.len < SIGNATURE_SIZE ? bytes.len : SIGNATURE_SIZE;
    const uint8_t *at = bytes.bytes;

    if (memcmp(at, signature, have) != 0)
        return refuse(reason, "PROXY: there is no header");
    if (bytes.len > 12 && at[12] >> 4 != 2)
        return refuse(reason, "PROXY: the version is not 2");
    if (bytes.len > 12 && (at[12] & 15) > COMMAND_PROXY)
        return refuse(reason, "PROXY: the command is neither LOCAL nor PROXY");
    if (bytes.len > 13 && (at[12] & 15) == COMMAND_PROXY && at[13] != V2_UNSPEC &&
        address_size(at[13]) == 0)
        return refuse(reason, "PROXY: the family is not one of a stream");
    if (bytes.len < FIXED_SIZE)
        return LR_PROXY_MORE;
    if (read_u16(at + 14) > LR_PROXY_SIZE_MAX - FIXED_SIZE)
        return refuse(reason, "PROXY: the header is longer than 1000 bytes");
    if ((at[12] & 15) == COMMAND_PROXY && read_u16(at + 14) < address_size(at[13]))
        return refuse(reason, "PROXY: there is no room for the addresses");
    return LR_PROXY_MORE;
}

static lr_proxy_result parse_v2(lr_slice bytes, lr_proxy_header *out, const char **reason)
{
    const uint8_t *at = bytes.bytes;
    size_t size, addresses;

    if (check_fixed(bytes, reason) == LR_PROXY_REFUSED)
        return LR_PROXY_REFUSED;
    if (bytes.len < FIXED_SIZE)
        return LR_PROXY_MORE;
    size = FIXED_SIZE + (size_t)read_u16(at + 14);
    if (bytes.len < size)
        return LR_PROXY_MORE;
    out->version = 2;
    out->size = size;
    if ((at[12] & 15) == COMMAND_LOCAL) {
        out->is_local = true;
        return LR_PROXY_DONE;
    }
    addresses = address_size(at[13]);
    read_addresses(at + FIXED_SIZE, at[13], out);
    out->tlvs = lr_slice_of(at + FIXED_SIZE + addresses, size - FIXED_SIZE - addresses);
    return check_tlvs(lr_slice_of(at, size), out, reason);
}

lr_proxy_result lr_proxy_parse(lr_slice bytes, lr_proxy_header *out, const char **reason)
{
    lr_proxy_header header = {0};
    lr_proxy_result result;

    memset(out, 0, sizeof(*out));
    *reason = NULL;
    if (bytes.len == 0)
        return LR_PROXY_MORE;
    result = bytes.bytes[0] == signature[0] ? parse_v2(bytes, &header, reason)
                                            : parse_v1(bytes, &header, reason);
    if (result == LR_PROXY_DONE)
        *out = header;
    return result;
}
