/* SPDX-License-Identifier: MIT */
#include "tools/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static lr_status fail(lr_error *err, lr_status status, int sys, const char *path, const char *what)
{
    *err = (lr_error){.status = status, .sys = sys, .tls_alert = -1};
    (void)snprintf(err->text, sizeof(err->text), "%.100s: %s", path, what);
    return status;
}

static lr_status fail_sys(lr_error *err, const char *path)
{
    int error = errno;

    return fail(err, LR_EFILE, error, path, strerror(error));
}

static lr_status check(int fd, const char *path, size_t max, whole_file_kind kind, struct stat *st,
                       lr_error *err)
{
    if (fstat(fd, st) != 0)
        return fail_sys(err, path);
    if (!S_ISREG(st->st_mode) || (size_t)st->st_size > max)
        return fail(err, LR_EFILE, 0, path, "not a regular file, or too long for one of this kind");
    if (kind == WHOLE_FILE_SECRET && (st->st_mode & 022) != 0)
        return fail(err, LR_EKEY, 0, path, "others than its owner may write this key");
    return LR_OK;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What was read is one file's: half of one and half of the next would be keys too. */
static lr_status check_again(int fd, const char *path, const struct stat *before, lr_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return fail_sys(err, path);
    if (st.st_size != before->st_size || !is_same_time(&st.st_mtim, &before->st_mtim))
        return fail(err, LR_EFILE, 0, path, "it was written to while it was read");
    return LR_OK;
}

static lr_status read_all(int fd, const char *path, uint8_t *bytes, size_t size, lr_error *err)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, bytes + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_sys(err, path);
        if (got == 0)
            return fail(err, LR_EFILE, 0, path, "it became shorter while it was read");
        len += (size_t)got;
    }
    return LR_OK;
}

lr_status whole_file_read(const char *path, size_t max, whole_file_kind kind, lr_slice *out,
                          lr_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: for a FIFO */
    uint8_t *bytes = NULL;
    lr_status status;
    struct stat st;

    *out = lr_slice_of(NULL, 0);
    if (fd < 0)
        return fail_sys(err, path);
    status = check(fd, path, max, kind, &st, err);
    if (status == LR_OK) {
        bytes = malloc((size_t)st.st_size + 1);
        status = bytes ? read_all(fd, path, bytes, (size_t)st.st_size, err)
                       : fail(err, LR_ENOMEM, 0, path, "out of memory");
    }
    if (status == LR_OK)
        status = check_again(fd, path, &st, err);
    (void)close(fd);
    if (status == LR_OK)
        *out = lr_slice_of(bytes, (size_t)st.st_size);
    else if (bytes)
        whole_file_free(lr_slice_of(bytes, (size_t)st.st_size));
    return status;
}

void whole_file_free(lr_slice bytes)
{
    uint8_t *block = (uint8_t *)(uintptr_t)bytes.bytes;

    if (block)
        explicit_bzero(block, bytes.len);
    free(block);
}

static bool write_all(int fd, lr_slice bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.bytes, bytes.len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes = lr_slice_of(bytes.bytes + written, bytes.len - (size_t)written);
    }
    return true;
}

/* Owner and mode of the file that is replaced. First the owner: the mode is meant for him. */
static bool take_over(int fd, const char *path, unsigned mode, whole_file_way way)
{
    struct stat old, made;

    if (way == WHOLE_FILE_UPDATE && stat(path, &old) == 0 && fstat(fd, &made) == 0) {
        mode = old.st_mode & 0777;
        if ((old.st_uid != made.st_uid || old.st_gid != made.st_gid) &&
            fchown(fd, old.st_uid, old.st_gid) != 0)
            return false;
    }
    return fchmod(fd, (mode_t)mode) == 0;
}

/* The new name is on the disk only when its folder is. */
static void sync_folder(char *path)
{
    char *slash = strrchr(path, '/');
    int fd;

    if (slash)
        slash[slash == path ? 1 : 0] = '\0';
    fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

lr_status whole_file_write(const char *path, lr_slice bytes, unsigned mode, whole_file_way way,
                           lr_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char beside[PATH_SIZE];
    lr_status status = LR_OK;
    bool renamed = false;
    int fd;

    /* A name that begins with a dot: who reads all files of a folder leaves it out. */
    if ((size_t)snprintf(beside, sizeof(beside), "%.*s.%s.XXXXXX", (int)(name - path), path,
                         name) >= sizeof(beside))
        return fail(err, LR_EFILE, ENAMETOOLONG, path, strerror(ENAMETOOLONG));
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return fail_sys(err, path);
    if (!take_over(fd, path, mode, way) || !write_all(fd, bytes) || fsync(fd) != 0)
        status = fail_sys(err, path);
    (void)close(fd);
    if (status == LR_OK && way != WHOLE_FILE_NEW)
        renamed = rename(beside, path) == 0;
    if (status == LR_OK && !renamed && (way != WHOLE_FILE_NEW || link(beside, path) != 0))
        status = errno == EEXIST ? fail(err, LR_EFILE, EEXIST, path,
                                        "it is there already, and is not overwritten")
                                 : fail_sys(err, path);
    if (!renamed)
        (void)unlink(beside);
    if (status == LR_OK)
        sync_folder(beside);
    return status;
}
