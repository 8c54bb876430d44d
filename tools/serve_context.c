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

static lr_status make(const serve_options *options, const char *passphrase, lr_context **out,
                      lr_error *err)
{
    lr_identity identities[SERVE_PAIRS_MAX];
    lr_context_options context = {LR_CONTEXT_OPTIONS,
                                  .version_min = options->version_min,
                                  .version_max = options->version_max,
                                  .groups = options->groups,
                                  .ciphers = options->ciphers,
                                  .renegotiation_count = options->renegotiation_count,
                                  .renegotiation_window_s = options->renegotiation_window_s,
                                  .alpn = options->alpn};
    lr_status status;

    for (uint32_t i = 0; i < options->cert_count; i++)
        identities[i] = (lr_identity){LR_IDENTITY, .cert_file = options->cert_files[i],
                                      .key_file = options->key_files[i], .passphrase = passphrase};
    context.identities = identities;
    context.identity_count = options->cert_count;
    if (options->cert_count == 0) {
        context.identities = NULL;
        context.self_signed = "localhost,127.0.0.1,::1";
    }
    status = lr_context_new(&context, out, err);
    if (status != LR_OK)
        name_culprit(options, err);
    return status;
}

lr_status serve_context_make(const serve_options *options, lr_context **out, lr_error *err)
{
    char passphrase[PASSPHRASE_MAX + 2];
    lr_status status = LR_OK;

    if (options->passphrase_file)
        status = read_passphrase(options->passphrase_file, passphrase, err);
    if (status == LR_OK)
        status = make(options, options->passphrase_file ? passphrase : NULL, out, err);
    explicit_bzero(passphrase, sizeof(passphrase));
    return status;
}
