#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""redis_sessions.py BIN: docs/examples/redis_sessions.c with a Redis of this test's own: resumption
on any worker and process that shares it, once; values that were meddled with; Redis stopped, killed
and back. The clients are those of Python's ssl module."""

import collections
import contextlib
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
import unittest

PATIENCE_S = 60
WAIT_MS = 10000  # what the example waits for Redis, where Redis shall answer
ATTEMPTS = 64  # connections until one lands on another worker: they are dealt out by the kernel
BINARIES = ""
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Program:
    """A process whose lines, of both outputs, can be waited for."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        self.over = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def await_line(self, pattern, since=0):
        """The first match in a line behind the first `since` ones."""

        def look():
            return next((m for l in self.lines[since:] if (m := re.search(pattern, l))), None)

        with self.changed:
            self.changed.wait_for(lambda: look() or self.over, PATIENCE_S)
            found = look()
            if not found:
                raise AssertionError(f"no line has {pattern}: {self.lines}")
            return found

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        self.process.stdout.close()
        return self.process.returncode


class Redis:
    def __init__(self, directory, port=0):
        self.path = os.path.join(directory, "redis.sock")
        self.port = port
        self.directory = directory
        self.start()

    def start(self):
        self.program = Program(
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
            "--unixsocket", self.path, "--save", "", "--appendonly", "no",
            "--dir", self.directory, "--daemonize", "no", "--logfile", "",
        )  # fmt: skip
        self.program.await_line("eady to accept connections.*" + re.escape(self.path))

    def signal(self, number):
        self.program.process.send_signal(number)

    def kill(self):
        self.program.end(signal.SIGKILL)

    def command(self, *arguments):
        """Over a connection of its own."""
        wire = b"*%d\r\n" % len(arguments)
        for argument in arguments:
            wire += b"$%d\r\n%s\r\n" % (len(argument), argument)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE_S)
            sock.connect(self.path)
            sock.sendall(wire)
            with sock.makefile("rb") as file:
                return self.reply(file)

    def reply(self, file):
        line = file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return file.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self.reply(file) for _ in range(int(rest))]
        if kind == b"-":
            raise AssertionError(rest)
        return rest

    def values(self):
        return {key: self.command(b"GET", key) for key in self.command(b"KEYS", b"*")}


class Server(Program):
    """The example, when it listens and has its Redis."""

    def __init__(self, redis_at, keys, is_redis_up=True, wait_ms=WAIT_MS):
        program = os.path.join(BINARIES, "tls-redis-sessions")
        super().__init__(program, "0", redis_at, keys, str(wait_ms))
        listening = self.await_line(r"listening on port (\d+) with (\d+) workers")
        self.port, self.workers = int(listening[1]), int(listening[2])
        if is_redis_up:
            self.await_up()

    def await_up(self, since=0, workers=None):
        for worker in range(self.workers) if workers is None else workers:
            self.await_line(f"worker {worker}: redis is up", since)

    def numbers(self):
        """Ends it; its numbers."""
        status = self.end(signal.SIGTERM)
        if status != 0:
            raise AssertionError(f"ended with {status}: {self.lines}")
        text = self.await_line("^sessions: .*")[0] + " " + self.await_line("^redis: .*")[0]
        return collections.Counter({k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", text)})


class Client:
    """Its sessions belong to one version."""

    def __init__(self, version, keylog=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = VERSIONS[version]
        if keylog:
            self.context.keylog_filename = keylog

    def connect(self, server, session=None):
        """(worker, "full" or "resumed", the new session)"""
        plain = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
        with self.context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
            said = b""
            while piece := sock.recv(100):
                said += piece
            found = re.fullmatch(rb"worker (\d+) (full|resumed)\n", said)
            how = found[2].decode()
            if sock.session_reused != (how == "resumed"):
                raise AssertionError("the two sides differ")
            return int(found[1]), how, sock.session


class RedisSessions(unittest.TestCase):
    def setUp(self):
        with contextlib.ExitStack() as stack:
            self.directory = stack.enter_context(tempfile.TemporaryDirectory())
            self.keys = os.path.join(self.directory, "ticket.keys")
            subprocess.run(
                [os.path.join(BINARIES, "lockring-keys"), "make", "--out", self.keys],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            self.redis = Redis(self.directory)
            stack.callback(lambda: self.redis.kill())
            self.server = Server(self.redis.path, self.keys)
            stack.callback(self.end_server)
            self.addCleanup(stack.pop_all().close)

    def end_server(self):
        if self.server.process.poll() is None:
            self.server.end(signal.SIGKILL)

    def clients(self):
        """One of each version; nothing is stored when it begins."""
        for version in VERSIONS:
            self.redis.command(b"FLUSHALL")
            yield Client(version)

    def expect(self, how, client, session=None, server=None):
        worker, was, new = client.connect(server or self.server, session)
        self.assertEqual(was, how)
        return worker, new

    def test_a_session_is_resumed_once(self):
        for client in self.clients():
            _, session = self.expect("full", client)
            self.expect("resumed", client, session)
            self.expect("full", client, session)

    def test_a_session_is_resumed_on_another_worker(self):
        if self.server.workers < 2:
            self.skipTest("one worker")
        for client in self.clients():
            for _ in range(ATTEMPTS):
                before, session = self.expect("full", client)
                after, _ = self.expect("resumed", client, session)
                if before != after:
                    break
            self.assertNotEqual(before, after)

    def test_a_session_is_resumed_by_another_process(self):
        other = Server(self.redis.path, self.keys)
        for client in self.clients():
            _, session = self.expect("full", client)
            self.expect("resumed", client, session, other)
            self.expect("full", client, session)
        numbers = other.numbers()
        self.assertEqual((numbers["found"], numbers["not_asked"]), (2, 0))

    def test_a_process_with_other_keys_resumes_nothing(self):
        keys = os.path.join(self.directory, "other.keys")
        subprocess.run(
            [os.path.join(BINARIES, "lockring-keys"), "make", "--out", keys],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        other = Server(self.redis.path, keys)
        for client in self.clients():
            _, session = self.expect("full", client)
            self.expect("full", client, session, other)
        self.assertEqual(other.numbers()["found"], 2)

    def test_a_value_that_was_changed_is_a_full_handshake(self):
        for client in self.clients():
            _, session = self.expect("full", client)
            for key, value in self.redis.values().items():
                middle = len(value) // 2
                changed = value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
                self.redis.command(b"SET", key, changed)
            self.expect("full", client, session)
            for rubbish in (b"", b"x", b"x" * 20000):
                _, session = self.expect("full", client)
                for key in self.redis.values():
                    self.redis.command(b"SET", key, rubbish)
                self.expect("full", client, session)
        self.assertEqual(self.server.numbers()["not_kept"], 0)

    def test_a_value_under_another_id_is_a_full_handshake(self):
        for client in self.clients():
            self.expect("full", client)
            values = list(self.redis.values().values())
            self.redis.command(b"FLUSHALL")
            _, session = self.expect("full", client)
            for key in self.redis.values():
                self.redis.command(b"SET", key, values[0])
            self.expect("full", client, session)

    def test_redis_sees_nothing_readable(self):
        for version in VERSIONS:
            self.redis.command(b"FLUSHALL")
            keylog = os.path.join(self.directory, "keylog" + version)
            _, session = self.expect("full", Client(version, keylog))
            with open(keylog, "rb") as file:
                secrets = [bytes.fromhex(line.split()[-1].decode()) for line in file
                           if not line.startswith(b"#")]  # fmt: skip
            self.assertTrue(secrets)
            values = self.redis.values()
            self.assertTrue(values)
            for key, value in values.items():
                self.assertRegex(key, re.compile(rb"tls-s:.{32}", re.DOTALL))
                self.assertTrue(0 < int(self.redis.command(b"TTL", key)) <= 7200)
                for secret in [*secrets, session.id, key[6:], b"localhost"]:
                    self.assertNotIn(secret, value)

    def test_a_redis_that_stops_holds_nobody_up(self):
        self.server.end(signal.SIGTERM)
        self.server = Server(self.redis.path, self.keys, wait_ms=500)
        for client in self.clients():
            _, session = self.expect("full", client)
            since = len(self.server.lines)
            self.redis.signal(signal.SIGSTOP)
            try:
                workers = {self.expect("full", client)[0]}
                workers.add(self.expect("full", client, session)[0])
                for worker in workers:
                    self.server.await_line(f"worker {worker}: redis is down", since)
            finally:
                self.redis.signal(signal.SIGCONT)
            self.server.await_up(since, workers)
            _, session = self.expect("full", client)
            self.expect("resumed", client, session)
        numbers = self.server.numbers()
        self.assertGreaterEqual(numbers["timeouts"], 1)
        self.assertGreaterEqual(numbers["not_kept"], 2)
        self.assertGreaterEqual(numbers["not_asked"], 2)

    def test_handshakes_go_on_without_redis_and_resume_when_it_is_back(self):
        for client in self.clients():
            _, session = self.expect("full", client)
            since = len(self.server.lines)
            self.redis.kill()
            for worker in range(self.server.workers):
                self.server.await_line(f"worker {worker}: redis is down", since)
            self.expect("full", client, session)
            _, session = self.expect("full", client)
            since = len(self.server.lines)
            self.redis.start()
            self.server.await_up(since)
            self.expect("full", client, session)
            _, session = self.expect("full", client)
            self.expect("resumed", client, session)
        numbers = self.server.numbers()
        self.assertGreaterEqual(numbers["not_kept"], 4)
        self.assertGreaterEqual(numbers["failures"], 2 * self.server.workers)
        self.assertEqual(numbers["found"], 2)

    def test_a_server_that_begins_without_redis_serves(self):
        nobody = Server(os.path.join(self.directory, "nobody"), self.keys, is_redis_up=False)
        for version in VERSIONS:
            client = Client(version)
            _, session = self.expect("full", client, server=nobody)
            self.expect("full", client, session, server=nobody)
        numbers = nobody.numbers()
        self.assertEqual((numbers["kept"], numbers["found"], numbers["connects"]), (0, 0, 0))
        self.assertGreaterEqual(numbers["not_kept"], 4)

    def test_the_same_over_tcp(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.redis.kill()
        self.redis = Redis(self.directory, port)
        over_tcp = Server(str(port), self.keys)
        for client in self.clients():
            _, session = self.expect("full", client, server=over_tcp)
            self.expect("resumed", client, session, over_tcp)
        self.assertEqual(over_tcp.numbers()["found"], 2)


if __name__ == "__main__":
    if not shutil.which("redis-server"):
        print("skipped: there is no redis-server")
        sys.exit(77)
    BINARIES = sys.argv.pop(1)
    unittest.main(verbosity=2, warnings="ignore")
