/* SPDX-License-Identifier: MIT */
/* tools/access_log.c: the queue of lines between the workers and the thread that writes them.
 *
 * Two buffers of the same size: workers append to one under a mutex that is held for a memcpy, the
 * thread takes it whole, puts the other one in its place and writes outside the mutex. */
#include "tools/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_SIZE = 1 << 20, LINE_MAX_SIZE = 4096, TARGET_MAX = 2048 };

struct access_log {
    pthread_mutex_t mutex; /* guards everything below but fd */
    pthread_cond_t changed;
    char *filling, *writing; /* QUEUE_SIZE each */
    size_t filled;
    uint64_t dropped;
    bool closing, reopening;
    const char *file; /* the caller's */
    int fd;           /* the thread's, once it runs */
    pthread_t thread;
};

static lr_status fail(lr_error *err, lr_status status, int error, const char *file)
{
    *err = (lr_error){.status = status, .sys = error, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "--access-log: %.100s: %s", file, strerror(error));
    return status;
}

/* A log that cannot be written is no reason to stop serving. */
static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        len -= (size_t)written;
    }
}

static int open_file(const char *file)
{
    return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static void take_new_file(access_log *log)
{
    int fd = log->fd == STDOUT_FILENO ? -1 : open_file(log->file);

    if (fd < 0)
        return;
    (void)close(log->fd);
    log->fd = fd;
}

static void *write_lines(void *arg)
{
    access_log *log = arg;
    bool closing = false, reopening;

    (void)pthread_mutex_lock(&log->mutex);
    while (!closing) {
        uint64_t dropped = log->dropped;
        size_t len = log->filled;
        char *full = log->filling;
        char line[64];

        if (len == 0 && !log->closing && !log->reopening) {
            (void)pthread_cond_wait(&log->changed, &log->mutex);
            continue;
        }
        log->filling = log->writing;
        log->writing = full;
        log->filled = 0;
        log->dropped = 0;
        closing = log->closing;
        reopening = log->reopening;
        log->reopening = false;
        (void)pthread_mutex_unlock(&log->mutex);
        write_all(log->fd, full, len);
        if (dropped != 0) {
            len = (size_t)snprintf(line, sizeof(line), "lines_dropped=%llu\n",
                                   (unsigned long long)dropped);
            write_all(log->fd, line, len);
        }
        if (reopening)
            take_new_file(log);
        (void)pthread_mutex_lock(&log->mutex);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return NULL;
}

static void free_log(access_log *log)
{
    if (log->fd > STDERR_FILENO)
        (void)close(log->fd);
    free(log->filling);
    free(log->writing);
    free(log);
}

lr_status access_log_open(const char *file, access_log **out, lr_error *err)
{
    access_log *log = calloc(1, sizeof(*log));
    int error;

    *out = NULL;
    if (!log)
        return fail(err, LR_ENOMEM, ENOMEM, file);
    log->file = file;
    log->fd = strcmp(file, "-") == 0 ? STDOUT_FILENO : open_file(file);
    if (log->fd < 0) {
        error = errno;
        free(log);
        return fail(err, LR_EFILE, error, file);
    }
    log->filling = malloc(QUEUE_SIZE);
    log->writing = malloc(QUEUE_SIZE);
    error = log->filling && log->writing ? 0 : ENOMEM;
    (void)pthread_mutex_init(&log->mutex, NULL);
    (void)pthread_cond_init(&log->changed, NULL);
    if (error == 0)
        error = pthread_create(&log->thread, NULL, write_lines, log);
    if (error != 0) {
        free_log(log);
        return fail(err, error == ENOMEM ? LR_ENOMEM : LR_ESYSTEM, error, file);
    }
    *out = log;
    return LR_OK;
}

/* What a peer sent, so that it can neither end its field nor the line. Returns how long it is. */
static size_t escape(char *out, size_t cap, lr_slice bytes)
{
    size_t len = 0;

    for (size_t i = 0; i < bytes.len && i < TARGET_MAX && len + 5 < cap; i++) {
        uint8_t byte = bytes.bytes[i];

        if (byte > ' ' && byte < 127 && byte != '"' && byte != '\\')
            out[len++] = (char)byte;
        else
            len += (size_t)snprintf(out + len, cap - len, "\\x%02x", byte);
    }
    out[len] = '\0';
    return len;
}

static size_t format(char *line, size_t cap, int64_t wall_ms, const lr_http_log_entry *entry)
{
    char method[128], target[3 * TARGET_MAX / 2];
    time_t seconds = (time_t)(wall_ms / 1000);
    char when[32];
    struct tm tm;
    int len;

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)escape(method, sizeof(method), entry->method);
    (void)escape(target, sizeof(target), entry->target);
    len = snprintf(line, cap,
                   "%s.%03dZ conn=%u.%u.%u remote=%s method=%s target=\"%s\" status=%u%s in=%llu "
                   "out=%llu us=%llu\n",
                   when, (int)(wall_ms % 1000), (unsigned)(entry->conn_number >> 56),
                   (unsigned)(entry->conn_number >> 32) & 0xffffff, (unsigned)entry->conn_number,
                   entry->remote, method, target, entry->status, entry->is_cut ? " cut" : "",
                   (unsigned long long)entry->body_in, (unsigned long long)entry->body_out,
                   (unsigned long long)entry->duration_us);
    return len > 0 && (size_t)len < cap ? (size_t)len : 0;
}

void access_log_add(access_log *log, int64_t wall_ms, const lr_http_log_entry *entry)
{
    char line[LINE_MAX_SIZE];
    size_t len = format(line, sizeof(line), wall_ms, entry);

    (void)pthread_mutex_lock(&log->mutex);
    if (len == 0 || log->filled + len > QUEUE_SIZE) {
        log->dropped++;
    } else {
        memcpy(log->filling + log->filled, line, len);
        log->filled += len;
    }
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
}

void access_log_reopen(access_log *log)
{
    if (!log)
        return;
    (void)pthread_mutex_lock(&log->mutex);
    log->reopening = true;
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
}

void access_log_close(access_log *log)
{
    if (!log)
        return;
    (void)pthread_mutex_lock(&log->mutex);
    log->closing = true;
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
    (void)pthread_join(log->thread, NULL);
    (void)pthread_cond_destroy(&log->changed);
    (void)pthread_mutex_destroy(&log->mutex);
    free_log(log);
}
