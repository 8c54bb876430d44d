/* SPDX-License-Identifier: MIT */
/* The gatherer of core/tls/hello.h. Every stream is given in one piece, byte by byte and cut once
 * at every position, each piece in memory of its own size, and must end the same way each time. */
#include "core/base/compiler.h"
#include "core/tls/hello.h"
#include "hello_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* How the gathering of one stream ended. */
typedef struct outcome {
    lr_status status;
    lr__hello_fault fault;
    lr__hello_gather gather;
    size_t used; /* bytes of the stream */
    uint8_t message[LR__HELLO_MESSAGE_MAX];
} outcome;

static const lr__hello_gather first_hello = {0};
static const lr__hello_gather second_hello = {.second = true};

static void begin(outcome *o, const lr__hello_gather *start)
{
    memset(o, 0, sizeof(*o));
    o->status = LR_EAGAIN;
    o->gather = *start;
}

/* Gives the next piece, from memory that holds nothing else and is gone afterwards. */
static void give(outcome *o, const uint8_t *bytes, size_t len)
{
    uint8_t *copy;
    lr_slice in;

    if (o->status != LR_EAGAIN)
        return;
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    in = lr_slice_of(copy, len);
    o->status = lr__hello_take(&o->gather, &in, o->message, &o->fault);
    assert_ptr_equal(in.bytes + in.len, copy + len);
    if (o->status == LR_EAGAIN)
        assert_int_equal(in.len, 0);
    o->used += len - in.len;
    free(copy);
}

static void assert_same(const outcome *a, const outcome *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->used, b->used);
    assert_int_equal(a->gather.message_len, b->gather.message_len);
    assert_int_equal(a->gather.wire_len, b->gather.wire_len);
    assert_int_equal(a->fault.status, b->fault.status);
    assert_int_equal(a->fault.alert, b->fault.alert);
    assert_int_equal(a->fault.peer_alert, b->fault.peer_alert);
    assert_ptr_equal(a->fault.what, b->fault.what);
    assert_memory_equal(a->message, b->message, a->gather.message_len);
}

/* Gathers in one piece into *whole, and checks that no other cut ends in another way. */
static void take(outcome *whole, const lr__hello_gather *start, const uint8_t *wire, size_t len)
{
    static outcome cut;
    size_t step = len > 1500 ? len / 700 : 1;

    begin(whole, start);
    give(whole, wire, len);
    begin(&cut, start);
    for (size_t i = 0; i < len; i++)
        give(&cut, wire + i, 1);
    assert_same(whole, &cut);
    for (size_t at = 0; at <= len; at += step) {
        begin(&cut, start);
        give(&cut, wire, at);
        give(&cut, wire + at, len - at);
        assert_same(whole, &cut);
    }
}

static void assert_taken(const lr__hello_gather *start, const uint8_t *wire, size_t len,
                         const uint8_t *message, size_t message_len)
{
    static outcome o;

    take(&o, start, wire, len);
    assert_int_equal(o.status, LR_OK);
    assert_int_equal(o.used, len);
    assert_int_equal(o.gather.message_len, message_len);
    assert_memory_equal(o.message, message, message_len);
}

/* used: the bytes at whose last one the verdict falls. */
static void assert_refused(const lr__hello_gather *start, const void *wire, size_t len, size_t used,
                           lr_status status, int alert)
{
    static outcome o;

    take(&o, start, wire, len);
    assert_int_equal(o.status, status);
    assert_int_equal(o.fault.status, status);
    assert_int_equal(o.fault.alert, alert);
    assert_int_equal(o.used, used);
    assert_non_null(o.fault.what);
    if (status != LR_EALERT)
        assert_int_equal(o.fault.peer_alert, -1);
}

/* As above, where the verdict falls at the last byte given. */
static void assert_refused_at_end(const lr__hello_gather *start, const void *wire, size_t len,
                                  lr_status status, int alert)
{
    assert_refused(start, wire, len, len, status, alert);
}

#define REFUSED(start, literal, status, alert)                                                     \
    assert_refused_at_end(start, literal, sizeof(literal) - 1, status, alert)

static void assert_waits(const lr__hello_gather *start, const void *wire, size_t len)
{
    static outcome o;

    take(&o, start, wire, len);
    assert_int_equal(o.status, LR_EAGAIN);
    assert_int_equal(o.used, len);
}

/* A message and its records in static memory. */
static uint8_t message[HELLO_ROOM];
static uint8_t wire[256 * 1024];

static size_t make(unsigned flags, size_t message_len)
{
    static hello_plan plan;

    plan.flags = flags;
    plan.session_id_len = 32;
    plan.message_len = message_len;
    return hello_make(&plan, message);
}

static void a_hello_cut_at_every_byte_is_the_same_hello(void **state)
{
    static const unsigned kinds[] = {HELLO_TLS13, HELLO_TLS13 | HELLO_GREASE | HELLO_PSK,
                                     HELLO_TLS12, HELLO_NO_EXTENSIONS};

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(kinds); i++) {
        size_t len = make(kinds[i], 0);

        assert_taken(&first_hello, wire, hello_cut(message, len, 16384, wire), message, len);
    }
}

static void a_post_quantum_hello_over_two_segments_is_the_same_hello(void **state)
{
    size_t len = make(HELLO_TLS13 | HELLO_MLKEM | HELLO_GREASE, 0);

    (void)state;
    assert_in_range(len, 1450, 2000);
    assert_taken(&first_hello, wire, hello_cut(message, len, 16384, wire), message, len);
}

static void a_hello_cut_at_two_places_is_the_same_hello(void **state)
{
    static outcome whole, cut;
    size_t len = make(HELLO_TLS13, 517);
    size_t wire_len = hello_cut(message, len, 200, wire);

    (void)state;
    begin(&whole, &first_hello);
    give(&whole, wire, wire_len);
    assert_int_equal(whole.status, LR_OK);
    for (size_t a = 0; a < wire_len; a += 3)
        for (size_t b = a; b < wire_len; b += 7) {
            begin(&cut, &first_hello);
            give(&cut, wire, a);
            give(&cut, wire + a, b - a);
            give(&cut, wire + b, wire_len - b);
            assert_same(&whole, &cut);
        }
}

static void a_hello_in_records_of_any_size_is_the_same_hello(void **state)
{
    static outcome o;
    size_t len = make(HELLO_TLS13, 0);

    (void)state;
    for (size_t fragment = 1; fragment <= len + 1; fragment++) {
        size_t wire_len = hello_cut(message, len, fragment, wire);

        begin(&o, &first_hello);
        give(&o, wire, wire_len);
        assert_int_equal(o.status, LR_OK);
        assert_int_equal(o.used, wire_len);
        assert_int_equal(o.gather.message_len, len);
        assert_memory_equal(o.message, message, len);
    }
    assert_taken(&first_hello, wire, hello_cut(message, len, 1, wire), message, len);
    assert_taken(&first_hello, wire, hello_cut(message, len, 3, wire), message, len);
}

static void the_largest_hello_fits_and_a_larger_one_is_refused(void **state)
{
    size_t len = make(HELLO_TLS13, LR__HELLO_MESSAGE_MAX), wire_len;

    (void)state;
    assert_int_equal(len, LR__HELLO_MESSAGE_MAX);
    assert_taken(&first_hello, wire, hello_cut(message, len, 16384, wire), message, len);
    len = make(HELLO_TLS13, LR__HELLO_MESSAGE_MAX + 1);
    wire_len = hello_cut(message, len, 16384, wire);
    assert_refused(&first_hello, wire, wire_len, 5 + 4, LR_EHELLO_SIZE,
                   LR__ALERT_ILLEGAL_PARAMETER);
    REFUSED(&first_hello, "\x16\x03\x01\x00\x04\x01\xff\xff\xff", LR_EHELLO_SIZE,
            LR__ALERT_ILLEGAL_PARAMETER);
}

static void a_hello_over_the_wire_limit_is_refused_at_the_limit(void **state)
{
    size_t len = make(HELLO_TLS13, 65536 / 6), wire_len; /* in records of one byte */

    (void)state;
    wire_len = hello_cut(message, len, 1, wire);
    assert_in_range(wire_len, LR__HELLO_WIRE_MAX - 6, LR__HELLO_WIRE_MAX);
    assert_taken(&first_hello, wire, wire_len, message, len);
    len = make(HELLO_TLS13, 65536 / 6 + 1);
    wire_len = hello_cut(message, len, 1, wire);
    assert_refused(&first_hello, wire, wire_len, LR__HELLO_WIRE_MAX, LR_EHELLO_SIZE,
                   LR__ALERT_ILLEGAL_PARAMETER);
    /* The limit in the middle of a longer fragment: 16384 bytes in records of one, then the rest.
     */
    len = make(HELLO_TLS13, LR__HELLO_MESSAGE_MAX);
    wire_len = hello_cut(message, 10000, 1, wire);
    wire_len += hello_cut(message + 10000, len - 10000, 16384, wire + wire_len);
    assert_refused(&first_hello, wire, wire_len, LR__HELLO_WIRE_MAX, LR_EHELLO_SIZE,
                   LR__ALERT_ILLEGAL_PARAMETER);
}

static void a_hello_that_ends_at_the_wire_limit_is_taken(void **state)
{
    size_t len = make(HELLO_TLS13, LR__HELLO_MESSAGE_MAX), wire_len = 0;
    size_t ones = 9829; /* 9829 * 6 + 5 + (16384 - 9829) = 65534 */

    (void)state;
    wire_len = hello_cut(message, ones, 1, wire);
    wire_len += hello_cut(message + ones, len - ones, 16384, wire + wire_len);
    assert_int_equal(wire_len, LR__HELLO_WIRE_MAX - 2);
    assert_taken(&first_hello, wire, wire_len, message, len);
    len = make(HELLO_TLS13, LR__HELLO_MESSAGE_MAX - 3);
    wire_len = hello_cut(message, ones + 1, 1, wire);
    wire_len += hello_cut(message + ones + 1, len - ones - 1, 16384, wire + wire_len);
    assert_int_equal(wire_len, LR__HELLO_WIRE_MAX);
    assert_taken(&first_hello, wire, wire_len, message, len);
}

static void what_follows_the_hellos_record_is_left_alone(void **state)
{
    static outcome o;
    size_t len = make(HELLO_TLS13 | HELLO_PSK | HELLO_EARLY_DATA, 0);
    size_t wire_len = hello_cut(message, len, 100, wire);

    (void)state;
    memcpy(wire + wire_len, "\x17\x03\x03\x00\x20", 5);
    take(&o, &first_hello, wire, wire_len + 5);
    assert_int_equal(o.status, LR_OK);
    assert_int_equal(o.used, wire_len);
}

static void no_bytes_change_nothing(void **state)
{
    lr__hello_gather gather = {0};
    lr__hello_fault fault = {0};
    lr_slice nothing = {NULL, 0};

    (void)state;
    assert_int_equal(lr__hello_take(&gather, &nothing, message, &fault), LR_EAGAIN);
    assert_int_equal(gather.wire_len, 0);
    assert_null(fault.what);
}

static void bytes_behind_the_hello_in_its_record_are_refused(void **state)
{
    size_t len = make(HELLO_TLS13, 0), wire_len;

    (void)state;
    wire_len = hello_cut(message, len + 1, 16384, wire);
    assert_refused(&first_hello, wire, wire_len, 5 + 4, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    /* In the last of several records it shows when that record's length is known. */
    wire_len = hello_cut(message, len + 1, len - 10, wire);
    assert_refused(&first_hello, wire, wire_len, 5 + (len - 10) + 5, LR_EHELLO,
                   LR__ALERT_UNEXPECTED_MESSAGE);
    /* A hello without a body, and a byte. */
    REFUSED(&first_hello, "\x16\x03\x01\x00\x05\x01\x00\x00\x00", LR_EHELLO,
            LR__ALERT_UNEXPECTED_MESSAGE);
}

static void another_handshake_message_is_refused_at_its_first_byte(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t bytes[] = {0x16, 3, 1, 0, 4, (uint8_t)type};

        if (type == 1)
            assert_waits(&first_hello, bytes, sizeof(bytes));
        else
            assert_refused_at_end(&first_hello, bytes, sizeof(bytes), LR_EHELLO,
                                  LR__ALERT_UNEXPECTED_MESSAGE);
    }
}

static void any_minor_record_version_is_taken(void **state)
{
    static const uint8_t empty[] = {1, 0, 0, 0};

    (void)state;
    for (unsigned minor = 0; minor < 256; minor++) {
        uint8_t bytes[] = {0x16, 3, (uint8_t)minor, 0, 4, 1, 0, 0, 0};

        assert_taken(&first_hello, bytes, sizeof(bytes), empty, sizeof(empty));
    }
}

static void any_other_major_record_version_is_refused(void **state)
{
    (void)state;
    for (unsigned major = 0; major < 256; major++) {
        uint8_t bytes[] = {0x16, (uint8_t)major};
        uint8_t later[] = {0x16, 3, 1, 0, 1, 1, 0x16, (uint8_t)major};

        if (major == 3)
            continue;
        assert_refused_at_end(&first_hello, bytes, sizeof(bytes), LR_EVERSION,
                              LR__ALERT_PROTOCOL_VERSION);
        assert_refused_at_end(&second_hello, bytes, sizeof(bytes), LR_EVERSION,
                              LR__ALERT_PROTOCOL_VERSION);
        assert_refused_at_end(&first_hello, later, sizeof(later), LR_EVERSION,
                              LR__ALERT_PROTOCOL_VERSION);
    }
}

static void an_empty_handshake_fragment_is_refused(void **state)
{
    (void)state;
    REFUSED(&first_hello, "\x16\x03\x01\x00\x00", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&second_hello, "\x16\x03\x01\x00\x00", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00", LR_EHELLO,
            LR__ALERT_UNEXPECTED_MESSAGE);
}

static void a_record_over_16384_bytes_is_refused(void **state)
{
    (void)state;
    assert_waits(&first_hello, "\x16\x03\x01\x40\x00", 5);
    REFUSED(&first_hello, "\x16\x03\x01\x40\x01", LR_EHELLO, LR__ALERT_RECORD_OVERFLOW);
    REFUSED(&first_hello, "\x16\x03\x01\xff\xff", LR_EHELLO, LR__ALERT_RECORD_OVERFLOW);
    REFUSED(&first_hello, "\x16\x03\x01\x00\x01\x01\x16\x03\x01\x40\x01", LR_EHELLO,
            LR__ALERT_RECORD_OVERFLOW);
}

static void plain_http_is_told_by_its_name(void **state)
{
    static const char *const methods[] = {"GET ", "POST", "HEAD", "PUT ", "OPTI",
                                          "CONN", "DELE", "PATC", "TRAC", "PRI "};
    static outcome o;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(methods); i++) {
        for (size_t len = 1; len < 4; len++)
            assert_waits(&first_hello, methods[i], len);
        assert_refused_at_end(&first_hello, methods[i], 4, LR_ENOTTLS,
                              LR__ALERT_UNEXPECTED_MESSAGE);
        take(&o, &first_hello, (const uint8_t *)methods[i], 4);
        assert_non_null(strstr(o.fault.what, "HTTP"));
        /* Behind a HelloRetryRequest it is no hello, whatever it looks like. */
        assert_refused(&second_hello, methods[i], 4, 1, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    }
}

static void a_proxy_header_is_told_by_its_name(void **state)
{
    static outcome o;

    (void)state;
    REFUSED(&first_hello, "PROX", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "\r\n\r\n", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
    take(&o, &first_hello, (const uint8_t *)"\r\n\r\n", 4);
    assert_non_null(strstr(o.fault.what, "PROXY"));
}

static void garbage_is_refused_as_soon_as_it_is_none_of_the_known(void **state)
{
    (void)state;
    REFUSED(&first_hello, "\n", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "S", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE); /* SSH-2.0 */
    REFUSED(&first_hello, "GU", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "PUS", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "GETS", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "g", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
}

static void every_first_byte_waits_or_is_refused_in_the_right_way(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t byte = (uint8_t)first;

        if (first == 21 || first == 22 || first >= 0x80 ||
            memchr("GPHOCDT\r", (int)first, 8) != NULL) {
            assert_waits(&first_hello, &byte, 1);
            continue;
        }
        assert_refused_at_end(&first_hello, &byte, 1,
                              first >= 20 && first <= 24 ? LR_EHELLO : LR_ENOTTLS,
                              LR__ALERT_UNEXPECTED_MESSAGE);
    }
}

static void an_sslv2_hello_is_a_version_nobody_speaks(void **state)
{
    (void)state;
    assert_waits(&first_hello, "\x80\x2e", 2);
    REFUSED(&first_hello, "\x80\x2e\x01", LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
    REFUSED(&first_hello, "\xff\xff\x01", LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
    assert_refused(&first_hello, "\x80\x2e\x01\x03\x01\x00\x15", 7, 3, LR_EVERSION,
                   LR__ALERT_PROTOCOL_VERSION);
    REFUSED(&first_hello, "\x80\x2e\x02", LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE);
    assert_refused(&second_hello, "\x80\x2e\x01", 3, 1, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
}

static void an_alert_in_place_of_the_hello_ends_without_an_answer(void **state)
{
    static outcome o;

    (void)state;
    REFUSED(&first_hello, "\x15\x03\x01\x00\x02\x01\x00", LR_EALERT, -1);
    REFUSED(&second_hello, "\x15\x03\x03\x00\x02\x02\x2f", LR_EALERT, -1);
    REFUSED(&second_hello, "\x14\x03\x03\x00\x01\x01\x15\x03\x03\x00\x02\x02\x2f", LR_EALERT, -1);
    REFUSED(&first_hello, "\x16\x03\x01\x00\x02\x01\x00\x15\x03\x03\x00\x02\x01\x5a", LR_EALERT,
            -1);
    for (unsigned description = 0; description < 256; description++) {
        uint8_t bytes[] = {0x15, 3, 3, 0, 2, 2, (uint8_t)description};

        take(&o, &first_hello, bytes, sizeof(bytes));
        assert_int_equal(o.status, LR_EALERT);
        assert_int_equal(o.fault.peer_alert, description);
    }
    take(&o, &first_hello, (const uint8_t *)"\x15\x03\x03\x00\x02\x02\x30", 7);
    assert_non_null(strstr(o.fault.what, "unknown_ca"));
}

static void an_alert_record_that_is_not_one_alert_is_refused(void **state)
{
    (void)state;
    REFUSED(&first_hello, "\x15\x03\x01\x00\x00", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "\x15\x03\x01\x00\x01", LR_EHELLO, LR__ALERT_DECODE_ERROR);
    REFUSED(&first_hello, "\x15\x03\x01\x00\x03", LR_EHELLO, LR__ALERT_DECODE_ERROR);
    REFUSED(&first_hello, "\x15\x03\x01\x40\x02", LR_EHELLO, LR__ALERT_DECODE_ERROR);
    REFUSED(&first_hello, "\x15\x02", LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
}

static void a_change_cipher_spec_before_a_first_hello_is_refused(void **state)
{
    (void)state;
    REFUSED(&first_hello, "\x14", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
}

static void one_change_cipher_spec_may_precede_a_second_hello(void **state)
{
    size_t len = make(HELLO_TLS13 | HELLO_COOKIE, 0);

    (void)state;
    memcpy(wire, "\x14\x03\x03\x00\x01\x01", 6);
    assert_taken(&second_hello, wire, 6 + hello_cut(message, len, 50, wire + 6), message, len);
    assert_taken(&second_hello, wire, hello_cut(message, len, 50, wire), message, len);
}

static void any_other_change_cipher_spec_around_a_second_hello_is_refused(void **state)
{
    (void)state;
    REFUSED(&second_hello, "\x14\x03\x03\x00\x01\x01\x14", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&second_hello, "\x14\x03\x03\x00\x01\x00", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&second_hello, "\x14\x03\x03\x00\x01\x02", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&second_hello, "\x14\x03\x03\x00\x02", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&second_hello, "\x14\x03\x03\x00\x00", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&second_hello, "\x14\x02", LR_EVERSION, LR__ALERT_PROTOCOL_VERSION);
    /* Between fragments, in either mode. */
    REFUSED(&second_hello, "\x16\x03\x03\x00\x01\x01\x14", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "\x16\x03\x03\x00\x01\x01\x14", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
}

static void refused_early_data_is_skipped_before_a_second_hello(void **state)
{
    lr__hello_gather start = {.second = true, .early_left = 2 * (5 + 20)};
    size_t len = make(HELLO_TLS13, 0), at = 0;

    (void)state;
    memset(wire, 0, sizeof(wire));
    memcpy(wire, "\x14\x03\x03\x00\x01\x01", 6);
    memcpy(wire + 6, "\x17\x03\x03\x00\x14", 5);
    memcpy(wire + 31, "\x17\x03\x03\x00\x14", 5);
    at = 56;
    at += hello_cut(message, len, 50, wire + at);
    assert_taken(&start, wire, at, message, len);
    /* Not more than was allowed, none where none was offered, none between fragments. */
    start.early_left--;
    assert_refused(&start, wire, at, 36, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    assert_refused(&second_hello, wire, at, 7, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&start, "\x16\x03\x03\x00\x01\x01\x17", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    start.early_left = UINT32_MAX;
    REFUSED(&start, "\x17\x03\x03\x41\x01", LR_EHELLO, LR__ALERT_RECORD_OVERFLOW);
    /* Empty records use the allowance up as well. */
    start.early_left = 9;
    REFUSED(&start, "\x17\x03\x03\x00\x00\x17\x03\x03\x00\x00", LR_EHELLO,
            LR__ALERT_UNEXPECTED_MESSAGE);
}

static void other_records_between_fragments_are_refused(void **state)
{
    (void)state;
    REFUSED(&first_hello, "\x16\x03\x03\x00\x01\x01\x17", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "\x16\x03\x03\x00\x01\x01\x18", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "\x16\x03\x03\x00\x01\x01G", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
    REFUSED(&first_hello, "\x16\x03\x03\x00\x01\x01\x80", LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_cut_at_every_byte_is_the_same_hello),
        cmocka_unit_test(a_post_quantum_hello_over_two_segments_is_the_same_hello),
        cmocka_unit_test(a_hello_cut_at_two_places_is_the_same_hello),
        cmocka_unit_test(a_hello_in_records_of_any_size_is_the_same_hello),
        cmocka_unit_test(the_largest_hello_fits_and_a_larger_one_is_refused),
        cmocka_unit_test(a_hello_over_the_wire_limit_is_refused_at_the_limit),
        cmocka_unit_test(a_hello_that_ends_at_the_wire_limit_is_taken),
        cmocka_unit_test(what_follows_the_hellos_record_is_left_alone),
        cmocka_unit_test(no_bytes_change_nothing),
        cmocka_unit_test(bytes_behind_the_hello_in_its_record_are_refused),
        cmocka_unit_test(another_handshake_message_is_refused_at_its_first_byte),
        cmocka_unit_test(any_minor_record_version_is_taken),
        cmocka_unit_test(any_other_major_record_version_is_refused),
        cmocka_unit_test(an_empty_handshake_fragment_is_refused),
        cmocka_unit_test(a_record_over_16384_bytes_is_refused),
        cmocka_unit_test(plain_http_is_told_by_its_name),
        cmocka_unit_test(a_proxy_header_is_told_by_its_name),
        cmocka_unit_test(garbage_is_refused_as_soon_as_it_is_none_of_the_known),
        cmocka_unit_test(every_first_byte_waits_or_is_refused_in_the_right_way),
        cmocka_unit_test(an_sslv2_hello_is_a_version_nobody_speaks),
        cmocka_unit_test(an_alert_in_place_of_the_hello_ends_without_an_answer),
        cmocka_unit_test(an_alert_record_that_is_not_one_alert_is_refused),
        cmocka_unit_test(a_change_cipher_spec_before_a_first_hello_is_refused),
        cmocka_unit_test(one_change_cipher_spec_may_precede_a_second_hello),
        cmocka_unit_test(any_other_change_cipher_spec_around_a_second_hello_is_refused),
        cmocka_unit_test(refused_early_data_is_skipped_before_a_second_hello),
        cmocka_unit_test(other_records_between_fragments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
