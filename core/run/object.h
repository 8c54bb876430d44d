/* SPDX-License-Identifier: MIT */
/* core/run/object.h: what lives on a worker's ring besides listeners and connections: watched
 * descriptors and files.
 *
 * All are slots of one slab, named in the ring by their slot above LR__OBJECT_SLOT_FIRST. An object
 * that the program has closed stays until the ring's last completion, without a callback; the
 * worker ends when the slab is empty. Worker thread. */
#ifndef LR_CORE_RUN_OBJECT_H
#define LR_CORE_RUN_OBJECT_H

#include "core/run/worker.h"

enum { LR__OBJECT_SIZE = 640 /* the largest kind; each asserts that it fits */ };

/* Begins every kind. */
typedef struct lr__object {
    lr_worker *worker;
    lr__id id;
    uint32_t slot;
    uint64_t *live; /* counts those of its kind */
    bool closed;    /* the program does not know it any more */
    void (*on_completion)(struct lr__object *object, const lr__completion *completion);
    void (*close)(struct lr__object *object); /* at the worker's end, if the program did not */
} lr__object;

void lr__objects_init(lr_worker *w);
/* Zeroed but for its head; null: no memory. live: of its kind, in w->live. */
void *lr__object_take(lr_worker *w, uint64_t *live);
void lr__object_give(lr__object *object);
void lr__object_dispatch(lr_worker *w, const lr__completion *completion);
void lr__objects_close(lr_worker *w); /* those that are left */

#endif
