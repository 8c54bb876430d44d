/* SPDX-License-Identifier: MIT */
/* core/tls/context.c: reading, checking and counting contexts.
 *
 * What can be wrong with the options is found here, by name: identities that are none
 * (core/tls/identity.c), words in lists that are not known, versions, and by a trial replica what
 * only wolfSSL can say. */
#include "core/tls/context.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/engine.h"
#include "core/tls/trial.h"
#include "core/tls/wolf.h"

#include <stdio.h>
#include <string.h>

static bool same_bytes(lr_slice a, lr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* Whose identity is it? The key algorithms differ, or the later one would never be used. */
static lr_status check_kinds(const lr_context *context, lr_error *err)
{
    for (uint32_t i = 1; i < context->identity_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (context->identities[i].kind == context->identities[j].kind)
                return lr__fail(err, LR_EOPTION,
                                "identities[%u]: its key is of %s as that of identities[%u]", i,
                                lr__key_kind_name(context->identities[i].kind), j);
        }
    }
    return LR_OK;
}

static lr_status load_identities(lr_context *context, const lr_context_options *options,
                                 lr_error *err)
{
    const uint8_t *at = (const uint8_t *)options->identities;
    char where[32];

    if (options->identity_count == 0 || options->identity_count > LR__IDENTITY_MAX)
        return lr__fail(err, LR_EOPTION, "identity_count: %u is not in 1..%d",
                        options->identity_count, LR__IDENTITY_MAX);
    for (uint32_t i = 0; i < options->identity_count; i++, at += options->identities->size) {
        lr_identity identity;

        /* The size of the caller's struct is the step of the caller's array. */
        if (((const lr_identity *)(const void *)at)->size != options->identities->size)
            return lr__fail(err, LR_EOPTION, "identities[%u]: size is not that of identities[0]",
                            i);
        LR_TRY(lr__options_adopt(&identity, sizeof(identity), at, "lr_identity", err));
        (void)snprintf(where, sizeof(where), "identities[%u]: ", i);
        context->identity_count = i + 1;
        LR_TRY(lr__identity_load(&context->identities[i], &identity, where, err));
    }
    return check_kinds(context, err);
}

/* S112: what a PKCS#12 holds is not said twice. Null: nothing of it is. */
static const char *beside_pkcs12(const lr_context_options *options)
{
    if (options->cert_file || options->cert.len != 0)
        return options->cert_file ? "cert_file" : "cert";
    if (options->key_file || options->key.len != 0)
        return options->key_file ? "key_file" : "key";
    if (options->ca_file || options->ca.len != 0)
        return options->ca_file ? "ca_file" : "ca";
    if (options->identities || options->identity_count != 0)
        return "identities";
    if (options->self_signed)
        return "self_signed";
    return options->pkcs12_file && options->pkcs12.len != 0 ? "pkcs12" : NULL;
}

static lr_status load_pkcs12(lr_context *context, const lr_context_options *options, lr_error *err)
{
    const char *name = options->pkcs12_file ? "pkcs12_file" : "pkcs12";
    const char *beside = beside_pkcs12(options);

    if (beside)
        return lr__fail(err, LR_EOPTION, "%s: there is %s too", name, beside);
    context->identity_count = 1;
    return lr__identity_load_pkcs12(&context->identities[0], options->pkcs12_file, options->pkcs12,
                                    options->passphrase, &context->trust.certificates, err);
}

static lr_status load_identity(lr_context *context, const lr_context_options *options,
                               lr_error *err)
{
    bool files = options->cert_file || options->key_file;
    bool memory = options->cert.len != 0 || options->key.len != 0;
    bool several = options->identities || options->identity_count != 0;
    lr_identity one = {LR_IDENTITY,
                       .cert_file = options->cert_file,
                       .key_file = options->key_file,
                       .cert = options->cert,
                       .key = options->key,
                       .passphrase = options->passphrase};

    if (options->pkcs12_file || options->pkcs12.len != 0)
        return load_pkcs12(context, options, err);
    if (files + memory + several + (options->self_signed != NULL) != 1)
        return lr__fail(err, LR_EOPTION,
                        "lr_context_options: exactly one of cert_file and key_file, cert and key, "
                        "self_signed, identities, or pkcs12 is needed");
    if (options->passphrase && !files && !memory)
        return lr__fail(err, LR_EOPTION, "passphrase: it belongs to key_file or key");
    if (several && !options->identities)
        return lr__fail(err, LR_EOPTION, "identities: null, but identity_count is %u",
                        options->identity_count);
    if (several)
        return load_identities(context, options, err);
    context->identity_count = 1;
    if (options->self_signed)
        return lr__identity_make(&context->identities[0], options->self_signed, err);
    return lr__identity_load(&context->identities[0], &one, "", err);
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

static bool has_suite_of(const lr_context *context, lr_tls_version version)
{
    for (uint32_t i = 0; i < context->suite_count; i++) {
        if (lr__suite_version(context->suites[i]) == version)
            return true;
    }
    return false;
}

/* The reference's list, of Node.js 4 (S8). Its suites with CBC add nothing here. */
static const char node4_suites[] =
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256:"
    "DHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:DHE-RSA-AES256-SHA384:"
    "ECDHE-RSA-AES256-SHA256:DHE-RSA-AES256-SHA256:HIGH:"
    "!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:!PSK:!SRP:!CAMELLIA";

/* Whose list is it: that of the options, of the process, or of the profile? */
static lr_status choose_suites(lr_context *context, const lr_context_options *options,
                               lr_error *err)
{
    bool node4 = options->profile == LR_PROFILE_NODE4;
    lr__suite_rules rules = {"ciphers", context->dh.p.len != 0, node4};
    const char *list = options->ciphers;
    char *of_process = NULL;
    lr_status status;

    if (!list) {
        LR_TRY(lr__suites_process_default(&of_process, &rules.name, err));
        list = of_process;
        rules.lenient |= list != NULL;
    }
    if (!list && node4)
        list = node4_suites;
    status = lr__suites_parse(list, &rules, context->suites, &context->suite_count, err);
    context->client_order = options->honor_cipher_order == LR_OFF;
    context->suites_ordered = list != NULL || context->client_order;
    lr__free(of_process);
    return status;
}

/* A list without suites of a version does without it, if nobody asked for that version. */
static lr_status load_suites(lr_context *context, const lr_context_options *options, lr_error *err)
{
    LR_TRY(choose_suites(context, options, err));
    if (context->version_max == LR_TLS_1_3 && !has_suite_of(context, LR_TLS_1_3)) {
        if (options->version_max == LR_TLS_1_3 || context->version_min == LR_TLS_1_3)
            return lr__fail(err, LR_EOPTION, "ciphers: the list leaves no suite of TLS 1.3");
        context->version_max = LR_TLS_1_2;
    }
    if (context->version_min == LR_TLS_1_2 && !has_suite_of(context, LR_TLS_1_2)) {
        if (options->version_min == LR_TLS_1_2 || context->version_max == LR_TLS_1_2)
            return lr__fail(err, LR_EOPTION, "ciphers: the list leaves no suite of TLS 1.2");
        context->version_min = LR_TLS_1_3;
    }
    lr__suites_write(context->suites, context->suite_count, false, context->suites_text);
    lr__suites_write(context->suites, context->suite_count, !context->suites_ordered,
                     context->suites_chacha_first);
    return LR_OK;
}

/* Suites of TLS 1.2 say how the server proves who it is; those of 1.3 do not. */
static lr_status check_suites(const lr_context *context, lr_error *err)
{
    if (context->version_min == LR_TLS_1_3)
        return LR_OK;
    for (uint32_t i = 0; i < context->suite_count; i++) {
        for (uint32_t j = 0; j < context->identity_count; j++) {
            if (lr__suite_version(context->suites[i]) == LR_TLS_1_2 &&
                lr__suite_fits_key(context->suites[i], context->identities[j].kind))
                return LR_OK;
        }
    }
    return lr__fail(err, LR_EOPTION, "ciphers: no suite of TLS 1.2 fits the key of a certificate");
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

static lr_status load_fragment(lr_context *context, uint32_t bytes, lr_error *err)
{
    if (bytes != 0 && (bytes < LR__FRAGMENT_MIN || bytes > LR__FRAGMENT_MAX))
        return lr__fail(err, LR_EOPTION, "fragment_size_max: %u is not in %d..%d", bytes,
                        LR__FRAGMENT_MIN, LR__FRAGMENT_MAX);
    context->fragment_size_max = bytes;
    return LR_OK;
}

static lr_status load_sessions(lr_context *context, const lr_context_options *options,
                               lr_error *err)
{
    bool node4 = options->profile == LR_PROFILE_NODE4;

    if (options->ticket_count > LR__SESSIONS_MAX && options->ticket_count != LR_NONE)
        return lr__fail(err, LR_EOPTION, "ticket_count: %u is not in 1..%d", options->ticket_count,
                        LR__SESSIONS_MAX);
    if (options->session_lifetime_s > LR__SESSION_AGE_MAX)
        return lr__fail(err, LR_EOPTION, "session_lifetime_s: %u is not in 1..%d",
                        options->session_lifetime_s, LR__SESSION_AGE_MAX);
    context->tickets = options->tickets;
    context->ticket_count = options->ticket_count == LR_NONE ? 0
                            : options->ticket_count          ? options->ticket_count
                                                             : LR__TICKETS_USUAL;
    context->session_lifetime_s = node4 ? LR__SESSION_LIFETIME_NODE4_S : LR__SESSION_LIFETIME_S;
    if (options->session_lifetime_s != 0)
        context->session_lifetime_s = options->session_lifetime_s;
    return LR_OK;
}

/* What can be said without an identity. */
static lr_status load_policy(lr_context *context, const lr_context_options *options, lr_error *err)
{
    bool node4 = options->profile == LR_PROFILE_NODE4;
    const char *groups = options->groups;

    if (options->profile != LR_PROFILE_MODERN && !node4)
        return lr__fail(err, LR_EOPTION, "profile: %d is none", (int)options->profile);
    context->node4 = node4;
    if (options->dhparam_file && options->dhparam.len != 0)
        return lr__fail(err, LR_EOPTION, "dhparam: there is dhparam_file too");
    if (!groups)
        groups = node4 ? "P-256" : "X25519MLKEM768:X25519:P-256:P-384";
    LR_TRY(lr__dh_load(&context->dh, options->dhparam_file, options->dhparam,
                       node4 ? LR__DH_BITS_LEAST : LR__DH_BITS_MODERN, err));
    LR_TRY(load_versions(context, options, err));
    LR_TRY(lr__renegotiation_limit_load(&context->renegotiations, options, err));
    LR_TRY(load_suites(context, options, err));
    LR_TRY(lr__groups_parse(groups, context->groups, &context->group_count, err));
    LR_TRY(load_alpn(context, options->alpn, err));
    LR_TRY(load_fragment(context, options->fragment_size_max, err));
    LR_TRY(load_sessions(context, options, err));
    context->alpn_required =
        options->alpn_required == LR_ON || (options->alpn_required == LR_DEFAULT && !node4);
    return LR_OK;
}

/* Who is asked, and who is believed. */
static lr_status load_peers(lr_context *context, const lr_context_options *options, lr_error *err)
{
    bool node4 = options->profile == LR_PROFILE_NODE4;
    bool nobody =
        !options->ca_file && options->ca.len == 0 && context->trust.certificates.count == 0;
    bool asks;

    context->request_cert = options->request_cert == LR_ON;
    context->request_cert_later = options->request_cert_later == LR_ON;
    asks = context->request_cert || context->request_cert_later;
    if (context->request_cert && context->request_cert_later)
        return lr__fail(err, LR_EOPTION,
                        "request_cert_later: request_cert asks in the handshake already");
    context->reject_unauthorized = options->reject_unauthorized == LR_ON ||
                                   (options->reject_unauthorized == LR_DEFAULT && !node4);
    context->rsa_bits_min = node4 ? 1024 : 2048;
    context->verify_depth = options->verify_depth == LR_NONE ? 0
                            : options->verify_depth          ? options->verify_depth
                                                             : LR__PEER_CHAIN_MAX;
    if (context->verify_depth > LR__PEER_CHAIN_MAX)
        return lr__fail(err, LR_EOPTION, "verify_depth: %u is not in 1..%d", options->verify_depth,
                        LR__PEER_CHAIN_MAX);
    LR_TRY(lr__trust_load(
        &context->trust, options,
        options->ca_system == LR_ON || (options->ca_system == LR_DEFAULT && nobody && asks), err));
    if (asks && context->reject_unauthorized && context->trust.authority_count == 0)
        return lr__fail(err, LR_EOPTION,
                        "request_cert: nobody is trusted, so that every client would be refused");
    return LR_OK;
}

static lr_status load(lr_context *context, const lr_context_options *options, lr_error *err)
{
    LR_TRY(load_policy(context, options, err));
    LR_TRY(load_identity(context, options, err));
    LR_TRY(load_peers(context, options, err));
    for (uint32_t i = 0; i < context->identity_count; i++)
        LR_TRY(lr__identity_complete(&context->identities[i], &context->trust, err));
    LR_TRY(check_suites(context, err));
    LR_TRY(lr__policy_digest(context, options->session_id_context, err));
    return lr__context_try(context, err); /* what wolfSSL refuses is found here, not later */
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
    for (uint32_t i = 0; i < context->identity_count; i++)
        lr__identity_fini(&context->identities[i]);
    lr__dh_fini(&context->dh);
    lr__trust_fini(&context->trust);
    lr__free(context->alpn_text);
    lr__free(context);
}

lr_slice lr_context_certificate(const lr_context *context)
{
    LR_CHECK(context != NULL);
    return context->identities[0].certificates[0];
}

/* S29: `ca` may have the issuer of a certificate that comes without a chain. */
static lr_slice trusted_issuer(const lr_context *context, lr_slice certificate)
{
    const lr__authority *issuer = NULL;
    lr__x509_rules rules;
    lr__x509 x509;
    uint32_t at = 0;

    if (lr__x509_parse(certificate, &x509) && lr__x509_rules_read(&x509, &rules) &&
        !lr__same_bytes(x509.subject, x509.issuer))
        issuer = lr__trust_issuer(&context->trust, &x509, rules.issuer_key_id, &at);
    return issuer ? issuer->der : lr_slice_of(NULL, 0);
}

void lr__context_chain_of(const lr_context *context, const lr__gate_choice *choice,
                          lr_slice *certificate, lr_slice *issuer)
{
    const lr__identity *identity = &context->identities[choice->identity];

    *certificate = identity->certificates[0];
    *issuer = identity->certificate_count > 1 ? identity->certificates[1]
                                              : trusted_issuer(context, identity->certificates[0]);
}

int64_t lr_context_not_after(const lr_context *context)
{
    int64_t earliest = INT64_MAX;

    LR_CHECK(context != NULL);
    for (uint32_t i = 0; i < context->identity_count; i++) {
        const lr__identity *identity = &context->identities[i];

        for (uint32_t j = 0; j < identity->certificate_count; j++) {
            lr__x509 x509;

            if (lr__x509_parse(identity->certificates[j], &x509) && x509.not_after < earliest)
                earliest = x509.not_after;
        }
    }
    return earliest;
}
