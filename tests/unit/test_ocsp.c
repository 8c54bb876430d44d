/* SPDX-License-Identifier: MIT */
/* OCSP: requests as openssl makes them, and which responses hold. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/base/mem.h"
#include "core/tls/library.h"
#include "tests/live/pki.h"
#include "tls_client.h"

#include <lockring/certificate.h>
#include <lockring/ocsp.h>

#include <stdio.h>

static const int64_t now = 1782864000; /* 1 July 2026, between THIS and NEXT of the files */
enum { DAY = 86400, HALF_DAY = 43200 };

static tls_world world;
static lr_error err;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 5);
    return lr__tls_init(&err) == LR_OK ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    tls_world_leave(&world);
    return 0;
}

static lr_slice file_of(const char *name, const char *ending)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "../ocsp/%s.%s", name, ending);
    return pki_file(path);
}

static lr_status check_at(const char *name, int64_t at, lr_ocsp_verdict *out)
{
    return lr_ocsp_check(file_of(name, "response"), file_of("leaf", "crt"), file_of("root", "crt"),
                         at, out, &err);
}

static void a_request_is_that_of_openssl(void **state)
{
    uint8_t request[LR_OCSP_REQUEST_MAX];
    lr_slice expected = file_of("openssl", "request");
    size_t len;

    (void)state;
    assert_int_equal(
        lr_ocsp_request(file_of("leaf", "crt"), file_of("root", "crt"), request, &len, &err),
        LR_OK);
    assert_int_equal(len, expected.len);
    assert_memory_equal(request, expected.bytes, len);
}

static void a_request_needs_the_certificate_and_its_issuer(void **state)
{
    lr_slice leaf = file_of("leaf", "crt"), root = file_of("root", "crt");
    uint8_t request[LR_OCSP_REQUEST_MAX];
    size_t len;

    (void)state;
    assert_int_equal(lr_ocsp_request(leaf, leaf, request, &len, &err), LR_ECERTIFICATE);
    assert_non_null(strstr(err.text, "does not bear the name"));
    assert_int_equal(lr_ocsp_request(LR_LIT("x"), root, request, &len, &err), LR_ECERTIFICATE);
    assert_int_equal(lr_ocsp_request(leaf, LR_LIT("x"), request, &len, &err), LR_ECERTIFICATE);
    assert_non_null(strstr(err.text, "the issuer's certificate is malformed"));
}

static void what_the_issuer_or_his_delegate_signs_holds(void **state)
{
    static const char *const names[] = {
        "good",   "good_by_name", "good_sha256", "good_among", "good_more",    "untold",
        "by_rsa", "by_ed25519",   "by_second",   "openssl",    "by_responder",
    };
    uint64_t live = lr__mem_read().live;

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(names); i++) {
        /* openssl says that its begin is the day on which the files were made. */
        int64_t at = strcmp(names[i], "openssl") == 0 ? now + 400 * (int64_t)DAY : now;
        lr_ocsp_verdict verdict;

        if (check_at(names[i], at, &verdict) != LR_OK)
            fail_msg("%s: %s", names[i], err.text);
        assert_int_equal(verdict.state, LR_OCSP_GOOD);
        assert_true(verdict.this_update <= at && verdict.revoked_at == 0);
        assert_true(verdict.next_update >= at || strcmp(names[i], "untold") == 0);
    }
    assert_int_equal(lr_ocsp_check(file_of("rsa_leaf", "response"), file_of("rsa_leaf", "crt"),
                                   file_of("rsa_root", "crt"), now, NULL, &err),
                     LR_OK);
    assert_int_equal(lr__mem_read().live, live);
}

static void what_does_not_hold_says_why(void **state)
{
    static const struct {
        const char *name, *says;
    } rows[] = {
        {"other_serial", "about another certificate"},
        {"other_key", "about another certificate"},
        {"other_name", "about another certificate"},
        {"nobody", "about another certificate"},
        {"rsa_leaf", "about another certificate"},
        {"twice", "answers twice"},
        {"strange_single", "critical extension"},
        {"strange", "critical extension"},
        {"version_2", "malformed"},
        {"weak", "algorithm that is not taken"},
        {"by_pss", "algorithm that is not taken"},
        {"false", "signature does not hold"},
        {"false_rsa", "signature does not hold"},
        {"false_ed25519", "signature does not hold"},
        {"mixed", "signature does not hold"}, /* an EC signature, an RSA key */
        {"twin", "signature does not hold"},
        {"stranger", "not made one by"},
        {"untold_stranger", "neither the issuer nor told in it"},
        {"by_ninth", "neither the issuer nor told in it"},
        {"itself", "not for OCSP signing"},
        {"by_any_purpose", "not for OCSP signing"},
        {"by_no_purpose", "not for OCSP signing"},
        {"by_no_signatures", "not for OCSP signing"},
        {"by_strange_responder", "critical extension"},
        {"by_expired_responder", "not valid now"},
        {"by_early_responder", "not valid now"},
        {"by_other_responder", "not made one by"},
        {"by_false_responder", "not signed by the certificate's issuer"},
        {"status_malformed", "request malformed"},
        {"status_internal", "internal error"},
        {"status_try_later", "try later"},
        {"status_four", "malformed"},
        {"status_sig_required", "signed requests"},
        {"status_unauthorized", "unauthorized"},
        {"status_seven", "malformed"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        lr_ocsp_verdict verdict;

        assert_int_equal(check_at(rows[i].name, now, &verdict), LR_EOCSP);
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s: %s", rows[i].name, err.text);
        assert_int_equal(verdict.state, LR_OCSP_NONE);
    }
}

static void a_name_that_leads_to_two_keys_is_judged_by_the_right_one(void **state)
{
    /* The twin bears the root's name: what it signs holds for its own certificates only. */
    (void)state;
    assert_int_equal(lr_ocsp_check(file_of("good_by_name", "response"), file_of("leaf", "crt"),
                                   file_of("twin", "crt"), now, NULL, &err),
                     LR_EOCSP);
    assert_non_null(strstr(err.text, "about another certificate"));
    assert_int_equal(lr_ocsp_check(file_of("good", "response"), file_of("leaf", "crt"),
                                   file_of("other_root", "crt"), now, NULL, &err),
                     LR_ECERTIFICATE);
}

static void revoked_and_unknown_are_refused_and_told(void **state)
{
    lr_ocsp_verdict verdict;

    (void)state;
    assert_int_equal(check_at("revoked", now, &verdict), LR_EOCSP);
    assert_non_null(strstr(err.text, "revoked"));
    assert_int_equal(verdict.state, LR_OCSP_REVOKED);
    assert_int_equal(verdict.revoked_at, 1767225600); /* 1 January 2026 */
    assert_int_equal(check_at("unknown", now, &verdict), LR_EOCSP);
    assert_non_null(strstr(err.text, "unknown"));
    assert_int_equal(verdict.state, LR_OCSP_UNKNOWN);
}

static void time_is_the_callers(void **state)
{
    static const struct {
        const char *name;
        int64_t from_now;
        const char *says;
    } rows[] = {
        {"good", -HALF_DAY, NULL},
        {"good", -HALF_DAY - LR_OCSP_SKEW_S, NULL},
        {"good", -HALF_DAY - LR_OCSP_SKEW_S - 1, "thisUpdate"},
        {"good", DAY + HALF_DAY, NULL},
        {"good", DAY + HALF_DAY + 1, "has expired"},
        {"early", 0, "thisUpdate"},
        {"early", HALF_DAY, NULL},
        {"backwards", DAY + HALF_DAY, "before its thisUpdate"},
        {"untold", 100 * (int64_t)DAY, NULL},
        {"by_expired_responder", -2 * (int64_t)DAY, "thisUpdate"},
    };

    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(rows); i++) {
        lr_ocsp_verdict verdict;
        lr_status status = check_at(rows[i].name, now + rows[i].from_now, &verdict);

        assert_int_equal(verdict.state, LR_OCSP_GOOD); /* it was believed, only not now */
        if (status != (rows[i].says ? LR_EOCSP : LR_OK) ||
            (rows[i].says && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu, %s: %s", i, rows[i].name, status == LR_OK ? "holds" : err.text);
    }
}

/* Each bit of what is signed counts, and each front of it is no response. */
static void a_changed_response_does_not_hold(void **state)
{
    lr_slice good = file_of("good", "response");
    uint8_t copy[2048];
    uint32_t held = 0;

    (void)state;
    assert_true(good.len < sizeof(copy));
    for (size_t bit = 0; bit < 8 * good.len; bit++) {
        memcpy(copy, good.bytes, good.len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        held += lr_ocsp_check(lr_slice_of(copy, good.len), file_of("leaf", "crt"),
                              file_of("root", "crt"), now, NULL, &err) == LR_OK;
    }
    assert_int_equal(held, 0);
    for (size_t len = 0; len < good.len; len++)
        assert_int_equal(lr_ocsp_check(lr_slice_of(good.bytes, len), file_of("leaf", "crt"),
                                       file_of("root", "crt"), now, NULL, &err),
                         LR_EOCSP);
}

static void allocations_that_fail_leave_nothing_behind(void **state)
{
    uint64_t live = lr__mem_read().live;
    lr_status status = LR_EOCSP;

    (void)state;
    for (uint64_t n = 1; status != LR_OK; n++) {
        lr_ocsp_verdict verdict;

        (void)lr__mem_fail_at(n, true);
        status = check_at("by_rsa", now, &verdict);
        (void)lr__mem_fail_at(0, false);
        assert_true(status == LR_OK || verdict.state == LR_OCSP_NONE);
        assert_int_equal(lr__mem_read().live, live);
    }
}

static void it_is_asked_again_in_the_middle_of_its_time(void **state)
{
    lr_ocsp_verdict v = {LR_OCSP_GOOD, 0, 1000, 3000, 0}, untold = {LR_OCSP_GOOD, 0, 1000, 0, 0};

    (void)state;
    assert_int_equal(lr_ocsp_refresh_at(&v, 1000), 2000);
    assert_int_equal(lr_ocsp_refresh_at(&v, 1999), 2009); /* never at once */
    assert_int_equal(lr_ocsp_refresh_at(&v, 2000), 2500); /* of what is left */
    assert_int_equal(lr_ocsp_refresh_at(&v, 2990), 3000);
    assert_int_equal(lr_ocsp_refresh_at(&v, 5000), 5010);
    assert_int_equal(lr_ocsp_refresh_at(&untold, 1000), 4600);
    assert_int_equal(lr_ocsp_expires_at(&v), 3000);
    assert_int_equal(lr_ocsp_expires_at(&untold), 1000 + DAY);
}

static void certificates_of_a_file_are_had_by_their_number(void **state)
{
    static char both[32768];
    lr_slice leaf = pki_file("client.pem"), root = pki_file("root.pem");
    uint64_t live = lr__mem_read().live;
    lr_certificate view;
    lr_bytes *der = NULL;

    (void)state;
    memcpy(both, leaf.bytes, leaf.len);
    memcpy(both + leaf.len, root.bytes, root.len);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(
            lr_certificate_load(lr_slice_of(both, leaf.len + root.len), "x", i, &der, &err), LR_OK);
        assert_true(lr_certificate_parse(lr_bytes_slice(der), &view));
        assert_int_equal(view.is_authority, i == 1);
        lr_bytes_release(der);
    }
    assert_int_equal(
        lr_certificate_load(lr_slice_of(both, leaf.len + root.len), "x", 2, &der, &err), LR_OK);
    assert_null(der);
    assert_int_equal(lr_certificate_load(file_of("leaf", "crt"), "x", 0, &der, &err), LR_OK);
    assert_true(lr_certificate_parse(lr_bytes_slice(der), &view));
    assert_string_equal("http://ocsp.example.org/",
                        lr_certificate_ocsp_uri(&view).len == 24 ? "http://ocsp.example.org/" : "");
    lr_bytes_release(der);
    assert_int_equal(lr_certificate_load(LR_LIT("nothing"), "a file", 0, &der, &err),
                     LR_ECERTIFICATE);
    assert_non_null(strstr(err.text, "a file: no certificate"));
    assert_null(der);
    assert_int_equal(lr__mem_read().live, live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_that_of_openssl),
        cmocka_unit_test(a_request_needs_the_certificate_and_its_issuer),
        cmocka_unit_test(what_the_issuer_or_his_delegate_signs_holds),
        cmocka_unit_test(what_does_not_hold_says_why),
        cmocka_unit_test(a_name_that_leads_to_two_keys_is_judged_by_the_right_one),
        cmocka_unit_test(revoked_and_unknown_are_refused_and_told),
        cmocka_unit_test(time_is_the_callers),
        cmocka_unit_test(a_changed_response_does_not_hold),
        cmocka_unit_test(allocations_that_fail_leave_nothing_behind),
        cmocka_unit_test(it_is_asked_again_in_the_middle_of_its_time),
        cmocka_unit_test(certificates_of_a_file_are_had_by_their_number),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
