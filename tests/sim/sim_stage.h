/* SPDX-License-Identifier: MIT */
/* tests/sim/sim_stage.h: a whole play on the simulated back end: workers, an echo server, and
 * wolfSSL clients that send random data, compare what comes back, and close, or reset somewhere on
 * the way. */
#ifndef LR_TESTS_SIM_SIM_STAGE_H
#define LR_TESTS_SIM_SIM_STAGE_H

#include "core/run/conn.h"
#include "core/run/workers.h"
#include "tests/sim/sim.h"
#include "tests/unit/tls_client.h"

enum { STAGE_CLIENTS = 16 };

struct stage;

typedef struct stage_plan {
    uint32_t workers, clients;
    size_t bytes; /* each client sends and gets back */
    bool aborts;  /* every third client resets at a point drawn from the seed */
    uint32_t handshake_ms;
    bool slow_readers;        /* clients read only when they have sent all, or can send no more */
    size_t server_ends_after; /* the server ends the connection after so many bytes; 0: never */
    uint32_t drain_at_round;  /* lr_workers_stop() then; 0: when all clients are through */
    /* With a preface: the server's hook, what each client sends first (or sets wrong), and a look
     * at each connection that is secure; null: none. */
    lr_status (*on_preface)(lr_conn *c, lr_slice bytes, size_t *used, const char **reason);
    void (*begin)(struct stage *s, uint32_t client);
    void (*look)(struct stage *s, lr_conn *c);
    void (*tune)(lr_handlers *handlers); /* the stage's own are set; null: they stay */
    void (*between)(struct stage *s);    /* in each round, when no worker runs; null: nothing */
    void *arg;                           /* of the test */
} stage_plan;

typedef struct stage_client {
    tls_client tls;
    int peer;
    size_t sent, received;
    uint8_t pattern;      /* where its data begins */
    uint64_t reset_after; /* wire bytes sent until it resets; UINT64_MAX: it does not */
    uint64_t wire_sent;
    size_t held_back; /* bytes of its output that are not sent */
    bool holding;
    uint32_t stuck; /* rounds in which nothing could be sent */
    bool closed;    /* close_notify and FIN are out */
    bool reset, over, refused;
    bool wrong; /* the server must refuse it */
} stage_client;

typedef struct stage {
    stage_plan plan;
    sim *world;
    tls_world client_world;
    lr_workers *workers;
    lr_context *context;
    lr_server *server;
    bool going[STAGE_CLIENTS]; /* by worker */
    stage_client clients[STAGE_CLIENTS];
    uint32_t rounds, quiet;
    uint32_t opened, secured, ended, timeouts, errors; /* by the server's hooks */
    bool stopped;
    size_t written;    /* plaintext that the server took for clients */
    bool read_stopped; /* a connection was above its high mark */
} stage;

void stage_open(stage *s, uint64_t seed, const sim_faults *faults, const stage_plan *plan);
void stage_round(stage *s); /* every client and every worker once */
void stage_play(stage *s);  /* until all is over */
void stage_check(stage *s); /* hooks, data, ends */
void stage_close(stage *s);

void stage_hold_back(stage *s, uint32_t client, size_t bytes);
void stage_let_go(stage *s, uint32_t client);
bool stage_client_is_over(const stage *s, uint32_t client);
lr__conn_state stage_conn_state(const stage *s, uint32_t slot); /* on the first worker */
bool stage_conn_has_engine(const stage *s, uint32_t slot);

#endif
