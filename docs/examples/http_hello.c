/* SPDX-License-Identifier: MIT */
/* http-hello: answers each request head with the same page, over TLS, with a
 * certificate made in memory. Usage: http-hello PORT, then
 * curl -k https://localhost:PORT/
 *
 * It shows a handler with a state per connection, not an HTTP server: it looks
 * for the empty line that ends a head and at nothing else, so a body would be
 * taken for more heads. proto/http1.h of the source tree is the real thing. */
#include <lockring/lockring.h>
#include <stdio.h>
#include <stdlib.h>

/* How many bytes of the end of a head were seen; zero when it begins. */
typedef struct state {
    unsigned seen;
} state;

static bool answer(lr_conn *c)
{
    return lr_conn_write(c, LR_LIT("HTTP/1.1 200 OK\r\n"
                                   "Content-Type: text/plain\r\n"
                                   "Content-Length: 6\r\n"
                                   "\r\n"
                                   "hello\n")) == LR_OK;
}

/* Heads come in any pieces, and several of them in one. */
static void on_data(lr_conn *c, lr_slice bytes)
{
    static const char end[] = "\r\n\r\n";
    state *s = lr_conn_user(c);

    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.bytes[i] == end[s->seen])
            s->seen++;
        else
            s->seen = bytes.bytes[i] == '\r';
        if (s->seen < sizeof(end) - 1)
            continue;
        s->seen = 0;
        if (!answer(c)) {
            lr_conn_abort(c, LR_OK);
            return;
        }
    }
}

static const lr_handlers handlers = {LR_HANDLERS, .on_data = on_data};

int main(int argc, char **argv)
{
    lr_error err = {LR_OK, 0, 0, 0, ""};
    lr_run_options run = {LR_RUN_OPTIONS, .handlers = &handlers, .conn_user_size = sizeof(state)};

    run.port = (uint16_t)(argc == 2 ? atoi(argv[1]) : 0);
    if (run.port != 0 && lr_run(&run, &err) == LR_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "http-hello: %s\n", run.port != 0 ? err.text : "usage: http-hello PORT");
    return EXIT_FAILURE;
}
