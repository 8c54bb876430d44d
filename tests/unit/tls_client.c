/* SPDX-License-Identifier: MIT */
#include "tls_client.h"

#include "core/base/check.h"
#include "core/tls/names.h"

#include <wolfssl/internal.h>

#include <stdlib.h>
#include <string.h>

/* wolfSSL marks its record builders as internal by calling them deprecated. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { WALL_MS_2026_07_01 = 1782864000 };

static bool give_seed(lr__current *current, void *out, size_t size)
{
    tls_world *world = LR_CONTAINER_OF(current, tls_world, current);
    uint8_t *to = out;

    world->seeds_given++;
    if (world->seeds_fail)
        return false;
    for (size_t i = 0; i < size; i++) {
        world->seed = world->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        to[i] = (uint8_t)(world->seed >> 56);
    }
    return true;
}

static int64_t give_time(lr__current *current)
{
    return LR_CONTAINER_OF(current, tls_world, current)->wall_ms;
}

void tls_world_enter(tls_world *world, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    world->current.random = give_seed;
    world->current.wall_ms = give_time;
    world->current.rand = &world->rand;
    world->seed = seed;
    world->wall_ms = (int64_t)WALL_MS_2026_07_01 * 1000;
    lr__rand_init(&world->rand);
    (void)lr__current_set(&world->current);
    LR_CHECK(lr__tls_init(NULL) == LR_OK);
}

void tls_world_leave(tls_world *world)
{
    (void)lr__current_set(NULL);
    lr__rand_fini(&world->rand);
}

void tls_bytes_add(tls_bytes *to, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    if (to->len + len > to->cap) {
        to->cap = (to->len + len) * 2;
        to->bytes = realloc(to->bytes, to->cap);
        LR_CHECK(to->bytes != NULL);
    }
    memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
}

void tls_bytes_drop(tls_bytes *from, size_t len)
{
    LR_CHECK(len <= from->len);
    if (len == 0)
        return;
    memmove(from->bytes, from->bytes + len, from->len - len);
    from->len -= len;
}

void tls_bytes_free(tls_bytes *bytes)
{
    free(bytes->bytes);
    memset(bytes, 0, sizeof(*bytes));
}

static int on_recv(WOLFSSL *ssl, char *to, int size, void *arg)
{
    tls_client *client = arg;
    size_t len = client->in.len < (size_t)size ? client->in.len : (size_t)size;

    (void)ssl;
    if (len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    memcpy(to, client->in.bytes, len);
    tls_bytes_drop(&client->in, len);
    return (int)len;
}

static int on_send(WOLFSSL *ssl, char *from, int size, void *arg)
{
    tls_client *client = arg;

    if (client->before_send)
        client->before_send(client);
    /* Behind its change_cipher_spec the keys are set; only Finished depends on these any more. */
    if (client->spoil_finished && size == 6 && from[0] == change_cipher_spec) {
        if (wolfSSL_version(ssl) == LR_TLS_1_3)
            ssl->keys.client_write_MAC_secret[0] ^= 1;
        else
            ssl->arrays->masterSecret[0] ^= 1;
        client->spoil_finished = false;
    }
    tls_bytes_add(&client->out, from, (size_t)size);
    return size;
}

static void must(int ret)
{
    LR_CHECK(ret == WOLFSSL_SUCCESS);
}

static void set_versions(tls_client *client, const tls_client_plan *plan)
{
    bool only_12 = plan->version_max == LR_TLS_1_2;

    client->ctx =
        wolfSSL_CTX_new(only_12 ? wolfTLSv1_2_client_method() : wolfSSLv23_client_method());
    LR_CHECK(client->ctx != NULL);
    must(wolfSSL_CTX_SetMinVersion(client->ctx, plan->version_min == LR_TLS_1_3 ? WOLFSSL_TLSV1_3
                                                                                : WOLFSSL_TLSV1_2));
}

static void set_groups(tls_client *client, const tls_client_plan *plan)
{
    static const uint16_t usual[] = {LR__GROUP_X25519, LR__GROUP_SECP256R1, 0};
    const uint16_t *from = plan->groups ? plan->groups : usual;
    int groups[LR__GROUP_LIST_MAX];
    int count = 0;

    while (*from != 0) {
        LR_CHECK(count < LR__GROUP_LIST_MAX);
        groups[count++] = *from++;
    }
    must(wolfSSL_set_groups(client->ssl, groups, count));
    if (plan->shares && plan->shares[0] == 0)
        must(wolfSSL_NoKeyShares(client->ssl));
    for (from = plan->shares; from && *from != 0; from++)
        must(wolfSSL_UseKeyShare(client->ssl, *from));
}

static void set_extensions(tls_client *client, const tls_client_plan *plan)
{
    if (plan->name)
        must(wolfSSL_UseSNI(client->ssl, WOLFSSL_SNI_HOST_NAME, plan->name,
                            (unsigned short)strlen(plan->name)));
    if (plan->alpn) {
        char list[256];

        LR_CHECK(strlen(plan->alpn) < sizeof(list));
        memcpy(list, plan->alpn, strlen(plan->alpn) + 1); /* wolfSSL cuts it up in place */
        must(wolfSSL_UseALPN(client->ssl, list, (unsigned)strlen(list),
                             WOLFSSL_ALPN_CONTINUE_ON_MISMATCH));
    }
    if (plan->max_fragment != 0)
        must(wolfSSL_UseMaxFragment(client->ssl, plan->max_fragment));
    if (plan->renegotiation)
        must(wolfSSL_UseSecureRenegotiation(client->ssl));
    if (plan->ticket)
        must(wolfSSL_UseSessionTicket(client->ssl));
}

void tls_client_init(tls_client *client, const tls_client_plan *plan)
{
    memset(client, 0, sizeof(*client));
    client->spoil_finished = plan->spoil_finished;
    set_versions(client, plan);
    wolfSSL_CTX_SetIORecv(client->ctx, on_recv);
    wolfSSL_CTX_SetIOSend(client->ctx, on_send);
    if (plan->trust)
        must(wolfSSL_CTX_load_verify_buffer(client->ctx, (const unsigned char *)plan->trust,
                                            (long)strlen(plan->trust), WOLFSSL_FILETYPE_PEM));
    else
        wolfSSL_CTX_set_verify(client->ctx, WOLFSSL_VERIFY_NONE, NULL);
    if (plan->suites)
        must(wolfSSL_CTX_set_cipher_list(client->ctx, plan->suites));
    client->ssl = wolfSSL_new(client->ctx);
    LR_CHECK(client->ssl != NULL);
    wolfSSL_SetIOReadCtx(client->ssl, client);
    wolfSSL_SetIOWriteCtx(client->ssl, client);
    if (plan->verify_name)
        must(wolfSSL_check_domain_name(client->ssl, plan->verify_name));
    set_groups(client, plan);
    set_extensions(client, plan);
    if (plan->sigalgs.len != 0) {
        LR_CHECK(AllocateSuites(client->ssl) == 0 &&
                 plan->sigalgs.len <= sizeof(client->ssl->suites->hashSigAlgo));
        memcpy(client->ssl->suites->hashSigAlgo, plan->sigalgs.bytes, plan->sigalgs.len);
        client->ssl->suites->hashSigAlgoSz = (word16)plan->sigalgs.len;
    }
    if (plan->session)
        must(wolfSSL_set_session(client->ssl, plan->session));
}

void tls_client_fini(tls_client *client)
{
    wolfSSL_free(client->ssl);
    wolfSSL_CTX_free(client->ctx);
    tls_bytes_free(&client->in);
    tls_bytes_free(&client->out);
}

static void note(tls_client *client, int ret)
{
    int native = wolfSSL_get_error(client->ssl, ret);

    if (native != WOLFSSL_ERROR_WANT_READ && native != WOLFSSL_ERROR_ZERO_RETURN)
        client->failure = native;
}

void tls_client_step(tls_client *client)
{
    int ret;

    if (client->done || client->failure != 0)
        return;
    ret = wolfSSL_connect(client->ssl);
    if (ret == WOLFSSL_SUCCESS)
        client->done = true;
    else
        note(client, ret);
}

size_t tls_client_read(tls_client *client, uint8_t *out, size_t cap)
{
    int ret = wolfSSL_read(client->ssl, out, (int)cap);

    if (ret > 0)
        return (size_t)ret;
    note(client, ret);
    return 0;
}

void tls_client_write(tls_client *client, const void *bytes, size_t len)
{
    LR_CHECK(wolfSSL_write(client->ssl, bytes, (int)len) == (int)len);
}

void tls_client_update_keys(tls_client *client, bool ask_back)
{
    /* wolfSSL asks back unless it answers a request or waits for an answer of its own. */
    client->ssl->keys.keyUpdateRespond = !ask_back;
    client->ssl->keys.updateResponseReq = 0;
    must(wolfSSL_update_keys(client->ssl));
}

void tls_client_close(tls_client *client)
{
    (void)wolfSSL_shutdown(client->ssl);
}

void tls_client_alert(tls_client *client, int level, int alert)
{
    LR_CHECK(SendAlert(client->ssl, level, alert) == 0);
}

void tls_client_seal(tls_client *client, uint8_t type, const void *bytes, size_t len)
{
    enum { ROOM = 512 };
    size_t cap = len + ROOM;
    uint8_t *record = malloc(cap);
    int size;

    LR_CHECK(record != NULL);
    if (wolfSSL_version(client->ssl) == LR_TLS_1_3)
        size = BuildTls13Message(client->ssl, record, (int)cap, bytes, (int)len, type, 0, 0, 0);
    else
        size =
            BuildMessage(client->ssl, record, (int)cap, bytes, (int)len, type, 0, 0, 0, CUR_ORDER);
    LR_CHECK(size > 0);
    tls_bytes_add(&client->out, record, (size_t)size);
    free(record);
}

int tls_client_alert_seen(tls_client *client)
{
    WOLFSSL_ALERT_HISTORY history = {{-1, -1}, {-1, -1}};
    uint8_t plain[16384];

    if (!client->done)
        tls_client_step(client);
    while (client->done && tls_client_read(client, plain, sizeof(plain)) > 0)
        ;
    LR_CHECK(wolfSSL_get_alert_history(client->ssl, &history) == WOLFSSL_SUCCESS);
    return history.last_rx.code;
}

size_t tls_record_size(const uint8_t *bytes, size_t len)
{
    size_t size;

    if (len < 5)
        return 0;
    size = 5 + ((size_t)bytes[3] << 8 | bytes[4]);
    return size <= len ? size : 0;
}

uint32_t tls_record_count(const tls_bytes *stream)
{
    uint32_t count = 0;
    size_t at = 0, size;

    while ((size = tls_record_size(stream->bytes + at, stream->len - at)) != 0) {
        at += size;
        count++;
    }
    LR_CHECK(at == stream->len);
    return count;
}
