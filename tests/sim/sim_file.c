/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_file.c: what is not a socket: numbers that the test makes ready, and files.
 *
 * Files are the real ones, worked on at a time that the seed decides. Their numbers are the lowest
 * free ones from SIM_FIRST_FILE on, so that they do not depend on the process; a number below that
 * is a real descriptor, which a test may have opened. */
#include "tests/sim/sim_world.h"

#include "core/io/file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Polling */

sim_pollable *sim_pollable_of(sim *s, int fd)
{
    for (uint32_t i = 0; i < s->pollable_count; i++) {
        if (s->pollables[i].fd == fd)
            return &s->pollables[i];
    }
    return NULL;
}

void sim_poll_set(sim *s, int fd, uint32_t events)
{
    sim_pollable *p = sim_pollable_of(s, fd);

    LR_CHECK(fd >= 0);
    if (!p) {
        uint32_t at = s->pollable_count++;

        s->pollables =
            sim_grow(s->pollables, &s->pollable_cap, s->pollable_count, sizeof(*s->pollables));
        p = &s->pollables[at];
        *p = (sim_pollable){.fd = fd};
    }
    p->ready = events;
    if (p->ring && p->ring->open)
        sim_ring_tell(p->ring, p->id, events);
}

void sim_poll_close(sim *s, int fd)
{
    sim_pollable *p = sim_pollable_of(s, fd);

    LR_CHECK(p != NULL);
    *p = s->pollables[--s->pollable_count];
}

/* Files */

static uint32_t new_file(sim *s, int real)
{
    uint32_t at = 0;

    while (at < s->file_count && s->files[at] != SIM_NONE)
        at++;
    if (at == s->file_count)
        s->files = sim_grow(s->files, &s->file_cap, ++s->file_count, sizeof(*s->files));
    s->files[at] = real;
    return at;
}

static int *file_of(sim *s, int fd)
{
    uint32_t at = (uint32_t)(fd - SIM_FIRST_FILE);

    LR_CHECK(fd >= SIM_FIRST_FILE && at < s->file_count && s->files[at] != SIM_NONE);
    return &s->files[at];
}

void sim_file_close(sim *s, int fd)
{
    int *real = file_of(s, fd);

    (void)close(*real);
    *real = SIM_NONE;
}

uint32_t sim_open_files(const sim *s)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < s->file_count; i++)
        count += s->files[i] != SIM_NONE;
    return count;
}

static int32_t open_file(sim *s, const lr__file_op *op)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM};
    int32_t real;

    if (sim_chance(s, s->options.faults.open_no_files))
        return -errors[sim_below(s, LR_ARRAY_COUNT(errors))];
    real = lr__file_do(op);
    return real < 0 ? real : (int32_t)(SIM_FIRST_FILE + new_file(s, real));
}

int32_t sim_file_do(sim *s, const lr__file_op *op)
{
    lr__file_op real = *op;

    if (op->kind == LR__FILE_CLOSE) {
        sim_file_close(s, op->fd);
        return 0;
    }
    if (op->fd >= SIM_FIRST_FILE)
        real.fd = *file_of(s, op->fd);
    if (op->kind == LR__FILE_OPEN)
        return open_file(s, &real);
    if (op->kind == LR__FILE_READ && op->len > 0 && s->options.faults.read_piece_max) {
        uint64_t piece = 1 + sim_below(s, s->options.faults.read_piece_max);

        real.len = piece < op->len ? (uint32_t)piece : op->len;
    }
    return lr__file_do(&real);
}

void sim_file_free(sim *s)
{
    free(s->pollables);
    free(s->files);
}
