/* SPDX-License-Identifier: MIT */
/* core/run/publish.h: what a server's gate chooses from, and how it is changed while workers read
 * it.
 *
 * A table is immutable. The server points to the current one; each part points to the one that its
 * worker uses, which it changes between turns and before it looks a name up (lr__part_adopt). A
 * publisher swaps the server's pointer, puts the old table on a list, and frees those that no part
 * uses: a part announces a table and then looks again whether it is still current, so what is
 * neither current nor announced is used by nobody (a hazard pointer). Publishers exclude each other
 * by a mutex that no worker waits for, unless it publishes itself. */
#ifndef LR_CORE_RUN_PUBLISH_H
#define LR_CORE_RUN_PUBLISH_H

#include "core/tls/sni.h"

#include <lockring/server.h>

#include <pthread.h>
#include <stdatomic.h>

typedef struct lr__table {
    struct lr__table *next_old; /* in the publication's list */
    lr_context *context;        /* a reference; null: the server is plain */
    lr_names names;
    bool refuse_unknown; /* a name that no pattern matches is refused */
} lr__table;

/* Part of a server. */
typedef struct lr__publication {
    _Atomic(lr__table *) current; /* swapped by publishers, read by workers between turns */
    pthread_mutex_t lock;         /* publishers; workers only try it */
    _Atomic bool untended;    /* a worker has moved on: whoever has the lock next, or has had it,
                               * frees what is left; any thread sets, the lock's holder clears */
    lr__table *old;           /* under lock: not yet freed */
    lr_toggle refuse_unknown; /* the server's option */
} lr__publication;

struct lr__part;

/* The first table. */
lr_status lr__publication_init(lr__publication *publication, lr_context *context,
                               lr_toggle refuse_unknown, lr_error *err);
void lr__publication_fini(lr__publication *publication); /* nobody uses any of its tables */

/* Worker, while it uses nothing of the old table: takes the current one into use. */
void lr__part_adopt(struct lr__part *part);

#endif
