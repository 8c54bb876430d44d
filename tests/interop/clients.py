#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clients.py BIN CLIENT: a client that others made fetches /, /bytes/1000000 and has 1 MB echoed by
lockring-serve, over TLS 1.2 and 1.3, on both rings. What it shows of a body is compared. A client
that makes load does so some thousand times without one error. Exit 77: the client is not installed.
"""

import contextlib
import hashlib
import html
import http.client
import json
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading

PATIENCE_S = 120
SIZE = 1000000
LINE = b"lockring sends these sixty-four bytes again, and again, and so.\n"
PATTERN = (LINE * (SIZE // len(LINE) + 1))[:SIZE]
PATTERN_SHA256 = hashlib.sha256(PATTERN).hexdigest()
PAGE_BEGINS = b"lockring serves this page.\n"
SENT = random.Random(1).randbytes(SIZE)
REQUESTS = 3000

PAGE = """<!doctype html><title>lockring</title><p id=verdict>waiting</p><script>
async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map(b => b.toString(16).padStart(2, '0')).join('');
}
async function run() {
  const info = await (await fetch('/info')).json();
  const bytes = await (await fetch('/bytes/1000000')).arrayBuffer();
  const sent = new Uint8Array(1000000);
  for (let at = 0; at < sent.length; at += 50000)
    crypto.getRandomValues(sent.subarray(at, at + 50000));
  const echo = new Uint8Array(
    await (await fetch('/echo', {method: 'POST', body: sent})).arrayBuffer());
  const same = echo.length === sent.length && echo.every((b, at) => b === sent[at]);
  return JSON.stringify({protocol: info.protocol, length: bytes.byteLength,
                         sha256: await sha256(bytes), same});
}
run().catch(String).then(text => { document.getElementById('verdict').textContent = text; });
</script>
"""

NODE_SCRIPT = """
const https = require('https'), fs = require('fs'), crypto = require('crypto');
const [port, version, cert, file] = process.argv.slice(2);
const agent = new https.Agent({ca: fs.readFileSync(cert), minVersion: version, maxVersion: version,
                               keepAlive: true, maxSockets: 1});
function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = https.request({host: 'localhost', port, method, path, agent}, answer => {
      const parts = [], told = {status: answer.statusCode, reused: request.reusedSocket,
                                protocol: answer.socket.getProtocol(),
                                authorized: answer.socket.authorized};
      answer.on('data', part => parts.push(part)).on('error', reject).on(
        'end', () => resolve({...told, body: Buffer.concat(parts)}));
    });
    request.on('error', reject).end(body);
  });
}
async function run() {
  const sent = fs.readFileSync(file);
  const page = await ask('GET', '/'), bytes = await ask('GET', '/bytes/1000000');
  const echo = await ask('POST', '/echo', sent);
  agent.destroy();
  return {status: [page.status, bytes.status, echo.status], protocol: echo.protocol,
          authorized: echo.authorized, reused: echo.reused, page: page.body.toString(),
          length: bytes.body.length,
          sha256: crypto.createHash('sha256').update(bytes.body).digest('hex'),
          same: sent.equals(echo.body)};
}
run().then(result => console.log(JSON.stringify(result)),
           error => { console.error(error); process.exit(1); });
"""

# Every answer must be a 200 with this body.
WRK_SCRIPT = """
local size, thread = %d, nil
wrk.method, wrk.path = '%s', '%s'
local sent = '%s'
if sent ~= '' then local file = io.open(sent, 'rb'); wrk.body = file:read('*a'); file:close() end
bad = 0
function setup(t) thread = t end
function response(status, headers, body)
  if status ~= 200 or #body ~= size or (sent ~= '' and body ~= wrk.body) then bad = bad + 1 end
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('ERRORS %%d %%d %%d %%d %%d BAD %%d ANSWERS %%d\\n', e.connect, e.read,
                         e.write, e.status, e.timeout, thread:get('bad'), summary.requests))
end
"""


class Failed(Exception):
    """What a client saw that may not be."""


def must(condition, what):
    if not condition:
        raise Failed(what)


def check_page(body):
    must(body.startswith(PAGE_BEGINS) and len(body) < 200, f"the page is {body[:200]!r}")


def check_bytes(length, sha256):
    must(length == SIZE, f"/bytes/{SIZE} has {length} bytes")
    must(sha256 == PATTERN_SHA256, f"/bytes/{SIZE} is another")


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False,
                            **options)
    must(result.returncode == 0, f"{command[0]} ended with {result.returncode}: "
                                 f"{result.stdout[-300:]!r} {result.stderr[-1000:]!r}")
    return result.stdout


class At:
    """A server that runs, and which version its client shall speak."""

    def __init__(self, folder, port, ring, version):
        self.folder, self.port, self.ring, self.version = folder, port, ring, version
        self.url = f"https://localhost:{port}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


def curl(at):
    got = at.path("got")
    common = ["curl", "-sS", "--fail", "--cacert", at.path("cert.pem"), "-4", "--tlsv" + at.version,
              "--tls-max", at.version]
    check_page(run(*common, at.url + "/"))
    for extra, path in (([], f"/bytes/{SIZE}"), (["--data-binary", "@" + at.path("sent")], "/echo"),
                        (["-T", at.path("sent"), "-X", "POST", "-H", "Transfer-Encoding: chunked"],
                         "/echo")):
        run(*common, *extra, "-o", got, at.url + path)
        with open(got, "rb") as file:
            body = file.read()
        if path == "/echo":
            must(body == SENT, f"the echo of {extra} is another")
        else:
            check_bytes(len(body), hashlib.sha256(body).hexdigest())


def request_of(method, path, body):
    fields = f"Host: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode() + body


def body_of(answer):
    """Of an answer that ends with its connection."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    must(head.startswith(b"HTTP/1.1 200 "), f"the head is {head[:300]!r}")
    fields = head.lower()
    length = re.search(rb"\r\ncontent-length: (\d+)", fields)
    if length:
        must(len(rest) == int(length[1]), f"{len(rest)} bytes of {int(length[1])}")
        return rest
    must(b"\r\ntransfer-encoding: chunked" in fields, "neither length nor chunks")
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        count = int(size, 16)
        body += rest[:count]
        must(rest[count:count + 2] == b"\r\n", "a chunk has no end")
        rest = rest[count + 2:]
        if count == 0:
            must(rest == b"", f"behind the last chunk: {rest[:100]!r}")
            return body


def exchange(command, request):
    """Its output to the end; its input stays open until then, because its end would end some."""
    with tempfile.TemporaryFile() as err:
        peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
        watchdog = threading.Timer(PATIENCE_S, peer.kill)
        watchdog.start()

        def send():
            with contextlib.suppress(BrokenPipeError):
                peer.stdin.write(request)
                peer.stdin.flush()

        sender = threading.Thread(target=send)
        sender.start()
        answer = peer.stdout.read()
        sender.join()
        with contextlib.suppress(BrokenPipeError):
            peer.stdin.close()
        peer.stdout.close()
        status = peer.wait()
        watchdog.cancel()
        err.seek(0)
        must(status == 0, f"{command[0]} ended with {status}: {err.read()[-1000:]!r}")
    return answer


def by_hand(command):
    """HTTP written by hand into a client of TLS alone."""
    check_page(body_of(exchange(command, request_of("GET", "/", b""))))
    body = body_of(exchange(command, request_of("GET", f"/bytes/{SIZE}", b"")))
    check_bytes(len(body), hashlib.sha256(body).hexdigest())
    must(body_of(exchange(command, request_of("POST", "/echo", SENT))) == SENT,
         "the echo is another")


def openssl(at):
    by_hand(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{at.port}", "-servername",
             "localhost", "-CAfile", at.path("cert.pem"), "-verify_return_error",
             "-tls" + at.version.replace(".", "_")])


def gnutls(at):
    by_hand(["gnutls-cli", "--x509cafile", at.path("cert.pem"), "--verify-hostname=localhost",
             "--logfile=/dev/null", "--port", str(at.port), "--priority",
             f"NORMAL:-VERS-ALL:+VERS-TLS{at.version}", "127.0.0.1"])


def node(at):
    script = at.write("client.js", NODE_SCRIPT)
    told = json.loads(run("node", script, str(at.port), "TLSv" + at.version, at.path("cert.pem"),
                          at.path("sent")))
    must(told["status"] == [200, 200, 200], f"statuses {told['status']}")
    must(told["protocol"] == "TLSv" + at.version, f"protocol {told['protocol']}")
    must(told["authorized"] and told["reused"], "not authorized, or not on one connection")
    check_page(told["page"].encode())
    check_bytes(told["length"], told["sha256"])
    must(told["same"], "the echo is another")


def python(at):
    context = ssl.create_default_context(cafile=at.path("cert.pem"))
    version = ssl.TLSVersion["TLSv" + at.version.replace(".", "_")]
    context.minimum_version = context.maximum_version = version
    connection = http.client.HTTPSConnection("localhost", at.port, context=context,
                                             timeout=PATIENCE_S)
    with contextlib.closing(connection):
        def ask(method, path, body=None):
            connection.request(method, path, body)
            answer = connection.getresponse()
            must(answer.status == 200, f"{path}: {answer.status}")
            return answer.read()

        check_page(ask("GET", "/"))
        must(connection.sock.version() == "TLSv" + at.version, connection.sock.version())
        body = ask("GET", f"/bytes/{SIZE}")
        check_bytes(len(body), hashlib.sha256(body).hexdigest())
        must(ask("POST", "/echo", SENT) == SENT, "the echo is another")


def h2load(at):
    """It shows no bodies, but counts their bytes."""
    for path, count, size, extra in (("/", REQUESTS, None, []), (f"/bytes/{SIZE}", 50, SIZE, []),
                                     ("/echo", 50, SIZE, ["-d", at.path("sent")])):
        text = run("h2load", "--h1", "-n", str(count), "-c", "10", *extra, at.url + path).decode()
        must(f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in text, text)
        must(f"status codes: {count} 2xx," in text, text)
        must(f"TLS Protocol: TLSv{at.version}" in text, text)
        if size:
            must(f"({count * size}) data" in text, text)


def wrk(at):
    """It runs for a time and not for a count."""
    page = len(body_of(exchange(["openssl", "s_client", "-quiet", "-connect",
                                 f"127.0.0.1:{at.port}"], request_of("GET", "/", b""))))
    for path, size, sent in (("/", page, ""), (f"/bytes/{SIZE}", SIZE, ""),
                             ("/echo", SIZE, at.path("sent"))):
        script = at.write("wrk.lua", WRK_SCRIPT % (size, "POST" if sent else "GET", path, sent))
        text = run("wrk", "-t1", "-c10", "-d1s", f"--timeout={PATIENCE_S}s", "-s", script,
                   at.url).decode()
        must(re.search(r"ERRORS 0 0 0 0 0 BAD 0 ANSWERS [1-9]", text), path + ": " + text)


def chromium(at):
    """A page of the server's root asks the rest, and its verdict is read from the DOM."""
    version = "tls" + at.version
    common = ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
              "--disable-background-networking", "--disable-dev-shm-usage", "--no-first-run",
              "--ignore-certificate-errors", "--user-data-dir=" + at.path("profile"),
              "--ssl-version-min=" + version, "--ssl-version-max=" + version,
              # Its clock stands while something is fetched, so this is no limit of time.
              "--virtual-time-budget=10000", "--dump-dom"]
    check_page(re.sub(rb"<[^>]*>", b"", run(*common, at.url + "/")))
    dom = run(*common, at.url + "/page.html").decode()
    found = re.search(r'<p id="verdict">(.*?)</p>', dom, re.DOTALL)
    must(found and found[1].startswith("{"), dom)
    told = json.loads(html.unescape(found[1]))
    must(told["protocol"] == "TLSv" + at.version, f"protocol {told['protocol']}")
    check_bytes(told["length"], told["sha256"])
    must(told["same"], "the echo is another")


# Its program, the function, and whether the server must choose the version.
CLIENTS = {
    "curl": ("curl", curl, False),
    "openssl": ("openssl", openssl, False),
    "gnutls": ("gnutls-cli", gnutls, False),
    "node": ("node", node, False),
    "python": (None, python, False),
    "h2load": ("h2load", h2load, True),
    "wrk": ("wrk", wrk, True),
    "chromium": ("chromium", chromium, False),
}


@contextlib.contextmanager
def serving(binary, folder, ring, *arguments):
    """It must drain and end with 0."""
    server = subprocess.Popen(
        [os.path.join(binary, "lockring-serve"), "--listen", "127.0.0.1:0", "--ring", ring,
         "--cert", os.path.join(folder, "cert.pem"), "--key", os.path.join(folder, "key.pem"),
         "--root", os.path.join(folder, "root"), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+) .*ring=(\w+)", line)
        must(found and found[2] == ring, f"not ready: {line!r}")
        yield int(found[1])
    finally:
        server.send_signal(signal.SIGTERM)
        server.stdout.close()
        status = server.wait(PATIENCE_S)
    must(status == 0, f"lockring-serve ended with {status}")


def prepare(folder):
    run("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", os.path.join(folder, "key.pem"),
        "-out", os.path.join(folder, "cert.pem"))
    with open(os.path.join(folder, "sent"), "wb") as file:
        file.write(SENT)
    os.mkdir(os.path.join(folder, "root"))
    with open(os.path.join(folder, "root", "page.html"), "w", encoding="utf-8") as file:
        file.write(PAGE)


def try_all(binary, folder, name):
    """The number of failures."""
    _, client, by_server = CLIENTS[name]
    failed = 0
    for ring in ("uring", "epoll"):
        for version in ("1.2", "1.3"):
            limits = ["--min-version", version, "--max-version", version] if by_server else []
            verdict = "ok"
            try:
                with serving(binary, folder, ring, *limits) as port:
                    client(At(folder, port, ring, version))
            except (Failed, OSError, ValueError, subprocess.TimeoutExpired) as error:
                verdict = f"FAILED: {error!r}"
                failed += 1
            print(f"clients: ring={ring} client={name} version={version}: {verdict}", flush=True)
    return failed


def main():
    binary, name = sys.argv[1:]
    for program in ("openssl", CLIENTS[name][0]):
        if program and not shutil.which(program):
            print(f"clients: not installed: {program}")
            return 77
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        return 1 if try_all(binary, folder, name) else 0


if __name__ == "__main__":
    sys.exit(main())
