/* SPDX-License-Identifier: MIT */
/* hello_maker.h: makes ClientHellos for tests, whole or wrong in one place.
 *
 * A plan says what to put in. Extensions come in the order of their flags; those added with
 * hello_add() follow, pre_shared_key is the last unless it is added by hand. The maker writes what
 * the plan says without judging it. All of it is deterministic. */
#ifndef LR_TESTS_UNIT_HELLO_MAKER_H
#define LR_TESTS_UNIT_HELLO_MAKER_H

#include <lockring/base.h>

enum {
    HELLO_SNI = 1 << 0,
    HELLO_MAX_FRAGMENT = 1 << 1, /* code 2: 1024 bytes */
    HELLO_STATUS_REQUEST = 1 << 2,
    HELLO_GROUPS = 1 << 3, /* x25519, secp256r1, secp384r1; X25519MLKEM768 with HELLO_MLKEM */
    HELLO_SIGALGS = 1 << 4,
    HELLO_ALPN = 1 << 5,
    HELLO_EMS = 1 << 6,
    HELLO_RECORD_SIZE_LIMIT = 1 << 7, /* 16385 */
    HELLO_TICKET = 1 << 8,            /* RFC 5077, 16 bytes */
    HELLO_EARLY_DATA = 1 << 9,
    HELLO_VERSIONS = 1 << 10, /* 0x0304, 0x0303 */
    HELLO_COOKIE = 1 << 11,
    HELLO_PSK_MODES = 1 << 12, /* psk_dhe_ke */
    HELLO_PHA = 1 << 13,
    HELLO_SHARES = 1 << 14, /* x25519; before it 1216 bytes with HELLO_MLKEM */
    HELLO_RENEG_INFO = 1 << 15,
    HELLO_PSK = 1 << 16, /* two identities of 32 and 100 bytes, binders of 32 and 48 */

    HELLO_MLKEM = 1 << 17,  /* not an extension: see HELLO_GROUPS and HELLO_SHARES */
    HELLO_GREASE = 1 << 18, /* RFC 8701 values in every list, and as first and last extension */
    HELLO_SCSV = 1 << 19,   /* TLS_EMPTY_RENEGOTIATION_INFO_SCSV */
    HELLO_NO_EXTENSIONS = 1 << 20, /* the message ends behind the compression methods */

    /* What browsers and servers of today send. */
    HELLO_TLS13 = HELLO_SNI | HELLO_GROUPS | HELLO_SIGALGS | HELLO_ALPN | HELLO_VERSIONS |
                  HELLO_PSK_MODES | HELLO_SHARES,
    HELLO_TLS12 = HELLO_SNI | HELLO_GROUPS | HELLO_SIGALGS | HELLO_EMS | HELLO_TICKET | HELLO_SCSV
};

/* The largest message that the maker writes: a record's worth and some more, to be refused. */
enum { HELLO_ROOM = 24 * 1024, HELLO_EXTRA_MAX = 20 * 1024 };

typedef struct hello_plan {
    unsigned flags;
    const char *name;        /* null: "www.example.org" */
    const char *alpn;        /* comma-separated; null: "h2,http/1.1" */
    unsigned legacy_version; /* 0: 0x0303 */
    unsigned session_id_len; /* as written; the bytes follow whatever it says */
    size_t message_len;      /* padded to this with the padding extension (21); 0: not padded */
    lr_slice suites;         /* null bytes: a list of five */
    lr_slice compression;    /* null bytes: {0} */
    uint8_t extra[HELLO_EXTRA_MAX]; /* hello_add() */
    size_t extra_len;
} hello_plan;

/* Adds an extension of any content behind those of the flags. */
void hello_add(hello_plan *plan, unsigned type, const void *body, size_t len);

/* Writes the handshake message, header included; its length. */
size_t hello_make(const hello_plan *plan, uint8_t out[HELLO_ROOM]);

/* The size of wire bytes that hello_cut() writes for a message of len bytes. */
size_t hello_cut_size(size_t len, size_t fragment_size);

/* Cuts a message into handshake records of at most fragment_size bytes; the wire length. */
size_t hello_cut(const uint8_t *message, size_t len, size_t fragment_size, uint8_t *wire);

#endif
