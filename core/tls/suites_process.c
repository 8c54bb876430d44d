/* SPDX-License-Identifier: MIT */
/* core/tls/suites_process.c: the list of suites that a process gives to contexts without one.
 *
 * Set by the program, or else by whoever started it through LOCKRING_CIPHERS. It is read when a
 * context is made, never later, so a mutex is all it needs. */
#include "core/tls/suites.h"

#include "core/base/mem.h"
#include "core/base/status.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *process_list; /* a heap block, or null */

lr_status lr_ciphers_default_set(const char *list, lr_error *err)
{
    const lr__suite_rules rules = {"lr_ciphers_default_set", true, true};
    uint16_t suites[LR__SUITE_LIST_MAX];
    uint32_t count;
    char *copy = NULL, *before;

    if (list) {
        LR_TRY(lr__suites_parse(list, &rules, suites, &count, err));
        copy = lr__strndup(list, strlen(list));
        if (!copy)
            return lr__fail(err, LR_ENOMEM, "lr_ciphers_default_set: out of memory");
    }
    (void)pthread_mutex_lock(&lock);
    before = process_list;
    process_list = copy;
    (void)pthread_mutex_unlock(&lock);
    lr__free(before);
    return LR_OK;
}

lr_status lr__suites_process_default(char **list, const char **name, lr_error *err)
{
    /* A program that runs with more rights than its caller does not listen to its environment. */
    const char *told = secure_getenv("LOCKRING_CIPHERS");
    lr_status status = LR_OK;

    *list = NULL;
    *name = "lr_ciphers_default_set";
    (void)pthread_mutex_lock(&lock);
    if (process_list) {
        *list = lr__strndup(process_list, strlen(process_list));
        if (!*list)
            status = LR_ENOMEM;
    }
    (void)pthread_mutex_unlock(&lock);
    if (!*list && status == LR_OK && told && *told != '\0') {
        *name = "LOCKRING_CIPHERS";
        *list = lr__strndup(told, strlen(told));
        if (!*list)
            status = LR_ENOMEM;
    }
    return status == LR_OK ? LR_OK : lr__fail(err, status, "ciphers: out of memory");
}
