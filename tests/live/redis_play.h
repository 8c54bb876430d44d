/* SPDX-License-Identifier: MIT */
/* redis_play.h: proto/redis on one worker, and a server for it that the test plays by hand, byte by
 * byte. What the callbacks are told stands in events. */
#ifndef LR_TESTS_LIVE_REDIS_PLAY_H
#define LR_TESTS_LIVE_REDIS_PLAY_H

#include "client.h"

#include "proto/redis.h"

enum { COMMANDS_MAX = 16 };

typedef struct play play;

/* One command, whose callback notes what came of it as "NAME=...". */
typedef struct command {
    play *p;
    char name[16];
    /* Runs inside the callback. */
    void (*then)(struct command *c, lr_worker *w);
    lr_status status; /* of lr_redis_command() */
} command;

struct play {
    live_events events;
    lr_workers *workers;
    lr_server *server;
    lr_redis *redis;
    int listener, sock;
    uint16_t port;
    command commands[COMMANDS_MAX];
    size_t count;
    bool close_when_down;
    uint32_t next; /* of on_next(), on the worker */
};

#define PLAY_PING "*1\r\n$4\r\nPING\r\n"

/* Port and hooks of options are set here; a time that the test does not set is longer than it. The
 * server does not listen yet, and nothing is opened. */
void play_open_down(play *p, void **state, lr_redis_options *options);
/* The server has answered PING. */
void play_open(play *p, void **state, lr_redis_options *options);
lr_redis_counts play_close(play *p);

/* The server's side. */
void play_listen(play *p);
void play_accept(play *p);
void play_come_up(play *p);                    /* accepts, answers PING, clears the events */
void play_hear(play *p, const char *text);     /* these bytes come next */
void play_hear_get(play *p, const char *name); /* this command does */
void play_hear_end(play *p);                   /* FIN or a reset */
void play_say(play *p, const char *text);

/* The program's side. */
command *play_add(play *p, const char *name);    /* without sending it */
lr_status play_get(play *p, const char *name);   /* sends "GET name" */
void play_send(lr_worker *w, void *arg);         /* a command, on the worker */
void play_send_second(command *c, lr_worker *w); /* as `then` of the first one */

#endif
