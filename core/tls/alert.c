/* SPDX-License-Identifier: MIT */
/* core/tls/alert.c: wolfSSL 5.9.2 ends several failures without an alert, or with the general one
 * (bad key shares, unknown record types, bad CCS, garbage identities). The table says what the RFC
 * asks for; the alert is sent by wolfSSL's own SendAlert(), because only it knows which keys are
 * current in the middle of a handshake. SendAlert() is not public: it is there when wolfSSL is
 * compiled in, which the weak reference tests; with a system wolfSSL no alert is added. */
#include "core/tls/alert.h"

#include "core/base/compiler.h"
#include "core/tls/hello.h"
#include "core/tls/wolf.h"

enum {
    ALERT_BAD_RECORD_MAC = 20,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_DECRYPT_ERROR = 51,
    ALERT_UNSUPPORTED_EXTENSION = 110
};

extern int SendAlert(WOLFSSL *ssl, int severity, int type) __attribute__((weak));

static const struct {
    int native;
    int alert;
    lr_status status;
} natives[] = {
    {UNKNOWN_RECORD_TYPE, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {UNKNOWN_HANDSHAKE_TYPE, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {OUT_OF_ORDER_E, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {SANITY_MSG_E, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {DUPLICATE_MSG_E, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {NO_CHANGE_CIPHER_E, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {LENGTH_ERROR, LR__ALERT_RECORD_OVERFLOW, LR_ETLS},
    {INPUT_SIZE_E, LR__ALERT_RECORD_OVERFLOW, LR_ETLS},
    {HANDSHAKE_SIZE_ERROR, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {EMPTY_RECORD_LIMIT_E, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {ALERT_COUNT_E, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS},
    {VERSION_ERROR, LR__ALERT_PROTOCOL_VERSION, LR_EVERSION},
    {UNSUPPORTED_PROTO_VERSION, LR__ALERT_PROTOCOL_VERSION, LR_EVERSION},
    {MATCH_SUITE_ERROR, LR__ALERT_HANDSHAKE_FAILURE, LR_ETLS},
    {UNSUPPORTED_SUITE, LR__ALERT_HANDSHAKE_FAILURE, LR_ETLS},
    {KEY_SHARE_ERROR, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {BAD_KEY_SHARE_DATA, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {ECC_PEERKEY_ERROR, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {PEER_KEY_ERROR, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {BAD_FUNC_ARG, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS}, /* a hybrid key share cut short */
    {INVALID_PARAMETER, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {EXT_NOT_ALLOWED, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {DUPLICATE_TLS_EXT_E, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {COMPRESSION_ERROR, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {EXT_MISSING, LR__ALERT_MISSING_EXTENSION, LR_ETLS},
    {UNSUPPORTED_EXTENSION, ALERT_UNSUPPORTED_EXTENSION, LR_ETLS},
    {BUFFER_ERROR, LR__ALERT_DECODE_ERROR, LR_ETLS},
    {BUFFER_E, LR__ALERT_DECODE_ERROR, LR_ETLS},
    {DECODE_E, LR__ALERT_DECODE_ERROR, LR_ETLS},
    {PARSE_ERROR, LR__ALERT_DECODE_ERROR, LR_ETLS},
    {INCOMPLETE_DATA, LR__ALERT_DECODE_ERROR, LR_ETLS},
    {BAD_HELLO, LR__ALERT_DECODE_ERROR, LR_ETLS},
    {VERIFY_FINISHED_ERROR, ALERT_DECRYPT_ERROR, LR_ETLS},
    {VERIFY_SIGN_ERROR, ALERT_DECRYPT_ERROR, LR_ETLS},
    {BAD_BINDER, LR__ALERT_ILLEGAL_PARAMETER, LR_ETLS},
    {VERIFY_MAC_ERROR, ALERT_BAD_RECORD_MAC, LR_ETLS},
    {DECRYPT_ERROR, ALERT_BAD_RECORD_MAC, LR_ETLS},
    {AES_GCM_AUTH_E, ALERT_BAD_RECORD_MAC, LR_ETLS},
    {MAC_CMP_FAILED_E, ALERT_BAD_RECORD_MAC, LR_ETLS},
    {UNKNOWN_ALPN_PROTOCOL_NAME_E, LR__ALERT_NO_APPLICATION_PROTOCOL, LR_EALPN},
    {UNKNOWN_SNI_HOST_NAME_E, LR__ALERT_UNRECOGNIZED_NAME, LR_ENAME},
    {SECURE_RENEGOTIATION_E, LR__ALERT_HANDSHAKE_FAILURE, LR_ETLS},
    {SCR_DIFFERENT_CERT_E, LR__ALERT_HANDSHAKE_FAILURE, LR_EPEERCERT},
    {INVALID_CERT_CTX_E, LR__ALERT_UNEXPECTED_MESSAGE, LR_ETLS}, /* nobody asked for it */
    {NO_PEER_CERT, ALERT_BAD_CERTIFICATE, LR_ETLS},
};

int lr__alert_of_native(int native)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(natives); i++) {
        if (natives[i].native == native)
            return natives[i].alert;
    }
    return LR__ALERT_INTERNAL_ERROR;
}

lr_status lr__status_of_native(int native)
{
    for (size_t i = 0; i < LR_ARRAY_COUNT(natives); i++) {
        if (natives[i].native == native)
            return natives[i].status;
    }
    return LR_ETLS;
}

void lr__wolf_send_alert(struct WOLFSSL *ssl, int alert)
{
    if (SendAlert)
        (void)SendAlert(ssl, alert_fatal, alert);
}
