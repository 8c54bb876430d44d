/* SPDX-License-Identifier: MIT */
/* taken.c: has the other side of a TCP connection read what was sent? The kernel tells of any
 * socket of this machine through netlink (sock_diag(7)), named by its two addresses: how many bytes
 * it received, and how many of them nobody has read yet. Tests that need a message to arrive in two
 * pieces wait for that, where a sleep would only make it likely. */
#include "client.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
} request;

static bool name_end(const struct sockaddr_storage *name, __be16 *port, __be32 out[4])
{
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)name;

        *port = in->sin_port;
        out[0] = in->sin_addr.s_addr;
        return true;
    }
    if (name->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)name;

        *port = in->sin6_port;
        memcpy(out, &in->sin6_addr, 16);
        return true;
    }
    return false;
}

/* Asks for the socket at the other end of sock. */
static bool make_request(int sock, request *out)
{
    struct sockaddr_storage here, there;
    socklen_t here_len = sizeof(here), there_len = sizeof(there);

    memset(out, 0, sizeof(*out));
    out->header.nlmsg_len = sizeof(*out);
    out->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    out->header.nlmsg_flags = NLM_F_REQUEST;
    if (getsockname(sock, (struct sockaddr *)&here, &here_len) != 0 ||
        getpeername(sock, (struct sockaddr *)&there, &there_len) != 0)
        return false;
    out->body.sdiag_family = (__u8)here.ss_family;
    out->body.sdiag_protocol = IPPROTO_TCP;
    out->body.idiag_ext = 1 << (INET_DIAG_INFO - 1);
    out->body.idiag_states = ~0u;
    out->body.id.idiag_cookie[0] = out->body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return name_end(&there, &out->body.id.idiag_sport, out->body.id.idiag_src) &&
           name_end(&here, &out->body.id.idiag_dport, out->body.id.idiag_dst);
}

/* All of sent has arrived and was read; or the socket is gone. -1: the kernel does not tell. */
static int judge(const struct nlmsghdr *answer, size_t len, uint64_t sent)
{
    const struct inet_diag_msg *socket = NLMSG_DATA(answer);
    const struct rtattr *attribute = (const struct rtattr *)(socket + 1);
    size_t left;

    if (!NLMSG_OK(answer, len))
        return -1;
    if (answer->nlmsg_type == NLMSG_ERROR)
        return ((const struct nlmsgerr *)NLMSG_DATA(answer))->error == -ENOENT ? 1 : -1;
    left = answer->nlmsg_len - NLMSG_LENGTH(sizeof(*socket));
    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
        struct tcp_info info;

        if (attribute->rta_type != INET_DIAG_INFO || RTA_PAYLOAD(attribute) < sizeof(info) / 2)
            continue;
        memset(&info, 0, sizeof(info));
        memcpy(&info, RTA_DATA(attribute),
               RTA_PAYLOAD(attribute) < sizeof(info) ? RTA_PAYLOAD(attribute) : sizeof(info));
        return info.tcpi_bytes_received >= sent && socket->idiag_rqueue == 0;
    }
    return -1;
}

static uint64_t bytes_sent(int sock)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    memset(&info, 0, sizeof(info));
    if (getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return 0;
    return info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
}

bool tcp_wait_taken(int sock)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    uint64_t sent = bytes_sent(sock), until = live_now_ms() + LIVE_GUARD_S * 1000;
    int verdict = 0;
    request ask;

    if (netlink < 0)
        return false;
    if (!make_request(sock, &ask))
        verdict = -1;
    while (verdict == 0 && live_now_ms() < until) {
        union {
            struct nlmsghdr header;
            char bytes[4096];
        } answer;
        ssize_t got;

        (void)sched_yield();
        if (send(netlink, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask) ||
            (got = recv(netlink, &answer, sizeof(answer), 0)) <= 0)
            verdict = -1;
        else
            verdict = judge(&answer.header, (size_t)got, sent);
    }
    (void)close(netlink);
    return verdict == 1;
}
