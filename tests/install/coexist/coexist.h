/* SPDX-License-Identifier: MIT */
/* Each TLS library of the test in a file of its own, since their headers share names. Both return 0
 * if they are who they say they are and could speak TLS with the server on 127.0.0.1:port, which
 * greets with "welcome!". */
#ifndef COEXIST_H
#define COEXIST_H

int talk_with_openssl(int port, const char *ca_file);
int talk_with_wolfssl(int port, const char *ca_file);
int connect_to(int port); /* a connected socket, or -1 */

#endif
