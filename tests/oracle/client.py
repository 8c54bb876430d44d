# SPDX-License-Identifier: MIT
"""The clients of the oracle: each does one thing to a server, in a thread of its own, and notes
what it saw in words that depend neither on the server nor on timing."""

import re
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path

PATIENCE_S = 60
HERE = Path(__file__).resolve().parent
SERVERS = HERE / "pki"
PEERS = HERE.parent / "unit" / "pki"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# What OpenSSL's message callback tells: types of content, a record's header, what is in the record.
ALERT, APPLICATION_DATA, HEADER, INNER_TYPE = 21, 23, 0x100, 0x101
ALERTS = {a.value: a.name.removeprefix("ALERT_DESCRIPTION_").lower() for a in ssl.AlertDescription}
ALERTS |= {116: "certificate_required", 120: "no_application_protocol"}


def names_of_certificates():
    """From DER in hexadecimal to the name of the file: what is told is which one it was."""
    names = {}
    for folder in (PEERS, SERVERS):
        for path in sorted(folder.glob("*.pem")):
            found = re.search(
                "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", path.read_text(), re.S
            )
            if found:
                names.setdefault(ssl.PEM_cert_to_DER_cert(found.group()).hex(), path.stem)
    return names


class Client(threading.Thread):
    """What every client does: connect, act(), and note how it ended."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.seen = []
        self.released = threading.Event()
        self.failure = None

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as raw:
                self.act(raw)
        except ConnectionError:
            self.seen.append("cut")
        except Exception as error:  # told by finish(), on the thread of the scenario
            self.failure = error

    def release(self):
        self.released.set()

    def finish(self):
        self.join(PATIENCE_S)
        if self.failure:
            raise self.failure
        if self.is_alive():
            raise TimeoutError(f"a client has not ended: {self.seen}")
        return self.seen


class Raw(Client):
    """Sends bytes that are no handshake, then ends: "fin", "reset", or "wait" for the server."""

    def __init__(self, port, send=b"", then="wait"):
        super().__init__(port)
        self.send, self.then = send, then

    def act(self, raw):
        raw.sendall(self.send)
        if self.then == "reset":
            self.released.wait(PATIENCE_S)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if self.then == "fin":
            raw.shutdown(socket.SHUT_WR)
        got = b""
        while piece := raw.recv(4096):
            got += piece
        if got[:1] == b"\x15" and len(got) >= 7:
            self.seen.append(f"alert {ALERTS.get(got[6], got[6])}")
        elif got:
            self.seen.append("bytes")
        self.seen.append("cut")


class Tls(Client):
    """Shakes hands, sends, reads as much as it expects (what it has sent: servers echo) and ends:
    "hold" only when it is released, "read" after the server."""

    def __init__(self, port, version=None, sni=None, alpn=(), ciphers=None, groups=None, cert=None,
                 send=b"", expect=None, then="end", trust=None, tell=(), after=None,
                 tickets=True):
        super().__init__(port)
        self.session = None
        if after:  # comes back as that client, with its session
            self.come_back(after, send, expect, then, tell)
            return
        self.send, self.then, self.tell, self.sni = send, then, tell, sni
        self.heard, self.alerts = [], []
        self.expect = len(send) if expect is None else expect
        context = self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context._msg_callback = self.hear  # a private door of Python's, for those who debug
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if not tickets:
            context.options |= ssl.OP_NO_TICKET
        context.set_ciphers((ciphers or "DEFAULT") + ":@SECLEVEL=0")
        if version:
            context.minimum_version = context.maximum_version = VERSIONS[version]
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if groups:
            context.set_ecdh_curve(groups)
        if trust:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(trust)
        if cert:
            context.load_cert_chain(*cert)

    def come_back(self, before, send, expect, then, tell):
        self.send, self.then, self.tell, self.sni = send, then, tell, before.sni
        self.heard, self.alerts = [], []
        self.expect = len(send) if expect is None else expect
        self.context, self.session = before.context, before.session
        self.context._msg_callback = self.hear

    def act(self, raw):
        self.raw = raw
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_hostname=self.sni,
                                         session=self.session)
        try:
            self.talk()
        except ssl.SSLError as error:
            self.note_failure(error)

    def talk(self):
        self.step(self.tls.do_handshake)
        self.note_secure()
        if self.send:
            self.tls.write(self.send)
        if self.then == "hold":
            self.flush()
            self.released.wait(PATIENCE_S)
        received = 0
        while self.then == "read" or received < self.expect:
            piece = self.step(lambda: self.tls.read(65536))
            received += len(piece)
            if not piece:
                break
        if received:
            self.seen.append(f"data {received}")
        self.session = self.tls.session
        if "records" in self.tell:
            self.seen.append(f"records {self.records()}")
        self.step(self.tls.unwrap)
        self.seen.append("end")

    def note_secure(self):
        words = ["secure"]
        if "cert" in self.tell:
            words.append("cert=" + self.tls.getpeercert(True).hex())
        if "alpn" in self.tell:
            words.append(f"alpn={self.tls.selected_alpn_protocol() or ''}")
        if "resumed" in self.tell:
            words.append(f"resumed={self.tls.session_reused}".lower())
        if "cipher" in self.tell:
            words.append(f"version={self.tls.version()} cipher={self.tls.cipher()[0]}")
        self.seen.append(" ".join(words))

    def hear(self, _, direction, version, content, kind, data):
        """Of what comes: each record's type and length, and fatal alerts."""
        if direction != "read":
            return
        if content == HEADER:
            self.heard.append([data[0], int.from_bytes(data[3:5], "big")])
        elif content == INNER_TYPE:
            self.heard[-1][0] = data[0]
        elif content == ALERT and data[0] == 2:
            self.alerts.append(ALERTS[data[1]])

    def records(self):
        """The payloads of the application's records: "3 of 512, 1 of 64", in their order."""
        overhead = 17 if self.tls.version() == "TLSv1.3" else 24
        runs = []
        for kind, length in self.heard:
            if kind != APPLICATION_DATA:
                continue
            if runs and runs[-1][1] == length - overhead:
                runs[-1][0] += 1
            else:
                runs.append([1, length - overhead])
        return ", ".join(f"{count} of {size}" for count, size in runs)

    def flush(self):
        try:
            self.raw.sendall(self.outgoing.read())
        except ConnectionError:
            pass  # what the server said before is still to be read

    def step(self, call):
        """Calls until it needs nothing more of the server. b"" at the end of a stream."""
        while True:
            try:
                result = call()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
            except ssl.SSLZeroReturnError:
                return b""
            piece = self.raw.recv(65536)
            if piece:
                self.incoming.write(piece)
            else:
                self.incoming.write_eof()

    def note_failure(self, error):
        reason = (error.reason or "").lower()
        self.flush()
        if isinstance(error, ssl.SSLEOFError) or reason == "unexpected_eof_while_reading":
            self.seen.append("cut")
        elif self.alerts:
            self.seen.append(f"alert {self.alerts[0]}")
        else:
            self.seen.append(f"failed {reason}")
            self.raw.shutdown(socket.SHUT_WR)
            while self.raw.recv(65536):
                pass


class Renegotiator(Client):
    """openssl s_client and its command R: how often does it pass, with an echo after each?"""

    WORD = b"the quic fox\n"  # without the letters that s_client takes for commands

    def __init__(self, port, times):
        super().__init__(port)
        self.times = times

    def run(self):
        try:
            self.ask()
        except Exception as error:  # told by finish(), as above
            self.failure = error

    def ask(self):
        with subprocess.Popen(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-tls1_2"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                bufsize=0) as self.tool:
            watchdog = threading.Timer(PATIENCE_S, self.tool.kill)
            watchdog.start()
            self.said, passed = b"", 0
            if self.await_word(b"---\n") and self.echoes():
                self.seen.append("secure")
            while passed < self.times and self.renegotiates():
                passed += 1
            self.seen.append(f"renegotiated {passed}")
            self.tool.stdin.close()
            self.tool.stdout.read()
            watchdog.cancel()

    def renegotiates(self):
        try:
            self.tool.stdin.write(b"R\n")
            return self.await_word(b"RENEGOTIATING") and self.echoes()
        except BrokenPipeError:
            return False

    def echoes(self):
        self.tool.stdin.write(self.WORD)
        return self.await_word(self.WORD)

    def await_word(self, word):
        while word not in self.said:
            part = self.tool.stdout.read(4096)
            if not part:
                return False
            self.said += part
        self.said = self.said[self.said.index(word) + len(word):]
        return True


class Tool(Client):
    """openssl s_client, for what Python does not tell: is the staple the one that the server was
    given, and in which group were the keys agreed?"""

    def __init__(self, port, version, staple=None, groups=None, sni=None, tell=()):
        super().__init__(port)
        self.arguments = {"1.2": ["-tls1_2"], "1.3": ["-tls1_3"]}[version]
        self.staple, self.tell = staple, tell
        if staple:
            self.arguments.append("-status")
        if groups:
            self.arguments += ["-groups", groups]
        self.arguments += ["-servername", sni] if sni else ["-noservername"]

    def run(self):
        try:
            self.ask()
        except Exception as error:  # told by finish(), as above
            self.failure = error

    def ask(self):
        said = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", *self.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=PATIENCE_S, check=False).stdout
        if not re.search(r"^Server certificate$", said, re.M):
            self.seen.append("cut")
            return
        self.seen.append("secure")
        if self.staple:
            self.seen.append(f"staple={self.staple_in(said)}")
        if "group" in self.tell:
            group = re.search(r"Server Temp Key: (?:ECDH, )?([^,\n]+)", said)
            self.seen.append("group=" + group.group(1))

    def staple_in(self, said):
        if "OCSP response: no response sent" in said:
            return "none"
        shown = subprocess.run(
            ["openssl", "ocsp", "-respin", self.staple, "-resp_text", "-noverify"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
        return "same" if shown.partition("-----BEGIN")[0].strip() in said else "other"
