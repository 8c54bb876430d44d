/* SPDX-License-Identifier: MIT */
#include "core/run/ask.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/run/conn.h"
#include "core/run/worker.h"

static uint64_t claim_word(lr__ask_kind kind, uint32_t generation, uint32_t state)
{
    return (uint64_t)kind << 40 | (uint64_t)generation << 8 | state;
}

void lr__asks_init(lr__asks *asks)
{
    for (uint32_t i = 0; i < LR__ASKS_CHUNKS; i++)
        atomic_init(&asks->chunks[i], NULL);
    asks->slot_end = 0;
    asks->first_free = UINT32_MAX;
    asks->open = 0;
}

void lr__asks_fini(lr__asks *asks)
{
    LR_CHECK(asks->open == 0);
    for (uint32_t i = 0; i < LR__ASKS_CHUNKS; i++)
        lr__free(atomic_load_explicit(&asks->chunks[i], memory_order_relaxed));
}

static lr__ask *ask_at(lr__asks *asks, uint32_t slot)
{
    lr__ask *chunk = NULL;

    if (slot < LR__ASKS_CHUNK * LR__ASKS_CHUNKS)
        chunk = atomic_load_explicit(&asks->chunks[slot / LR__ASKS_CHUNK], memory_order_acquire);
    return chunk ? &chunk[slot % LR__ASKS_CHUNK] : NULL;
}

static lr__ask *take_new(lr_worker *w)
{
    lr__asks *asks = &w->asks;
    uint32_t slot = asks->slot_end;
    lr__ask *chunk;

    if (slot == LR__ASKS_CHUNK * LR__ASKS_CHUNKS)
        return NULL;
    if (slot % LR__ASKS_CHUNK == 0) {
        chunk = lr__alloc_zero(LR__ASKS_CHUNK, sizeof(*chunk));
        if (!chunk)
            return NULL;
        for (uint32_t i = 0; i < LR__ASKS_CHUNK; i++) {
            chunk[i].worker = w;
            chunk[i].slot = slot + i;
        }
        atomic_store_explicit(&asks->chunks[slot / LR__ASKS_CHUNK], chunk, memory_order_release);
    }
    asks->slot_end++;
    return ask_at(asks, slot);
}

static void deliver(lr__message *message)
{
    lr__conn_on_answer(LR_CONTAINER_OF(message, lr__ask, message));
}

lr__ask *lr__ask_open(lr_worker *w, lr_conn_id conn, lr__ask_kind kind)
{
    lr__ask *ask;

    if (w->asks.first_free != UINT32_MAX) {
        ask = ask_at(&w->asks, w->asks.first_free);
        w->asks.first_free = ask->next_free;
    } else {
        ask = take_new(w);
        if (!ask)
            return NULL;
    }
    w->asks.open++;
    ask->message.deliver = deliver;
    ask->generation++;
    ask->kind = kind;
    ask->conn = conn;
    ask->result = LR_OK;
    ask->context = NULL;
    ask->bytes = NULL;
    ask->alpn_len = 0;
    atomic_store_explicit(&ask->claim, claim_word(kind, ask->generation, LR__ASK_OPEN),
                          memory_order_release);
    return ask;
}

lr_ask lr__ask_token(const lr__ask *ask)
{
    lr_ask token = {(uint64_t)(uintptr_t)ask->worker, (uint64_t)ask->slot << 32 | ask->generation};

    return token;
}

static void give(lr__ask *ask)
{
    lr__asks *asks = &ask->worker->asks;

    atomic_store_explicit(&ask->claim, claim_word(ask->kind, ask->generation, LR__ASK_FREE),
                          memory_order_relaxed);
    asks->open--;
    ask->next_free = asks->first_free;
    asks->first_free = ask->slot;
}

bool lr__ask_cancel(lr__ask *ask)
{
    uint64_t open = claim_word(ask->kind, ask->generation, LR__ASK_OPEN);

    if (!atomic_compare_exchange_strong_explicit(
            &ask->claim, &open, claim_word(ask->kind, ask->generation, LR__ASK_FREE),
            memory_order_acq_rel, memory_order_relaxed))
        return false;
    give(ask);
    return true;
}

static void release_answer(lr__ask *ask)
{
    if (ask->context)
        lr_context_release(ask->context);
    lr_bytes_release(ask->bytes);
    ask->context = NULL;
    ask->bytes = NULL;
}

void lr__ask_close(lr__ask *ask)
{
    release_answer(ask);
    give(ask);
}

lr__ask *lr__ask_claim(lr_ask token, lr__ask_kind kind)
{
    lr_worker *w = (lr_worker *)(uintptr_t)token.home;
    uint32_t slot = (uint32_t)(token.id >> 32), generation = (uint32_t)token.id;
    uint64_t open = claim_word(kind, generation, LR__ASK_OPEN);
    lr__ask *ask = w ? ask_at(&w->asks, slot) : NULL;

    if (!ask || !atomic_compare_exchange_strong_explicit(
                    &ask->claim, &open, claim_word(kind, generation, LR__ASK_TAKEN),
                    memory_order_acq_rel, memory_order_relaxed))
        return NULL;
    return ask;
}

lr_status lr__ask_post(lr__ask *ask)
{
    if (lr__worker_post(ask->worker, &ask->message))
        return LR_OK;
    /* The worker ended without the connection, which would have been cancelled: it cannot be. */
    LR_UNREACHABLE();
}
