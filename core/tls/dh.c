/* SPDX-License-Identifier: MIT */
#include "core/tls/dh.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/tls/pem.h"
#include "core/tls/x509.h"

static bool take_integer(lr_slice *in, lr_slice *out)
{
    uint8_t tag;

    if (!lr__der_take(in, &tag, out, NULL) || tag != 0x02 || out->len == 0 ||
        (out->bytes[0] & 0x80) != 0)
        return false;
    while (out->len > 0 && out->bytes[0] == 0)
        *out = lr_slice_of(out->bytes + 1, out->len - 1);
    return out->len > 0;
}

static uint32_t bits_of(lr_slice number)
{
    uint32_t bits = (uint32_t)number.len * 8;

    for (uint8_t top = number.bytes[0]; (top & 0x80) == 0; top = (uint8_t)(top << 1))
        bits--;
    return bits;
}

/* DHParameter ::= SEQUENCE { prime, base, privateValueLength OPTIONAL } (PKCS#3 9) */
static lr_status parse(lr__dh *dh, lr_slice der, const char *name, uint32_t bits_least,
                       lr_error *err)
{
    lr_slice body, in = der;
    uint32_t bits;
    uint8_t tag;

    if (!lr__der_take(&in, &tag, &body, NULL) || tag != 0x30 || in.len != 0 ||
        !take_integer(&body, &dh->p) || !take_integer(&body, &dh->g))
        return lr__fail(err, LR_EOPTION, "%s: these are no DH parameters of PKCS#3", name);
    bits = bits_of(dh->p);
    if (bits < bits_least || bits > LR__DH_BITS_MOST)
        return lr__fail(err, LR_EOPTION, "%s: a prime of %u bits is not in %u..%d", name, bits,
                        bits_least, LR__DH_BITS_MOST);
    if ((dh->p.bytes[dh->p.len - 1] & 1) == 0 || (dh->g.len == 1 && dh->g.bytes[0] < 2) ||
        dh->g.len > dh->p.len)
        return lr__fail(err, LR_EOPTION, "%s: prime or generator are none", name);
    return LR_OK;
}

lr_status lr__dh_load(lr__dh *dh, const char *file, lr_slice bytes, uint32_t bits_least,
                      lr_error *err)
{
    static const lr__pem_kind kind = {"DH parameters", {"DH PARAMETERS"}, LR_EOPTION};
    lr__der_list list = {0};
    lr__input source;
    lr_status status;

    LR_DCHECK(!dh->block);
    if (!file && bytes.len == 0)
        return LR_OK;
    LR_TRY(lr__input_open(&source, "dhparam", file, bytes, LR__PEM_FILE_MAX, err));
    status = lr__der_list_add(&list, &source, &kind, err);
    lr__input_close(&source, false);
    if (status == LR_OK) {
        dh->block = list.items[0].bytes;
        list.items[0].bytes = NULL;
        status = parse(dh, lr_slice_of(dh->block, list.items[0].size), file ? file : "dhparam",
                       bits_least, err);
    }
    lr__der_list_fini(&list);
    return status;
}

void lr__dh_fini(lr__dh *dh)
{
    lr__free(dh->block);
    *dh = (lr__dh){0};
}
