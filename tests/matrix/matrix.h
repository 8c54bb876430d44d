/* SPDX-License-Identifier: MIT */
/* matrix.h: servers and clients of the matrix of resumption (live_resumption_matrix.c).
 *
 * Four servers share one worker and its ticket keys: with tickets and with a store, each at two
 * places. Every context is made from a policy, a line of the tables. The workers' clock is the
 * system's, moved by matrix_clock_move(). Private symbols are in reach here, for that clock, the
 * contexts' suites and the keys. */
#ifndef LR_TESTS_MATRIX_MATRIX_H
#define LR_TESTS_MATRIX_MATRIX_H

#include "matrix_pki.h"
#include "tests/live/client.h"
#include "tests/live/support.h"

typedef enum matrix_mode {
    MODE_OFF,     /* clients are not asked for a certificate */
    MODE_LATER,   /* not in the handshake */
    MODE_REQUEST, /* asked, and let in without one that holds */
    MODE_REQUIRE
} matrix_mode;

/* What a context is made of. Zero is lockring's default but for the ALPN, "h2,http/1.1". */
typedef struct matrix_policy {
    const char *name;
    matrix_mode mode;
    matrix_trust trust;
    matrix_crl crl;
    lr_tls_version version_min, version_max;
    const char *suites, *label, *alpn;
    uint32_t depth;    /* LR_NONE: 0 */
    uint32_t lifetime; /* s */
    bool node4;        /* smaller RSA keys of clients are enough; name the suites then */
    bool rsa;          /* another identity of the server */
    lr_toggle tickets; /* where there is a store: also on */
} matrix_policy;

/* How a session is kept. */
typedef enum matrix_form {
    FORM_TICKET_12,
    FORM_ID_12,
    FORM_TICKET_13,
    FORM_ID_13,
    FORM_COUNT
} matrix_form;

extern const char *const matrix_form_names[FORM_COUNT];

static inline bool form_is_13(matrix_form form)
{
    return form >= FORM_TICKET_13;
}

static inline bool form_is_stored(matrix_form form)
{
    return form == FORM_ID_12 || form == FORM_ID_13;
}

enum { PLACE_COUNT = 2 };

/* What the server knew of a connection when it was secure. */
typedef struct matrix_facts {
    bool accepted; /* all else is zero where it was not */
    bool resumed, authorized;
    uint16_t cipher; /* IANA; as the client has it */
    lr_tls_version version;
    uint32_t cert_count;
    char error[48], fingerprint[96], alpn[16];
} matrix_facts;

typedef struct matrix_visit {
    matrix_who who;
    matrix_form form;
    int place;
    const char *name; /* null: no server name */
    const char *alpn; /* as the client offers it, "h2,http/1.1"; null: no ALPN */
    SSL_SESSION *session;
} matrix_visit;

void matrix_start(void);
void matrix_stop(void);
lr_workers *matrix_workers(void);

lr_context *matrix_context(const matrix_policy *policy);
/* All servers serve every name, and clients without one, with it. */
void matrix_publish(lr_context *context);
/* Each name with its own context; names[count] stand beside contexts[count]. */
void matrix_publish_names(lr_context *fallback, const char *const *names,
                          lr_context *const *contexts, uint32_t count);

/* One connection, at most of the length of a greeting. *got, if not null: the session that the
 * client has at the end, or null. */
void matrix_visit_once(const matrix_visit *visit, matrix_facts *facts, SSL_SESSION **got);
/* Full handshakes until there is a session that is good for that age, and kept for
 * matrix_try_wrong_keys(). A wolfSSL 5.9.2 that tools/deps has not mended does not compute
 * ages modulo 2^32 as RFC 8446 4.2.11.1 has it, and refuses one of about fifty days' milliseconds
 * divided by the age: such a session is not asked for. *got is null where there is none. */
void matrix_new_session(const lr_context *context, const matrix_visit *visit, int64_t age_s,
                        matrix_facts *facts, SSL_SESSION **got);

/* The workers' wall clock, from that of the system on. */
void matrix_clock_move(int64_t seconds);
void matrix_clock_reset(void);
int64_t matrix_clock_offset(void);

/* Every ticket and every stored value that anybody got, with the context that sealed it. */
void matrix_keep_ticket(const lr_context *context, matrix_form form, const SSL_SESSION *session);
/* Tries them all with keys that must not open them; how many there were. */
uint32_t matrix_try_wrong_keys(void);
void matrix_forget_tickets(void);
/* What the store has for an id; empty: nothing. */
lr_slice matrix_store_find(lr_slice id);

/* Counted over all tests. */
typedef struct matrix_counts {
    uint32_t cells, visits, resumed[FORM_COUNT], full[FORM_COUNT], refused;
    uint32_t unsafe; /* resumed where a full handshake would not have been the same */
    uint32_t broken; /* resumed, or not, against what the header says */
} matrix_counts;

extern matrix_counts matrix_count;

void matrix_count_cell(matrix_form form, const matrix_facts *now);
/* What an attempt was against an honest full handshake of the same client at the same place, now:
 * null, or what would be a hole. */
const char *matrix_why_unsafe(const lr_context *context, matrix_form form, const matrix_facts *now,
                              const matrix_facts *honest);
void matrix_fail(bool is_unsafe, const char *format, ...) __attribute__((format(printf, 2, 3)));
void matrix_end_of_test(void); /* fails it if there was any of these */

void names_and_protocols_are_bound_apart(void **state);

/* The cells of time (matrix_time.c). */
void nothing_resumes_past_its_time(void **state);
void a_chain_of_resumptions_ends_after_a_week(void **state);
void a_chain_of_resumptions_has_only_so_many_links(void **state);
void a_ticket_tells_what_its_client_was_at_its_last_resumption(void **state);

#endif
