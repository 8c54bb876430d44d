/* SPDX-License-Identifier: MIT */
/* tools/staple.h: a certificate whose OCSP response is wanted, and getting one for it. What
 * lockring-keys and lockring-serve share. */
#ifndef LR_TOOLS_STAPLE_H
#define LR_TOOLS_STAPLE_H

#include <lockring/lockring.h>

enum { STAPLE_FETCH_TIMEOUT_MS = 15000, STAPLE_CERT_FILE_MAX = 1 << 20 };

/* Each of the two is a reference. */
typedef struct staple_subject {
    lr_bytes *leaf, *issuer;
} staple_subject;

/* The first certificate of the file, and whoever made it: of the certificates behind it, or in
 * issuer_file (may be null) the one that bears the name. LR_EFILE; LR_ECERTIFICATE: unreadable, or
 * nobody made it. */
lr_status staple_subject_load(const char *cert_file, const char *issuer_file, staple_subject *out,
                              lr_error *err);
void staple_subject_drop(staple_subject *subject); /* an empty one is allowed */

/* Where its certificate says that it is to be asked about; empty: it does not. */
lr_slice staple_subject_url(const staple_subject *subject);

/* Asks there and judges what came; the wall clock decides. stop_fd as for ocsp_fetch(). */
lr_status staple_ask(const staple_subject *subject, lr_slice url, int stop_fd,
                     uint8_t out[LR_STAPLE_MAX], size_t *len, lr_ocsp_verdict *verdict,
                     lr_error *err);

/* Seconds until the next attempt behind so many failures in a row: 1, 2, 4 ... 300. */
uint32_t staple_backoff_s(uint32_t failures);

int64_t staple_now(void); /* seconds since 1970 */

#endif
