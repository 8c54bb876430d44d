/* SPDX-License-Identifier: MIT */
/* core/run/hello.c: the public face of a parsed ClientHello, and the answers to the gate's asks. */
#include "core/tls/hello.h"
#include "core/base/check.h"
#include "core/base/status.h"
#include "core/run/ask.h"
#include "core/tls/fingerprint.h"

#include <assert.h>
#include <string.h>

/* An lr_hello is the gate's lr__hello; programs only have pointers to it. */
static const lr__hello *parsed(const lr_hello *hello)
{
    LR_CHECK(hello != NULL);
    return (const lr__hello *)hello;
}

lr_slice lr_hello_servername(const lr_hello *hello)
{
    const lr__hello *h = parsed(hello);

    return lr_slice_of(h->name, strlen(h->name));
}

bool lr_hello_alpn_next(const lr_hello *hello, size_t *at, lr_slice *protocol)
{
    return lr__hello_alpn_next(parsed(hello), at, protocol);
}

bool lr_hello_offers_version(const lr_hello *hello, lr_tls_version version)
{
    return lr__hello_offers_version(parsed(hello), (uint16_t)version);
}

bool lr_hello_offers_group(const lr_hello *hello, uint16_t group)
{
    return lr__hello_offers_group(parsed(hello), group);
}

bool lr_hello_offers_cipher(const lr_hello *hello, uint16_t cipher)
{
    return lr__hello_offers_suite(parsed(hello), cipher);
}

bool lr_hello_offers_signature(const lr_hello *hello, uint16_t scheme)
{
    lr_slice list = parsed(hello)->sigalgs;

    for (size_t i = 0; i + 1 < list.len; i += 2) {
        if ((list.bytes[i] << 8 | list.bytes[i + 1]) == scheme)
            return true;
    }
    return false;
}

bool lr_hello_wants_ocsp(const lr_hello *hello)
{
    return parsed(hello)->has_status_request;
}

bool lr_hello_has_ticket(const lr_hello *hello)
{
    const lr__hello *h = parsed(hello);

    return h->has_psk || h->session_ticket.len != 0;
}

bool lr_hello_has_early_data(const lr_hello *hello)
{
    return parsed(hello)->has_early_data;
}

lr_slice lr_hello_session_id(const lr_hello *hello)
{
    return parsed(hello)->session_id;
}

lr_slice lr_hello_message(const lr_hello *hello)
{
    return parsed(hello)->message;
}

bool lr_hello_ja3(const lr_hello *hello, char out[33])
{
    static_assert(LR__JA3_SIZE == 33, "as lr_hello_ja3() says");
    return lr__ja3(parsed(hello), out);
}

bool lr_hello_ja4(const lr_hello *hello, char out[37])
{
    static_assert(LR__JA4_SIZE == 37, "as lr_hello_ja4() says");
    return lr__ja4(parsed(hello), out);
}

/* LR_OK or a failure: what is above 0 is nobody's reason. */
static bool is_result(lr_status result)
{
    return (int)result <= 0;
}

/* wolfSSL 5.9.2 takes protocols as a list with commas, terminated by a zero. */
static bool is_protocol(lr_slice alpn)
{
    for (size_t i = 0; i < alpn.len; i++) {
        if (alpn.bytes[i] == ',' || alpn.bytes[i] == '\0')
            return false;
    }
    return true;
}

lr_status lr_hello_answer(lr_hello_ask ask, lr_status result, const lr_hello_decision *given)
{
    lr_hello_decision decision = {.size = sizeof(decision)};
    lr__ask *claimed;

    if (given)
        LR_TRY(lr__options_adopt(&decision, sizeof(decision), given, "lr_hello_decision", NULL));
    LR_BUG_IF(!is_result(result), LR_EINVAL);
    LR_BUG_IF(decision.alpn.len > sizeof(claimed->alpn), LR_EINVAL);
    LR_BUG_IF(!decision.alpn.bytes && decision.alpn.len != 0, LR_EINVAL);
    if (!is_protocol(decision.alpn) || lr_bytes_slice(decision.staple).len > LR_STAPLE_MAX)
        return LR_EINVAL;
    claimed = lr__ask_claim(ask.ask, LR__ASK_HELLO);
    if (!claimed)
        return LR_EGONE;
    claimed->result = result;
    claimed->context = decision.context ? lr_context_retain(decision.context) : NULL;
    claimed->bytes = decision.staple ? lr_bytes_retain(decision.staple) : NULL;
    claimed->alpn_len = (uint8_t)decision.alpn.len;
    if (decision.alpn.len != 0)
        memcpy(claimed->alpn, decision.alpn.bytes, decision.alpn.len);
    return lr__ask_post(claimed);
}

lr_status lr_sni_answer(lr_sni_ask ask, lr_status result, lr_context *context)
{
    lr__ask *claimed;

    LR_BUG_IF(!is_result(result), LR_EINVAL);
    claimed = lr__ask_claim(ask.ask, LR__ASK_SNI);
    if (!claimed)
        return LR_EGONE;
    claimed->result = result;
    claimed->context = context ? lr_context_retain(context) : NULL;
    return lr__ask_post(claimed);
}

lr_status lr_ocsp_answer(lr_ocsp_ask ask, lr_status result, lr_bytes *staple)
{
    lr__ask *claimed;

    LR_BUG_IF(!is_result(result), LR_EINVAL);
    if (lr_bytes_slice(staple).len > LR_STAPLE_MAX)
        return LR_EINVAL;
    claimed = lr__ask_claim(ask.ask, LR__ASK_OCSP);
    if (!claimed)
        return LR_EGONE;
    claimed->result = result;
    claimed->bytes = staple ? lr_bytes_retain(staple) : NULL;
    return lr__ask_post(claimed);
}

lr_status lr_resume_answer(lr_resume_ask ask, lr_status result, lr_bytes *value)
{
    lr__ask *claimed;

    LR_BUG_IF(!is_result(result), LR_EINVAL);
    if (lr_bytes_slice(value).len > LR_SESSION_VALUE_MAX)
        return LR_EINVAL;
    claimed = lr__ask_claim(ask.ask, LR__ASK_RESUME);
    if (!claimed)
        return LR_EGONE;
    claimed->result = result;
    claimed->bytes = value ? lr_bytes_retain(value) : NULL;
    return lr__ask_post(claimed);
}

lr_status lr_store_answer(lr_store_ask ask, lr_status result)
{
    lr__ask *claimed;

    LR_BUG_IF(!is_result(result), LR_EINVAL);
    claimed = lr__ask_claim(ask.ask, LR__ASK_STORE);
    if (!claimed)
        return LR_EGONE;
    claimed->result = result;
    return lr__ask_post(claimed);
}
