/* SPDX-License-Identifier: MIT */
/* core/run/limits.h: what one source, one connection or one worker may have.
 *
 * Rates are token buckets on the worker's clock. Sources are counted per worker and server in a
 * table of fixed size: an IPv4 address, or an IPv6 /64, which is what one customer has. Connections
 * spread over the workers, so each worker gives a source its share of the rate. A full table
 * forgets whoever has been quiet for longest: it bounds memory, and errs for the client. Worker
 * thread. */
#ifndef LR_CORE_RUN_LIMITS_H
#define LR_CORE_RUN_LIMITS_H

#include "core/base/bucket.h"

#include <lockring/base.h>

struct lr_conn;
struct lr__part;
struct sockaddr_in6;

enum {
    LR__SOURCE_SETS = 1024,
    LR__SOURCE_WAYS = 8,
    LR__UNPRODUCTIVE_PER_S = 10, /* records without data: KeyUpdates, empty ones, warnings */
    LR__UNPRODUCTIVE_BURST = 32
};

typedef struct lr__source {
    uint64_t key; /* of the address; 0: free */
    lr__bucket connections, handshakes;
} lr__source;

/* Events per second of one source; 0: no limit. */
typedef struct lr__source_rates {
    uint32_t connections, connections_burst;
    uint32_t handshakes, handshakes_burst;
} lr__source_rates;

/* May this source open one connection more, or begin one handshake more? Also if it is none. */
bool lr__source_may_connect(struct lr__part *part, const struct sockaddr_in6 *remote);
bool lr__source_may_shake_hands(struct lr__part *part, const struct sockaddr_in6 *remote);

/* A connection that has a handshake or a preface before it begins, or is done with that. Above the
 * limit the oldest one makes room: a slow client, or an attacker's, goes before a new one is
 * refused. */
void lr__half_open_enter(struct lr_conn *c);
void lr__half_open_leave(struct lr_conn *c); /* harmless if it is not */

/* A record that carried nothing came. False: that was one too many, and the connection failed. */
bool lr__conn_count_unproductive(struct lr_conn *c);

/* The timer of an OPEN connection: lifetime, write stall and idleness, whichever is next. */
void lr__conn_open_deadline(struct lr_conn *c);
void lr__conn_arm_open(struct lr_conn *c);

#endif
