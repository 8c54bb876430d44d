/* SPDX-License-Identifier: MIT */
/* proto/echo.h: returns what a client sends.
 *
 * Bytes go back in their order; a client that does not read pauses its own connection and no other.
 * After the client's close_notify what is queued is sent, then the connection ends. A draining
 * server leaves the connections to their clients: only they know when a transfer is over. */
#ifndef LR_PROTO_ECHO_H
#define LR_PROTO_ECHO_H

#include <lockring/server.h> /* lr_handlers */

LR_ANY const lr_handlers *lr_echo_handlers(void); /* static; needs no conn_user_size */

#endif
