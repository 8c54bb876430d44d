#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lockring_keys.py BIN: the ticket keys of lockring-keys: files are made, told, rotated and
converted; what is wrong is refused in one line and changes nothing; no secret is ever printed.
HAProxy reads what was made for it, if it is installed. ocsp.py tests the staples."""

import base64
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

PATIENCE_S = 60
BINARY = ""
KEY, BIG_KEY, NAME = 48, 80, 16


def run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def lines_of(path):
    return read(path).decode().splitlines()


class Keys(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="lockring-keys-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, content, mode=0o600):
        with open(self.path(name), "wb") as file:
            file.write(content)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def ok(self, *arguments):
        result = run(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
        return result.stdout

    def refused(self, word, *arguments, code=2):
        result = run(*arguments)
        self.assertEqual((result.returncode, result.stdout), (code, ""), (arguments, result))
        self.assertRegex(result.stderr, r"\Alockring-keys[ :][^\n]*\n\Z")
        self.assertIn(word, result.stderr)

    def make(self, count=1, name="keys"):
        self.ok("make", "--count", str(count), "--out", self.path(name))
        return self.path(name)

    def inspect(self, path, *arguments):
        """Its lines as (role, name in bytes)."""
        rows = [line.split() for line in self.ok("inspect", *arguments, path).splitlines()]
        return [(role, bytes.fromhex(name)) for role, name in rows]

    def roles_of(self, path):
        """(role, key) of each line of lockring's own form."""
        rows = [line.split(" ") for line in lines_of(path) if not line.startswith("#")]
        return [(role, base64.b64decode(text, validate=True)) for role, text in rows]

    def test_made_keys_are_raw_and_private_and_different(self):
        for count in (1, 3, 16):
            path = self.make(count, f"keys{count}")
            content = read(path)
            self.assertEqual(len(content), count * KEY)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            names = {content[at:at + NAME] for at in range(0, len(content), KEY)}
            self.assertEqual(len(names), count)
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["keys1", "keys16", "keys3"])

    def test_a_file_is_overwritten_by_force_only(self):
        path = self.make()
        before = read(path)
        self.refused("there already", "make", "--out", path)
        self.assertEqual(read(path), before)
        os.chmod(path, 0o644)
        self.ok("make", "--force", "--out", path)
        self.assertNotEqual(read(path), before)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(os.listdir(self.folder.name), ["keys"])

    def test_inspect_tells_names_and_roles_and_no_secret(self):
        path = self.make(3)
        content = read(path)
        names = [content[at:at + NAME] for at in range(0, 3 * KEY, KEY)]
        self.assertEqual(self.inspect(path), list(zip(["current", "previous", "previous"], names)))
        said = self.ok("inspect", path)
        for at in range(0, 3 * KEY, KEY):
            secret = content[at + NAME:at + KEY]
            self.assertNotIn(secret[:4].hex(), said)
            self.assertNotIn(base64.b64encode(content[at:at + KEY]).decode()[24:], said)

    def test_each_rotation_promotes_the_next_key(self):
        path = self.make(2)
        first = [read(path)[:KEY], read(path)[KEY:]]
        self.ok("rotate", path)
        (role, fresh), *rest = self.roles_of(path)
        self.assertEqual(role, "next")
        self.assertEqual(rest, [("current", first[0]), ("previous", first[1])])
        self.assertNotIn(fresh, first)
        self.ok("rotate", path)
        again = self.roles_of(path)
        self.assertEqual(again[1:], [("current", fresh), ("previous", first[0]),
                                     ("previous", first[1])])
        self.assertEqual([role for role, _ in self.inspect(path)],
                         ["next", "current", "previous", "previous"])
        # What seals after a rotation could open before it.
        for _ in range(5):
            before = dict(self.roles_of(path)[::-1])
            self.ok("rotate", path)
            after = dict(self.roles_of(path)[::-1])
            self.assertEqual(after["current"], before["next"])
            self.assertEqual(len(self.roles_of(path)), 4)

    def test_rotation_keeps_as_many_as_it_is_told_to(self):
        path = self.make(16)
        self.ok("rotate", "--keep", "15", path)
        self.assertEqual(len(self.inspect(path)), 16)
        self.ok("rotate", path, "--keep", "1")
        self.assertEqual([role for role, _ in self.inspect(path)], ["next", "current"])

    def test_rotation_keeps_the_mode_of_the_file(self):
        path = self.make()
        os.chmod(path, 0o440)
        self.ok("rotate", path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o440)
        self.assertEqual(os.listdir(self.folder.name), ["keys"])

    def test_haproxy_takes_what_is_made_for_it(self):
        path = self.make(2)
        self.refused("three keys", "convert", "--from", "lockring", "--to", "haproxy", path,
                     self.path("short"))
        self.ok("rotate", path)
        out = self.path("haproxy")
        self.ok("convert", "--from", "lockring", "--to", "haproxy", path, out)
        ours = [key for _, key in self.roles_of(path)]
        theirs = [base64.b64decode(line, validate=True) for line in lines_of(out)]
        self.assertEqual(theirs, ours[::-1])
        self.assertEqual(stat.S_IMODE(os.stat(out).st_mode), 0o600)
        self.assertEqual(self.inspect(out, "--from", "haproxy"), self.inspect(path))
        back = self.path("back")
        self.ok("convert", "--from", "haproxy", "--to", "lockring", out, back)
        self.assertEqual(read(back), read(path))
        if not shutil.which("haproxy") or not shutil.which("openssl"):
            self.skipTest("HAProxy or openssl, which makes its certificate, is not installed")
        pem = self.path("pair.pem")
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-subj", "/CN=x", "-keyout", self.path("k"),
                        "-out", self.path("c")], check=True, capture_output=True)
        self.write("pair.pem", read(self.path("c")) + read(self.path("k")))
        config = self.write("haproxy.cfg", f"""
defaults
    mode tcp
    timeout client 1s
    timeout server 1s
    timeout connect 1s
frontend f
    bind unix@{self.path("socket")} ssl crt {pem} tls-ticket-keys {out}
""".encode())
        result = subprocess.run(["haproxy", "-c", "-f", config], capture_output=True, text=True,
                                timeout=PATIENCE_S, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_nginx_gets_a_file_for_each_key(self):
        path = self.make(3)
        self.ok("rotate", path)
        ours = self.roles_of(path)
        out = self.path("nginx")
        said = self.ok("convert", "--from", "lockring", "--to", "nginx", path, out)
        files = [out, out + ".next", out + ".1", out + ".2"]
        self.assertEqual(said.splitlines(), [f"ssl_session_ticket_key {file};" for file in files])
        self.assertEqual([read(file) for file in files],
                         [ours[1][1], ours[0][1], ours[2][1], ours[3][1]])
        self.ok("convert", "--from", "nginx", "--to", "lockring", out, self.path("back"))
        self.assertEqual(self.roles_of(self.path("back")), [("current", ours[1][1])])
        self.refused("there already", "convert", "--from", "lockring", "--to", "nginx", path, out)
        os.unlink(out)  # one that is there is enough: none is written
        self.refused("nginx.next", "convert", "--from", "lockring", "--to", "nginx", path, out)
        self.assertFalse(os.path.exists(out))
        self.ok("convert", "--force", "--from", "lockring", "--to", "nginx", path, out)

    def test_a_key_of_80_bytes_stays_with_lockring(self):
        big = self.write("big", os.urandom(BIG_KEY))
        line = self.write("line", base64.b64encode(os.urandom(BIG_KEY)) + b"\n")
        self.ok("convert", "--from", "nginx", "--to", "lockring", big, self.path("a"))
        (role, key), = self.roles_of(self.path("a"))
        self.assertEqual((role, key[:NAME], len(key)), ("current", read(big)[:NAME], KEY))
        self.refused("80 bytes", "convert", "--from", "nginx", "--to", "haproxy", big,
                     self.path("b"))
        self.refused("80 bytes", "convert", "--from", "haproxy", "--to", "nginx", line,
                     self.path("b"))
        self.assertFalse(os.path.exists(self.path("b")))

    def test_wrong_files_are_refused_and_stay_as_they_are(self):
        good = read(self.make())
        text = base64.b64encode(good) + b"\n"
        rows = [("no such file", None, 0o600, "No such file"),
                ("empty", b"", 0o600, "0 bytes"),
                ("truncated", good[:-1], 0o600, "47 bytes"),
                ("zeros", bytes(KEY), 0o600, "all of its bytes are equal"),
                ("twice", good + good, 0o600, "its name is that of key 1"),
                ("others may write it", good, 0o622, "others than its owner may write"),
                ("a group may write it", good, 0o660, "others than its owner may write"),
                ("without a role", text, 0o600, "convert it first"),
                ("no base64", b"current x\n", 0o600, "line 1"),
                ("only next", b"next " + text, 0o600, "current"),
                ("a wrong order", b"previous " + text + b"current " + text, 0o600, "line 1"),
                ("too long", bytes(1 << 17), 0o600, "too long")]
        for name, content, mode, word in rows:
            with self.subTest(name=name):
                path = self.path("missing")
                if content is not None:
                    path = self.write("wrong", content, mode)
                self.refused(word, "rotate", path)
                self.refused(word, "inspect", path)
                if content is not None:
                    self.assertEqual(read(path), content)
        self.refused("not a regular file", "inspect", self.folder.name)

    def test_a_form_is_not_taken_for_another(self):
        raw = self.make(3)
        own = self.path("own")
        shutil.copy(raw, own)
        self.ok("rotate", own)
        haproxy = self.path("haproxy")
        self.ok("convert", "--from", "lockring", "--to", "haproxy", own, haproxy)
        for wrong, path, word in (("nginx", own, "text"), ("nginx", haproxy, "text"),
                                  ("haproxy", own, "no list"), ("haproxy", raw, "no list"),
                                  ("lockring", haproxy, "convert it first")):
            with self.subTest(wrong=wrong, path=path):
                self.refused(word, "inspect", "--from", wrong, path)

    def test_the_command_line_is_refused_by_name(self):
        path = self.make()
        for word, *arguments in (
                ("no command", "nonsuch"), ("--out FILE is needed", "make"),
                ("--count", "make", "--count", "0", "--out", "x"),
                ("--count", "make", "--count", "17", "--out", "x"),
                ("--count", "make", "--count", "-1", "--out", "x"),
                ("--out: needs FILE", "make", "--out"), ("unknown option '--x'", "make", "--x"),
                ("'y' is not an option", "make", "y"), ("unknown option '-x'", "make", "-x"),
                ("--force: takes no value", "make", "--force=1"),
                ("needs FILE", "inspect"), ("needs FILE", "inspect", path, path),
                ("--from", "inspect", "--from", "apache", path),
                ("--keep", "rotate", "--keep", "16", path),
                ("needs IN OUT", "convert", "--from", "nginx", "--to", "nginx", path),
                ("--to", "convert", "--from", "nginx", path, "x"),
                ("No such file", "make", "--out", self.path("no/such/folder"))):
            with self.subTest(arguments=arguments):
                self.refused(word, *arguments)
        self.assertIn("Usage", self.ok("--help"))
        self.assertRegex(self.ok("--version"), r"\Alockring \d")
        self.assertEqual(run().returncode, 2)
        for command in ("make", "inspect", "rotate", "convert", "ocsp"):
            self.assertTrue(re.match("Usage: lockring-keys " + command,
                                     self.ok(command, "--help")))


if __name__ == "__main__":
    BINARY = os.path.join(sys.argv.pop(1), "lockring-keys")
    unittest.main(verbosity=2)
