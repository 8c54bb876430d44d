/* SPDX-License-Identifier: MIT */
/* core/tls/pem.c: finds PEM blocks by their labels; wolfSSL decodes each. */
#include "core/tls/pem.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"

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

lr_status lr__pem_key(lr_slice pem, const char *name, uint8_t **der, uint32_t *size, lr_error *err)
{
    lr_slice label, block;

    while (next_block(&pem, &label, &block)) {
        uint8_t *out;
        int ret;

        if (label.len < 11 || memcmp(label.bytes + label.len - 11, "PRIVATE KEY", 11) != 0)
            continue;
        if (label_is(label, "ENCRYPTED PRIVATE KEY") ||
            memmem(block.bytes, block.len, "Proc-Type: 4,ENCRYPTED", 22))
            return lr__fail(err, LR_EKEY, "%s: the private key is encrypted", name);
        out = lr__alloc(block.len);
        if (!out)
            return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
        ret = wc_KeyPemToDer(block.bytes, (int)block.len, out, (int)block.len, NULL);
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
