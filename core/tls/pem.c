/* SPDX-License-Identifier: MIT */
/* core/tls/pem.c: finds PEM blocks by their labels; wolfSSL decodes each. */
#include "core/tls/pem.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"
#include "core/tls/x509.h"

#include <wolfssl/wolfcrypt/asn_public.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

lr_status lr__pem_read(const char *path, uint8_t **block, lr_slice *out, lr_error *err)
{
    struct stat st;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: a FIFO must not hang us */

    *block = NULL;
    if (fd < 0)
        return lr__fail_sys(err, LR_EFILE, errno, "%s", path);
    if (fstat(fd, &st) != 0) {
        (void)lr__fail_sys(err, LR_EFILE, errno, "%s", path);
        goto fail;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > LR__PEM_FILE_MAX) {
        (void)lr__fail(err, LR_EFILE, "%s: not a regular file of at most 1 MB", path);
        goto fail;
    }
    bytes = lr__alloc((size_t)st.st_size + 1);
    if (!bytes) {
        (void)lr__fail(err, LR_EFILE, "%s: out of memory", path);
        goto fail;
    }
    while (len < (size_t)st.st_size) {
        ssize_t got = read(fd, bytes + len, (size_t)st.st_size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            (void)lr__fail_sys(err, LR_EFILE, got < 0 ? errno : EIO, "%s", path);
            goto fail;
        }
        len += (size_t)got;
    }
    close(fd);
    *block = bytes;
    *out = lr_slice_of(bytes, len);
    return LR_OK;
fail:
    close(fd);
    if (bytes)
        lr__free_wiped(bytes, (size_t)st.st_size + 1);
    return LR_EFILE;
}

/* The next "-----BEGIN <label>-----" ... "-----END <label>-----" in *in, which is advanced behind
 * it; label and the block with both lines. False: there is none. */
static bool next_block(lr_slice *in, lr_slice *label, lr_slice *block)
{
    static const char begin[] = "-----BEGIN ", dashes[] = "-----", end[] = "-----END ";
    const uint8_t *first = memmem(in->bytes, in->len, begin, sizeof(begin) - 1);
    const uint8_t *stop, *last, *limit;

    if (!first)
        return false;
    limit = in->bytes + in->len;
    label->bytes = first + sizeof(begin) - 1;
    stop = memmem(label->bytes, (size_t)(limit - label->bytes), dashes, sizeof(dashes) - 1);
    if (!stop)
        return false;
    label->len = (size_t)(stop - label->bytes);
    last = memmem(stop, (size_t)(limit - stop), end, sizeof(end) - 1);
    if (!last || (size_t)(limit - last) < sizeof(end) - 1 + label->len + sizeof(dashes) - 1)
        return false;
    last += sizeof(end) - 1 + label->len + sizeof(dashes) - 1;
    *block = lr_slice_of(first, (size_t)(last - first));
    *in = lr_slice_of(last, (size_t)(limit - last));
    return true;
}

static bool label_is(lr_slice label, const char *text)
{
    return label.len == strlen(text) && memcmp(label.bytes, text, label.len) == 0;
}

lr_status lr__pem_certificates(lr_slice pem, const char *name, uint8_t **chain, lr_slice *out,
                               uint32_t max, uint32_t *count, lr_error *err)
{
    uint8_t *der = lr__alloc(pem.len + 1); /* DER is never longer than its PEM */
    size_t used = 0;
    lr_slice label, block;
    uint32_t n = 0;

    if (!der)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    while (next_block(&pem, &label, &block)) {
        int ret;

        if (!label_is(label, "CERTIFICATE") && !label_is(label, "X509 CERTIFICATE"))
            continue;
        if (n == max) {
            (void)lr__fail(err, LR_ECERTIFICATE, "%s: more than %u certificates", name, max);
            goto fail;
        }
        ret = wc_CertPemToDer(block.bytes, (int)block.len, der + used, (int)(pem.len + block.len),
                              CERT_TYPE);
        if (ret <= 0) {
            (void)lr__fail(err, LR_ECERTIFICATE, "%s: certificate %u is not valid PEM (wolfSSL %d)",
                           name, n + 1, ret);
            goto fail;
        }
        out[n++] = lr_slice_of(der + used, (size_t)ret);
        used += (size_t)ret;
    }
    if (n == 0) {
        (void)lr__fail(err, LR_ECERTIFICATE, "%s: no certificate in it", name);
        goto fail;
    }
    *chain = der;
    *count = n;
    return LR_OK;
fail:
    lr__free(der);
    return LR_ECERTIFICATE;
}

static bool is_encrypted(lr_slice label, lr_slice block)
{
    static const char proc_type[] = "Proc-Type: 4,ENCRYPTED"; /* RFC 1421 4.6.1.1 */

    return label_is(label, "ENCRYPTED PRIVATE KEY") ||
           memmem(block.bytes, block.len, proc_type, sizeof(proc_type) - 1) != NULL;
}

/* A wrong passphrase opens an encrypted key to noise, which is told from a key by its form only: a
 * SEQUENCE that begins with a version. What follows it is padding. False: it is no key. */
static bool cut_to_key(const uint8_t *der, int *size)
{
    lr_slice in = lr_slice_of(der, (size_t)*size), key, whole, version;
    uint8_t tag;

    if (!lr__der_take(&in, &tag, &key, &whole) || tag != 0x30)
        return false;
    if (!lr__der_take(&key, &tag, &version, NULL) || tag != 0x02 || version.len != 1)
        return false;
    *size = (int)whole.len;
    return true;
}

static lr_status check_passphrase(const char *name, const char *passphrase, lr_error *err)
{
    if (!passphrase || *passphrase == '\0')
        return lr__fail(err, LR_EKEY, "%s: the private key is encrypted and needs a passphrase",
                        name);
    if (strlen(passphrase) > LR__PASSPHRASE_MAX)
        return lr__fail(err, LR_EKEY, "%s: the passphrase has more than %d bytes", name,
                        LR__PASSPHRASE_MAX);
    return LR_OK;
}

lr_status lr__pem_key(lr_slice pem, const char *name, const char *passphrase, uint8_t **der,
                      uint32_t *size, lr_error *err)
{
    lr_slice label, block;

    while (next_block(&pem, &label, &block)) {
        bool encrypted;
        uint8_t *out;
        int ret;

        if (label.len < 11 || memcmp(label.bytes + label.len - 11, "PRIVATE KEY", 11) != 0)
            continue;
        encrypted = is_encrypted(label, block);
        if (encrypted)
            LR_TRY(check_passphrase(name, passphrase, err));
        out = lr__alloc(block.len);
        if (!out)
            return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
        ret = wc_KeyPemToDer(block.bytes, (int)block.len, out, (int)block.len,
                             encrypted ? passphrase : NULL);
        if (ret == MEMORY_E) {
            lr__free_wiped(out, block.len);
            return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
        }
        if (encrypted && (ret <= 0 || !cut_to_key(out, &ret))) {
            lr__free_wiped(out, block.len);
            return lr__fail(err, LR_EKEY,
                            "%s: wrong passphrase, or encrypted in a way that is not known here",
                            name);
        }
        if (ret <= 0) {
            lr__free_wiped(out, block.len);
            return lr__fail(err, LR_EKEY, "%s: the private key is not valid PEM (wolfSSL %d)", name,
                            ret);
        }
        lr__wipe(out + ret,
                 block.len - (size_t)ret); /* decoding shifts: parts of the key lie there */
        *der = out;
        *size = (uint32_t)ret;
        return LR_OK;
    }
    return lr__fail(err, LR_EKEY, "%s: no private key in it", name);
}
