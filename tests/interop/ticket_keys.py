#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ticket_keys.py BIN: the options of tickets of lockring-serve. Who shares a file or directory of
keys resumes the clients of the others, over TLS 1.2 and 1.3, also from nginx's and HAProxy's files;
keys that change on disk, in every way that files are replaced in, are taken, and wrong ones leave
the old ones in use and are named in one line."""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

PATIENCE_S = 60
BIN = ""
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def keys_of(*arguments):
    return subprocess.run([os.path.join(BIN, "lockring-keys"), *arguments], capture_output=True,
                          text=True, check=True, timeout=PATIENCE_S).stdout


def refused(*arguments):
    """What a start says that must fail with 2."""
    result = subprocess.run([os.path.join(BIN, "lockring-serve"), *arguments], text=True,
                            capture_output=True, timeout=PATIENCE_S, check=False)
    assert (result.returncode, result.stdout) == (2, ""), (arguments, result)
    assert re.fullmatch(r"lockring-serve: [^\n]+\n", result.stderr), result.stderr
    return result.stderr


class Server:
    """lockring-serve until the block ends."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [os.path.join(BIN, "lockring-serve"), "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+) ", line)
        if not found:
            raise AssertionError(f"not ready: {line!r} {self.process.stderr.read()!r}")
        self.port = int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.close()
        rest = self.process.stderr.read()
        self.process.stderr.close()
        status = self.process.wait(PATIENCE_S)
        if status != 0:
            raise AssertionError(f"ended with {status}: {rest}")

    def heard(self, word, between=None):
        """The next line of its log, which has the word; lines that have the other word may come
        before it."""
        line = self.process.stderr.readline()
        while between and between in line:
            line = self.process.stderr.readline()
        if word not in line:
            raise AssertionError(f"not {word!r}: {line!r}")
        return line


class Client:
    """Keeps its session, as Python's ssl does it: with a ticket, in both versions."""

    def __init__(self, version):
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = version
        self.session = None

    def visit(self, server, keep=True):
        """Was it resumed? Both sides must say the same."""
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.context.wrap_socket(raw, server_hostname="localhost",
                                          session=self.session) as tls:
                tls.sendall(b"GET /info HTTP/1.0\r\n\r\n")
                info = json.loads(tls.makefile("rb").read().split(b"\r\n\r\n", 1)[1])
                if info["resumed"] != tls.session_reused:
                    raise AssertionError(f"{info['resumed']} here, {tls.session_reused} there")
                if keep:
                    self.session = tls.session
                return tls.session_reused


class Tickets(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lockring-tickets-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make(self, *names, count=1, rotated=True):
        path = self.path(*names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        keys_of("make", "--count", str(count), "--out", path)
        if rotated:
            keys_of("rotate", path)
        return path

    def put(self, name, content, mode=0o600):
        """A complete file takes the place of the old one."""
        path = self.path(name)
        with open(path + ".new", "wb") as file:
            file.write(content)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def resumed(self, first, second, version):
        client = Client(version)
        self.assertFalse(client.visit(first))
        return client.visit(second)

    def assert_shared(self, first, second):
        """Two servers, with these arguments each, resume each other's clients."""
        with Server(*first) as one, Server(*second) as other:
            for version in VERSIONS:
                with self.subTest(version=version, first=first, second=second):
                    self.assertTrue(self.resumed(one, other, version))
                    self.assertTrue(self.resumed(other, one, version))

    def test_a_server_resumes_its_own_clients_and_no_others(self):
        with Server() as one, Server() as other:
            for version in VERSIONS:
                self.assertTrue(self.resumed(one, one, version))
                self.assertFalse(self.resumed(one, other, version))

    def test_a_session_is_handed_on_for_long_and_then_begins_anew(self):
        with Server() as server:
            for version in VERSIONS:
                client = Client(version)
                visits = [client.visit(server) for _ in range(300)]
                self.assertEqual(visits[:201], [False] + 200 * [True])
                self.assertLessEqual(visits.count(False), 2)

    def test_no_tickets_means_no_resumption(self):
        with Server("--no-tickets") as server:
            for version in VERSIONS:
                client = Client(version)
                self.assertFalse(client.visit(server))
                self.assertFalse(client.session.has_ticket)
                self.assertFalse(client.visit(server))

    def test_no_ticket_of_tls13_where_none_are_to_be_given(self):
        with Server("--ticket-count", "0") as server:
            client = Client(ssl.TLSVersion.TLSv1_3)
            self.assertFalse(client.visit(server))
            self.assertFalse(client.session.has_ticket)

    def test_the_lifetime_is_told_with_the_ticket(self):
        with Server("--ticket-lifetime", "600") as server:
            for version in VERSIONS:
                client = Client(version)
                client.visit(server)
                self.assertEqual(client.session.ticket_lifetime_hint, 600)

    def test_keys_outlive_a_restart_and_are_shared(self):
        path = self.make("keys")
        options = ("--ticket-keys", path)
        clients = [Client(version) for version in VERSIONS]
        with Server(*options) as server:
            self.assertEqual([client.visit(server) for client in clients], [False, False])
        with Server(*options) as server:
            self.assertEqual([client.visit(server) for client in clients], [True, True])
        self.assert_shared(options, options)

    def test_a_directory_has_its_keys_in_the_order_of_names(self):
        first, second = self.make("d", "1", rotated=False), self.make("d", "2", rotated=False)
        self.put("d/.3.x", b"not read")
        raw = self.put("raw", self.read(first) + self.read(second))
        self.assert_shared(("--ticket-keys", self.path("d")), ("--ticket-keys", raw))
        with Server("--ticket-keys", self.path("d")) as server:  # the first one seals
            with Server("--ticket-keys", first) as other:
                self.assertTrue(self.resumed(server, other, VERSIONS[1]))
            with Server("--ticket-keys", second) as other:
                self.assertFalse(self.resumed(server, other, VERSIONS[1]))

    def test_keys_of_nginx_and_of_haproxy(self):
        path = self.make("keys")
        keys_of("rotate", path)
        keys_of("convert", "--from", "lockring", "--to", "haproxy", path, self.path("haproxy"))
        keys_of("convert", "--from", "lockring", "--to", "nginx", path, self.path("nginx"))
        ours = ("--ticket-keys", path)
        self.assert_shared(ours, ("--ticket-keys", "haproxy:" + self.path("haproxy")))
        self.assert_shared(ours, ("--ticket-keys", self.path("nginx")))
        big = self.put("big", os.urandom(80))
        self.assert_shared(("--ticket-keys", big), ("--ticket-keys", big))

    def test_wrong_keys_are_refused_at_the_start(self):
        good = self.read(self.make("good", rotated=False))
        line = base64.b64encode(good) + b"\n"
        os.mkdir(self.path("empty"))
        rows = [(self.path("none"), "No such file"), (self.path("empty"), "no file of keys"),
                (self.put("short", good[:-1]), "47 bytes"),
                (self.put("zeros", bytes(48)), "all of its bytes are equal"),
                (self.put("writable", good, 0o620), "others than its owner may write"),
                (self.put("lines", line), "haproxy:FILE"),
                ("haproxy:" + self.path("good"), "HAProxy"),
                ("haproxy:" + self.put("own", b"current " + line), "HAProxy"),
                (self.put("next", b"next " + line), "current")]
        for path, word in rows:
            for check in ((), ("--check-config",)):
                with self.subTest(path=path, check=check):
                    said = refused(*check, "--listen", "127.0.0.1:0", "--ticket-keys", path)
                    self.assertIn("--ticket-keys: ", said)
                    self.assertIn(word, said)

    def test_options_that_exclude_each_other_are_refused(self):
        path = self.make("keys")
        said = refused("--ticket-keys", path, "--ticket-rotation", "3600")
        self.assertIn("--ticket-rotation", said)
        self.assertIn("--ticket-keys", said)
        for option in (("--ticket-keys", path), ("--ticket-lifetime", "60"),
                       ("--ticket-rotation", "0"), ("--ticket-count", "1")):
            said = refused("--no-tickets", *option)
            self.assertIn("--no-tickets", said)
            self.assertIn(option[0], said)

    def test_check_config_counts_the_keys(self):
        path = self.make("keys", count=3)
        result = subprocess.run([os.path.join(BIN, "lockring-serve"), "--check-config",
                                 "--ticket-keys", path], capture_output=True, text=True,
                                check=True, timeout=PATIENCE_S)
        self.assertRegex(result.stdout, r" ticket_keys=4\n\Z")

    def changes(self, given, change):
        """A server that is given this path takes the keys that the change brings: all that were
        sealed before are opened still, and who has the new ones only opens what is sealed now."""
        clients = [Client(version) for version in VERSIONS]
        with Server("--ticket-keys", given) as server:
            for client in clients:
                self.assertFalse(client.visit(server))
            fresh = change()
            # Between two steps of a slow change the file may be seen to be missing.
            said = server.heard("ticket_keys_read", between="No such file")
            name = keys_of("inspect", fresh).split("current")[1].split()[0]
            self.assertIn(f"current={name} ", said)
            with Server("--ticket-keys", fresh) as other:
                for client in clients:
                    self.assertTrue(client.visit(server))
                    # The new key seals when every worker accepts it, and not before.
                    while not client.visit(other, keep=False):
                        self.assertTrue(client.visit(server))

    def fresh(self, *names):
        return self.make(*names)

    def test_another_file_takes_its_place(self):
        path = self.make("keys")

        def change():
            os.rename(self.fresh("fresh"), path)
            return path

        self.changes(path, change)

    def test_the_file_is_overwritten_in_place(self):
        path = self.make("keys")

        def change():
            with open(path, "wb") as file:
                file.write(self.read(self.fresh("fresh")))
            return path

        self.changes(path, change)

    def test_the_file_is_removed_and_made_anew(self):
        path = self.make("keys")

        def change():
            fresh = self.fresh("fresh")
            os.unlink(path)
            os.link(fresh, path)
            return path

        self.changes(path, change)

    def kubernetes(self):
        """A volume as the kubelet makes it, and what it does when its secret changes."""
        self.make("volume", "..1", "keys")
        os.symlink("..1", self.path("volume", "..data"))
        os.symlink("..data/keys", self.path("volume", "keys"))

        def change():
            path = self.fresh("volume", "..2", "keys")
            os.symlink("..2", self.path("volume", "..data_tmp"))
            os.rename(self.path("volume", "..data_tmp"), self.path("volume", "..data"))
            os.unlink(self.path("volume", "..1", "keys"))
            os.rmdir(self.path("volume", "..1"))
            return path

        return change

    def test_a_volume_of_kubernetes_changes_under_a_file(self):
        change = self.kubernetes()
        self.changes(self.path("volume", "keys"), change)

    def test_a_volume_of_kubernetes_changes_under_a_directory(self):
        change = self.kubernetes()
        self.changes(self.path("volume"), change)

    def test_a_link_on_the_way_leads_elsewhere(self):
        self.make("a", "sub", "keys")
        for name in ("begin", "way"):  # where nothing else changes
            os.mkdir(self.path(name))
        os.symlink(self.path("a"), self.path("way", "live"))
        os.symlink("../way/live/sub/../sub", self.path("begin", "short"))

        def change():
            path = self.fresh("b", "sub", "keys")
            os.symlink("../b", self.path("way", "tmp"))
            os.rename(self.path("way", "tmp"), self.path("way", "live"))
            return path

        self.changes(self.path("begin", "short", "keys"), change)

    def test_a_directory_on_the_way_is_replaced(self):
        self.make("live", "keys")

        def change():
            self.fresh("fresh", "keys")
            os.rename(self.path("live"), self.path("gone"))
            os.rename(self.path("fresh"), self.path("live"))
            return self.path("live", "keys")

        self.changes(self.path("live", "keys"), change)

    def test_wrong_keys_leave_the_old_ones_in_use(self):
        path = self.make("keys")
        good = self.read(path)
        twin = base64.b64encode(base64.b64decode(good.split()[-1])[:16] + os.urandom(32))
        rows = [(b"", 0o600, "0 bytes"), (good[:-9], 0o600, "line"), (good, 0o666, "owner"),
                (b"current " + twin + b"\n", 0o600, "name")]
        with Server("--ticket-keys", path) as server:
            client = Client(VERSIONS[1])
            self.assertFalse(client.visit(server))
            for content, mode, word in rows:
                with self.subTest(word=word):
                    self.put("keys", content, mode)
                    said = server.heard("ticket_keys_failed kept=old")
                    self.assertIn(word, said)
                    server.process.send_signal(signal.SIGHUP)
                    said = server.heard("reload_failed kept=old")
                    self.assertIn(word, said)
                    self.assertTrue(client.visit(server))
            self.put("keys", good)  # nothing new: nothing is said
            server.process.send_signal(signal.SIGHUP)
            server.heard("reload_done certificates=0 ticket_keys=2")
            self.assertTrue(client.visit(server))


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
