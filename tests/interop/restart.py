#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""restart.py BIN: a restart without a gap, as docs/operating.md tells it: the new lockring-serve
shares the port, the old one gets SIGTERM. Clients that make a new connection for each request see
none of ten restarts, on either ring. It runs in a network of its own, where tcp_migrate_req is on:
without it the kernel resets a client whose TCP handshake is under way when a socket that listens is
closed, whoever closes it. Exit 77: there is no making such a network here."""

import fcntl
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading

PATIENCE_S = 60
CLIENTS = 8
RESTARTS = 10
BETWEEN = 16  # requests between two restarts
REQUEST = b"GET /bytes/1000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Clients:
    def __init__(self, port):
        self.port = port
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.answers = threading.Semaphore(0)
        self.over = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.over.is_set():
            try:
                self.ask()
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
            self.answers.release()

    def ask(self):
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        with self.context.wrap_socket(raw, suppress_ragged_eofs=False) as tls:
            tls.sendall(REQUEST)
            answer = b""
            while piece := tls.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and len(body) == 1000, answer[:300]

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)


def start(binary, ring, port):
    """The server and its port; what it says if it does not listen stands on standard error."""
    server = subprocess.Popen([binary, "--listen", f"127.0.0.1:{port}", "--share-port", "--ring",
                               ring], stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    if not line.startswith("listening on "):
        server.stdout.close()
        raise AssertionError(f"no start: exit status {server.wait(PATIENCE_S)}")
    return server, int(line.split(":")[1].split()[0])


def stop(server):
    server.send_signal(signal.SIGTERM)
    server.stdout.close()
    status = server.wait(PATIENCE_S)
    return f"exit status {status}" if status != 0 else ""


def restart_often(binary, ring):
    """What went wrong."""
    wrong = []
    server, port = start(binary, ring, 0)
    clients = Clients(port)
    try:
        for _ in range(RESTARTS):
            for _ in range(BETWEEN):
                assert clients.answers.acquire(timeout=PATIENCE_S), "no answers"
            new, _ = start(binary, ring, port)
            wrong.append(stop(server))
            server = new
    except AssertionError as error:
        wrong.append(str(error))
    finally:
        clients.end()
        wrong.append(stop(server))
    return clients.failures + [text for text in wrong if text]


def own_network():
    """Loopback is up, and what a listener leaves goes to the next one."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS
    with open("/proc/sys/net/ipv4/tcp_migrate_req", "w", encoding="ascii") as setting:
        setting.write("1\n")


def main():
    if len(sys.argv) == 2:
        # As another user one has to be root of one's own users too, and the rings count then.
        inside = ["unshare", *(["--map-root-user"] if os.geteuid() != 0 else []), "--net"]
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode != 0:
            print("restart: unshare(1) may not make a network here")
            return 77
        return subprocess.run([*inside, sys.executable, *sys.argv, "inside"],
                              check=False).returncode
    own_network()
    failed = 0
    for ring in ("uring", "epoll"):
        wrong = restart_often(os.path.join(sys.argv[1], "lockring-serve"), ring)
        print(f"restart: ring={ring}: {wrong[:5] if wrong else 'ok'}", flush=True)
        failed += len(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
