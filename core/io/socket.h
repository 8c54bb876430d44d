/* SPDX-License-Identifier: MIT */
/* core/io/socket.h: plain socket calls, shared by the back ends that use real sockets.
 *
 * Calls that return int give 0 (or a socket) or -errno, as the seam does. No state; any thread. */
#ifndef LR_CORE_IO_SOCKET_H
#define LR_CORE_IO_SOCKET_H

#include "core/io/ring.h"

/* A listening socket: non-blocking (for lr__socket_accept), closed on exec, TCP_NODELAY (which its
 * connections inherit), dual-stack where the address is "::". Where the system has no IPv6, "::"
 * means 0.0.0.0.
 *
 * AF_UNIX: the mode of the socket file follows the umask. A socket file on which nobody listens any
 * more (connect(2) says ECONNREFUSED) is removed and bound again; nothing else is ever removed.
 * Two processes that do so at once may take the path from each other. share_port means nothing. */
int lr__socket_listen(const lr__listen_options *options);
/* Could a socket that shares with nobody be bound there? -EADDRINUSE: somebody listens. */
int lr__socket_probe(const struct sockaddr *address, socklen_t len);
int lr__socket_accept(int listener, bool nonblocking); /* -EAGAIN: the queue is empty */
/* A stream socket to connect, closed on exec, with TCP_NODELAY where it is TCP. */
int lr__socket_open(int family, bool nonblocking);
/* Without waiting, whatever the mode of the socket: -EINPROGRESS, or it is decided. */
int lr__socket_connect(int sock, const struct sockaddr *address, socklen_t len);
/* Removes the file of an AF_UNIX listener after its last descriptor was closed; for other addresses
 * nothing. Only the process that bound it may do so, and only it knows that nobody else has bound
 * the path again. */
void lr__socket_unlink(const struct sockaddr *address, socklen_t len);
void lr__socket_linger_none(int sock); /* its close sends an RST and drops what is unsent */

/* Errors of accept(2) that concern the one connection that is gone, not the listener. */
bool lr__socket_accept_is_transient(int error);

uint64_t lr__clock_now(void); /* CLOCK_MONOTONIC in ns */

/* Entries of lr__backend that are the same for every back end with real sockets. */
uint64_t lr__real_clock(lr__ring *ring);
int64_t lr__real_wall_ms(lr__ring *ring);
bool lr__real_random(lr__ring *ring, void *out, size_t size);
int lr__real_listen(void *world, const lr__listen_options *options);
int lr__real_listen_dup(void *world, int listener);
void lr__real_listen_close(void *world, int listener);
int lr__real_adopt(void *world, int sock);
void lr__real_abandon(void *world, int sock);
int lr__real_shutdown_write(lr__ring *ring, int sock);
int lr__real_sock_name(void *world, int sock, bool peer, struct sockaddr_storage *out,
                       socklen_t *len);

#endif
