/* SPDX-License-Identifier: MIT */
/* Three TLS libraries in one process: lockring serves, the system's OpenSSL and the system's
 * wolfSSL are its clients, at the same time. Usage: coexist CERT KEY */
#include "coexist.h"

#include <lockring/lockring.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static sem_t listening;
static int port;

static void on_secure(lr_conn *c)
{
    if (lr_conn_write(c, LR_LIT("welcome!\n")) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

static const lr_handlers handlers = {LR_HANDLERS, .on_secure = on_secure};

static void on_listening(const char *address, void *user)
{
    (void)user;
    port = atoi(strrchr(address, ':') + 1);
    sem_post(&listening);
}

static void *serve(void *arg)
{
    const char **files = arg;
    static lr_error err;
    lr_run_options options = {LR_RUN_OPTIONS,
                              .host = "127.0.0.1",
                              .cert_file = files[0],
                              .key_file = files[1],
                              .handlers = &handlers,
                              .worker_count = 1,
                              .on_listening = on_listening};

    if (lr_run(&options, &err) == LR_OK)
        return NULL;
    fprintf(stderr, "lockring: %s\n", err.text);
    exit(EXIT_FAILURE);
}

int connect_to(int to)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to)};
    int sock = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (sock >= 0 && connect(sock, (struct sockaddr *)&address, sizeof(address)) == 0)
        return sock;
    return -1;
}

int main(int argc, char **argv)
{
    const char *files[2];
    pthread_t server;
    int result = 0;

    if (argc != 3)
        return EXIT_FAILURE;
    files[0] = argv[1];
    files[1] = argv[2];
    sem_init(&listening, 0, 0);
    if (pthread_create(&server, NULL, serve, files) != 0)
        return EXIT_FAILURE;
    sem_wait(&listening);
    printf("lockring: %s\n", lr_version_text());
    for (int i = 0; i < 3; i++)
        result |= talk_with_openssl(port, argv[1]) | talk_with_wolfssl(port, argv[1]);
    kill(getpid(), SIGTERM);
    pthread_join(server, NULL);
    return result;
}
