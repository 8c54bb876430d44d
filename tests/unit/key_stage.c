/* SPDX-License-Identifier: MIT */
#include "key_stage.h"

key_world world;
lr__key_store *store;
static lr__log log_to;
char logged[4096];
uint64_t now_ns;
lr_error err;

static bool world_random(lr__current *current, void *out, size_t size)
{
    key_world *in = (key_world *)current;
    void (*during)(void) = in->during;

    in->during = NULL;
    if (during)
        during();

    for (size_t i = 0; i < size && !in->fails; i++)
        ((uint8_t *)out)[i] = (uint8_t)support_random(&in->seed);
    return !in->fails;
}

static int64_t world_wall(lr__current *current)
{
    (void)current;
    return 0;
}

static void on_log(lr_log_level level, const char *line, void *user)
{
    (void)user;
    (void)level;
    strncat(logged, line, sizeof(logged) - strlen(logged) - 1);
    strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

int enter_world(void **state)
{
    (void)state;
    world = (key_world){.current = {.random = world_random, .wall_ms = world_wall}, .seed = 7};
    (void)lr__current_set(&world.current);
    log_to = (lr__log){.sink = on_log, .level = LR_LOG_DEBUG};
    logged[0] = '\0';
    now_ns = 1000 * SECOND;
    return 0;
}

int leave_world(void **state)
{
    (void)state;
    (void)lr__current_set(NULL);
    return 0;
}

void open_with(uint64_t period_ns, uint64_t keep_ns)
{
    lr__key_store_options options = {
        .place_count = PLACES, .period_ns = period_ns, .keep_ns = keep_ns, .log = &log_to};

    store = lr__key_store_new(&options);
    assert_non_null(store);
}

void begin(uint32_t count)
{
    open_with(LR__KEY_NEVER, 100 * SECOND);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(lr__key_store_enter(store, i, now_ns, &err), LR_OK);
}

void end(void)
{
    for (uint32_t i = 0; i < PLACES; i++)
        (void)lr__key_store_leave(store, i);
    lr__key_store_free(store);
}

void adopt(uint32_t place)
{
    if (lr__key_store_has_news(store, place))
        (void)lr__key_store_adopt(store, place, now_ns);
}

void adopt_all(uint32_t count)
{
    bool news = true;

    while (news) {
        news = false;
        for (uint32_t i = 0; i < count; i++) {
            news |= lr__key_store_has_news(store, i);
            adopt(i);
        }
    }
}

lr_status rotate(void)
{
    bool published;

    return lr__key_store_rotate(store, now_ns, &published, &err);
}

void current_key(uint32_t place, uint8_t out[LR_TICKET_KEY_SIZE])
{
    const lr__key_set *set = lr__key_store_pin(store, place);

    memcpy(out, lr__keys_current(set->keys), LR_TICKET_KEY_SIZE);
    (void)lr__key_store_unpin(store, place, set);
}

void next_key(uint32_t place, uint8_t out[LR_TICKET_KEY_SIZE])
{
    const lr__key_set *set = lr__key_store_pin(store, place);

    assert_true(set->keys->has_next);
    memcpy(out, set->keys->keys[0], LR_TICKET_KEY_SIZE);
    (void)lr__key_store_unpin(store, place, set);
}

bool seals_with(uint32_t place, const uint8_t *key)
{
    uint8_t current[LR_TICKET_KEY_SIZE];

    current_key(place, current);
    return memcmp(current, key, sizeof(current)) == 0;
}

bool opens_with(uint32_t place, const uint8_t *key)
{
    const lr__key_set *set = lr__key_store_pin(store, place);
    bool is_current;
    const uint8_t *found = lr__key_set_find(set, key, now_ns, &is_current);

    if (found)
        assert_memory_equal(found, key, LR_TICKET_KEY_SIZE);
    (void)lr__key_store_unpin(store, place, set);
    return found != NULL;
}

uint64_t generation(void)
{
    return atomic_load(&store->current)->generation;
}

lr_ticket_keys *list_of(uint32_t count, uint8_t seed)
{
    lr_ticket_keys *keys = lr_ticket_keys_new();
    uint8_t key[LR_TICKET_KEY_SIZE];

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < LR_TICKET_KEY_SIZE; j++)
            key[j] = (uint8_t)(seed + i + j * 37);
        assert_int_equal(lr_ticket_keys_add(keys, lr_slice_of(key, sizeof(key)), &err), LR_OK);
    }
    return keys;
}

lr_status give(const lr_ticket_keys *keys)
{
    bool published;

    return lr__key_store_give(store, keys, now_ns, &published, &err);
}
