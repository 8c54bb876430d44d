/* SPDX-License-Identifier: MIT */
/* From wolfSSL's errors to alerts and statuses. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/tls/alert.h"
#include "core/tls/hello.h"
#include "core/tls/rand.h"
#include "core/tls/wolf.h"

enum { LOWEST_NATIVE = -1200, BAD_MAC = 20, BAD_DECRYPT = 51 };

static void each_error_has_an_alert_and_a_status(void **state)
{
    static const int alerts[] = {10, 20, 22, 40, 42, 47, 50, 51, 70, 80, 109, 110, 112, 120};

    (void)state;
    for (int native = 0; native > LOWEST_NATIVE; native--) {
        int alert = lr__alert_of_native(native);
        lr_status status = lr__status_of_native(native);
        size_t i = 0;

        while (i < LR_ARRAY_COUNT(alerts) && alerts[i] != alert)
            i++;
        if (i == LR_ARRAY_COUNT(alerts))
            fail_msg("%d has the alert %d", native, alert);
        assert_int_equal(lr_status_class(status), LR_CLASS_TLS_LOCAL);
    }
}

static void what_nobody_thought_of_is_an_internal_error(void **state)
{
    (void)state;
    assert_int_equal(lr__alert_of_native(0), LR__ALERT_INTERNAL_ERROR);
    assert_int_equal(lr__alert_of_native(-1199), LR__ALERT_INTERNAL_ERROR);
    assert_int_equal(lr__alert_of_native(7), LR__ALERT_INTERNAL_ERROR);
    assert_int_equal(lr__alert_of_native(WC_FAILURE), LR__ALERT_INTERNAL_ERROR);
    assert_int_equal(lr__status_of_native(-1199), LR_ETLS);
}

/* RFC 8446 6.2 */
static void the_alerts_are_those_of_the_rfc(void **state)
{
    static const struct {
        int native, alert;
    } cases[] = {
        {UNKNOWN_RECORD_TYPE, LR__ALERT_UNEXPECTED_MESSAGE},
        {OUT_OF_ORDER_E, LR__ALERT_UNEXPECTED_MESSAGE},
        {VERIFY_MAC_ERROR, BAD_MAC},
        {AES_GCM_AUTH_E, BAD_MAC},
        {DECRYPT_ERROR, BAD_MAC},
        {LENGTH_ERROR, LR__ALERT_RECORD_OVERFLOW},
        {MATCH_SUITE_ERROR, LR__ALERT_HANDSHAKE_FAILURE},
        {KEY_SHARE_ERROR, LR__ALERT_ILLEGAL_PARAMETER},
        {BAD_FUNC_ARG, LR__ALERT_ILLEGAL_PARAMETER},
        {INVALID_CERT_CTX_E, LR__ALERT_UNEXPECTED_MESSAGE},
        {BUFFER_ERROR, LR__ALERT_DECODE_ERROR},
        {VERIFY_FINISHED_ERROR, BAD_DECRYPT},
        {VERIFY_SIGN_ERROR, BAD_DECRYPT},
        {VERSION_ERROR, LR__ALERT_PROTOCOL_VERSION},
        {EXT_MISSING, LR__ALERT_MISSING_EXTENSION},
        {UNKNOWN_SNI_HOST_NAME_E, LR__ALERT_UNRECOGNIZED_NAME},
        {UNKNOWN_ALPN_PROTOCOL_NAME_E, LR__ALERT_NO_APPLICATION_PROTOCOL},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(cases); i++)
        assert_int_equal(lr__alert_of_native(cases[i].native), cases[i].alert);
}

static void statuses_that_say_more_are_kept(void **state)
{
    (void)state;
    assert_int_equal(lr__status_of_native(VERSION_ERROR), LR_EVERSION);
    assert_int_equal(lr__status_of_native(UNSUPPORTED_PROTO_VERSION), LR_EVERSION);
    assert_int_equal(lr__status_of_native(UNKNOWN_ALPN_PROTOCOL_NAME_E), LR_EALPN);
    assert_int_equal(lr__status_of_native(UNKNOWN_SNI_HOST_NAME_E), LR_ENAME);
    assert_int_equal(lr__status_of_native(VERIFY_MAC_ERROR), LR_ETLS);
}

static void an_error_is_told_with_wolfssls_words_and_number(void **state)
{
    lr_error err;
    char number[32];

    (void)state;
    assert_int_equal(lr__tls_init(&err), LR_OK);
    assert_int_equal(lr__tls_fail(&err, LR_EKEY, BUFFER_ERROR, "here"), LR_EKEY);
    assert_int_equal(err.status, LR_EKEY);
    assert_int_equal(err.tls_native, BUFFER_ERROR);
    assert_int_equal(err.tls_alert, -1);
    assert_int_equal(strncmp(err.text, "here: ", 6), 0);
    (void)snprintf(number, sizeof(number), "(wolfSSL %d)", BUFFER_ERROR);
    assert_non_null(strstr(err.text, number));
    assert_int_equal(lr__tls_fail(NULL, LR_EKEY, BUFFER_ERROR, "here"), LR_EKEY);
    assert_non_null(strstr(lr__tls_library(), "wolfSSL 5."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_an_alert_and_a_status),
        cmocka_unit_test(what_nobody_thought_of_is_an_internal_error),
        cmocka_unit_test(the_alerts_are_those_of_the_rfc),
        cmocka_unit_test(statuses_that_say_more_are_kept),
        cmocka_unit_test(an_error_is_told_with_wolfssls_words_and_number),
    };
    uint8_t drawn; /* wolfSSL's archive needs the generator to be linked in */

    if (lr__rand_block(&drawn, 1) != 0)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
