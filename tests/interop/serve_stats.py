#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""serve_stats.py FOLDER: the numbers over HTTP: routes, what stands in them, whom they refuse, and
where they do not listen."""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from stats_server import PATIENCE_S, refused, serving, shake_hands, speak_http

FOLDER = ""


def ask(address, path, method="GET", host=None, sock=None):
    """Status, fields and body."""
    name, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(name.strip("[]"), int(port), timeout=PATIENCE_S)
    if sock:
        connection.sock = sock
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


class Routes(unittest.TestCase):
    def test_json_has_what_was_done(self):
        with serving(FOLDER) as (port, address):
            shake_hands(port, 3)
            speak_http(port, 2)
            status, fields, body = ask(address, "/stats.json")
            self.assertEqual(status, 200)
            self.assertEqual(fields["Content-Type"], "application/json")
            self.assertEqual(fields["Cache-Control"], "no-store")
            numbers = json.loads(body)
            total = numbers["total"]
            self.assertEqual(total["handshakes_full"], 3)
            self.assertEqual(total["handshakes_failed"], 2)
            self.assertEqual(total["failures"], {"LR_ENOTTLS": 2})
            self.assertEqual(total["alerts_sent"]["10"], 2)
            self.assertEqual(total["handshake_ns"]["count"], 3)
            self.assertEqual(sum(n for _, n in numbers["handshake_buckets"]), 3)
            self.assertEqual(total["accepted"], 6)  # five, and the one that asks
            self.assertEqual(sum(w["accepted"] for w in numbers["workers"]), 6)
            self.assertEqual(total["open_plain"], 1)

    def test_metrics_have_what_was_done(self):
        with serving(FOLDER) as (port, address):
            shake_hands(port, 3)
            status, fields, body = ask(address, "/metrics")
            self.assertEqual(status, 200)
            self.assertEqual(fields["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            full = re.findall(rb'^lockring_handshakes_total\{worker="\d",kind="full"\} (\d+)$',
                              body, re.M)
            self.assertEqual(sum(map(int, full)), 3)

    def test_the_policy_allows_this_page_and_nothing_else(self):
        with serving(FOLDER) as (_, address):
            status, fields, body = ask(address, "/")
            self.assertEqual(status, 200)
            self.assertEqual(fields["Content-Type"], "text/html; charset=utf-8")
            policy = fields["Content-Security-Policy"]
            self.assertTrue(policy.startswith("default-src 'none'; "))
            self.assertNotIn("unsafe", policy)
            for name in (b"style", b"script"):
                found = re.findall(b"<%s>(.*?)</%s>" % (name, name), body, re.S)
                self.assertEqual(len(found), 1)
                digest = base64.b64encode(hashlib.sha256(found[0]).digest()).decode()
                self.assertIn(f"{name.decode()}-src 'sha256-{digest}'", policy)
            self.assertEqual(re.findall(rb'(?:src|href)="(?!data:,|/)', body), [])

    def test_other_paths_and_methods_are_refused(self):
        with serving(FOLDER) as (_, address):
            self.assertEqual(ask(address, "/stats")[0], 404)
            self.assertEqual(ask(address, "/metrics", "POST")[0], 405)
            status, fields, body = ask(address, "/stats.json?now", "HEAD")
            self.assertEqual((status, body), (200, b""))
            self.assertGreater(int(fields["Content-Length"]), 1000)


class Addresses(unittest.TestCase):
    def test_only_names_of_this_machine_are_answered(self):
        with serving(FOLDER) as (_, address):
            for host in ("localhost", "127.0.0.1:80", "127.9.9.9", "[::1]:9090"):
                self.assertEqual(ask(address, "/metrics", host=host)[0], 200, host)
            for host in ("example.org", "127.0.0.1.example.org", "10.0.0.1", "[::2]",
                         "a" * 200):
                self.assertEqual(ask(address, "/metrics", host=host)[0], 421, host)

    def test_other_addresses_are_refused_by_name(self):
        for address in ("0.0.0.0:0", "[::]:0", "10.1.2.3:80", "example.org:80", "128.0.0.1:0",
                        "[::ffff:10.0.0.1]:1"):
            status, words = refused(FOLDER, address)
            self.assertEqual(status, 2, address)
            self.assertIn(f"stats: {address.rpartition(':')[0].strip('[]')} is no loopback",
                          words)

    def test_what_is_no_address_is_refused(self):
        for address in ("", ":", "9090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:90",
                        "[::1:90", "127.0.0.1:8a", "127.0.0.1:-1"):
            status, words = refused(FOLDER, address)
            self.assertEqual(status, 2, address)
            self.assertIn("neither HOST:PORT nor unix:PATH", words)

    def test_a_unix_socket_is_answered_whatever_the_name(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "stats")
            with serving(FOLDER, "unix:" + path) as (_, address):
                self.assertEqual(address, "unix:" + path)
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(PATIENCE_S)
                sock.connect(path)
                self.assertEqual(ask("any:1", "/metrics", host="any", sock=sock)[0], 200)
            self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    FOLDER = sys.argv.pop(1)
    unittest.main()
