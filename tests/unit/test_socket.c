/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include "core/io/address.h"
#include "core/io/socket.h"
#include "core/io/uring_refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

typedef union any_address {
    struct sockaddr address;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage storage;
} any_address;

static any_address loopback(void)
{
    any_address a = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};

    return a;
}

static lr__listen_options options_for(const any_address *a)
{
    lr__listen_options options = {.address = &a->address,
                                  .address_len = a->address.sa_family == AF_INET ? sizeof(a->in)
                                                                                 : sizeof(a->in6),
                                  .backlog = 16,
                                  .incoming_cpu = -1};

    return options;
}

static int option_of(int sock, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(sock, level, name, &value, &len), 0);
    return value;
}

static any_address name_of(int sock)
{
    any_address a;
    socklen_t len;

    assert_int_equal(lr__real_sock_name(NULL, sock, false, &a.storage, &len), 0);
    return a;
}

static int connect_to(const any_address *a, socklen_t len)
{
    int sock = socket(a->address.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(sock >= 0);
    assert_int_equal(connect(sock, &a->address, len), 0);
    return sock;
}

static void a_listener_is_set_up(void **state)
{
    any_address a = loopback();
    lr__listen_options options = options_for(&a);
    int sock, peer, accepted;

    (void)state;
    options.share_port = true;
    options.incoming_cpu = 0;
    sock = lr__socket_listen(&options);
    assert_true(sock >= 0);
    assert_true(fcntl(sock, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(sock, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(option_of(sock, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(option_of(sock, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(option_of(sock, SOL_SOCKET, SO_REUSEPORT), 1);
    assert_int_equal(option_of(sock, SOL_SOCKET, SO_INCOMING_CPU), 0);
    assert_int_not_equal(name_of(sock).in.sin_port, 0);

    assert_int_equal(lr__socket_accept(sock, false), -EAGAIN);
    a = name_of(sock);
    peer = connect_to(&a, sizeof(a.in));
    accepted = lr__socket_accept(sock, false);
    assert_true(accepted >= 0);
    assert_int_not_equal(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 0); /* inherited */
    assert_false(fcntl(accepted, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(accepted, F_GETFD) & FD_CLOEXEC);
    close(accepted);
    close(peer);
    close(sock);
}

static void ports_are_shared_only_if_asked(void **state)
{
    any_address a = loopback();
    lr__listen_options options = options_for(&a);
    int one, two;

    (void)state;
    options.share_port = true;
    one = lr__socket_listen(&options);
    assert_true(one >= 0);
    a = name_of(one);
    two = lr__socket_listen(&options);
    assert_true(two >= 0);
    assert_int_equal(lr__socket_probe(&a.address, sizeof(a.in)), -EADDRINUSE);
    options.exclusive = true;
    assert_int_equal(lr__socket_listen(&options), -EADDRINUSE);
    options.exclusive = options.share_port = false;
    assert_int_equal(lr__socket_listen(&options), -EADDRINUSE);
    close(one);
    close(two);
    assert_int_equal(lr__socket_probe(&a.address, sizeof(a.in)), 0);
    options.share_port = options.exclusive = true;
    one = lr__socket_listen(&options);
    assert_true(one >= 0);
    close(one);
}

static void a_closed_connection_does_not_hold_the_port(void **state)
{
    any_address a = loopback();
    lr__listen_options options = options_for(&a);
    int sock = lr__socket_listen(&options), peer, accepted;

    (void)state;
    assert_true(sock >= 0);
    a = name_of(sock);
    peer = connect_to(&a, sizeof(a.in));
    accepted = lr__socket_accept(sock, true);
    assert_true(accepted >= 0);
    assert_true(fcntl(accepted, F_GETFL) & O_NONBLOCK);
    close(accepted); /* first: TIME_WAIT is on this side */
    close(peer);
    close(sock);
    assert_int_equal(lr__socket_probe(&a.address, sizeof(a.in)), 0);
    sock = lr__socket_listen(&options);
    assert_true(sock >= 0);
    close(sock);
}

static void the_any_address_serves_both_families(void **state)
{
    any_address any = {.in6 = {.sin6_family = AF_INET6}}, four = loopback();
    lr__listen_options options = options_for(&any);
    int sock = lr__socket_listen(&options), peer;

    (void)state;
    assert_true(sock >= 0);
    any = name_of(sock);
    four.in.sin_port = any.address.sa_family == AF_INET ? any.in.sin_port : any.in6.sin6_port;
    peer = connect_to(&four, sizeof(four.in));
    close(peer);
    if (any.address.sa_family == AF_INET6) {
        any.in6.sin6_addr = in6addr_loopback;
        peer = connect_to(&any, sizeof(any.in6));
        close(peer);
    }
    close(sock);
}

static void errors_are_told(void **state)
{
    any_address a = loopback();
    lr__listen_options options = options_for(&a);
    struct sockaddr_storage name;
    socklen_t len;

    (void)state;
    a.in.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, TEST-NET-1: not ours */
    assert_int_equal(lr__socket_listen(&options), -EADDRNOTAVAIL);
    a = loopback();
    a.address.sa_family = 250;
    assert_int_equal(lr__socket_listen(&options), -EAFNOSUPPORT);
    assert_int_equal(lr__socket_accept(-1, false), -EBADF);
    assert_int_equal(lr__real_sock_name(NULL, -1, true, &name, &len), -EBADF);
    assert_int_equal(lr__real_shutdown_write(NULL, -1), -EBADF);
    assert_true(lr__socket_accept_is_transient(ECONNABORTED));
    assert_true(lr__socket_accept_is_transient(EINTR));
    assert_false(lr__socket_accept_is_transient(EMFILE));
    assert_false(lr__socket_accept_is_transient(EBADF));
    assert_false(lr__socket_accept_is_transient(EPERM)); /* a policy, which would refuse for ever */
}

static void no_linger_means_reset(void **state)
{
    any_address a = loopback();
    lr__listen_options options = options_for(&a);
    int sock = lr__socket_listen(&options), peer, accepted;
    char byte;

    (void)state;
    a = name_of(sock);
    peer = connect_to(&a, sizeof(a.in));
    accepted = lr__socket_accept(sock, false);
    lr__socket_linger_none(accepted);
    close(accepted);
    assert_int_equal(recv(peer, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(peer);
    close(sock);
}

static void assert_says(int sys, const lr__uring_facts *facts, const char *text)
{
    lr_error err;

    assert_int_equal(lr__uring_explain(&err, "setup", sys, facts), LR_ERING);
    assert_int_equal(err.status, LR_ERING);
    assert_int_equal(err.sys, sys);
    if (!strstr(err.text, text) || strlen(err.text) >= sizeof(err.text) - 1)
        fail_msg("\"%s\" does not say \"%s\" or is cut", err.text, text);
    assert_non_null(strstr(err.text, "6.8.0-45-generic-with-long-name")); /* nothing is cut */
}

static void a_refusal_names_its_setting(void **state)
{
    lr__uring_facts f = {.release = "6.8.0-45-generic-with-long-name",
                         .disabled = 0,
                         .group = -1,
                         .seccomp = 0,
                         .memlock_kb = 64,
                         .nofile = 1024};

    (void)state;
    assert_says(EPERM, &f, "LSM");
    f.disabled = 2;
    assert_says(EPERM, &f, "kernel.io_uring_disabled=2");
    f.seccomp = 2;
    assert_says(EPERM, &f, "kernel.io_uring_disabled=2"); /* the sysctl alone is enough */
    f.seccomp = 0;
    f.disabled = 1;
    f.group = 1000;
    assert_says(EPERM, &f, "kernel.io_uring_disabled=1; set it to 0, or join group 1000");
    f.disabled = 0;
    f.seccomp = 2;
    assert_says(EPERM, &f, "seccomp filter active (kernel.io_uring_disabled=0)");
    assert_says(ENOSYS, &f, "seccomp filter active");
    f.seccomp = 0;
    assert_says(ENOSYS, &f, "built without");
    assert_says(EINVAL, &f, "6.1");
    assert_says(EOPNOTSUPP, &f, "6.1");
    assert_says(ENOMEM, &f, "RLIMIT_MEMLOCK is 64 KB");
    f.memlock_kb = UINT64_MAX;
    assert_says(ENOMEM, &f, "no memory");
    assert_says(EMFILE, &f, "RLIMIT_NOFILE is 1024");
    assert_says(ENFILE, &f, "fs.file-max");
    assert_says(EIO, &f, "EIO in setup");
    assert_int_equal(lr__uring_explain(NULL, "setup", EPERM, &f), LR_ERING);
}

static void facts_are_read_from_the_system(void **state)
{
    lr__uring_facts f;

    (void)state;
    lr__uring_facts_read(&f);
    assert_int_not_equal(f.release[0], '\0');
    assert_in_range(f.seccomp, 0, 2);
    assert_true(f.nofile > 0);
}

/* A filter of the kind that containers bring: io_uring_setup answers EPERM. */
static void refuse_io_uring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

static void the_probe_finds_a_seccomp_filter(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        lr_error err = {0};

        refuse_io_uring();
        if (lr__backend_probe_uring(&err) != LR_ERING || err.sys != EPERM ||
            !strstr(err.text, "EPERM") || lr__backend_probe_epoll(&err) != LR_OK)
            _exit(1);
        _exit(strstr(err.text, "seccomp filter active") ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Paths */

typedef struct place {
    char folder[32], path[48];
    any_address address;
    lr__listen_options options;
} place;

static void place_init(place *p)
{
    socklen_t len;

    (void)snprintf(p->folder, sizeof(p->folder), "/tmp/lockring-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    (void)snprintf(p->path, sizeof(p->path), "%s/socket", p->folder);
    assert_int_equal(lr__address_unix(p->path, &p->address.storage, &len, NULL), LR_OK);
    p->options = (lr__listen_options){.address = &p->address.address,
                                      .address_len = len,
                                      .backlog = 4,
                                      .share_port = true,
                                      .exclusive = true,
                                      .incoming_cpu = 0};
}

static void place_fini(place *p)
{
    assert_int_equal(rmdir(p->folder), 0); /* nothing was left in it */
}

static void a_path_is_bound_and_left(void **state)
{
    mode_t mask = umask(0027);
    struct stat status;
    place p;
    int sock, copy, peer;

    (void)state;
    place_init(&p);
    assert_int_equal(lr__socket_probe(p.options.address, p.options.address_len), 0);
    sock = lr__socket_listen(&p.options);
    umask(mask);
    assert_true(sock >= 0);
    assert_int_equal(stat(p.path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0750);
    assert_true(fcntl(sock, F_GETFL) & O_NONBLOCK);

    copy = lr__real_listen_dup(NULL, sock);
    assert_true(copy >= 0 && copy != sock);
    assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
    close(sock);
    assert_int_equal(lr__socket_listen(&p.options), -EADDRINUSE); /* the copy listens */
    assert_int_equal(lr__socket_probe(p.options.address, p.options.address_len), -EADDRINUSE);
    lr__socket_unlink(p.options.address, p.options.address_len);
    assert_int_equal(access(p.path, F_OK), 0); /* nor is it removed under it */
    peer = connect_to(&p.address, p.options.address_len);
    close(peer);
    close(copy);
    assert_int_equal(access(p.path, F_OK), 0);
    lr__socket_unlink(p.options.address, p.options.address_len);
    assert_int_equal(access(p.path, F_OK), -1);
    lr__socket_unlink(p.options.address, p.options.address_len);
    place_fini(&p);
}

static void a_stale_path_is_bound_again(void **state)
{
    place p;
    int sock;

    (void)state;
    place_init(&p);
    for (int i = 0; i < 3; i++) {
        sock = lr__socket_listen(&p.options);
        assert_true(sock >= 0);
        close(sock); /* as when a process dies: the file stays */
        assert_int_equal(access(p.path, F_OK), 0);
        assert_int_equal(lr__socket_probe(p.options.address, p.options.address_len), 0);
    }
    lr__socket_unlink(p.options.address, p.options.address_len);
    place_fini(&p);
}

/* A live one whose queue is full is live. */
static void a_busy_path_is_not_taken(void **state)
{
    int peers[3] = {-1, -1, -1}, sock;
    place p;

    (void)state;
    place_init(&p);
    p.options.backlog = 1;
    sock = lr__socket_listen(&p.options);
    assert_true(sock >= 0);
    for (int i = 0; i < 2; i++)
        peers[i] = connect_to(&p.address, p.options.address_len);
    assert_int_equal(lr__socket_listen(&p.options), -EADDRINUSE);
    assert_int_equal(access(p.path, F_OK), 0);
    close(sock);
    close(peers[0]);
    close(peers[1]);
    lr__socket_unlink(p.options.address, p.options.address_len);
    place_fini(&p);
}

static void only_sockets_are_removed(void **state)
{
    char target[64];
    place p;
    int fd;

    (void)state;
    place_init(&p);
    fd = open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* connect(2) says ECONNREFUSED */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(lr__socket_listen(&p.options), -EADDRINUSE);
    assert_int_equal(lr__socket_probe(p.options.address, p.options.address_len), -EADDRINUSE);
    lr__socket_unlink(p.options.address, p.options.address_len);
    assert_int_equal(unlink(p.path), 0); /* it is still there */
    assert_int_equal(mkdir(p.path, 0700), 0);
    assert_int_equal(lr__socket_listen(&p.options), -EADDRINUSE);
    assert_int_equal(rmdir(p.path), 0);

    (void)snprintf(target, sizeof(target), "%s/stale", p.folder); /* a link to a stale socket */
    fd = lr__socket_listen(&p.options);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(rename(p.path, target), 0);
    assert_int_equal(symlink(target, p.path), 0);
    assert_int_equal(lr__socket_listen(&p.options), -EADDRINUSE);
    assert_int_equal(unlink(p.path), 0);
    assert_int_equal(unlink(target), 0);
    place_fini(&p);
    assert_int_equal(lr__socket_listen(&p.options), -ENOENT);
}

static void an_abstract_name_has_no_file(void **state)
{
    struct sockaddr_storage address;
    char name[48];
    lr__listen_options options = {.address = (const struct sockaddr *)(const void *)&address,
                                  .backlog = 1,
                                  .incoming_cpu = -1};
    int sock;

    (void)state;
    (void)snprintf(name, sizeof(name), "@lockring-test-%ld", (long)getpid());
    assert_int_equal(lr__address_unix(name, &address, &options.address_len, NULL), LR_OK);
    sock = lr__socket_listen(&options);
    assert_true(sock >= 0);
    assert_int_equal(lr__socket_listen(&options), -EADDRINUSE);
    assert_int_equal(lr__socket_probe(options.address, options.address_len), -EADDRINUSE);
    close(sock);
    lr__socket_unlink(options.address, options.address_len);
    sock = lr__socket_listen(&options);
    assert_true(sock >= 0);
    close(sock);
}

static void a_socket_to_connect(void **state)
{
    any_address a = loopback();
    lr__listen_options options = options_for(&a);
    int listener = lr__socket_listen(&options), sock;

    (void)state;
    a = name_of(listener);
    for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
        sock = lr__socket_open(AF_INET, nonblocking);
        assert_true(sock >= 0);
        assert_int_not_equal(option_of(sock, IPPROTO_TCP, TCP_NODELAY), 0);
        assert_true(fcntl(sock, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(lr__socket_connect(sock, &a.address, sizeof(a.in)), -EINPROGRESS);
        assert_int_equal(!(fcntl(sock, F_GETFL) & O_NONBLOCK), !nonblocking);
        close(sock);
    }
    close(listener);
    assert_int_equal(lr__socket_open(12345, false), -EAFNOSUPPORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_is_set_up),
        cmocka_unit_test(ports_are_shared_only_if_asked),
        cmocka_unit_test(a_closed_connection_does_not_hold_the_port),
        cmocka_unit_test(the_any_address_serves_both_families),
        cmocka_unit_test(errors_are_told),
        cmocka_unit_test(no_linger_means_reset),
        cmocka_unit_test(a_path_is_bound_and_left),
        cmocka_unit_test(a_stale_path_is_bound_again),
        cmocka_unit_test(a_busy_path_is_not_taken),
        cmocka_unit_test(only_sockets_are_removed),
        cmocka_unit_test(an_abstract_name_has_no_file),
        cmocka_unit_test(a_socket_to_connect),
        cmocka_unit_test(a_refusal_names_its_setting),
        cmocka_unit_test(facts_are_read_from_the_system),
        cmocka_unit_test(the_probe_finds_a_seccomp_filter),
    };

    alarm(60);
    return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
