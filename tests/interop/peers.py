#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""peers.py BIN: openssl s_client and gnutls-cli send a megabyte through lockring-serve and get the
same bytes back, over TLS 1.2 and 1.3, on both rings. Exit 77: a peer is not installed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading

SIZE = 1 << 20
PATIENCE_S = 120


def openssl(port, version):
    option = "-tls1_2" if version == "1.2" else "-tls1_3"
    return ["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"127.0.0.1:{port}", option]


def gnutls(port, version):
    return ["gnutls-cli", "--insecure", "--logfile=/dev/null", "--port", str(port),
            "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "127.0.0.1"]


PEERS = {"openssl": openssl, "gnutls-cli": gnutls}


def serve(binary, ring):
    command = [os.path.join(binary, "lockring-serve"), "--listen", "127.0.0.1:0",
               "--handler", "echo", "--ring", ring]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    line = server.stdout.readline().decode()
    if not line.startswith("listening on 127.0.0.1:") or f"ring={ring}" not in line:
        sys.exit(f"peers: not ready: {line!r}")
    return server, int(line.split(":")[1].split()[0])


def echo(command, sent):
    """What comes back; the peer's input stays open until it is all there."""
    peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    watchdog = threading.Timer(PATIENCE_S, peer.kill)

    def send():
        peer.stdin.write(sent)
        peer.stdin.flush()

    watchdog.start()
    sender = threading.Thread(target=send)
    sender.start()
    received = peer.stdout.read(len(sent))
    sender.join()
    peer.stdin.close()
    peer.stdout.read()
    peer.wait()
    watchdog.cancel()
    return received


def main():
    missing = [name for name in PEERS if not shutil.which(name)]
    if missing:
        print(f"peers: not installed: {' '.join(missing)}")
        return 77
    dice = random.Random(1)
    failed = 0
    for ring in ("uring", "epoll"):
        server, port = serve(sys.argv[1], ring)
        for name, command in PEERS.items():
            for version in ("1.2", "1.3"):
                # Without the letters that s_client takes for commands (B, K, Q, R).
                sent = bytes(dice.choices(b"abcdefghij\n", k=SIZE))
                same = echo(command(port, version), sent) == sent
                failed += not same
                verdict = "ok" if same else "FAILED"
                print(f"peers: ring={ring} peer={name} version={version}: {verdict}")
        server.send_signal(signal.SIGTERM)
        status = server.wait(PATIENCE_S)
        if status != 0:
            print(f"peers: lockring-serve ended with {status}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
