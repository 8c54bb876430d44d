/* SPDX-License-Identifier: MIT */
/* events.c: a server whose hooks do what its arguments say and tell what they saw, one line per
 * event. events.js is the same program on Node's tls; oracle.py compares what the two print.
 *
 *     cert=FILE key=FILE [cert2=FILE key2=FILE] | pfx=FILE passphrase=WORD
 *     ca=FILE crl=FILE dhparam=FILE
 *     ciphers=LIST groups=LIST alpn=A,B versions=1.2|1.3 (only this one) client_order
 *     request_cert let_in (reject_unauthorized off) reject (on) alpn_optional node4
 *     host=ADDRESS handshake_timeout=MS connections=N
 *     name=PATTERN:CERT:KEY           into the table of names, in this order
 *     sni=null|error|CERT:KEY         answers on_sni;          late_sni: when told to
 *     ocsp=null|error|FILE            answers on_ocsp_request; late_ocsp: when told to
 *     new                             keeps what on_new_session gives; late_new: when told to
 *     resume=keep|null|error          answers on_resume;       late_resume: when told to
 *     no_tickets lifetime=SECONDS keys=HEX
 *     fragment=N write=N end          in on_secure
 *     tell=alpn|name|cipher|peer|chain|details|authorized|address|resumed   may be repeated
 *
 * Standard input: "answer" answers what waits, "add PATTERN:CERT:KEY" adds a name, "count" tells
 * the connections, "keys HEX" sets the ticket keys, "which" tells them, "close" drains; its end
 * cuts. Everything of a worker happens on its thread, and there is one. */
#include "sessions.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 8, TELLS_MAX = 8, WRITE_MAX = 200000, FILE_MAX = 16384, PATH_SIZE = 512 };

typedef enum answer_kind { ANSWER_UNSET, ANSWER_NULL, ANSWER_ERROR, ANSWER_VALUE } answer_kind;

/* What the arguments say. */
static struct {
    lr_context_options context;
    lr_identity identities[2];
    const char *crl;
    const char *host;
    uint32_t handshake_timeout_ms, connection_count_max;
    const char *names[NAMES_MAX];
    size_t name_count;
    answer_kind sni, ocsp;
    const char *sni_value;
    bool sni_late, ocsp_late, keeps_new, new_late, resume_late;
    session_way resume;
    const char *keys;
    bool has_fragment, ends;
    uint32_t fragment;
    size_t write;
    const char *tell[TELLS_MAX];
    size_t tell_count;
} plan;

static lr_workers *workers;
static lr_server *server;
static lr_context *sni_context;
static lr_bytes *staple;
static const uint8_t zeros[WRITE_MAX];

/* Of the worker. */
static unsigned opened;
static lr_sni_ask sni_waits;
static lr_ocsp_ask ocsp_waits;
static lr_resume_ask resume_waits;
static uint8_t resume_id[32];
static lr_store_ask new_waits[4];
static size_t new_count;

typedef struct visitor {
    unsigned number;
    size_t received;
} visitor;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void give_up(const char *what)
{
    fprintf(stderr, "events: %s\n", what);
    exit(EXIT_FAILURE);
}

/* A configuration that lockring refuses is an event. */
static void check(lr_status status, const lr_error *err)
{
    if (status == LR_OK)
        return;
    fprintf(stderr, "events: %s\n", err->text);
    tell("failed");
    exit(EXIT_SUCCESS);
}

/* Contexts. */

static lr_context *context_of(const lr_context_options *options)
{
    lr_context *context;
    lr_error err;

    check(lr_context_new(options, &context, &err), &err);
    return context;
}

/* "CERT:KEY", with everything else as the server's own has it. */
static lr_context *context_of_pair(const char *pair)
{
    lr_context_options options = plan.context;
    char cert[PATH_SIZE];
    const char *colon = strchr(pair, ':');

    if (!colon)
        give_up("an argument is wrong");
    (void)snprintf(cert, sizeof(cert), "%.*s", (int)(colon - pair), pair);
    options.identities = NULL;
    options.identity_count = 0;
    options.cert_file = cert;
    options.key_file = colon + 1;
    return context_of(&options);
}

static void add_name(const char *triple)
{
    char pattern[PATH_SIZE];
    const char *colon = strchr(triple, ':');
    lr_context *context;
    lr_status status;
    lr_error err;

    if (!colon)
        give_up("an argument is wrong");
    (void)snprintf(pattern, sizeof(pattern), "%.*s", (int)(colon - triple), triple);
    context = context_of_pair(colon + 1);
    status = lr_server_add_context(server, pattern, context, &err);
    lr_context_release(context);
    if (status == LR_OK)
        tell("added %s", pattern);
    else
        tell("not-added %s", pattern);
}

/* Answers, at once or when told to. */

static void answer_sni(lr_sni_ask ask)
{
    lr_status result = plan.sni == ANSWER_ERROR ? LR_EABORTED : LR_OK;

    (void)lr_sni_answer(ask, result, plan.sni == ANSWER_VALUE ? sni_context : NULL);
}

static void answer_ocsp(lr_ocsp_ask ask)
{
    lr_status result = plan.ocsp == ANSWER_ERROR ? LR_EABORTED : LR_OK;

    (void)lr_ocsp_answer(ask, result, plan.ocsp == ANSWER_VALUE ? staple : NULL);
}

static void answer_what_waits(lr_worker *worker, void *arg)
{
    lr_sni_ask sni = sni_waits;
    lr_ocsp_ask ocsp = ocsp_waits;

    (void)worker;
    (void)arg;
    memset(&sni_waits, 0, sizeof(sni_waits));
    memset(&ocsp_waits, 0, sizeof(ocsp_waits));
    if (sni.ask.home)
        answer_sni(sni);
    if (ocsp.ask.home)
        answer_ocsp(ocsp);
    if (resume_waits.ask.home)
        session_answer(plan.resume, lr_slice_of(resume_id, sizeof(resume_id)), resume_waits);
    memset(&resume_waits, 0, sizeof(resume_waits));
    while (new_count > 0)
        (void)lr_store_answer(new_waits[--new_count], LR_OK);
}

/* What a secure connection tells. */

static void print_hex(lr_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", bytes.bytes[i]);
}

static const char *version_name(const lr_conn *c)
{
    return lr_conn_version(c) == LR_TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
}

static void print_attribute(const char *word, lr_slice name, const char *attribute)
{
    char text[256];

    printf("%s%s", word,
           lr_certificate_attribute(name, attribute, 0, text, sizeof(text)) ? text : "undefined");
}

static void print_details(lr_slice der)
{
    lr_certificate certificate;
    char text[256];

    if (!lr_certificate_parse(der, &certificate))
        return;
    print_attribute(" subject=", certificate.subject, "CN");
    print_attribute("|", certificate.subject, "O");
    print_attribute("|", certificate.subject, "C");
    print_attribute(" issuer=", certificate.issuer, "CN");
    (void)lr_certificate_serial(&certificate, text, sizeof(text));
    printf(" serial=%s", text);
    (void)lr_certificate_time_text(certificate.valid_from, text, sizeof(text));
    printf(" from=%s", text);
    (void)lr_certificate_time_text(certificate.valid_to, text, sizeof(text));
    printf(" to=%s", text);
    (void)lr_certificate_fingerprint(&certificate, LR_DIGEST_SHA1, text, sizeof(text));
    printf(" sha1=%s", text);
    (void)lr_certificate_fingerprint(&certificate, LR_DIGEST_SHA256, text, sizeof(text));
    printf(" sha256=%s usage=", text);
    for (uint32_t i = 0; lr_certificate_ext_usage(&certificate, i, text, sizeof(text)) != 0; i++)
        printf("%s%s", i == 0 ? "" : ",", text);
}

/* The address without its port. */
static void print_host(const char *word, bool known, char *address)
{
    char *colon = strrchr(address, ':');

    if (colon)
        *colon = '\0';
    printf(" %s=%s", word, known ? address : "none");
}

static void print_one(const lr_conn *c, const char *what)
{
    char text[128];
    lr_slice slice;

    if (strcmp(what, "alpn") == 0) {
        slice = lr_conn_alpn(c);
        printf(" alpn=%.*s", (int)slice.len, (const char *)slice.bytes);
    } else if (strcmp(what, "name") == 0) {
        slice = lr_conn_servername(c);
        printf(" name=%.*s", (int)slice.len, (const char *)slice.bytes);
    } else if (strcmp(what, "cipher") == 0) {
        printf(" version=%s cipher=%s", version_name(c), lr_conn_cipher(c));
    } else if (strcmp(what, "authorized") == 0) {
        printf(" authorized=%s why=%s", lr_conn_is_authorized(c) ? "true" : "false",
               lr_conn_authorization_error(c));
    } else if (strcmp(what, "peer") == 0) {
        printf(" peer=");
        print_hex(lr_conn_peer_certificate(c, 0));
    } else if (strcmp(what, "chain") == 0) {
        printf(" chain=");
        for (uint32_t i = 0; i < lr_conn_peer_certificate_count(c); i++) {
            printf(i == 0 ? "" : ",");
            print_hex(lr_conn_peer_certificate(c, i));
        }
    } else if (strcmp(what, "details") == 0) {
        print_details(lr_conn_peer_certificate(c, 0));
    } else if (strcmp(what, "resumed") == 0) {
        printf(" resumed=%s", lr_conn_is_resumed(c) ? "true" : "false");
    } else if (strcmp(what, "address") == 0) {
        print_host("remote", lr_conn_remote(c, text, sizeof(text)), text);
        print_host("local", lr_conn_local(c, text, sizeof(text)), text);
    }
}

/* Hooks. */

static void on_open(lr_conn *c)
{
    visitor *v = lr_conn_user(c);

    v->number = ++opened;
    tell("%u open", v->number);
}

static void on_sni(lr_conn *c, lr_slice servername, lr_sni_ask ask)
{
    const visitor *v = lr_conn_user(c);

    tell("%u sni %.*s", v->number, (int)servername.len, (const char *)servername.bytes);
    if (plan.sni_late)
        sni_waits = ask;
    else
        answer_sni(ask);
}

static void on_ocsp_request(lr_conn *c, lr_slice certificate, lr_slice issuer, lr_ocsp_ask ask)
{
    const visitor *v = lr_conn_user(c);

    printf("%u ocsp certificate=", v->number);
    print_hex(certificate);
    printf(" issuer=");
    print_hex(issuer);
    tell("%s", "");
    if (plan.ocsp_late)
        ocsp_waits = ask;
    else
        answer_ocsp(ask);
}

static void on_resume(lr_conn *c, lr_slice id, lr_resume_ask ask)
{
    const visitor *v = lr_conn_user(c);

    tell("%u resume %zu", v->number, id.len);
    if (!plan.resume_late) {
        session_answer(plan.resume, id, ask);
        return;
    }
    memcpy(resume_id, id.bytes, sizeof(resume_id));
    resume_waits = ask;
}

static void on_new_session(lr_conn *c, lr_slice id, lr_slice value, lr_store_ask ask)
{
    const visitor *v = lr_conn_user(c);

    tell("%u new-session %zu", v->number, id.len);
    session_put(id, value);
    if (plan.new_late && new_count < sizeof(new_waits) / sizeof(*new_waits))
        new_waits[new_count++] = ask;
    else
        (void)lr_store_answer(ask, LR_OK);
}

static void on_client_error(lr_conn *c, const lr_error *why)
{
    const visitor *v = lr_conn_user(c);

    printf("%u error %s", v->number, lr_status_name(why->status));
    for (size_t i = 0; i < plan.tell_count; i++) {
        if (strcmp(plan.tell[i], "address") == 0)
            print_one(c, "address");
    }
    tell("%s", "");
}

static void on_secure(lr_conn *c)
{
    const visitor *v = lr_conn_user(c);

    printf("%u secure", v->number);
    for (size_t i = 0; i < plan.tell_count; i++)
        print_one(c, plan.tell[i]);
    if (plan.has_fragment)
        printf(" fragment=%s", lr_conn_set_fragment_size_max(c, plan.fragment) ? "true" : "false");
    tell("%s", "");
    if (plan.write != 0 && lr_conn_write(c, lr_slice_of(zeros, plan.write)) != LR_OK)
        tell("%u not-written", v->number);
    if (plan.ends)
        lr_conn_end_write(c); /* Node's end(): what the peer says is still heard */
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    visitor *v = lr_conn_user(c);

    v->received += bytes.len;
    if (lr_conn_write(c, bytes) != LR_OK)
        tell("%u not-written", v->number);
}

static void on_end(lr_conn *c)
{
    const visitor *v = lr_conn_user(c);

    tell("%u end received=%zu", v->number, v->received);
    lr_conn_end(c);
}

static void on_close(lr_conn *c, const lr_error *why)
{
    const visitor *v = lr_conn_user(c);

    tell("%u close %s", v->number, why ? lr_status_name(why->status) : "clean");
}

static void on_refused(lr_worker *w, lr_server *s, lr_status why)
{
    (void)w;
    (void)s;
    tell("refused %s", lr_status_name(why));
}

/* Arguments. */

static answer_kind kind_of(const char *value)
{
    if (strcmp(value, "null") == 0)
        return ANSWER_NULL;
    return strcmp(value, "error") == 0 ? ANSWER_ERROR : ANSWER_VALUE;
}

static void read_staple(const char *path)
{
    static uint8_t bytes[FILE_MAX];
    FILE *file = fopen(path, "rb");
    size_t len;

    if (!file)
        give_up("an argument is wrong");
    len = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    staple = lr_bytes_new(lr_slice_of(bytes, len));
}

static const char **text_option(const char *key)
{
    static const struct {
        const char *key;
        const char **at;
    } options[] = {
        {"cert", &plan.identities[0].cert_file},
        {"key", &plan.identities[0].key_file},
        {"cert2", &plan.identities[1].cert_file},
        {"key2", &plan.identities[1].key_file},
        {"ca", &plan.context.ca_file},
        {"dhparam", &plan.context.dhparam_file},
        {"ciphers", &plan.context.ciphers},
        {"groups", &plan.context.groups},
        {"alpn", &plan.context.alpn},
        {"crl", &plan.crl},
        {"pfx", &plan.context.pkcs12_file},
        {"passphrase", &plan.context.passphrase},
        {"host", &plan.host},
        {"keys", &plan.keys},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        if (strcmp(options[i].key, key) == 0)
            return options[i].at;
    }
    return NULL;
}

static bool take_flag(const char *word)
{
    if (strcmp(word, "client_order") == 0)
        plan.context.honor_cipher_order = LR_OFF;
    else if (strcmp(word, "request_cert") == 0)
        plan.context.request_cert = LR_ON;
    else if (strcmp(word, "let_in") == 0)
        plan.context.reject_unauthorized = LR_OFF;
    else if (strcmp(word, "reject") == 0)
        plan.context.reject_unauthorized = LR_ON;
    else if (strcmp(word, "alpn_optional") == 0)
        plan.context.alpn_required = LR_OFF;
    else if (strcmp(word, "node4") == 0)
        plan.context.profile = LR_PROFILE_NODE4;
    else if (strcmp(word, "late_sni") == 0)
        plan.sni_late = true;
    else if (strcmp(word, "late_ocsp") == 0)
        plan.ocsp_late = true;
    else if (strcmp(word, "new") == 0)
        plan.keeps_new = true;
    else if (strcmp(word, "late_new") == 0)
        plan.new_late = true;
    else if (strcmp(word, "late_resume") == 0)
        plan.resume_late = true;
    else if (strcmp(word, "no_tickets") == 0)
        plan.context.tickets = LR_OFF;
    else if (strcmp(word, "end") == 0)
        plan.ends = true;
    else
        return false;
    return true;
}

static bool take_value(const char *key, const char *value)
{
    const char **text = text_option(key);
    uint32_t number = (uint32_t)strtoul(value, NULL, 10);

    if (text) {
        *text = value;
    } else if (strcmp(key, "versions") == 0) {
        plan.context.version_min = strcmp(value, "1.2") == 0 ? LR_TLS_1_2 : LR_TLS_1_3;
        plan.context.version_max = plan.context.version_min;
    } else if (strcmp(key, "handshake_timeout") == 0) {
        plan.handshake_timeout_ms = number;
    } else if (strcmp(key, "connections") == 0) {
        plan.connection_count_max = number;
    } else if (strcmp(key, "fragment") == 0) {
        plan.has_fragment = true;
        plan.fragment = number;
    } else if (strcmp(key, "write") == 0 && number <= WRITE_MAX) {
        plan.write = number;
    } else if (strcmp(key, "name") == 0 && plan.name_count < NAMES_MAX) {
        plan.names[plan.name_count++] = value;
    } else if (strcmp(key, "tell") == 0 && plan.tell_count < TELLS_MAX) {
        plan.tell[plan.tell_count++] = value;
    } else if (strcmp(key, "lifetime") == 0) {
        plan.context.session_lifetime_s = number;
    } else if (strcmp(key, "resume") == 0) {
        plan.resume = strcmp(value, "keep") == 0   ? SESSION_KEEP
                      : strcmp(value, "null") == 0 ? SESSION_NULL
                                                   : SESSION_ERROR;
    } else if (strcmp(key, "sni") == 0) {
        plan.sni = kind_of(value);
        plan.sni_value = value;
    } else if (strcmp(key, "ocsp") == 0) {
        plan.ocsp = kind_of(value);
        if (plan.ocsp == ANSWER_VALUE)
            read_staple(value);
    } else {
        return false;
    }
    return true;
}

static void take_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (equals)
            *equals = '\0';
        if (!(equals ? take_value(argv[i], equals + 1) : take_flag(argv[i]))) {
            give_up(argv[i]);
        }
    }
}

static void make_server(void)
{
    lr_handlers handlers = {
        LR_HANDLERS,
        .on_open = on_open,
        .on_client_error = on_client_error,
        .on_secure = on_secure,
        .on_data = on_data,
        .on_end = on_end,
        .on_close = on_close,
        .on_sni = plan.sni != ANSWER_UNSET ? on_sni : NULL,
        .on_ocsp_request = plan.ocsp != ANSWER_UNSET ? on_ocsp_request : NULL,
        .on_resume = plan.resume != SESSION_UNSET ? on_resume : NULL,
        .on_new_session = plan.keeps_new ? on_new_session : NULL,
    };
    lr_server_options options = {
        LR_SERVER_OPTIONS,
        .handlers = &handlers,
        .conn_user_size = sizeof(visitor),
        .handshake_timeout_ms = plan.handshake_timeout_ms,
        .connection_count_max = plan.connection_count_max,
        .on_refused = on_refused,
    };
    lr_listen_options listen = {LR_LISTEN_OPTIONS, .host = plan.host};
    lr_error err;

    plan.context.size = sizeof(plan.context);
    plan.identities[0].size = plan.identities[1].size = sizeof(plan.identities[0]);
    if (!plan.context.pkcs12_file) {
        plan.context.identities = plan.identities;
        plan.context.identity_count = plan.identities[1].cert_file ? 2 : 1;
    }
    if (plan.crl) {
        plan.context.crl_files = &plan.crl;
        plan.context.crl_file_count = 1;
    }
    options.context = context_of(&plan.context);
    check(lr_server_new(workers, &options, &server, &err), &err);
    lr_context_release(options.context);
    if (plan.sni == ANSWER_VALUE)
        sni_context = context_of_pair(plan.sni_value);
    for (size_t i = 0; i < plan.name_count; i++)
        add_name(plan.names[i]);
    check(lr_server_listen(server, &listen, NULL, &err), &err);
}

static void tell_keys(void)
{
    uint8_t key[LR_TICKET_KEY_SIZE] = {0};

    (void)lr_workers_get_ticket_key(workers, key);
    printf("keys are ");
    print_hex(lr_slice_of(key, sizeof(key)));
    tell("%s", "");
}

static void obey(const char *line)
{
    if (strcmp(line, "answer") == 0) {
        if (lr_worker_post(lr_workers_worker(workers, 0), answer_what_waits, NULL) != LR_OK)
            give_up("post");
    } else if (strncmp(line, "add ", 4) == 0) {
        add_name(line + 4);
    } else if (strcmp(line, "count") == 0) {
        tell("count %llu", (unsigned long long)lr_server_connection_count(server));
    } else if (strncmp(line, "keys ", 5) == 0) {
        tell("keys %s", session_set_keys(workers, line + 5) ? "set" : "refused");
    } else if (strcmp(line, "which") == 0) {
        tell_keys();
    } else if (strcmp(line, "close") == 0) {
        lr_workers_stop(workers, LR_NONE);
        lr_workers_join(workers);
        tell("closed");
    }
}

int main(int argc, char **argv)
{
    lr_workers_options options = {LR_WORKERS_OPTIONS, .worker_count = 1, .pin = LR_OFF,
                                  .ticket_keep_s = LR_NONE}; /* Node keeps none */
    char line[3 * PATH_SIZE], address[128];
    lr_error err;

    take_arguments(argc, argv);
    check(lr_workers_new(&options, &workers, &err), &err);
    if (plan.keys && !session_set_keys(workers, plan.keys)) {
        tell("failed");
        return EXIT_SUCCESS;
    }
    make_server();
    check(lr_workers_start(workers, &err), &err);
    (void)lr_server_address(server, 0, address, sizeof(address));
    tell("listening %s", address);
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    lr_workers_stop(workers, 0);
    lr_workers_join(workers);
    lr_server_free(server);
    lr_workers_free(workers);
    lr_context_release(sni_context);
    lr_bytes_release(staple);
    session_forget();
    return EXIT_SUCCESS;
}
