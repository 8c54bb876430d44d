/* SPDX-License-Identifier: MIT */
/* Fuzzes core/tls/pem.h, and core/tls/x509.h with what PEM gives and with the input as it is.
 * Checked are memory (the sanitizers do), that nothing is left allocated, and that what comes out
 * lies where it should. */
#include "../unit/tls_client.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/tls/pem.h"
#include "core/tls/x509.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MAX = 4 };

static bool is_inside(lr_slice part, lr_slice whole)
{
    return part.bytes >= whole.bytes && part.bytes + part.len <= whole.bytes + whole.len;
}

static void walk(lr_slice der)
{
    lr__x509 x509;

    if (!lr__x509_parse(der, &x509))
        return;
    LR_CHECK(is_inside(x509.serial, der) && is_inside(x509.issuer, der));
    LR_CHECK(is_inside(x509.subject, der) && is_inside(x509.public_key_info, der));
    LR_CHECK(x509.issuer.len >= 2 && x509.issuer.bytes[0] == 0x30);
    LR_CHECK(x509.subject.len >= 2 && x509.subject.bytes[0] == 0x30);
}

static void read_certificates(lr_slice pem)
{
    lr_slice out[MAX];
    uint8_t *chain = NULL;
    uint32_t count = 0;
    lr_error err;
    lr_status status = lr__pem_certificates(pem, "fuzz", &chain, out, MAX, &count, &err);

    if (status != LR_OK) {
        LR_CHECK(status == LR_ECERTIFICATE && err.status == status && chain == NULL);
        return;
    }
    LR_CHECK(count >= 1 && count <= MAX && out[0].bytes == chain);
    for (uint32_t i = 0; i < count; i++) {
        LR_CHECK(out[i].len > 0 && out[i].len <= pem.len);
        LR_CHECK(i == 0 || out[i].bytes == out[i - 1].bytes + out[i - 1].len);
        walk(out[i]);
    }
    lr__free(chain);
}

static void read_key(lr_slice pem, const char *passphrase)
{
    uint8_t *der = NULL;
    uint32_t size = 0;
    lr_error err;
    lr_status status = lr__pem_key(pem, "fuzz", passphrase, &der, &size, &err);

    if (status != LR_OK) {
        LR_CHECK(status == LR_EKEY && err.status == status && der == NULL);
        return;
    }
    LR_CHECK(size > 0 && size <= pem.len); /* as long as it was, if it was DER */
    lr__secret_free(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static tls_world world;
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of exactly that size */
    uint64_t live;

    LR_CHECK(copy != NULL);
    tls_world_enter(&world, 1);
    live = lr__mem_read().live;
    if (len > 0)
        memcpy(copy, bytes, len);
    read_certificates(lr_slice_of(copy, len));
    read_key(lr_slice_of(copy, len), NULL);
    if (len > 0 && !memmem(copy, len, "ENCRYPTED PRIVATE KEY", 21)) /* its iterations cost hours */
        read_key(lr_slice_of(copy, len), "secret");
    walk(lr_slice_of(copy, len));
    LR_CHECK(len == 0 || memcmp(copy, bytes, len) == 0);
    LR_CHECK(lr__mem_read().live == live);
    tls_world_leave(&world);
    free(copy);
    return 0;
}
