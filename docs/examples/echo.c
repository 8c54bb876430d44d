/* SPDX-License-Identifier: MIT */
/* tls-echo: greets every client, then returns what it sends. Usage: tls-echo
 * PORT CERT KEY */
#include <lockring/lockring.h>
#include <stdio.h>
#include <stdlib.h>

static void on_secure(lr_conn *c)
{
    if (lr_conn_write(c, LR_LIT("welcome!\n")) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

static void on_data(lr_conn *c, lr_slice bytes)
{
    /* A slow reader pauses its own connection, no other: the queue cannot
     * overflow here. */
    if (lr_conn_write(c, bytes) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

static const lr_handlers handlers = {LR_HANDLERS, .on_secure = on_secure, .on_data = on_data};

int main(int argc, char **argv)
{
    lr_error err = {LR_OK, 0, 0, 0, ""};

    if (argc != 4) {
        fprintf(stderr, "usage: tls-echo PORT CERT KEY\n");
        return EXIT_FAILURE;
    }
    lr_run_options run = {LR_RUN_OPTIONS, .port = (uint16_t)atoi(argv[1]), .cert_file = argv[2],
                          .key_file = argv[3], .handlers = &handlers};
    if (lr_run(&run, &err) ==
        LR_OK) /* workers, context, server; until SIGINT or SIGTERM, drained */
        return EXIT_SUCCESS;
    fprintf(stderr, "tls-echo: %s\n", err.text);
    return EXIT_FAILURE;
}
