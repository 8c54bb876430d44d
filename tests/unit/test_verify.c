/* SPDX-License-Identifier: MIT */
/* Whose certificate holds, and the reason why another's does not. The reasons are those of
 * Node.js 20 with the same files, but where a comment says otherwise. */
#include "support.h"

#include "core/base/mem.h"
#include "core/tls/verify.h"
#include "tests/live/pki.h"
#include "tls_client.h"

enum { FILES_MAX = 10 };

static tls_world world;
static lr_error err;
static lr__verify_rules rules;
static int64_t until;

static int enter(void **state)
{
    (void)state;
    tls_world_enter(&world, 7);
    assert_int_equal(lr__tls_init(&err), LR_OK);
    rules = (lr__verify_rules){.depth = 9, .rsa_bits_min = 2048, .now = world.wall_ms / 1000};
    return 0;
}

static int leave(void **state)
{
    (void)state;
    tls_world_leave(&world);
    return 0;
}

/* Files of authorities, of lists, and of the certificates that the client sends. */
typedef struct plan {
    const char *ca[FILES_MAX], *crl[FILES_MAX], *sent[FILES_MAX + 1];
} plan;

static void read_der(lr__der_list *list, const char *name)
{
    static const lr__pem_kind kind = {"certificate", {"CERTIFICATE"}, LR_ECERTIFICATE};
    lr__input source = {.name = name, .bytes = pki_file(name)};

    assert_int_equal(lr__der_list_add(list, &source, &kind, &err), LR_OK);
}

static void load_trust(lr__trust *trust, const plan *p)
{
    static char pem[65536];
    size_t len = 0;
    lr_slice lists[FILES_MAX];
    lr_context_options options = {LR_CONTEXT_OPTIONS, .crls = lists};

    for (size_t i = 0; i < FILES_MAX && p->ca[i]; i++) {
        lr_slice one = pki_file(p->ca[i]);

        assert_true(one.len < sizeof(pem) - len);
        memcpy(pem + len, one.bytes, one.len);
        len += one.len;
    }
    options.ca = lr_slice_of(pem, len);
    for (; options.crl_count < FILES_MAX && p->crl[options.crl_count]; options.crl_count++)
        lists[options.crl_count] = pki_file(p->crl[options.crl_count]);
    memset(trust, 0, sizeof(*trust));
    if (lr__trust_load(trust, &options, false, &err) != LR_OK)
        fail_msg("%s", err.text);
}

/* To the second, and no longer. */
static void assert_holds_until(const lr__trust *trust, lr__crl_proof *proofs, const lr_slice *chain,
                               uint32_t count)
{
    lr__verify_rules then = rules;
    int64_t told = until;

    assert_true(told >= rules.now);
    then.now = told;
    assert_int_equal(lr__verify_client(trust, &then, proofs, chain, count, &until), LR__VERIFY_OK);
    then.now = told + 1;
    assert_int_not_equal(lr__verify_client(trust, &then, proofs, chain, count, &until),
                         LR__VERIFY_OK);
}

static const char *verdict(const plan *p)
{
    lr__crl_proof proofs[FILES_MAX] = {{0}};
    lr_slice chain[FILES_MAX + 1];
    lr__der_list sent = {0};
    lr__verify_code code, again;
    lr__trust trust;

    load_trust(&trust, p);
    for (size_t i = 0; i <= FILES_MAX && p->sent[i]; i++)
        read_der(&sent, p->sent[i]);
    for (uint32_t i = 0; i < sent.count; i++)
        chain[i] = lr_slice_of(sent.items[i].bytes, sent.items[i].size);
    code = lr__verify_client(&trust, &rules, proofs, chain, sent.count, &until);
    /* What was proven the first time does not change the second verdict. */
    again = lr__verify_client(&trust, &rules, proofs, chain, sent.count, &until);
    assert_int_equal(code, again);
    if (code == LR__VERIFY_OK)
        assert_holds_until(&trust, proofs, chain, sent.count);
    else
        assert_true(until == INT64_MIN);
    lr__der_list_fini(&sent);
    lr__trust_fini(&trust);
    return lr__verify_name(code);
}

typedef struct verdict_case {
    plan p;
    const char *name;
} verdict_case;

static void assert_verdicts(const verdict_case *cases, size_t count)
{
    uint64_t live = lr__mem_read().live;

    for (size_t i = 0; i < count; i++) {
        const char *got = verdict(&cases[i].p);

        if (strcmp(got, cases[i].name) != 0)
            fail_msg("%s (case %zu): '%s' in place of '%s'", cases[i].p.sent[0], i, got,
                     cases[i].name);
    }
    assert_int_equal(lr__mem_read().live, live);
}

#define CHECK(cases) assert_verdicts(cases, LR_ARRAY_COUNT(cases))

static void certificates_hold_that_lead_to_somebody_trusted(void **state)
{
    static const verdict_case cases[] = {
        {{{"root.pem"}, {NULL}, {"client.pem"}}, ""},
        {{{"root.pem"}, {NULL}, {"rsa.pem"}}, ""},
        {{{"root.pem"}, {NULL}, {"multi.pem"}}, "CERT_REJECTED"}, /* wolfSSL cannot read it */
        {{{"root.pem"}, {NULL}, {"plain.pem"}}, ""},
        {{{"root.pem"}, {NULL}, {"deep.pem", "inter.pem"}}, ""},
        {{{"root.pem"}, {NULL}, {"deep.pem", "inter.pem", "root.pem"}}, ""},
        {{{"root.pem", "inter.pem"}, {NULL}, {"deep.pem"}}, ""},
        {{{"other_root.pem", "root.pem"}, {NULL}, {"client.pem"}}, ""},
        /* In any order, and with others between. */
        {{{"root.pem"}, {NULL}, {"deep.pem", "stranger.pem", "root.pem", "inter.pem"}}, ""},
        {{{"root.pem"}, {NULL}, {"deep.pem", "inter.pem", "inter.pem"}}, ""},
        /* A twin of the intermediate's name leads nowhere, the right one does. */
        {{{"root.pem"}, {NULL}, {"deep.pem", "false_inter.pem", "inter.pem"}}, ""},
        {{{"root.pem", "false_inter.pem"}, {NULL}, {"deep.pem", "inter.pem"}}, ""},
        {{{"self.pem"}, {NULL}, {"self.pem"}}, ""},
        /* Node.js wants the root too; here whoever is in `ca` is trusted as it stands. */
        {{{"inter.pem"}, {NULL}, {"deep.pem"}}, ""},
    };

    (void)state;
    CHECK(cases);
}

static void chains_that_lead_to_nobody_say_how_far_they_lead(void **state)
{
    static const verdict_case cases[] = {
        {{{"root.pem"}, {NULL}, {NULL}}, "UNABLE_TO_GET_ISSUER_CERT"},
        {{{"root.pem"}, {NULL}, {"self.pem"}}, "DEPTH_ZERO_SELF_SIGNED_CERT"},
        {{{"root.pem"}, {NULL}, {"stranger.pem"}}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
        {{{"root.pem"}, {NULL}, {"stranger.pem", "other_root.pem"}}, "SELF_SIGNED_CERT_IN_CHAIN"},
        {{{"root.pem"}, {NULL}, {"deep.pem"}}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
        {{{"other_root.pem"}, {NULL}, {"deep.pem", "inter.pem"}},
         "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"},
        {{{NULL}, {NULL}, {"client.pem"}}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
        /* Trusted is a certificate, not its issuer's name, and not a leaf that was not named. */
        {{{"client.pem"}, {NULL}, {"rsa.pem"}}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
        {{{"client.pem"}, {NULL}, {"client.pem"}}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
    };

    (void)state;
    CHECK(cases);
}

static void certificates_that_may_not_be_used_so_are_told(void **state)
{
    static const verdict_case cases[] = {
        {{{"root.pem"}, {NULL}, {"expired.pem"}}, "CERT_HAS_EXPIRED"},
        {{{"root.pem"}, {NULL}, {"not_yet.pem"}}, "CERT_NOT_YET_VALID"},
        {{{"root.pem"}, {NULL}, {"server_only.pem"}}, "INVALID_PURPOSE"},
        {{{"root.pem"}, {NULL}, {"small.pem"}}, "EE_KEY_TOO_SMALL"},
        {{{"root.pem"}, {NULL}, {"sha1.pem"}}, "CA_MD_TOO_WEAK"},
        {{{"root.pem"}, {NULL}, {"strange.pem"}}, "UNHANDLED_CRITICAL_EXTENSION"},
        {{{"root.pem"}, {NULL}, {"by_noca.pem", "noca.pem"}}, "INVALID_CA"},
        {{{"short.pem"}, {NULL}, {"too_deep.pem", "under_short.pem"}}, "PATH_LENGTH_EXCEEDED"},
        {{{"named.pem"}, {NULL}, {"renamed.pem", "under_named.pem"}},
         "UNSUPPORTED_CONSTRAINT_TYPE"},
    };

    (void)state;
    CHECK(cases);
}

static void signatures_are_checked_all_along_the_path(void **state)
{
    /* The intermediate's name and key identifier, signed by somebody else. */
    static const verdict_case cases[] = {
        {{{"other_root.pem"}, {NULL}, {"deep.pem", "false_inter.pem"}},
         "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
        {{{"false_inter.pem"}, {NULL}, {"deep.pem"}}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
    };
    lr__trust trust;
    lr_slice chain[2];
    uint8_t changed[2][2048];
    const plan p = {.ca = {"root.pem"}};
    lr__der_list sent = {0};

    (void)state;
    CHECK(cases);
    load_trust(&trust, &p);
    read_der(&sent, "deep.pem");
    read_der(&sent, "inter.pem");
    for (uint32_t which = 0; which < 2; which++) {
        for (uint32_t i = 0; i < 2; i++) {
            memcpy(changed[i], sent.items[i].bytes, sent.items[i].size);
            chain[i] = lr_slice_of(changed[i], sent.items[i].size);
        }
        changed[which][sent.items[which].size - 5] ^= 1; /* in the signature's last number */
        assert_int_equal(lr__verify_client(&trust, &rules, NULL, chain, 2, &until),
                         LR__VERIFY_CERT_SIGNATURE_FAILURE);
    }
    lr__der_list_fini(&sent);
    lr__trust_fini(&trust);
}

static void s107_revoked_and_missing_and_useless_lists_are_told_apart(void **state)
{
    static const verdict_case cases[] = {
        {{{"root.pem"}, {"root.crl"}, {"client.pem"}}, ""},
        {{{"root.pem"}, {"root_crl.der"}, {"client.pem"}}, ""},
        {{{"root.pem"}, {"root.crl"}, {"revoked.pem"}}, "CERT_REVOKED"},
        {{{"root.pem"}, {"root_nothing.crl"}, {"revoked.pem"}}, ""},
        {{{"root.pem"}, {"root_nothing.crl", "root.crl"}, {"revoked.pem"}}, "CERT_REVOKED"},
        {{{"root.pem"}, {"root.crl", "root_nothing.crl"}, {"revoked.pem"}}, "CERT_REVOKED"},
        {{{"root.pem"}, {"root_old.crl", "root.crl"}, {"revoked.pem"}}, "CERT_REVOKED"},
        {{{"root.pem"}, {"root_old.crl", "root.crl"}, {"client.pem"}}, ""},
        {{{"root.pem"}, {"other.crl"}, {"client.pem"}}, "UNABLE_TO_GET_CRL"},
        {{{"root.pem"}, {"root_old.crl"}, {"client.pem"}}, "CRL_HAS_EXPIRED"},
        {{{"root.pem"}, {"root_early.crl"}, {"client.pem"}}, "CRL_NOT_YET_VALID"},
        {{{"root.pem"}, {"root_false.crl"}, {"client.pem"}}, "CRL_SIGNATURE_FAILURE"},
        {{{"root.pem"}, {"root_false.crl", "root.crl"}, {"client.pem"}}, ""},
        {{{"root.pem"}, {"root.crl", "inter.crl"}, {"deep.pem", "inter.pem"}}, ""},
        {{{"root.pem"}, {"root.crl", "inter.crl"}, {"deep_revoked.pem", "inter.pem"}},
         "CERT_REVOKED"},
        {{{"root.pem"}, {"root.crl", "inter_nothing.crl"}, {"deep_revoked.pem", "inter.pem"}}, ""},
        {{{"root.pem"}, {"root.crl"}, {"deep.pem", "inter.pem"}}, "UNABLE_TO_GET_CRL"},
        {{{"root.pem"}, {"root_inter.crl", "inter.crl"}, {"deep.pem", "inter.pem"}},
         "CERT_REVOKED"},
    };

    (void)state;
    CHECK(cases);
}

static void the_depth_bounds_the_intermediates(void **state)
{
    static const verdict_case none[] = {
        {{{"root.pem"}, {NULL}, {"client.pem"}}, ""},
        {{{"root.pem"}, {NULL}, {"deep.pem", "inter.pem"}}, "CERT_CHAIN_TOO_LONG"},
    };
    static const verdict_case one[] = {
        {{{"root.pem"}, {NULL}, {"deep.pem", "inter.pem"}}, ""},
        {{{"root.pem"},
          {NULL},
          {"deep.pem", "inter.pem", "inter.pem", "inter.pem", "inter.pem", "inter.pem", "inter.pem",
           "inter.pem", "inter.pem", "inter.pem"}},
         "CERT_CHAIN_TOO_LONG"},
    };

    (void)state;
    rules.depth = 0;
    CHECK(none);
    rules.depth = 1;
    CHECK(one);
    rules.depth = 9;
}

static void a_short_key_may_be_allowed(void **state)
{
    static const verdict_case cases[] = {{{{"root.pem"}, {NULL}, {"small.pem"}}, ""}};

    (void)state;
    rules.rsa_bits_min = 1024;
    CHECK(cases);
    rules.rsa_bits_min = 2048;
}

static void bytes_that_are_no_certificate_are_rejected(void **state)
{
    const plan p = {.ca = {"root.pem"}};
    lr_slice chain[] = {lr_slice_of("\x30\x03\x02\x01\x00", 5)};
    lr__trust trust;

    (void)state;
    load_trust(&trust, &p);
    assert_int_equal(lr__verify_client(&trust, &rules, NULL, chain, 1, &until),
                     LR__VERIFY_CERT_REJECTED);
    lr__trust_fini(&trust);
}

static void want_of_memory_never_authorizes(void **state)
{
    const plan p = {.ca = {"root.pem"}, .crl = {"root.crl", "inter.crl"}};
    lr__der_list sent = {0};
    lr_slice chain[2];
    lr__trust trust;
    uint64_t n = 0;

    (void)state;
    load_trust(&trust, &p);
    read_der(&sent, "deep.pem");
    read_der(&sent, "inter.pem");
    for (uint32_t i = 0; i < 2; i++)
        chain[i] = lr_slice_of(sent.items[i].bytes, sent.items[i].size);
    for (lr__verify_code code = LR__VERIFY_OUT_OF_MEM; code != LR__VERIFY_OK;) {
        lr__crl_proof proofs[2] = {{0}};
        uint64_t live = lr__mem_read().live;

        (void)lr__mem_fail_at(++n, false);
        code = lr__verify_client(&trust, &rules, proofs, chain, 2, &until);
        (void)lr__mem_fail_at(0, false);
        assert_int_equal(lr__mem_read().live, live);
        assert_true(n < 2000);
    }
    assert_true(n > 3);
    lr__der_list_fini(&sent);
    lr__trust_fini(&trust);
}

static void each_code_has_a_name_and_an_alert(void **state)
{
    (void)state;
    for (int code = LR__VERIFY_OK + 1; code < LR__VERIFY_CODE_COUNT; code++) {
        assert_true(strlen(lr__verify_name((lr__verify_code)code)) > 8);
        assert_true(lr__verify_alert((lr__verify_code)code, LR_TLS_1_3) >= 40);
    }
    assert_int_equal(lr__verify_alert(LR__VERIFY_UNABLE_TO_GET_ISSUER_CERT, LR_TLS_1_3), 116);
    assert_int_equal(lr__verify_alert(LR__VERIFY_UNABLE_TO_GET_ISSUER_CERT, LR_TLS_1_2), 40);
    assert_int_equal(lr__verify_alert(LR__VERIFY_CERT_HAS_EXPIRED, LR_TLS_1_2), 45);
    assert_int_equal(lr__verify_alert(LR__VERIFY_CERT_REVOKED, LR_TLS_1_3), 44);
    assert_int_equal(lr__verify_alert(LR__VERIFY_SELF_SIGNED_CERT_IN_CHAIN, LR_TLS_1_3), 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_hold_that_lead_to_somebody_trusted),
        cmocka_unit_test(chains_that_lead_to_nobody_say_how_far_they_lead),
        cmocka_unit_test(certificates_that_may_not_be_used_so_are_told),
        cmocka_unit_test(signatures_are_checked_all_along_the_path),
        cmocka_unit_test(s107_revoked_and_missing_and_useless_lists_are_told_apart),
        cmocka_unit_test(the_depth_bounds_the_intermediates),
        cmocka_unit_test(a_short_key_may_be_allowed),
        cmocka_unit_test(bytes_that_are_no_certificate_are_rejected),
        cmocka_unit_test(want_of_memory_never_authorizes),
        cmocka_unit_test(each_code_has_a_name_and_an_alert),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
