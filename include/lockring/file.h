/* SPDX-License-Identifier: MIT */
/* lockring/file.h: reading files without stopping the worker.
 *
 * Threads  all calls and callbacks belong to the worker that opened the file.
 * Memory   the bytes of a read lie in a buffer of the file's own; the slice ends with the next call
 *          on the file, or with lr_file_close().
 * Errors   told to the callback, as a status and an errno. On io_uring nothing blocks; on epoll a
 *          file is read by plain calls, which wait for the disk if it is not in the page cache. */
#ifndef LOCKRING_FILE_H
#define LOCKRING_FILE_H

#include <lockring/base.h>
#include <lockring/workers.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_file lr_file;

typedef struct lr_file_info {
    uint64_t size;      /* bytes */
    int64_t modified_s; /* since 1970 */
    uint32_t modified_ns;
    uint64_t inode;
    bool is_regular, is_directory;
} lr_file_info;

typedef struct lr_file_options {
    size_t size;      /* LR_FILE_OPTIONS */
    const char *path; /* copied */
    int directory;    /* a descriptor, borrowed until opened is called: the path is resolved beneath
                       * it, and nothing that leads outside (.., absolute paths and links, mounts of
                       * /proc) is followed; 0: relative to the working directory, any path */
} lr_file_options;
#define LR_FILE_OPTIONS .size = sizeof(lr_file_options)

enum { LR_FILE_READ_MAX = 65536 };

/* Opens for reading and asks what it is. opened is called once, in a later turn, unless the file is
 * closed before: LR_OK and info, or LR_EFILE and an errno (ENOENT, EACCES, EXDEV: outside the
 * directory); then only lr_file_close() is allowed. The return value: LR_EINVAL, LR_ENOMEM. */
LR_API LR_WORKER LR_NODISCARD lr_status lr_file_open(
    lr_worker *worker, const lr_file_options *options,
    void (*opened)(lr_file *file, lr_status status, int sys, const lr_file_info *info, void *user),
    void *user, lr_file **out);

/* Reads len bytes (1..LR_FILE_READ_MAX) at offset, fewer at the end of the file, none behind it.
 * got is called once, in a later turn, unless the file is closed before: LR_OK and the bytes, or
 * LR_EFILE and an errno. LR_ESTATE: not open, or a request is under way. LR_ENOMEM. */
LR_API LR_WORKER LR_NODISCARD lr_status lr_file_read(lr_file *file, uint64_t offset, size_t len,
                                                     void (*got)(lr_file *file, lr_status status,
                                                                 int sys, lr_slice bytes,
                                                                 void *user));

/* At any time, also inside its callbacks, once; no callback follows. Null is allowed. A file that
 * is open when its worker ends is closed by it. */
LR_API LR_WORKER void lr_file_close(lr_file *file);

#ifdef __cplusplus
}
#endif

#endif
