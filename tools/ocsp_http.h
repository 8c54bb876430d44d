/* SPDX-License-Identifier: MIT */
/* tools/ocsp_http.h: the words that are exchanged with an OCSP responder (RFC 6960 A): one POST of
 * HTTP/1.0, one answer. Pure: bytes in, bytes out. */
#ifndef LR_TOOLS_OCSP_HTTP_H
#define LR_TOOLS_OCSP_HTTP_H

#include <lockring/base.h>

enum { OCSP_HTTP_HEAD_MAX = 8192 /* bytes of an answer before its body */ };

typedef struct ocsp_url {
    char host[256];      /* without brackets */
    char port[6];        /* "80" where none is told */
    char authority[272]; /* as it stands in the address */
    char path[1024];
} ocsp_url;

/* "http://HOST[:PORT][/PATH]". False, with a clause: it is none, or of another scheme: an answer is
 * signed, and who reads it on its way learns what every client of the server learns. */
bool ocsp_url_read(lr_slice text, ocsp_url *out, const char **reason);

/* The head of the request; its length, 0: cap is too small. */
size_t ocsp_http_request(const ocsp_url *url, size_t body_len, char *out, size_t cap);

typedef enum ocsp_http_state { OCSP_HTTP_MORE, OCSP_HTTP_DONE, OCSP_HTTP_BAD } ocsp_http_state;

/* Looks at all that has come; ended: nothing follows. OCSP_HTTP_DONE: *body is the answer.
 * OCSP_HTTP_BAD: reason, a clause. */
ocsp_http_state ocsp_http_read(lr_slice bytes, bool ended, size_t body_max, lr_slice *body,
                               char reason[96]);

#endif
