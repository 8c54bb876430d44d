/* SPDX-License-Identifier: MIT */
/* Headers of the PROXY protocol. Every one is parsed at every split point, in memory that ends
 * where the bytes end, and with other bytes behind it. */
#include "support.h"

#include "core/base/compiler.h"
#include "proto/proxy_parse.h"
#include "tests/live/proxy_maker.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* Parses the first len bytes in a block of exactly that size. */
static lr_proxy_result parse_exactly(const proxy_bytes *from, size_t len, const char **reason)
{
    uint8_t *block = malloc(len > 0 ? len : 1);
    lr_proxy_header header;
    lr_proxy_result result;

    assert_non_null(block);
    memcpy(block, from->bytes, len);
    result = lr_proxy_parse(lr_slice_of(block, len), &header, reason);
    if (result == LR_PROXY_DONE)
        assert_int_equal(header.size, from->len);
    else
        assert_int_equal(header.version + header.size + header.tlvs.len, 0);
    free(block);
    return result;
}

/* A right header: more, more, ..., done; and what follows changes nothing. */
static lr_proxy_header expect_done(const proxy_bytes *from)
{
    static proxy_bytes longer; /* what it returns points into it */
    const char *reason;
    lr_proxy_header header;

    for (size_t len = 0; len < from->len; len++)
        assert_int_equal(parse_exactly(from, len, &reason), LR_PROXY_MORE);
    assert_int_equal(parse_exactly(from, from->len, &reason), LR_PROXY_DONE);
    longer = *from;
    proxy_add(&longer, "\r\n\r\nPROXY TCP4 \x16\x03\x01", 18);
    assert_int_equal(lr_proxy_parse(lr_slice_of(longer.bytes, longer.len), &header, &reason),
                     LR_PROXY_DONE);
    assert_null(reason);
    assert_int_equal(header.size, from->len);
    return header;
}

/* A wrong one: more, ..., refused, and refused for the same reason from there on. */
static void expect_refused(const proxy_bytes *from, const char *word)
{
    const char *first = NULL, *reason;

    for (size_t len = 0; len <= from->len; len++) {
        lr_proxy_result result = parse_exactly(from, len, &reason);

        if (first)
            assert_ptr_equal(reason, first);
        assert_int_equal(result, reason ? LR_PROXY_REFUSED : LR_PROXY_MORE);
        first = reason;
    }
    if (!first)
        fail_msg("not refused: %s", word);
    if (!strstr(first, word))
        fail_msg("refused as '%s', not '%s'", first, word);
}

static void expect_address(const lr_address *address, const char *text, uint16_t port)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    uint8_t bytes[16] = {0};

    assert_int_equal(inet_pton(family, text, bytes), 1);
    assert_int_equal(address->family, family == AF_INET ? LR_FAMILY_IPV4 : LR_FAMILY_IPV6);
    assert_memory_equal(address->bytes, bytes, 16);
    assert_int_equal(address->port, port);
}

static void version_1_gives_addresses_of_both_families(void **state)
{
    proxy_bytes in;
    lr_proxy_header header;

    (void)state;
    proxy_v1(&in, "PROXY TCP4 192.0.2.7 198.51.100.255 65535 0");
    header = expect_done(&in);
    assert_int_equal(header.version, 1);
    expect_address(&header.source, "192.0.2.7", 65535);
    expect_address(&header.destination, "198.51.100.255", 0);
    proxy_v1(&in, "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 443");
    header = expect_done(&in);
    expect_address(&header.source, "2001:db8::1", 1);
    expect_address(&header.destination, "::ffff:192.0.2.1", 443);
    assert_false(header.is_local || header.has_crc || header.tlvs.len != 0);
}

static void version_1_unknown_keeps_the_socket_and_ignores_its_line(void **state)
{
    static const char longest[] = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                                  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535";
    static const char *const lines[] = {"PROXY UNKNOWN", "PROXY UNKNOWN ",
                                        "PROXY UNKNOWN 1.2.3.4 no address at all", longest};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(lines); i++) {
        proxy_bytes in;
        lr_proxy_header header;

        proxy_v1(&in, lines[i]);
        header = expect_done(&in);
        assert_int_equal(header.source.family, LR_FAMILY_NONE);
        assert_int_equal(header.destination.family, LR_FAMILY_NONE);
        if (i == 3)
            assert_int_equal(in.len, LR_PROXY_V1_MAX);
    }
}

static void version_1_is_read_strictly(void **state)
{
    static const struct {
        const char *line, *word;
    } wrong[] = {
        {"PROXY  TCP4 1.2.3.4 1.2.3.4 1 1", "neither"},
        {"PROXY tcp4 1.2.3.4 1.2.3.4 1 1", "neither"},
        {"PROXY UDP4 1.2.3.4 1.2.3.4 1 1", "neither"},
        {"PROXY UNKNOWNS", "neither"},
        {"PROXY ", "neither"},
        {"PROXY TCP4", "address"},
        {"PROXY TCP4 1.2.3.4", "address"},
        {"PROXY TCP4 1.2.3.4  1.2.3.4 1 1", "address"},
        {"PROXY TCP4 1.2.3 1.2.3.4 1 1", "address"},
        {"PROXY TCP4 01.2.3.4 1.2.3.4 1 1", "address"},
        {"PROXY TCP4 1.2.3.256 1.2.3.4 1 1", "address"},
        {"PROXY TCP4 ::1 1.2.3.4 1 1", "address"},
        {"PROXY TCP6 ::1 1.2.3.4 1 1", "address"},
        {"PROXY TCP6 ::1%lo ::1 1 1", "address"},
        {"PROXY TCP6 0000000000000000000000000000000000000000000000001 ::1 1 1", "address"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 ", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 01 1", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 +1 1", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 ", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 000001", "port"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4\t1 1", "not text"},
        {"PROXY UNKNOWN \x80", "not text"},
        {"PROXY UNKNOWN \x7f", "not text"},
        {"PROXY UNKNOWN\n", "not text"},
        {"PROXY UNKNOWN\rx", "CR without LF"},
        {"PROXY UNKNOWN\r", "CR without LF"},
        {"proxy UNKNOWN", "no header"},
        {"GET / HTTP/1.1", "no header"},
        {"\x16\x03\x01", "no header"},
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 ",
         "longer than 107"},
    };
    proxy_bytes in;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(wrong); i++) {
        proxy_v1(&in, wrong[i].line);
        expect_refused(&in, wrong[i].word);
    }
    in.len = 0;
    proxy_add(&in, "PROXY UNKNOWN \0\r\n", 17);
    expect_refused(&in, "not text");
}

static void version_2_gives_addresses_of_every_family(void **state)
{
    uint8_t paths[216] = {0};
    proxy_bytes in;
    lr_proxy_header header;

    (void)state;
    proxy_v2_from(&in, "192.0.2.7", 1234, "198.51.100.1", 443);
    header = expect_done(&in);
    assert_int_equal(header.version, 2);
    expect_address(&header.source, "192.0.2.7", 1234);
    expect_address(&header.destination, "198.51.100.1", 443);
    proxy_v2_from(&in, "2001:db8::1", 65535, "2001:db8::2", 8443);
    header = expect_done(&in);
    expect_address(&header.source, "2001:db8::1", 65535);
    expect_address(&header.destination, "2001:db8::2", 8443);
    memset(paths, 'x', 108); /* without an end */
    memcpy(paths + 108, "\0abstract\0name", 14);
    proxy_v2(&in, PROXY_PROXY, PROXY_UNIX, paths, sizeof(paths));
    header = expect_done(&in);
    assert_int_equal(header.source.family, LR_FAMILY_UNIX);
    assert_int_equal(header.source_path.len, 108);
    assert_int_equal(header.destination_path.len, 14);
    assert_memory_equal(header.destination_path.bytes, "\0abstract\0name", 14);
    memcpy(paths, "/run/x\0y", 9);
    memset(paths + 108, 0, 108);
    proxy_v2(&in, PROXY_PROXY, PROXY_UNIX, paths, sizeof(paths));
    header = expect_done(&in);
    assert_int_equal(header.source_path.len, 6);
    assert_int_equal(header.destination_path.len, 0);
}

static void local_and_unspec_keep_the_addresses_of_the_socket(void **state)
{
    static const uint8_t rubbish[40] = {0xff, 0xff, 0xff};
    proxy_bytes in;
    lr_proxy_header header;

    (void)state;
    proxy_v2(&in, PROXY_LOCAL, PROXY_UNSPEC, NULL, 0);
    header = expect_done(&in);
    assert_true(header.is_local);
    assert_int_equal(header.source.family, LR_FAMILY_NONE);
    proxy_v2(&in, PROXY_LOCAL, 0xee, rubbish, sizeof(rubbish)); /* all of it is skipped */
    header = expect_done(&in);
    assert_true(header.is_local);
    assert_int_equal(header.tlvs.len, 0);
    proxy_v2_from(&in, "192.0.2.7", 1234, "198.51.100.1", 443);
    in.bytes[12] = PROXY_LOCAL;
    assert_int_equal(expect_done(&in).source.family, LR_FAMILY_NONE);
    proxy_v2(&in, PROXY_PROXY, PROXY_UNSPEC, NULL, 0);
    proxy_tlv(&in, LR_PROXY_AUTHORITY, "name", 4);
    header = expect_done(&in);
    assert_false(header.is_local);
    assert_int_equal(header.source.family, LR_FAMILY_NONE);
    assert_int_equal(header.tlvs.len, 7);
}

static void version_2_is_read_strictly(void **state)
{
    static const uint8_t block[300] = {0};
    static const struct {
        uint8_t command, family;
        size_t len;
        const char *word;
    } wrong[] = {
        {0x11, PROXY_TCP4, 12, "version"},
        {0x31, PROXY_TCP4, 12, "version"},
        {0x22, PROXY_TCP4, 12, "command"},
        {0x2f, PROXY_TCP4, 12, "command"},
        {0x21, 0x12, 12, "stream"},
        {0x21, 0x22, 36, "stream"},
        {0x21, 0x32, 216, "stream"},
        {0x21, 0x10, 12, "stream"},
        {0x21, 0x01, 12, "stream"},
        {0x21, 0x41, 12, "stream"},
        {0x21, PROXY_TCP4, 0, "room"},
        {0x21, PROXY_TCP4, 11, "room"},
        {0x21, PROXY_TCP6, 35, "room"},
        {0x21, PROXY_UNIX, 215, "room"},
        {0x21, PROXY_TCP4, 13, "ends outside"},
        {0x21, PROXY_UNSPEC, 2, "ends outside"},
    };
    proxy_bytes in;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(wrong); i++) {
        proxy_v2(&in, wrong[i].command, wrong[i].family, block, wrong[i].len);
        expect_refused(&in, wrong[i].word);
    }
    for (size_t i = 1; i < 12; i++) {
        proxy_v2(&in, PROXY_LOCAL, PROXY_UNSPEC, NULL, 0);
        in.bytes[i] ^= 1;
        expect_refused(&in, "no header");
    }
}

static void version_2_has_at_most_1000_bytes(void **state)
{
    static const uint8_t filler[1000] = {0};
    proxy_bytes in;

    (void)state;
    proxy_v2(&in, PROXY_LOCAL, PROXY_UNSPEC, filler, LR_PROXY_SIZE_MAX - 16);
    (void)expect_done(&in);
    proxy_v2(&in, PROXY_LOCAL, PROXY_UNSPEC, filler, LR_PROXY_SIZE_MAX - 15);
    expect_refused(&in, "longer than 1000");
    in.bytes[14] = in.bytes[15] = 0xff;
    expect_refused(&in, "longer than 1000");
}

static void expect_tlv(lr_slice tlvs, uint8_t type, const void *value, size_t len)
{
    lr_slice found;

    assert_true(lr_proxy_tlv_find(tlvs, type, &found));
    assert_int_equal(found.len, len);
    if (len > 0)
        assert_memory_equal(found.bytes, value, len);
}

static void add_ssl(proxy_bytes *to)
{
    proxy_bytes ssl = {.len = 0};

    proxy_add(&ssl, "\x07\0\0\x01\x02", 5);
    proxy_add(&ssl, "\x21\0\x07TLSv1.3", 10);
    proxy_add(&ssl,
              "\x22\0\x06"
              "client",
              9);
    proxy_tlv(to, LR_PROXY_SSL, ssl.bytes, ssl.len);
}

static void every_tlv_can_be_found_and_walked(void **state)
{
    static const uint8_t order[] = {
        LR_PROXY_ALPN, LR_PROXY_AUTHORITY, LR_PROXY_NOOP, LR_PROXY_UNIQUE_ID,
        LR_PROXY_SSL,  LR_PROXY_NETNS,     LR_PROXY_NOOP, 0xea,
        0xea,          LR_PROXY_CRC32C};
    uint8_t id[LR_PROXY_UNIQUE_ID_MAX];
    proxy_bytes in;
    lr_proxy_header header;
    lr_proxy_tlv tlv;
    lr_proxy_ssl ssl;
    lr_slice value;
    size_t count = 0;

    (void)state;
    memset(id, 7, sizeof(id));
    proxy_v2_from(&in, "192.0.2.7", 1234, "198.51.100.1", 443);
    proxy_tlv(&in, LR_PROXY_ALPN, "h2", 2);
    proxy_tlv(&in, LR_PROXY_AUTHORITY, "example.org", 11);
    proxy_tlv(&in, LR_PROXY_NOOP, "\0\0\0\0", 5);
    proxy_tlv(&in, LR_PROXY_UNIQUE_ID, id, sizeof(id));
    add_ssl(&in);
    proxy_tlv(&in, LR_PROXY_NETNS, "blue", 4);
    proxy_tlv(&in, LR_PROXY_NOOP, "", 0);
    proxy_tlv(&in, 0xea, "vpce-1", 6);
    proxy_tlv(&in, 0xea, "again", 5);
    proxy_crc(&in);
    header = expect_done(&in);
    assert_true(header.has_crc);
    expect_tlv(header.tlvs, LR_PROXY_ALPN, "h2", 2);
    expect_tlv(header.tlvs, LR_PROXY_AUTHORITY, "example.org", 11);
    expect_tlv(header.tlvs, LR_PROXY_UNIQUE_ID, id, sizeof(id));
    expect_tlv(header.tlvs, LR_PROXY_NETNS, "blue", 4);
    expect_tlv(header.tlvs, 0xea, "vpce-1", 6);
    assert_false(lr_proxy_tlv_find(header.tlvs, 0xeb, &value));
    assert_true(lr_proxy_tlv_find(header.tlvs, LR_PROXY_SSL, &value));
    assert_true(lr_proxy_ssl_read(value, &ssl));
    assert_int_equal(ssl.client, 7);
    assert_int_equal(ssl.verify, 0x102);
    expect_tlv(ssl.tlvs, LR_PROXY_SSL_CN, "client", 6);
    while (lr_proxy_tlv_next(&header.tlvs, &tlv))
        assert_int_equal(tlv.type, order[count++]);
    assert_int_equal(count, sizeof(order));
    assert_int_equal(header.tlvs.len, 0);
}

static void a_wrong_sum_is_refused_whichever_bit_is_wrong(void **state)
{
    const char *reason;
    proxy_bytes in;

    (void)state;
    proxy_v2_from(&in, "2001:db8::1", 65535, "2001:db8::2", 8443);
    proxy_tlv(&in, LR_PROXY_AUTHORITY, "example.org", 11);
    proxy_crc(&in);
    (void)expect_done(&in);
    for (size_t i = 16 * 8; i < in.len * 8; i++) {
        in.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(parse_exactly(&in, in.len, &reason), LR_PROXY_MORE);
        if (i < 52 * 8 || i >= (in.len - 4) * 8) /* not the types and lengths of TLVs */
            expect_refused(&in, "CRC32C is wrong");
        in.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    (void)expect_done(&in);
}

/* The sum that the specification's own polynomial gives for a header that was made by hand. */
static void a_known_sum_is_right(void **state)
{
    static const uint8_t known[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
                                    0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x13, 0x7f, 0x00,
                                    0x00, 0x01, 0x7f, 0x00, 0x00, 0x01, 0x30, 0x39, 0x20,
                                    0xfb, 0x03, 0x00, 0x04, 0x9c, 0x28, 0x22, 0x5f};
    proxy_bytes in = {.len = 0};

    (void)state;
    proxy_add(&in, known, sizeof(known));
    assert_true(expect_done(&in).has_crc);
}

static void wrong_tlvs_are_refused(void **state)
{
    static const uint8_t once[] = {LR_PROXY_ALPN, LR_PROXY_AUTHORITY, LR_PROXY_UNIQUE_ID,
                                   LR_PROXY_NETNS};
    static const uint8_t id[LR_PROXY_UNIQUE_ID_MAX + 1] = {0};
    static const struct {
        const char *value;
        size_t len;
    } ssl[] = {{"", 0}, {"\1\0\0\0", 4}, {"\1\0\0\0\0\x21", 6}, {"\1\0\0\0\0\x21\0\2x", 9}};
    proxy_bytes good, in;

    (void)state;
    proxy_v2_from(&good, "192.0.2.7", 1234, "198.51.100.1", 443);
    in = good;
    proxy_tlv(&in, LR_PROXY_UNIQUE_ID, id, sizeof(id));
    expect_refused(&in, "UNIQUE_ID");
    in = good;
    proxy_tlv(&in, LR_PROXY_CRC32C, "\0\0\0\0", 5);
    expect_refused(&in, "not of four");
    in = good;
    proxy_tlv(&in, LR_PROXY_CRC32C, "\0\0", 3);
    expect_refused(&in, "not of four");
    for (size_t i = 0; i < LR_ARRAY_COUNT(ssl); i++) {
        in = good;
        proxy_tlv(&in, LR_PROXY_SSL, ssl[i].value, ssl[i].len);
        expect_refused(&in, "SSL");
    }
    for (size_t i = 0; i < LR_ARRAY_COUNT(once); i++) {
        in = good;
        proxy_tlv(&in, once[i], "x", 1);
        (void)expect_done(&in);
        proxy_tlv(&in, once[i], "x", 1);
        expect_refused(&in, "comes again");
    }
    in = good;
    proxy_tlv(&in, LR_PROXY_ALPN, "h2", 2);
    in.bytes[in.len - 3] = 3; /* one more than there is */
    expect_refused(&in, "ends outside");
    in.bytes[in.len - 3] = 1;
    expect_refused(&in, "ends outside");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_gives_addresses_of_both_families),
        cmocka_unit_test(version_1_unknown_keeps_the_socket_and_ignores_its_line),
        cmocka_unit_test(version_1_is_read_strictly),
        cmocka_unit_test(version_2_gives_addresses_of_every_family),
        cmocka_unit_test(local_and_unspec_keep_the_addresses_of_the_socket),
        cmocka_unit_test(version_2_is_read_strictly),
        cmocka_unit_test(version_2_has_at_most_1000_bytes),
        cmocka_unit_test(every_tlv_can_be_found_and_walked),
        cmocka_unit_test(a_wrong_sum_is_refused_whichever_bit_is_wrong),
        cmocka_unit_test(a_known_sum_is_right),
        cmocka_unit_test(wrong_tlvs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
