/* SPDX-License-Identifier: MIT */
/* matrix_time.c: the cells in which time passes between the full handshake and the attempt, for the
 * workers only. The client is honest about the age of its session; where it knows that a ticket is
 * past its time it does not offer it, so the tickets' own lifetime is tested by a policy that has
 * become stricter. What dishonest clients get is tested in tests/unit/test_session.c. */
#include "matrix.h"

#include "core/tls/session.h"

#include <time.h>

enum { HALF_HOUR = 1800, TWO_HOURS = 7200, DAY = 86400, WEEK = 7 * DAY };

typedef enum outcome {
    ALL,    /* resumed in every form */
    OLD,    /* only in TLS 1.2: wolfSSL 5.9.2 takes no ticket of TLS 1.3 from the future */
    STORED, /* only where the client's certificates are at hand, and can be judged anew */
    NONE
} outcome;

static const matrix_policy off = {.name = "off", .lifetime = WEEK},
                           off_600 = {.name = "off, 600 s", .lifetime = 600},
                           request = {.name = "request", .mode = MODE_REQUEST, .lifetime = WEEK},
                           request_list = {.name = "request, brief list",
                                           .mode = MODE_REQUEST,
                                           .crl = CRL_BRIEF,
                                           .lifetime = WEEK},
                           require = {.name = "require", .mode = MODE_REQUIRE, .lifetime = WEEK},
                           require_list = {.name = "require, brief list",
                                           .mode = MODE_REQUIRE,
                                           .crl = CRL_BRIEF,
                                           .lifetime = WEEK};

static const struct {
    const matrix_policy *from, *to;
    matrix_who who;
    int64_t seconds;
    outcome resumed;
} cases[] = {
    {&off, &off, WHO_NOBODY, 0, ALL},
    {&off, &off, WHO_NOBODY, 6 * DAY, ALL},
    {&off, &off, WHO_NOBODY, WEEK + 10, NONE},
    {&off, &off, WHO_NOBODY, -30, OLD}, /* a clock that was set right, or another machine's */
    {&off, &off, WHO_NOBODY, -120, NONE},
    {&off_600, &off_600, WHO_NOBODY, 500, ALL},
    {&off_600, &off_600, WHO_NOBODY, 700, NONE},
    {&off, &off_600, WHO_NOBODY, 500, ALL},
    {&off, &off_600, WHO_NOBODY, 700, NONE},
    {&require, &require, WHO_KNOWN, HALF_HOUR, ALL},
    {&require, &require, WHO_KNOWN, 6 * DAY, ALL},
    {&require, &require, WHO_BRIEF, HALF_HOUR, ALL},
    {&require, &require, WHO_BRIEF, TWO_HOURS, NONE},
    {&request, &request, WHO_BRIEF, HALF_HOUR, ALL},
    {&request, &request, WHO_BRIEF, TWO_HOURS, STORED},
    {&require_list, &require_list, WHO_KNOWN, HALF_HOUR, ALL},
    {&require_list, &require_list, WHO_KNOWN, TWO_HOURS, NONE},
    {&request_list, &request_list, WHO_KNOWN, HALF_HOUR, ALL},
    {&request_list, &request_list, WHO_KNOWN, TWO_HOURS, STORED},
    {&request_list, &request_list, WHO_NOBODY, TWO_HOURS, ALL},
};

/* The workers' clock goes on, and the client's session has that age. */
static void pass(SSL_SESSION *session, int64_t seconds)
{
    matrix_clock_move(seconds);
    (void)SSL_SESSION_set_time(session, (long)(time(NULL) - (seconds > 0 ? seconds : 0)));
}

static void try_case(size_t n, matrix_form form)
{
    lr_context *from = matrix_context(cases[n].from), *to = matrix_context(cases[n].to);
    matrix_visit visit = {
        .who = cases[n].who, .form = form, .name = "same.test", .place = (int)(n % PLACE_COUNT)};
    outcome wanted = cases[n].resumed;
    bool is_wanted = wanted == ALL || (wanted == STORED && form_is_stored(form)) ||
                     (wanted == OLD && !form_is_13(form));
    matrix_facts first, honest, now;
    SSL_SESSION *got, *again;
    const char *what;

    matrix_clock_reset();
    matrix_publish(from);
    matrix_new_session(from, &visit, cases[n].seconds, &first, &got);
    assert_non_null(got);
    matrix_publish(to);
    pass(got, cases[n].seconds);
    matrix_visit_once(&visit, &honest, NULL);
    visit.session = got;
    matrix_visit_once(&visit, &now, &again);
    matrix_count_cell(form, &now);
    what = matrix_why_unsafe(to, form, &now, &honest);
    if (what || now.resumed != is_wanted)
        matrix_fail(what != NULL || now.resumed, "%s, %s, '%s' -> '%s' after %lld s: %s",
                    matrix_form_names[form], matrix_who_names[visit.who], cases[n].from->name,
                    cases[n].to->name, (long long)cases[n].seconds,
                    what          ? what
                    : now.resumed ? "resumed, which it should not be"
                                  : "not resumed");
    SSL_SESSION_free(got);
    SSL_SESSION_free(again);
    lr_context_release(from);
    lr_context_release(to);
}

void nothing_resumes_past_its_time(void **state)
{
    (void)state;
    for (size_t n = 0; n < LIVE_COUNT_OF(cases); n++)
        for (int form = 0; form < FORM_COUNT; form++)
            try_case(n, (matrix_form)form);
    matrix_clock_reset();
    matrix_end_of_test();
}

/* Each link of the chain is younger than what the policy allows. The keys are other ones each time,
 * so that clients of TLS 1.2 get new tickets too. */
typedef struct chain {
    lr_context *context;
    matrix_visit visit; /* with the session of the last link */
} chain;

static void begin_chain(chain *c, const matrix_policy *policy, matrix_who who, matrix_form form)
{
    matrix_facts first;

    c->context = matrix_context(policy);
    c->visit = (matrix_visit){.who = who, .form = form, .name = "same.test"};
    matrix_publish(c->context);
    matrix_new_session(c->context, &c->visit, WEEK, &first, &c->visit.session);
    assert_non_null(c->visit.session);
}

static void go_on(chain *c, int day)
{
    SSL_SESSION *last = c->visit.session, *next;
    matrix_facts honest, now;
    const char *what;

    matrix_publish(c->context);
    (void)SSL_SESSION_set_time(last, (long)time(NULL) - 2 * DAY);
    c->visit.session = NULL;
    matrix_visit_once(&c->visit, &honest, NULL);
    c->visit.session = last;
    matrix_new_session(c->context, &c->visit, 2 * DAY, &now, &next);
    matrix_count_cell(c->visit.form, &now);
    what = matrix_why_unsafe(c->context, c->visit.form, &now, &honest);
    if (what || now.resumed != (day < 7))
        matrix_fail(what != NULL || now.resumed, "%s after %d days: %s",
                    matrix_form_names[c->visit.form], day,
                    what          ? what
                    : now.resumed ? "resumed"
                                  : "not resumed");
    SSL_SESSION_free(last);
    c->visit.session = next;
    assert_non_null(next);
}

void a_chain_of_resumptions_ends_after_a_week(void **state)
{
    chain chains[2 * FORM_COUNT];
    lr_error err;

    (void)state;
    matrix_clock_reset();
    for (size_t i = 0; i < LIVE_COUNT_OF(chains); i++)
        begin_chain(&chains[i], i % 2 ? &require : &off, i % 2 ? WHO_KNOWN : WHO_NOBODY,
                    (matrix_form)(i / 2));
    for (int day = 2; day <= 8; day += 2) {
        assert_int_equal(lr_workers_rotate_ticket_keys(matrix_workers(), &err), LR_OK);
        matrix_clock_move(2 * DAY);
        for (size_t i = 0; i < LIVE_COUNT_OF(chains); i++)
            go_on(&chains[i], day);
    }
    for (size_t i = 0; i < LIVE_COUNT_OF(chains); i++) {
        SSL_SESSION_free(chains[i].visit.session);
        lr_context_release(chains[i].context);
    }
    matrix_clock_reset();
    matrix_end_of_test();
}

/* wolfSSL counts the tickets of all of them in one byte. */
void a_chain_of_resumptions_has_only_so_many_links(void **state)
{
    matrix_visit visit = {.form = FORM_TICKET_13, .name = "same.test"};
    lr_context *context = matrix_context(&off);
    SSL_SESSION *next;
    matrix_facts facts;

    (void)state;
    matrix_publish(context);
    matrix_new_session(context, &visit, TWO_HOURS, &facts, &visit.session);
    for (int n = 1; n <= 2 * LR__RESUMPTIONS_MAX; n++) {
        assert_non_null(visit.session);
        matrix_new_session(context, &visit, TWO_HOURS, &facts, &next);
        if (!facts.accepted || facts.resumed != (n != LR__RESUMPTIONS_MAX + 1))
            matrix_fail(false, "attempt %d: %s", n,
                        facts.resumed    ? "resumed"
                        : facts.accepted ? "full"
                                         : "refused");
        SSL_SESSION_free(visit.session);
        visit.session = next;
    }
    SSL_SESSION_free(visit.session);
    lr_context_release(context);
    matrix_end_of_test();
}

/* A stored session is judged anew where it is resumed, by lists that have changed; where the new
 * context gives tickets too, the client goes on with one, which knows nothing but that judgement.
 */
static const struct {
    matrix_crl first, then;
    int64_t seconds; /* from the ticket to the attempt with it */
    bool resumed;
} heirs[] = {{CRL_REVOKING, CRL_EMPTY, 0, true},
             {CRL_EMPTY, CRL_REVOKING, 0, false},
             {CRL_EMPTY, CRL_BRIEF, 0, true},
             {CRL_EMPTY, CRL_BRIEF, TWO_HOURS, false}};

static void try_heir(size_t n)
{
    matrix_policy first = {.name = "first", .mode = MODE_REQUEST, .lifetime = WEEK}, then = first;
    matrix_visit visit = {.who = WHO_KNOWN, .form = FORM_ID_13, .name = "same.test"};
    lr_context *from, *to;
    matrix_facts facts, honest;
    SSL_SESSION *stored, *ticket;
    const char *what;

    first.crl = heirs[n].first;
    then.crl = heirs[n].then;
    then.tickets = LR_ON;
    from = matrix_context(&first);
    to = matrix_context(&then);
    matrix_clock_reset();
    matrix_publish(from);
    matrix_new_session(from, &visit, TWO_HOURS, &facts, &stored);
    matrix_publish(to);
    visit.session = stored;
    matrix_visit_once(&visit, &facts, &ticket);
    assert_true(facts.resumed && ticket);
    pass(ticket, heirs[n].seconds);
    visit.session = NULL;
    matrix_visit_once(&visit, &honest, NULL);
    visit.session = ticket;
    matrix_visit_once(&visit, &facts, NULL);
    matrix_count_cell(FORM_TICKET_13, &facts);
    what = matrix_why_unsafe(to, FORM_TICKET_13, &facts, &honest);
    if (what || facts.resumed != heirs[n].resumed)
        matrix_fail(what != NULL, "ticket of a stored session, %zu: %s", n,
                    what            ? what
                    : facts.resumed ? "resumed"
                                    : "not resumed");
    SSL_SESSION_free(stored);
    SSL_SESSION_free(ticket);
    lr_context_release(from);
    lr_context_release(to);
}

void a_ticket_tells_what_its_client_was_at_its_last_resumption(void **state)
{
    (void)state;
    for (size_t n = 0; n < LIVE_COUNT_OF(heirs); n++)
        try_heir(n);
    matrix_clock_reset();
    matrix_end_of_test();
}
