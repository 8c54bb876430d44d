/* SPDX-License-Identifier: MIT */
/* peer.h: a client of a plain or of a TLS listener, so that one test can play both. Rules as in
 * client.h. */
#ifndef LR_TESTS_LIVE_PEER_H
#define LR_TESTS_LIVE_PEER_H

#include "client.h"

typedef struct peer {
    bool plain;
    tls_client tls; /* sock and why serve the plain one too */
} peer;

#define PEER_MUST(p, call) TLS_MUST(&(p)->tls, call)

bool peer_open(peer *p, uint16_t port, bool plain);         /* 127.0.0.1, connected and secure */
bool peer_open_path(peer *p, const char *path, bool plain); /* "@name" for an abstract one */
bool peer_write(peer *p, const void *bytes, size_t len);
bool peer_read(peer *p, void *out, size_t len); /* exactly so many */
bool peer_end_write(peer *p);                   /* close_notify; plain: FIN */
/* TLS_END_NOTIFY stands for the FIN of a plain one. No data may come before it. */
tls_end peer_read_end(peer *p);
tls_end peer_skip_to_end(peer *p, size_t *len); /* data may: how much of it came */
void peer_close(peer *p, bool reset);

#endif
