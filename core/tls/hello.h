/* SPDX-License-Identifier: MIT */
/* core/tls/hello.h: lockring's own ClientHello parser. Pure: bytes in, a description out; no
 * allocation, no clock, no state but what the caller holds. Fuzzed (tests/fuzz/fuzz_hello.c).
 *
 * Two steps. lr__hello_take() takes wire bytes as they come, reassembles the handshake message
 * over any number of TLS records (RFC 8446 5.1: a fragment is never empty) and says when it is
 * complete. lr__hello_parse() reads the complete message. The gate feeds the TLS library the
 * message in a record of its own making, so how the peer cut it does not matter any more. */
#ifndef LR_CORE_TLS_HELLO_H
#define LR_CORE_TLS_HELLO_H

#include <lockring/base.h>

enum {
    LR__HELLO_MESSAGE_MAX = 16384, /* handshake header included; so it fits one record */
    LR__HELLO_WIRE_MAX = 65536,    /* with record headers and the CCS before a second hello */
    LR__RECORD_HEADER = 5,
    LR__HANDSHAKE_HEADER = 4,
    LR__EARLY_SKIP_MAX = 32768 /* of refused early data: clients are commonly allowed 16384 bytes,
                                * and small records cost as much again */
};

/* RFC 8446 6, the ones that the gate sends. */
enum {
    LR__ALERT_CLOSE_NOTIFY = 0,
    LR__ALERT_UNEXPECTED_MESSAGE = 10,
    LR__ALERT_RECORD_OVERFLOW = 22,
    LR__ALERT_HANDSHAKE_FAILURE = 40,
    LR__ALERT_ILLEGAL_PARAMETER = 47,
    LR__ALERT_DECODE_ERROR = 50,
    LR__ALERT_PROTOCOL_VERSION = 70,
    LR__ALERT_INTERNAL_ERROR = 80,
    LR__ALERT_NO_RENEGOTIATION = 100,
    LR__ALERT_MISSING_EXTENSION = 109,
    LR__ALERT_UNRECOGNIZED_NAME = 112,
    LR__ALERT_NO_APPLICATION_PROTOCOL = 120
};

/* Position in the wire bytes of one ClientHello; zero to begin, and zero again for a second one,
 * with the fields that the caller sets. */
typedef struct lr__hello_gather {
    uint32_t record_left;  /* bytes of the current record's fragment still to come */
    uint32_t message_len;  /* bytes of the message gathered so far */
    uint32_t message_need; /* its whole length with the header; 0: header not complete */
    uint32_t wire_len;     /* wire bytes consumed so far, skipped early data left out */
    uint32_t early_left;   /* set by the caller before a second hello: wire bytes of refused early
                            * data to skip in front of it (RFC 8446 4.2.10); 0: none was offered */
    uint8_t header_len;    /* bytes of the current record header so far */
    uint8_t header[LR__RECORD_HEADER];
    bool second; /* set by the caller before a second hello: one dummy CCS may precede it
                  * (RFC 8446 D.4) */
    bool ccs_seen;
} lr__hello_gather;

/* What the gate does with a peer that does not send a ClientHello. Written on failure only. */
typedef struct lr__hello_fault {
    lr_status status; /* LR_EHELLO, LR_ENOTTLS, LR_EVERSION, LR_EHELLO_SIZE, LR_EALERT */
    int alert;        /* to send, -1 for none */
    const char *what; /* one clause for logs; static */
    int peer_alert;   /* LR_EALERT: the description that the peer sent; else -1 */
} lr__hello_fault;

/* Writes *fault, with no alert of the peer, and returns status. */
lr_status lr__hello_refuse(lr__hello_fault *fault, lr_status status, int alert, const char *what);

/* Takes wire bytes from *in (advanced past what was used) into message[LR__HELLO_MESSAGE_MAX].
 * LR_OK: the message is complete, message_len bytes long, and *in begins behind the record that
 * ended it; a record that carries bytes behind the ClientHello is refused (RFC 8446 5.1).
 * LR_EAGAIN: more is needed, *in is empty. Other: see *fault; the gathering is over. An alert
 * record in place of a hello, or of its next fragment, is LR_EALERT with fault->alert -1.
 * Every verdict falls at one byte of the stream, however the stream was cut: the first byte that
 * decides it, except that a fragment is never looked into beyond its handshake header. */
LR_NODISCARD lr_status lr__hello_take(lr__hello_gather *gather, lr_slice *in, uint8_t *message,
                                      lr__hello_fault *fault);

enum { LR__HELLO_GROUPS_MAX = 32, LR__HELLO_VERSIONS_MAX = 16 };

/* The parsed ClientHello. Slices point into the message. GREASE values (RFC 8701) are skipped in
 * every array and by every walk, and kept in the raw lists; unknown values are kept. Counts are cut
 * at the arrays' sizes; the predicates below look at the whole lists. */
typedef struct lr__hello {
    lr_slice message; /* whole, with its handshake header */
    uint16_t legacy_version;
    lr_slice random;        /* 32 bytes */
    lr_slice session_id;    /* 0..32 bytes */
    lr_slice cipher_suites; /* raw, two bytes each */
    lr_slice extensions;    /* raw, without the length of the whole; empty: none sent */
    lr_slice servername;    /* raw host_name of server_name; empty: none sent, or a literal */
    char name[254];         /* canonical form (core/base/hostname.h), "" if none */
    lr_slice alpn;          /* raw protocol_name_list without its length; empty: none */
    lr_slice sigalgs;       /* raw signature_algorithms list without its length */
    lr_slice version_list;  /* raw supported_versions list without its length */
    lr_slice group_list;    /* raw supported_groups list without its length */
    lr_slice share_list;    /* raw key_share list without its length; may be empty if sent */
    uint16_t versions[LR__HELLO_VERSIONS_MAX]; /* supported_versions; or {legacy_version}, where
                                                * all above 0x0303 is 0x0303 (RFC 8446 4.2.1) */
    uint8_t version_count;
    uint16_t groups[LR__HELLO_GROUPS_MAX]; /* supported_groups */
    uint8_t group_count;
    uint16_t shares[LR__HELLO_GROUPS_MAX]; /* groups that carry a key share */
    uint8_t share_count;
    bool has_supported_versions, has_key_share, has_psk, has_early_data, has_session_ticket;
    bool has_status_request; /* of type ocsp; others are ignored (RFC 6066 8) */
    bool has_cookie, has_extended_master_secret, has_post_handshake_auth;
    bool has_renegotiation_info;        /* the extension or the SCSV */
    bool has_psk_modes, has_psk_dhe_ke; /* psk_key_exchange_modes, with psk_dhe_ke in it */
    lr_slice session_ticket;            /* TLS 1.2 ticket (RFC 5077), may be empty */
    lr_slice psk;                       /* raw pre_shared_key body; always the last extension */
    uint16_t record_size_limit;         /* RFC 8449; 0: not sent */
    uint8_t max_fragment;               /* RFC 6066 4 code 1..4; 0: not sent */
} lr__hello;

/* Parses a complete ClientHello message. Structure errors are decode_error; duplicates of an
 * extension, of a host name or of a key share, a key share for a group that is not offered, a
 * pre_shared_key that is not last, an empty cipher list, a compression list without null (in a
 * TLS 1.3 hello: with anything else) are illegal_parameter; a name that is no host name (with NUL,
 * blank, control bytes, over 253 bytes) is illegal_parameter; an IP literal as name is treated as
 * none (RFC 6066 3). What RFC 8446 9.2 demands of a hello that offers TLS 1.3, and the modes that
 * must come with pre_shared_key (4.2.9), are missing_extension. A renegotiation_info that is not
 * empty is handshake_failure (RFC 5746 3.6). legacy_version below 0x0301 is protocol_version.
 * *out is not to be used after a failure. */
LR_NODISCARD lr_status lr__hello_parse(lr_slice message, lr__hello *out, lr__hello_fault *fault);

/* Without supported_versions a hello offers TLS 1.0 up to its legacy_version, 1.2 at most. */
bool lr__hello_offers_version(const lr__hello *hello, uint16_t version);
bool lr__hello_offers_group(const lr__hello *hello, uint16_t group);
bool lr__hello_has_share(const lr__hello *hello, uint16_t group);
bool lr__hello_offers_suite(const lr__hello *hello, uint16_t suite);
bool lr__hello_is_grease(uint16_t value); /* RFC 8701 */
/* Walks the ALPN list: *at is 0 to begin; false at its end. */
bool lr__hello_alpn_next(const lr__hello *hello, size_t *at, lr_slice *protocol);
/* Walks the identities of pre_shared_key: *at is 0 to begin; false at their end. */
bool lr__hello_psk_next(const lr__hello *hello, size_t *at, lr_slice *identity,
                        uint32_t *obfuscated_age);
/* Do two hellos of one handshake carry the same server name and ALPN list, byte by byte
 * (RFC 8446 4.1.2)? */
bool lr__hello_same_identity(const lr__hello *first, const lr__hello *second);

#endif
