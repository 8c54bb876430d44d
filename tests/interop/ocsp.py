#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ocsp.py BIN: OCSP staples: lockring-keys ocsp fetches them from responders that are right, wrong,
slow and absent, and lockring-serve staples what holds, from a file and by itself; openssl s_client
gets it byte for byte. One responder is that of openssl itself. Exit 77: openssl is absent."""

import datetime
import http.server
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

SOURCE = os.environ.get("LOCKRING_SOURCE_DIR", os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(SOURCE, "tests/unit"))
sys.dont_write_bytecode = True
import fixtures_ocsp as maker  # pylint: disable=wrong-import-position

PATIENCE_S = 60
FOLDER = ""
STAPLE_MAX = 32768


def shifted(hours):
    """A time as responses have it."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
    return now.strftime("%Y%m%d%H%M%SZ")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    """As a careful administrator does it."""
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.rename(path + ".new", path)


class Authority:
    """Certificates in the working folder, and responses about its leaf. CONFIG's address of the
    responder is replaced by ours."""

    def __init__(self, url):
        config = maker.CONFIG.replace("http://ocsp.example.org/", url)
        config += ("[silent]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\n"
                   "subjectAltName = DNS:localhost\n")
        for name, text in (("ca.cnf", config), ("index.txt", ""), ("serial", "1000\n")):
            with open(name, "w", encoding="ascii") as file:
                file.write(text)
        self.root = maker.make("root", None, "root")
        self.stranger = maker.make("stranger", None, "root")
        self.leaf = maker.make("leaf", "root", "leaf", subject="localhost")
        self.other = maker.make("other", "root", "leaf", subject="other")
        self.silent = maker.make("silent", "root", "silent", subject="silent")
        self.responder = maker.make("responder", "root", "responder")
        for name in ("leaf", "other", "silent"):
            with open(name + ".chain", "wb") as file:
                file.write(read(name + ".pem") + read("root.pem"))
        self.lock = threading.Lock()  # the maker has files of one name

    def say(self, status=b"\x80\x00", begin=-1, end=24, about=None, signer=None, **more):
        with self.lock:
            single = maker.single(about or self.leaf, self.root, status, shifted(begin),
                                  shifted(end) if end is not None else None)
            return maker.response(signer or self.root, [single], **more)

    def revoked(self):
        return self.say(maker.der(0xA1, maker.time_of(shifted(-2))))


class Responder:
    """A responder on a port of the kernel's choice; answer is called for each request. What comes
    is put into asked."""

    def __init__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.put((self.headers["Content-Type"], body))
                outer.answer(self, body)

            def log_message(self, *_):
                pass

        self.asked = queue.Queue()
        self.answer = None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ocsp"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def gives(self, content, code=200, length=None):
        def answer(handler, _):
            handler.send_response(code)
            handler.send_header("Content-Type", "application/ocsp-response")
            handler.send_header("Content-Length", str(len(content) if length is None else length))
            handler.end_headers()
            handler.wfile.write(content)
        self.answer = answer

    def sends(self, raw):
        """Bytes in place of HTTP."""
        self.answer = lambda handler, _: handler.wfile.write(raw)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Process:
    """A program until the block ends; it must end with 0 at SIGTERM."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.said, self.rest = [], None

    def __enter__(self):
        return self

    def line(self, stream, pattern):
        """The next line there that has the pattern."""
        for text in getattr(self.process, stream):
            self.said.append(text)
            if re.search(pattern, text):
                return text
        raise AssertionError(f"it ended without {pattern!r}: {self.said}")

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        self.rest = self.process.communicate(timeout=PATIENCE_S)
        if kind is None and self.process.returncode != 0:
            raise AssertionError(f"ended with {self.process.returncode}: {self.rest} {self.said}")


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.responder = Responder()
        cls.addClassCleanup(cls.responder.close)
        cls.authority = Authority(cls.responder.url)

    def setUp(self):
        self.staple = os.path.join(os.getcwd(), self.id().rsplit(".", 1)[-1] + ".ocsp")
        self.drain()

    def drain(self):
        while not self.responder.asked.empty():
            self.responder.asked.get()


class Keys(Base):
    """lockring-keys ocsp."""

    def command(self, *arguments):
        return [os.path.join(FOLDER, "lockring-keys"), "ocsp", "--out", self.staple, *arguments]

    def run_it(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)

    def fetched(self, *arguments):
        result = self.run_it(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"good until \w+ +\d+ \d\d:\d\d:\d\d \d{4} GMT\n\Z")

    def refused(self, word, *arguments, code=1):
        result = self.run_it(*(arguments or ("--cert", "leaf.chain")))
        self.assertEqual((result.returncode, result.stdout), (code, ""), (word, result.stderr))
        self.assertRegex(result.stderr, r"\Alockring-keys ocsp: [^\n]*\n\Z")
        self.assertIn(word, result.stderr)

    def test_a_response_that_holds_is_written(self):
        response = self.authority.say()
        self.responder.gives(response)
        self.fetched("--cert", "leaf.chain")
        self.assertEqual(read(self.staple), response)
        kind, body = self.responder.asked.get()
        self.assertEqual(kind, "application/ocsp-request")
        subprocess.run(["openssl", "ocsp", "-issuer", "root.pem", "-cert", "leaf.pem", "-no_nonce",
                        "-reqout", "request"], check=True, capture_output=True)
        self.assertEqual(body, read("request"))
        # Its issuer and its responder may be told.
        self.fetched("--cert", "leaf.pem", "--issuer", "root.pem")
        self.responder.gives(self.authority.say(about=self.authority.silent))
        self.fetched("--cert", "silent.chain", "--url", self.responder.url)

    def test_a_delegate_may_answer_and_no_end_may_be_told(self):
        for response in (self.authority.say(signer=self.authority.responder,
                                            certificates=[self.authority.responder]),
                         self.authority.say(end=None)):
            self.responder.gives(response)
            self.fetched("--cert", "leaf.chain")
            self.assertEqual(read(self.staple), response)

    def test_what_does_not_hold_leaves_the_old_file(self):
        write(self.staple, b"the old one")
        good, a = self.authority.say(), self.authority
        for word, response in (
                ("revoked", a.revoked()), ("unknown", a.say(b"\x82\x00")),
                ("expired", a.say(begin=-48, end=-1)), ("thisUpdate", a.say(begin=1)),
                ("another certificate", a.say(about=a.other)),
                ("not made one by", a.say(signer=a.stranger, certificates=[a.stranger])),
                ("signature", a.say(signing_key="stranger")),
                ("no OCSP response", b"garbage"), ("no OCSP response", b""),
                ("no OCSP response", good[:-1]), ("try later", bytes.fromhex("30030a0103"))):
            with self.subTest(word=word):
                self.responder.gives(response)
                self.refused(word)
        for word, how in (
                ("HTTP status 404", lambda: self.responder.gives(good, code=404)),
                ("HTTP status 500", lambda: self.responder.gives(good, code=500)),
                ("shorter", lambda: self.responder.gives(good, length=len(good) + 1)),
                ("longer than", lambda: self.responder.gives(bytes(STAPLE_MAX + 1))),
                ("not HTTP", lambda: self.responder.sends(b"220 mail.example.org ESMTP\r\n")),
                ("no answer", lambda: self.responder.sends(b"")),
                ("chunks", lambda: self.responder.sends(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))):
            with self.subTest(word=word):
                how()
                self.refused(word)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # and it does not listen
            url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
            self.refused("Connection refused", "--cert", "leaf.chain", "--url", url)
        self.assertEqual(read(self.staple), b"the old one")
        self.assertEqual([name for name in os.listdir() if name.startswith(self.id())], [])

    def test_wrong_options_and_files_are_refused_before_anybody_is_asked(self):
        for word, *arguments in (
                ("needed", "--url", "http://localhost/"),
                ("issuer", "--cert", "leaf.pem"),
                ("issuer", "--cert", "leaf.pem", "--issuer", "stranger.pem"),
                ("No such file", "--cert", "nonsuch.pem"),
                ("no certificate", "--cert", "leaf.key"),
                ("names no OCSP responder", "--cert", "silent.chain"),
                ("signed", "--cert", "leaf.chain", "--url", "https://localhost/"),
                ("no address", "--cert", "leaf.chain", "--url", "localhost:80")):
            with self.subTest(arguments=arguments):
                self.refused(word, *arguments, code=2)
        self.assertTrue(self.responder.asked.empty())
        self.assertFalse(os.path.exists(self.staple))

    def test_openssl_ocsp_is_understood(self):
        serial = maker.take(self.authority.leaf.serial)[1].hex().upper()
        write("responses.txt", f"V\t{maker.END}\t\t{serial}\tunknown\t/CN=leaf\n".encode())
        responder = subprocess.Popen(
            ["openssl", "ocsp", "-index", "responses.txt", "-CA", "root.pem", "-rsigner",
             "responder.pem", "-rkey", "responder.key", "-port", "0", "-nmin", "90"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            port = re.search(r"ACCEPT .*:(\d+)", responder.stdout.readline())[1]
            self.fetched("--cert", "leaf.chain", "--url", f"http://127.0.0.1:{port}/")
        finally:
            responder.kill()
            responder.wait()
            responder.stdout.close()
        said = subprocess.run(["openssl", "ocsp", "-issuer", "root.pem", "-cert", "leaf.pem",
                               "-respin", self.staple, "-CAfile", "root.pem", "-no_nonce"],
                              capture_output=True, text=True, check=True)
        self.assertIn("leaf.pem: good", said.stdout)

    def test_watching_goes_on_behind_failures_and_ends_by_a_signal(self):
        old, response = b"the old one", self.authority.say()
        write(self.staple, old)
        self.responder.gives(b"garbage")
        with Process(*self.command("--cert", "leaf.chain", "--watch")) as watch:
            self.assertIn("the old one stays", watch.line("stderr", "OCSP"))
            self.assertEqual(read(self.staple), old)
            self.responder.gives(response)
            watch.line("stdout", "good until")
            self.assertEqual(read(self.staple), response)

    def test_a_signal_ends_a_wait_for_an_answer(self):
        over = threading.Event()
        self.responder.answer = lambda *_: over.wait(PATIENCE_S)
        try:
            with Process(*self.command("--cert", "leaf.chain", "--watch")) as watch:
                self.responder.asked.get(timeout=PATIENCE_S)
            self.assertEqual(watch.rest, ("", ""))  # not its own deadline has ended it
        finally:
            over.set()
        self.assertFalse(os.path.exists(self.staple))

    def test_watching_starts_with_right_options_only(self):
        self.refused("No such file", "--cert", "nonsuch.pem", "--watch", code=2)
        self.refused("no address", "--cert", "leaf.chain", "--watch", "--url", "x", code=2)


class Serve(Base):
    """lockring-serve."""

    def command(self, *arguments, cert="leaf.chain", key="leaf.key"):
        return [os.path.join(FOLDER, "lockring-serve"), "--listen", "127.0.0.1:0", "--handler",
                "echo", "--workers", "2", "--cert", cert, "--key", key, "--log-level", "info",
                *arguments]

    def serving(self, *arguments, **pair):
        return Process(*self.command(*arguments, **pair))

    def port_of(self, server):
        return int(re.search(r":(\d+) workers", server.line("stdout", "listening"))[1])

    def stapled(self, port, *arguments):
        """What openssl s_client was given, b"" for nothing."""
        said = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
             "-status", "-msg", *arguments], input="", capture_output=True, text=True,
            timeout=PATIENCE_S, check=False).stdout
        if "OCSP response: no response sent" in said:
            return b""
        self.assertIn("OCSP Response Status: successful", said)
        return said

    def expect(self, port, response):
        """Both versions, byte for byte: the whole response stands in a message of the handshake."""
        for version in ("-tls1_2", "-tls1_3"):
            said = self.stapled(port, version)
            if response == b"":
                self.assertEqual(said, b"", version)
                continue
            self.assertNotEqual(said, b"", version)
            dump = bytes.fromhex("".join(re.findall(r"(?m)^    ((?:[0-9a-f]{2} ?)+)\s*$", said)))
            self.assertTrue(response in dump, f"{version}: another staple")

    def refused(self, word, *arguments):
        for check in ([], ["--check-config"]):
            result = subprocess.run(self.command(*arguments, *check), capture_output=True,
                                    text=True, timeout=PATIENCE_S, check=False)
            self.assertEqual((result.returncode, result.stdout), (2, ""), (arguments, result))
            self.assertIn(word, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_a_file_is_stapled_and_read_again_when_it_changes(self):
        first, second = self.authority.say(), self.authority.say(end=48)
        write(self.staple, first)
        with self.serving("--ocsp-file", self.staple) as server:
            server.line("stderr", "staple_fresh")
            port = self.port_of(server)
            self.expect(port, first)
            write(self.staple, second)
            server.line("stderr", "staple_fresh")
            self.expect(port, second)
            # What does not hold leaves the old one; so does a file that is gone.
            for content in (b"garbage", self.authority.say(about=self.authority.other), None):
                if content is None:
                    os.unlink(self.staple)
                else:
                    write(self.staple, content)
                self.assertIn("kept=old", server.line("stderr", "staple_failed"))
                self.expect(port, second)
            write(self.staple, first)
            server.line("stderr", "staple_fresh")
            self.expect(port, first)
            # But for one: it is not shown as good any more.
            write(self.staple, self.authority.revoked())
            self.assertIn("kept=none", server.line("stderr", "staple_failed"))
            self.expect(port, b"")
            server.process.send_signal(signal.SIGHUP)
            server.line("stderr", "reload_done")
            self.expect(port, b"")

    def test_a_response_that_does_not_count_now_is_not_sent(self):
        for response in (self.authority.say(begin=-48, end=-1), self.authority.say(begin=1),
                         self.authority.revoked()):
            write(self.staple, response)
            with self.serving("--ocsp-file", self.staple) as server:
                self.expect(self.port_of(server), b"")

    def test_a_response_is_not_sent_behind_its_end(self):
        write(self.staple, self.authority.say(end=5 / 3600))
        with self.serving("--ocsp-file", self.staple) as server:
            server.line("stderr", "staple_fresh")
            port = self.port_of(server)
            for _ in range(3000):  # until it expires, which no other event tells
                if self.stapled(port, "-tls1_3") == b"":
                    return
            self.fail("it is still sent")

    def test_a_reload_with_a_wrong_file_changes_nothing(self):
        response = self.authority.say()
        write(self.staple, response)
        with self.serving("--ocsp-file", self.staple) as server:
            port = self.port_of(server)
            os.unlink(self.staple)
            server.process.send_signal(signal.SIGHUP)
            self.assertIn("--ocsp-file", server.line("stderr", "reload_failed"))
            self.expect(port, response)
            write(self.staple, response)
            server.process.send_signal(signal.SIGHUP)
            server.line("stderr", "reload_done")
            self.expect(port, response)

    def test_a_reload_takes_back_what_is_revoked_and_nothing_else(self):
        response = self.authority.say()
        write(self.staple, response)
        with self.serving("--ocsp-file", self.staple) as server:
            port = self.port_of(server)
            for content, expected in ((self.authority.say(begin=-48, end=-1), response),
                                      (self.authority.revoked(), b"")):
                write(self.staple, content)
                server.process.send_signal(signal.SIGHUP)
                server.line("stderr", "reload_done")
                self.expect(port, expected)

    def test_wrong_files_and_options_are_refused(self):
        for word, content in (("no OCSP response", b"garbage"), ("no OCSP response", b""),
                              ("another certificate",
                               self.authority.say(about=self.authority.other)),
                              ("not made one by",
                               self.authority.say(signer=self.authority.stranger,
                                                  certificates=[self.authority.stranger])),
                              ("too long", bytes(STAPLE_MAX + 1))):
            with self.subTest(word=word):
                write(self.staple, content)
                self.refused(word, "--ocsp-file", self.staple)
        self.refused("No such file", "--ocsp-file", "nonsuch")
        self.refused("needs --cert", "--ocsp-file", "-", "--ocsp-file", "nonsuch")
        self.refused("takes no value", "--ocsp=x")

    def test_each_certificate_has_its_own_file(self):
        """The RSA key has none: '-'. Clients that can check only RSA get nothing."""
        response = self.authority.say()
        with self.authority.lock:
            maker.make("rsa_leaf", "root", "leaf", "rsa", subject="localhost")
        write(self.staple, response)
        with self.serving("--ocsp-file", self.staple, "--cert", "rsa_leaf.pem", "--key",
                          "rsa_leaf.key", "--ca", "root.pem", "--ocsp-file", "-") as server:
            port = self.port_of(server)
            self.expect(port, response)
            self.assertEqual(self.stapled(port, "-sigalgs", "rsa_pss_rsae_sha256"), b"")

    def test_the_responder_is_asked_before_any_client_comes(self):
        response = self.authority.say()
        self.responder.gives(b"garbage")
        with self.serving("--ocsp") as server:
            port = self.port_of(server)
            self.assertIn("kept=none", server.line("stderr", "staple_failed"))
            self.responder.gives(response)
            server.line("stderr", "staple_fresh")
            self.expect(port, response)
            # It counts for a day: nobody is asked again now, a reload included.
            self.drain()
            server.process.send_signal(signal.SIGHUP)
            server.line("stderr", "reload_done")
            self.expect(port, response)
            self.assertTrue(self.responder.asked.empty())

    def test_a_certificate_without_a_responder_is_a_quiet_path(self):
        with self.serving("--ocsp", cert="silent.chain", key="silent.key") as server:
            port = self.port_of(server)
            server.line("stderr", "info: staple_none")
            self.expect(port, b"")
        self.assertTrue(self.responder.asked.empty())
        self.assertFalse([line for line in server.said if " warn: " in line])

    def test_names_have_staples_too(self):
        response = self.authority.say(about=self.authority.other)
        self.responder.gives(response)
        with self.serving("--ocsp", "--sni", "localhost=other.chain,other.key", cert="silent.chain",
                          key="silent.key") as server:
            port = self.port_of(server)
            server.line("stderr", 'staple_fresh subject="CN=other"')
            self.expect(port, response)

    def test_a_certificate_that_no_file_named_is_learned_from_its_first_client(self):
        response = self.authority.say()
        subprocess.run(["openssl", "pkcs12", "-export", "-in", "leaf.pem", "-inkey", "leaf.key",
                        "-certfile", "root.pem", "-out", "leaf.p12", "-passout", "pass:secret"],
                       check=True, capture_output=True)
        write("secret", b"secret\n")
        self.responder.gives(response)
        command = self.command("--ocsp", "--pkcs12", "leaf.p12", "--passphrase-file", "secret")
        at = command.index("--cert")
        with Process(*command[:at], *command[at + 4:]) as server:
            port = self.port_of(server)
            self.stapled(port)
            server.line("stderr", "staple_fresh")
            self.expect(port, response)

    def test_an_answer_that_never_comes_does_not_delay_the_end(self):
        over = threading.Event()
        self.responder.answer = lambda *_: over.wait(PATIENCE_S)
        try:
            with self.serving("--ocsp") as server:
                self.responder.asked.get(timeout=PATIENCE_S)
                self.expect(self.port_of(server), b"")
            self.assertNotIn("staple_failed", server.rest[1])  # not its own deadline has ended it
        finally:
            over.set()

    def test_checking_the_configuration_asks_nobody(self):
        result = subprocess.run(self.command("--ocsp", "--check-config"), capture_output=True,
                                text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(self.responder.asked.empty())


if __name__ == "__main__":
    FOLDER = os.path.abspath(sys.argv.pop(1))
    if not shutil.which("openssl"):
        print("ocsp: not installed: openssl")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="lockring-ocsp-") as work:
        before = os.getcwd()
        os.chdir(work)
        result = unittest.main(verbosity=2, exit=False).result
        os.chdir(before)
    sys.exit(not result.wasSuccessful())
