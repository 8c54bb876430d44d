/* SPDX-License-Identifier: MIT */
/* core/io/ops.h: which operations of an id are under way, and the completions that a back end makes
 * itself. This is where rule 1 of ring.h lives: one last completion per operation, CLOSE after all
 * others of its id.
 *
 * An op is `on` from its start until its last completion is returned. A completion that is known
 * but not yet returned makes it `due`: its id stands in a queue until a wait has room. Single
 * thread. */
#ifndef LR_CORE_IO_OPS_H
#define LR_CORE_IO_OPS_H

#include "core/base/check.h"
#include "core/io/ring.h"

/* Part of a back end's record per slot (slots.h). Sets have the bit lr__op_bit(op). */
typedef struct lr__ops {
    struct lr__ops *next_due;
    uint32_t slot, generation;
    int32_t due_res; /* of the SEND, CONNECT or FILE that is due; an id has one of them on */
    uint8_t on, due; /* sets; due is a subset of on */
    bool closed;     /* the socket is closed, CLOSE follows the last of the others */
} lr__ops;

typedef struct lr__due {
    lr__ops *first, *last;
} lr__due;

static inline uint8_t lr__op_bit(uint32_t op)
{
    return (uint8_t)(1u << op);
}

static inline lr__id lr__ops_id(const lr__ops *ops)
{
    return lr__id_make(ops->slot, ops->generation);
}

static inline bool lr__ops_on(const lr__ops *ops, lr__op op)
{
    return (ops->on & lr__op_bit(op)) != 0;
}

/* Queues the last completion of an op: SEND, CONNECT and FILE with due_res, CLOSE with 0, others
 * with -ECANCELED. */
void lr__due_add(lr__due *due, lr__ops *ops, lr__op op);

/* Returns what is due, in order of queueing; of one id CLOSE comes last. */
uint32_t lr__due_take(lr__due *due, lr__completion *out, uint32_t cap);

/* The last completion of op is on its way to the caller. */
static inline void lr__ops_finish(lr__due *due, lr__ops *ops, lr__op op)
{
    LR_DCHECK(lr__ops_on(ops, op) && !(ops->due & lr__op_bit(op)));
    ops->on &= (uint8_t)~lr__op_bit(op);
    if (LR_UNLIKELY(ops->closed) && ops->on == lr__op_bit(LR__OP_CLOSE) && !ops->due)
        lr__due_add(due, ops, LR__OP_CLOSE);
}

/* Fills a completion without bytes and, if it is the last, finishes the op. Always true. */
static inline bool lr__ops_give(lr__due *due, lr__ops *ops, lr__op op, int32_t res, bool last,
                                lr__completion *out)
{
    *out = (lr__completion){.id = lr__ops_id(ops),
                            .res = res,
                            .buffer = LR__NO_BUFFER,
                            .op = (uint8_t)op,
                            .last = last};
    if (last)
        lr__ops_finish(due, ops, op);
    return true;
}

#endif
