/* SPDX-License-Identifier: MIT */
#include "tests/unit/ring_contract.h"

#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { TESTS_MAX = 128, NAME_MAX_LEN = 96 };

typedef struct one_run {
    const ring_contract_test *test;
    const rig_world *(*make)(void);
    void (*discard)(const rig_world *);
    char name[NAME_MAX_LEN];
} one_run;

static void run_one(void **state)
{
    one_run *run = *state;
    const rig_world *w = run->make();

    if (run->test->real_only && !w->is_real) {
        run->discard(w);
        skip();
    }
    run->test->run(w);
    run->discard(w);
}

int ring_contract_run(const char *group, const rig_world *(*make)(void),
                      void (*discard)(const rig_world *))
{
    static const ring_contract_test *const parts[] = {ring_contract_life, ring_contract_edges,
                                                      ring_contract_reach, ring_contract_files,
                                                      ring_contract_real};
    one_run *runs = calloc(TESTS_MAX, sizeof(*runs));
    struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    int failed;

    assert_non_null(runs);
    for (size_t part = 0; part < LR_ARRAY_COUNT(parts); part++) {
        for (const ring_contract_test *test = parts[part]; test->name; test++) {
            one_run *run = &runs[count];

            assert_true(count < TESTS_MAX);
            *run = (one_run){.test = test, .make = make, .discard = discard};
            snprintf(run->name, sizeof(run->name), "%s_%s", group, test->name);
            tests[count++] = (struct CMUnitTest){run->name, run_one, NULL, NULL, run};
        }
    }
    failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    free(runs);
    return failed;
}
