/* SPDX-License-Identifier: MIT */
/* live_resumption_matrix.c: which sessions are resumed where (T-XCTX, T-RELOADTIGHT).
 *
 * A cell is a session that a full handshake at policy A gave, in one of four forms, and an attempt
 * to resume it at policy B: of the same server after a reload, of another server with the same
 * keys, or of another name before any reload. Beside it stands the oracle: an honest full handshake
 * at B of the same client, now. Two things are demanded of each cell:
 *
 *     safe    what was resumed the oracle would have let in too, and as the same: authorized,
 *             reason, fingerprint, version, protocol, a suite of B's;
 *     rule    it is resumed if and only if the header of core/tls/session.h says so: the policies
 *             have one digest, name and protocol are those of the full handshake, and the client's
 *             certificate holds now, as far as that can be told without a handshake. So the matrix
 *             fails too where nothing is resumed.
 *
 * A server's certificate is in no policy: contexts that differ in it resume each other's sessions.
 * LOCKRING_FULL tries every client of every pair at every name. */
#include "matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOTH_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
#define SUITES BOTH_1_3 "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
#define AES_128 "TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"
#define AES_256 "TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"

static const matrix_policy policies[] = {
    {.name = "off"},
    {.name = "off, label one", .label = "one"},
    {.name = "off, label two", .label = "two"},
    {.name = "off, 1.2", .version_max = LR_TLS_1_2},
    {.name = "off, 1.3", .version_min = LR_TLS_1_3},
    {.name = "off, AES-128", .suites = AES_128},
    {.name = "off, AES-256", .suites = AES_256},
    {.name = "off, http/1.1", .alpn = "http/1.1"},
    {.name = "off, RSA", .rsa = true},
    {.name = "off, shorter life", .lifetime = 600},
    {.name = "off, no tickets", .tickets = LR_OFF},
    {.name = "later A", .mode = MODE_LATER},
    {.name = "later B", .mode = MODE_LATER, .trust = TRUST_B},
    {.name = "request A", .mode = MODE_REQUEST},
    {.name = "request B", .mode = MODE_REQUEST, .trust = TRUST_B},
    {.name = "request A and B", .mode = MODE_REQUEST, .trust = TRUST_AB},
    {.name = "request A, no depth", .mode = MODE_REQUEST, .depth = LR_NONE},
    {.name = "request A, empty list", .mode = MODE_REQUEST, .crl = CRL_EMPTY},
    {.name = "request A, list", .mode = MODE_REQUEST, .crl = CRL_REVOKING},
    {.name = "request A, suites", .mode = MODE_REQUEST, .suites = SUITES},
    {.name = "request A, small keys", .mode = MODE_REQUEST, .suites = SUITES, .node4 = true},
    {.name = "require A", .mode = MODE_REQUIRE},
    {.name = "require B", .mode = MODE_REQUIRE, .trust = TRUST_B},
    {.name = "require A and B", .mode = MODE_REQUIRE, .trust = TRUST_AB},
    {.name = "require A, no depth", .mode = MODE_REQUIRE, .depth = LR_NONE},
    {.name = "require A, empty list", .mode = MODE_REQUIRE, .crl = CRL_EMPTY},
    {.name = "require A, list", .mode = MODE_REQUIRE, .crl = CRL_REVOKING},
    {.name = "require A, suites", .mode = MODE_REQUIRE, .suites = SUITES},
    {.name = "require A, small keys", .mode = MODE_REQUIRE, .suites = SUITES, .node4 = true},
    {.name = "require A, label one", .mode = MODE_REQUIRE, .label = "one"},
    {.name = "require A, RSA", .mode = MODE_REQUIRE, .rsa = true},
    {.name = "require A, 1.2", .mode = MODE_REQUIRE, .version_max = LR_TLS_1_2},
    {.name = "require A, 1.3", .mode = MODE_REQUIRE, .version_min = LR_TLS_1_3},
    {.name = "require A, AES-256", .mode = MODE_REQUIRE, .suites = AES_256},
};

enum { POLICIES = LIVE_COUNT_OF(policies), NAMED = 2, RUN_MAX_S = 1800 };

static const char usual_alpn[] = "h2,http/1.1";

/* Of the full handshake, then of the attempt. */
static const struct {
    const char *first, *then;
} names[] = {{"same.test", "same.test"},
             {"same.test", "other.test"},
             {"same.test", NULL},
             {NULL, NULL},
             {NULL, "same.test"}};

/* A session and what its full handshake was. */
typedef struct origin {
    SSL_SESSION *session; /* null: there was none to be had */
    matrix_facts facts;
} origin;

typedef struct cell {
    const matrix_policy *from, *to;
    matrix_visit visit;
    const char *first_name;
    const origin *origin;
    const lr_context *context; /* of to */
} cell;

static origin origins[POLICIES][WHO_COUNT][FORM_COUNT][NAMED];
static lr_context *first_contexts[POLICIES];
static bool is_full;

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* How many things differ. */
static uint32_t distance(const matrix_policy *a, const matrix_policy *b)
{
    uint32_t n = 0;

    n += a->mode != b->mode;
    n += a->trust != b->trust;
    n += a->crl != b->crl;
    n += a->version_min != b->version_min || a->version_max != b->version_max;
    n += !same_text(a->suites, b->suites);
    n += !same_text(a->label, b->label);
    n += !same_text(a->alpn, b->alpn);
    n += a->depth != b->depth;
    n += a->lifetime != b->lifetime;
    n += a->node4 != b->node4;
    n += a->rsa != b->rsa;
    n += a->tickets != b->tickets;
    return n;
}

/* What the header of core/tls/context.h has in the digest. */
static bool have_one_digest(const matrix_policy *a, const matrix_policy *b)
{
    if (a->mode != b->mode || a->version_min != b->version_min ||
        a->version_max != b->version_max || !same_text(a->suites, b->suites) ||
        !same_text(a->label, b->label))
        return false;
    return a->mode == MODE_OFF ||
           (a->trust == b->trust && a->depth == b->depth && a->node4 == b->node4 &&
            (a->crl == CRL_NONE) == (b->crl == CRL_NONE));
}

/* A ticket has no certificates in it, so what could have changed about them ends it. */
static bool is_to_be_resumed(const cell *c, const matrix_facts *honest)
{
    const matrix_facts *first = &c->origin->facts;
    bool has_cert = first->fingerprint[0] != '\0';

    if (!honest->accepted || !have_one_digest(c->from, c->to) ||
        !same_text(c->first_name, c->visit.name) || strcmp(first->alpn, honest->alpn) != 0)
        return false;
    if (form_is_stored(c->visit.form) || !has_cert)
        return form_is_stored(c->visit.form) || c->to->tickets != LR_OFF;
    return c->to->tickets != LR_OFF && first->authorized && c->from->crl == c->to->crl;
}

static void judge(const cell *c, const matrix_facts *now, const matrix_facts *honest)
{
    const matrix_visit *v = &c->visit;
    const char *what = matrix_why_unsafe(c->context, v->form, now, honest);
    bool is_unsafe = what != NULL;

    if (!what && now->resumed == is_to_be_resumed(c, honest))
        return;
    if (!what)
        what = now->resumed ? "resumed, which it should not be" : "not resumed";
    matrix_fail(is_unsafe, "%s, %s, '%s' at %s -> '%s' at %s, place %d: %s",
                matrix_form_names[v->form], matrix_who_names[v->who], c->from->name,
                c->first_name ? c->first_name : "no name", c->to->name,
                v->name ? v->name : "no name", v->place, what);
}

static void try_cell(cell *c, const matrix_facts *honest)
{
    matrix_facts now;
    SSL_SESSION *got;

    c->visit.session = SSL_SESSION_dup(c->origin->session);
    assert_non_null(c->visit.session);
    matrix_visit_once(&c->visit, &now, &got);
    judge(c, &now, honest);
    if (now.accepted && !got && !(c->to->tickets == LR_OFF && !form_is_stored(c->visit.form)))
        matrix_fail(false, "%s, '%s' -> '%s', %s: no session for the next time",
                    matrix_form_names[c->visit.form], c->from->name, c->to->name,
                    now.resumed ? "resumed" : "full");
    matrix_count_cell(c->visit.form, &now);
    if (got)
        matrix_keep_ticket(c->context, c->visit.form, got);
    SSL_SESSION_free(got);
    SSL_SESSION_free(c->visit.session);
    c->visit.session = NULL;
}

static bool speaks(const matrix_policy *policy, matrix_form form)
{
    return form_is_13(form) ? policy->version_max != LR_TLS_1_2 : policy->version_min != LR_TLS_1_3;
}

/* Full handshakes at a policy, for sessions of every client. */
static void collect(uint32_t i)
{
    first_contexts[i] = matrix_context(&policies[i]);
    matrix_publish(first_contexts[i]);
    for (int who = 0; who < WHO_BRIEF; who++) {
        for (int form = 0; form < FORM_COUNT; form++) {
            for (int named = 0; named < NAMED; named++) {
                origin *o = &origins[i][who][form][named];
                matrix_visit visit = {.who = (matrix_who)who,
                                      .form = (matrix_form)form,
                                      .name = named ? "same.test" : NULL,
                                      .alpn = usual_alpn};

                if (!speaks(&policies[i], visit.form))
                    continue;
                matrix_new_session(first_contexts[i], &visit, RUN_MAX_S, &o->facts, &o->session);
                assert_false(o->facts.resumed);
            }
        }
    }
}

static bool is_of_interest(const matrix_policy *a, const matrix_policy *b, matrix_who who)
{
    if (who == WHO_NOBODY || who == WHO_KNOWN || is_full)
        return true;
    if (a->mode == MODE_OFF && b->mode == MODE_OFF)
        return false;
    if (who == WHO_STRANGER)
        return a->trust != TRUST_A || b->trust != TRUST_A;
    if (who == WHO_DEEP)
        return a->depth != b->depth;
    return a->node4 || b->node4;
}

/* Of policies that differ in one thing or none all cells of the same name, and some of the others;
 * of others a half, because nothing there can be worse. */
static bool is_chosen(uint32_t i, uint32_t j, size_t n, matrix_who who)
{
    if (i == j)
        return true;
    if (distance(&policies[i], &policies[j]) == 1)
        return n == 0 || (n + i + j) % 4 == 0;
    return n == 0 && (i + j + who) % 2 == 0;
}

/* All attempts at the new context of policy j with the sessions of policy i. */
static void try_pair(uint32_t i, uint32_t j, const lr_context *context, matrix_who who,
                     const matrix_facts honest[FORM_COUNT])
{
    for (int form = 0; form < FORM_COUNT; form++) {
        for (size_t n = 0; n < LIVE_COUNT_OF(names); n++) {
            cell c = {.from = &policies[i],
                      .to = &policies[j],
                      .first_name = names[n].first,
                      .origin = &origins[i][who][form][names[n].first != NULL],
                      .context = context,
                      .visit = {.who = who,
                                .form = (matrix_form)form,
                                .place = (int)(matrix_count.cells % PLACE_COUNT),
                                .name = names[n].then,
                                .alpn = usual_alpn}};

            if (c.origin->session && speaks(c.to, c.visit.form) &&
                (is_full || is_chosen(i, j, n, who)))
                try_cell(&c, &honest[form]);
        }
    }
}

static void try_all_at(uint32_t j)
{
    lr_context *context = matrix_context(&policies[j]); /* a reload of the same options, too */
    matrix_facts honest[WHO_COUNT][FORM_COUNT];

    matrix_publish(context);
    for (int who = 0; who < WHO_BRIEF; who++) {
        for (int form = 0; form < FORM_COUNT; form++) {
            matrix_visit visit = {.who = (matrix_who)who,
                                  .form = (matrix_form)form,
                                  .name = "same.test",
                                  .alpn = usual_alpn};

            if (speaks(&policies[j], visit.form))
                matrix_visit_once(&visit, &honest[who][form], NULL);
        }
        for (uint32_t i = 0; i < POLICIES; i++)
            if (is_of_interest(&policies[i], &policies[j], (matrix_who)who))
                try_pair(i, j, context, (matrix_who)who, honest[who]);
    }
    lr_context_release(context);
}

static void what_is_resumed_after_a_reload_a_full_handshake_would_let_in(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < POLICIES; i++)
        collect(i);
    for (uint32_t j = 0; j < POLICIES; j++)
        try_all_at(j);
    matrix_end_of_test();
}

/* Every policy at once, each under its own name. */
static void before_a_reload_a_session_stays_with_its_name(void **state)
{
    static char texts[POLICIES][16];
    const char *all[POLICIES];

    (void)state;
    for (uint32_t i = 0; i < POLICIES; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "p%u.test", i);
        all[i] = texts[i];
    }
    matrix_publish_names(first_contexts[0], all, first_contexts, POLICIES);
    for (uint32_t n = 0; n < POLICIES * FORM_COUNT * 2; n++) {
        uint32_t i = n / (FORM_COUNT * 2);
        origin own = {0};
        cell c = {.from = &policies[i],
                  .first_name = all[i],
                  .origin = &own,
                  .visit = {.who = n % 2 ? WHO_KNOWN : WHO_NOBODY,
                            .form = (matrix_form)(n / 2 % FORM_COUNT),
                            .name = all[i],
                            .alpn = usual_alpn}};

        if (!speaks(c.from, c.visit.form))
            continue;
        matrix_new_session(first_contexts[i], &c.visit, RUN_MAX_S, &own.facts, &own.session);
        for (uint32_t step = 0; own.session && step < 3; step++) {
            uint32_t j = (i + step * step * 3) % POLICIES;
            matrix_facts honest;

            c.to = &policies[j];
            c.context = first_contexts[j];
            c.visit.name = all[j];
            c.visit.place = (int)(n % PLACE_COUNT);
            if (!speaks(c.to, c.visit.form))
                continue;
            matrix_visit_once(&c.visit, &honest, NULL);
            try_cell(&c, &honest);
        }
        SSL_SESSION_free(own.session);
    }
    matrix_end_of_test();
}

/* The protocol is bound as the name is. */
static void a_session_stays_with_its_protocol(void **state)
{
    static const char *const offers[] = {"h2,http/1.1", "http/1.1", "h2", NULL};
    static const char *const some[] = {"off", "request A", "require A"};

    (void)state;
    for (size_t s = 0; s < LIVE_COUNT_OF(some); s++) {
        uint32_t i = 0;

        while (strcmp(policies[i].name, some[s]) != 0)
            i++;
        matrix_publish(first_contexts[i]);
        for (int form = 0; form < FORM_COUNT; form++) {
            for (size_t n = 0; n < LIVE_COUNT_OF(offers); n++) {
                cell c = {.from = &policies[i],
                          .to = &policies[i],
                          .first_name = "same.test",
                          .origin = &origins[i][WHO_KNOWN][form][1],
                          .context = first_contexts[i],
                          .visit = {.who = WHO_KNOWN,
                                    .form = (matrix_form)form,
                                    .name = "same.test",
                                    .alpn = offers[n]}};
                matrix_facts honest;

                matrix_visit_once(&c.visit, &honest, NULL);
                try_cell(&c, &honest);
            }
        }
    }
    matrix_end_of_test();
}

/* As many as are asked for, and of each form some that are resumed and some that are not. */
static void the_matrix_is_large_enough(void **state)
{
    (void)state;
    (void)printf("%u cells, %u visits, %u refused\n", matrix_count.cells, matrix_count.visits,
                 matrix_count.refused);
    assert_true(matrix_count.cells >= 500);
    for (int form = 0; form < FORM_COUNT; form++) {
        (void)printf("%s: %u resumed, %u full\n", matrix_form_names[form],
                     matrix_count.resumed[form], matrix_count.full[form]);
        assert_true(matrix_count.resumed[form] >= 20);
        assert_true(matrix_count.full[form] >= 20);
    }
}

static void no_ticket_opens_under_a_key_that_is_not_its_own(void **state)
{
    uint32_t count = matrix_try_wrong_keys();

    (void)state;
    (void)printf("%u tickets and stored sessions tried with wrong keys\n", count);
    assert_true(count >= 500);
    matrix_end_of_test();
}

static int set_up(void **state)
{
    const char *full = getenv("LOCKRING_FULL");

    (void)state;
    is_full = full && *full != '\0';
    matrix_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < POLICIES; i++) {
        for (int who = 0; who < WHO_COUNT; who++)
            for (int form = 0; form < FORM_COUNT; form++)
                for (int named = 0; named < NAMED; named++)
                    SSL_SESSION_free(origins[i][who][form][named].session);
        lr_context_release(first_contexts[i]);
    }
    matrix_forget_tickets();
    matrix_stop();
    matrix_pki_free();
    return 0;
}

/* In this order: later ones use the sessions and the counts of the first. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_resumed_after_a_reload_a_full_handshake_would_let_in),
        cmocka_unit_test(before_a_reload_a_session_stays_with_its_name),
        cmocka_unit_test(a_session_stays_with_its_protocol),
        cmocka_unit_test(names_and_protocols_are_bound_apart),
        cmocka_unit_test(nothing_resumes_past_its_time),
        cmocka_unit_test(a_chain_of_resumptions_ends_after_a_week),
        cmocka_unit_test(a_chain_of_resumptions_has_only_so_many_links),
        cmocka_unit_test(a_ticket_tells_what_its_client_was_at_its_last_resumption),
        cmocka_unit_test(the_matrix_is_large_enough),
        cmocka_unit_test(no_ticket_opens_under_a_key_that_is_not_its_own),
    };

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
