# SPDX-License-Identifier: MIT
"""What the tests of the status page share: the server, and a few TLS connections to it."""

import contextlib
import os
import socket
import ssl
import subprocess

PATIENCE_S = 60


@contextlib.contextmanager
def serving(folder, address="127.0.0.1:0"):
    """Gives the port of the echo server and the address of the numbers; it must end with 0."""
    server = subprocess.Popen([os.path.join(folder, "status_page_server"), address],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        echo = server.stdout.readline().rstrip("\n")
        yield int(echo.rpartition(":")[2]), server.stdout.readline().rstrip("\n")
    finally:
        server.stdin.close()
        server.stdout.close()
        status = server.wait(PATIENCE_S)
    if status != 0:
        raise AssertionError(f"the server ended with {status}")


def refused(folder, address):
    """Its exit code and words."""
    server = subprocess.run([os.path.join(folder, "status_page_server"), address],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=PATIENCE_S, check=False)
    return server.returncode, server.stderr


def shake_hands(port, times):
    """So many good handshakes, each with four bytes there and back."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as raw:
            with context.wrap_socket(raw) as tls:
                tls.sendall(b"ping")
                got = b""
                while len(got) < 4:
                    got += tls.recv(4)
                tls.unwrap()


def speak_http(port, times):
    """So many handshakes that fail: what is sent is no TLS."""
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while raw.recv(64):
                pass
