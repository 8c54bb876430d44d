/* SPDX-License-Identifier: MIT */
/* tests/sim/sim.c: events, clocks and dice.
 *
 * Everything that happens is an event in a heap, ordered by time and then by age. All dice are one
 * sequence of the seed, thrown in an order that only earlier events decide, so that a seed and a
 * test have one course. */
#include "tests/sim/sim_world.h"

#include <stdlib.h>
#include <string.h>

enum { MILLISECOND = 1000000, START_NS = 1000000000 };

void *sim_grow(void *array, uint32_t *cap, uint32_t need, size_t size)
{
    uint32_t more = *cap ? *cap : 8;

    if (need <= *cap)
        return array;
    while (more < need)
        more *= 2;
    array = realloc(array, more * size);
    LR_CHECK(array != NULL);
    memset((uint8_t *)array + *cap * size, 0, (more - *cap) * size);
    *cap = more;
    return array;
}

/* Dice */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_draw(sim *s)
{
    return splitmix(&s->dice);
}

uint64_t sim_entropy(sim *s)
{
    return splitmix(&s->entropy);
}

uint64_t sim_below(sim *s, uint64_t limit)
{
    LR_CHECK(limit > 0);
    return sim_draw(s) % limit;
}

uint64_t sim_delay(sim *s, uint64_t most)
{
    return most ? sim_below(s, most + 1) : 0;
}

bool sim_chance(sim *s, uint32_t per_mille)
{
    if (per_mille == 0 || sim_below(s, 1000) >= per_mille)
        return false;
    s->faults++;
    return true;
}

uint64_t sim_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 32);
}

sim_faults sim_faults_draw(uint64_t seed)
{
    sim_faults f = {0};
    const struct {
        uint32_t *chance;
        uint32_t most;
    } chances[] = {{&f.delay, 700},
                   {&f.late_cancel, 1000},
                   {&f.accept_no_files, 200},
                   {&f.accept_aborted, 50},
                   {&f.recv_piece_max, 20000},
                   {&f.no_buffers, 300},
                   {&f.send_piece_max, 20000},
                   {&f.cut, 3},
                   {&f.small_pipe, 1000},
                   {&f.stall, 500}};
    uint64_t *const times[] = {&f.net_ns, &f.work_ns, &f.wake_ns};
    static const uint64_t longest[] = {200 * MILLISECOND, 2 * MILLISECOND, 20 * MILLISECOND};
    uint64_t dice = seed ^ UINT64_C(0x5eed5eed5eed5eed);

    for (size_t i = 0; i < LR_ARRAY_COUNT(chances); i++) {
        if (splitmix(&dice) & 1)
            *chances[i].chance = 1 + (uint32_t)(splitmix(&dice) % chances[i].most);
    }
    if (f.recv_piece_max && (splitmix(&dice) & 1))
        f.recv_piece_max = 1 + f.recv_piece_max % 7;
    for (size_t i = 0; i < LR_ARRAY_COUNT(times); i++) {
        if (splitmix(&dice) & 1)
            *times[i] = splitmix(&dice) % longest[i];
    }
    if (splitmix(&dice) & 1)
        f.connect_fails = 1 + (uint32_t)(splitmix(&dice) % 300);
    if (splitmix(&dice) & 1)
        f.open_no_files = 1 + (uint32_t)(splitmix(&dice) % 200);
    if (splitmix(&dice) & 1)
        f.read_piece_max = 1 + (uint32_t)(splitmix(&dice) % 20000);
    if (splitmix(&dice) & 1)
        f.file_ns = splitmix(&dice) % (200 * MILLISECOND);
    return f;
}

void sim_faults_end(sim *s)
{
    s->options.faults = (sim_faults){0};
}

/* Events */

static bool is_before(const sim_event *a, const sim_event *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void swap(sim_event *a, sim_event *b)
{
    sim_event kept = *a;

    *a = *b;
    *b = kept;
}

void sim_schedule_at(sim *s, uint64_t time, sim_event_kind kind, uint32_t where, uint32_t what,
                     uint64_t value)
{
    uint32_t at = s->event_count++;

    s->events = sim_grow(s->events, &s->event_cap, s->event_count, sizeof(*s->events));
    s->events[at] = (sim_event){.time = time > s->now_ns ? time : s->now_ns,
                                .order = s->order++,
                                .kind = kind,
                                .where = where,
                                .what = what,
                                .value = value};
    while (at > 0 && is_before(&s->events[at], &s->events[(at - 1) / 2])) {
        swap(&s->events[at], &s->events[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

void sim_schedule(sim *s, uint64_t delay, sim_event_kind kind, uint32_t where, uint32_t what,
                  uint64_t value)
{
    sim_schedule_at(s, s->now_ns + delay, kind, where, what, value);
}

static sim_event take_first(sim *s)
{
    sim_event first = s->events[0];
    uint32_t at = 0;

    s->events[0] = s->events[--s->event_count];
    while (true) {
        uint32_t least = at;

        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < s->event_count && is_before(&s->events[child], &s->events[least]))
                least = child;
        }
        if (least == at)
            return first;
        swap(&s->events[at], &s->events[least]);
        at = least;
    }
}

uint64_t sim_next_time(const sim *s)
{
    return s->event_count ? s->events[0].time : UINT64_MAX;
}

bool sim_step(sim *s)
{
    sim_event event;

    if (s->event_count == 0)
        return false;
    event = take_first(s);
    s->now_ns = event.time > s->now_ns ? event.time : s->now_ns;
    s->steps++;
    switch (event.kind) {
    case SIM_ARRIVE:
        sim_on_arrive(s, event.where, event.what, event.value);
        break;
    case SIM_RESET:
        sim_on_reset(s, event.where, event.what);
        break;
    case SIM_CONNECT:
        sim_on_connect(s, event.where);
        break;
    case SIM_CONNECTED:
        sim_on_connected(s, event.where, event.what, (int)event.value);
        break;
    case SIM_POKE:
    case SIM_CANCEL:
    case SIM_CLOSE:
    case SIM_WAKE:
        sim_on_ring_event(s->rings[event.where], &event);
        break;
    }
    return true;
}

/* Time */

uint64_t sim_now(const sim *s)
{
    return s->now_ns;
}

void sim_pass(sim *s, uint64_t ns)
{
    uint64_t end = s->now_ns + ns;

    while (sim_next_time(s) <= end)
        (void)sim_step(s);
    s->now_ns = end;
}

void sim_set_wall(sim *s, int64_t ms)
{
    s->wall_shift_ms = ms - (int64_t)(s->now_ns / MILLISECOND);
}

static uint64_t next_deadline(const sim *s)
{
    uint64_t next = UINT64_MAX;

    for (uint32_t i = 0; i < s->ring_count; i++) {
        if (s->rings[i]->open && s->rings[i]->deadline_ns < next)
            next = s->rings[i]->deadline_ns;
    }
    return next;
}

bool sim_advance(sim *s)
{
    uint64_t next = sim_next_time(s), deadline = next_deadline(s);

    if (next == UINT64_MAX && deadline == UINT64_MAX)
        return false;
    if (next <= deadline)
        (void)sim_step(s);
    else if (deadline > s->now_ns)
        s->now_ns = deadline;
    return true;
}

static sim_ring *any_that_must_turn(sim *s)
{
    uint32_t count = 0;
    uint64_t chosen;

    for (uint32_t i = 0; i < s->ring_count; i++)
        count += sim_ring_must_turn(s->rings[i]);
    if (count == 0)
        return NULL;
    chosen = sim_below(s, count);
    for (uint32_t i = 0;; i++) {
        if (sim_ring_must_turn(s->rings[i]) && chosen-- == 0)
            return s->rings[i];
    }
}

lr__ring *sim_pick(sim *s)
{
    while (true) {
        sim_ring *r = any_that_must_turn(s);

        if (r && (s->event_count == 0 || !sim_chance(s, s->options.faults.stall)))
            return &r->base;
        if (r)
            (void)sim_step(s);
        else if (!sim_advance(s))
            return NULL;
    }
}

/* Worlds */

sim *sim_new_with(const sim_options *options)
{
    sim *s = calloc(1, sizeof(*s));

    LR_CHECK(s != NULL);
    s->options = *options;
    if (s->options.pipe_size == 0)
        s->options.pipe_size = 65536;
    s->dice = options->seed;
    s->entropy = ~options->seed;
    s->now_ns = START_NS;
    s->transcript = 1;
    s->next_port = 40000;
    sim_set_wall(s, INT64_C(1800000000000)); /* January 2027 */
    return s;
}

sim *sim_new(uint64_t seed, const sim_faults *faults)
{
    const sim_options options = {.seed = seed, .faults = *faults};

    return sim_new_with(&options);
}

void sim_free(sim *s)
{
    LR_CHECK(sim_open_sockets(s) == 0);
    LR_CHECK(sim_open_files(s) == 0);
    for (uint32_t i = 0; i < s->ring_count; i++) {
        LR_CHECK(!s->rings[i]->open);
        free(s->rings[i]);
    }
    sim_net_free(s);
    sim_file_free(s);
    free(s->rings);
    free(s->events);
    free(s);
}

uint64_t sim_transcript(const sim *s)
{
    return s->transcript;
}

sim_counts sim_count(const sim *s)
{
    return (sim_counts){.steps = s->steps, .faults = s->faults, .connections = s->conn_count};
}
