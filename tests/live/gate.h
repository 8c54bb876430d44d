/* SPDX-License-Identifier: MIT */
/* gate.h: the hooks of the hello gate for the live tests: what support.h's recorder is for the
 * others.
 *
 * Each hook of the gate is noted in the recorder's events, "hello", "sni:NAME", "ocsp" and
 * "cancelled:WHICH"; then the test's own function answers, or does not. */
#ifndef LR_TESTS_LIVE_GATE_H
#define LR_TESTS_LIVE_GATE_H

#include "client.h"

typedef enum gate_hook { GATE_HELLO, GATE_SNI, GATE_OCSP, GATE_HOOKS } gate_hook;

enum {
    GATE_ON_HELLO = 1 << GATE_HELLO,
    GATE_ON_SNI = 1 << GATE_SNI,
    GATE_ON_OCSP = 1 << GATE_OCSP,
    GATE_ALL = GATE_ON_HELLO | GATE_ON_SNI | GATE_ON_OCSP
};

/* What a hook of the gate was given; certificate and issuer end with it. */
typedef struct gate_ask {
    gate_hook hook;
    lr_ask ask;
    const lr_hello *hello; /* null: on_sni, on_ocsp_request */
    lr_slice certificate, issuer;
} gate_ask;

typedef struct gate {
    live_recorder recorder; /* first: the server's user is it */
    /* Inside the hook, behind its note. Null: answers that nothing was decided. */
    void (*fn)(struct gate *g, lr_conn *c, const gate_ask *ask);
    void *arg;               /* of the test */
    lr_ask last[GATE_HOOKS]; /* the newest of each; written before its note */
} gate;

void gate_init(gate *g);
void gate_fini(gate *g);
void gate_set_arg(gate *g, void *arg); /* seen by the hooks from here on */
lr_ask gate_last(gate *g, gate_hook hook);
lr_handlers gate_handlers(unsigned hooks); /* GATE_ON_* and on_ask_cancelled */

const char *gate_hook_name(gate_hook hook);
/* Answers with what belongs to that hook and leaves the others out. */
lr_status gate_answer(gate_hook hook, lr_ask ask, lr_status result, lr_context *context,
                      lr_bytes *staple);

/* A client whose ClientHello has been sent, and that has read nothing. */
typedef struct gate_client {
    tls_client t;
    uint8_t hello[4096];
    size_t len;
} gate_client;

void gate_client_start(gate_client *c, const tls_plan *plan, uint16_t port, const char *name);
/* The handshake, one echoed message, and a clean end. */
void gate_client_finish(gate_client *c);
/* The handshake, of which the server's alert is the end. */
void gate_client_expect_alert(gate_client *c, int alert);
/* The certificate that the server showed is this context's. */
void gate_client_expect_context(const gate_client *c, const lr_context *context);

lr_context *gate_context(const char *name); /* self-signed */

#endif
