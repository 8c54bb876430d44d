/* SPDX-License-Identifier: MIT */
/* tools/serve_options.c: one table has every option of lockring-serve: its name, what it takes, how
 * it is read and its help. serve_values.c reads the values. */
#include "tools/serve_options.h"

#include "proto/proxy.h"
#include "tools/serve_values.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKERS_MAX = 256,
    FRAGMENT_MIN = 512,
    FRAGMENT_MAX = 16384,
    RENEGOTIATIONS_MAX = 64,
    RENEGOTIATION_S_MAX = 604800,
    TICKET_LIFETIME_MAX_S = 604800,
    TICKET_ROTATION_MAX_S = 31536000,
    TICKETS_MAX = 4,
    NODE4_HANDSHAKE_TIMEOUT_MS = 120000,
    OPTION_FIRST = 256 /* what getopt_long returns for the first of the table */
};

#define MS_MAX (LR_NONE - 1) /* LR_NONE is not a number of milliseconds */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool not_available(const char *name, const char *value)
{
    return serve_wrong("%s: '%s' is not available in this version", name, value);
}

static bool read_listen(serve_options *out, const char *name, const char *value)
{
    serve_listen *listen = &out->listen[out->listen_count];

    if (out->listen_count == SERVE_LISTEN_MAX)
        return serve_wrong("%s: '%s' is one too many, there may be %d", name, value,
                           SERVE_LISTEN_MAX);
    listen->text = value;
    out->listen_count++;
    if (strncmp(value, "unix:", 5) != 0)
        return serve_read_host_port(listen, name, value);
    if (value[5] == '\0')
        return serve_wrong("%s: '%s' has no path", name, value);
    if (strlen(value + 5) > SERVE_PATH_MAX)
        return serve_wrong("%s: '%s' has a path of more than %d bytes", name, value,
                           SERVE_PATH_MAX);
    listen->path = value + 5;
    return true;
}

static bool read_workers(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 1, WORKERS_MAX, &out->worker_count);
}

static bool read_pin(serve_options *out, const char *name, const char *value)
{
    static const serve_word words[] = {{"auto", LR_DEFAULT}, {"off", LR_OFF}};
    int pin = LR_DEFAULT;
    bool ok = serve_read_word(name, value, words, COUNT_OF(words), &pin);

    out->pin = (lr_toggle)pin;
    return ok;
}

static bool read_ring(serve_options *out, const char *name, const char *value)
{
    static const serve_word words[] = {
        {"auto", LR_RING_AUTO}, {"uring", LR_RING_URING}, {"epoll", LR_RING_EPOLL}};
    int ring = LR_RING_AUTO;
    bool ok = serve_read_word(name, value, words, COUNT_OF(words), &ring);

    out->ring = (lr_ring_choice)ring;
    return ok;
}

static bool read_share_port(serve_options *out, const char *name, const char *value)
{
    (void)name;
    (void)value;
    out->share_port = true;
    return true;
}

static bool read_cert(serve_options *out, const char *name, const char *value)
{
    if (out->cert_count == SERVE_PAIRS_MAX)
        return serve_wrong("%s: '%s' is one too many, there may be %d", name, value,
                           SERVE_PAIRS_MAX);
    out->cert_files[out->cert_count++] = value;
    return true;
}

static bool read_key(serve_options *out, const char *name, const char *value)
{
    if (out->key_count == SERVE_PAIRS_MAX)
        return serve_wrong("%s: '%s' is one too many, there may be %d", name, value,
                           SERVE_PAIRS_MAX);
    out->key_files[out->key_count++] = value;
    return true;
}

static bool read_ocsp_file(serve_options *out, const char *name, const char *value)
{
    if (out->ocsp_count == SERVE_PAIRS_MAX)
        return serve_wrong("%s: '%s' is one too many, there may be %d", name, value,
                           SERVE_PAIRS_MAX);
    out->ocsp_files[out->ocsp_count++] = value;
    return true;
}

static bool read_ocsp(serve_options *out, const char *name, const char *value)
{
    (void)name;
    (void)value;
    out->ocsp = true;
    return true;
}

/* Files are read when the context is made. */
static bool read_passphrase_file(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->passphrase_file = value;
    return true;
}

static bool read_pkcs12(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->pkcs12_file = value;
    return true;
}

static bool read_ca(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->ca_file = value;
    return true;
}

static bool read_crl(serve_options *out, const char *name, const char *value)
{
    if (out->crl_count == SERVE_CRLS_MAX)
        return serve_wrong("%s: '%s' is one too many, there may be %d", name, value,
                           SERVE_CRLS_MAX);
    out->crl_files[out->crl_count++] = value;
    return true;
}

static bool read_request_cert(serve_options *out, const char *name, const char *value)
{
    (void)name;
    (void)value;
    out->request_cert = true;
    return true;
}

static bool read_require_cert(serve_options *out, const char *name, const char *value)
{
    (void)name;
    (void)value;
    out->require_cert = true;
    return true;
}

static bool read_profile(serve_options *out, const char *name, const char *value)
{
    static const serve_word words[] = {{"modern", LR_PROFILE_MODERN}, {"node4", LR_PROFILE_NODE4}};
    int profile = LR_PROFILE_MODERN;
    bool ok = serve_read_word(name, value, words, COUNT_OF(words), &profile);

    out->profile = (lr_profile)profile;
    return ok;
}

/* NAME=CERT,KEY[,CA], cut up in a copy. */
static bool read_sni(serve_options *out, const char *name, const char *value)
{
    serve_name *at = &out->names[out->name_count];
    char *copy, *cert, *key, *ca;

    if (out->name_count == SERVE_NAMES_MAX)
        return serve_wrong("%s: '%s' is one too many, there may be %d", name, value,
                           SERVE_NAMES_MAX);
    copy = strdup(value);
    if (!copy)
        return serve_wrong("%s: '%s': out of memory", name, value);
    cert = strchr(copy, '=');
    key = cert ? strchr(cert, ',') : NULL;
    ca = key ? strchr(key + 1, ',') : NULL;
    if (!key || cert == copy || key == cert + 1 || key[1] == '\0' || ca == key + 1 ||
        (ca && ca[1] == '\0')) {
        free(copy);
        return serve_wrong("%s: '%s' is not NAME=CERT,KEY[,CA]", name, value);
    }
    *cert++ = *key++ = '\0';
    if (ca)
        *ca++ = '\0';
    *at = (serve_name){copy, cert, key, ca};
    out->name_count++;
    return true;
}

static bool read_version(const char *name, const char *value, lr_tls_version *out)
{
    static const serve_word words[] = {{"1.2", LR_TLS_1_2}, {"1.3", LR_TLS_1_3}};
    int version = LR_TLS_DEFAULT;
    bool ok = serve_read_word(name, value, words, COUNT_OF(words), &version);

    *out = (lr_tls_version)version;
    return ok;
}

static bool read_min_version(serve_options *out, const char *name, const char *value)
{
    return read_version(name, value, &out->version_min);
}

static bool read_max_version(serve_options *out, const char *name, const char *value)
{
    return read_version(name, value, &out->version_max);
}

/* The library judges groups, protocols and suites. */
static bool read_groups(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->groups = value;
    return true;
}

static bool read_alpn(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->alpn = value;
    return true;
}

static bool read_ciphers(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->ciphers = value;
    return true;
}

static bool read_handler(serve_options *out, const char *name, const char *value)
{
    static const serve_word words[] = {
        {"http", SERVE_HTTP}, {"echo", SERVE_ECHO}, {"discard", SERVE_DISCARD}};
    int handler = SERVE_HTTP;
    bool ok = serve_read_word(name, value, words, COUNT_OF(words), &handler);

    out->handler = (serve_handler)handler;
    return ok;
}

static bool read_root(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->root = value;
    return true;
}

static bool read_access_log(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->access_log = value;
    return true;
}

static bool read_fragment(serve_options *out, const char *name, const char *value)
{
    if (strncmp(value, "ramp:", 5) == 0 || strcmp(value, "cwnd") == 0)
        return not_available(name, value);
    return serve_read_number(name, value, FRAGMENT_MIN, FRAGMENT_MAX, &out->fragment_size_max);
}

static bool read_handshake_timeout(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 1, MS_MAX, &out->handshake_timeout_ms);
}

static bool read_idle_timeout(serve_options *out, const char *name, const char *value)
{
    bool ok = serve_read_number(name, value, 0, MS_MAX, &out->idle_timeout_ms);

    if (out->idle_timeout_ms == 0)
        out->idle_timeout_ms = LR_NONE;
    return ok;
}

static bool read_drain_timeout(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 0, MS_MAX, &out->drain_timeout_ms);
}

static bool read_max_connections(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 1, LR_NONE - 1, &out->connection_count_max);
}

static bool read_max_half_open(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 1, LR_NONE - 1, &out->half_open_max);
}

static bool read_write_timeout(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 0, MS_MAX, &out->write_timeout_ms);
}

static bool read_lifetime(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 0, MS_MAX, &out->lifetime_ms);
}

static bool read_source_connections(serve_options *out, const char *name, const char *value)
{
    return serve_read_rate(name, value, &out->source_connections_per_s,
                           &out->source_connections_burst);
}

static bool read_source_handshakes(serve_options *out, const char *name, const char *value)
{
    return serve_read_rate(name, value, &out->source_handshakes_per_s,
                           &out->source_handshakes_burst);
}

/* COUNT/SECONDS; a count of 0 refuses all. */
static bool read_renegotiation(serve_options *out, const char *name, const char *value)
{
    unsigned long long numbers[2] = {0, 0};
    const char *digits = value;
    char *end = NULL;

    for (int i = 0; i < 2; i++) {
        errno = 0;
        numbers[i] = strtoull(digits, &end, 10);
        if (*digits < '0' || *digits > '9' || errno != 0 || *end != (i == 0 ? '/' : '\0'))
            return serve_wrong("%s: '%s' is not COUNT/SECONDS", name, value);
        digits = end + 1;
    }
    if (numbers[0] > RENEGOTIATIONS_MAX || numbers[1] < 1 || numbers[1] > RENEGOTIATION_S_MAX)
        return serve_wrong("%s: '%s' is not 0..%d in 1..%d seconds", name, value,
                           RENEGOTIATIONS_MAX, RENEGOTIATION_S_MAX);
    out->renegotiation_count = numbers[0] != 0 ? (uint32_t)numbers[0] : LR_NONE;
    out->renegotiation_window_s = (uint32_t)numbers[1];
    return true;
}

static bool read_stall_threshold(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 0, MS_MAX, &out->stall_threshold_ms);
}

/* serve_tickets_open() reads it. */
static bool read_ticket_keys(serve_options *out, const char *name, const char *value)
{
    static const char haproxy[] = "haproxy:";

    out->ticket_keys_haproxy = strncmp(value, haproxy, sizeof(haproxy) - 1) == 0;
    out->ticket_keys = out->ticket_keys_haproxy ? value + sizeof(haproxy) - 1 : value;
    return *out->ticket_keys != '\0' || serve_wrong("%s: '%s' names no file", name, value);
}

static bool read_ticket_lifetime(serve_options *out, const char *name, const char *value)
{
    return serve_read_number(name, value, 1, TICKET_LIFETIME_MAX_S, &out->ticket_lifetime_s);
}

static bool read_ticket_rotation(serve_options *out, const char *name, const char *value)
{
    bool ok = serve_read_number(name, value, 0, TICKET_ROTATION_MAX_S, &out->ticket_rotation_s);

    if (out->ticket_rotation_s == 0)
        out->ticket_rotation_s = LR_NONE;
    return ok;
}

static bool read_ticket_count(serve_options *out, const char *name, const char *value)
{
    bool ok = serve_read_number(name, value, 0, TICKETS_MAX, &out->ticket_count);

    if (out->ticket_count == 0)
        out->ticket_count = LR_NONE;
    return ok;
}

static bool read_no_tickets(serve_options *out, const char *name, const char *value)
{
    (void)name;
    (void)value;
    out->no_tickets = true;
    return true;
}

/* serve_stats_open() judges it. */
static bool read_stats(serve_options *out, const char *name, const char *value)
{
    (void)name;
    out->stats = value;
    return true;
}

static bool read_proxy_protocol(serve_options *out, const char *name, const char *value)
{
    lr_proxy_sender sender;
    const char *reason;

    if (!lr_proxy_sender_read(value, &sender, &reason))
        return serve_wrong("%s: '%.80s' %s", name, value, reason);
    if (out->proxy_sender_count == SERVE_SENDERS_MAX)
        return serve_wrong("%s: '%s' is one too many, there may be %d", name, value,
                           SERVE_SENDERS_MAX);
    out->proxy_senders[out->proxy_sender_count++] = value;
    return true;
}

static bool read_check_config(serve_options *out, const char *name, const char *value)
{
    (void)name;
    (void)value;
    out->check_config = true;
    return true;
}

static bool read_log_level(serve_options *out, const char *name, const char *value)
{
    static const serve_word words[] = {{"error", LR_LOG_ERROR},
                                       {"warn", LR_LOG_WARN},
                                       {"info", LR_LOG_INFO},
                                       {"debug", LR_LOG_DEBUG},
                                       {"off", LR_LOG_OFF}};
    int level = LR_LOG_WARN;
    bool ok = serve_read_word(name, value, words, COUNT_OF(words), &level);

    out->log_level = (lr_log_level)level;
    return ok;
}

static const struct option_row {
    const char *name;
    const char *takes; /* null: no value */
    bool (*read)(serve_options *out, const char *name, const char *value);
    const char *help;
} rows[] = {
    {"--listen", "HOST:PORT|unix:PATH", read_listen,
     "repeatable; default 127.0.0.1:8443; IPv6 in brackets;\n"
     "port 0: the kernel chooses; unix:@NAME is abstract"},
    {"--workers", "N", read_workers, "default: one per allowed CPU"},
    {"--pin", "auto|off", read_pin, "each worker to one CPU; default auto"},
    {"--ring", "auto|uring|epoll", read_ring,
     "default auto: io_uring, else epoll with a line that\nsays what refuses io_uring"},
    {"--share-port", NULL, read_share_port, "let another instance with this option have the port"},
    {"--cert", "FILE", read_cert,
     "PEM, the leaf first; repeatable with --key, one pair per\n"
     "kind of key; without it a certificate is made in memory\n"
     "for localhost"},
    {"--key", "FILE", read_key, "PEM, the private key of the --cert of the same rank"},
    {"--ocsp-file", "FILE", read_ocsp_file,
     "the OCSP response, in DER, that is stapled to the --cert\n"
     "of the same rank; '-': none; read again when it changes"},
    {"--ocsp", NULL, read_ocsp,
     "ask the responders that the certificates name, by\n"
     "themselves and in time, and staple what they say"},
    {"--passphrase-file", "FILE", read_passphrase_file,
     "its first line opens the keys that are encrypted"},
    {"--pkcs12", "FILE", read_pkcs12,
     "key, certificate and chain in one, instead of --cert,\n--key and --ca; opened by "
     "--passphrase-file"},
    {"--sni", "NAME=CERT,KEY[,CA]", read_sni,
     "repeatable; what clients of that name get; *.NAME for\n"
     "one label; with CA they must have a certificate of it"},
    {"--ca", "FILE", read_ca, "PEM, the authorities of clients' certificates"},
    {"--crl", "FILE", read_crl, "PEM, repeatable; lists of revoked certificates"},
    {"--request-cert", NULL, read_request_cert,
     "ask clients for a certificate, and serve those without"},
    {"--require-cert", NULL, read_require_cert, "and refuse those without one that holds"},
    {"--profile", "modern|node4", read_profile,
     "node4: the suites, groups and times of Node.js 4;\ndefault modern"},
    {"--min-version", "1.2|1.3", read_min_version, "default 1.2"},
    {"--max-version", "1.2|1.3", read_max_version, "default 1.3"},
    {"--ciphers", "LIST", read_ciphers,
     "suites in the server's order, by the names of IANA or\nOpenSSL, with colons between"},
    {"--groups", "LIST", read_groups, "default X25519MLKEM768:X25519:P-256:P-384"},
    {"--alpn", "LIST", read_alpn,
     "protocols in the server's order, h2,http/1.1; default\n"
     "http/1.1 for http, else none"},
    {"--renegotiation", "COUNT/SECONDS", read_renegotiation,
     "that a client of TLS 1.2 may begin; the next one ends its\nconnection; default 0: each is "
     "refused; node4 3/600"},
    {"--ticket-keys", "[haproxy:]FILE", read_ticket_keys,
     "share tickets with the servers that have the same file,\n"
     "or directory of files: keys of lockring-keys or nginx,\n"
     "or HAProxy's; read again when it changes"},
    {"--ticket-lifetime", "S", read_ticket_lifetime,
     "a session is resumed for so long; default 7200, node4 300"},
    {"--ticket-rotation", "S", read_ticket_rotation,
     "the keys that are not from a file are replaced so often;\n0: never; default 43200"},
    {"--ticket-count", "N", read_ticket_count,
     "tickets of a full handshake of TLS 1.3, 0 to 4; default 2"},
    {"--no-tickets", NULL, read_no_tickets, "no session is resumed"},
    {"--handler", "http|echo|discard", read_handler, "default http"},
    {"--root", "DIR", read_root, "http: files under /"},
    {"--access-log", "FILE", read_access_log,
     "http: a line for each request, with the connection's\n"
     "number as in the log; '-' is standard output"},
    {"--fragment", "N", read_fragment, "most bytes in a record, 512 to 16384; default 16384"},
    {"--handshake-timeout", "MS", read_handshake_timeout, "from accept; default 10000"},
    {"--idle-timeout", "MS", read_idle_timeout,
     "without a byte either way; 0: none; default 60000"},
    {"--drain-timeout", "MS", read_drain_timeout,
     "after SIGTERM or SIGINT, then the rest is cut; default\n10000; a second signal cuts at once"},
    {"--max-connections", "N", read_max_connections,
     "above it a client is accepted and reset; default none"},
    {"--max-half-open", "N", read_max_half_open,
     "connections in their handshake, per worker; above it the\noldest goes; default 16384"},
    {"--source-connections", "RATE[/BURST]", read_source_connections,
     "per second of one address (IPv6: /64); above it a\nclient is reset; default none"},
    {"--source-handshakes", "RATE[/BURST]", read_source_handshakes,
     "the same for handshakes, refused before any\ncryptography; default none"},
    {"--write-timeout", "MS", read_write_timeout,
     "reset a client that takes nothing for so long; 0: none;\ndefault 0"},
    {"--lifetime", "MS", read_lifetime, "end each connection after so long; 0: none; default 0"},
    {"--stall-threshold", "MS", read_stall_threshold,
     "a hook that keeps its worker for longer is logged; 0:\n"
     "nobody looks; default 1000"},
    {"--stats", "HOST:PORT|unix:PATH", read_stats,
     "numbers as a page, JSON and Prometheus text, for this\nmachine alone: a loopback address or "
     "a path"},
    {"--proxy-protocol", "CIDR", read_proxy_protocol,
     "repeatable; senders, 10.0.0.0/8 or unix:, who must begin\n"
     "with a PROXY header, version 1 or 2, and are believed;\n"
     "from others none is read"},
    {"--check-config", NULL, read_check_config, "load everything, report, exit"},
    {"--log-level", "LEVEL", read_log_level, "error, warn, info, debug or off; default warn"},
    {"--version", NULL, NULL, "what this is and what it contains"},
    {"--help", NULL, NULL, "this"},
};

static void print_help(void)
{
    printf("Usage: lockring-serve [OPTION]...\n"
           "Serves TLS until SIGTERM or SIGINT, then drains.\n\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *line = rows[i].help;
        int width = 30;

        width -= printf("  %s %s", rows[i].name, rows[i].takes ? rows[i].takes : "");
        while (line) {
            const char *end = strchr(line, '\n');

            printf("%*s%.*s\n", width > 1 ? width : 1, "", end ? (int)(end - line) : 99, line);
            line = end ? end + 1 : NULL;
            width = 30;
        }
    }
    printf("\nReady: 'listening on ADDRESS workers=N ring=NAME' on standard output, one line per\n"
           "listener. SIGHUP: certificates, all keys and OCSP responses are read again and the\n"
           "access log is opened again; if anything is wrong the old ones stay, and one line on\n"
           "standard error says so.\n\n"
           "Exit status: 0 drained; 1 the system refuses something, such as a port in use; 2 a\n"
           "wrong option or file; 3 no usable ring.\n");
}

/* Long options without their dashes, and an end. */
static void make_long_options(struct option long_options[COUNT_OF(rows) + 1])
{
    memset(long_options, 0, (COUNT_OF(rows) + 1) * sizeof(long_options[0]));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        long_options[i].name = rows[i].name + 2;
        long_options[i].has_arg = rows[i].takes ? required_argument : no_argument;
        long_options[i].val = OPTION_FIRST + (int)i;
    }
}

/* What getopt_long could not make sense of. */
static bool refuse(int code, char **argv)
{
    const char *given = argv[optind - 1];

    if (code == ':')
        return serve_wrong("%s: needs %s", rows[optopt - OPTION_FIRST].name,
                           rows[optopt - OPTION_FIRST].takes);
    if (optopt >= OPTION_FIRST)
        return serve_wrong("%s: takes no value", rows[optopt - OPTION_FIRST].name);
    if (optopt != 0)
        return serve_wrong("unknown option '-%c'", optopt);
    return serve_wrong("unknown option '%s'", given);
}

static bool check_tickets(const serve_options *options)
{
    const char *name = options->ticket_keys         ? "--ticket-keys"
                       : options->ticket_lifetime_s ? "--ticket-lifetime"
                       : options->ticket_rotation_s ? "--ticket-rotation"
                       : options->ticket_count      ? "--ticket-count"
                                                    : NULL;

    if (options->no_tickets && name)
        return serve_wrong("--no-tickets: it goes with no %s", name);
    if (options->ticket_keys && options->ticket_rotation_s)
        return serve_wrong("--ticket-rotation: the keys of --ticket-keys '%s' are replaced by "
                           "whoever writes it",
                           options->ticket_keys);
    return true;
}

static bool check_together(serve_options *out)
{
    if (out->cert_count > out->key_count)
        return serve_wrong("--cert: '%s' needs --key FILE", out->cert_files[out->key_count]);
    if (out->key_count > out->cert_count)
        return serve_wrong("--key: '%s' needs --cert FILE", out->key_files[out->cert_count]);
    if (out->ocsp_count > out->cert_count)
        return serve_wrong("--ocsp-file: '%s' needs --cert FILE", out->ocsp_files[out->cert_count]);
    if (out->pkcs12_file && (out->cert_count != 0 || out->ca_file))
        return serve_wrong("--pkcs12: '%s' goes with no --cert, --key and --ca", out->pkcs12_file);
    if (out->passphrase_file && out->key_count == 0 && !out->pkcs12_file && out->name_count == 0)
        return serve_wrong("--passphrase-file: '%s' needs --key FILE or --pkcs12 FILE",
                           out->passphrase_file);
    if (out->profile == LR_PROFILE_NODE4 && out->handshake_timeout_ms == 0)
        out->handshake_timeout_ms = NODE4_HANDSHAKE_TIMEOUT_MS;
    if (out->version_min == LR_TLS_1_3 && out->version_max == LR_TLS_1_2)
        return serve_wrong("--min-version: '1.3' is above --max-version '1.2'");
    if (out->handler != SERVE_HTTP && (out->root || out->access_log))
        return serve_wrong("%s: '%s' is for --handler http", out->root ? "--root" : "--access-log",
                           out->root ? out->root : out->access_log);
    if (!check_tickets(out))
        return false;
    if (!out->alpn && out->handler == SERVE_HTTP)
        out->alpn = "http/1.1";
    if (out->listen_count == 0)
        return read_listen(out, "--listen", "127.0.0.1:8443");
    return true;
}

/* One option of the table. SERVE_GO_ON: the next. */
static int take(serve_options *out, const struct option_row *row, const char *value)
{
    if (row->read)
        return row->read(out, row->name, value) ? SERVE_GO_ON : SERVE_EXIT_OPTION;
    if (strcmp(row->name, "--version") == 0)
        puts(lr_version_text());
    else
        print_help();
    return SERVE_EXIT_OK;
}

int serve_options_parse(serve_options *out, int argc, char **argv)
{
    struct option long_options[COUNT_OF(rows) + 1];
    int code;

    memset(out, 0, sizeof(*out));
    out->idle_timeout_ms = 60000;
    out->stall_threshold_ms = 1000;
    out->drain_timeout_ms = 10000;
    make_long_options(long_options);
    opterr = 0;
    while ((code = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
        int verdict;

        if (code < OPTION_FIRST) {
            (void)refuse(code, argv);
            return SERVE_EXIT_OPTION;
        }
        verdict = take(out, &rows[code - OPTION_FIRST], optarg);
        if (verdict != SERVE_GO_ON)
            return verdict;
    }
    if (optind < argc) {
        (void)serve_wrong("'%s' is not an option", argv[optind]);
        return SERVE_EXIT_OPTION;
    }
    return check_together(out) ? SERVE_GO_ON : SERVE_EXIT_OPTION;
}

void serve_options_fini(serve_options *options)
{
    for (uint32_t i = 0; i < options->name_count; i++)
        free((char *)(uintptr_t)options->names[i].pattern);
    options->name_count = 0;
}
