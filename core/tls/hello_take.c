/* SPDX-License-Identifier: MIT */
/* core/tls/hello_take.c: takes a ClientHello off the wire (hello.c reads it).
 *
 * Record headers are judged byte by byte, fragments are copied in bulk. A verdict depends on the
 * bytes alone, never on how TCP cut them: the fuzzer and the tests hold this file to that. It
 * never reads beyond *in, never writes beyond LR__HELLO_MESSAGE_MAX, and its cost is bounded by
 * the wire bytes that it is given. */
#include "core/tls/hello.h"

#include "core/base/check.h"

#include <string.h>

/* Record types (RFC 8446 5.1; heartbeat: RFC 6520) and what they may carry. */
enum {
    RECORD_CCS = 20,
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    RECORD_DATA = 23,
    RECORD_HEARTBEAT = 24,
    FRAGMENT_MAX = 16384,
    CIPHERTEXT_MAX = 16384 + 256, /* RFC 8446 5.2 */
    CLIENT_HELLO = 1
};

#define NOT_TLS_HTTP "plain HTTP instead of TLS"
#define NOT_TLS_PROXY "a PROXY header where TLS must begin"

/* What reaches a TLS port by mistake, told by its first four bytes. No entry begins like a TLS
 * record (20..24) or an SSLv2 one (high bit set). */
enum { FOREIGN_LEN = 4 };
static const struct {
    char start[FOREIGN_LEN + 1];
    const char *what;
} foreign[] = {
    {"GET ", NOT_TLS_HTTP}, {"POST", NOT_TLS_HTTP},  {"HEAD", NOT_TLS_HTTP},
    {"PUT ", NOT_TLS_HTTP}, {"OPTI", NOT_TLS_HTTP},  {"CONN", NOT_TLS_HTTP},
    {"DELE", NOT_TLS_HTTP}, {"PATC", NOT_TLS_HTTP},  {"TRAC", NOT_TLS_HTTP},
    {"PRI ", NOT_TLS_HTTP}, {"PROX", NOT_TLS_PROXY}, {"\r\n\r\n", NOT_TLS_PROXY},
};

#define ALERT_LIST(X)                                                                              \
    X(0, "close_notify")                                                                           \
    X(10, "unexpected_message")                                                                    \
    X(20, "bad_record_mac")                                                                        \
    X(21, "decryption_failed")                                                                     \
    X(22, "record_overflow")                                                                       \
    X(40, "handshake_failure")                                                                     \
    X(42, "bad_certificate")                                                                       \
    X(43, "unsupported_certificate")                                                               \
    X(44, "certificate_revoked")                                                                   \
    X(45, "certificate_expired")                                                                   \
    X(46, "certificate_unknown")                                                                   \
    X(47, "illegal_parameter")                                                                     \
    X(48, "unknown_ca")                                                                            \
    X(49, "access_denied")                                                                         \
    X(50, "decode_error")                                                                          \
    X(51, "decrypt_error")                                                                         \
    X(70, "protocol_version")                                                                      \
    X(71, "insufficient_security")                                                                 \
    X(80, "internal_error")                                                                        \
    X(86, "inappropriate_fallback")                                                                \
    X(90, "user_canceled")                                                                         \
    X(100, "no_renegotiation")                                                                     \
    X(109, "missing_extension")                                                                    \
    X(110, "unsupported_extension")                                                                \
    X(112, "unrecognized_name")                                                                    \
    X(120, "no_application_protocol")

static const char *alert_clause(uint8_t description)
{
#define ALERT_CASE(code, name)                                                                     \
    case code:                                                                                     \
        return "the peer sent the alert " name;
    switch (description) {
        ALERT_LIST(ALERT_CASE)
    default:
        return "the peer sent an alert of an unknown kind";
    }
#undef ALERT_CASE
}

/* Judges the first bytes of a stream that does not begin with a TLS record type. LR_EAGAIN: they
 * may still become one of the things that have a name. */
static lr_status judge_foreign(const uint8_t *first, size_t len, lr__hello_fault *fault)
{
    if ((first[0] & 0x80) != 0) {
        if (len < 3)
            return LR_EAGAIN;
        if (first[2] == CLIENT_HELLO)
            return lr__hello_refuse(fault, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION,
                                    "an SSLv2 hello");
    } else {
        size_t known = len < FOREIGN_LEN ? len : FOREIGN_LEN;

        for (size_t i = 0; i < LR_ARRAY_COUNT(foreign); i++) {
            if (memcmp(foreign[i].start, first, known) != 0)
                continue;
            if (known < FOREIGN_LEN)
                return LR_EAGAIN;
            return lr__hello_refuse(fault, LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE,
                                    foreign[i].what);
        }
    }
    return lr__hello_refuse(fault, LR_ENOTTLS, LR__ALERT_UNEXPECTED_MESSAGE, "no TLS record");
}

/* May a record of this type come here? */
static lr_status judge_type(const lr__hello_gather *gather, lr__hello_fault *fault)
{
    bool before_second = gather->second && gather->message_len == 0;

    switch (gather->header[0]) {
    case RECORD_HANDSHAKE:
    case RECORD_ALERT:
        return LR_OK;
    case RECORD_CCS:
        if (before_second && !gather->ccs_seen)
            return LR_OK;
        return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                "a change_cipher_spec where none may come");
    case RECORD_DATA:
        if (before_second && gather->early_left > 0)
            return LR_OK;
        return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                "application data where a ClientHello must be");
    default:
        return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                "a record that is no handshake record");
    }
}

/* Judges the length in a complete header; enters the record's body. */
static lr_status enter_record(lr__hello_gather *gather, lr__hello_fault *fault)
{
    uint32_t len = (uint32_t)gather->header[3] << 8 | gather->header[4];

    switch (gather->header[0]) {
    case RECORD_HANDSHAKE:
        if (len == 0)
            return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                    "an empty handshake fragment");
        if (len > FRAGMENT_MAX)
            return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_RECORD_OVERFLOW,
                                    "a record over 16384 bytes");
        if (gather->message_need > 0 && len > gather->message_need - gather->message_len)
            return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                    "bytes behind the ClientHello in its record");
        break;
    case RECORD_ALERT:
        /* RFC 8446 5.1: neither split nor joined with another. */
        if (len != 2)
            return lr__hello_refuse(
                fault, LR_EHELLO, len == 0 ? LR__ALERT_UNEXPECTED_MESSAGE : LR__ALERT_DECODE_ERROR,
                "an alert record that is not one alert");
        break;
    case RECORD_CCS:
        if (len != 1)
            return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                    "a change_cipher_spec that is not one byte");
        break;
    case RECORD_DATA:
        if (len > CIPHERTEXT_MAX)
            return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_RECORD_OVERFLOW,
                                    "a record over 16640 bytes");
        if (LR__RECORD_HEADER + len > gather->early_left)
            return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                    "more early data than was allowed");
        gather->early_left -= LR__RECORD_HEADER + len;
        gather->wire_len -= LR__RECORD_HEADER;
        break;
    default:
        LR_UNREACHABLE();
    }
    gather->record_left = len;
    if (len == 0)
        gather->header_len = 0; /* Early data may come in empty records. */
    return LR_EAGAIN;
}

static uint8_t take_byte(lr__hello_gather *gather, lr_slice *in)
{
    uint8_t byte;

    LR_DCHECK(in->len > 0);
    byte = *in->bytes++;
    in->len--;
    gather->wire_len++;
    return byte;
}

static lr_status take_header(lr__hello_gather *gather, lr_slice *in, lr__hello_fault *fault)
{
    uint8_t type;

    LR_DCHECK(gather->header_len < LR__RECORD_HEADER);
    gather->header[gather->header_len++] = take_byte(gather, in);
    type = gather->header[0];
    if (!gather->second && gather->message_len == 0 &&
        (type < RECORD_CCS || type > RECORD_HEARTBEAT))
        return judge_foreign(gather->header, gather->header_len, fault);
    if (gather->header_len == 1) {
        LR_TRY(judge_type(gather, fault));
        return LR_EAGAIN;
    }
    /* The minor version is ignored (RFC 8446 5.1). */
    if (gather->header_len == 2 && gather->header[1] != 3)
        return lr__hello_refuse(fault, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION,
                                "a record version that is not 3.x");
    if (gather->header_len < LR__RECORD_HEADER)
        return LR_EAGAIN;
    return enter_record(gather, fault);
}

/* The handshake header is complete: can the message be held, and does its record fit it? */
static lr_status enter_message(lr__hello_gather *gather, const uint8_t *message,
                               lr__hello_fault *fault)
{
    uint32_t body = (uint32_t)message[1] << 16 | (uint32_t)message[2] << 8 | message[3];

    LR_DCHECK(gather->message_len == LR__HANDSHAKE_HEADER);
    if (body > LR__HELLO_MESSAGE_MAX - LR__HANDSHAKE_HEADER)
        return lr__hello_refuse(fault, LR_EHELLO_SIZE, LR__ALERT_ILLEGAL_PARAMETER,
                                "a ClientHello over 16384 bytes");
    if (gather->record_left > body)
        return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                "bytes behind the ClientHello in its record");
    gather->message_need = LR__HANDSHAKE_HEADER + body;
    return LR_EAGAIN;
}

static lr_status take_fragment(lr__hello_gather *gather, lr_slice *in, uint8_t *message,
                               lr__hello_fault *fault)
{
    lr_status status = LR_EAGAIN;

    if (gather->message_need == 0) {
        message[gather->message_len++] = take_byte(gather, in);
        gather->record_left--;
        if (message[0] != CLIENT_HELLO)
            return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                    "a handshake message that is no ClientHello");
        if (gather->message_len == LR__HANDSHAKE_HEADER)
            status = enter_message(gather, message, fault);
    } else {
        uint32_t part = LR__HELLO_WIRE_MAX - gather->wire_len;

        if (part > gather->record_left)
            part = gather->record_left;
        if (part > in->len)
            part = (uint32_t)in->len;
        LR_DCHECK(part <= gather->message_need - gather->message_len);
        memcpy(message + gather->message_len, in->bytes, part);
        gather->message_len += part;
        gather->record_left -= part;
        gather->wire_len += part;
        in->bytes += part;
        in->len -= part;
    }
    if (status != LR_EAGAIN || gather->message_len != gather->message_need)
        return status;
    LR_DCHECK(gather->record_left == 0);
    return LR_OK;
}

/* Takes some of a record's body; at its end the next header begins. */
static lr_status take_body(lr__hello_gather *gather, lr_slice *in, uint8_t *message,
                           lr__hello_fault *fault)
{
    lr_status status = LR_EAGAIN;
    uint8_t type = gather->header[0];

    if (type == RECORD_HANDSHAKE) {
        status = take_fragment(gather, in, message, fault);
    } else if (type == RECORD_DATA) {
        size_t part = in->len < gather->record_left ? in->len : gather->record_left;

        in->bytes += part;
        in->len -= part;
        gather->record_left -= (uint32_t)part;
    } else {
        uint8_t byte = take_byte(gather, in);

        gather->record_left--;
        if (type == RECORD_CCS) {
            gather->ccs_seen = true;
            if (byte != 1)
                return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                        "a change_cipher_spec that is not 1");
        } else if (gather->record_left == 0) {
            (void)lr__hello_refuse(fault, LR_EALERT, -1, alert_clause(byte));
            fault->peer_alert = byte;
            return LR_EALERT;
        }
    }
    if (gather->record_left == 0)
        gather->header_len = 0;
    return status;
}

lr_status lr__hello_take(lr__hello_gather *gather, lr_slice *in, uint8_t *message,
                         lr__hello_fault *fault)
{
    LR_DCHECK(gather->message_need == 0 || gather->message_len < gather->message_need);
    while (in->len > 0) {
        lr_status status = gather->header_len < LR__RECORD_HEADER
                               ? take_header(gather, in, fault)
                               : take_body(gather, in, message, fault);

        if (status != LR_EAGAIN)
            return status;
        if (gather->wire_len >= LR__HELLO_WIRE_MAX)
            return lr__hello_refuse(fault, LR_EHELLO_SIZE, LR__ALERT_ILLEGAL_PARAMETER,
                                    "a ClientHello in more than 65536 bytes of records");
    }
    return LR_EAGAIN;
}
