/* SPDX-License-Identifier: MIT */
/* core/tls/gate.c: what is decided from a ClientHello before any WOLFSSL exists. Pure. */
#include "core/tls/engine.h"

#include "core/base/check.h"

#include <string.h>

static lr_tls_version choose_version(const lr__hello *hello, const lr_context *context)
{
    for (unsigned v = (unsigned)context->version_max; v >= (unsigned)context->version_min; v--) {
        if (lr__hello_offers_version(hello, (uint16_t)v))
            return (lr_tls_version)v;
    }
    return LR_TLS_DEFAULT;
}

/* Every key exchange here is (EC)DHE. TLS 1.3: our first group with a key share, or else our first
 * that the client knows (a HelloRetryRequest). TLS 1.2 has no hybrids, and a client may leave the
 * choice to us (RFC 8422 4). 0: there is none in common. */
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

/* The first suite that we could use in that version says what the client likes best (features.md
 * 3). */
static bool prefers_chacha(const lr__hello *hello, lr_tls_version version)
{
    for (size_t i = 0; i + 1 < hello->cipher_suites.len; i += 2) {
        unsigned suite =
            (unsigned)hello->cipher_suites.bytes[i] << 8 | hello->cipher_suites.bytes[i + 1];

        if ((version == LR_TLS_1_3) != (suite >> 8 == 0x13))
            continue;
        if (suite == LR__SUITE_CHACHA20_POLY1305_SHA256 || suite == 0xcca8 || suite == 0xcca9)
            return true;
        if (*lr__suite_name((uint16_t)suite) != '\0')
            return false;
    }
    return false;
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
    if (choice->group == 0)
        return lr__hello_refuse(fault, LR_ETLS, LR__ALERT_HANDSHAKE_FAILURE, "no common group");
    choice->alpn = alpn.len != 0 ? alpn : choose_alpn(hello, context);
    if (choice->alpn.len == 0 && context->alpn_count != 0 && hello->alpn.len != 0 &&
        context->alpn_required)
        return lr__hello_refuse(fault, LR_EALPN, LR__ALERT_NO_APPLICATION_PROTOCOL,
                                "no common application protocol");
    choice->chacha_first = prefers_chacha(hello, choice->version);
    return LR_OK;
}

bool lr__alert_plain(lr__buf *out, lr__buf_pool *pool, int alert)
{
    uint8_t record[] = {0x15, 3, 3, 0, 2, 2 /* fatal */, (uint8_t)alert};

    LR_DCHECK(alert > 0 && alert < 256);
    return lr__buf_append(out, pool, lr_slice_of(record, sizeof(record)));
}
