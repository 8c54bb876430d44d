#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""serve_options.py BIN: the command line of lockring-serve: what it refuses, with which words and
exit code, and what it says when it is ready. Exit 77: openssl, which makes the files, is absent."""

import contextlib
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
import urllib.request

PATIENCE_S = 60
BINARY = ""
FILES = ""

BAD_VALUES = [
    ("--listen", "127.0.0.1"), ("--listen", "127.0.0.1:"), ("--listen", "127.0.0.1:65536"),
    ("--listen", "127.0.0.1:-1"), ("--listen", "127.0.0.1:8a"), ("--listen", "::1:8443"),
    ("--listen", "[]:8443"), ("--listen", "unix:"), ("--listen", "unix:/" + 120 * "x"),
    ("--source-connections", "0"), ("--source-connections", "5/"), ("--source-handshakes", "/5"),
    ("--source-handshakes", "a/5"), ("--max-half-open", "0"), ("--write-timeout", "-1"),
    ("--lifetime", "soon"), ("--profile", "old"), ("--sni", "name=cert"), ("--sni", "=cert,key"),
    ("--sni", "name=cert,key,"), ("--stats", "0.0.0.0:0"), ("--stats", "9090"),
    ("--root", "no/such/directory"), ("--max-connections", "0"), ("--max-connections", "many"),
    ("--stall-threshold", "-1"), ("--ocsp-file", "without/cert"),
    ("--ciphers", "TLS_AES_128_GCM_SHA256:NONSUCH"), ("--passphrase-file", "none"),
    ("--workers", "0"), ("--workers", "257"), ("--workers", "two"), ("--workers", ""),
    ("--workers", "-1"), ("--workers", " 1"), ("--workers", "1x"),
    ("--workers", "99999999999999999999"),
    ("--pin", "on"), ("--ring", "kqueue"), ("--min-version", "1.1"), ("--max-version", "1.4"),
    ("--handler", "teapot"), ("--renegotiation", "3"), ("--renegotiation", "3/"),
    ("--renegotiation", "65/600"), ("--renegotiation", "3/0"), ("--renegotiation", "3/604801"),
    ("--renegotiation", "-1/600"), ("--renegotiation", "3/600s"), ("--renegotiation", "/600"),
    ("--access-log", "no/such/directory/log"), ("--fragment", "511"),
    ("--fragment", "16385"), ("--fragment", "ramp:4096,65536,16384,1000"), ("--fragment", "cwnd"),
    ("--handshake-timeout", "0"), ("--handshake-timeout", "4294967295"),
    ("--idle-timeout", "soon"), ("--drain-timeout", "-1"), ("--log-level", "loud"),
    ("--proxy-protocol", "10.0.0.0/33"), ("--proxy-protocol", "10.0.0.1/8"),
    ("--proxy-protocol", "localhost"), ("--proxy-protocol", "10.0.0.0/"),
    ("--proxy-protocol", "unix:/run/x"), ("--proxy-protocol", ""),
    ("--ticket-keys", ""), ("--ticket-keys", "haproxy:"), ("--ticket-keys", "no/such/file"),
    ("--ticket-lifetime", "0"), ("--ticket-lifetime", "604801"), ("--ticket-lifetime", "1d"),
    ("--ticket-rotation", "-1"), ("--ticket-rotation", "31536001"), ("--ticket-count", "5"),
    ("--ticket-count", "two"), ("--groups", "X25519:P-999"), ("--alpn", "h2,,http/1.1"),
]

AVAILABLE = [
    "--listen", "--workers", "--pin", "--ring", "--share-port", "--cert", "--key", "--min-version",
    "--max-version", "--groups", "--alpn", "--handler", "--fragment", "--handshake-timeout",
    "--idle-timeout", "--drain-timeout", "--log-level", "--version", "--help",
    "--root", "--access-log", "--passphrase-file", "--ciphers", "--max-connections",
    "--stall-threshold", "--check-config", "--proxy-protocol",
    "--max-half-open", "--source-connections",
    "--source-handshakes", "--renegotiation", "--write-timeout", "--lifetime", "--stats",
    "--pkcs12", "--sni", "--ca", "--crl", "--request-cert", "--require-cert", "--profile",
    "--ticket-keys", "--ticket-lifetime", "--ticket-rotation", "--ticket-count", "--no-tickets",
    "--ocsp", "--ocsp-file",
]


def run(*arguments):
    """Runs it to its end."""
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)


@contextlib.contextmanager
def serving(*arguments, listeners=1, listen=("--listen", "127.0.0.1:0"), log=None, handler="echo"):
    """Runs it until the block ends; gives its ready lines. It must drain and end with 0."""
    server = subprocess.Popen([BINARY, *listen, "--handler", handler, *arguments],
                              stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield [server.stdout.readline().rstrip("\n") for _ in range(listeners)]
    finally:
        server.send_signal(signal.SIGTERM)
        rest = server.stdout.read()
        server.stdout.close()
        status = server.wait(PATIENCE_S)
    if status != 0 or rest != "":
        raise AssertionError(f"ended with {status}, behind {rest!r}")


def port_of(line):
    return int(re.fullmatch(r"listening on .*:(\d+) workers=\d+ ring=(uring|epoll)", line)[1])


def client(version=None, protocols=None):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def connect(port, context=None, host="127.0.0.1"):
    raw = socket.create_connection((host, port), PATIENCE_S)
    try:
        return (context or client()).wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def path(name):
    return os.path.join(FILES, name)


def make_files():
    for name, algorithm in (("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                            ("rsa", ["rsa:2048"])):
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", *algorithm, "-days", "2",
                        "-subj", f"/CN={name}", "-keyout", path(f"{name}.key"),
                        "-out", path(f"{name}.pem")], check=True, capture_output=True)
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", path("ec.key"), "-out",
                    path("locked.key"), "-passout", "pass:open sesame"], check=True,
                   capture_output=True)
    for name, text in (("right.pass", "open sesame\nsecond line\n"), ("wrong.pass", "open\n"),
                       ("empty.pass", ""), ("long.pass", 80 * "x")):
        with open(path(name), "w", encoding="ascii") as file:
            file.write(text)
    with open(path("garbage.pem"), "w", encoding="ascii") as file:
        file.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


class Refusals(unittest.TestCase):
    def refused(self, result, code, *words):
        """One line on standard error, nothing on standard output, the exit code."""
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Alockring-serve: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, result.stderr)

    def test_an_unknown_option_is_refused_by_its_name(self):
        for option in ("--colour", "--colour=red", "--no-share-port"):
            with self.subTest(option=option):
                self.refused(run(option), 2, f"'{option}'")
        self.refused(run("-x"), 2, "'-x'")
        self.refused(run("--help-me"), 2, "'--help-me'")

    def test_an_argument_that_is_no_option_is_refused(self):
        self.refused(run("8443"), 2, "'8443'")
        self.refused(run("--workers", "1", "--", "8443"), 2, "'8443'")

    def test_a_bad_value_is_refused_with_option_and_value(self):
        for name, value in BAD_VALUES:
            with self.subTest(name=name, value=value):
                self.refused(run(name, value), 2, name, value.split(":")[-1])

    def test_a_missing_value_and_one_too_many_are_refused(self):
        self.refused(run("--workers"), 2, "--workers", "needs N")
        self.refused(run("--share-port=yes"), 2, "--share-port", "takes no value")

    def test_versions_that_exclude_each_other_are_refused(self):
        self.refused(run("--min-version", "1.3", "--max-version", "1.2"), 2, "--min-version",
                     "--max-version")

    def test_certificate_and_key_go_together(self):
        self.refused(run("--cert", path("ec.pem")), 2, "--cert", "--key")
        self.refused(run("--key", path("ec.key")), 2, "--key", "--cert")
        pair = ["--cert", path("ec.pem"), "--key", path("ec.key")]
        self.refused(run(*pair, *pair), 2, "identit")
        self.refused(run(*(9 * pair)), 2, "--cert", "one too many")
        self.refused(run(*pair, "--cert", path("rsa.pem")), 2, "rsa.pem", "--key")
        self.refused(run(*pair, "--key", path("rsa.key")), 2, "rsa.key", "--cert")

    def test_the_wrong_key_of_the_second_pair_is_named(self):
        result = run("--cert", path("ec.pem"), "--key", path("ec.key"), "--cert", path("rsa.pem"),
                     "--key", path("ec.key"))
        self.refused(result, 2, path("ec.key")[-40:])

    def test_a_passphrase_that_does_not_open_is_refused(self):
        pair = ["--cert", path("ec.pem"), "--key", path("locked.key")]
        self.refused(run(*pair), 2, "locked.key", "passphrase")
        for name, word in (("wrong.pass", "locked.key"), ("empty.pass", "empty.pass"),
                           ("long.pass", "long.pass"), ("none.pass", "none.pass")):
            with self.subTest(name=name):
                self.refused(run(*pair, "--passphrase-file", path(name)), 2, word)

    def test_check_config_refuses_what_a_start_refuses(self):
        for arguments in (["--cert", path("ec.pem"), "--key", path("rsa.key")],
                          ["--ciphers", "NONSUCH"], ["--groups", "P-999"], ["--workers", "0"]):
            with self.subTest(arguments=arguments):
                self.refused(run("--check-config", *arguments), 2)

    def test_a_wrong_file_is_refused_by_its_name(self):
        for cert, key, named in (("none.pem", "ec.key", "none.pem"),
                                 ("ec.pem", "none.key", "none.key"),
                                 ("garbage.pem", "ec.key", "garbage.pem"),
                                 ("ec.key", "ec.key", "ec.key"),
                                 ("ec.pem", "ec.pem", "ec.pem"),
                                 ("ec.pem", "rsa.key", "rsa.key")):
            with self.subTest(cert=cert, key=key):
                result = run("--cert", path(cert), "--key", path(key))
                self.refused(result, 2, path(named)[-40:])

    def test_a_host_that_is_not_ours_is_refused(self):
        self.refused(run("--listen", "192.0.2.1:0"), 2, "192.0.2.1")
        self.refused(run("--listen", "name.invalid:0"), 2, "name.invalid")

    def test_a_port_in_use_ends_with_1(self):
        with serving() as ready:
            address = f"127.0.0.1:{port_of(ready[0])}"
            self.refused(run("--listen", address), 1, address)
            with connect(port_of(ready[0])) as tls:
                tls.sendall(b"ping")
                self.assertEqual(tls.recv(4), b"ping")


class Answers(unittest.TestCase):
    def test_help_lists_what_is_there(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for name in AVAILABLE:
            self.assertRegex(result.stdout, rf"(?m)^  {name}\b")
        for line in result.stdout.splitlines():
            self.assertLessEqual(len(line), 90)

    def test_version_names_what_is_inside_and_the_licence(self):
        result = run("--version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"\Alockring \d+\.\d+\.\d+ .*wolfSSL.*liburing")
        self.assertIn("GPL", result.stdout)


    def test_check_config_says_what_it_found_and_binds_nothing(self):
        with serving() as ready:
            address = f"127.0.0.1:{port_of(ready[0])}"
            result = run("--check-config", "--listen", address, "--cert", path("ec.pem"), "--key",
                         path("ec.key"), "--workers", "3")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"\Athe configuration is right: listeners=1 "
                                        r"certificates=1 workers=3 ring=(uring|epoll)\n\Z")


class Serving(unittest.TestCase):
    def test_a_ready_line_for_each_listener(self):
        listen = ("--listen", "127.0.0.1:0", "--listen", "localhost:0", "--listen", ":0",
                  "--workers", "3", "--ring", "epoll")
        with serving(listen=listen, listeners=3) as ready:
            for line in ready:
                self.assertRegex(line, r"\Alistening on .*:[1-9]\d* workers=3 ring=epoll\Z")
                with connect(port_of(line)) as tls:
                    tls.sendall(b"ping")
                    self.assertEqual(tls.recv(4), b"ping")

    def test_ipv6_in_brackets(self):
        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("no IPv6")
        with serving(listen=("--listen", "[::1]:0")) as ready:
            self.assertTrue(ready[0].startswith("listening on [::1]:"))
            connect(port_of(ready[0]), host="::1").close()

    def test_a_certificate_from_files(self):
        for name in ("ec", "rsa"):
            with serving("--cert", path(f"{name}.pem"), "--key", path(f"{name}.key")) as ready:
                with connect(port_of(ready[0])) as tls:
                    given = ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))
                with open(path(f"{name}.pem"), encoding="ascii") as file:
                    self.assertEqual(given, file.read())

    def test_each_client_gets_the_certificate_that_it_can_check(self):
        pairs = ["--cert", path("ec.pem"), "--key", path("locked.key"), "--passphrase-file",
                 path("right.pass"), "--cert", path("rsa.pem"), "--key", path("rsa.key")]
        with serving(*pairs) as ready:
            for suites, name in (("ECDHE-ECDSA-AES128-GCM-SHA256", "ec"),
                                 ("ECDHE-RSA-AES128-GCM-SHA256", "rsa")):
                context = client(ssl.TLSVersion.TLSv1_2)
                context.set_ciphers(suites)
                with connect(port_of(ready[0]), context) as tls:
                    given = ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))
                with open(path(f"{name}.pem"), encoding="ascii") as file:
                    self.assertEqual(given, file.read())

    def test_names_get_their_certificates_and_demand_theirs(self):
        sni = ["--sni", f"*.example.org={path('rsa.pem')},{path('rsa.key')}",
               "--sni", f"vip.example.org={path('rsa.pem')},{path('rsa.key')},{path('ec.pem')}"]
        pair = ["--cert", path("ec.pem"), "--key", path("ec.key")]

        def given(name, context=None):
            raw = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
            with raw, (context or client()).wrap_socket(raw, server_hostname=name) as tls:
                tls.sendall(b"ping")
                self.assertEqual(tls.recv(4), b"ping")
                return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))

        with open(path("rsa.pem"), encoding="ascii") as file:
            rsa = file.read()
        with serving(*pair, *sni) as ready:
            port = port_of(ready[0])
            self.assertEqual(given("a.example.org"), rsa)
            with self.assertRaises(OSError):
                given("vip.example.org")  # without a certificate
            with self.assertRaises(OSError):
                given("other.invalid")  # a name demands certificates: no way round it
            known = client()
            known.load_cert_chain(path("ec.pem"), path("ec.key"))
            self.assertEqual(given("vip.example.org", known), rsa)

    def test_a_certificate_is_demanded_of_every_client(self):
        pair = ["--cert", path("ec.pem"), "--key", path("ec.key"), "--ca", path("ec.pem")]
        known = client()
        known.load_cert_chain(path("ec.pem"), path("ec.key"))
        for option, without in (("--require-cert", False), ("--request-cert", True)):
            with serving(*pair, option) as ready:
                with connect(port_of(ready[0]), known) as tls:
                    tls.sendall(b"ping")
                    self.assertEqual(tls.recv(4), b"ping")
                try:
                    with connect(port_of(ready[0])) as tls:
                        tls.sendall(b"ping")
                        served = tls.recv(4) == b"ping"
                except OSError:
                    served = False
                self.assertEqual(served, without, option)

    def test_info_tells_of_the_clients_certificate(self):
        pair = ["--cert", path("ec.pem"), "--key", path("ec.key"), "--ca", path("ec.pem")]
        known = client()
        known.load_cert_chain(path("ec.pem"), path("ec.key"))
        with serving(*pair, "--request-cert", handler="http") as ready:
            for context, authorized, subject in ((known, True, "CN=ec"), (client(), False, None)):
                with connect(port_of(ready[0]), context) as tls:
                    tls.sendall(b"GET /info HTTP/1.0\r\n\r\n")
                    info = json.loads(tls.makefile("rb").read().split(b"\r\n\r\n", 1)[1])
                self.assertEqual((info["authorized"], info["peer_subject"]), (authorized, subject))
                self.assertEqual(info["authorization_error"] is None, authorized)
                self.assertRegex(info["ja4"], "^t13[di][0-9]{4}.._[0-9a-f]{12}_[0-9a-f]{12}$")

    def test_pkcs12_goes_with_no_pair(self):
        subprocess.run(["openssl", "pkcs12", "-export", "-in", path("ec.pem"), "-inkey",
                        path("ec.key"), "-out", path("ec.p12"), "-passout", "pass:open sesame"],
                       check=True, capture_output=True)
        result = run("--pkcs12", path("ec.p12"), "--cert", path("ec.pem"), "--key", path("ec.key"))
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        with serving("--pkcs12", path("ec.p12"), "--passphrase-file", path("right.pass")) as ready:
            connect(port_of(ready[0])).close()

    def test_suites_in_the_order_of_the_server(self):
        with serving("--ciphers", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256") as ready:
            with connect(port_of(ready[0])) as tls:
                self.assertEqual(tls.cipher()[0], "TLS_CHACHA20_POLY1305_SHA256")

    def test_a_unix_socket_beside_a_port(self):
        address = path("serve.socket")
        listen = ("--listen", f"unix:{address}", "--listen", "127.0.0.1:0", "--workers", "2")
        with serving(listen=listen, listeners=2) as ready:
            self.assertTrue(ready[0].startswith(f"listening on unix:{address} workers=2 "))
            for _ in range(4):
                raw = socket.socket(socket.AF_UNIX)
                raw.connect(address)
                with client().wrap_socket(raw, server_hostname="localhost") as tls:
                    tls.sendall(b"ping")
                    self.assertEqual(tls.recv(4), b"ping")
            result = run("--listen", f"unix:{address}")
            self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertFalse(os.path.exists(address))

    def test_connections_above_the_limit_are_reset(self):
        with serving("--max-connections", "2") as ready:
            port = port_of(ready[0])
            with connect(port), connect(port) as second:
                with self.assertRaises(OSError):
                    connect(port)
                second.sendall(b"ping")
                self.assertEqual(second.recv(4), b"ping")

    def test_a_source_that_shakes_hands_too_often_is_refused(self):
        with serving("--source-handshakes", "1/3", "--workers", "1") as ready:
            with self.assertRaises(OSError):
                for _ in range(100):
                    connect(port_of(ready[0])).close()

    def test_stats_are_told_on_an_address_of_their_own(self):
        with serving("--stats", "127.0.0.1:0", listeners=2) as ready:
            at = re.fullmatch(r"stats on (127\.0\.0\.1:\d+)", ready[1])[1]
            with connect(port_of(ready[0])) as tls:
                tls.sendall(b"ping")  # its answer: the server has this client's Finished
                self.assertEqual(tls.recv(4), b"ping")
            told = 0
            while told == 0:  # a worker publishes at the end of its turn
                with urllib.request.urlopen(f"http://{at}/stats.json",
                                            timeout=PATIENCE_S) as answer:
                    told = json.load(answer)["total"]["handshakes_full"]
            self.assertEqual(told, 1)
            with urllib.request.urlopen(f"http://{at}/metrics", timeout=PATIENCE_S) as answer:
                self.assertIn(b"lockring_", answer.read())

    def test_a_lifetime_ends_connections(self):
        with serving("--lifetime", "100") as ready:
            with connect(port_of(ready[0])) as tls:
                self.assertEqual(tls.recv(4), b"")

    def test_versions(self):
        old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        for option, refused, served in (("--min-version=1.3", old, new),
                                        ("--max-version=1.2", new, old)):
            with serving(option) as ready:
                with self.assertRaises(ssl.SSLError):
                    connect(port_of(ready[0]), client(refused))
                connect(port_of(ready[0]), client(served)).close()

    def test_protocols_in_the_order_of_the_server(self):
        with serving("--alpn", "h2,http/1.1") as ready:
            with connect(port_of(ready[0]), client(protocols=["http/1.1", "h2"])) as tls:
                self.assertEqual(tls.selected_alpn_protocol(), "h2")
            with self.assertRaises(ssl.SSLError):
                connect(port_of(ready[0]), client(protocols=["spdy"]))
            with connect(port_of(ready[0])) as tls:
                self.assertIsNone(tls.selected_alpn_protocol())

    def test_the_discard_handler_answers_nothing(self):
        with serving(handler="discard") as ready:
            with connect(port_of(ready[0])) as tls:
                tls.sendall(b"ping")
                self.assertEqual(tls.unwrap().recv(4), b"")

    def test_http_is_the_default_and_writes_an_access_log(self):
        log = path("access.log")
        server = subprocess.Popen([BINARY, "--listen", "127.0.0.1:0", "--access-log", log],
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = port_of(server.stdout.readline().rstrip("\n"))
            with connect(port, client(protocols=["h2", "http/1.1"])) as tls:
                self.assertEqual(tls.selected_alpn_protocol(), "http/1.1")
                tls.sendall(b"GET /bytes/5?q=\"\\ HTTP/1.1\r\nHost: a\r\n"
                            b"Connection: close\r\n\r\n")
                answer = tls.makefile("rb").read()
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        finally:
            server.send_signal(signal.SIGTERM)
            server.stdout.close()
            self.assertEqual(server.wait(PATIENCE_S), 0)
        with open(log, encoding="ascii") as file:
            self.assertRegex(
                file.read(), r'\A\d{4}-\d\d-\d\dT[\d:.]{12}Z conn=\d+\.\d+\.\d+ '
                             r'remote=127\.0\.0\.1:\d+ method=GET '
                             r'target="/bytes/5\?q=\\x22\\x5c" status=200 in=0 out=5 us=\d+\n\Z')

    def test_a_hang_up_reads_the_files_again_or_keeps_the_old_ones(self):
        def given():
            with connect(port) as tls:
                return tls.getpeercert(binary_form=True)

        def use(cert, key):
            for name, source in (("live.pem", cert), ("live.key", key)):
                shutil.copy(path(source), path(name))

        use("ec.pem", "ec.key")
        server = subprocess.Popen(
            [BINARY, "--listen", "127.0.0.1:0", "--cert", path("live.pem"), "--key",
             path("live.key"), "--handler", "echo"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            port = port_of(server.stdout.readline().rstrip("\n"))
            first = given()
            with connect(port) as old:
                for cert, key, verdict, same in (
                        ("ec.pem", "rsa.key", "reload_failed kept=old", True),
                        ("garbage.pem", "ec.key", "reload_failed kept=old", True),
                        ("rsa.pem", "rsa.key", "reload_done", False)):
                    use(cert, key)
                    server.send_signal(signal.SIGHUP)
                    self.assertIn(verdict, server.stderr.readline())
                    self.assertEqual(given() == first, same, cert)
                old.sendall(b"ping")
                self.assertEqual(old.recv(4), b"ping")
        finally:
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(PATIENCE_S), 0)
            server.stdout.close()
            server.stderr.close()

    def test_what_is_for_http_is_refused_elsewhere(self):
        for name in ("--root", "--access-log"):
            result = run("--handler", "echo", name, FILES)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn(name, result.stderr)

    def test_timeouts(self):
        with serving("--idle-timeout", "100") as ready:
            with connect(port_of(ready[0])) as tls:
                self.assertEqual(tls.recv(4), b"")
        with serving("--handshake-timeout", "100") as ready:
            with socket.create_connection(("127.0.0.1", port_of(ready[0])), PATIENCE_S) as raw:
                self.assertEqual(raw.recv(4), b"")

    def test_two_instances_share_a_port(self):
        with serving("--share-port") as first:
            address = f"127.0.0.1:{port_of(first[0])}"
            with serving("--share-port", listen=("--listen", address)) as second:
                self.assertEqual(port_of(second[0]), port_of(first[0]))

    def test_the_log_level(self):
        for level, said in (("info", True), ("warn", False), ("off", False)):
            with tempfile.TemporaryFile("w+") as log:
                with serving("--log-level", level, log=log) as ready:
                    with socket.create_connection(("127.0.0.1", port_of(ready[0])),
                                                  PATIENCE_S) as raw:
                        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
                        raw.recv(100)
                log.seek(0)
                text = log.read()
                self.assertEqual("handshake_failed" in text, said, text)


def main():
    global BINARY, FILES
    if not shutil.which("openssl"):
        print("serve_options: openssl is not installed")
        return 77
    BINARY = os.path.join(sys.argv.pop(1), "lockring-serve")
    with tempfile.TemporaryDirectory() as folder:
        FILES = folder
        make_files()
        return 0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
