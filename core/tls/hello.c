/* SPDX-License-Identifier: MIT */
/* core/tls/hello.c: reads a complete ClientHello (hello_take.c takes it off the wire).
 *
 * It sees what any stranger sends, before anything is known about him, so nothing here allocates,
 * loops more than a few times over the input, or trusts a length: every read goes through the
 * cursor functions below (an lr_slice that shrinks from the front), and each of them can fail. The
 * cost of a hello is bounded by its size; duplicates of extensions and key shares are found with a
 * set of 65536 bits on the stack instead of comparing all pairs.
 *
 * The parser checks what the gate decides by, and the shape of what it hands on. It does not
 * choose: versions, groups and suites are only listed. */
#include "core/tls/hello.h"

#include "core/base/check.h"
#include "core/base/hostname.h"

#include <arpa/inet.h>
#include <string.h>

lr_status lr__hello_refuse(lr__hello_fault *fault, lr_status status, int alert, const char *what)
{
    LR_DCHECK(status != LR_OK && status != LR_EAGAIN);
    fault->status = status;
    fault->alert = alert;
    fault->what = what;
    fault->peer_alert = -1;
    return status;
}

enum { CLIENT_HELLO = 1 };

/* The cursor. Each call takes from the front of *in, or fails and leaves it. */

static bool read_slice(lr_slice *in, size_t len, lr_slice *out)
{
    if (in->len < len)
        return false;
    *out = lr_slice_of(in->bytes, len);
    if (len > 0) { /* bytes may be null; C has no null + 0. */
        in->bytes += len;
        in->len -= len;
    }
    return true;
}

static bool read_u8(lr_slice *in, uint8_t *out)
{
    lr_slice byte;

    if (!read_slice(in, 1, &byte))
        return false;
    *out = byte.bytes[0];
    return true;
}

static bool read_u16(lr_slice *in, uint16_t *out)
{
    lr_slice two;

    if (!read_slice(in, 2, &two))
        return false;
    *out = (uint16_t)(two.bytes[0] << 8 | two.bytes[1]);
    return true;
}

/* A vector behind a length of one byte. */
static bool read_vector8(lr_slice *in, lr_slice *out)
{
    lr_slice rest = *in;
    uint8_t len;

    if (!read_u8(&rest, &len) || !read_slice(&rest, len, out))
        return false;
    *in = rest;
    return true;
}

/* A vector behind a length of two bytes. */
static bool read_vector16(lr_slice *in, lr_slice *out)
{
    lr_slice rest = *in;
    uint16_t len;

    if (!read_u16(&rest, &len) || !read_slice(&rest, len, out))
        return false;
    *in = rest;
    return true;
}

/* RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa. */
bool lr__hello_is_grease(uint16_t value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* Is value in a list of 16-bit values? */
static bool list_has(lr_slice list, uint16_t value)
{
    uint16_t each;

    while (read_u16(&list, &each))
        if (each == value)
            return true;
    return false;
}

/* Copies what fits of a list of 16-bit values, without GREASE. */
static uint8_t list_copy(lr_slice list, uint16_t *out, uint8_t room)
{
    uint8_t count = 0;
    uint16_t value;

    while (count < room && read_u16(&list, &value))
        if (!lr__hello_is_grease(value))
            out[count++] = value;
    return count;
}

/* A set of 16-bit values. */
typedef struct value_set {
    uint64_t words[65536 / 64];
} value_set;

static bool set_has(const value_set *set, uint16_t value)
{
    return (set->words[value / 64] >> (value % 64) & 1) != 0;
}

static void set_put(value_set *set, uint16_t value, bool in)
{
    uint64_t bit = (uint64_t)1 << (value % 64);

    if (in)
        set->words[value / 64] |= bit;
    else
        set->words[value / 64] &= ~bit;
}

static lr_status malformed(lr__hello_fault *fault, const char *what)
{
    return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_DECODE_ERROR, what);
}

static lr_status illegal(lr__hello_fault *fault, const char *what)
{
    return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_ILLEGAL_PARAMETER, what);
}

static lr_status missing(lr__hello_fault *fault, const char *what)
{
    return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_MISSING_EXTENSION, what);
}

/* Extensions: one function each, given the body alone. */

static bool is_ip_literal(lr_slice name)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (name.len > 0 && name.bytes[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= sizeof(text) || memchr(name.bytes, 0, name.len) != NULL)
        return false;
    memcpy(text, name.bytes, name.len);
    text[name.len] = 0;
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* RFC 6066 3. Name types other than host_name are skipped: new ones begin with a length of two
 * bytes. */
static lr_status read_server_name(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice list, name, host = {NULL, 0};
    size_t len = 0;

    if (!read_vector16(&body, &list) || body.len > 0 || list.len == 0)
        return malformed(fault, "server_name: not a list of names");
    while (list.len > 0) {
        uint8_t type;

        if (!read_u8(&list, &type) || !read_vector16(&list, &name) || name.len == 0)
            return malformed(fault, "server_name: a broken name");
        if (type != 0)
            continue;
        if (host.len > 0)
            return illegal(fault, "server_name: two host names");
        host = name;
    }
    if (host.len == 0)
        return LR_OK;
    if (lr__hostname_canonical(host, out->name, &len)) {
        LR_CHECK(len <= LR__HOSTNAME_MAX);
        out->servername = host;
        return LR_OK;
    }
    memset(out->name, 0, sizeof(out->name));
    if (is_ip_literal(host))
        return LR_OK;
    return illegal(fault, "server_name: not a host name");
}

/* RFC 6066 4. */
static lr_status read_max_fragment(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    if (!read_u8(&body, &out->max_fragment) || body.len > 0)
        return malformed(fault, "max_fragment_length: not one byte");
    if (out->max_fragment < 1 || out->max_fragment > 4)
        return illegal(fault, "max_fragment_length: an unknown code");
    return LR_OK;
}

/* RFC 6066 8; a type other than ocsp has a shape of its own. */
static lr_status read_status_request(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice responders, each, extensions;
    uint8_t type;

    if (!read_u8(&body, &type))
        return malformed(fault, "status_request: empty");
    if (type != 1)
        return LR_OK;
    if (!read_vector16(&body, &responders) || !read_vector16(&body, &extensions) || body.len > 0)
        return malformed(fault, "status_request: a broken OCSP request");
    while (responders.len > 0)
        if (!read_vector16(&responders, &each) || each.len == 0)
            return malformed(fault, "status_request: a broken responder");
    out->has_status_request = true;
    return LR_OK;
}

static lr_status read_groups(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice list;

    if (!read_vector16(&body, &list) || body.len > 0 || list.len == 0 || list.len % 2 != 0)
        return malformed(fault, "supported_groups: not a list of groups");
    out->group_list = list;
    out->group_count = list_copy(list, out->groups, LR__HELLO_GROUPS_MAX);
    return LR_OK;
}

static lr_status read_sigalgs(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice list;

    if (!read_vector16(&body, &list) || body.len > 0 || list.len == 0 || list.len % 2 != 0)
        return malformed(fault, "signature_algorithms: not a list of algorithms");
    out->sigalgs = list;
    return LR_OK;
}

/* RFC 7301 3.1. */
static lr_status read_alpn(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice list, rest, name;

    if (!read_vector16(&body, &list) || body.len > 0 || list.len == 0)
        return malformed(fault, "application_layer_protocol_negotiation: not a list of names");
    rest = list;
    while (rest.len > 0)
        if (!read_vector8(&rest, &name) || name.len == 0)
            return malformed(fault, "application_layer_protocol_negotiation: a broken name");
    out->alpn = list;
    return LR_OK;
}

static lr_status read_extended_master_secret(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    out->has_extended_master_secret = true;
    return body.len == 0 ? LR_OK : malformed(fault, "extended_master_secret: not empty");
}

/* RFC 8449 4. */
static lr_status read_record_size_limit(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    if (!read_u16(&body, &out->record_size_limit) || body.len > 0)
        return malformed(fault, "record_size_limit: not two bytes");
    return out->record_size_limit >= 64 ? LR_OK : illegal(fault, "record_size_limit: under 64");
}

static lr_status read_session_ticket(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    (void)fault;
    out->has_session_ticket = true;
    out->session_ticket = body;
    return LR_OK;
}

/* RFC 8446 4.2.11: one binder of 32..255 bytes for each identity. */
static lr_status read_psk(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice rest = body, identities, binders, each;
    size_t identity_count = 0, binder_count = 0;

    if (!read_vector16(&rest, &identities) || !read_vector16(&rest, &binders) || rest.len > 0 ||
        identities.len == 0 || binders.len == 0)
        return malformed(fault, "pre_shared_key: not identities and binders");
    for (; identities.len > 0; identity_count++) {
        lr_slice age;

        if (!read_vector16(&identities, &each) || each.len == 0 ||
            !read_slice(&identities, 4, &age))
            return malformed(fault, "pre_shared_key: a broken identity");
    }
    for (; binders.len > 0; binder_count++)
        if (!read_vector8(&binders, &each) || each.len < 32)
            return malformed(fault, "pre_shared_key: a broken binder");
    if (identity_count != binder_count)
        return illegal(fault, "pre_shared_key: not one binder for each identity");
    out->has_psk = true;
    out->psk = body;
    return LR_OK;
}

static lr_status read_early_data(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    out->has_early_data = true;
    return body.len == 0 ? LR_OK : malformed(fault, "early_data: not empty");
}

static lr_status read_versions(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice list;

    if (!read_vector8(&body, &list) || body.len > 0 || list.len == 0 || list.len % 2 != 0)
        return malformed(fault, "supported_versions: not a list of versions");
    out->has_supported_versions = true;
    out->version_list = list;
    out->version_count = list_copy(list, out->versions, LR__HELLO_VERSIONS_MAX);
    return LR_OK;
}

static lr_status read_cookie(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice cookie;

    if (!read_vector16(&body, &cookie) || body.len > 0 || cookie.len == 0)
        return malformed(fault, "cookie: not one cookie");
    out->has_cookie = true;
    return LR_OK;
}

static lr_status read_psk_modes(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice modes;

    if (!read_vector8(&body, &modes) || body.len > 0 || modes.len == 0)
        return malformed(fault, "psk_key_exchange_modes: not a list of modes");
    out->has_psk_modes = true;
    out->has_psk_dhe_ke = memchr(modes.bytes, 1, modes.len) != NULL;
    return LR_OK;
}

static lr_status read_post_handshake_auth(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    out->has_post_handshake_auth = true;
    return body.len == 0 ? LR_OK : malformed(fault, "post_handshake_auth: not empty");
}

/* The shape alone: which groups may carry a share is known when all extensions are read. */
static lr_status read_key_share(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice list, rest, key;

    if (!read_vector16(&body, &list) || body.len > 0)
        return malformed(fault, "key_share: not a list of shares");
    rest = list;
    while (rest.len > 0) {
        uint16_t group;

        if (!read_u16(&rest, &group) || !read_vector16(&rest, &key) || key.len == 0)
            return malformed(fault, "key_share: a broken share");
        if (!lr__hello_is_grease(group) && out->share_count < LR__HELLO_GROUPS_MAX)
            out->shares[out->share_count++] = group;
    }
    out->has_key_share = true;
    out->share_list = list;
    return LR_OK;
}

/* RFC 5746 3.6: the first handshake of a connection renegotiates nothing. */
static lr_status read_renegotiation_info(lr_slice body, lr__hello *out, lr__hello_fault *fault)
{
    lr_slice data;

    if (!read_vector8(&body, &data) || body.len > 0)
        return malformed(fault, "renegotiation_info: broken");
    if (data.len > 0)
        return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_HANDSHAKE_FAILURE,
                                "renegotiation_info: not empty in a first handshake");
    out->has_renegotiation_info = true;
    return LR_OK;
}

static const struct {
    uint16_t type;
    lr_status (*read)(lr_slice body, lr__hello *out, lr__hello_fault *fault);
} extensions_known[] = {
    {0, read_server_name},
    {1, read_max_fragment},
    {5, read_status_request},
    {10, read_groups},
    {13, read_sigalgs},
    {16, read_alpn},
    {23, read_extended_master_secret},
    {28, read_record_size_limit},
    {35, read_session_ticket},
    {41, read_psk},
    {42, read_early_data},
    {43, read_versions},
    {44, read_cookie},
    {45, read_psk_modes},
    {49, read_post_handshake_auth},
    {51, read_key_share},
    {0xff01, read_renegotiation_info},
};

static lr_status read_extensions(lr_slice list, lr__hello *out, lr__hello_fault *fault)
{
    value_set seen = {{0}};

    out->extensions = list;
    while (list.len > 0) {
        uint16_t type;
        lr_slice body;

        if (!read_u16(&list, &type) || !read_vector16(&list, &body))
            return malformed(fault, "a broken extension");
        if (set_has(&seen, type))
            return illegal(fault, "an extension comes twice");
        set_put(&seen, type, true);
        /* RFC 8446 4.2.11: the binders sign all that is in front of them. */
        if (out->has_psk)
            return illegal(fault, "pre_shared_key is not the last extension");
        for (size_t i = 0; i < LR_ARRAY_COUNT(extensions_known); i++)
            if (extensions_known[i].type == type)
                LR_TRY(extensions_known[i].read(body, out, fault));
    }
    return LR_OK;
}

/* RFC 8446 4.2.8: one share for a group, and only for groups that are offered. A share uses up its
 * group in the set, so that a second one finds it gone. */
static lr_status check_shares(const lr__hello *hello, lr__hello_fault *fault)
{
    value_set open = {{0}};
    lr_slice groups = hello->group_list, shares = hello->share_list, key;
    uint16_t group;

    while (read_u16(&groups, &group))
        set_put(&open, group, true);
    while (read_u16(&shares, &group) && read_vector16(&shares, &key)) {
        if (lr__hello_is_grease(group))
            continue;
        if (!set_has(&open, group))
            return illegal(fault, list_has(hello->group_list, group)
                                      ? "key_share: two shares of one group"
                                      : "key_share: a share of a group that is not offered");
        set_put(&open, group, false);
    }
    return LR_OK;
}

/* What only the whole tells. RFC 8446 9.2 binds hellos that offer TLS 1.3; an older one may carry
 * any of its extensions without meaning it. */
static lr_status check_whole(const lr__hello *hello, lr_slice compression, lr__hello_fault *fault)
{
    if (hello->has_psk && !hello->has_psk_modes)
        return missing(fault, "pre_shared_key without psk_key_exchange_modes");
    if (!lr__hello_offers_version(hello, 0x0304))
        return LR_OK;
    if (compression.len != 1)
        return illegal(fault, "compression methods in a TLS 1.3 hello");
    if (hello->has_key_share && hello->group_list.len == 0)
        return missing(fault, "key_share without supported_groups");
    if (!hello->has_key_share && hello->group_list.len > 0)
        return missing(fault, "supported_groups without key_share");
    if (!hello->has_psk && hello->group_list.len == 0)
        return missing(fault, "a TLS 1.3 hello without supported_groups");
    if (!hello->has_psk && hello->sigalgs.len == 0)
        return missing(fault, "a TLS 1.3 hello without signature_algorithms");
    return check_shares(hello, fault);
}

lr_status lr__hello_parse(lr_slice message, lr__hello *out, lr__hello_fault *fault)
{
    enum { VERSION_MIN = 0x0301, VERSION_LEGACY_MAX = 0x0303, SCSV_RENEGOTIATION = 0x00ff };
    lr_slice in = message, header, compression, extensions;

    memset(out, 0, sizeof(*out));
    out->message = message;
    if (!read_slice(&in, LR__HANDSHAKE_HEADER, &header))
        return malformed(fault, "a ClientHello without its header");
    if (header.bytes[0] != CLIENT_HELLO)
        return lr__hello_refuse(fault, LR_EHELLO, LR__ALERT_UNEXPECTED_MESSAGE,
                                "a handshake message that is no ClientHello");
    if (((size_t)header.bytes[1] << 16 | (size_t)header.bytes[2] << 8 | header.bytes[3]) != in.len)
        return malformed(fault, "a ClientHello of another length than it says");
    if (!read_u16(&in, &out->legacy_version))
        return malformed(fault, "a ClientHello without a version");
    /* RFC 8446 D.5, whatever supported_versions says. */
    if (out->legacy_version < VERSION_MIN)
        return lr__hello_refuse(fault, LR_EVERSION, LR__ALERT_PROTOCOL_VERSION,
                                "a ClientHello of SSL 3.0 or older");
    if (!read_slice(&in, 32, &out->random) || !read_vector8(&in, &out->session_id) ||
        out->session_id.len > 32)
        return malformed(fault, "a broken random or session id");
    if (!read_vector16(&in, &out->cipher_suites) || out->cipher_suites.len % 2 != 0)
        return malformed(fault, "a broken list of cipher suites");
    if (out->cipher_suites.len == 0)
        return illegal(fault, "no cipher suite");
    if (!read_vector8(&in, &compression) || compression.len == 0)
        return malformed(fault, "a broken list of compression methods");
    if (memchr(compression.bytes, 0, compression.len) == NULL)
        return illegal(fault, "compression methods without null");
    /* RFC 5246 7.4.1.2: a hello may end here. */
    if (in.len > 0) {
        if (!read_vector16(&in, &extensions) || in.len > 0)
            return malformed(fault, "a broken list of extensions");
        LR_TRY(read_extensions(extensions, out, fault));
    }
    if (!out->has_supported_versions) {
        out->versions[0] = out->legacy_version < VERSION_LEGACY_MAX ? out->legacy_version
                                                                    : (uint16_t)VERSION_LEGACY_MAX;
        out->version_count = 1;
    }
    if (lr__hello_offers_suite(out, SCSV_RENEGOTIATION))
        out->has_renegotiation_info = true;
    return check_whole(out, compression, fault);
}

bool lr__hello_offers_version(const lr__hello *hello, uint16_t version)
{
    if (hello->has_supported_versions)
        return !lr__hello_is_grease(version) && list_has(hello->version_list, version);
    LR_DCHECK(hello->version_count == 1);
    return version >= 0x0301 && version <= hello->versions[0];
}

bool lr__hello_offers_group(const lr__hello *hello, uint16_t group)
{
    return !lr__hello_is_grease(group) && list_has(hello->group_list, group);
}

bool lr__hello_has_share(const lr__hello *hello, uint16_t group)
{
    lr_slice shares = hello->share_list, key;
    uint16_t each;

    while (read_u16(&shares, &each) && read_vector16(&shares, &key))
        if (each == group && !lr__hello_is_grease(each))
            return true;
    return false;
}

bool lr__hello_offers_suite(const lr__hello *hello, uint16_t suite)
{
    return !lr__hello_is_grease(suite) && list_has(hello->cipher_suites, suite);
}

/* RFC 8701 reserves names of two equal bytes ("\x0a\x0a" ... "\xfa\xfa") as well. */
static bool is_grease_name(lr_slice name)
{
    return name.len == 2 && lr__hello_is_grease((uint16_t)(name.bytes[0] << 8 | name.bytes[1]));
}

bool lr__hello_alpn_next(const lr__hello *hello, size_t *at, lr_slice *protocol)
{
    lr_slice rest, name;

    LR_DCHECK(*at <= hello->alpn.len);
    rest = hello->alpn;
    if (!read_slice(&rest, *at, &name))
        return false;
    while (read_vector8(&rest, &name)) {
        if (is_grease_name(name))
            continue;
        *at = hello->alpn.len - rest.len;
        *protocol = name;
        return true;
    }
    *at = hello->alpn.len;
    return false;
}

bool lr__hello_psk_next(const lr__hello *hello, size_t *at, lr_slice *identity,
                        uint32_t *obfuscated_age)
{
    lr_slice body = hello->psk, list, rest, before, id, age;

    if (!read_vector16(&body, &list))
        return false;
    rest = list;
    LR_DCHECK(*at <= list.len);
    if (!read_slice(&rest, *at, &before) || !read_vector16(&rest, &id) ||
        !read_slice(&rest, 4, &age))
        return false;
    *at = list.len - rest.len;
    *identity = id;
    *obfuscated_age = (uint32_t)age.bytes[0] << 24 | (uint32_t)age.bytes[1] << 16 |
                      (uint32_t)age.bytes[2] << 8 | age.bytes[3];
    return true;
}

static bool same_bytes(lr_slice a, lr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

bool lr__hello_same_identity(const lr__hello *first, const lr__hello *second)
{
    return same_bytes(first->servername, second->servername) &&
           same_bytes(first->alpn, second->alpn);
}
