#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fleet.py BIN [--full]: three lockring-serve with one file of ticket keys behind HAProxy, which
passes TLS through (mode tcp, PROXY headers of version 2) and deals connections out in turn. Clients
of TLS 1.2 and 1.3 keep their sessions and come again and again, while the keys are rotated as a
volume of Kubernetes is renewed, one server is restarted under its load and another one is killed.

No handshake may fail, and every client that has a session is resumed, whoever gave it, until the
session has been handed on too often: a key seals only after it was the next one of a file that all
have read. The clients shake hands while keys
change and while a server drains; they hold their breath only in the moment in which a server is
killed, because what that one had in its hands is lost to anybody. They are back before HAProxy
knows of it. A server with other keys resumes none of them.

On both rings. --full: longer. Exit 77: haproxy or openssl is not installed."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE_S = 60
NODES = 3
CLIENTS = 4
CHAIN = 200  # a session is resumed so often in a row, and then begins anew
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Keys:
    """The volume: ..data leads to the version that counts, and changes at once."""

    def __init__(self, tool, folder):
        self.tool, self.folder, self.version = tool, folder, 0
        os.mkdir(folder)
        os.mkdir(self.of_version())
        self.run("make", "--out", self.of_version("keys"))
        self.run("rotate", self.of_version("keys"))
        os.symlink("..v0", os.path.join(folder, "..data"))
        self.path = os.path.join(folder, "keys")
        os.symlink("..data/keys", self.path)

    def of_version(self, *names):
        return os.path.join(self.folder, f"..v{self.version}", *names)

    def run(self, *arguments):
        return subprocess.run([self.tool, *arguments], check=True, capture_output=True, text=True,
                              timeout=PATIENCE_S).stdout

    def current(self):
        return re.search(r"current +([0-9a-f]{32})", self.run("inspect", self.path))[1]

    def rotate(self):
        before = self.of_version("keys")
        self.version += 1
        os.mkdir(self.of_version())
        shutil.copy(before, self.of_version("keys"))
        self.run("rotate", self.of_version("keys"))
        os.symlink(f"..v{self.version}", self.of_version("link"))
        os.rename(self.of_version("link"), os.path.join(self.folder, "..data"))
        shutil.rmtree(os.path.dirname(before))


class Node:
    """One server on a unix socket. It tells its name as a file of its site."""

    def __init__(self, binary, folder, index, options):
        self.name = f"node{index}"
        root = os.path.join(folder, self.name)
        os.mkdir(root)
        with open(os.path.join(root, "name"), "w", encoding="ascii") as file:
            file.write(self.name)
        self.socket = os.path.join(folder, self.name + ".sock")
        self.command = [binary, "--listen", "unix:" + self.socket, "--proxy-protocol", "unix:",
                        "--workers", "2", "--root", root, *options]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on unix:"):
            raise AssertionError(f"not ready: {line!r} {self.process.stderr.read()!r}")

    def wait_for_key(self, name):
        """Until it has read the file in which this key is the current one."""
        line = ""
        while f"ticket_keys_read current={name} " not in line:
            line = self.process.stderr.readline()
            if "ticket_keys_read" not in line:
                raise AssertionError(f"{self.name} says {line!r}")

    def end(self, number=signal.SIGTERM):
        """What it said that nobody has read yet."""
        self.process.send_signal(number)
        self.process.stdout.close()
        rest = self.process.stderr.read()
        self.process.stderr.close()
        status = self.process.wait(PATIENCE_S)
        wanted = -number if number == signal.SIGKILL else 0
        if status != wanted:
            raise AssertionError(f"{self.name} ended with {status}: {rest}")
        return rest

    def die(self):
        """Killed. The kernel ends a ring behind its process, and what the ring listens on as well,
        so a connection that comes in that moment is lost as those before are."""
        self.end(signal.SIGKILL)
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(self.socket)
                except ConnectionRefusedError:
                    return

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()


class Front:
    """HAProxy on a socket that was bound before it started. It gives a connection that a server
    does not take to the next one, as often as there are servers."""

    def __init__(self, folder, nodes):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.set_inheritable(True)
        self.port = self.listener.getsockname()[1]
        lines = ["global", "    maxconn 1000", "defaults", "    mode tcp",
                 "    timeout connect 30s", "    timeout client 60s", "    timeout server 60s",
                 f"    retries {NODES}", "    option redispatch 1", "    balance roundrobin",
                 "listen fleet", f"    bind fd@{self.listener.fileno()}"]
        lines += [f"    server {node.name} unix@{node.socket} send-proxy-v2" for node in nodes]
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        self.process = subprocess.Popen(["haproxy", "-db", "-q", "-f", path],
                                        pass_fds=[self.listener.fileno()])

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.listener.close()


class Client(threading.Thread):
    """Visits again and again with the session of the visit before."""

    def __init__(self, traffic, version):
        super().__init__()
        self.traffic, self.version = traffic, version
        self.context = ssl.create_default_context(cafile=traffic.trusted)
        self.context.minimum_version = self.context.maximum_version = VERSIONS[version]
        self.session = self.giver = None
        self.visits = self.resumed = self.elsewhere = 0
        self.chain = 0  # visits since the last full handshake

    def visit(self):
        with socket.create_connection(("127.0.0.1", self.traffic.port), PATIENCE_S) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.context.wrap_socket(raw, server_hostname="localhost",
                                          session=self.session) as tls:
                tls.sendall(b"GET /name HTTP/1.0\r\n\r\n")
                answer = tls.makefile("rb").read().decode()
                reused, session = tls.session_reused, tls.session
        found = re.search(r"\r\n\r\n(node\d)\Z", answer)
        if not found:
            raise AssertionError(f"answer {answer!r}")
        node = found[1]
        if self.session and not reused and self.chain < CHAIN:
            raise AssertionError(f"{node} did not resume what {self.giver} had given")
        self.chain = self.chain + 1 if reused else 0
        self.visits += 1
        self.resumed += reused
        self.elsewhere += reused and node != self.giver
        self.session, self.giver = session, node

    def run(self):
        while not self.traffic.over:
            with self.traffic.visiting():
                try:
                    self.visit()
                except (OSError, AssertionError) as error:
                    self.traffic.failed(f"TLS {self.version}: {error!r}")
                    return


class Traffic:
    """The clients, and a gate that can be shut when none of them is inside."""

    def __init__(self, port, trusted):
        self.port, self.trusted = port, trusted
        self.over, self.failures = False, []
        self.condition = threading.Condition()
        self.inside, self.shut = 0, False
        versions = list(VERSIONS)
        self.clients = [Client(self, versions[i % len(versions)]) for i in range(CLIENTS)]
        for client in self.clients:
            client.start()

    class Visit:
        def __init__(self, traffic):
            self.traffic = traffic

        def __enter__(self):
            with self.traffic.condition:
                self.traffic.condition.wait_for(lambda: not self.traffic.shut)
                self.traffic.inside += 1

        def __exit__(self, *_):
            with self.traffic.condition:
                self.traffic.inside -= 1
                self.traffic.condition.notify_all()

    def visiting(self):
        return self.Visit(self)

    def failed(self, why):
        self.failures.append(why)
        self.over = True

    def with_nobody_inside(self, action):
        with self.condition:
            self.shut = True
            self.condition.wait_for(lambda: self.inside == 0)
            action()
            self.shut = False
            self.condition.notify_all()

    def go_on(self, visits):
        """Until every client has made so many visits more."""
        wanted = [client.visits + visits for client in self.clients]
        with self.condition:
            while not self.over and any(c.visits < n for c, n in zip(self.clients, wanted)):
                if not self.condition.wait(PATIENCE_S):
                    self.failed(f"nobody came for {PATIENCE_S} s")
        self.check()

    def check(self):
        assert not self.failures, self.failures

    def end(self):
        self.over = True
        for client in self.clients:
            client.join()
        self.check()


def make_certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "cert.key")
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True,
                   capture_output=True)
    return cert, key


def rotate(keys, nodes, traffic, visits):
    keys.rotate()
    name = keys.current()
    for node in nodes:
        node.wait_for_key(name)
    traffic.go_on(visits)


def live_through(nodes, keys, traffic, rotations, visits):
    """All that a fleet lives through. Gives what is left of it."""
    traffic.go_on(visits)
    for _ in range(rotations):
        rotate(keys, nodes, traffic, visits)
    nodes[0].end()  # it drains under load, and the clients go on
    traffic.go_on(visits)
    nodes[0].start()
    traffic.go_on(visits)
    rotate(keys, nodes, traffic, visits)
    traffic.with_nobody_inside(nodes[1].die)
    traffic.go_on(visits)
    rest = [nodes[0], nodes[2]]
    rotate(keys, rest, traffic, visits)
    return rest


def check_stranger(binary, folder, options, traffic):
    """A server with keys of its own resumes nobody: what the others do is no accident."""
    command = [binary, "--listen", "127.0.0.1:0", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().split(":")[1].split()[0])
        for client in traffic.clients:
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as raw:
                with client.context.wrap_socket(raw, server_hostname="localhost",
                                                session=client.session) as tls:
                    assert not tls.session_reused, "a stranger opened a ticket of the fleet"
    finally:
        server.terminate()
        server.stdout.close()
        assert server.wait(PATIENCE_S) == 0


def report(ring, traffic, seconds):
    for version in VERSIONS:
        clients = [client for client in traffic.clients if client.version == version]
        visits, resumed, elsewhere = (sum(getattr(client, what) for client in clients)
                                      for what in ("visits", "resumed", "elsewhere"))
        print(f"fleet: ring={ring} TLS {version}: {visits} handshakes of {len(clients)} clients, "
              f"none failed, {resumed} resumed ({100 * resumed / visits:.1f} %), {elsewhere} of "
              f"them by another server than the one that gave the session")
        assert visits - resumed <= len(clients) + visits // CHAIN, "too many full handshakes"
        assert elsewhere > 0, "no session went from one server to another"
    print(f"fleet: ring={ring}: {seconds:.1f} s")


def run(binaries, ring, rotations, visits):
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lr-") as folder:  # short: unix sockets lie in it
        binary = os.path.join(binaries, "lockring-serve")
        cert, key = make_certificate(folder)
        keys = Keys(os.path.join(binaries, "lockring-keys"), os.path.join(folder, "keys"))
        options = ["--ring", ring, "--cert", cert, "--key", key]
        nodes, front, traffic = [], None, None
        try:
            for index in range(NODES):
                nodes.append(Node(binary, folder, index, [*options, "--ticket-keys", keys.path]))
            front = Front(folder, nodes)
            traffic = Traffic(front.port, cert)
            rest = live_through(nodes, keys, traffic, rotations, visits)
            traffic.end()
            check_stranger(binary, folder, options, traffic)
            for node in rest:
                said = node.end()
                assert said == "", f"{node.name} said {said!r}"
        finally:
            if traffic:
                traffic.over = True
            if front:
                front.end()
            for node in nodes:
                node.kill()
        report(ring, traffic, time.monotonic() - begin)


def main():
    missing = [tool for tool in ("haproxy", "openssl") if not shutil.which(tool)]
    if missing:
        print(f"fleet: not installed: {' '.join(missing)}")
        return 77
    full = "--full" in sys.argv[2:] or "LOCKRING_FULL" in os.environ
    for ring in ("uring", "epoll"):
        run(sys.argv[1], ring, 30 if full else 3, 300 if full else 25)
    return 0


if __name__ == "__main__":
    sys.exit(main())
