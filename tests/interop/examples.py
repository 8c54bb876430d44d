#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples.py BIN: the programs of docs/examples do what their first lines say. The clients are
those of Python's ssl module."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

PATIENCE_S = 60
BINARIES = ""


@contextlib.contextmanager
def running(name, *arguments):
    """The example, on a port that the kernel chooses; it must end with 0 after SIGTERM."""
    program = subprocess.Popen(
        [os.path.join(BINARIES, name), "0", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        said = re.fullmatch(r"listening on .*?(\d+)\n", program.stdout.readline())
        if not said:
            raise AssertionError(f"{name} does not listen")
        yield int(said.group(1))
    finally:
        program.send_signal(signal.SIGTERM)
        status = program.wait(PATIENCE_S)
        program.stdout.close()
    if status != 0:
        raise AssertionError(f"{name} ended with {status}")


def connect(port, name="localhost"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False)


def read_exactly(sock, size):
    got = b""
    while len(got) < size:
        piece = sock.recv(size - len(got))
        if not piece:
            raise AssertionError(f"the end after {got!r}")
        got += piece
    return got


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(sock, 1)
    return line


def read_to_end(sock):
    got = bytearray()
    while piece := sock.recv(65536):
        got += piece
    return bytes(got)


class Backend:
    """A plain server; serve(connection) runs on a thread of its own for each connection."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        self.failure = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.settimeout(PATIENCE_S)
                threading.Thread(target=self.run, args=(connection,), daemon=True).start()

    def run(self, connection):
        try:
            with connection:
                self.serve(connection)
        except (OSError, AssertionError) as failure:
            self.failure = failure


class Chat(unittest.TestCase):
    def test_every_line_goes_to_everybody(self):
        with running("tls-chat") as port:
            members = []
            for number in range(8):
                members.append(connect(port))
                members[-1].sendall(b"hello %d\n" % number)
                for member in members:  # the new one too: from here on it is known
                    self.assertEqual(read_exactly(member, 8), b"hello %d\n" % number)
            members.pop().close()
            members[0].sendall(b"bye\n")
            for member in members:
                self.assertEqual(read_exactly(member, 4), b"bye\n")
            for member in members:
                member.close()


class Forward(unittest.TestCase):
    def test_bytes_go_both_ways(self):
        def echo(connection):
            while piece := connection.recv(65536):
                connection.sendall(piece)

        backend = Backend(echo)
        with running("tls-forward", "127.0.0.1", str(backend.port)) as port:
            for _ in range(3):
                with connect(port) as client:
                    client.sendall(b"to and fro")
                    self.assertEqual(read_exactly(client, 10), b"to and fro")

    def test_the_answer_comes_although_the_client_has_ended(self):
        def answer_at_the_end(connection):
            request = read_to_end(connection)
            connection.sendall(hashlib.sha256(request).hexdigest().encode() * 10000)

        backend = Backend(answer_at_the_end)
        request = os.urandom(3000000)
        with running("tls-forward", "127.0.0.1", str(backend.port)) as port:
            answer = talk_half_closed(port, request)
        self.assertEqual(answer, hashlib.sha256(request).hexdigest().encode() * 10000)

    def test_the_request_goes_on_although_the_backend_has_ended(self):
        got = []
        whole = threading.Event()

        def end_first(connection):
            connection.sendall(b"first")
            connection.shutdown(socket.SHUT_WR)
            got.append(read_to_end(connection))
            whole.set()

        backend = Backend(end_first)
        with running("tls-forward", "127.0.0.1", str(backend.port)) as port:
            client = connect(port)
            self.assertEqual(read_to_end(client), b"first")
            client.sendall(b"second" * 100000)
            with contextlib.suppress(OSError, ssl.SSLError):
                client.unwrap()
            client.close()
            self.assertTrue(whole.wait(PATIENCE_S))
        self.assertEqual(got, [b"second" * 100000])

    def test_a_slow_client_slows_the_backend_and_loses_nothing(self):
        block = bytes(range(256)) * 4096

        def pour(connection):
            for _ in range(32):
                connection.sendall(block)

        backend = Backend(pour)
        with running("tls-forward", "127.0.0.1", str(backend.port)) as port:
            with connect(port) as client:
                self.assertEqual(len(read_exactly(client, 100000)), 100000)
                rest = read_to_end(client)
        self.assertEqual(len(rest), 32 * len(block) - 100000)
        self.assertEqual(rest[-len(block):], block)

    def test_a_backend_that_refuses_resets_the_client(self):
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port_of_nobody = nobody.getsockname()[1]
        with running("tls-forward", "127.0.0.1", str(port_of_nobody)) as port:
            with self.assertRaises(OSError):
                client = connect(port)
                client.recv(1)


def talk_half_closed(port, request):
    """close_notify behind the request, then reads: Python's unwrap() would wait for the other's, so
    this one works on memory."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out)
    got = bytearray()
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:

        def until_done(call):
            while True:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    sock.sendall(out.read())
                    piece = sock.recv(65536)
                    if piece:
                        into.write(piece)
                    else:
                        into.write_eof()

        until_done(tls.do_handshake)
        tls.write(request)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()  # writes its close_notify
        sock.sendall(out.read())
        try:
            while piece := until_done(lambda: tls.read(65536)):
                got += piece
        except ssl.SSLZeroReturnError:
            pass
    return bytes(got)


class Lines(unittest.TestCase):
    def test_a_file_comes_line_by_line(self):
        lines = [b"one\n", b"two\n", b"three\n", b"without an end"]
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"".join(lines))
            file.flush()
            with running("tls-lines", file.name) as port:
                clients = [connect(port) for _ in range(3)]
                for client in clients:
                    for line in lines:
                        self.assertEqual(read_exactly(client, len(line)), line)
                    self.assertEqual(client.recv(1), b"")
                    client.close()

    def test_a_file_that_is_not_there_resets_the_client(self):
        with running("tls-lines", "/nonexistent/lockring") as port:
            with self.assertRaises(OSError):
                client = connect(port)
                client.recv(1)


class Ways(unittest.TestCase):
    def test_each_way_of_writing_arrives_and_they_keep_their_order(self):
        numbers = b"".join(b"%d\n" % n for n in range(1, 100001))
        with running("tls-ways") as port:
            with connect(port) as client:
                for _ in range(2):
                    client.sendall(b"pstsp")
                    for part in (b"hello, localhost\n", numbers, b"tick\n" * 3, numbers,
                                 b"hello, localhost\n"):
                        self.assertTrue(read_exactly(client, len(part)) == part, part[:20])
                client.sendall(b"b")
                self.assertTrue(read_exactly(client, 4 << 20) == b"b" * (4 << 20))
                client.sendall(b"c")
                self.assertRegex(read_exactly(client, len(b"from worker 0\n")),
                                 rb"\Afrom worker \d\n\Z")

    def test_a_client_that_goes_in_the_middle_takes_its_streams_with_it(self):
        with running("tls-ways") as port:
            for order in (b"t", b"ts", b"st", b"bs"):
                connect(port).sendall(order)


class Names(unittest.TestCase):
    def test_each_name_has_its_certificate(self):
        with running("tls-names") as port:
            for name, known in (("a.known.example", b"*.known.example"),
                                ("slow.example", b"slow.example"),
                                ("known.example", b"localhost"), ("other.example", b"localhost")):
                with self.subTest(name=name), connect(port, name) as client:
                    self.assertIn(known, client.getpeercert(binary_form=True))

    def test_a_name_that_is_refused_gets_its_alert(self):
        with running("tls-names") as port:
            with self.assertRaisesRegex(ssl.SSLError, "(?i)unrecognized.name"):
                connect(port, "nobody.example")


class Sessions(unittest.TestCase):
    """A session that was given is resumed, once, whichever worker gave it and whichever gets it."""

    def visit(self, port, context, session):
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as client:
            said = re.fullmatch(rb"(full|resumed) on worker (\d)\n", read_line(client))
            self.assertEqual(client.session_reused, said.group(1) == b"resumed")
            client.sendall(b"ping")
            self.assertEqual(read_exactly(client, 4), b"ping")
            return said.group(1), said.group(2), client.session

    def test_clients_of_both_versions_come_back(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = context.maximum_version = version
            ways = set()
            with self.subTest(version=version), running("tls-sessions") as port:
                while len(ways) < 4:  # from each worker to each
                    how, first, session = self.visit(port, context, None)
                    self.assertEqual(how, b"full")
                    how, second, _ = self.visit(port, context, session)
                    self.assertEqual(how, b"resumed")
                    how, _, _ = self.visit(port, context, session)
                    self.assertEqual(how, b"full")
                    ways.add((first, second))


if __name__ == "__main__":
    BINARIES = sys.argv.pop(1)
    unittest.main(verbosity=2, warnings="ignore")
