/* SPDX-License-Identifier: MIT */
/* core/run/file.c: files on the worker's ring: open and stat in one request, then reads.
 *
 * One request is under way at a time, and its memory (path, statx, buffer) lies in the object or in
 * a block of its own, so the program may close the file while the kernel still writes there: the
 * object goes when the kernel has answered and the descriptor is closed. */
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/hooks.h"
#include "core/run/object.h"

#include <lockring/file.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

typedef enum file_state {
    FILE_OPENING,
    FILE_ASKING, /* statx */
    FILE_READY,
    FILE_READING,
    FILE_FAILED, /* opening did */
    FILE_CLOSING /* close() is under way */
} file_state;

struct lr_file {
    lr__object object;
    file_state state;
    int fd; /* -1: none */
    char *path;
    struct open_how how;
    struct statx statx;
    lr__file_op op;
    uint8_t *block; /* of the last read */
    uint32_t cap;
    void (*opened)(lr_file *file, lr_status status, int sys, const lr_file_info *info, void *user);
    void (*got)(lr_file *file, lr_status status, int sys, lr_slice bytes, void *user);
    void *user;
};

static_assert(sizeof(struct lr_file) <= LR__OBJECT_SIZE, "a file fits its slot");

static void drop_block(lr_file *file)
{
    lr__block_give_wiped(&file->object.worker->buffers, file->block, file->cap);
    file->block = NULL;
}

static void give(lr_file *file)
{
    drop_block(file);
    lr__free(file->path);
    lr__object_give(&file->object);
}

static void request(lr_file *file, file_state state)
{
    file->state = state;
    file->object.worker->file_requests++;
    lr__ring_file(file->object.worker->ring, file->object.id, &file->op);
}

/* The program has closed it and nothing is under way: the descriptor goes, then the object. */
static void end(lr_file *file)
{
    if (file->fd < 0) {
        give(file);
        return;
    }
    file->op = (lr__file_op){.kind = LR__FILE_CLOSE, .fd = file->fd};
    file->fd = -1;
    request(file, FILE_CLOSING);
}

static void say_opened(lr_file *file, int sys)
{
    lr_file_info info = {.size = file->statx.stx_size,
                         .modified_s = file->statx.stx_mtime.tv_sec,
                         .modified_ns = file->statx.stx_mtime.tv_nsec,
                         .inode = file->statx.stx_ino,
                         .is_regular = S_ISREG(file->statx.stx_mode),
                         .is_directory = S_ISDIR(file->statx.stx_mode)};
    uint64_t before = lr__hook_enter(file->object.worker, LR__HOOK_FILE);
    lr_worker *w = file->object.worker;

    file->state = sys == 0 ? FILE_READY : FILE_FAILED;
    file->opened(file, sys == 0 ? LR_OK : LR_EFILE, sys, sys == 0 ? &info : NULL, file->user);
    lr__hook_leave(w, before);
}

static void on_opened(lr_file *file, int32_t res)
{
    if (res < 0) {
        say_opened(file, -res);
        return;
    }
    file->fd = res;
    file->op = (lr__file_op){.kind = LR__FILE_STAT, .fd = res, .statx = &file->statx};
    request(file, FILE_ASKING);
}

static void say_got(lr_file *file, int32_t res)
{
    lr_slice bytes = lr_slice_of(file->block, res > 0 ? (size_t)res : 0);
    lr_worker *w = file->object.worker;
    uint64_t before = lr__hook_enter(w, LR__HOOK_FILE);

    file->state = FILE_READY;
    file->got(file, res < 0 ? LR_EFILE : LR_OK, res < 0 ? -res : 0, bytes, file->user);
    lr__hook_leave(w, before);
}

static void on_completion(lr__object *object, const lr__completion *completion)
{
    lr_file *file = LR_CONTAINER_OF(object, lr_file, object);

    LR_CHECK(completion->op == LR__OP_FILE && completion->last);
    object->worker->file_requests--;
    if (file->state == FILE_CLOSING) {
        give(file);
        return;
    }
    if (object->closed) {
        if (file->state == FILE_OPENING && completion->res >= 0)
            file->fd = completion->res;
        end(file);
        return;
    }
    switch (file->state) {
    case FILE_OPENING:
        on_opened(file, completion->res);
        break;
    case FILE_ASKING:
        say_opened(file, completion->res < 0 ? -completion->res : 0);
        break;
    case FILE_READING:
        say_got(file, completion->res);
        break;
    case FILE_READY:
    case FILE_FAILED:
    case FILE_CLOSING:
        LR_UNREACHABLE(); /* nothing is under way in these */
    }
}

static void close_file(lr__object *object)
{
    lr_file *file = LR_CONTAINER_OF(object, lr_file, object);

    object->closed = true;
    if (file->state == FILE_READY || file->state == FILE_FAILED)
        end(file);
}

lr_status lr_file_open(lr_worker *worker, const lr_file_options *given,
                       void (*opened)(lr_file *file, lr_status status, int sys,
                                      const lr_file_info *info, void *user),
                       void *user, lr_file **out)
{
    lr_file_options options;
    size_t size;
    lr_file *file;

    LR_BUG_IF(!worker || !opened || !out, LR_EINVAL);
    lr__dcheck_on_worker(worker);
    *out = NULL;
    LR_TRY(lr__options_adopt(&options, sizeof(options), given, "lr_file_options", NULL));
    LR_BUG_IF(!options.path, LR_EINVAL);
    if (worker->finishing)
        return LR_ESTATE;
    file = lr__object_take(worker, &worker->live.files);
    if (!file)
        return LR_ENOMEM;
    size = strlen(options.path) + 1;
    file->path = lr__alloc(size);
    if (!file->path) {
        lr__object_give(&file->object);
        return LR_ENOMEM;
    }
    memcpy(file->path, options.path, size);
    file->object.on_completion = on_completion;
    file->object.close = close_file;
    file->fd = -1;
    file->opened = opened;
    file->user = user;
    file->how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK; /* a pipe without a writer would wait */
    if (options.directory > 0)
        file->how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    file->op = (lr__file_op){.kind = LR__FILE_OPEN,
                             .fd = options.directory > 0 ? options.directory : AT_FDCWD,
                             .path = file->path,
                             .how = &file->how};
    *out = file;
    request(file, FILE_OPENING);
    return LR_OK;
}

lr_status lr_file_read(lr_file *file, uint64_t offset, size_t len,
                       void (*got)(lr_file *file, lr_status status, int sys, lr_slice bytes,
                                   void *user))
{
    LR_BUG_IF(!file || !got || len == 0 || len > LR_FILE_READ_MAX, LR_EINVAL);
    lr__dcheck_on_worker(file->object.worker);
    if (file->state != FILE_READY || file->object.closed)
        return LR_ESTATE;
    if (!file->block || file->cap < len) {
        drop_block(file);
        file->block = lr__block_take(&file->object.worker->buffers, len, &file->cap);
        if (!file->block)
            return LR_ENOMEM;
    }
    if (offset > INT64_MAX - LR_FILE_READ_MAX) /* behind the end of every file; the kernel's */
        offset = INT64_MAX - LR_FILE_READ_MAX; /* offsets are signed, and -1 is special to it */
    file->got = got;
    file->op = (lr__file_op){.kind = LR__FILE_READ,
                             .fd = file->fd,
                             .buf = file->block,
                             .offset = offset,
                             .len = (uint32_t)len};
    request(file, FILE_READING);
    return LR_OK;
}

void lr_file_close(lr_file *file)
{
    if (!file)
        return;
    lr__dcheck_on_worker(file->object.worker);
    LR_CHECK(!file->object.closed);
    close_file(&file->object);
}
