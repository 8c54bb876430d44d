/* SPDX-License-Identifier: MIT */
/* tools/keys_ocsp.c: ocsp: fetches the staple of a certificate into a file, once or again and
 * again.
 *
 * Only what holds is written, and at once: a server that reads the file finds the old staple or the
 * new one. With --watch the signals that end it are blocked and arrive at a descriptor, which every
 * wait looks at. The certificate is read again each time, because it is renewed more often than
 * this program is started. */
#include "tools/keys_command.h"
#include "tools/ocsp_http.h"
#include "tools/staple.h"
#include "tools/whole_file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { STAPLE_MODE = 0644, LOOK_S = 60 /* between looks at the wall clock, which may be set */ };

typedef struct job {
    const keys_command *command;
    const char *cert, *issuer, *url, *out;
    bool watch;
    int stop_fd; /* -1: none */
} job;

static void say_done(const job *j, const lr_ocsp_verdict *verdict)
{
    char until[64];

    (void)lr_certificate_time_text(lr_ocsp_expires_at(verdict), until, sizeof(until));
    printf("%s: good until %s\n", j->out, until);
    (void)fflush(stdout);
}

/* One attempt. */
static lr_status refresh(const job *j, lr_ocsp_verdict *verdict, lr_error *err)
{
    static uint8_t staple[LR_STAPLE_MAX];
    staple_subject subject;
    size_t len = 0;
    lr_slice url;
    lr_status status = staple_subject_load(j->cert, j->issuer, &subject, err);

    if (status != LR_OK)
        return status;
    url = j->url ? lr_slice_of(j->url, strlen(j->url)) : staple_subject_url(&subject);
    if (url.len == 0) {
        *err = (lr_error){.status = LR_ECERTIFICATE, .tls_alert = -1};
        (void)snprintf(err->text, sizeof(err->text),
                       "%.90s: it names no OCSP responder, and there is no --url", j->cert);
        status = LR_ECERTIFICATE;
    }
    if (status == LR_OK)
        status = staple_ask(&subject, url, j->stop_fd, staple, &len, verdict, err);
    if (status == LR_OK)
        status =
            whole_file_write(j->out, lr_slice_of(staple, len), STAPLE_MODE, WHOLE_FILE_UPDATE, err);
    staple_subject_drop(&subject);
    if (status == LR_OK)
        say_done(j, verdict);
    return status;
}

/* Or until the clock is set back, which makes that time a longer one. False: it is to end. */
static bool wait_until(const job *j, int64_t at)
{
    int64_t begun = staple_now();

    for (;;) {
        struct pollfd fd = {.fd = j->stop_fd, .events = POLLIN};
        int64_t now = staple_now(), left = at - now;
        int ready;

        if (left <= 0 || now < begun)
            return true;
        ready = poll(&fd, 1, (int)(left < LOOK_S ? left : LOOK_S) * 1000);
        if (ready > 0)
            return false;
    }
}

static lr_status make_stop(job *j, lr_error *err)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    j->stop_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (j->stop_fd >= 0)
        return LR_OK;
    *err = (lr_error){.status = LR_ESYSTEM, .sys = errno, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "no descriptor for signals: %s", strerror(errno));
    return LR_ESYSTEM;
}

/* What is wrong from the begin is an error of whoever started it. */
static lr_status check_files(const job *j, lr_error *err)
{
    staple_subject subject;
    lr_status status = staple_subject_load(j->cert, j->issuer, &subject, err);
    const char *reason;
    ocsp_url url;

    if (status != LR_OK)
        return status;
    staple_subject_drop(&subject);
    if (!j->url || ocsp_url_read(lr_slice_of(j->url, strlen(j->url)), &url, &reason))
        return LR_OK;
    *err = (lr_error){.status = LR_EOPTION, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "--url: '%.70s': %s", j->url, reason);
    return LR_EOPTION;
}

static int watch(job *j)
{
    uint32_t failures = 0;

    for (;;) {
        lr_ocsp_verdict verdict;
        lr_error err;
        lr_status status = refresh(j, &verdict, &err);
        int64_t now = staple_now(), at;

        if (status == LR_EABORTED)
            break;
        if (status != LR_OK)
            (void)keys_wrong(j->command, "%s; the old one stays", err.text);
        failures = status == LR_OK ? 0 : failures + 1;
        at = failures == 0 ? lr_ocsp_refresh_at(&verdict, now) : now + staple_backoff_s(failures);
        if (!wait_until(j, at))
            break;
    }
    (void)close(j->stop_fd);
    return KEYS_EXIT_OK;
}

int keys_run_ocsp(const keys_command *self, int argc, char **argv)
{
    job j = {.command = self, .stop_fd = -1};
    const keys_option options[] = {
        {.name = "--cert", .takes = "FILE", .text = &j.cert, .help = "PEM or DER, the leaf first"},
        {.name = "--issuer",
         .takes = "FILE",
         .text = &j.issuer,
         .help = "whoever made it, where he is not behind it"},
        {.name = "--url",
         .takes = "URL",
         .text = &j.url,
         .help = "http://HOST[:PORT]/PATH of the responder; default\nwhat the certificate says"},
        {.name = "--out",
         .takes = "FILE",
         .text = &j.out,
         .help = "where the response goes, in DER; the old one stays\nunless the new one holds"},
        {.name = "--watch",
         .on = &j.watch,
         .help = "go on until SIGTERM: ask again in the middle of the\ntime for which it counts"},
    };
    int verdict =
        keys_parse(self, options, sizeof(options) / sizeof(options[0]), argc, argv, NULL, 0);
    lr_ocsp_verdict said;
    lr_error err;

    if (verdict != KEYS_GO_ON)
        return verdict;
    if (!j.cert || !j.out)
        return keys_wrong(self, "--cert FILE and --out FILE are needed");
    if (check_files(&j, &err) != LR_OK)
        return keys_failed(self, &err);
    if (!j.watch)
        return refresh(&j, &said, &err) == LR_OK ? KEYS_EXIT_OK : keys_failed(self, &err);
    if (make_stop(&j, &err) != LR_OK)
        return keys_failed(self, &err);
    return watch(&j);
}
