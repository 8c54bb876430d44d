/* SPDX-License-Identifier: MIT */
#include "core/run/publish.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/run/server.h"
#include "core/run/worker.h"
#include "core/run/workers.h"
#include "core/tls/context.h"

static void table_free(lr__table *table)
{
    lr__names_fini(&table->names);
    lr_context_release(table->context);
    lr__free(table);
}

/* names may be null: none. */
static lr__table *table_new(lr_context *context, const lr_names *names, lr_toggle refuse_unknown)
{
    lr__table *table = lr__alloc_zero(1, sizeof(*table));

    if (!table)
        return NULL;
    table->context = context ? lr_context_retain(context) : NULL;
    table->refuse_unknown = refuse_unknown == LR_ON;
    if (names && lr__names_copy(&table->names, names) != LR_OK) {
        table_free(table);
        return NULL;
    }
    if (context && context->node4)
        table->names.newest_wins = true;
    return table;
}

lr_status lr__publication_init(lr__publication *publication, lr_context *context,
                               lr_toggle refuse_unknown, lr_error *err)
{
    lr__table *table = table_new(context, NULL, refuse_unknown);

    if (!table)
        return lr__fail(err, LR_ENOMEM, "lr_server: out of memory");
    LR_CHECK(pthread_mutex_init(&publication->lock, NULL) == 0);
    publication->refuse_unknown = refuse_unknown;
    atomic_store(&publication->current, table);
    return LR_OK;
}

void lr__publication_fini(lr__publication *publication)
{
    lr__table *table = atomic_load(&publication->current);

    if (!table)
        return;
    table_free(table);
    while ((table = publication->old) != NULL) {
        publication->old = table->next_old;
        table_free(table);
    }
    (void)pthread_mutex_destroy(&publication->lock);
}

static bool is_in_use(const lr_server *s, const lr__table *table)
{
    for (uint32_t i = 0; i < s->workers->count; i++) {
        if (atomic_load(&s->parts[i].table) == table)
            return true;
    }
    return false;
}

/* Frees what no worker uses any more. Under the lock. */
static void reclaim(lr_server *s)
{
    lr__table **at = &s->publication.old;

    while (*at) {
        lr__table *table = *at;

        if (is_in_use(s, table)) {
            at = &table->next_old;
            continue;
        }
        *at = table->next_old;
        table_free(table);
    }
}

/* Whoever finds the lock taken leaves a note, and whoever has had it looks again: none of them
 * waits, and no table stays because all had moved on while somebody else looked. */
static void tend(lr_server *s)
{
    lr__publication *publication = &s->publication;

    while (atomic_load(&publication->untended) && pthread_mutex_trylock(&publication->lock) == 0) {
        atomic_store(&publication->untended, false);
        reclaim(s);
        (void)pthread_mutex_unlock(&publication->lock);
    }
}

void lr__part_adopt(lr__part *part)
{
    lr__publication *publication = &part->server->publication;
    lr__table *before = atomic_load_explicit(&part->table, memory_order_relaxed);
    lr__table *table = atomic_load(&publication->current);

    if (table == before)
        return;
    for (;;) {
        lr__table *again;

        atomic_store(&part->table, table);
        again = atomic_load(&publication->current);
        if (again == table)
            break;
        table = again;
    }
    atomic_store(&publication->untended, true); /* the last worker to move on frees the old table */
    tend(part->server);
    lr__worker_drop_replicas(part->worker);
}

/* Where some name demands a certificate of its clients, one that asks for no name of ours is not
 * served in its place */
static bool demands_certificates(const lr_names *names)
{
    for (uint32_t i = 0; i < names->cap; i++) {
        const lr_context *context = names->entries[i].context;

        if (context && context->request_cert && context->reject_unauthorized)
            return true;
    }
    return false;
}

/* Under the lock. */
static void swap(lr_server *s, lr__table *table)
{
    lr_toggle refuse = s->publication.refuse_unknown;
    lr__table *old;

    table->refuse_unknown =
        refuse == LR_ON || (refuse == LR_DEFAULT && demands_certificates(&table->names));
    old = atomic_exchange(&s->publication.current, table);

    old->next_old = s->publication.old;
    s->publication.old = old;
    reclaim(s);
}

lr_status lr_server_publish(lr_server *s, lr_context *context, const lr_names *names, lr_error *err)
{
    lr__publication *publication;
    lr__table *table;

    LR_BUG_IF(!s || s->is_client, LR_EINVAL);
    publication = &s->publication;
    if (!s->has_context)
        return lr__fail(err, LR_ESTATE, "lr_server_publish: the server was made without a context");
    (void)pthread_mutex_lock(&publication->lock);
    if (!context)
        context = atomic_load(&publication->current)->context;
    table = table_new(context, names, publication->refuse_unknown);
    if (table)
        swap(s, table);
    (void)pthread_mutex_unlock(&publication->lock);
    tend(s);
    if (!table)
        return lr__fail(err, LR_ENOMEM, "lr_server_publish: out of memory");
    lr__workers_signal(s->workers);
    return LR_OK;
}

/* A copy of the current table with one name added, replaced or (context null) removed. */
static lr_status change_names(lr_server *s, const char *pattern, lr_context *context, lr_error *err)
{
    lr__table *current, *table;
    lr_status status = LR_OK;

    current = atomic_load(&s->publication.current); /* under the lock nobody frees it */
    table = table_new(current->context, &current->names, s->publication.refuse_unknown);
    if (!table)
        return lr__fail(err, LR_ENOMEM, "name '%.80s': out of memory", pattern);
    if (context)
        status = lr_names_add(&table->names, pattern, context, err);
    else if (!lr_names_remove(&table->names, pattern))
        status = lr__fail(err, LR_ENAME, "name '%.80s': the server does not have it", pattern);
    if (status == LR_OK)
        swap(s, table);
    else
        table_free(table);
    return status;
}

static lr_status change(lr_server *s, const char *pattern, lr_context *context, lr_error *err)
{
    lr_status status;

    if (!s->has_context)
        return lr__fail(err, LR_ESTATE, "name '%.80s': the server was made without a context",
                        pattern);
    (void)pthread_mutex_lock(&s->publication.lock);
    status = change_names(s, pattern, context, err);
    (void)pthread_mutex_unlock(&s->publication.lock);
    tend(s);
    if (status == LR_OK)
        lr__workers_signal(s->workers);
    return status;
}

lr_status lr_server_add_context(lr_server *s, const char *pattern, lr_context *context,
                                lr_error *err)
{
    LR_BUG_IF(!s || s->is_client || !pattern || !context, LR_EINVAL);
    return change(s, pattern, context, err);
}

lr_status lr_server_remove_context(lr_server *s, const char *pattern, lr_error *err)
{
    LR_BUG_IF(!s || s->is_client || !pattern, LR_EINVAL);
    return change(s, pattern, NULL, err);
}
