/* SPDX-License-Identifier: MIT */
/* core/tls/gate.c: what is decided from a ClientHello before any WOLFSSL exists. Pure. */
#include "core/tls/engine.h"

#include "core/base/check.h"
#include "core/base/status.h"

#include <string.h>

static lr_tls_version choose_version(const lr__hello *hello, const lr_context *context)
{
    for (unsigned v = (unsigned)context->version_max; v >= (unsigned)context->version_min; v--) {
        if (lr__hello_offers_version(hello, (uint16_t)v))
            return (lr_tls_version)v;
    }
    return LR_TLS_DEFAULT;
}

/* TLS 1.3: our first group with a key share, or else our first that the client knows (a
 * HelloRetryRequest). TLS 1.2 has no hybrids, and a client may leave the choice to us (RFC 8422 4).
 * 0: there is none in common. */
static uint16_t choose_group(const lr__hello *hello, const lr_context *context,
                             lr_tls_version version)
{
    for (uint32_t i = 0; version == LR_TLS_1_3 && i < context->group_count; i++) {
        if (lr__hello_has_share(hello, context->groups[i]))
            return context->groups[i];
    }
    for (uint32_t i = 0; i < context->group_count; i++) {
        if (version == LR_TLS_1_2 && lr__group_is_hybrid(context->groups[i]))
            continue;
        if (lr__hello_offers_group(hello, context->groups[i]) ||
            (version == LR_TLS_1_2 && hello->group_list.len == 0))
            return context->groups[i];
    }
    return 0;
}

/* Without a common curve a client of TLS 1.2 may still offer suites with finite-field DHE, which
 * are in our list only where there are parameters for them. */
static bool dhe_will_do(const lr__hello *hello, const lr_context *context, lr_tls_version version)
{
    for (uint32_t i = 0; version == LR_TLS_1_2 && i < context->suite_count; i++) {
        if (lr__suite_is_dhe(context->suites[i]) &&
            lr__hello_offers_suite(hello, context->suites[i]))
            return true;
    }
    return false;
}

/* The server's order decides (S125). */
static lr_slice choose_alpn(const lr__hello *hello, const lr_context *context)
{
    for (uint32_t i = 0; i < context->alpn_count; i++) {
        size_t at = 0;
        lr_slice offered;

        while (lr__hello_alpn_next(hello, &at, &offered)) {
            if (offered.len == context->alpn[i].len &&
                memcmp(offered.bytes, context->alpn[i].bytes, offered.len) == 0)
                return context->alpn[i];
        }
    }
    return lr_slice_of(NULL, 0);
}

static bool is_usable(const lr_context *context, const lr__identity *identity,
                      lr_tls_version version, uint16_t suite)
{
    if (lr__suite_version(suite) != version || !lr__suite_fits_key(suite, identity->kind))
        return false;
    for (uint32_t i = 0; i < context->suite_count; i++) {
        if (context->suites[i] == suite)
            return true;
    }
    return false;
}

/* The client's suites that we could use with that identity in that version; *at is 0 to begin. 0:
 * no more. */
static uint16_t next_usable(const lr__hello *hello, const lr_context *context,
                            const lr__identity *identity, lr_tls_version version, size_t *at)
{
    while (*at + 1 < hello->cipher_suites.len) {
        const uint8_t *bytes = hello->cipher_suites.bytes + *at;
        uint16_t suite = (uint16_t)(bytes[0] << 8 | bytes[1]);

        *at += 2;
        if (is_usable(context, identity, version, suite))
            return suite;
    }
    return 0;
}

/* Can a key of that kind make a signature of that scheme (RFC 8446 4.2.3)? In TLS 1.2 ECDSA does
 * not bind the hash to the curve, and RSA may still sign by PKCS#1 v1.5. Nothing is signed over
 * SHA-1. */
static bool scheme_fits(unsigned scheme, lr__key_kind kind, lr_tls_version version)
{
    bool ecdsa = scheme == 0x0403 || scheme == 0x0503 || scheme == 0x0603;
    bool loose = version == LR_TLS_1_2;

    switch (kind) {
    case LR__KEY_RSA:
        return (scheme >= 0x0804 && scheme <= 0x0806) ||
               (loose && (scheme == 0x0401 || scheme == 0x0501 || scheme == 0x0601));
    case LR__KEY_P256:
        return scheme == 0x0403 || (loose && ecdsa);
    case LR__KEY_P384:
        return scheme == 0x0503 || (loose && ecdsa);
    case LR__KEY_P521:
        return scheme == 0x0603 || (loose && ecdsa);
    case LR__KEY_ED25519:
        return scheme == 0x0807;
    case LR__KEY_OTHER:
        return true; /* wolfSSL decides */
    }
    LR_UNREACHABLE();
}

/* A client may leave signature_algorithms out in TLS 1.2, and in 1.3 where it has a ticket: wolfSSL
 * decides then. */
static bool signature_fits(const lr__hello *hello, lr__key_kind kind, lr_tls_version version)
{
    for (size_t i = 0; i + 1 < hello->sigalgs.len; i += 2) {
        if (scheme_fits((unsigned)hello->sigalgs.bytes[i] << 8 | hello->sigalgs.bytes[i + 1], kind,
                        version))
            return true;
    }
    return hello->sigalgs.len == 0;
}

/* RFC 8422 5.1: in TLS 1.2 the client's groups speak of the certificate's curve too. */
static bool curve_fits(const lr__hello *hello, lr__key_kind kind, lr_tls_version version)
{
    uint16_t group = kind == LR__KEY_P256   ? LR__GROUP_SECP256R1
                     : kind == LR__KEY_P384 ? LR__GROUP_SECP384R1
                     : kind == LR__KEY_P521 ? LR__GROUP_SECP521R1
                                            : 0;

    return version != LR_TLS_1_2 || group == 0 || hello->group_list.len == 0 ||
           lr__hello_offers_group(hello, group);
}

/* The first identity that the client can check. Those of a curve that it does not list come last:
 * most clients check them all the same. */
static lr_status choose_identity(const lr__hello *hello, const lr_context *context,
                                 lr__gate_choice *choice, lr__hello_fault *fault)
{
    bool any_suite = false;

    for (int strict = 1; strict >= 0; strict--) {
        for (uint32_t i = 0; i < context->identity_count; i++) {
            const lr__identity *identity = &context->identities[i];
            size_t at = 0;

            if (next_usable(hello, context, identity, choice->version, &at) == 0)
                continue;
            any_suite = true;
            if (!signature_fits(hello, identity->kind, choice->version) ||
                (strict && !curve_fits(hello, identity->kind, choice->version)))
                continue;
            choice->identity = i;
            return LR_OK;
        }
    }
    return lr__hello_refuse(fault, LR_ETLS, LR__ALERT_HANDSHAKE_FAILURE,
                            any_suite ? "no certificate fits the client's signature algorithms"
                                      : "no common cipher suite");
}

/* The first suite that we could use says what the client likes best (features.md 3). */
static bool prefers_chacha(const lr__hello *hello, const lr_context *context,
                           const lr__gate_choice *choice)
{
    size_t at = 0;

    return !context->suites_ordered &&
           lr__suite_is_chacha(next_usable(hello, context, &context->identities[choice->identity],
                                           choice->version, &at));
}

lr_status lr__gate_decide(const lr__hello *hello, const lr_context *context,
                          lr__gate_choice *choice, lr__hello_fault *fault)
{
    return lr__gate_decide_alpn(hello, context, lr_slice_of(NULL, 0), choice, fault);
}

lr_status lr__gate_decide_alpn(const lr__hello *hello, const lr_context *context, lr_slice alpn,
                               lr__gate_choice *choice, lr__hello_fault *fault)
{
    LR_DCHECK(hello->message.len > 0);
    memset(choice, 0, sizeof(*choice));
    choice->version = choose_version(hello, context);
    if (choice->version == LR_TLS_DEFAULT)
        return lr__hello_refuse(fault, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION,
                                "no common protocol version");
    choice->group = choose_group(hello, context, choice->version);
    if (choice->group == 0 && !dhe_will_do(hello, context, choice->version))
        return lr__hello_refuse(fault, LR_ETLS, LR__ALERT_HANDSHAKE_FAILURE, "no common group");
    LR_TRY(choose_identity(hello, context, choice, fault));
    choice->alpn = alpn.len != 0 ? alpn : choose_alpn(hello, context);
    if (choice->alpn.len == 0 && context->alpn_count != 0 && hello->alpn.len != 0 &&
        context->alpn_required)
        return lr__hello_refuse(fault, LR_EALPN, LR__ALERT_NO_APPLICATION_PROTOCOL,
                                "no common application protocol");
    choice->chacha_first = prefers_chacha(hello, context, choice);
    choice->early_data = hello->has_early_data && choice->version == LR_TLS_1_3;
    return LR_OK;
}

bool lr__alert_plain(lr__buf *out, lr__buf_pool *pool, int alert)
{
    uint8_t record[] = {0x15, 3, 3, 0, 2, 2 /* fatal */, (uint8_t)alert};

    LR_DCHECK(alert > 0 && alert < 256);
    return lr__buf_append(out, pool, lr_slice_of(record, sizeof(record)));
}
