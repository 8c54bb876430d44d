/* SPDX-License-Identifier: MIT */
/* core/tls/ocsp_parse.h: the shape of an OCSP response (RFC 6960 4.2.1), read from its DER. What is
 * here was not proven to be signed by anybody: core/tls/ocsp.c does that. Pure. */
#ifndef LR_CORE_TLS_OCSP_PARSE_H
#define LR_CORE_TLS_OCSP_PARSE_H

#include "core/tls/signature.h"

#include <lockring/ocsp.h>

/* Slices point into the response. */
typedef struct lr__ocsp_response {
    lr__signed basic;
    lr_slice by_name; /* the responder's name with its header, or ... */
    lr_slice by_key;  /* ... the SHA-1 hash of its key; the other one is empty */
    int64_t produced_at;
    lr_slice singles;      /* content of the SEQUENCE */
    lr_slice certificates; /* content of the SEQUENCE; empty: none */
} lr__ocsp_response;

/* Null: *out is filled, and each element was read once. Else a clause; static. */
const char *lr__ocsp_parse(lr_slice der, lr__ocsp_response *out);

/* What is said about one certificate. */
typedef struct lr__ocsp_single {
    lr_slice hash; /* the object identifier of the algorithm of the two hashes */
    lr_slice name_hash, key_hash, serial;
    lr_ocsp_state state;
    int64_t this_update, next_update, revoked_at; /* 0: not told */
} lr__ocsp_single;

/* *in is lr__ocsp_response.singles to begin. False: no more. */
bool lr__ocsp_next_single(lr_slice *in, lr__ocsp_single *out);

#endif
