#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reload.py BIN: SIGHUP on lockring-serve with its files truncated, empty, missing, unreadable,
mismatched, and swapped while they are read, while clients shake hands without a pause: none of them
fails, what is wrong keeps the old certificate and names the file in one line, what is right is
served from the next handshake on. On both rings. Exit 77: openssl, which makes the files, is
absent."""

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

PATIENCE_S = 120
CLIENTS = 3
SWAPPED_RELOADS = 60
VERDICT = re.compile(r"reload_(done|failed)")


def make_pair(folder, name):
    """The texts of a certificate and its key."""
    key, cert = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".pem")
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-days", "2", "-subj", f"/CN={name}", "-keyout", key,
                    "-out", cert], check=True, capture_output=True)
    with open(cert, encoding="ascii") as c, open(key, encoding="ascii") as k:
        return c.read(), k.read()


def der_of(pair):
    return ssl.PEM_cert_to_DER_cert(pair[0])


def client_context(version):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def shown(port, context):
    """The certificate that a handshake shows; one echoed word says that the connection works."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            der = tls.getpeercert(True)
            tls.sendall(b"ping")
            if tls.recv(4) != b"ping":
                raise OSError("no echo")
            return der


class Traffic:
    """Clients that never pause. What they are shown must be one of the certificates."""

    def __init__(self, port, certificates):
        self.port, self.certificates = port, certificates
        self.over = False
        self.count = 0
        self.failures = []
        self.threads = [threading.Thread(target=self.visit, args=(i,)) for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def visit(self, index):
        version = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)[index % 2]
        context = client_context(version)
        while not self.over and not self.failures:
            try:
                if shown(self.port, context) not in self.certificates:
                    self.failures.append("a certificate that nobody loaded")
            except OSError as error:
                self.failures.append(repr(error))
            self.count += 1

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join(PATIENCE_S)
        assert not self.failures, self.failures[:3]
        return self.count


class Files:
    def __init__(self, folder):
        self.cert, self.key = os.path.join(folder, "live.pem"), os.path.join(folder, "live.key")

    def put(self, cert, key, key_mode=0o600):
        """As a careful administrator does it: complete files take the place of the old ones."""
        for path, text, mode in ((self.cert, cert, 0o644), (self.key, key, key_mode)):
            if os.path.lexists(path):
                os.unlink(path)
            if text is None:
                continue
            with open(path + ".new", "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(path + ".new", mode)
            os.rename(path + ".new", path)

    def overwrite(self, cert, key):
        """As a careless one does it: in place, piece by piece."""
        for path, text in ((self.cert, cert), (self.key, key)):
            with open(path, "w", encoding="ascii") as file:
                for at in range(0, len(text), 100):
                    file.write(text[at:at + 100])
                    file.flush()


class Server:
    def __init__(self, binary, ring, files):
        # A superuser may read and write everything: these capabilities would hide what is tested.
        drop = []
        if os.geteuid() == 0 and shutil.which("setpriv"):
            caps = "-dac_override,-dac_read_search"
            drop = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"]
        self.heeds_modes = bool(drop) or os.geteuid() != 0
        self.process = subprocess.Popen(
            [*drop, binary, "--listen", "127.0.0.1:0", "--ring", ring, "--handler", "echo",
             "--cert", files.cert, "--key", files.key],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+) ", line)
        if not found:
            raise AssertionError(f"not ready: {line!r} {self.process.stderr.read()!r}")
        self.port = int(found[1])

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        return self.verdict()

    def verdict(self):
        """The line that tells how a reload went."""
        while True:
            line = self.process.stderr.readline()
            assert line, "lockring-serve has ended"
            if VERDICT.search(line):
                return line

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read()
        status = self.process.wait(PATIENCE_S)
        assert status == 0, f"ended with {status}: {rest}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def wrong_files(one, other, server):
    """Rows: what is wrong, certificate, key, mode of the key, the word that the line must have."""
    cert, key = one
    rows = [
        ("the key of another certificate", cert, other[1], 0o600, "live."),
        ("a truncated certificate", cert[:len(cert) // 2], key, 0o600, "live.pem"),
        ("a truncated key", cert, key[:len(key) // 2], 0o600, "live.key"),
        ("an empty certificate", "", key, 0o600, "live.pem"),
        ("an empty key", cert, "", 0o600, "live.key"),
        ("a certificate that is gone", None, key, 0o600, "live.pem"),
        ("a key that is gone", cert, None, 0o600, "live.key"),
        ("a key in place of the certificate", key, key, 0o600, "live.pem"),
        ("a key that others may write", cert, key, 0o622, "live.key"),
        ("a certificate with a changed byte in its key", spoiled(cert), key, 0o600, "live."),
    ]
    if server.heeds_modes:
        rows.append(("a key that may not be read", cert, key, 0o000, "live.key"))
    return rows


def spoiled(cert):
    """One letter of its base64 changed in the middle, where the public key is."""
    lines = cert.split("\n")
    middle = len(lines) // 2
    lines[middle] = ("B" if lines[middle][0] != "B" else "C") + lines[middle][1:]
    return "\n".join(lines)


def check_wrong_files(server, files, old, new):
    context = client_context(ssl.TLSVersion.TLSv1_3)
    for what, cert, key, mode, word in wrong_files(new, old, server):
        files.put(cert, key, mode)
        line = server.reload()
        assert "reload_failed kept=old" in line and word in line, f"{what}: {line!r}"
        assert shown(server.port, context) == der_of(old), f"{what}: the old one was not kept"
    files.put(*new)
    line = server.reload()
    assert "reload_done" in line, line
    assert shown(server.port, context) == der_of(new), "the new one is not served"


def check_swapped_files(server, files, pairs):
    """Reloads while the files change. Whatever a reload finds, it is one pair or it fails: the
    clients see to that."""
    verdicts = []
    for turn in range(SWAPPED_RELOADS):
        write = files.overwrite if turn % 4 < 2 else files.put
        swapper = threading.Thread(target=write, args=pairs[turn % 2])
        if turn % 3 == 0:
            swapper.start()
            verdicts.append(VERDICT.search(server.reload())[1])
        else:
            server.process.send_signal(signal.SIGHUP)
            swapper.start()
            verdicts.append(VERDICT.search(server.verdict())[1])
        swapper.join()
    return verdicts


def run(binary, ring, folder):
    old, new = make_pair(folder, "old"), make_pair(folder, "new")
    files = Files(folder)
    files.put(*old)
    server = Server(binary, ring, files)
    try:
        traffic = Traffic(server.port, {der_of(old), der_of(new)})
        try:
            check_wrong_files(server, files, old, new)
            verdicts = check_swapped_files(server, files, (old, new))
            files.put(*old)
            assert "reload_done" in server.reload()
            context = client_context(ssl.TLSVersion.TLSv1_2)
            assert shown(server.port, context) == der_of(old), "the last one is not served"
        finally:
            count = traffic.end()
        server.end()
    finally:
        server.kill()
    print(f"reload: ring={ring}: {count} handshakes, of {len(verdicts)} reloads of files that "
          f"changed {verdicts.count('done')} were done")


def main():
    if not shutil.which("openssl"):
        print("reload: not installed: openssl")
        return 77
    binary = os.path.join(sys.argv[1], "lockring-serve")
    for ring in ("uring", "epoll"):
        with tempfile.TemporaryDirectory(prefix="lockring-reload-") as folder:
            run(binary, ring, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
