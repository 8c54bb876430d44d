/* SPDX-License-Identifier: MIT */
/* core/tls/pem.c: finds PEM blocks by their labels; wolfSSL decodes each. */
#include "core/tls/pem.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/status.h"
#include "core/tls/wolf.h"
#include "core/tls/x509.h"

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Half of one file and half of the next may still parse. */
static bool has_changed(const struct stat *before, const struct stat *after)
{
    return before->st_size != after->st_size || before->st_mtim.tv_sec != after->st_mtim.tv_sec ||
           before->st_mtim.tv_nsec != after->st_mtim.tv_nsec;
}

lr_status lr__pem_read(const char *path, size_t max, uint8_t **block, lr_slice *out, lr_error *err)
{
    struct stat st, after;
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
    if (!S_ISREG(st.st_mode) || (size_t)st.st_size > max) {
        (void)lr__fail(err, LR_EFILE, "%s: not a regular file of at most %zu MB", path, max >> 20);
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
    if (fstat(fd, &after) != 0 || has_changed(&st, &after)) {
        (void)lr__fail(err, LR_EFILE, "%s: it was written to while it was read", path);
        goto fail;
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
    return text && label.len == strlen(text) && memcmp(label.bytes, text, label.len) == 0;
}

lr_status lr__input_open(lr__input *source, const char *option, const char *file, lr_slice bytes,
                         size_t max, lr_error *err)
{
    *source = (lr__input){.name = file ? file : option, .bytes = bytes};
    return file ? lr__pem_read(file, max, &source->block, &source->bytes, err) : LR_OK;
}

void lr__input_close(lr__input *source, bool secret)
{
    if (source->block && secret)
        lr__free_wiped(source->block, source->bytes.len);
    else
        lr__free(source->block);
    *source = (lr__input){0};
}

/* From 1. */
static uint32_t line_of(lr_slice whole, const uint8_t *at)
{
    uint32_t line = 1;

    for (const uint8_t *byte = whole.bytes; byte < at; byte++)
        line += *byte == '\n';
    return line;
}

/* One element of DER, a SEQUENCE, and nothing behind it. */
static bool is_der(lr_slice bytes)
{
    lr_slice in = bytes, content;
    uint8_t tag;

    return lr__der_take(&in, &tag, &content, NULL) && tag == 0x30 && in.len == 0;
}

static lr__der *list_room(lr__der_list *list)
{
    uint32_t room = list->room ? list->room * 2 : 4;
    lr__der *items;

    if (list->count < list->room)
        return &list->items[list->count];
    items = lr__realloc(list->items, room * sizeof(*items));
    if (!items)
        return NULL;
    list->items = items;
    list->room = room;
    return &items[list->count];
}

/* The item has room for size bytes, and counts. */
static lr__der *list_put(lr__der_list *list, size_t size)
{
    lr__der *item = list_room(list);

    if (!item)
        return NULL;
    *item = (lr__der){.bytes = lr__alloc(size), .size = (uint32_t)size};
    if (!item->bytes)
        return NULL;
    list->count++;
    return item;
}

/* The text between the two lines of a block. */
static lr_slice block_body(lr_slice label, lr_slice block)
{
    const uint8_t *first = label.bytes + label.len + 5;
    const uint8_t *last = block.bytes + block.len - (9 + label.len + 5);

    return lr_slice_of(first, last > first ? (size_t)(last - first) : 0);
}

static lr_status add_block(lr__der_list *list, const lr__input *source, lr_slice body,
                           uint32_t line, const lr__pem_kind *kind, lr_error *err)
{
    lr__der *item = list_put(list, body.len + 1);
    word32 size = (word32)body.len + 1;

    if (!item)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", source->name);
    item->line = line;
    if (Base64_Decode(body.bytes, (word32)body.len, item->bytes, &size) != 0 ||
        !is_der(lr_slice_of(item->bytes, size)))
        return lr__fail(err, kind->status, "%s: line %u: %s %u is not valid PEM", source->name,
                        line, kind->noun, list->count);
    item->size = size;
    return LR_OK;
}

lr_status lr__der_list_add(lr__der_list *list, const lr__input *source, const lr__pem_kind *kind,
                           lr_error *err)
{
    lr_slice in = source->bytes, label, block;
    uint32_t before = list->count;

    if (is_der(in)) {
        if (!lr__der_list_put(list, in))
            return lr__fail(err, LR_ENOMEM, "%s: out of memory", source->name);
        return LR_OK;
    }
    while (next_block(&in, &label, &block)) {
        if (label_is(label, kind->labels[0]) || label_is(label, kind->labels[1]))
            LR_TRY(add_block(list, source, block_body(label, block),
                             line_of(source->bytes, block.bytes), kind, err));
    }
    if (list->count == before)
        return lr__fail(err, kind->status, "%s: no %s in it", source->name, kind->noun);
    return LR_OK;
}

bool lr__der_list_put(lr__der_list *list, lr_slice der)
{
    lr__der *item = list_put(list, der.len);

    if (item)
        memcpy(item->bytes, der.bytes, der.len);
    return item != NULL;
}

void lr__der_list_fini(lr__der_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        lr__free(list->items[i].bytes);
    lr__free(list->items);
    *list = (lr__der_list){0};
}

lr_status lr__pem_certificates(lr_slice pem, const char *name, uint8_t **chain, lr_slice *out,
                               uint32_t max, uint32_t *count, lr_error *err)
{
    uint8_t *der = lr__alloc(pem.len + 1); /* DER is never longer than its PEM */
    size_t used = 0;
    lr_slice whole = pem, label, block;
    uint32_t n = 0;

    if (!der)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    if (is_der(pem)) {
        memcpy(der, pem.bytes, pem.len);
        out[n++] = lr_slice_of(der, pem.len);
        pem.len = 0;
    }
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
            (void)lr__fail(err, LR_ECERTIFICATE,
                           "%s: line %u: certificate %u is not valid PEM (wolfSSL %d)", name,
                           line_of(whole, block.bytes), n + 1, ret);
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

/* Decodes a block of a private key. */
static lr_status decode_key(lr_slice block, bool encrypted, const char *where,
                            const char *passphrase, uint8_t **der, uint32_t *size, lr_error *err)
{
    uint8_t *out = lr__secret_alloc(block.len);
    int ret;

    if (!out)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", where);
    lr__wolf_secret(true);
    ret = wc_KeyPemToDer(block.bytes, (int)block.len, out, (int)block.len,
                         encrypted ? passphrase : NULL);
    lr__wolf_secret(false);
    if (ret > 0 && (!encrypted || cut_to_key(out, &ret))) {
        lr__wipe(out + ret,
                 block.len - (size_t)ret); /* decoding shifts: parts of the key lie there */
        *der = out;
        *size = (uint32_t)ret;
        return LR_OK;
    }
    lr__secret_free(out);
    if (ret == MEMORY_E)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", where);
    if (encrypted)
        return lr__fail(err, LR_EKEY,
                        "%s: wrong passphrase, or encrypted in a way that is not known here",
                        where);
    return lr__fail(err, LR_EKEY, "%s: the private key is not valid PEM (wolfSSL %d)", where, ret);
}

/* Which of the four forms is it? Null: no key. */
static const char *label_of_key(lr_slice der)
{
    lr_slice in = der, body, first, second;
    uint8_t outer, first_tag, second_tag;

    if (!lr__der_take(&in, &outer, &body, NULL) || !lr__der_take(&body, &first_tag, &first, NULL) ||
        !lr__der_take(&body, &second_tag, &second, NULL))
        return NULL;
    if (first_tag == 0x30 && second_tag == 0x04)
        return "ENCRYPTED PRIVATE KEY"; /* RFC 5958 3 */
    if (first_tag != 0x02)
        return NULL;
    return second_tag == 0x30   ? "PRIVATE KEY"     /* RFC 5958 2 */
           : second_tag == 0x04 ? "EC PRIVATE KEY"  /* RFC 5915 3 */
           : second_tag == 0x02 ? "RSA PRIVATE KEY" /* RFC 8017 A.1.2 */
                                : NULL;
}

/* A key in DER goes the way of the others: what decrypts them wants PEM. */
static lr_status der_to_pem(lr_slice der, const char *name, uint8_t **pem, size_t *len,
                            lr_error *err)
{
    const char *label = label_of_key(der);
    size_t room = der.len / 3 * 4 + der.len / 48 + 256; /* base64, its line ends, both lines */
    word32 body = (word32)room;
    int at;

    if (!label)
        return lr__fail(err, LR_EKEY, "%s: no private key in it", name);
    *pem = lr__secret_alloc(room);
    if (!*pem)
        return lr__fail(err, LR_ENOMEM, "%s: out of memory", name);
    at = snprintf((char *)*pem, room, "-----BEGIN %s-----\n", label);
    body -= (word32)at;
    LR_CHECK(Base64_Encode(der.bytes, (word32)der.len, *pem + at, &body) == 0);
    at += (int)body;
    at += snprintf((char *)*pem + at, room - (size_t)at, "-----END %s-----\n", label);
    LR_CHECK((size_t)at < room);
    *len = (size_t)at;
    return LR_OK;
}

lr_status lr__pem_key(lr_slice pem, const char *name, const char *passphrase, uint8_t **der,
                      uint32_t *size, lr_error *err)
{
    lr_slice whole = pem, label, block;

    if (is_der(pem)) {
        uint8_t *text = NULL;
        lr_status status;
        size_t len = 0;

        LR_TRY(der_to_pem(pem, name, &text, &len, err));
        status = lr__pem_key(lr_slice_of(text, len), name, passphrase, der, size, err);
        lr__secret_free(text);
        return status;
    }
    while (next_block(&pem, &label, &block)) {
        bool encrypted = is_encrypted(label, block);
        char where[160];

        if (label.len < 11 || memcmp(label.bytes + label.len - 11, "PRIVATE KEY", 11) != 0)
            continue;
        if (encrypted)
            LR_TRY(check_passphrase(name, passphrase, err));
        (void)snprintf(where, sizeof(where), "%.120s: line %u", name, line_of(whole, block.bytes));
        return decode_key(block, encrypted, where, passphrase, der, size, err);
    }
    return lr__fail(err, LR_EKEY, "%s: no private key in it", name);
}
