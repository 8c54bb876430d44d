/* SPDX-License-Identifier: MIT */
/* core/io/address.h: socket addresses and their text: "127.0.0.1:8443", "[::1]:8443",
 * "unix:/run/x.sock", "unix:@name" (abstract) and "unix:" (unnamed). */
#ifndef LR_CORE_IO_ADDRESS_H
#define LR_CORE_IO_ADDRESS_H

#include <lockring/base.h>

#include <sys/socket.h>

enum { LR__ADDRESS_TEXT_MAX = 128 }; /* "unix:", a path of 108, the terminator */

/* Cut to fit, terminated; "?" for a family not known here. */
void lr__address_text(const struct sockaddr_storage *address, socklen_t len, char *out, size_t cap);
uint16_t lr__address_port(const struct sockaddr_storage *address); /* 0: none */

/* An address, or a name that the system resolves (which may block). LR_EADDRESS with the host and
 * the resolver's reason in err. */
lr_status lr__address_resolve(const char *host, uint16_t port, struct sockaddr_storage *out,
                              socklen_t *len, lr_error *err);
/* Only an address in digits: never asks a resolver, so it never blocks. */
lr_status lr__address_numeric(const char *host, uint16_t port, struct sockaddr_storage *out,
                              socklen_t *len, lr_error *err);

/* AF_UNIX: a path, or '@' and an abstract name. LR_EADDRESS if it is empty or too long. */
lr_status lr__address_unix(const char *path, struct sockaddr_storage *out, socklen_t *len,
                           lr_error *err);

#endif
