/* SPDX-License-Identifier: MIT */
#include "tools/serve_context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSPHRASE_MAX = 79 };

static lr_status fail_file(lr_error *err, const char *file, const char *what)
{
    *err = (lr_error){.status = LR_EFILE, .sys = errno, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "--passphrase-file: %.80s: %s", file, what);
    return LR_EFILE;
}

/* The first line, without its end. */
static lr_status read_passphrase(const char *file, char out[PASSPHRASE_MAX + 2], lr_error *err)
{
    FILE *from = fopen(file, "re");
    char *line;

    if (!from)
        return fail_file(err, file, strerror(errno));
    (void)setvbuf(from, NULL, _IONBF, 0); /* no second copy of it on the heap */
    line = fgets(out, PASSPHRASE_MAX + 2, from);
    (void)fclose(from);
    if (!line)
        return fail_file(err, file, "it has no line");
    out[strcspn(out, "\r\n")] = '\0';
    if (strlen(out) > PASSPHRASE_MAX)
        return fail_file(err, file, "its first line is longer than 79 bytes");
    return LR_OK;
}

/* The options of a context are ours by name ("groups: 'x' ..."), and a reason that lies between two
 * files names the pair by its rank, or none. */
static void name_culprit(const serve_options *options, lr_error *err)
{
    char text[sizeof(err->text)];
    const char *what = text, *file;
    unsigned rank = 0;
    int len = 0;

    memcpy(text, err->text, sizeof(text));
    if (sscanf(text, "identities[%u]: %n", &rank, &len) == 1 && len > 0)
        what += len;
    if (rank >= options->key_count)
        rank = 0;
    file = options->key_files[rank];
    if (err->status == LR_EOPTION)
        (void)snprintf(err->text, sizeof(err->text), "--%.150s", text);
    else if (file && (err->status == LR_EKEY || err->status == LR_ECERTIFICATE) &&
             !strstr(text, file) && !strstr(text, options->cert_files[rank]))
        (void)snprintf(err->text, sizeof(err->text), "%.70s: %.80s",
                       err->status == LR_EKEY ? file : options->cert_files[rank], what);
}

/* What is the same for all names. */
static lr_context_options common(const serve_options *options)
{
    lr_context_options context = {LR_CONTEXT_OPTIONS,
                                  .version_min = options->version_min,
                                  .version_max = options->version_max,
                                  .groups = options->groups,
                                  .ciphers = options->ciphers,
                                  .alpn = options->alpn,
                                  .renegotiation_count = options->renegotiation_count,
                                  .renegotiation_window_s = options->renegotiation_window_s,
                                  .profile = options->profile,
                                  .crl_files = options->crl_files,
                                  .crl_file_count = options->crl_count,
                                  .tickets = options->no_tickets ? LR_OFF : LR_DEFAULT,
                                  .ticket_count = options->ticket_count,
                                  .session_lifetime_s = options->ticket_lifetime_s};

    return context;
}

static lr_status make_default(const serve_options *options, const char *passphrase,
                              lr_context **out, lr_error *err)
{
    lr_identity identities[SERVE_PAIRS_MAX];
    lr_context_options context = common(options);
    lr_status status;

    for (uint32_t i = 0; i < options->cert_count; i++)
        identities[i] = (lr_identity){LR_IDENTITY, .cert_file = options->cert_files[i],
                                      .key_file = options->key_files[i], .passphrase = passphrase};
    context.identities = options->cert_count != 0 ? identities : NULL;
    context.identity_count = options->cert_count;
    context.pkcs12_file = options->pkcs12_file;
    if (options->pkcs12_file)
        context.passphrase = passphrase;
    else if (options->cert_count == 0)
        context.self_signed = "localhost,127.0.0.1,::1";
    context.ca_file = options->ca_file;
    if (options->request_cert || options->require_cert) {
        context.request_cert = LR_ON;
        context.reject_unauthorized = options->require_cert ? LR_ON : LR_OFF;
    } else {
        context.crl_file_count = 0; /* they are for the names then */
    }
    status = lr_context_new(&context, out, err);
    if (status != LR_OK)
        name_culprit(options, err);
    return status;
}

static lr_status make_named(const serve_options *options, const serve_name *name,
                            const char *passphrase, lr_context **out, lr_error *err)
{
    lr_context_options context = common(options);

    context.cert_file = name->cert_file;
    context.key_file = name->key_file;
    context.passphrase = passphrase;
    context.ca_file = name->ca_file;
    context.request_cert = name->ca_file ? LR_ON : LR_OFF;
    context.reject_unauthorized = LR_ON;
    if (!name->ca_file)
        context.crl_file_count = 0;
    return lr_context_new(&context, out, err);
}

static lr_status add_name(lr_names *names, const serve_options *options, const serve_name *name,
                          const char *passphrase, lr_error *err)
{
    char text[sizeof(err->text)];
    lr_context *made = NULL;
    lr_status status = make_named(options, name, passphrase, &made, err);

    if (status == LR_OK)
        status = lr_names_add(names, name->pattern, made, err);
    lr_context_release(made);
    if (status == LR_OK)
        return LR_OK;
    memcpy(text, err->text, sizeof(text));
    (void)snprintf(err->text, sizeof(err->text), "--sni %.50s: %.95s", name->pattern, text);
    return status == LR_EINVAL ? LR_EOPTION : status; /* no pattern: a wrong option */
}

static lr_status make(const serve_options *options, const char *passphrase, serve_identity *out,
                      lr_error *err)
{
    lr_status status = make_default(options, passphrase, &out->context, err);

    if (status != LR_OK || options->name_count == 0)
        return status;
    out->names = lr_names_new();
    if (!out->names) {
        *err = (lr_error){.status = LR_ENOMEM, .tls_alert = -1, .text = "--sni: out of memory"};
        return LR_ENOMEM;
    }
    for (uint32_t i = 0; status == LR_OK && i < options->name_count; i++)
        status = add_name(out->names, options, &options->names[i], passphrase, err);
    return status;
}

lr_status serve_identity_make(const serve_options *options, serve_identity *out, lr_error *err)
{
    char passphrase[PASSPHRASE_MAX + 2];
    lr_status status = LR_OK;

    *out = (serve_identity){NULL, NULL};
    if (options->passphrase_file)
        status = read_passphrase(options->passphrase_file, passphrase, err);
    if (status == LR_OK)
        status = make(options, options->passphrase_file ? passphrase : NULL, out, err);
    explicit_bzero(passphrase, sizeof(passphrase));
    if (status != LR_OK)
        serve_identity_drop(out);
    return status;
}

void serve_identity_drop(serve_identity *identity)
{
    lr_context_release(identity->context);
    lr_names_free(identity->names);
    *identity = (serve_identity){NULL, NULL};
}
