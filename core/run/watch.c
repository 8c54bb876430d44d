/* SPDX-License-Identifier: MIT */
/* core/run/watch.c: descriptors of the program's on the worker's ring. */
#include "core/base/check.h"
#include "core/run/hooks.h"
#include "core/run/object.h"

#include <assert.h>
#include <poll.h>

struct lr_watch {
    lr__object object;
    int fd;
    bool armed; /* its last completion is to come */
    void (*fn)(lr_watch *watch, int fd, unsigned events, void *user);
    void *user;
};

static_assert(sizeof(struct lr_watch) <= LR__OBJECT_SIZE, "a watch fits its slot");

static unsigned events_of(int32_t res)
{
    unsigned events = 0;

    if (res < 0)
        return 0;
    if (res & POLLIN)
        events |= LR_READABLE;
    if (res & POLLOUT)
        events |= LR_WRITABLE;
    if (res & (POLLHUP | POLLERR))
        events |= LR_HANGUP;
    return events;
}

static void on_completion(lr__object *object, const lr__completion *completion)
{
    lr_watch *watch = LR_CONTAINER_OF(object, lr_watch, object);
    lr_worker *w = object->worker;

    if (completion->last)
        watch->armed = false;
    if (!object->closed) {
        uint64_t before = lr__hook_enter(w, LR__HOOK_WATCH);

        watch->fn(watch, watch->fd, events_of(completion->res), watch->user);
        lr__hook_leave(w, before);
        return; /* closed inside, it was given back there, or will be by the last completion */
    }
    if (completion->last)
        lr__object_give(object);
}

static void close_watch(lr__object *object)
{
    lr_watch *watch = LR_CONTAINER_OF(object, lr_watch, object);

    object->closed = true;
    if (watch->armed)
        lr__ring_stop(object->worker->ring, object->id, LR__OP_POLL);
    else
        lr__object_give(object);
}

lr_status lr_worker_watch_fd(lr_worker *worker, int fd, unsigned events,
                             void (*fn)(lr_watch *watch, int fd, unsigned events, void *user),
                             void *user, lr_watch **out)
{
    uint32_t wanted = 0;
    lr_watch *watch;

    LR_BUG_IF(!worker || fd < 0 || !fn || !out, LR_EINVAL);
    LR_BUG_IF(events == 0 || (events & ~(unsigned)(LR_READABLE | LR_WRITABLE)) != 0, LR_EINVAL);
    lr__dcheck_on_worker(worker);
    *out = NULL;
    if (worker->finishing)
        return LR_ESTATE;
    watch = lr__object_take(worker, &worker->live.watches);
    if (!watch)
        return LR_ENOMEM;
    watch->object.on_completion = on_completion;
    watch->object.close = close_watch;
    watch->fd = fd;
    watch->fn = fn;
    watch->user = user;
    watch->armed = true;
    if (events & LR_READABLE)
        wanted |= POLLIN;
    if (events & LR_WRITABLE)
        wanted |= POLLOUT;
    *out = watch;
    lr__ring_poll(worker->ring, fd, watch->object.id, wanted);
    return LR_OK;
}

void lr_watch_close(lr_watch *watch)
{
    if (!watch)
        return;
    lr__dcheck_on_worker(watch->object.worker);
    LR_CHECK(!watch->object.closed);
    close_watch(&watch->object);
}
