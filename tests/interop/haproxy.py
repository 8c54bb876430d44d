#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""haproxy.py BIN: HAProxy in front of lockring-serve, passing TLS through, with every kind of PROXY
header that it can send: the server sees the client's address, in /info and in the access log, and
refuses a listed sender that sends none. Exit 77: HAProxy is not installed."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

PATIENCE_S = 60
BINARY = ""
# What HAProxy puts behind "server"; it adds what it knows of its own accord.
WAYS = {
    "v1": "send-proxy",
    "v2": "send-proxy-v2",
    "crc": "send-proxy-v2 proxy-v2-options crc32c",
    "tlvs": "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority",
}


class Server:
    """lockring-serve, until the block ends; its end must be in good order."""

    def __init__(self, directory, ring, *arguments):
        self.log = os.path.join(directory, f"access.{ring}")
        command = [BINARY, "--listen", "127.0.0.1:0", "--ring", ring, "--workers", "2",
                   "--access-log", self.log, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.fullmatch(r"listening on 127.0.0.1:(\d+) .*\n", line)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.close()
        status = self.process.wait(PATIENCE_S)
        if status != 0:
            raise AssertionError(f"lockring-serve ended with {status}")


class Front:
    """HAProxy with one frontend per way, on sockets that were bound before it started: so nobody
    else has their ports, and clients may come at once."""

    def __init__(self, directory, port, host="127.0.0.1"):
        self.listeners, lines = {}, []
        for name, way in WAYS.items():
            listener = socket.create_server(
                (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
            listener.set_inheritable(True)
            self.listeners[name] = listener
            lines += [f"listen {name}", f"    bind fd@{listener.fileno()}",
                      "    unique-id-format %{+X}o%ci:%cp", f"    server s 127.0.0.1:{port} {way}"]
        path = os.path.join(directory, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(["global", "    maxconn 100", "defaults", "    mode tcp",
                                  "    timeout connect 30s", "    timeout client 60s",
                                  "    timeout server 60s", *lines]) + "\n")
        self.process = subprocess.Popen(
            ["haproxy", "-db", "-q", "-f", path],
            pass_fds=[listener.fileno() for listener in self.listeners.values()])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        for listener in self.listeners.values():
            listener.close()

    def port(self, name):
        return self.listeners[name].getsockname()[1]


def ask(host, port):
    """/info, and the address that we had."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((host, port), PATIENCE_S) as raw:
        own = raw.getsockname()
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            tls.sendall(b"GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := tls.recv(65536):
                answer += piece
    text = f"[{own[0]}]:{own[1]}" if ":" in own[0] else f"{own[0]}:{own[1]}"
    return json.loads(answer.split(b"\r\n\r\n", 1)[1]), text


class Haproxy(unittest.TestCase):
    def through(self, ring, host):
        expected = []
        with tempfile.TemporaryDirectory() as directory:
            with Server(directory, ring, "--proxy-protocol", "127.0.0.0/8") as server:
                with Front(directory, server.port, host) as front:
                    for name in WAYS:
                        with self.subTest(ring=ring, way=name):
                            info, own = ask(host, front.port(name))
                            self.assertEqual(info["remote"], own)
                            expected.append(own)
            with open(server.log, encoding="ascii") as file:
                seen = re.findall(r" remote=(\S+) method=GET target=\"/info\" status=200",
                                  file.read())
        self.assertEqual(seen, expected)

    def test_the_client_behind_haproxy_is_the_remote_one(self):
        for ring in ("uring", "epoll"):
            self.through(ring, "127.0.0.1")

    def test_a_client_of_ipv6_is_told_over_ipv4(self):
        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("no IPv6")
        self.through("epoll", "::1")

    def test_a_listed_sender_without_a_header_is_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            with Server(directory, "epoll", "--proxy-protocol", "127.0.0.0/8") as server:
                with self.assertRaises(OSError):
                    ask("127.0.0.1", server.port)

    def test_a_header_of_an_unlisted_haproxy_is_not_tls(self):
        with tempfile.TemporaryDirectory() as directory:
            with Server(directory, "epoll", "--proxy-protocol", "192.0.2.0/24") as server:
                info, own = ask("127.0.0.1", server.port)
                self.assertEqual(info["remote"], own)
                with Front(directory, server.port) as front:
                    with self.assertRaises(OSError):
                        ask("127.0.0.1", front.port("v2"))


def main():
    global BINARY
    if not shutil.which("haproxy"):
        print("haproxy: not installed: haproxy")
        return 77
    BINARY = os.path.join(sys.argv[1], "lockring-serve")
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
