#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""renegotiation.py BIN: openssl s_client -tls1_2 and its command R, four times, at lockring-serve
with and without --renegotiation (S7). On both rings. Exit 77: openssl is not installed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading

PATIENCE_S = 60
WORD = b"the quic fox\n"  # without the letters that s_client takes for commands


class Server:
    def __init__(self, binary, ring, *options):
        self.process = subprocess.Popen(
            [binary, "--listen", "127.0.0.1:0", "--handler", "echo", "--ring", ring,
             "--log-level", "info", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+) ", line)
        assert found, f"not ready: {line!r}"
        self.port = found[1]

    def end(self):
        """What it has logged."""
        self.process.send_signal(signal.SIGTERM)
        log = self.process.stderr.read().decode()
        assert self.process.wait(PATIENCE_S) == 0, log
        self.process.stdout.close()
        self.process.stderr.close()
        return log


class Client:
    """A program that is led by what it says, never by time."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, bufsize=0)
        self.said = b""
        self.watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self.watchdog.start()

    def say(self, text):
        self.process.stdin.write(text)

    def await_word(self, word):
        """True when it has said the word since the last one; false if it ended instead."""
        while word not in self.said:
            part = self.process.stdout.read(4096)
            if not part:
                return False
            self.said += part
        self.said = self.said[self.said.index(word) + len(word):]
        return True

    def echoes(self):
        self.say(WORD)
        return self.await_word(WORD)

    def close(self):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()
        self.watchdog.cancel()
        return self.said + rest


def openssl(server, renegotiations):
    """How many renegotiations passed before the connection ended, and its last words."""
    client = Client("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2")
    passed = 0
    assert client.await_word(b"---\n") and client.echoes(), "no connection"
    for _ in range(renegotiations):
        client.say(b"R\n")
        # It tells the certificate of each handshake, and then the echo shows that it is over.
        if not (client.await_word(b"RENEGOTIATING\n") and client.await_word(b"verify return:1") and
                client.echoes()):
            break
        passed += 1
    return passed, client.close().decode(errors="replace")


def s7_s_client_renegotiates_up_to_the_limit(binary, ring):
    server = Server(binary, ring, "--renegotiation", "3/600")
    passed, words = openssl(server, 4)
    assert passed == 3, f"{passed} of 4 passed: {words}"
    assert "SSL alert number 40" in words, words
    again, _ = openssl(server, 3)
    assert again == 3, "the limit of one connection held for another"
    log = server.end()
    assert len(re.findall("status=LR_ERENEGOTIATION", log)) == 1, log

    server = Server(binary, ring)
    passed, words = openssl(server, 1)
    assert passed == 0 and "no renegotiation" in words, (passed, words)
    assert "LR_ERENEGOTIATION" not in server.end()
    print(f"renegotiation: ring={ring}: ok")


def main():
    if not shutil.which("openssl"):
        print("renegotiation: not installed: openssl")
        return 77
    for ring in ("uring", "epoll"):
        s7_s_client_renegotiates_up_to_the_limit(os.path.join(sys.argv[1], "lockring-serve"), ring)
    return 0


if __name__ == "__main__":
    sys.exit(main())
