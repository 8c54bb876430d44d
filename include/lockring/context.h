/* SPDX-License-Identifier: MIT */
/* lockring/context.h: identities and how they are used.
 *
 * A context is immutable and counted: certificate chains and keys, versions, suites, groups,
 * protocols. It is checked when it is made, by a handshake in memory too; the workers make their
 * own replicas of it on first use.
 *
 * Threads  any.
 * Memory   everything in the options is copied, but for passphrases, which are used and forgotten;
 *          key material is wiped when the last reference goes.
 * Errors   err names the file, or the option, and what is wrong with it. */
#ifndef LOCKRING_CONTEXT_H
#define LOCKRING_CONTEXT_H

#include <lockring/base.h> /* lr_status, lr_error, lr_slice */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lr_context lr_context;

typedef enum lr_tls_version {
    LR_TLS_DEFAULT = 0,
    LR_TLS_1_2 = 0x0303,
    LR_TLS_1_3 = 0x0304
} lr_tls_version;

/* The defaults of everything that an option leaves at zero. */
typedef enum lr_profile {
    LR_PROFILE_MODERN = 0,
    LR_PROFILE_NODE4 = 1 /* those of Node.js 4 where they are not broken: its list of suites in its
                          * order, P-256, no common protocol is not fatal, and clients whose
                          * certificate does not hold are let in unauthorized */
} lr_profile;

/* A certificate chain and its key: the two files, or the two slices. */
typedef struct lr_identity {
    size_t size;            /* LR_IDENTITY */
    const char *cert_file;  /* PEM: the leaf first, then its issuers in order; or one in DER */
    const char *key_file;   /* PEM or DER: PKCS#8, PKCS#1 or SEC 1; nobody else may write it */
    lr_slice cert;          /* the same from memory */
    lr_slice key;           /* the same from memory */
    const char *passphrase; /* of an encrypted key, at most 79 bytes; not looked at for others */
} lr_identity;
#define LR_IDENTITY .size = sizeof(lr_identity)

/* Exactly one source of identities: the two files, the two slices, self_signed, identities, or
 * PKCS#12. */
typedef struct lr_context_options {
    size_t size;                /* LR_CONTEXT_OPTIONS */
    const char *cert_file;      /* PEM: the leaf first, then its issuers in order; or one in DER */
    const char *key_file;       /* PEM or DER: PKCS#8, PKCS#1 or SEC 1; nobody else may write it */
    lr_slice cert;              /* the same from memory */
    lr_slice key;               /* the same from memory */
    const char *self_signed;    /* names and addresses, "localhost,127.0.0.1": an ECDSA P-256
                                 * certificate for 30 days is made in memory */
    lr_tls_version version_min; /* default LR_TLS_1_2 */
    lr_tls_version version_max; /* default LR_TLS_1_3 */
    const char *groups;         /* default "X25519MLKEM768:X25519:P-256:P-384"; the first for which
                                 * the client sent a key share is used */
    const char *alpn;           /* protocols in the server's order, "h2,http/1.1"; default: none */
    lr_toggle alpn_required;    /* default on: no common protocol is fatal (RFC 7301 3.2) */
    const char *passphrase;     /* of an encrypted key in key_file or key; see lr_identity */
    const char *ciphers;        /* "TLS_AES_256_GCM_SHA384:ECDHE+AESGCM:!aRSA": suites in the
                                 * server's order, by IANA's or OpenSSL's names, in the grammar of
                                 * OpenSSL's lists. Where none of TLS 1.3 is named, its default ones
                                 * stay; where none of TLS 1.2 is left, it is not spoken. Default:
                                 * that of the process, lr_ciphers_default_set(); else all that are
                                 * known, AES-128 first, but ChaCha20 for clients that like it best
                                 */
    const lr_identity *identities; /* in the order of preference; each client gets the first that it
                                    * can check. The key algorithms (RSA, Ed25519, ECDSA by curve)
                                    * must differ */
    uint32_t identity_count;       /* 1..8 */
    lr_profile profile;
    lr_toggle honor_cipher_order; /* default on; off: the client's order of suites decides */
    const char *dhparam_file; /* PEM or DER of PKCS#3: finite-field Diffie-Hellman for clients of
                               * TLS 1.2 without elliptic curves, with RSA certificates; 2048 to
                               * 8192 bits, or from 1024 in LR_PROFILE_NODE4. Default: none, and no
                               * suite with DHE (S15) */
    lr_slice dhparam;         /* the same from memory */
    const char *ca_file;      /* PEM, several, or one in DER: authorities whose certificates of
                               * clients hold, an intermediate as well as a root; they complete the
                               * server's own chain too (S29) */
    lr_slice ca;              /* the same from memory; with ca_file: both */
    lr_toggle ca_system;      /* the public authorities of this system. Default: where certificates
                               * of clients are, or may be, asked for and nobody else is trusted
                               * (S109) */
    const char *const *crl_files; /* PEM, several each, or one in DER. With any, each certificate of
                                   * a chain must have one of its issuer's (S107) */
    uint32_t crl_file_count;
    uint32_t crl_count;
    const lr_slice *crls;          /* the same from memory */
    lr_toggle request_cert;        /* default off; on: clients are asked for a certificate (S122) */
    lr_toggle reject_unauthorized; /* default on, off in LR_PROFILE_NODE4: who has none that holds
                                    * is refused; off: lr_conn_is_authorized() tells (S123) */
    const char *session_id_context; /* a label of the operator's: sessions are resumed only where it
                                     * is the same; 1..255 bytes. Default: none (S130) */
    uint32_t verify_depth;      /* intermediates in a client's chain, 1..9, LR_NONE: 0; default 9 */
    const char *pkcs12_file;    /* key, certificate and chain in one, with passphrase; its other
                                 * certificates are as those of ca. Not with any of key, cert and ca
                                 * (S112); nobody else may write it */
    lr_slice pkcs12;            /* the same from memory */
    uint32_t fragment_size_max; /* of the connections that use it, 512..16384, unless they set their
                                 * own; default: the server's (S85) */
    uint32_t renegotiation_count; /* renegotiations that a client of TLS 1.2 may begin in any span
                                   * of renegotiation_window_s, 1..64, LR_NONE: none, each is
                                   * answered with no_renegotiation and the connection lives on. The
                                   * one above the limit ends its connection with LR_ERENEGOTIATION.
                                   * Certificate and server name of the client must stay. Default:
                                   * that of the process; else none, 3 in LR_PROFILE_NODE4 (S3) */
    uint32_t renegotiation_window_s; /* up to 604800; default: that of the process; else 600 (S4) */
    lr_toggle tickets; /* sessions sealed into tickets, under the keys of the workers. Default: on,
                        * but off where the server has on_new_session; on: clients that take tickets
                        * get them there too, and on_new_session hears of the others. Off, and no
                        * on_new_session: nothing is resumed */
    uint32_t ticket_count; /* of a full handshake of TLS 1.3, or sessions for on_new_session, 1..4,
                            * LR_NONE: none; default 2. A resumed one gets one */
    uint32_t session_lifetime_s;  /* of tickets and stored sessions, in both versions, up to 604800;
                                   * default 7200, 300 in LR_PROFILE_NODE4 (S127). No session lives
                                   * longer than 7 days after its full handshake, nor than its key
                                   * is accepted */
    lr_toggle request_cert_later; /* default off; on: lr_conn_request_cert() may ask, in TLS 1.2
                                   * where renegotiation_count allows some. Not with request_cert:
                                   * nobody is asked in the handshake (S84) */
} lr_context_options;
#define LR_CONTEXT_OPTIONS .size = sizeof(lr_context_options)

/* LR_EFILE, LR_ECERTIFICATE (unreadable, out of order, not yet or no longer valid), LR_EKEY (not
 * readable, wrong passphrase, or another certificate's), LR_EOPTION. The caller gets one
 * reference. */
LR_API LR_ANY LR_NODISCARD lr_status lr_context_new(const lr_context_options *options,
                                                    lr_context **out, lr_error *err);
LR_API LR_ANY lr_context *lr_context_retain(lr_context *context); /* returns it */
LR_API LR_ANY void lr_context_release(lr_context *context);       /* null is allowed */

/* The suites of contexts whose options name none, in place of the default; null takes it back.
 * Where a program sets none, the environment's LOCKRING_CIPHERS counts, but not for a set-user-ID
 * program. Contexts that are already made keep theirs. Suites and groups of them that OpenSSL has
 * and lockring has not add nothing here. (S9) */
LR_API LR_ANY LR_NODISCARD lr_status lr_ciphers_default_set(const char *list, lr_error *err);

/* The limit of contexts whose options name none; a zero takes its half of it back. Contexts that
 * are already made keep theirs. (S6) */
LR_API LR_ANY LR_NODISCARD lr_status lr_renegotiation_default_set(uint32_t count, uint32_t window_s,
                                                                  lr_error *err);

/* The names (IANA's) of all suites that a list may name; a null ends them. Static. (S132) */
LR_API LR_ANY const char *const *lr_ciphers(void);

/* The leaf certificate of the first identity in DER; lives as long as the context. */
LR_API LR_ANY lr_slice lr_context_certificate(const lr_context *context);
/* When the first certificate of all its chains expires, in seconds since 1970. */
LR_API LR_ANY int64_t lr_context_not_after(const lr_context *context);

#ifdef __cplusplus
}
#endif

#endif
