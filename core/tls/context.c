/* SPDX-License-Identifier: MIT */
/* core/tls/context.c: reading, checking and counting contexts.
 *
 * A context holds DER only: PEM is taken apart here, once, and its buffers are wiped. What can be
 * wrong is found here, by name: files that cannot be read, blocks that are no certificate, a chain
 * out of order, dates, a key that is another certificate's, words in lists that are not known. */
#include "core/tls/context.h"

#include "core/base/check.h"
#include "core/base/current.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/pem.h"
#include "core/tls/wolf.h"
#include "core/tls/x509.h"

#include <string.h>
#include <time.h>

/* Where a piece of the identity came from, for messages. */
typedef struct source {
    const char *cert_name, *key_name;
    lr_slice cert, key;              /* PEM */
    uint8_t *cert_block, *key_block; /* read from files; key_block is wiped */
} source;

static bool same_bytes(lr_slice a, lr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static void date_text(int64_t seconds, char out[32])
{
    time_t at = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&at, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        memcpy(out, "?", 2);
}

/* Order: each certificate is the issuer of the one before it. Dates: the leaf's must hold now. */
static lr_status check_chain(const lr_context *context, const char *name, lr_error *err)
{
    int64_t now = lr__current_wall_ms() / 1000;
    lr__x509 previous = {0};

    for (uint32_t i = 0; i < context->certificate_count; i++) {
        lr__x509 x509;
        char date[32];

        if (!lr__x509_parse(context->certificates[i], &x509))
            return lr__fail(err, LR_ECERTIFICATE, "%s: certificate %u is malformed", name, i + 1);
        if (i > 0 && !same_bytes(previous.issuer, x509.subject))
            return lr__fail(err, LR_ECERTIFICATE,
                            "%s: certificate %u is not the issuer of certificate %u", name, i + 1,
                            i);
        if (x509.not_before > now) {
            date_text(x509.not_before, date);
            return lr__fail(err, LR_ECERTIFICATE, "%s: certificate %u is valid only from %s", name,
                            i + 1, date);
        }
        if (x509.not_after < now) {
            date_text(x509.not_after, date);
            return lr__fail(err, LR_ECERTIFICATE, "%s: certificate %u expired %s", name, i + 1,
                            date);
        }
        previous = x509;
    }
    return LR_OK;
}

static lr_status load_pem(lr_context *context, const source *from, lr_error *err)
{
    LR_TRY(lr__pem_certificates(from->cert, from->cert_name, &context->chain, context->certificates,
                                LR__CHAIN_MAX, &context->certificate_count, err));
    LR_TRY(lr__pem_key(from->key, from->key_name, &context->key, &context->key_size, err));
    return LR_OK;
}

static lr_status load_files(lr_context *context, const lr_context_options *options, source *from,
                            lr_error *err)
{
    lr_status status = lr__pem_read(options->cert_file, &from->cert_block, &from->cert, err);

    if (status == LR_OK)
        status = lr__pem_read(options->key_file, &from->key_block, &from->key, err);
    if (status == LR_OK)
        status = load_pem(context, from, err);
    lr__free(from->cert_block);
    if (from->key_block)
        lr__free_wiped(from->key_block, from->key.len);
    return status;
}

static lr_status load_self_signed(lr_context *context, const char *names, lr_error *err)
{
    uint32_t size;

    LR_TRY(lr__self_signed(names, &context->chain, &size, &context->key, &context->key_size, err));
    context->certificates[0] = lr_slice_of(context->chain, size);
    context->certificate_count = 1;
    return LR_OK;
}

static lr_status load_identity(lr_context *context, const lr_context_options *options,
                               lr_error *err)
{
    bool files = options->cert_file || options->key_file;
    bool memory = options->cert.len != 0 || options->key.len != 0;
    source from = {"cert", "key", options->cert, options->key, NULL, NULL};

    if (files + memory + (options->self_signed != NULL) != 1)
        return lr__fail(err, LR_EOPTION,
                        "lr_context_options: exactly one of cert_file and "
                        "key_file, cert and key, "
                        "or self_signed is needed");
    if (options->self_signed)
        return load_self_signed(context, options->self_signed, err);
    if (files && !(options->cert_file && options->key_file))
        return lr__fail(err, LR_EOPTION, "lr_context_options: cert_file and key_file go together");
    if (memory && !(options->cert.len != 0 && options->key.len != 0))
        return lr__fail(err, LR_EOPTION, "lr_context_options: cert and key go together");
    if (memory) {
        LR_TRY(load_pem(context, &from, err));
        return check_chain(context, from.cert_name, err);
    }
    from.cert_name = options->cert_file;
    from.key_name = options->key_file;
    LR_TRY(load_files(context, options, &from, err));
    return check_chain(context, from.cert_name, err);
}

static lr_status load_versions(lr_context *context, const lr_context_options *options,
                               lr_error *err)
{
    lr_tls_version min = options->version_min ? options->version_min : LR_TLS_1_2;
    lr_tls_version max = options->version_max ? options->version_max : LR_TLS_1_3;

    if (min != LR_TLS_1_2 && min != LR_TLS_1_3)
        return lr__fail(err, LR_EOPTION, "version_min: 0x%04x is not TLS 1.2 or 1.3",
                        (unsigned)min);
    if (max != LR_TLS_1_2 && max != LR_TLS_1_3)
        return lr__fail(err, LR_EOPTION, "version_max: 0x%04x is not TLS 1.2 or 1.3",
                        (unsigned)max);
    if (min > max)
        return lr__fail(err, LR_EOPTION, "version_min is above version_max");
    context->version_min = min;
    context->version_max = max;
    return LR_OK;
}

static lr_status load_alpn(lr_context *context, const char *list, lr_error *err)
{
    if (!list || *list == '\0')
        return LR_OK;
    context->alpn_text = lr__strndup(list, strlen(list));
    if (!context->alpn_text)
        return lr__fail(err, LR_ENOMEM, "alpn: out of memory");
    for (const char *word = context->alpn_text;; word++) {
        lr_slice protocol = lr_slice_of(word, strcspn(word, ","));

        if (protocol.len == 0 || protocol.len > 255)
            return lr__fail(err, LR_EOPTION,
                            "alpn: '%.60s' has a name of %zu bytes (RFC 7301 3.1: "
                            "1..255)",
                            list, protocol.len);
        if (context->alpn_count == LR__ALPN_MAX)
            return lr__fail(err, LR_EOPTION, "alpn: more than %d protocols", LR__ALPN_MAX);
        for (uint32_t i = 0; i < context->alpn_count; i++) {
            if (same_bytes(context->alpn[i], protocol))
                return lr__fail(err, LR_EOPTION, "alpn: '%.*s' is there twice", (int)protocol.len,
                                word);
        }
        context->alpn[context->alpn_count++] = protocol;
        word += protocol.len;
        if (*word == '\0')
            return LR_OK;
    }
}

static lr_status load(lr_context *context, const lr_context_options *options, lr_error *err)
{
    const char *groups = options->groups ? options->groups : "X25519MLKEM768:X25519:P-256:P-384";
    lr__replica *trial;

    LR_TRY(load_versions(context, options, err));
    LR_TRY(lr__groups_parse(groups, context->groups, &context->group_count, err));
    LR_TRY(load_alpn(context, options->alpn, err));
    context->alpn_required = options->alpn_required != LR_OFF;
    LR_TRY(load_identity(context, options, err));
    LR_TRY(
        lr__replica_new(context, &trial, err)); /* what wolfSSL refuses is found here, not later */
    lr__replica_free(trial);
    return LR_OK;
}

lr_status lr_context_new(const lr_context_options *options, lr_context **out, lr_error *err)
{
    lr_context_options adopted;
    lr_context *context;
    lr_status status;

    LR_BUG_IF(!out, LR_EINVAL);
    *out = NULL;
    LR_TRY(lr__options_adopt(&adopted, sizeof(adopted), options, "lr_context_options", err));
    LR_TRY(lr__tls_init(err));
    context = lr__alloc_zero(1, sizeof(*context));
    if (!context)
        return lr__fail(err, LR_ENOMEM, "lr_context: out of memory");
    atomic_init(&context->references, 1);
    status = load(context, &adopted, err);
    if (status != LR_OK) {
        lr_context_release(context);
        return status;
    }
    *out = context;
    return LR_OK;
}

lr_context *lr_context_retain(lr_context *context)
{
    LR_CHECK(context != NULL);
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void lr_context_release(lr_context *context)
{
    uint32_t before;

    if (!context)
        return;
    before = atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel);
    LR_CHECK(before != 0);
    if (before != 1)
        return;
    lr__free(context->chain);
    if (context->key)
        lr__free_wiped(context->key, context->key_size);
    lr__free(context->alpn_text);
    lr__free(context);
}

lr_slice lr_context_certificate(const lr_context *context)
{
    LR_CHECK(context != NULL);
    return context->certificates[0];
}

int64_t lr_context_not_after(const lr_context *context)
{
    int64_t earliest = INT64_MAX;

    LR_CHECK(context != NULL);
    for (uint32_t i = 0; i < context->certificate_count; i++) {
        lr__x509 x509;

        if (lr__x509_parse(context->certificates[i], &x509) && x509.not_after < earliest)
            earliest = x509.not_after;
    }
    return earliest;
}
