/* SPDX-License-Identifier: MIT */
#include "core/base/list.h"

#include "support.h"

enum { ITEMS = 8 };

typedef struct item {
    int number;
    lr__list node;
} item;

static item items[ITEMS];

static int make_items(void **state)
{
    (void)state;
    for (int i = 0; i < ITEMS; i++) {
        items[i].number = i;
        lr__list_init(&items[i].node);
    }
    return 0;
}

static int number_of(lr__list *node)
{
    return LR_CONTAINER_OF(node, item, node)->number;
}

/* The list holds these numbers, in both directions. */
static void assert_holds(lr__list *head, const int *numbers, size_t count)
{
    lr__list *node = head;

    for (size_t i = 0; i < count; i++) {
        node = node->next;
        assert_ptr_not_equal(node, head);
        assert_int_equal(number_of(node), numbers[i]);
        assert_ptr_equal(node->prev->next, node);
    }
    assert_ptr_equal(node->next, head);
    assert_ptr_equal(head->prev, node);
    assert_int_equal(lr__list_is_empty(head), count == 0);
}

static void make_list(lr__list *head, int first, int count)
{
    lr__list_init(head);
    for (int i = first; i < first + count; i++)
        lr__list_append(head, &items[i].node);
}

static void new_list_is_empty(void **state)
{
    lr__list head;

    (void)state;
    lr__list_init(&head);
    assert_holds(&head, NULL, 0);
    assert_null(lr__list_pop(&head));
}

static void append_keeps_order(void **state)
{
    lr__list head;

    (void)state;
    make_list(&head, 0, 4);
    assert_holds(&head, (int[]){0, 1, 2, 3}, 4);
}

static void pop_takes_the_oldest_out(void **state)
{
    lr__list head;

    (void)state;
    make_list(&head, 0, 3);
    assert_ptr_equal(lr__list_pop(&head), &items[0].node);
    assert_true(lr__list_is_empty(&items[0].node));
    assert_holds(&head, (int[]){1, 2}, 2);
    assert_ptr_equal(lr__list_pop(&head), &items[1].node);
    assert_ptr_equal(lr__list_pop(&head), &items[2].node);
    assert_null(lr__list_pop(&head));
    assert_null(lr__list_pop(&head));
}

static void removing_twice_is_harmless(void **state)
{
    lr__list head;

    (void)state;
    make_list(&head, 0, 3);
    lr__list_remove(&items[1].node);
    lr__list_remove(&items[1].node);
    assert_holds(&head, (int[]){0, 2}, 2);
    lr__list_remove(&items[0].node);
    lr__list_remove(&items[2].node);
    lr__list_remove(&items[0].node);
    assert_holds(&head, NULL, 0);
}

static void node_knows_whether_it_is_in_a_list(void **state)
{
    lr__list head;

    (void)state;
    make_list(&head, 0, 1);
    assert_false(lr__list_is_empty(&items[0].node));
    lr__list_remove(&items[0].node);
    assert_true(lr__list_is_empty(&items[0].node));
}

static void splice_moves_all_behind_what_is_there(void **state)
{
    lr__list to, from;

    (void)state;
    make_list(&to, 0, 2);
    make_list(&from, 2, 3);
    lr__list_splice(&to, &from);
    assert_holds(&to, (int[]){0, 1, 2, 3, 4}, 5);
    assert_holds(&from, NULL, 0);
}

static void splice_of_empty_lists_changes_nothing(void **state)
{
    lr__list to, from;

    (void)state;
    make_list(&to, 0, 2);
    lr__list_init(&from);
    lr__list_splice(&to, &from);
    assert_holds(&to, (int[]){0, 1}, 2);
    lr__list_splice(&from, &to);
    assert_holds(&from, (int[]){0, 1}, 2);
    assert_holds(&to, NULL, 0);
    lr__list_init(&from);
    lr__list_splice(&to, &from);
    assert_holds(&to, NULL, 0);
}

/* Each list is also an array of numbers; operations at random must keep them equal. */
static void lists_behave_like_arrays(void **state)
{
    lr__list heads[2];
    int held[2][ITEMS];
    size_t count[2] = {0, 0};
    uint64_t seed = 1;

    (void)state;
    lr__list_init(&heads[0]);
    lr__list_init(&heads[1]);
    for (int step = 0; step < 20000; step++) {
        size_t at = support_random_below(&seed, 2);
        int number = (int)support_random_below(&seed, ITEMS);
        lr__list *node = &items[number].node;

        switch (support_random_below(&seed, 8)) {
        case 0:
            memcpy(&held[at][count[at]], held[1 - at], count[1 - at] * sizeof(int));
            count[at] += count[1 - at];
            count[1 - at] = 0;
            lr__list_splice(&heads[at], &heads[1 - at]);
            break;
        case 1:
        case 2:
            node = lr__list_pop(&heads[at]);
            assert_int_equal(node == NULL, count[at] == 0);
            if (node) {
                assert_int_equal(number_of(node), held[at][0]);
                memmove(held[at], held[at] + 1, --count[at] * sizeof(int));
            }
            break;
        default:
            for (size_t l = 0; l < 2; l++) {
                size_t kept = 0;

                for (size_t i = 0; i < count[l]; i++) {
                    if (held[l][i] != number)
                        held[l][kept++] = held[l][i];
                }
                count[l] = kept;
            }
            lr__list_remove(node);
            held[at][count[at]++] = number;
            lr__list_append(&heads[at], node);
        }
        assert_holds(&heads[0], held[0], count[0]);
        assert_holds(&heads[1], held[1], count[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(new_list_is_empty, make_items),
        cmocka_unit_test_setup(append_keeps_order, make_items),
        cmocka_unit_test_setup(pop_takes_the_oldest_out, make_items),
        cmocka_unit_test_setup(removing_twice_is_harmless, make_items),
        cmocka_unit_test_setup(node_knows_whether_it_is_in_a_list, make_items),
        cmocka_unit_test_setup(splice_moves_all_behind_what_is_there, make_items),
        cmocka_unit_test_setup(splice_of_empty_lists_changes_nothing, make_items),
        cmocka_unit_test_setup(lists_behave_like_arrays, make_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
