/* SPDX-License-Identifier: MIT */
/* proto/proxy.h: the PROXY protocol in front of a server: who may send its header, and what a
 * connection learns from it (B13).
 *
 * A header says who the client is, and nothing proves it but the place it comes from. So there is a
 * list of senders, and no guessing: from a sender on the list the header must come, before anything
 * else and complete within the handshake's time, or the connection is refused (LR_EPREFACE); from
 * anybody else nothing is read as a header. Such a connection is an ordinary one, with the address
 * of its socket, and a header in it is garbage for TLS and data for a plain listener: whoever wants
 * listed senders only closes the port to others.
 *
 *     static lr_status on_preface(lr_conn *c, lr_slice bytes, size_t *used, const char **reason)
 *     {
 *         return lr_proxy_preface(my_proxy, c, bytes, used, reason);
 *     }
 *
 * and .preface = true in the listener's options. Then lr_conn_remote() and lr_conn_local() tell the
 * addresses of the header (LOCAL, UNKNOWN, UNSPEC: those of the socket), and lr_conn_remote_raw()
 * the sender's.
 *
 * Threads  an lr_proxy does not change after lr_proxy_new(): all workers share it.
 * Memory   options are copied; what on_header gets is borrowed until it returns. */
#ifndef LR_PROTO_PROXY_H
#define LR_PROTO_PROXY_H

#include "proto/proxy_parse.h"

#include <lockring/conn.h>

/* Who may send a header. */
typedef struct lr_proxy_sender {
    lr_family family;
    uint8_t bits; /* of bytes that count */
    uint8_t bytes[16];
} lr_proxy_sender;

/* "10.0.0.0/8", "2001:db8::/32", one address without "/", or "unix:", which is every peer of a unix
 * socket. False: it is none of these, or bits behind the prefix are set; *reason says what is wrong
 * in one clause, static. */
LR_ANY bool lr_proxy_sender_read(const char *text, lr_proxy_sender *out, const char **reason);

typedef struct lr_proxy lr_proxy;

typedef struct lr_proxy_options {
    size_t size;                /* LR_PROXY_OPTIONS */
    const char *const *senders; /* as lr_proxy_sender_read() takes them; at least one */
    uint32_t sender_count;
    /* A header was believed, and the addresses are set. The place to copy what its TLVs say, to
     * lr_conn_user() for example; the connection may be ended here [none]. */
    void (*on_header)(lr_conn *c, const lr_proxy_header *header);
} lr_proxy_options;
#define LR_PROXY_OPTIONS .size = sizeof(lr_proxy_options)

/* LR_EOPTION with the sender that is wrong, LR_ENOMEM. err may be null. */
LR_SETUP lr_status lr_proxy_new(const lr_proxy_options *options, lr_proxy **out, lr_error *err);
LR_SETUP void lr_proxy_free(lr_proxy *p); /* after the servers that use it; null is allowed */

/* Is the address, IPv4 in IPv6 or not, on the list? */
LR_ANY bool lr_proxy_is_sender(const lr_proxy *p, const lr_address *address);

/* What on_preface answers. */
LR_WORKER lr_status lr_proxy_preface(const lr_proxy *p, lr_conn *c, lr_slice bytes, size_t *used,
                                     const char **reason);

#endif
