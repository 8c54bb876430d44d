/* SPDX-License-Identifier: MIT */
/* proto/proxy_parse.h: the header of the PROXY protocol, versions 1 and 2, as a receiver reads it.
 *
 * Pure: no I/O, no allocation, no state. The caller collects bytes in one piece of memory and calls
 * lr_proxy_parse() whenever there are more; any split gives the same result. Nothing behind the
 * header is ever looked at, so what follows may be judged by somebody else.
 *
 * Strict: a sender is a program that somebody configured, so what is not exactly a header is a
 * fault of the configuration or an attack, and nothing is repaired.
 *
 * Version 1: one line of at most 107 bytes with its CRLF, single blanks, numbers without leading
 * zeros. Behind UNKNOWN the rest of the line is ignored. Version 2: at most 1000 bytes in all
 * (every TLV of the specification at its longest needs more than the 536 that addresses alone would
 * do with); of PROXY only streams, LOCAL's block is skipped as the specification demands. TLVs must
 * fill the block exactly; ALPN, AUTHORITY, CRC32C, UNIQUE_ID, SSL and NETNS come at most once, a
 * CRC32C must be right, a UNIQUE_ID has at most 128 bytes, and SSL's own TLVs fill it exactly. */
#ifndef LR_PROTO_PROXY_PARSE_H
#define LR_PROTO_PROXY_PARSE_H

#include <lockring/base.h> /* lr_address, lr_slice */

enum {
    LR_PROXY_V1_MAX = 107,
    LR_PROXY_SIZE_MAX = 1000, /* of version 2, with its 16 fixed bytes */
    LR_PROXY_UNIQUE_ID_MAX = 128
};

typedef enum lr_proxy_result {
    LR_PROXY_MORE,   /* everything so far is right; more bytes are needed */
    LR_PROXY_DONE,   /* the header is complete */
    LR_PROXY_REFUSED /* for good */
} lr_proxy_result;

/* Types of TLVs; others are 0xe0..0xef for applications, 0xf0..0xf7 for experiments, or to come. */
typedef enum lr_proxy_type {
    LR_PROXY_ALPN = 0x01,
    LR_PROXY_AUTHORITY = 0x02,
    LR_PROXY_CRC32C = 0x03,
    LR_PROXY_NOOP = 0x04,
    LR_PROXY_UNIQUE_ID = 0x05,
    LR_PROXY_SSL = 0x20,
    LR_PROXY_SSL_VERSION = 0x21, /* from here to 0x25: inside SSL */
    LR_PROXY_SSL_CN = 0x22,
    LR_PROXY_SSL_CIPHER = 0x23,
    LR_PROXY_SSL_SIG_ALG = 0x24,
    LR_PROXY_SSL_KEY_ALG = 0x25,
    LR_PROXY_NETNS = 0x30
} lr_proxy_type;

/* Slices borrow the bytes that were given to the call. */
typedef struct lr_proxy_header {
    size_t size;     /* what follows the header begins there */
    uint8_t version; /* 1 or 2 */
    bool is_local;   /* LOCAL: the sender speaks for itself, a check of its own for example */
    bool has_crc;    /* and it was right */
    /* LR_FAMILY_NONE: not told (LOCAL, UNKNOWN, UNSPEC): the socket's addresses hold. */
    lr_address source, destination;
    lr_slice source_path, destination_path; /* LR_FAMILY_UNIX; an abstract name begins with 0 */
    lr_slice tlvs;                          /* well-formed; for lr_proxy_tlv_next() */
} lr_proxy_header;

/* Unless LR_PROXY_DONE, *out is all zero. *reason: of a refusal, one clause, static. */
LR_ANY lr_proxy_result lr_proxy_parse(lr_slice bytes, lr_proxy_header *out, const char **reason);

typedef struct lr_proxy_tlv {
    uint8_t type; /* lr_proxy_type, or another */
    lr_slice value;
} lr_proxy_tlv;

/* Takes the first TLV off *rest. False: there is none, or it is cut (then *rest is not empty). */
LR_ANY bool lr_proxy_tlv_next(lr_slice *rest, lr_proxy_tlv *out);
/* The first of that type. False: none. */
LR_ANY bool lr_proxy_tlv_find(lr_slice tlvs, uint8_t type, lr_slice *value);

enum { LR_PROXY_CLIENT_SSL = 1, LR_PROXY_CLIENT_CERT_CONN = 2, LR_PROXY_CLIENT_CERT_SESS = 4 };

typedef struct lr_proxy_ssl {
    uint8_t client;  /* LR_PROXY_CLIENT_... */
    uint32_t verify; /* 0: the client gave a certificate and it was verified */
    lr_slice tlvs;
} lr_proxy_ssl;

/* Reads the value of an LR_PROXY_SSL. False: it is malformed, which lr_proxy_parse() refuses. */
LR_ANY bool lr_proxy_ssl_read(lr_slice value, lr_proxy_ssl *out);

#endif
