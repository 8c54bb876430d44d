#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wrong_inputs.py BIN: wrong inputs at each stage of a connection, at openssl s_server and
at lockring-serve: where one of them says by an alert what was wrong, so must the other. Known
differences stand in DIFFERENCES, each with its reason; docs/wolfssl.md tells them. Exit 77: openssl
is not installed.

A real client (Python's ssl over memory) makes the hellos that are spoiled here, shakes hands up to
the stage where a wrong record is put in, and reads what the server says to it."""

import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile

PATIENCE_S = 5
CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


# Bytes.

def record(kind, body, version=0x0303):
    return struct.pack(">BHH", kind, version, len(body)) + body


def message(kind, body):
    return struct.pack(">B", kind) + len(body).to_bytes(3, "big") + body


class Hello:
    """A ClientHello taken apart."""

    def __init__(self, wire):
        body = wire[5 + 4:]
        self.version, self.random = body[:2], body[2:34]
        at = 35 + body[34]
        self.session = body[35:at]
        length = int.from_bytes(body[at:at + 2], "big")
        self.suites = body[at + 2:at + 2 + length]
        at += 2 + length
        self.compression = body[at + 1:at + 1 + body[at]]
        at += 1 + body[at] + 2
        self.extensions = []
        while at < len(body):
            kind, length = struct.unpack(">HH", body[at:at + 4])
            self.extensions.append((kind, body[at + 4:at + 4 + length]))
            at += 4 + length

    def get(self, kind):
        return dict(self.extensions)[kind]

    def put(self, kind, body):
        self.extensions = [(k, body if k == kind else b) for k, b in self.extensions]
        return self

    def drop(self, kind):
        self.extensions = [(k, b) for k, b in self.extensions if k != kind]
        return self

    def add(self, kind, body):
        self.extensions.append((kind, body))
        return self

    def body(self):
        extensions = b"".join(struct.pack(">HH", k, len(b)) + b for k, b in self.extensions)
        return (self.version + self.random + bytes([len(self.session)]) + self.session +
                struct.pack(">H", len(self.suites)) + self.suites +
                bytes([len(self.compression)]) + self.compression +
                struct.pack(">H", len(extensions)) + extensions)

    def wire(self):
        return record(HANDSHAKE, message(1, self.body()), 0x0301)


SNI, GROUPS, SIGALGS, ALPN, EMS, VERSIONS, KEY_SHARE = 0, 10, 13, 16, 23, 43, 51
PSK_MODES, PSK, COOKIE, RENEGOTIATION = 45, 41, 44, 0xff01


def share(group, key):
    entry = struct.pack(">HH", group, len(key)) + key
    return struct.pack(">H", len(entry)) + entry


def garbage_psk(h):
    """The extension must be the last one; identity and binder are of the right shape."""
    identity = struct.pack(">H", 32) + bytes(range(32)) + bytes(4)
    binder = bytes([32]) + bytes(32)
    return h.drop(PSK).add(PSK, struct.pack(">H", len(identity)) + identity +
                           struct.pack(">H", len(binder)) + binder)


def of(change):
    """A row of a spoiled hello: what comes first on the wire."""
    return lambda wire: change(Hello(wire)).wire()


def setting(name, value):
    def change(h):
        setattr(h, name, value(h) if callable(value) else value)
        return h
    return of(change)


def raw(function):
    return function


HELLOS = [  # name, versions, bytes in place of the ClientHello
    ("an X25519 share of 31 bytes", [V13], of(lambda h: h.put(KEY_SHARE, share(29, bytes(31))))),
    ("an X25519 share of zeros", [V13], of(lambda h: h.put(KEY_SHARE, share(29, bytes(32))))),
    ("a P-256 share that is no point", [V13],
     of(lambda h: h.put(KEY_SHARE, share(23, b"\4" + bytes(range(64)))))),
    ("a P-256 share in compressed form", [V13],
     of(lambda h: h.put(KEY_SHARE, share(23, b"\2" + bytes(range(32)))))),
    ("an empty share", [V13], of(lambda h: h.put(KEY_SHARE, share(29, b"")))),
    ("a share of a group that is not offered", [V13],
     of(lambda h: h.put(KEY_SHARE, share(23, b"\4" + bytes(64))).put(GROUPS, b"\0\2\0\x1d"))),
    ("a key_share whose length lies", [V13],
     of(lambda h: h.put(KEY_SHARE, b"\0\x40" + h.get(KEY_SHARE)[2:]))),
    ("no key_share", [V13], of(lambda h: h.drop(KEY_SHARE))),
    ("no supported_groups", [V13], of(lambda h: h.drop(GROUPS))),
    ("no signature_algorithms", [V13], of(lambda h: h.drop(SIGALGS))),
    ("an extension twice", [V12, V13], of(lambda h: h.add(SIGALGS, h.get(SIGALGS)))),
    ("a garbage PSK", [V13], of(garbage_psk)),
    ("a PSK that is not the last extension", [V13],
     of(lambda h: garbage_psk(h).add(0x5a5a, b""))),
    ("a PSK without its modes", [V13], of(lambda h: garbage_psk(h.drop(PSK_MODES)))),
    ("a PSK with too few binders", [V13],
     of(lambda h: h.drop(PSK).add(PSK, b"\0\x26\0\x20" + bytes(36) + b"\0\0"))),
    ("legacy_version 0x0304", [V13], setting("version", b"\3\4")),
    ("legacy_version 0x0302", [V13], setting("version", b"\3\2")),
    ("legacy_version 0x0300", [V12, V13], setting("version", b"\3\0")),
    ("legacy_version 0x0200", [V12], setting("version", b"\2\0")),
    ("supported_versions with 0x0305 only", [V13], of(lambda h: h.put(VERSIONS, b"\2\3\5"))),
    ("supported_versions of odd length", [V13], of(lambda h: h.put(VERSIONS, b"\3\3\4\3"))),
    ("empty supported_versions", [V13], of(lambda h: h.put(VERSIONS, b"\0"))),
    ("a session id of 33 bytes", [V12, V13], setting("session", bytes(33))),
    ("compression without null", [V12, V13], setting("compression", b"\1")),
    ("compression DEFLATE and null", [V13], setting("compression", b"\1\0")),
    ("no compression methods", [V12, V13], setting("compression", b"")),
    ("no suites", [V12, V13], setting("suites", b"")),
    ("suites of odd length", [V12, V13], setting("suites", lambda h: h.suites + b"\0")),
    ("unknown suites only", [V12, V13], setting("suites", b"\xfa\xfa\xfb\xfb")),
    ("a server name of zero length", [V12, V13], of(lambda h: h.put(SNI, b"\0\3\0\0\0"))),
    ("a server name list that is cut", [V12, V13], of(lambda h: h.put(SNI, b"\0\xff\0\0\1a"))),
    ("an empty ALPN name", [V12, V13], of(lambda h: h.add(ALPN, b"\0\1\0"))),
    ("renegotiation_info that is not empty", [V12],
     of(lambda h: h.drop(RENEGOTIATION).add(RENEGOTIATION, b"\1\0"))),
    ("an EMS extension with a body", [V12], of(lambda h: h.put(EMS, b"\0"))),
    ("a cookie that nobody gave", [V13], of(lambda h: h.add(COOKIE, b"\0\1x"))),
    ("a hello that is cut", [V12, V13],
     raw(lambda w: record(HANDSHAKE, message(1, w[9:49]), 0x0301))),
    ("bytes behind the extensions", [V12, V13],
     raw(lambda w: record(HANDSHAKE, message(1, w[9:] + b"\0\0"), 0x0301))),
    ("a hello of 200 KB", [V12, V13],
     raw(lambda w: record(HANDSHAKE, b"\1\3\x0d\x40" + w[9:], 0x0301) +
         13 * record(HANDSHAKE, bytes(16000), 0x0301))),
    ("a second message in the hello's record", [V13],
     raw(lambda w: record(HANDSHAKE, w[5:] + message(1, w[9:]), 0x0301))),
    ("a Finished first", [V12, V13], raw(lambda w: record(HANDSHAKE, message(20, bytes(12))))),
    ("an unknown handshake message first", [V12, V13],
     raw(lambda w: record(HANDSHAKE, message(99, bytes(12))))),
    ("an empty handshake record first", [V12, V13], raw(lambda w: record(HANDSHAKE, b""))),
    ("data first", [V12, V13], raw(lambda w: record(DATA, b"hello"))),
    ("a CCS first", [V12], raw(lambda w: record(CCS, b"\1") + w)),
    ("a record of unknown type first", [V12, V13], raw(lambda w: record(99, b"hello"))),
    ("a record of 0x0403 first", [V12, V13], raw(lambda w: record(HANDSHAKE, w[5:], 0x0403))),
    ("a record of 18 KB first", [V12, V13], raw(lambda w: record(HANDSHAKE, bytes(18500)))),
    ("an alert of one byte first", [V12, V13], raw(lambda w: record(ALERT, b"\2"))),
    ("SSLv2 first", [V12], raw(lambda w: b"\x80\x2e\1\0\2" + bytes(43))),
]

INSERTS = [  # name, record that is put in
    ("a record of unknown type", record(99, b"hello")),
    ("an empty handshake record in clear", record(HANDSHAKE, b"")),
    ("a CCS of value 2", record(CCS, b"\2")),
    ("a CCS of two bytes", record(CCS, b"\1\1")),
    ("an empty CCS", record(CCS, b"")),
    ("a hello in clear", record(HANDSHAKE, message(1, bytes(40)))),
    ("a Finished in clear", record(HANDSHAKE, message(20, bytes(12)))),
    ("a KeyUpdate in clear", record(HANDSHAKE, message(24, b"\0"))),
    ("an unknown handshake message in clear", record(HANDSHAKE, message(99, b""))),
    ("data in clear", record(DATA, b"hello hello hello hello hello")),
    ("empty data in clear", record(DATA, b"")),
    ("a record of 18 KB", record(DATA, bytes(18500))),
    ("an alert of three bytes", record(ALERT, b"\1\0\0")),
    ("a record of 0x0403", record(DATA, bytes(40), 0x0403)),
]

# What lockring says where it is something else than OpenSSL 3.0 says, and why: (name, stage,
# version; None: both): answer, reason.
FIRST = "first"
DIFFERENCES = {
    ("a PSK with too few binders", FIRST, None):
        ("alert 50", "the structure is broken (RFC 8446 4.2.11); OpenSSL looks at no unknown PSK"),
    ("legacy_version 0x0304", FIRST, None):
        ("alert 70", "wolfSSL wants 0x0303 in TLS 1.3; OpenSSL follows RFC 8446 4.2.1 alone"),
    ("legacy_version 0x0302", FIRST, None): ("alert 70", "the same"),
    ("legacy_version 0x0300", FIRST, None):
        ("alert 70", "protocol_version, as RFC 8446 D.5 asks"),
    ("supported_versions of odd length", FIRST, None): ("alert 50", "the structure is broken"),
    ("empty supported_versions", FIRST, None): ("alert 50", "the structure is broken"),
    ("compression without null", FIRST, None):
        ("alert 47", "illegal_parameter, as RFC 8446 4.1.2 asks"),
    ("a server name of zero length", FIRST, None):
        ("alert 50", "the structure is broken (RFC 6066 3: 1..65535 bytes); OpenSSL reads over it"),
    ("an empty handshake record first", FIRST, None):
        ("alert 10", "RFC 8446 5.1; OpenSSL waits for the next one"),
    ("a record of 0x0403 first", FIRST, None):
        ("alert 70", "OpenSSL closes without a word"),
    ("an alert of one byte first", FIRST, None): ("alert 50", "the structure is broken"),
    ("SSLv2 first", FIRST, None): ("alert 70", "it is known for what it is"),
    ("an empty handshake record in clear", None, V12):
        ("alert 10", "RFC 5246 6.2.1 forbids it; OpenSSL reads over it in clear"),
    ("an empty CCS", None, None): ("alert 10", "unexpected_message, as RFC 8446 5 asks"),
    ("a CCS of value 2", "behind the server's flight", V13): ("alert 10", "the same"),
    ("a CCS of two bytes", "behind the server's flight", V13): ("alert 10", "the same"),
    ("empty data in clear", "behind the server's flight", V12):
        ("alert 50", "wolfSSL says decode_error where the RFC has no word"),
    ("a record of unknown type", "behind the handshake", V12):
        ("alert 10", "its type is wrong before its seal is looked at"),
}

STAGES = ("behind the server's flight", "behind the handshake")


# Connections.

class Gone(Exception):
    """The server has said its last; how."""


class Client:
    def __init__(self, port, version):
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = version
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)

    def close(self):
        self.sock.close()

    def step(self, function):
        """One call of the TLS client; what it says is not sent yet. True: done."""
        try:
            function()
            return True
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise Gone(describe(error)) from error

    def send(self, wire):
        try:
            self.sock.sendall(wire)
        except OSError:
            pass  # it has closed; what it said before can still be read

    def feed(self):
        try:
            got = self.sock.recv(65536)
        except ConnectionResetError as error:
            raise Gone("reset") from error
        except socket.timeout as error:
            raise Gone("nothing") from error
        if not got:
            raise Gone("end")
        self.incoming.write(got)
        return got

    def hello(self):
        self.step(self.tls.do_handshake)
        return self.outgoing.read()

    def shake_hands(self):
        while not self.step(self.tls.do_handshake):
            self.send(self.outgoing.read())
            self.feed()
        self.send(self.outgoing.read())

    def until_gone(self):
        """Reads to the server's last word. A question shows whether it lives on."""
        self.tls.write(b"ping\n")
        self.send(self.outgoing.read())
        while not self.step(lambda: self.tls.read(100)):
            self.send(self.outgoing.read())
            self.feed()
        return "lives on"


ALERTS = {"UNEXPECTED_MESSAGE": 10, "BAD_RECORD_MAC": 20, "RECORD_OVERFLOW": 22,
          "HANDSHAKE_FAILURE": 40, "ILLEGAL_PARAMETER": 47, "DECODE_ERROR": 50,
          "DECRYPT_ERROR": 51, "PROTOCOL_VERSION": 70, "INTERNAL_ERROR": 80,
          "MISSING_EXTENSION": 109}


def describe(error):
    reason = str(error.reason)
    found = re.match(r"(?:SSLV3|TLSV1|TLSV13)_ALERT_(.*)", reason)
    return f"alert {ALERTS.get(found[1], found[1])}" if found else reason.lower()


RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def judge(got):
    """What these records of a server say to a hello; None: that is not yet clear."""
    while len(got) > 5:
        length = int.from_bytes(got[3:5], "big")
        body = got[5:5 + length]
        if got[0] == ALERT and len(body) == 2:
            return f"alert {body[1]}"
        if got[0] == DATA or (got[0] == HANDSHAKE and body[:1] == b"\x0e"):
            return "goes on"  # encrypted extensions, or a ServerHelloDone
        if got[0] == HANDSHAKE and body[6:38] == RETRY:
            return "asks for another hello"
        got = got[5 + length:]
    return None


def plain_answer(client):
    got = b""
    try:
        while judge(got) is None:
            got += client.feed()
        return judge(got)
    except Gone as gone:
        return str(gone)


def spoiled_hello(port, version, change):
    client = Client(port, version)
    try:
        client.send(change(client.hello()))
        return plain_answer(client)
    finally:
        client.close()


def insert(port, version, stage, wire):
    client = Client(port, version)
    try:
        if stage == STAGES[0]:
            client.send(client.hello())
            client.feed()
            client.send(wire)
            client.shake_hands()
        else:
            client.shake_hands()
            client.send(wire)
        return client.until_gone()
    except Gone as gone:
        return str(gone)
    finally:
        client.close()


def rows():
    for name, versions, change in HELLOS:
        for version in versions:
            yield ((name, FIRST, version),
                   lambda port, v=version, c=change: spoiled_hello(port, v, c))
    for stage in STAGES:
        for name, wire in INSERTS:
            for version in (V12, V13):
                yield ((name, stage, version),
                       lambda port, v=version, s=stage, w=wire: insert(port, v, s, w))


# Servers.

def start(command, ready):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, text=True)
    for line in server.stdout:
        found = re.match(ready, line)
        if found:
            return server, int(found[1])
    raise AssertionError(f"{command[0]} is not ready")


def make_pair(folder):
    paths = [os.path.join(folder, name) for name in ("cert.pem", "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=localhost", "-out",
                    paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def ask(binary, folder):
    cert, key = make_pair(folder)
    theirs, their_port = start(["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert,
                                "-key", key, "-rev"], r"ACCEPT 127\.0\.0\.1:(\d+)")
    ours, our_port = start([binary, "--listen", "127.0.0.1:0", "--handler", "echo", "--cert", cert,
                            "--key", key, "--log-level", "off"],
                           r"listening on 127\.0\.0\.1:(\d+) ")
    try:
        return {what: (play(their_port), play(our_port)) for what, play in rows()}
    finally:
        for server in (theirs, ours):
            server.send_signal(signal.SIGTERM)
            server.communicate()


def main():
    if not shutil.which("openssl"):
        print("wrong_inputs: not installed: openssl")
        return 77
    with tempfile.TemporaryDirectory(prefix="lockring-wrong-") as folder:
        answers = ask(os.path.join(sys.argv[1], "lockring-serve"), folder)
    failed = differ = 0
    for (name, stage, version), (theirs, ours) in answers.items():
        expected = theirs
        for key in DIFFERENCES:
            if all(k in (None, w) for k, w in zip(key, (name, stage, version))):
                expected = DIFFERENCES[key][0]
        differ += theirs != ours
        if ours != expected or not (ours.startswith("alert") or ours == theirs):
            failed += 1
            print(f"wrong_inputs: {name} | {stage} | {version.name}: openssl: {theirs}, lockring: "
                  f"{ours}, expected: {expected}")
    silent = sum(ours in ("end", "reset", "nothing") for _, ours in answers.values())
    print(f"wrong_inputs: {len(answers)} rows, {differ} differ, {silent} without a word, "
          f"{failed} not as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
