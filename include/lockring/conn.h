/* SPDX-License-Identifier: MIT */
/* lockring/conn.h: one connection, as hooks see it.
 *
 * Threads  all calls belong to the worker that owns the connection.
 * Memory   an lr_conn lives from on_open to the return of on_close. Returned slices and strings
 *          live as long as it does, except where said.
 * Errors   a handler may close, write or abort from within any hook. */
#ifndef LOCKRING_CONN_H
#define LOCKRING_CONN_H

#include <lockring/base.h>    /* lr_status, lr_slice */
#include <lockring/context.h> /* lr_tls_version */
#include <lockring/workers.h> /* lr_worker */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_conn lr_conn;
struct lr_server;
struct lr_client;

/* The name of a connection: a value that any thread may copy and keep for as long as the workers
 * exist. It never names another connection. All zero names none. */
typedef struct lr_conn_id {
    lr_worker *worker;
    uint32_t slot, generation;
} lr_conn_id;

/* A stream of bytes that is asked for when there is room to send them, lr_conn_write_source(). */
typedef struct lr_source {
    /* Writes at most cap bytes, at least one, to out and returns how many; 0: the stream has
     * ended; LR_EAGAIN: nothing now, lr_conn_source_ready() will tell; any other status ends the
     * connection with that reason. cap is at most 16384. It may call everything on c. */
    int64_t (*pull)(lr_conn *c, void *out, size_t cap, void *arg);
    /* Exactly once, when pull will not be called any more: LR_OK after its end, LR_ECLOSED if the
     * connection went first. May be null. */
    void (*done)(lr_conn *c, lr_status status, void *arg);
    void *arg;
} lr_source;

/* Queues all of bytes, copied, or takes nothing and returns LR_EAGAIN: more than 1 MB would wait.
 * LR_ESTATE before on_secure; LR_ECLOSED after lr_conn_end() and once the connection is closing;
 * LR_ENOMEM: nothing was taken. Above 256 KB queued the connection stops reading, so a handler that
 * only answers what it reads needs no flow control; on_drain fires below 64 KB, also after
 * LR_EAGAIN (but a write of more than 1 MB never fits). (S59) */
LR_API LR_WORKER LR_NODISCARD lr_status lr_conn_write(lr_conn *c, lr_slice bytes);

/* The same for several pieces, all or none: they are sent as if they were one. */
LR_API LR_WORKER LR_NODISCARD lr_status lr_conn_writev(lr_conn *c, const lr_slice *pieces,
                                                       size_t count);

/* Borrows bytes, of any length, until release(arg): called exactly once, on this worker, when all
 * of them are sealed or the connection has ended (then before on_close); perhaps inside this call.
 * What is borrowed counts as queued. LR_EAGAIN if already more than 1 MB waits. After any failure
 * nothing was taken and release is not called. */
LR_API LR_WORKER LR_NODISCARD lr_status lr_conn_write_take(lr_conn *c, lr_slice bytes,
                                                           void (*release)(void *arg), void *arg);

/* Queues a stream behind what is queued; later writes queue behind its end. The struct is copied.
 * At most one send's worth (64 KB) is pulled ahead, so its length does not matter; lr_conn_queued()
 * does not know it. After a failure nothing was taken and done is not called. */
LR_API LR_WORKER LR_NODISCARD lr_status lr_conn_write_source(lr_conn *c, const lr_source *source);

/* A source that answered LR_EAGAIN has bytes, or its end, now. Harmless at any other time. */
LR_API LR_WORKER void lr_conn_source_ready(lr_conn *c);

/* No on_data until lr_conn_resume(): the peer's window closes, and nothing is lost. One record that
 * is being delivered may still come. Counts once; a paused connection does not see its peer's end
 * either. (S59) */
LR_API LR_WORKER void lr_conn_pause(lr_conn *c);
LR_API LR_WORKER void lr_conn_resume(lr_conn *c);

/* Sends what is queued, close_notify and FIN, discards what still comes (64 KB or 2 s) and closes.
 * on_data does not fire any more. Before on_secure it is lr_conn_abort(). */
LR_API LR_WORKER void lr_conn_end(lr_conn *c);

/* Sends what is queued, close_notify and FIN, and goes on reading: on_data and on_end still come.
 * Writing answers LR_ECLOSED from here on, and on_drain does not fire any more. Once the peer has
 * ended too, also before this call, it is lr_conn_end(). Before on_secure it is lr_conn_abort(). */
LR_API LR_WORKER void lr_conn_end_write(lr_conn *c);

/* Drops what is queued and resets the connection. why is what on_close tells; LR_OK:
 * LR_EABORTED. */
LR_API LR_WORKER void lr_conn_abort(lr_conn *c, lr_status why);

LR_API LR_WORKER size_t lr_conn_queued(const lr_conn *c); /* bytes that wait, sealed or not */

/* Application data goes out in records of at most this many bytes from now on (S85): 512..16384,
 * false and no change otherwise. A smaller limit negotiated by the peer (RFC 6066) still holds. */
LR_API LR_WORKER bool lr_conn_set_fragment_size_max(lr_conn *c, uint32_t bytes);
/* The limit that holds now, the peer's counted in; plain: 16384. */
LR_API LR_WORKER uint32_t lr_conn_fragment_size_max(const lr_conn *c);

LR_API LR_WORKER lr_worker *lr_conn_worker(const lr_conn *c);
LR_API LR_WORKER struct lr_server *lr_conn_server(const lr_conn *c); /* null: made by a client */
LR_API LR_WORKER struct lr_client *lr_conn_client(const lr_conn *c); /* null: a server's */
LR_API LR_WORKER void *lr_conn_user(lr_conn *c); /* conn_user_size zeroed bytes; null if 0 */

/* Is it a TLS connection? Plain ones have the same hooks: on_secure means that they may be written
 * to, and version, cipher and so on stay 0 or empty. */
LR_API LR_WORKER bool lr_conn_is_tls(const lr_conn *c);
/* lr_server_listen()'s index; LR_NONE: adopted */
LR_API LR_WORKER uint32_t lr_conn_listener(const lr_conn *c);

LR_API LR_WORKER lr_conn_id lr_conn_id_of(const lr_conn *c);
/* The connection of that name, on its own worker, until its on_close has returned; else null. */
LR_API LR_WORKER lr_conn *lr_conn_find(lr_conn_id id);
/* Calls fn on the connection's worker, in a later turn, with null if the connection is gone.
 * Posts of one thread to one worker keep their order. LR_ENOMEM, LR_EINVAL (the id of no
 * connection), LR_EGONE (the worker has ended): fn is not called then. */
LR_API LR_ANY LR_NODISCARD lr_status lr_conn_post(lr_conn_id id,
                                                  void (*fn)(lr_conn *or_null, void *arg),
                                                  void *arg);

/* A number for logs: worker, slot and generation; never used again by these workers. */
LR_API LR_WORKER uint64_t lr_conn_number(const lr_conn *c);

/* What was agreed. Known from on_secure on; before that 0 or empty, except servername, which is
 * known as soon as the ClientHello is complete. */
LR_API LR_WORKER lr_tls_version lr_conn_version(const lr_conn *c);
LR_API LR_WORKER const char *lr_conn_cipher(const lr_conn *c); /* "TLS_AES_128_GCM_SHA256"; IANA */
LR_API LR_WORKER const char *lr_conn_group(const lr_conn *c); /* "X25519"; "" where none was used */
LR_API LR_WORKER bool lr_conn_is_resumed(const lr_conn *c);   /* by a ticket or a session */
LR_API LR_WORKER lr_slice lr_conn_servername(const lr_conn *c); /* lower case; empty: none sent */
LR_API LR_WORKER lr_slice lr_conn_alpn(const lr_conn *c);       /* empty: none */
/* As lr_hello_ja4() has it, where lr_server_options.keep_ja4 is on; else "". (B1) */
LR_API LR_WORKER const char *lr_conn_ja4(const lr_conn *c);

/* The client's certificate, where the context asked for one (request_cert). Authorized: it has one
 * that holds. Else the error says why not, by the names of Node.js ("CERT_HAS_EXPIRED";
 * "UNABLE_TO_GET_ISSUER_CERT": there is none); "" too where nobody asked. From on_secure on; before
 * that false, "" and 0. (S39, S40, S76, S77) */
LR_API LR_WORKER bool lr_conn_is_authorized(const lr_conn *c);
LR_API LR_WORKER const char *lr_conn_authorization_error(const lr_conn *c); /* static */
/* What it sent, in DER: the leaf is number 0, what follows in the client's order. Parsed by
 * lr_certificate_parse(). Empty beyond the count. (S80) */
LR_API LR_WORKER uint32_t lr_conn_peer_certificate_count(const lr_conn *c);
LR_API LR_WORKER lr_slice lr_conn_peer_certificate(const lr_conn *c, uint32_t index);
/* "5E:2F:...", the SHA-256 of its certificate. Known too where a ticket was resumed, which carries
 * the judgement of the full handshake and this, and no certificate. False, and "": it has none, or
 * nobody asked. */
LR_API LR_WORKER bool lr_conn_peer_fingerprint256(const lr_conn *c, char out[96]);

typedef struct lr_cert_request_options {
    size_t size;                   /* LR_CERT_REQUEST_OPTIONS */
    lr_toggle reject_unauthorized; /* default: as the context says */
} lr_cert_request_options;
#define LR_CERT_REQUEST_OPTIONS .size = sizeof(lr_cert_request_options)

/* Asks for the client's certificate now, where the context has request_cert_later: by
 * post-handshake authentication in TLS 1.3, by a renegotiation in TLS 1.2. Data goes on both ways
 * meanwhile, and the getters above tell the answer from on_peer_cert on, which comes once for each
 * LR_OK: data that on_data got before it was sent by a client that had not shown a certificate.
 * Where it has none that holds, and that is rejected, the connection ends with LR_EPEERCERT
 * instead; where it does not answer in handshake_timeout_ms, a paused connection too, with
 * LR_EHANDSHAKE_TIMEOUT. Options may be null.
 *
 * LR_EAGAIN: a request or a renegotiation is under way; LR_ENOTOFFERED: this client cannot be asked
 * (no post_handshake_auth, no RFC 5746); LR_EOPTION: the context does not allow it; LR_ESTATE:
 * before on_secure, plain, or it was asked before (TLS 1.3: once for each connection); LR_ECLOSED:
 * as for lr_conn_write(), and once the peer has ended. Any other ends the connection with that
 * reason. (S84, B19) */
LR_API LR_WORKER LR_NODISCARD lr_status
lr_conn_request_cert(lr_conn *c, const lr_cert_request_options *options);

/* TLS 1.3: what is sent from here on has new keys, and the peer is asked for new ones of its own
 * unless it has not answered the last such call. LR_ESTATE: before on_secure, plain, or TLS 1.2;
 * LR_ECLOSED as above. Any other ends the connection with that reason. (S84, B19) */
LR_API LR_WORKER LR_NODISCARD lr_status lr_conn_key_update(lr_conn *c);

/* "127.0.0.1:8443", "[::1]:8443", "unix:/path" into out (64 bytes are enough for every address, 128
 * for every path), cut to fit and terminated; false and "" if the system does not tell. A unix
 * socket's remote path is known while the connection stands, then it is "unix:". (S75, S83) */
LR_API LR_WORKER bool lr_conn_remote(const lr_conn *c, char *out, size_t cap);
LR_API LR_WORKER bool lr_conn_local(const lr_conn *c, char *out, size_t cap);
/* The same as values; LR_FAMILY_NONE where the system does not tell. An IPv4 client of a listener
 * for both is ::ffff:a.b.c.d, as the system says it. */
LR_API LR_WORKER lr_address lr_conn_remote_address(const lr_conn *c);
LR_API LR_WORKER lr_address lr_conn_local_address(const lr_conn *c);
/* The socket's, whatever on_preface has set. */
LR_API LR_WORKER bool lr_conn_remote_raw(const lr_conn *c, char *out, size_t cap);
LR_API LR_WORKER bool lr_conn_local_raw(const lr_conn *c, char *out, size_t cap);

/* In on_open and on_preface of a listener with preface: what lr_conn_remote() and lr_conn_local()
 * tell from here on. Null, or LR_FAMILY_NONE: the socket's. LR_ESTATE anywhere else, LR_ENOMEM:
 * nothing was set. (B13) */
LR_API LR_WORKER LR_NODISCARD lr_status lr_conn_set_addresses(lr_conn *c, const lr_address *remote,
                                                              const lr_address *local);

typedef struct lr_conn_bytes {
    uint64_t wire_in, wire_out; /* with all TLS overhead */
    uint64_t app_in, app_out;   /* plaintext: given to on_data, taken by lr_conn_write() */
} lr_conn_bytes;
LR_API LR_WORKER lr_conn_bytes lr_conn_byte_counts(const lr_conn *c); /* (S16) */

#ifdef __cplusplus
}
#endif

#endif
