/* SPDX-License-Identifier: MIT */
/* fuzz_ocsp.c: bytes of a responder, judged for a certificate with an EC and one with an RSA
 * issuer; and the same bytes as the certificates of a request and of a judgement. */
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/tls/library.h"
#include "core/tls/ocsp_parse.h"
#include "tests/live/pki.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t now = 1782864000; /* 1 July 2026, when those of the corpus count */

static bool is_inside(lr_slice part, lr_slice whole)
{
    return part.len == 0 ||
           (part.bytes >= whole.bytes && part.bytes + part.len <= whole.bytes + whole.len);
}

static void walk(lr_slice der)
{
    lr__ocsp_response response;
    lr__ocsp_single single;
    lr_slice in;

    if (lr__ocsp_parse(der, &response))
        return;
    LR_CHECK((response.by_name.len == 0) != (response.by_key.len == 0));
    LR_CHECK(is_inside(response.basic.body, der) && is_inside(response.basic.signature, der));
    LR_CHECK(is_inside(response.certificates, der) && is_inside(response.by_key, der));
    for (in = response.singles; lr__ocsp_next_single(&in, &single);) {
        LR_CHECK(single.state != LR_OCSP_NONE && is_inside(single.serial, der));
        LR_CHECK(is_inside(single.name_hash, der) && is_inside(single.key_hash, der));
    }
}

static void judge(lr_slice response, lr_slice certificate, lr_slice issuer)
{
    lr_ocsp_verdict verdict;
    lr_error err = {0};
    lr_status status = lr_ocsp_check(response, certificate, issuer, now, &verdict, &err);

    LR_CHECK(status == LR_OK || (err.status == status && err.text[0] != '\0'));
    if (status == LR_OK)
        LR_CHECK(verdict.state == LR_OCSP_GOOD && lr_ocsp_expires_at(&verdict) >= 0);
    if (verdict.state != LR_OCSP_NONE)
        LR_CHECK(lr_ocsp_refresh_at(&verdict, now) > now);
}

static void request(lr_slice certificate, lr_slice issuer)
{
    uint8_t out[LR_OCSP_REQUEST_MAX];
    size_t len = 0;
    lr_error err;

    if (lr_ocsp_request(certificate, issuer, out, &len, &err) == LR_OK)
        LR_CHECK(len > 0 && len <= sizeof(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lr_slice in = lr_slice_of(data, size);
    lr_slice leaf = pki_file("../ocsp/leaf.crt"), root = pki_file("../ocsp/root.crt");
    lr_slice rsa_leaf = pki_file("../ocsp/rsa_leaf.crt");
    lr_slice rsa_root = pki_file("../ocsp/rsa_root.crt");
    lr_error err;
    uint64_t live;

    if (lr__tls_init(&err) != LR_OK)
        abort();
    live = lr__mem_read().live;
    walk(in);
    judge(in, leaf, root);
    judge(in, rsa_leaf, rsa_root);
    judge(pki_file("../ocsp/good.response"), in, root);
    judge(pki_file("../ocsp/good.response"), leaf, in);
    request(in, root);
    request(leaf, in);
    LR_CHECK(lr__mem_read().live == live);
    return 0;
}
