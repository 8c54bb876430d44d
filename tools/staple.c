/* SPDX-License-Identifier: MIT */
#include "tools/staple.h"

#include "tools/ocsp_fetch.h"
#include "tools/whole_file.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CHAIN_MAX = 100, BACKOFF_MAX_S = 300 };

static bool same_bytes(lr_slice a, lr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static bool is_issuer_of(lr_slice candidate, lr_slice leaf)
{
    lr_certificate above, below;

    return lr_certificate_parse(candidate, &above) && lr_certificate_parse(leaf, &below) &&
           above.is_authority && same_bytes(above.subject, below.issuer);
}

/* The first one, from there on, that bears the name of the leaf's issuer; *out stays null if there
 * is none. */
static lr_status find_issuer(lr_slice file, const char *name, uint32_t first, lr_slice leaf,
                             lr_bytes **out, lr_error *err)
{
    for (uint32_t i = first; i < CHAIN_MAX; i++) {
        lr_bytes *candidate;
        lr_status status = lr_certificate_load(file, name, i, &candidate, err);

        if (status != LR_OK || !candidate)
            return status;
        if (is_issuer_of(lr_bytes_slice(candidate), leaf)) {
            *out = candidate;
            return LR_OK;
        }
        lr_bytes_release(candidate);
    }
    return LR_OK;
}

static lr_status load_issuer(lr_slice chain, const char *cert_file, const char *issuer_file,
                             staple_subject *out, lr_error *err)
{
    lr_slice leaf = lr_bytes_slice(out->leaf), file;
    lr_status status = find_issuer(chain, cert_file, 1, leaf, &out->issuer, err);

    if (status == LR_OK && !out->issuer && issuer_file) {
        status = whole_file_read(issuer_file, STAPLE_CERT_FILE_MAX, WHOLE_FILE_PUBLIC, &file, err);
        if (status != LR_OK)
            return status;
        status = find_issuer(file, issuer_file, 0, leaf, &out->issuer, err);
        whole_file_free(file);
    }
    if (status != LR_OK || out->issuer)
        return status;
    *err = (lr_error){.status = LR_ECERTIFICATE, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text),
                   "%.90s: its issuer's certificate is not behind it%s", cert_file,
                   issuer_file ? ", nor in the issuer's file" : "");
    return LR_ECERTIFICATE;
}

lr_status staple_subject_load(const char *cert_file, const char *issuer_file, staple_subject *out,
                              lr_error *err)
{
    lr_slice chain;
    lr_status status =
        whole_file_read(cert_file, STAPLE_CERT_FILE_MAX, WHOLE_FILE_PUBLIC, &chain, err);

    *out = (staple_subject){NULL, NULL};
    if (status != LR_OK)
        return status;
    status = lr_certificate_load(chain, cert_file, 0, &out->leaf, err);
    if (status == LR_OK)
        status = load_issuer(chain, cert_file, issuer_file, out, err);
    whole_file_free(chain);
    if (status != LR_OK)
        staple_subject_drop(out);
    return status;
}

void staple_subject_drop(staple_subject *subject)
{
    lr_bytes_release(subject->leaf);
    lr_bytes_release(subject->issuer);
    *subject = (staple_subject){NULL, NULL};
}

lr_slice staple_subject_url(const staple_subject *subject)
{
    lr_certificate leaf;

    if (!lr_certificate_parse(lr_bytes_slice(subject->leaf), &leaf))
        return lr_slice_of(NULL, 0);
    return lr_certificate_ocsp_uri(&leaf);
}

lr_status staple_ask(const staple_subject *subject, lr_slice url, int stop_fd,
                     uint8_t out[LR_STAPLE_MAX], size_t *len, lr_ocsp_verdict *verdict,
                     lr_error *err)
{
    lr_slice leaf = lr_bytes_slice(subject->leaf), issuer = lr_bytes_slice(subject->issuer);
    uint8_t request[LR_OCSP_REQUEST_MAX];
    size_t request_len;
    lr_status status = lr_ocsp_request(leaf, issuer, request, &request_len, err);

    if (status == LR_OK)
        status = ocsp_fetch(url, lr_slice_of(request, request_len), STAPLE_FETCH_TIMEOUT_MS,
                            stop_fd, out, len, err);
    if (status == LR_OK)
        status = lr_ocsp_check(lr_slice_of(out, *len), leaf, issuer, staple_now(), verdict, err);
    return status;
}

uint32_t staple_backoff_s(uint32_t failures)
{
    uint32_t seconds = failures < 10 ? 1u << (failures - (failures != 0)) : BACKOFF_MAX_S;

    return seconds < BACKOFF_MAX_S ? seconds : BACKOFF_MAX_S;
}

int64_t staple_now(void)
{
    return (int64_t)time(NULL);
}
