/* SPDX-License-Identifier: MIT */
/* core/tls/policy.c: the digest that sessions are sealed to.
 *
 * Each part stands behind its length or has a fixed one, so that no two policies have one text. A
 * change of the text changes every digest: then all sessions end, which is harmless, but the first
 * line must be counted up, so that it is seen. */
#include "core/tls/context.h"

#include "core/base/check.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"

#include <string.h>
#include <wolfssl/wolfcrypt/hash.h>

enum { LABEL_MAX = 255 };

typedef struct text {
    uint8_t bytes[512 + LABEL_MAX];
    size_t len;
} text;

static void put(text *t, const void *bytes, size_t len)
{
    LR_CHECK(len <= sizeof(t->bytes) - t->len);
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

static void put_number(text *t, uint32_t number)
{
    const uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                             (uint8_t)(number >> 8), (uint8_t)number};

    put(t, bytes, sizeof(bytes));
}

lr_status lr__policy_digest(lr_context *context, const char *label, lr_error *err)
{
    static const char first_line[] = "lockring policy 1\n";
    size_t label_len = label ? strlen(label) : 0;
    uint32_t asked = context->request_cert ? 1 : context->request_cert_later ? 2 : 0;
    text t = {.len = 0};
    int ret;

    if (label && (label_len == 0 || label_len > LABEL_MAX))
        return lr__fail(err, LR_EOPTION, "session_id_context: %zu bytes are not in 1..%d",
                        label_len, LABEL_MAX);
    put(&t, first_line, sizeof(first_line) - 1);
    put_number(&t, (uint32_t)context->version_min);
    put_number(&t, (uint32_t)context->version_max);
    put_number(&t, context->suite_count);
    for (uint32_t i = 0; i < context->suite_count; i++)
        put_number(&t, context->suites[i]);
    put_number(&t, asked);
    if (asked != 0) {
        put_number(&t, context->reject_unauthorized);
        put_number(&t, context->verify_depth);
        put_number(&t, context->rsa_bits_min);
        put_number(&t, context->trust.crl_count > 0);
        put_number(&t, context->trust.authority_count);
        put(&t, context->trust.digest, sizeof(context->trust.digest));
    }
    put_number(&t, (uint32_t)label_len);
    put(&t, label ? label : "", label_len);
    ret = wc_Sha256Hash(t.bytes, (word32)t.len, context->policy);
    return ret == 0 ? LR_OK : lr__tls_fail(err, LR_ETLS, ret, "policy: SHA-256");
}

const uint8_t *lr__context_policy(const lr_context *context)
{
    LR_CHECK(context != NULL);
    return context->policy;
}
