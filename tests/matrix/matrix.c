/* SPDX-License-Identifier: MIT */
#include "matrix.h"

#include "core/io/ring.h"
#include "core/tls/context.h"
#include "tests/live/pki.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *const matrix_form_names[FORM_COUNT] = {"1.2 ticket", "1.2 id", "1.3 ticket",
                                                   "1.3 stateful"};
matrix_counts matrix_count;

typedef struct stored {
    uint8_t id[32];
    lr_bytes *value;
} stored;

static struct {
    lr_workers *workers;
    lr_server *servers[2][PLACE_COUNT]; /* by whether it stores */
    uint16_t ports[2][PLACE_COUNT];
    SSL_CTX *ctx[FORM_COUNT][WHO_COUNT];
    pthread_mutex_t mutex; /* guards what follows: hooks write it, the test reads it */
    matrix_facts facts;
    stored *stored;
    size_t stored_count, stored_cap;
} world = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* The clock: tests/matrix/CMakeLists.txt puts the wrapper in place of lr__real_wall_ms(). */

static _Atomic int64_t clock_offset_s;

int64_t __real_lr__real_wall_ms(lr__ring *ring);
int64_t __wrap_lr__real_wall_ms(lr__ring *ring);

int64_t __wrap_lr__real_wall_ms(lr__ring *ring)
{
    return __real_lr__real_wall_ms(ring) + clock_offset_s * 1000;
}

void matrix_clock_move(int64_t seconds)
{
    clock_offset_s += seconds;
}

void matrix_clock_reset(void)
{
    clock_offset_s = 0;
}

int64_t matrix_clock_offset(void)
{
    return clock_offset_s;
}

/* The store and the servers' hooks. */

static const stored *find(lr_slice id)
{
    for (size_t i = world.stored_count; i-- > 0;) {
        if (id.len == 32 && memcmp(world.stored[i].id, id.bytes, 32) == 0)
            return &world.stored[i];
    }
    return NULL;
}

lr_slice matrix_store_find(lr_slice id)
{
    const stored *found;

    (void)pthread_mutex_lock(&world.mutex);
    found = find(id);
    (void)pthread_mutex_unlock(&world.mutex);
    return found ? lr_bytes_slice(found->value) : lr_slice_of(NULL, 0);
}

static void on_new_session(lr_conn *c, lr_slice id, lr_slice value, lr_store_ask ask)
{
    stored *one;

    (void)c;
    (void)pthread_mutex_lock(&world.mutex);
    if (world.stored_count == world.stored_cap) {
        world.stored_cap = world.stored_cap ? 2 * world.stored_cap : 1024;
        world.stored = realloc(world.stored, world.stored_cap * sizeof(*world.stored));
        if (!world.stored)
            abort();
    }
    one = &world.stored[world.stored_count++];
    memcpy(one->id, id.bytes, sizeof(one->id));
    one->value = lr_bytes_new(value);
    (void)pthread_mutex_unlock(&world.mutex);
    (void)lr_store_answer(ask, LR_OK);
}

static void on_resume(lr_conn *c, lr_slice id, lr_resume_ask ask)
{
    const stored *found;
    lr_bytes *value = NULL;

    (void)c;
    (void)pthread_mutex_lock(&world.mutex);
    found = find(id);
    if (found)
        value = found->value;
    (void)pthread_mutex_unlock(&world.mutex);
    (void)lr_resume_answer(ask, LR_OK, value);
}

static void on_secure(lr_conn *c)
{
    lr_slice alpn = lr_conn_alpn(c);
    matrix_facts *facts = &world.facts;

    (void)pthread_mutex_lock(&world.mutex);
    facts->accepted = true;
    facts->resumed = lr_conn_is_resumed(c);
    facts->authorized = lr_conn_is_authorized(c);
    facts->version = lr_conn_version(c);
    facts->cert_count = lr_conn_peer_certificate_count(c);
    (void)snprintf(facts->error, sizeof(facts->error), "%s", lr_conn_authorization_error(c));
    (void)lr_conn_peer_fingerprint256(c, facts->fingerprint);
    (void)snprintf(facts->alpn, sizeof(facts->alpn), "%.*s", (int)alpn.len,
                   alpn.bytes ? (const char *)alpn.bytes : "");
    (void)pthread_mutex_unlock(&world.mutex);
    if (lr_conn_write(c, LR_LIT("!")) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

static const lr_handlers with_tickets = {LR_HANDLERS, .on_secure = on_secure};
static const lr_handlers with_store = {LR_HANDLERS, .on_secure = on_secure,
                                       .on_new_session = on_new_session, .on_resume = on_resume};

/* Servers and contexts. */

lr_workers *matrix_workers(void)
{
    return world.workers;
}

static SSL_CTX *new_ctx(matrix_form form, matrix_who who)
{
    tls_plan plan = {.version = form_is_13(form) ? TLS1_3_VERSION : TLS1_2_VERSION};
    SSL_CTX *ctx = tls_ctx_new(&plan);

    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, 0); /* the RSA key of 1024 bits */
    if (form == FORM_ID_12)
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    assert_true(matrix_pki_use(ctx, who));
    return ctx;
}

/* Keys that open for longer than any session lives, so that it is the session that ends. */
static lr_workers *new_workers(void)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS, .worker_count = 1, .pin = LR_OFF,
                                  .ticket_rotation_s = 86400, .ticket_keep_s = 8 * 86400};
    lr_workers *workers = NULL;
    lr_error err;

    if (lr_workers_new(&options, &workers, &err) != LR_OK)
        fail_msg("%s", err.text);
    return workers;
}

void matrix_start(void)
{
    static const matrix_policy none = {.name = "none"};
    lr_context *context;

    matrix_pki_make();
    matrix_clock_reset();
    context = matrix_context(&none);
    world.workers = new_workers();
    for (int store = 0; store < 2; store++) {
        for (int place = 0; place < PLACE_COUNT; place++) {
            live_plan plan = {.handlers = store ? &with_store : &with_tickets};

            world.servers[store][place] = live_server(world.workers, context, &plan);
            world.ports[store][place] = live_listen(world.servers[store][place], NULL);
        }
    }
    lr_context_release(context);
    for (int form = 0; form < FORM_COUNT; form++)
        for (int who = 0; who < WHO_COUNT; who++)
            world.ctx[form][who] = new_ctx((matrix_form)form, (matrix_who)who);
    live_run(world.workers);
}

void matrix_stop(void)
{
    lr_workers_stop(world.workers, 0);
    lr_workers_join(world.workers);
    for (int store = 0; store < 2; store++)
        for (int place = 0; place < PLACE_COUNT; place++)
            lr_server_free(world.servers[store][place]);
    lr_workers_free(world.workers);
    for (int form = 0; form < FORM_COUNT; form++)
        for (int who = 0; who < WHO_COUNT; who++)
            SSL_CTX_free(world.ctx[form][who]);
    for (size_t i = 0; i < world.stored_count; i++)
        lr_bytes_release(world.stored[i].value);
    free(world.stored);
    world.stored = NULL;
    world.stored_count = world.stored_cap = 0;
    world.workers = NULL;
}

lr_context *matrix_context(const matrix_policy *policy)
{
    lr_slice crl = matrix_pki_crl(policy->crl);
    lr_context_options options = {LR_CONTEXT_OPTIONS,
                                  .self_signed = policy->rsa ? NULL : "localhost",
                                  .cert_file = policy->rsa ? pki_path("server.pem") : NULL,
                                  .key_file = policy->rsa ? pki_path("rsa.key") : NULL,
                                  .version_min = policy->version_min,
                                  .version_max = policy->version_max,
                                  .ciphers = policy->suites,
                                  .alpn = policy->alpn ? policy->alpn : "h2,http/1.1",
                                  .profile = policy->node4 ? LR_PROFILE_NODE4 : LR_PROFILE_MODERN,
                                  .request_cert = policy->mode >= MODE_REQUEST ? LR_ON : LR_OFF,
                                  .request_cert_later = policy->mode == MODE_LATER ? LR_ON : LR_OFF,
                                  .reject_unauthorized =
                                      policy->mode == MODE_REQUIRE ? LR_ON : LR_OFF,
                                  .verify_depth = policy->depth,
                                  .session_id_context = policy->label,
                                  .tickets = policy->tickets,
                                  .session_lifetime_s = policy->lifetime ? policy->lifetime : 7200};
    lr_context *context = NULL;
    lr_error err;

    if (policy->mode != MODE_OFF) {
        options.ca = matrix_pki_trust(policy->trust);
        options.crls = crl.len != 0 ? &crl : NULL;
        options.crl_count = crl.len != 0;
    }
    if (lr_context_new(&options, &context, &err) != LR_OK)
        fail_msg("%s: %s", policy->name, err.text);
    return context;
}

static void publish(lr_context *context, const lr_names *names)
{
    lr_error err;

    for (int store = 0; store < 2; store++)
        for (int place = 0; place < PLACE_COUNT; place++)
            if (lr_server_publish(world.servers[store][place], context, names, &err) != LR_OK)
                fail_msg("%s", err.text);
}

void matrix_publish_names(lr_context *fallback, const char *const *names,
                          lr_context *const *contexts, uint32_t count)
{
    lr_names *table = lr_names_new();
    lr_error err;

    assert_non_null(table);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(lr_names_add(table, names[i], contexts[i], &err), LR_OK);
    publish(fallback, table);
    lr_names_free(table);
}

void matrix_publish(lr_context *context)
{
    static const char *const all[] = {"*.test"};

    matrix_publish_names(context, all, &context, 1);
}

static bool has_suite(const lr_context *context, uint16_t suite)
{
    for (uint32_t i = 0; i < context->suite_count; i++) {
        if (context->suites[i] == suite)
            return true;
    }
    return false;
}

/* Clients. */

/* "h2,http/1.1" to its wire form. */
static bool set_alpn(SSL *ssl, const char *list)
{
    unsigned char wire[64];
    unsigned len = 0;

    for (const char *at = list, *end; *at != '\0'; at = *end ? end + 1 : end) {
        end = strchrnul(at, ',');
        wire[len++] = (unsigned char)(end - at);
        memcpy(wire + len, at, (size_t)(end - at));
        len += (unsigned)(end - at);
    }
    return SSL_set_alpn_protos(ssl, wire, len) == 0;
}

static bool come_in(tls_client *t, const matrix_visit *visit)
{
    char greeting;

    matrix_count.visits++;
    if (!tls_connect(t, world.ctx[visit->form][visit->who], NULL,
                     world.ports[form_is_stored(visit->form)][visit->place], visit->name))
        fail_msg("%s", t->why);
    if (visit->alpn)
        assert_true(set_alpn(t->ssl, visit->alpn));
    if (visit->session)
        assert_int_equal(SSL_set_session(t->ssl, visit->session), 1);
    return tls_handshake(t) && tls_read(t, &greeting, 1);
}

/* The greeting comes behind the facts, and behind every ticket: OpenSSL gives the last. */
void matrix_visit_once(const matrix_visit *visit, matrix_facts *facts, SSL_SESSION **got)
{
    tls_client t;

    if (got)
        *got = NULL;
    (void)pthread_mutex_lock(&world.mutex);
    memset(&world.facts, 0, sizeof(world.facts));
    (void)pthread_mutex_unlock(&world.mutex);
    memset(facts, 0, sizeof(*facts));
    if (come_in(&t, visit)) {
        (void)pthread_mutex_lock(&world.mutex);
        *facts = world.facts;
        (void)pthread_mutex_unlock(&world.mutex);
        facts->cipher = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(t.ssl));
        assert_true(facts->accepted);
        assert_int_equal(facts->resumed, SSL_session_reused(t.ssl));
        /* Else OpenSSL would think that the session has ended badly. */
        SSL_set_shutdown(t.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        if (got && SSL_SESSION_is_resumable(SSL_get0_session(t.ssl)))
            *got = SSL_get1_session(t.ssl);
    } else if (tls_alert_of(&t) < 0 && !t.reset) {
        fail_msg("neither let in nor refused: %s", t.why);
    }
    tls_close(&t, true);
}

/* What a client adds to the age in ms that it tells: the field 14 of OpenSSL's own form of a
 * session (ssl/ssl_asn1.c of 3.0), which has no getter. */
static uint32_t age_add(SSL_SESSION *session)
{
    unsigned char *der = NULL;
    int len = i2d_SSL_SESSION(session, &der), tag, class;
    const unsigned char *at = der, *end;
    uint32_t add = 0;
    long size;

    assert_true(len > 0);
    end = der + len;
    (void)ASN1_get_object(&at, &size, &tag, &class, len);
    while (at < end && (ASN1_get_object(&at, &size, &tag, &class, end - at) & 0x80) == 0) {
        for (long i = 2; tag == 14 && class == V_ASN1_CONTEXT_SPECIFIC && i < size; i++)
            add = add << 8 | at[i]; /* behind the header of an INTEGER */
        at += size;
    }
    OPENSSL_free(der);
    return add;
}

void matrix_new_session(const lr_context *context, const matrix_visit *visit, int64_t age_s,
                        matrix_facts *facts, SSL_SESSION **got)
{
    matrix_visit_once(visit, facts, got);
    while (*got && form_is_13(visit->form) && age_add(*got) + age_s * 1000 > UINT32_MAX) {
        SSL_SESSION_free(*got);
        matrix_visit_once(visit, facts, got);
    }
    if (*got)
        matrix_keep_ticket(context, visit->form, *got);
}

/* Verdicts. */

enum { PRINTED_MAX = 12 };

void matrix_count_cell(matrix_form form, const matrix_facts *now)
{
    matrix_count.cells++;
    if (now->resumed)
        matrix_count.resumed[form]++;
    else if (now->accepted)
        matrix_count.full[form]++;
    else
        matrix_count.refused++;
}

void matrix_fail(bool is_unsafe, const char *format, ...)
{
    const char *first = getenv("LOCKRING_MATRIX_FIRST"); /* hole is enough */
    uint32_t *count = is_unsafe ? &matrix_count.unsafe : &matrix_count.broken;
    va_list arguments;

    if (++*count > PRINTED_MAX)
        return;
    va_start(arguments, format);
    (void)printf("%s: ", is_unsafe ? "UNSAFE" : "RULE");
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
    if (is_unsafe && first && *first != '\0')
        matrix_end_of_test();
}

void matrix_end_of_test(void)
{
    uint32_t is_unsafe = matrix_count.unsafe, broken = matrix_count.broken;

    matrix_count.unsafe = matrix_count.broken = 0;
    if (is_unsafe + broken != 0)
        fail_msg("unsafe: %u, against the rule: %u", is_unsafe, broken);
}

static bool is_same(const matrix_facts *facts, const matrix_facts *honest)
{
    return facts->accepted == honest->accepted && facts->authorized == honest->authorized &&
           facts->version == honest->version && strcmp(facts->error, honest->error) == 0 &&
           strcmp(facts->fingerprint, honest->fingerprint) == 0 &&
           strcmp(facts->alpn, honest->alpn) == 0;
}

const char *matrix_why_unsafe(const lr_context *context, matrix_form form, const matrix_facts *now,
                              const matrix_facts *honest)
{
    if (now->accepted != honest->accepted)
        return now->accepted ? "let in, where a full handshake is refused"
                             : "refused, where a full handshake is let in";
    if (!is_same(now, honest))
        return "is not who a full handshake finds";
    if (now->accepted && !has_suite(context, now->cipher))
        return "has a suite that the context has not";
    if ((form_is_stored(form) || !now->resumed) && now->cert_count != honest->cert_count)
        return "has other certificates than a full handshake";
    return NULL;
}
