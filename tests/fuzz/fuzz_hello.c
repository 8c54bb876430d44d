/* SPDX-License-Identifier: MIT */
/* Fuzzes core/tls/hello.h. The first byte tells what the input is:
 *   1      a handshake message; its length is corrected, then it is parsed
 *   2      a block of extensions, parsed inside an otherwise plain message
 *   other  wire bytes, gathered as a first and as a second hello: in one piece, byte by byte and
 *          cut at a place that the last two bytes name; what is complete is parsed
 * Checked are memory (the sanitizers do), that cuts change nothing, that what comes out lies inside
 * what went in, and that the questions about a hello agree with its lists. */
#include "core/base/check.h"
#include "core/base/hostname.h"
#include "core/tls/fingerprint.h"
#include "core/tls/hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Memory of exactly len bytes. */
static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    LR_CHECK(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

static void check_fault(lr_status status, const lr__hello_fault *fault)
{
    LR_CHECK(fault->status == status);
    LR_CHECK(fault->what != NULL && fault->what[0] != '\0');
    if (status == LR_EALERT) {
        LR_CHECK(fault->alert == -1 && fault->peer_alert >= 0 && fault->peer_alert <= 255);
        return;
    }
    LR_CHECK(status == LR_EHELLO || status == LR_ENOTTLS || status == LR_EVERSION ||
             status == LR_EHELLO_SIZE);
    LR_CHECK(fault->peer_alert == -1);
    switch (fault->alert) {
    case LR__ALERT_UNEXPECTED_MESSAGE:
    case LR__ALERT_RECORD_OVERFLOW:
    case LR__ALERT_HANDSHAKE_FAILURE:
    case LR__ALERT_ILLEGAL_PARAMETER:
    case LR__ALERT_DECODE_ERROR:
    case LR__ALERT_PROTOCOL_VERSION:
    case LR__ALERT_MISSING_EXTENSION:
        break;
    default:
        LR_UNREACHABLE();
    }
}

static void check_inside(const lr__hello *hello, lr_slice part)
{
    if (part.len == 0)
        return;
    LR_CHECK(part.bytes >= hello->message.bytes);
    LR_CHECK(part.len <= hello->message.len);
    LR_CHECK((size_t)(part.bytes - hello->message.bytes) <= hello->message.len - part.len);
}

static void check_walks(const lr__hello *hello)
{
    size_t at = 0, before = 0;
    lr_slice part;
    uint32_t age;

    while (lr__hello_alpn_next(hello, &at, &part)) {
        LR_CHECK(at > before && at <= hello->alpn.len && part.len > 0);
        check_inside(hello, part);
        before = at;
    }
    at = before = 0;
    while (lr__hello_psk_next(hello, &at, &part, &age)) {
        LR_CHECK(at > before && at <= hello->psk.len && part.len > 0);
        check_inside(hello, part);
        before = at;
    }
    LR_CHECK((before > 0) == hello->has_psk);
}

static void check_hello(const lr__hello *hello)
{
    char name[LR__HOSTNAME_MAX + 1];
    size_t name_len = 0;

    check_inside(hello, hello->random);
    check_inside(hello, hello->session_id);
    check_inside(hello, hello->cipher_suites);
    check_inside(hello, hello->extensions);
    check_inside(hello, hello->servername);
    check_inside(hello, hello->alpn);
    check_inside(hello, hello->sigalgs);
    check_inside(hello, hello->version_list);
    check_inside(hello, hello->group_list);
    check_inside(hello, hello->share_list);
    check_inside(hello, hello->session_ticket);
    check_inside(hello, hello->psk);
    LR_CHECK(hello->random.len == 32 && hello->session_id.len <= 32);
    LR_CHECK(hello->cipher_suites.len >= 2 && hello->legacy_version >= 0x0301);
    LR_CHECK(memchr(hello->name, 0, sizeof(hello->name)) != NULL);
    LR_CHECK((hello->name[0] != '\0') == (hello->servername.len > 0));
    if (hello->name[0] != '\0') {
        LR_CHECK(
            lr__hostname_canonical(lr_slice_of(hello->name, strlen(hello->name)), name, &name_len));
        LR_CHECK(strcmp(name, hello->name) == 0);
    }
    LR_CHECK(hello->version_count <= LR__HELLO_VERSIONS_MAX);
    LR_CHECK(hello->group_count <= LR__HELLO_GROUPS_MAX);
    LR_CHECK(hello->share_count <= LR__HELLO_GROUPS_MAX);
    for (size_t i = 0; i < hello->version_count; i++)
        LR_CHECK(lr__hello_offers_version(hello, hello->versions[i]));
    for (size_t i = 0; i < hello->group_count; i++)
        LR_CHECK(lr__hello_offers_group(hello, hello->groups[i]));
    for (size_t i = 0; i < hello->share_count; i++)
        LR_CHECK(lr__hello_has_share(hello, hello->shares[i]));
    if (lr__hello_offers_version(hello, 0x0304) && !hello->has_psk) {
        LR_CHECK(hello->has_key_share && hello->group_list.len > 0 && hello->sigalgs.len > 0);
        for (size_t i = 0; i < hello->share_count; i++)
            LR_CHECK(lr__hello_offers_group(hello, hello->shares[i]));
    }
    LR_CHECK(hello->max_fragment <= 4);
    LR_CHECK(lr__hello_same_identity(hello, hello));
    check_walks(hello);
}

static void check_fingerprints(const lr__hello *hello)
{
    char ja3[LR__JA3_SIZE], ja4[LR__JA4_SIZE];

    LR_CHECK(lr__ja3(hello, ja3) && strlen(ja3) == sizeof(ja3) - 1);
    LR_CHECK(lr__ja4(hello, ja4) && strlen(ja4) == sizeof(ja4) - 1);
    LR_CHECK(ja4[10] == '_' && ja4[23] == '_');
}

static void parse(const uint8_t *bytes, size_t len)
{
    static lr__hello hello, again;
    lr__hello_fault fault = {LR_OK, 0, NULL, 0}, fault_again = {LR_OK, 0, NULL, 0};
    uint8_t *message = copy_of(bytes, len);
    lr_status status;

    memset(&hello, 0xee, sizeof(hello));
    memset(&again, 0x11, sizeof(again));
    status = lr__hello_parse(lr_slice_of(message, len), &hello, &fault);
    LR_CHECK(lr__hello_parse(lr_slice_of(message, len), &again, &fault_again) == status);
    LR_CHECK(memcmp(&hello, &again, sizeof(hello)) == 0);
    LR_CHECK(fault.alert == fault_again.alert && fault.what == fault_again.what);
    LR_CHECK(memcmp(message, bytes, len) == 0);
    if (status == LR_OK)
        check_fingerprints(&hello);
    if (status == LR_OK)
        check_hello(&hello);
    else
        check_fault(status, &fault);
    free(message);
}

/* One stream, as far as it has been given. */
typedef struct stream {
    lr__hello_gather gather;
    lr__hello_fault fault;
    lr_status status;
    size_t used;
    uint8_t message[LR__HELLO_MESSAGE_MAX];
} stream;

static void give(stream *s, const uint8_t *bytes, size_t len)
{
    lr_slice in = lr_slice_of(bytes, len);

    if (s->status != LR_EAGAIN)
        return;
    s->status = lr__hello_take(&s->gather, &in, s->message, &s->fault);
    LR_CHECK(in.len <= len && in.bytes == bytes + (len - in.len));
    LR_CHECK(s->gather.message_len <= LR__HELLO_MESSAGE_MAX);
    LR_CHECK(s->gather.wire_len <= LR__HELLO_WIRE_MAX);
    if (s->status == LR_EAGAIN)
        LR_CHECK(in.len == 0);
    s->used += len - in.len;
}

static void begin(stream *s, const lr__hello_gather *start)
{
    s->gather = *start;
    s->fault = (lr__hello_fault){LR_OK, 0, NULL, 0};
    s->status = LR_EAGAIN;
    s->used = 0;
}

static void check_same(const stream *a, const stream *b)
{
    LR_CHECK(a->status == b->status);
    LR_CHECK(a->used == b->used);
    LR_CHECK(a->fault.status == b->fault.status && a->fault.alert == b->fault.alert);
    LR_CHECK(a->fault.what == b->fault.what && a->fault.peer_alert == b->fault.peer_alert);
    LR_CHECK(a->gather.message_len == b->gather.message_len);
    LR_CHECK(a->gather.message_need == b->gather.message_need);
    LR_CHECK(a->gather.record_left == b->gather.record_left);
    LR_CHECK(a->gather.header_len == b->gather.header_len);
    LR_CHECK(a->gather.wire_len == b->gather.wire_len);
    LR_CHECK(a->gather.early_left == b->gather.early_left);
    LR_CHECK(a->gather.ccs_seen == b->gather.ccs_seen);
    LR_CHECK(memcmp(a->message, b->message, a->gather.message_len) == 0);
}

static void gather(const uint8_t *bytes, size_t len, const lr__hello_gather *start)
{
    static stream whole, cut;
    size_t at = len < 2 ? 0 : (size_t)(bytes[len - 2] << 8 | bytes[len - 1]) % (len + 1);
    uint8_t *front = copy_of(bytes, at), *back = copy_of(bytes + at, len - at);

    begin(&whole, start);
    give(&whole, bytes, len);
    begin(&cut, start);
    for (size_t i = 0; i < len; i++)
        give(&cut, bytes + i, 1);
    check_same(&whole, &cut);
    begin(&cut, start);
    give(&cut, front, at);
    memset(front, 0, at);
    give(&cut, back, len - at);
    check_same(&whole, &cut);
    free(front);
    free(back);
    if (whole.status == LR_OK) {
        LR_CHECK(whole.gather.message_len == whole.gather.message_need);
        parse(whole.message, whole.gather.message_len);
    } else if (whole.status != LR_EAGAIN) {
        check_fault(whole.status, &whole.fault);
    }
}

/* The input as a message of the length that it has. */
static void parse_message(const uint8_t *bytes, size_t len)
{
    uint8_t *message = copy_of(bytes, len);

    if (len >= LR__HANDSHAKE_HEADER) {
        message[1] = (uint8_t)((len - LR__HANDSHAKE_HEADER) >> 16);
        message[2] = (uint8_t)((len - LR__HANDSHAKE_HEADER) >> 8);
        message[3] = (uint8_t)(len - LR__HANDSHAKE_HEADER);
    }
    parse(message, len);
    free(message);
}

/* The input as the extensions of a message. */
static void parse_extensions(const uint8_t *bytes, size_t len)
{
    enum { RANDOM = 4 + 2, BASE = RANDOM + 32 + 1 + 4 + 2 + 2 };
    uint8_t *message = malloc(BASE + len);

    LR_CHECK(message != NULL);
    memset(message, 0, BASE);
    message[0] = 1;
    message[4] = message[5] = 3;
    memcpy(message + RANDOM + 32, "\x00\x00\x02\x13\x01\x01\x00", 7);
    message[BASE - 2] = (uint8_t)(len >> 8);
    message[BASE - 1] = (uint8_t)len;
    if (len > 0)
        memcpy(message + BASE, bytes, len);
    parse_message(message, BASE + len);
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lr__hello_gather start = {0};

    if (len > 0 && bytes[0] == 1) {
        parse_message(bytes, len);
    } else if (len > 0 && len <= UINT16_MAX && bytes[0] == 2) {
        parse_extensions(bytes + 1, len - 1);
    } else {
        gather(bytes, len, &start);
        start.second = true;
        gather(bytes, len, &start);
        start.early_left = 1000;
        gather(bytes, len, &start);
    }
    return 0;
}
