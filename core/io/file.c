/* SPDX-License-Identifier: MIT */
#include "core/io/file.h"

#include "core/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long call(const lr__file_op *op)
{
    switch (op->kind) {
    case LR__FILE_OPEN:
        return syscall(SYS_openat2, op->fd, op->path, op->how, sizeof(*op->how));
    case LR__FILE_STAT:
        return statx(op->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, op->statx);
    case LR__FILE_READ:
        return pread(op->fd, op->buf, op->len, (off_t)op->offset);
    case LR__FILE_CLOSE:
        return close(op->fd);
    }
    LR_UNREACHABLE();
}

int32_t lr__file_do(const lr__file_op *op)
{
    long ret;

    do {
        ret = call(op);
    } while (ret < 0 && errno == EINTR && op->kind != LR__FILE_CLOSE); /* that one has closed it */
    return ret >= 0 ? (int32_t)ret : -errno;
}

bool lr__file_is_always_ready(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}
