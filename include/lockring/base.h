/* SPDX-License-Identifier: MIT */
/* lockring/base.h: the words that every other header uses.
 *
 * Threads  Each prototype of the public API starts with one tag. LR_SETUP: one thread at a time,
 *          while nothing that the object drives is running. LR_WORKER: inside a hook, on the worker
 *          that owns the object. LR_ANY: any thread, at any time of the object's life.
 * Memory   A call copies what it is given, borrows it (until it or the hook returns), or takes it
 *          (owns it from then on). An lr_slice is always borrowed.
 * Errors   0 is LR_OK; every failure is negative, in classes of a hundred: lr_status_class(). */
#ifndef LOCKRING_BASE_H
#define LOCKRING_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LR_API __attribute__((visibility("default")))
#define LR_NODISCARD __attribute__((warn_unused_result))
#else
#define LR_API
#define LR_NODISCARD
#endif

#define LR_SETUP
#define LR_WORKER
#define LR_ANY

/* In an option: none, or unlimited. Zero always selects the default. */
#define LR_NONE UINT32_MAX

/* Bytes that somebody else owns. len may be 0, then bytes may be null. */
typedef struct lr_slice {
    const uint8_t *bytes;
    size_t len;
} lr_slice;

/* A string literal as a slice, without its terminating zero. */
#define LR_LIT(literal) lr_slice_of("" literal "", sizeof(literal) - 1)

static inline lr_slice lr_slice_of(const void *bytes, size_t len)
{
    lr_slice slice = {(const uint8_t *)bytes, len};

    return slice;
}

/* A boolean whose default is not the same everywhere, so that zero never decides by accident. */
typedef enum lr_toggle { LR_DEFAULT = 0, LR_ON = 1, LR_OFF = 2 } lr_toggle;

/* One list makes the enum, the names and the texts. Classes: usage -1xx, system -2xx, TLS found
 * here -3xx, TLS told by the peer -4xx, limits and timeouts -5xx, gone or closed -6xx. */
#define LR_STATUS_LIST(X)                                                                          \
    X(LR_OK, 0, "success")                                                                         \
    X(LR_EINVAL, -100, "an argument is not valid")                                                 \
    X(LR_EOPTION, -101, "an option is not valid or not known to this library")                     \
    X(LR_ESTATE, -102, "the call does not fit the state of the object")                            \
    X(LR_ETHREAD, -103, "the call was made on the wrong thread")                                   \
    X(LR_ESYSTEM, -200, "a system call failed")                                                    \
    X(LR_ENOMEM, -201, "out of memory")                                                            \
    X(LR_ERING, -202, "no usable ring")                                                            \
    X(LR_EADDRESS, -203, "the address cannot be used")                                             \
    X(LR_EADDRINUSE, -204, "the address is in use")                                                \
    X(LR_EFILE, -205, "a file cannot be read")                                                     \
    X(LR_ERANDOM, -206, "the system gives no random bytes")                                        \
    X(LR_ECONNECT, -207, "the connection cannot be made")                                          \
    X(LR_ECERTIFICATE, -300, "a certificate is not valid or not usable")                           \
    X(LR_EKEY, -301, "a private key is not valid or does not match")                               \
    X(LR_ETLS, -302, "the handshake or a record failed")                                           \
    X(LR_EHELLO, -303, "the ClientHello is malformed")                                             \
    X(LR_ENOTTLS, -304, "the peer does not speak TLS")                                             \
    X(LR_EVERSION, -305, "no common protocol version")                                             \
    X(LR_ENAME, -306, "the server name was refused")                                               \
    X(LR_EALPN, -307, "no common application protocol")                                            \
    X(LR_EHELLOCHANGED, -308, "the second ClientHello differs from the first")                     \
    X(LR_EGATE, -309, "the hello gate and the TLS library disagree")                               \
    X(LR_EPREFACE, -310, "what came before the first byte of the protocol was refused")            \
    X(LR_EPEERCERT, -311, "the peer has no certificate that holds")                                \
    X(LR_EOCSP, -312, "the OCSP response does not hold, or does not say good")                     \
    X(LR_EALERT, -400, "the peer sent a fatal alert")                                              \
    X(LR_ETRUNCATED, -401, "the peer ended the stream without close_notify")                       \
    X(LR_ERESET, -402, "the peer reset the connection")                                            \
    X(LR_ENOTOFFERED, -403, "the peer has not offered what this takes")                            \
    X(LR_EAGAIN, -500, "not now: nothing was taken")                                               \
    X(LR_EHANDSHAKE_TIMEOUT, -501, "the handshake took too long")                                  \
    X(LR_EIDLE_TIMEOUT, -502, "the connection was idle for too long")                              \
    X(LR_EHELLO_SIZE, -503, "the ClientHello is too large")                                        \
    X(LR_ECONNECTIONS, -504, "the server has its highest number of connections")                   \
    X(LR_EDRAIN_TIMEOUT, -505, "the server drained and its deadline passed")                       \
    X(LR_ELINGER_TIMEOUT, -506, "the peer did not take the last answer in time")                   \
    X(LR_ECONNECT_TIMEOUT, -507, "making the connection took too long")                            \
    X(LR_EKEYUPDATES, -508, "the peer sent too many KeyUpdates")                                   \
    X(LR_ERECORDS, -509, "the peer sent too many records without data")                            \
    X(LR_EHALFOPEN, -510, "too many connections were in their handshake")                          \
    X(LR_ESOURCE, -511, "the source has had its share")                                            \
    X(LR_EWRITE_TIMEOUT, -512, "the peer did not take what was written in time")                   \
    X(LR_ELIFETIME, -513, "the connection has reached its lifetime")                               \
    X(LR_ERENEGOTIATION, -514, "the client renegotiated too often")                                \
    X(LR_EANSWER_TIMEOUT, -515, "the answer took too long")                                        \
    X(LR_EGONE, -600, "the object is gone")                                                        \
    X(LR_ECLOSED, -601, "the connection is closed")                                                \
    X(LR_EABORTED, -602, "the connection was aborted by the program")

#define LR_STATUS_ENUM(name, value, text) name = (value),
typedef enum lr_status { LR_STATUS_LIST(LR_STATUS_ENUM) LR_STATUS_MIN = -699 } lr_status;
#undef LR_STATUS_ENUM

typedef enum lr_status_kind {
    LR_CLASS_OK = 0,
    LR_CLASS_USAGE = 1,
    LR_CLASS_SYSTEM = 2,
    LR_CLASS_TLS_LOCAL = 3,
    LR_CLASS_TLS_PEER = 4,
    LR_CLASS_LIMIT = 5,
    LR_CLASS_GONE = 6
} lr_status_kind;

/* An address of a connection, by value (S83). */
typedef enum lr_family {
    LR_FAMILY_NONE = 0, /* not told */
    LR_FAMILY_IPV4 = 4,
    LR_FAMILY_IPV6 = 6,
    LR_FAMILY_UNIX = 1 /* without its path */
} lr_family;

typedef struct lr_address {
    lr_family family;
    uint16_t port;     /* 0: unix */
    uint8_t bytes[16]; /* in network order; IPv4 has the first four; the rest is 0 */
} lr_address;

/* What went wrong, by value. text names what and where, in one line, terminated by a zero. */
typedef struct lr_error {
    lr_status status;
    int sys;        /* errno, 0 if no system call is to blame */
    int tls_alert;  /* RFC 8446 6: the alert sent or received, -1 if none */
    int tls_native; /* the TLS library's own code, 0 if none */
    char text[160];
} lr_error;

typedef enum lr_log_level {
    LR_LOG_DEFAULT = 0, /* LR_LOG_WARN */
    LR_LOG_ERROR = 1,
    LR_LOG_WARN = 2,
    LR_LOG_INFO = 3,
    LR_LOG_DEBUG = 4,
    LR_LOG_OFF = 5
} lr_log_level;

/* Receives one line without its end of line, borrowed, from any thread, several at once. */
typedef void (*lr_log_fn)(lr_log_level level, const char *line, void *user);

LR_API LR_ANY lr_status_kind lr_status_class(lr_status status);
LR_API LR_ANY const char *lr_status_name(lr_status status); /* "LR_EHANDSHAKE_TIMEOUT"; static */
LR_API LR_ANY const char *lr_status_text(lr_status status); /* one clause; static */

LR_API LR_ANY const char *lr_version(void);      /* "0.1.0"; static */
LR_API LR_ANY const char *lr_version_text(void); /* with wolfSSL, liburing and licence; static */

#ifdef __cplusplus
}
#endif

#endif
