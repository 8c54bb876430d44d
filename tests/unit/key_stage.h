/* SPDX-License-Identifier: MIT */
/* key_stage.h: a store of ticket keys with one thread in the place of all workers, its clock and
 * its generator. */
#ifndef LR_TESTS_UNIT_KEY_STAGE_H
#define LR_TESTS_UNIT_KEY_STAGE_H

#include "core/run/key_store.h"

#include "core/base/current.h"
#include "support.h"

#define SECOND UINT64_C(1000000000)
#define HOUR (3600 * SECOND)

enum { PLACES = 3 };

/* A generator that can be told to fail. */
typedef struct key_world {
    lr__current current;
    uint64_t seed;
    bool fails;
    void (*during)(void); /* called once, while bytes are drawn; null: nothing */
} key_world;

extern key_world world;
extern lr__key_store *store;
extern char logged[4096];
extern uint64_t now_ns;
extern lr_error err;

int enter_world(void **state);
int leave_world(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_world, leave_world)

void open_with(uint64_t period_ns, uint64_t keep_ns);
/* A store of which `count` places are in use, without a schedule; retired keys open for 100 s. */
void begin(uint32_t count);
void end(void);
void adopt(uint32_t place);
void adopt_all(uint32_t count); /* until there is no more news */

lr_status rotate(void);
lr_status give(const lr_ticket_keys *keys);
lr_ticket_keys *list_of(uint32_t count, uint8_t seed); /* of a program's, the first is current */

/* What a place seals with now, and what it opens with. */
void current_key(uint32_t place, uint8_t out[LR_TICKET_KEY_SIZE]);
void next_key(uint32_t place, uint8_t out[LR_TICKET_KEY_SIZE]);
bool seals_with(uint32_t place, const uint8_t *key);
bool opens_with(uint32_t place, const uint8_t *key);
uint64_t generation(void);

#endif
