#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""storm.py BIN: 100 downloads of 20 MB at once. While they go on, lockring-serve --check-config
runs on the same files, SIGHUP reloads them, the numbers are read, and at last SIGTERM comes: every
download ends whole and in good order, and lockring-serve with 0. On both rings. Exit 77: openssl,
which makes the certificate, is absent."""

import hashlib
import http.client
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
import threading

PATIENCE_S = 300
COUNT = 100
SIZE = 20000000
LINE = b"lockring sends these sixty-four bytes again, and again, and so.\n"
CHUNK = 1 << 18


class Storm:
    """The downloads wait for each other twice: when all have begun, so that what is done meanwhile
    is done under the load of all, and when SIGTERM was sent, so that it finds all of them."""

    def __init__(self, port):
        self.port = port
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.begun = threading.Barrier(COUNT + 1, timeout=PATIENCE_S)
        self.told_to_end = threading.Event()
        self.half_way = threading.Semaphore(0)
        self.failures = []
        self.threads = [threading.Thread(target=self.run_one, args=(i,)) for i in range(COUNT)]

    def run_one(self, index):
        try:
            self.download()
        except (OSError, AssertionError, threading.BrokenBarrierError) as error:
            self.failures.append(f"download {index}: {error!r}")
            self.begun.abort()
            self.half_way.release()

    def download(self):
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        with self.context.wrap_socket(raw, suppress_ragged_eofs=False) as tls:
            tls.sendall(f"GET /bytes/{SIZE} HTTP/1.1\r\nHost: storm\r\n\r\n".encode())
            got = b""
            while b"\r\n\r\n" not in got:
                part = tls.recv(4096)
                assert part, f"no head: {got!r}"
                got += part
            head, _, body = got.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and f"Length: {SIZE}".encode() in head, head
            self.begun.wait()
            self.read_body(tls, body)
            # The answer was not its last word when it began, so only the end tells the drain.
            assert tls.recv(1) == b"", "bytes behind the body"

    def read_body(self, tls, first):
        sha, length, buffer = hashlib.sha256(first), len(first), bytearray(CHUNK)
        while length < SIZE:
            if length >= SIZE // 2 and not self.told_to_end.is_set():
                self.half_way.release()
                assert self.told_to_end.wait(PATIENCE_S), "no SIGTERM"
            count = tls.recv_into(buffer)
            assert count > 0, f"the body ended at {length}"
            sha.update(memoryview(buffer)[:count])
            length += count
        assert sha.hexdigest() == EXPECTED, f"another body of {length} bytes"


def expected():
    sha = hashlib.sha256()
    block = LINE * 4096
    for at in range(0, SIZE, len(block)):
        sha.update(block[:SIZE - at])
    return sha.hexdigest()


EXPECTED = expected()


def read_stats(path):
    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(PATIENCE_S)
    connection.sock.connect(path)
    connection.request("GET", "/stats.json")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, answer.status
    return json.loads(body)["total"]


def check_config(command):
    result = subprocess.run([*command, "--check-config"], capture_output=True, text=True,
                            timeout=PATIENCE_S, check=False)
    assert result.returncode == 0 and result.stderr == "", result
    assert result.stdout.startswith("the configuration is right"), result.stdout


def disturb(server, command, stats):
    """What may be done to a server that is busy."""
    check_config(command)
    server.send_signal(signal.SIGHUP)
    total = read_stats(stats)
    assert total["open_tls"] == COUNT, f"open_tls={total['open_tls']}"
    assert total["app_out"] > 0 and total["handshakes_failed"] == 0, total


def storm(command, stats):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    the_storm = None
    try:
        line = server.stdout.readline()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+) ", line)
        assert found, f"not ready: {line!r}"
        the_storm = Storm(int(found[1]))
        for thread in the_storm.threads:
            thread.start()
        the_storm.begun.wait()
        disturb(server, command, stats)
        for arrived in range(COUNT):
            assert the_storm.half_way.acquire(timeout=PATIENCE_S), "nobody comes half way"
            if arrived % 25 == 0:
                disturb(server, command, stats)
        server.send_signal(signal.SIGTERM)
        the_storm.told_to_end.set()
        for thread in the_storm.threads:
            thread.join(PATIENCE_S)
        assert not the_storm.failures, the_storm.failures[:5]
        assert server.wait(PATIENCE_S) == 0, f"lockring-serve ended with {server.returncode}"
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        server.stdout.close()
        if the_storm:  # nobody waits for what will not come
            the_storm.begun.abort()
            the_storm.told_to_end.set()


def command_of(binary, folder, ring, stats):
    return [binary, "--listen", "127.0.0.1:0", "--ring", ring, "--stats", "unix:" + stats,
            "--drain-timeout", str(PATIENCE_S * 1000), "--idle-timeout", str(PATIENCE_S * 1000),
            "--access-log", os.path.join(folder, "access.log"),
            "--cert", os.path.join(folder, "cert.pem"), "--key", os.path.join(folder, "key.pem")]


def main():
    binary = os.path.join(sys.argv[1], "lockring-serve")
    if not shutil.which("openssl"):
        print("storm: openssl is not installed")
        return 77
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", os.path.join(folder, "key.pem"), "-out",
                        os.path.join(folder, "cert.pem")], check=True, capture_output=True)
        for ring in ("uring", "epoll"):
            stats = os.path.join(folder, "stats." + ring)
            verdict = "ok"
            try:
                storm(command_of(binary, folder, ring, stats), stats)
            except (AssertionError, OSError, subprocess.TimeoutExpired,
                    threading.BrokenBarrierError) as error:
                verdict = f"FAILED: {error!r}"
                failed += 1
            print(f"storm: ring={ring}: {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
