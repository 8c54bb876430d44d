/* SPDX-License-Identifier: MIT */
/* Options structs at their public doors: shorter ones of older programs, longer ones of newer
 * programs, and what is no options struct at all. */
#include "support.h"

#include "core/base/compiler.h"
#include "core/base/mem.h"
#include "core/run/server.h"
#include "core/tls/rand.h"

#include <lockring/lockring.h>

#include <stdlib.h>

enum { ROOM = 4096 };

static lr_error err;
static lr_context *context;
static lr_workers *workers;

static void on_data(lr_conn *c, lr_slice bytes)
{
    (void)c, (void)bytes;
}

static const lr_handlers handlers = {LR_HANDLERS, .on_data = on_data};
static lr_server_options server_good = {LR_SERVER_OPTIONS, .handlers = &handlers};

static int enter(void **state)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
    uint8_t drawn; /* wolfSSL's archive needs the generator to be linked in */

    (void)state;
    if (lr__rand_block(&drawn, 1) != 0 || lr_context_new(&options, &context, &err) != LR_OK)
        return -1;
    server_good.context = context;
    return 0;
}

static int leave(void **state)
{
    (void)state;
    lr_context_release(context);
    return 0;
}

static int new_workers(void **state)
{
    lr_workers_options one = {LR_WORKERS_OPTIONS, .worker_count = 1, .log_level = LR_LOG_OFF};

    (void)state;
    return lr_workers_new(&one, &workers, &err) == LR_OK ? 0 : -1;
}

static int free_workers(void **state)
{
    (void)state;
    lr_workers_free(workers);
    return 0;
}

/* One public call with an options struct. Makes and frees what it makes. */
typedef lr_status (*door)(const void *options);

static lr_status context_door(const void *options)
{
    lr_context *made;
    lr_status status = lr_context_new(options, &made, &err);

    assert_true((made == NULL) == (status != LR_OK));
    lr_context_release(made);
    return status;
}

static lr_status workers_door(const void *options)
{
    lr_workers *made;
    lr_status status = lr_workers_new(options, &made, &err);

    assert_true((made == NULL) == (status != LR_OK));
    lr_workers_free(made);
    return status;
}

static lr_status server_door(const void *options)
{
    lr_server *made;
    lr_status status = lr_server_new(workers, options, &made, &err);

    assert_true((made == NULL) == (status != LR_OK));
    lr_server_free(made);
    return status;
}

static lr_status handlers_door(const void *options)
{
    lr_server_options with = {LR_SERVER_OPTIONS, .handlers = options, .context = context};

    return server_door(&with);
}

static lr_status listen_door(const void *options)
{
    lr_server_options with = {LR_SERVER_OPTIONS, .handlers = &handlers, .context = context};
    lr_server *server;
    lr_status status;

    assert_int_equal(lr_server_new(workers, &with, &server, &err), LR_OK);
    status = lr_server_listen(server, options, NULL, &err);
    lr_server_free(server);
    return status;
}

static const lr_context_options context_good = {LR_CONTEXT_OPTIONS, .self_signed = "localhost"};
static const lr_workers_options workers_good = {LR_WORKERS_OPTIONS, .worker_count = 1};
static const lr_listen_options listen_good = {LR_LISTEN_OPTIONS, .host = "127.0.0.1"};

static const struct {
    const char *name;
    door open;
    const void *good;
    size_t size;
    size_t least; /* what an older program's struct must hold to be enough */
} doors[] = {
    {"lr_context_options", context_door, &context_good, sizeof(context_good),
     offsetof(lr_context_options, version_min)},
    {"lr_workers_options", workers_door, &workers_good, sizeof(workers_good),
     offsetof(lr_workers_options, worker_count)},
    {"lr_server_options", server_door, &server_good, sizeof(server_good),
     offsetof(lr_server_options, user)},
    {"lr_handlers", handlers_door, &handlers, sizeof(handlers), sizeof(size_t)},
    {"lr_listen_options", listen_door, &listen_good, sizeof(listen_good),
     offsetof(lr_listen_options, port)},
};

/* Memory of exactly room bytes, zero behind the good options, whose size field says said. */
static uint8_t *copy_of(size_t i, size_t room, size_t said)
{
    uint8_t *copy = calloc(1, room);

    assert_non_null(copy);
    memcpy(copy, doors[i].good, doors[i].size < room ? doors[i].size : room);
    memcpy(copy, &said, room < sizeof(said) ? room : sizeof(said));
    return copy;
}

static void assert_taken(size_t i, size_t room)
{
    uint8_t *copy = copy_of(i, room, room);
    lr_status status = doors[i].open(copy);

    if (status != LR_OK)
        fail_msg("%s of %zu: %s", doors[i].name, room, err.text);
    free(copy);
}

static void assert_refused(size_t i, size_t room, size_t said)
{
    uint8_t *copy = copy_of(i, room, said);
    uint64_t live = lr__mem_read().live;

    assert_int_equal(doors[i].open(copy), LR_EOPTION);
    if (!strstr(err.text, doors[i].name))
        fail_msg("'%s' does not name %s", err.text, doors[i].name);
    assert_int_equal(lr__mem_read().live, live);
    free(copy);
}

static void options_of_this_library_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(doors); i++)
        assert_taken(i, doors[i].size);
}

static void shorter_options_of_older_programs_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(doors); i++) {
        for (size_t size = doors[i].least; size < doors[i].size; size += sizeof(uint32_t))
            assert_taken(i, size);
    }
}

static void longer_options_are_taken_if_the_rest_is_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(doors); i++) {
        assert_taken(i, doors[i].size + 1);
        assert_taken(i, doors[i].size + 8);
        assert_taken(i, ROOM);
    }
}

static void longer_options_that_ask_for_more_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(doors); i++) {
        for (size_t at = doors[i].size; at < ROOM; at += at < doors[i].size + 16 ? 1 : 997) {
            uint8_t *copy = copy_of(i, ROOM, ROOM);

            copy[at] = 1;
            assert_int_equal(doors[i].open(copy), LR_EOPTION);
            assert_non_null(strstr(err.text, doors[i].name));
            free(copy);
        }
    }
}

static void a_size_that_was_never_set_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LR_ARRAY_COUNT(doors); i++) {
        for (size_t said = 0; said < sizeof(size_t); said++)
            assert_refused(i, doors[i].size, said);
        assert_refused(i, doors[i].size, SIZE_MAX);
        assert_refused(i, doors[i].size, SIZE_MAX / 2);
    }
}

static void lr_run_checks_its_options_before_anything_else(void **state)
{
    lr_run_options options = {0};

    (void)state;
    assert_int_equal(lr_run(&options, &err), LR_EOPTION);
    assert_non_null(strstr(err.text, "lr_run_options"));
    assert_int_equal(lr_run(NULL, &err), LR_EOPTION);
    assert_non_null(strstr(err.text, "lr_run_options"));
    assert_int_equal(lr_run(&options, NULL), LR_EOPTION);
}

static void workers_need_no_options_and_servers_do(void **state)
{
    (void)state;
    assert_int_equal(workers_door(NULL), LR_OK);
    assert_int_equal(context_door(NULL), LR_EOPTION);
    assert_int_equal(handlers_door(NULL), LR_EOPTION);
}

static void assert_server_refused(lr_server_options options, const char *what)
{
    assert_int_equal(server_door(&options), LR_EOPTION);
    if (!strstr(err.text, what))
        fail_msg("'%s' does not name %s", err.text, what);
}

static void values_out_of_their_range_are_named(void **state)
{
    lr_server_options good = {LR_SERVER_OPTIONS, .handlers = &handlers, .context = context};
    lr_server_options bad = good;
    lr_workers_options many = {LR_WORKERS_OPTIONS, .worker_count = 257};

    (void)state;
    bad.handlers = NULL;
    assert_server_refused(bad, "handlers");
    bad = good;
    bad.worker_user_size = (1 << 20) + 1;
    assert_server_refused(bad, "worker_user_size");
    bad = good;
    bad.conn_user_size = 65537;
    assert_server_refused(bad, "conn_user_size");
    bad = good;
    bad.fragment_size_max = 511;
    assert_server_refused(bad, "fragment_size_max");
    bad.fragment_size_max = 16385;
    assert_server_refused(bad, "fragment_size_max");
    good.conn_user_size = 65536;
    good.fragment_size_max = 512;
    assert_int_equal(server_door(&good), LR_OK);
    assert_int_equal(workers_door(&many), LR_EOPTION);
    assert_non_null(strstr(err.text, "worker_count"));
    many = (lr_workers_options){LR_WORKERS_OPTIONS, .ring = (lr_ring_choice)9};
    assert_int_equal(workers_door(&many), LR_EOPTION);
    assert_non_null(strstr(err.text, "ring"));
}

static uint32_t handshake_timeout_with(lr_profile profile, uint32_t given)
{
    lr_context_options options = {LR_CONTEXT_OPTIONS, .self_signed = "localhost",
                                  .profile = profile};
    lr_server_options with = {LR_SERVER_OPTIONS, .handlers = &handlers,
                              .handshake_timeout_ms = given};
    lr_server *server;
    uint32_t timeout;

    assert_int_equal(lr_context_new(&options, &with.context, &err), LR_OK);
    assert_int_equal(lr_server_new(workers, &with, &server, &err), LR_OK);
    timeout = server->handshake_timeout_ms;
    lr_server_free(server);
    lr_context_release(with.context);
    return timeout;
}

static void the_profile_of_its_context_decides_a_servers_handshake_timeout(void **state)
{
    (void)state;
    assert_int_equal(handshake_timeout_with(LR_PROFILE_MODERN, 0), 10000);
    assert_int_equal(handshake_timeout_with(LR_PROFILE_NODE4, 0), 120000);
    assert_int_equal(handshake_timeout_with(LR_PROFILE_NODE4, 5000), 5000);
}

int main(void)
{
#define OPTIONS_TEST(name) cmocka_unit_test_setup_teardown(name, new_workers, free_workers)
    const struct CMUnitTest tests[] = {
        OPTIONS_TEST(options_of_this_library_are_taken),
        OPTIONS_TEST(shorter_options_of_older_programs_are_taken),
        OPTIONS_TEST(longer_options_are_taken_if_the_rest_is_zero),
        OPTIONS_TEST(longer_options_that_ask_for_more_are_refused),
        OPTIONS_TEST(a_size_that_was_never_set_is_refused),
        OPTIONS_TEST(lr_run_checks_its_options_before_anything_else),
        OPTIONS_TEST(workers_need_no_options_and_servers_do),
        OPTIONS_TEST(values_out_of_their_range_are_named),
        OPTIONS_TEST(the_profile_of_its_context_decides_a_servers_handshake_timeout),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
