/* SPDX-License-Identifier: MIT */
#include "core/tls/ocsp_parse.h"

#include "core/base/check.h"
#include "core/tls/x509.h"

#include <string.h>

enum {
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_SEQUENCE = 0x30,
    DER_IMPLICIT_0 = 0x80,
    DER_IMPLICIT_2 = 0x82,
    DER_CONTEXT_0 = 0xa0,
    DER_CONTEXT_1 = 0xa1,
    DER_CONTEXT_2 = 0xa2
};

static const char malformed[] = "it is malformed";

static bool begins_with(lr_slice in, uint8_t tag)
{
    return in.len > 0 && in.bytes[0] == tag;
}

/* A critical extension that is not known could change the meaning of all the rest. */
static bool check_extensions(lr_slice outer, const char **what)
{
    lr_slice in, id, value;
    bool critical;

    if (!lr__der_expect(&outer, DER_SEQUENCE, &in, NULL) || outer.len != 0)
        return false;
    while (lr__x509_next_extension(&in, &id, &critical, &value)) {
        if (!critical)
            continue;
        *what = "it has a critical extension, which is not known here";
        return false;
    }
    return in.len == 0;
}

static bool take_extensions(lr_slice *in, uint8_t tag, const char **what)
{
    lr_slice outer;

    return in->len == 0 ||
           (lr__der_expect(in, tag, &outer, NULL) && in->len == 0 && check_extensions(outer, what));
}

static bool read_state(lr_slice *in, lr__ocsp_single *out)
{
    lr_slice content;
    uint8_t tag;

    if (!lr__der_take(in, &tag, &content, NULL))
        return false;
    switch (tag) {
    case DER_IMPLICIT_0:
        out->state = LR_OCSP_GOOD;
        return content.len == 0;
    case DER_CONTEXT_1: /* its reason is not looked at */
        out->state = LR_OCSP_REVOKED;
        return lr__der_time(&content, &out->revoked_at);
    case DER_IMPLICIT_2:
        out->state = LR_OCSP_UNKNOWN;
        return content.len == 0;
    default:
        return false;
    }
}

/* CertID: the algorithm of the hashes, whose parameters are not looked at, the issuer, the number.
 */
static bool read_id(lr_slice id, lr__ocsp_single *out)
{
    lr_slice algorithm;

    return lr__der_expect(&id, DER_SEQUENCE, &algorithm, NULL) &&
           lr__der_expect(&algorithm, DER_OID, &out->hash, NULL) &&
           lr__der_expect(&id, DER_OCTETS, &out->name_hash, NULL) &&
           lr__der_expect(&id, DER_OCTETS, &out->key_hash, NULL) &&
           lr__der_expect(&id, DER_INTEGER, &out->serial, NULL) && id.len == 0;
}

static bool read_single(lr_slice *in, lr__ocsp_single *out, const char **what)
{
    lr_slice single, id, outer;

    memset(out, 0, sizeof(*out));
    if (!lr__der_expect(in, DER_SEQUENCE, &single, NULL) ||
        !lr__der_expect(&single, DER_SEQUENCE, &id, NULL) || !read_id(id, out) ||
        !read_state(&single, out) || !lr__der_time(&single, &out->this_update))
        return false;
    if (begins_with(single, DER_CONTEXT_0) &&
        (!lr__der_expect(&single, DER_CONTEXT_0, &outer, NULL) ||
         !lr__der_time(&outer, &out->next_update) || outer.len != 0))
        return false;
    return take_extensions(&single, DER_CONTEXT_1, what);
}

bool lr__ocsp_next_single(lr_slice *in, lr__ocsp_single *out)
{
    const char *what = NULL;

    if (in->len == 0)
        return false;
    LR_CHECK(read_single(in, out, &what)); /* lr__ocsp_parse() has read it before */
    return true;
}

static bool read_responder(lr_slice *in, lr__ocsp_response *out)
{
    lr_slice content, name;
    uint8_t tag;

    if (!lr__der_take(in, &tag, &content, NULL))
        return false;
    if (tag == DER_CONTEXT_1)
        return lr__der_expect(&content, DER_SEQUENCE, &name, &out->by_name) && content.len == 0;
    return tag == DER_CONTEXT_2 && lr__der_expect(&content, DER_OCTETS, &out->by_key, NULL) &&
           out->by_key.len != 0 && content.len == 0;
}

/* ResponseData. */
static bool read_data(lr_slice whole, lr__ocsp_response *out, const char **what)
{
    lr_slice data, version, number, singles;
    lr__ocsp_single single;

    if (!lr__der_expect(&whole, DER_SEQUENCE, &data, NULL))
        return false;
    if (begins_with(data, DER_CONTEXT_0) &&
        (!lr__der_expect(&data, DER_CONTEXT_0, &version, NULL) ||
         !lr__der_expect(&version, DER_INTEGER, &number, NULL) || number.len != 1 ||
         number.bytes[0] != 0))
        return false;
    if (!read_responder(&data, out) || !lr__der_time(&data, &out->produced_at) ||
        !lr__der_expect(&data, DER_SEQUENCE, &out->singles, NULL))
        return false;
    for (singles = out->singles; singles.len > 0;) {
        if (!read_single(&singles, &single, what))
            return false;
    }
    return take_extensions(&data, DER_CONTEXT_1, what);
}

static bool read_basic(lr_slice der, lr__ocsp_response *out, const char **what)
{
    lr_slice outer;

    if (!lr__signed_parse(der, &out->basic) || !read_data(out->basic.body, out, what))
        return false;
    if (out->basic.rest.len == 0)
        return true;
    return lr__der_expect(&out->basic.rest, DER_CONTEXT_0, &outer, NULL) &&
           out->basic.rest.len == 0 &&
           lr__der_expect(&outer, DER_SEQUENCE, &out->certificates, NULL) && outer.len == 0;
}

/* RFC 6960 4.2.1: what a responder says instead of an answer. */
static const char *refusal_of(lr_slice status)
{
    static const char *const words[] = {
        NULL,
        "the responder calls the request malformed",
        "the responder has an internal error",
        "the responder says: try later",
        malformed,
        "the responder wants signed requests",
        "the responder does not answer about this certificate (unauthorized)",
    };

    if (status.len != 1 || status.bytes[0] >= LR_ARRAY_COUNT(words))
        return malformed;
    return words[status.bytes[0]];
}

const char *lr__ocsp_parse(lr_slice der, lr__ocsp_response *out)
{
    static const char basic_id[] = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"; /* id-pkix-ocsp-basic */
    lr_slice in = der, response, status, outer, bytes, id, basic;
    const char *what = malformed;

    memset(out, 0, sizeof(*out));
    if (!lr__der_expect(&in, DER_SEQUENCE, &response, NULL) || in.len != 0 ||
        !lr__der_expect(&response, DER_ENUMERATED, &status, NULL))
        return "it is no OCSP response";
    if (refusal_of(status))
        return refusal_of(status);
    if (!lr__der_expect(&response, DER_CONTEXT_0, &outer, NULL) || response.len != 0 ||
        !lr__der_expect(&outer, DER_SEQUENCE, &bytes, NULL) || outer.len != 0 ||
        !lr__der_expect(&bytes, DER_OID, &id, NULL) ||
        !lr__der_expect(&bytes, DER_OCTETS, &basic, NULL) || bytes.len != 0)
        return malformed;
    if (!lr__same_bytes(id, lr_slice_of(basic_id, sizeof(basic_id) - 1)))
        return "it is a kind of response that is not known here";
    return read_basic(basic, out, &what) ? NULL : what;
}
