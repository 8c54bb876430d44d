#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""The differential oracle: each scenario is played against lockring and against Node's tls, and
what the server told and the client saw is compared, in words that both have.

    oracle.py EVENTS            with Node 20 or later: both, live; else lockring and results.json
    oracle.py EVENTS --update   writes results.json
    oracle.py EVENTS --only WORD    scenarios with this word in their title or rows, and shows them

A scenario that says why the two differ must see them differ, and each as in results.json."""

import argparse
import json
import queue
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from client import HERE, PATIENCE_S, names_of_certificates
from scenarios import SCENARIOS

RESULTS = HERE / "results.json"
NODE_LEAST = 20

# Each side's reasons in common words.
REASONS = {
    "LR_ETRUNCATED": "gone", "LR_ERESET": "gone", "ECONNRESET": "gone", "EPIPE": "gone",
    "LR_EHANDSHAKE_TIMEOUT": "timeout", "ERR_TLS_HANDSHAKE_TIMEOUT": "timeout",
    "LR_EHELLO": "hello", "ERR_SSL_LENGTH_TOO_SHORT": "hello",
    "LR_ENOTTLS": "not-tls", "ERR_SSL_HTTP_REQUEST": "not-tls",
    "ERR_SSL_WRONG_VERSION_NUMBER": "not-tls",
    "LR_EVERSION": "version", "ERR_SSL_UNSUPPORTED_PROTOCOL": "version",
    "LR_EALPN": "alpn", "ERR_SSL_NO_APPLICATION_PROTOCOL": "alpn",
    "LR_EALERT": "alert", "LR_EABORTED": "program", "PROGRAM": "program",
    "LR_ECONNECTIONS": "", "LR_ETLS": "tls", "ERR_SSL_NO_SHARED_CIPHER": "tls",
    "LR_ERENEGOTIATION": "attack", "ERR_TLS_SESSION_ATTACK": "attack",
    "LR_EPEERCERT": "peer-certificate",
    "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE": "peer-certificate",
}
ALERTED = re.compile(r"ERR_SSL_\w*ALERT_\w+")


class Stage:
    """One server, and the clients that come to it."""

    def __init__(self, command, certificates):
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
        self.command, self.certificates, self.others = command, certificates, []
        self.lines, self.told, self.at = queue.Queue(), [], 0
        self.clients, self.port = [], None
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.is_up = self.start_up()

    def read(self):
        for line in self.server.stdout:
            if line.startswith("listening "):
                self.port = int(line.rpartition(":")[2])
            self.lines.put(self.in_common_words(line.rstrip("\n")))
        self.lines.put(None)

    def in_common_words(self, line):
        def certificate(found):
            return self.certificates.get(found.group(), f"unknown:{found.group()[:16]}")

        line = re.sub(r"\b[0-9a-f]{200,}\b", certificate, line)
        line = ALERTED.sub("alert", line)
        line = re.sub(r"\b[A-Z]\w*_\w+|\bECONNRESET\b|\bEPIPE\b|\bPROGRAM\b",
                      lambda m: REASONS.get(m.group(), m.group()), line)
        return re.sub(r":\d+$", ":PORT", line).rstrip()

    def start_up(self):
        for line in iter(self.next_line, None):
            if line.startswith("listening"):
                return True
        return False

    def next_line(self):
        """None: the server has ended."""
        line = self.lines.get(timeout=PATIENCE_S)
        if line is None:
            self.lines.put(None)
        else:
            self.told.append(line)
        return line

    def wait(self, word, number=None):
        """The next line that has this word, with the number of this connection."""
        wanted = re.compile(rf"({number} )?{word}\b" if number else rf"(\d+ )?{word}\b")
        while True:
            while self.at < len(self.told):
                line = self.told[self.at]
                self.at += 1
                if wanted.match(line):
                    return line
            if self.next_line() is None:
                raise RuntimeError(f"the server has ended before {word}: {self.told}")

    def tell(self, command):
        self.server.stdin.write(command + "\n")
        self.server.stdin.flush()

    def start(self, make, **options):
        client = make(self.port, **options)
        self.clients.append(client)
        client.start()
        return client

    def finish(self, client):
        client.finish()
        self.wait("close")

    def visit(self, make, **options):
        self.finish(self.start(make, **options))

    def another(self):
        """The same server once more; what it tells stands behind what this one tells."""
        self.others.append(Stage(self.command, self.certificates))
        return self.others[-1]

    def end(self):
        """Everything that was told and seen; the server must end well by itself."""
        self.server.stdin.close()
        while self.next_line() is not None:
            pass
        said = self.server.stderr.read()
        status = self.server.wait(PATIENCE_S)
        if status != 0:
            raise RuntimeError(f"the server ended with {status}: {said}")
        seen = [[re.sub(r"\b[0-9a-f]{200,}\b", lambda m: self.certificates[m.group()], s)
                 for s in client.seen] for client in self.clients]
        told = list(self.told)
        for other in self.others:
            result = other.end()
            told += result["server"]
            seen += result["clients"]
        return {"server": told, "clients": seen}

    def kill(self):
        for one in (self, *self.others):
            one.server.kill()
            one.server.wait()


def play(side, command, scenario, certificates):
    """What happened; a play that did not come to its end says so, and equals nothing."""
    arguments = scenario.arguments + scenario.only.get(side, [])
    stage = Stage([*command, *arguments], certificates)
    try:
        if stage.is_up:
            scenario.play(stage)
        return stage.end()
    except Exception as error:
        stage.kill()
        stage.reader.join()
        told = stage.told + [line for line in stage.lines.queue if line is not None]
        return {"server": told, "clients": [client.seen for client in stage.clients],
                "failed": f"{side}: {error!r}"}
    finally:
        stage.kill()


def node_version():
    """"" where there is none that is new enough."""
    if not shutil.which("node"):
        return ""
    said = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True)
    version = said.stdout.strip().lstrip("v")
    return version if int(version.split(".")[0]) >= NODE_LEAST else ""


def verdicts(scenario, lockring, node, committed, is_known_node):
    """What is wrong, a line each. Another version of Node than that of results.json need not do
    what they say, but still what lockring does."""
    if "failed" in lockring or "failed" in (node or {}):
        yield f"it did not come to its end (Node first):\n{shown(node, lockring)}"
        return
    if committed is None:
        yield "is not in results.json (oracle.py --update)"
        return
    if node is None:
        node = committed["node"]
    elif is_known_node and node != committed["node"]:
        yield f"Node did not do what results.json says:\n{shown(committed['node'], node)}"
    if lockring != committed["lockring"]:
        yield ("lockring did not do what results.json says:\n"
               f"{shown(committed['lockring'], lockring)}")
    if scenario.why and node == lockring:
        yield "the two do the same, so there is nothing to explain"
    if not scenario.why and node != lockring:
        yield f"the two differ (Node first):\n{shown(node, lockring)}"


def shown(first, second):
    return f"  {json.dumps(first)}\n  {json.dumps(second)}"


def run_all(events, scenarios, with_node, jobs):
    certificates = names_of_certificates()
    commands = {"lockring": [events]}
    if with_node:
        commands["node"] = ["node", str(HERE / "events.js")]
    work = [(side, scenario) for scenario in scenarios for side in commands]
    results = {scenario.title: {} for scenario in scenarios}
    with ThreadPoolExecutor(jobs) as pool:
        played = pool.map(lambda w: play(w[0], commands[w[0]], w[1], certificates), work)
        for (side, scenario), result in zip(work, played):
            results[scenario.title][side] = result
    return results


def update(version, results):
    scenarios = {}
    for scenario in SCENARIOS:
        result = results[scenario.title]
        scenarios[scenario.title] = {"rows": scenario.rows}
        if scenario.why:
            scenarios[scenario.title]["why"] = scenario.why
        scenarios[scenario.title] |= {"node": result["node"], "lockring": result["lockring"]}
    text = json.dumps({"node": version, "scenarios": scenarios}, indent=1)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=4)
    arguments = parser.parse_args()
    if len({s.title for s in SCENARIOS}) != len(SCENARIOS):
        sys.exit("oracle: two scenarios have one title")
    chosen = [s for s in SCENARIOS
              if arguments.only in s.title or arguments.only in s.rows.split()]
    version = node_version()
    results = run_all(arguments.events, chosen, version, arguments.jobs)
    if arguments.only or arguments.update:
        for scenario in chosen:
            print(f"{scenario.title} ({scenario.rows}) {scenario.why}")
            for side, result in results[scenario.title].items():
                print(f"  {side}: {json.dumps(result)}")
    if arguments.update:
        if not version or arguments.only:
            sys.exit("oracle: results are those of every scenario, with Node")
        update(version, results)
    committed = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    is_known_node = version.split(".")[0] == committed.get("node", "").split(".")[0]
    failed = 0
    for scenario in chosen:
        result = results[scenario.title]
        known = committed.get("scenarios", {}).get(scenario.title)
        for verdict in verdicts(scenario, result["lockring"], result.get("node"), known,
                                is_known_node):
            failed += 1
            print(f"FAILED {scenario.title} ({scenario.rows}): {verdict}")
    against = f"Node {version}" if version else f"the results with Node {committed.get('node')}"
    differing = sum(bool(s.why) for s in chosen)
    rows = {row for s in chosen for row in s.rows.split()}
    print(f"oracle: {len(chosen)} scenarios of {len(rows)} rows against {against}: "
          f"{failed} failed, {differing} differ for a reason")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
