/* SPDX-License-Identifier: MIT */
#include "core/base/mailbox.h"

#include "core/base/compiler.h"
#include "core/base/mem.h"
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { SENDERS = 4, LETTERS = 20000 };

typedef struct letter {
    lr__message message;
    uint32_t sender, number;
} letter;

static void do_nothing(lr__message *message)
{
    (void)message;
}

/* Posts into a box that is open; was it the first? */
static bool post_first(lr__mailbox *box, lr__message *message)
{
    bool first = false;

    if (!lr__mailbox_post(box, message, &first))
        abort();
    return first;
}

static letter *letter_of(lr__message *message)
{
    return LR_CONTAINER_OF(message, letter, message);
}

static void new_mailbox_is_empty(void **state)
{
    lr__mailbox box;

    (void)state;
    lr__mailbox_init(&box);
    assert_null(lr__mailbox_take(&box));
}

static void only_the_first_post_asks_for_a_wake_up(void **state)
{
    letter letters[3] = {
        {{NULL, do_nothing}, 0, 0}, {{NULL, do_nothing}, 0, 1}, {{NULL, do_nothing}, 0, 2}};
    lr__mailbox box;

    (void)state;
    lr__mailbox_init(&box);
    assert_true(post_first(&box, &letters[0].message));
    assert_false(post_first(&box, &letters[1].message));
    assert_non_null(lr__mailbox_take(&box));
    assert_true(post_first(&box, &letters[2].message));
    assert_non_null(lr__mailbox_take(&box));
}

static void messages_arrive_in_order_and_once(void **state)
{
    letter letters[5];
    lr__mailbox box;
    lr__message *message;

    (void)state;
    lr__mailbox_init(&box);
    for (uint32_t i = 0; i < 5; i++) {
        letters[i] = (letter){{&letters[0].message, do_nothing}, 0, i}; /* next holds anything */
        (void)post_first(&box, &letters[i].message);
    }
    message = lr__mailbox_take(&box);
    for (uint32_t i = 0; i < 5; i++) {
        assert_non_null(message);
        assert_int_equal(letter_of(message)->number, i);
        message = message->next;
    }
    assert_null(message);
    assert_null(lr__mailbox_take(&box));
}

static void post_again(lr__message *message)
{
    letter_of(message)->number++;
}

static void message_may_be_posted_again_while_it_is_delivered(void **state)
{
    letter one = {{NULL, post_again}, 0, 0};
    lr__mailbox box;

    (void)state;
    lr__mailbox_init(&box);
    (void)post_first(&box, &one.message);
    for (uint32_t i = 1; i <= 3; i++) {
        lr__message *message = lr__mailbox_take(&box);

        assert_ptr_equal(message, &one.message);
        assert_null(message->next);
        message->deliver(message);
        assert_int_equal(one.number, i);
        assert_true(post_first(&box, message));
    }
}

static lr__mailbox shared_box;
static atomic_uint wake_ups;
static atomic_uint lost; /* letters that the heap did not give */

static void *send_all(void *arg)
{
    for (uint32_t i = 0; i < LETTERS; i++) {
        letter *one = lr__alloc(sizeof *one);

        if (!one) {
            atomic_fetch_add(&lost, 1);
            continue;
        }
        *one = (letter){{NULL, do_nothing}, (uint32_t)(uintptr_t)arg, i};
        if (post_first(&shared_box, &one->message))
            atomic_fetch_add_explicit(&wake_ups, 1, memory_order_relaxed);
    }
    return NULL;
}

/* Four senders, one owner. Each sender's letters come in order, none is lost, the owner may free
 * what it took, and there was one wake-up for each time that the box was found filled. */
static void senders_do_not_disturb_each_other(void **state)
{
    uint32_t expected[SENDERS] = {0}, filled = 0, received = 0;
    pthread_t threads[SENDERS];

    (void)state;
    lr__mailbox_init(&shared_box);
    for (uintptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, (void *)i), 0);
    while (received < SENDERS * LETTERS) {
        lr__message *message = lr__mailbox_take(&shared_box);

        if (!message) {
            sched_yield();
            continue;
        }
        filled++;
        while (message) {
            letter *one = letter_of(message);

            message = message->next;
            assert_in_range(one->sender, 0, SENDERS - 1);
            assert_int_equal(one->number, expected[one->sender]);
            expected[one->sender]++;
            received++;
            lr__free(one);
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(lr__mailbox_take(&shared_box));
    assert_int_equal(lost, 0);
    assert_int_equal(wake_ups, filled);
}

static lr__mailbox signal_box;
static letter signal_letters[100];
static volatile sig_atomic_t signal_count;

static void post_from_signal(int number)
{
    (void)number;
    (void)post_first(&signal_box, &signal_letters[signal_count].message);
    signal_count++;
}

static void signal_handler_may_post(void **state)
{
    lr__message *message;
    uint32_t count = 0;

    (void)state;
    lr__mailbox_init(&signal_box);
    signal(SIGUSR1, post_from_signal);
    for (uint32_t i = 0; i < LR_ARRAY_COUNT(signal_letters); i++) {
        signal_letters[i] = (letter){{NULL, do_nothing}, 0, i};
        raise(SIGUSR1);
    }
    signal(SIGUSR1, SIG_DFL);
    for (message = lr__mailbox_take(&signal_box); message; message = message->next)
        assert_int_equal(letter_of(message)->number, count++);
    assert_int_equal(count, LR_ARRAY_COUNT(signal_letters));
}

static void a_closed_box_gives_what_it_had_and_takes_nothing(void **state)
{
    letter letters[3] = {
        {{NULL, do_nothing}, 0, 0}, {{NULL, do_nothing}, 0, 1}, {{NULL, do_nothing}, 0, 2}};
    lr__mailbox box;
    lr__message *message;
    bool first;

    (void)state;
    lr__mailbox_init(&box);
    assert_true(post_first(&box, &letters[0].message));
    assert_false(post_first(&box, &letters[1].message));
    message = lr__mailbox_close(&box);
    assert_ptr_equal(message, &letters[0].message);
    assert_ptr_equal(message->next, &letters[1].message);
    assert_null(message->next->next);
    assert_false(lr__mailbox_post(&box, &letters[2].message, &first));
    assert_null(lr__mailbox_close(&box));
    lr__mailbox_init(&box);
    assert_true(post_first(&box, &letters[2].message));
    assert_non_null(lr__mailbox_take(&box));
}

static lr__mailbox closing_box;
static atomic_uint taken_in;

static void *send_until_closed(void *arg)
{
    bool first;

    (void)arg;
    for (;;) {
        letter *one = lr__alloc(sizeof *one);

        if (!one)
            continue;
        *one = (letter){{NULL, do_nothing}, 0, 0};
        if (!lr__mailbox_post(&closing_box, &one->message, &first)) {
            lr__free(one);
            return NULL;
        }
        atomic_fetch_add_explicit(&taken_in, 1, memory_order_relaxed);
    }
}

static uint32_t count_and_free(lr__message *message)
{
    uint32_t count = 0;

    while (message) {
        letter *one = letter_of(message);

        message = message->next;
        lr__free(one);
        count++;
    }
    return count;
}

/* What a sender was told is taken is delivered, however the closing falls. */
static void nothing_is_lost_between_post_and_close(void **state)
{
    pthread_t threads[SENDERS];

    (void)state;
    for (uint32_t round = 0; round < 50; round++) {
        uint32_t got = 0;

        lr__mailbox_init(&closing_box);
        atomic_store(&taken_in, 0);
        for (int i = 0; i < SENDERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, send_until_closed, NULL), 0);
        while (got < 100)
            got += count_and_free(lr__mailbox_take(&closing_box));
        got += count_and_free(lr__mailbox_close(&closing_box));
        for (int i = 0; i < SENDERS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(got, taken_in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_mailbox_is_empty),
        cmocka_unit_test(only_the_first_post_asks_for_a_wake_up),
        cmocka_unit_test(messages_arrive_in_order_and_once),
        cmocka_unit_test(message_may_be_posted_again_while_it_is_delivered),
        cmocka_unit_test(senders_do_not_disturb_each_other),
        cmocka_unit_test(signal_handler_may_post),
        cmocka_unit_test(a_closed_box_gives_what_it_had_and_takes_nothing),
        cmocka_unit_test(nothing_is_lost_between_post_and_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
