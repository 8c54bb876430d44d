#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""status_page.py FOLDER: the status page in a browser: live numbers come to stand in it, its lines
are drawn, and neither its script nor its policy has anything to complain of. Exit 77: there is no
chromium."""

import html.parser
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from stats_server import PATIENCE_S, serving, shake_hands, speak_http

FOLDER = ""
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
BUDGET_MS = 8000  # of the page's clock, which runs as fast as it can: about eight polls


def browse(url, *more):
    """The document as it stands at the end, and what the browser said."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}",
             "--window-size=1280,1400", "--enable-logging=stderr",
             f"--virtual-time-budget={BUDGET_MS}", *more, url],
            capture_output=True, text=True, timeout=PATIENCE_S * 2, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout, done.stderr


class Page(html.parser.HTMLParser):
    """Texts by id, cells of tables by id, lines by class, and the body's own data."""

    def __init__(self, document):
        super().__init__()
        self.texts, self.cells, self.lines, self.body = {}, {}, [], {}
        self.ids = []
        self.feed(document)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "body":
            self.body = attributes
        if tag == "path":
            self.lines.append(attributes.get("d") or "")
        if tag not in ("meta", "link", "line"):
            self.ids.append(attributes.get("id"))
        if tag == "tr" and self.table():
            self.cells.setdefault(self.table(), []).append([])

    def handle_endtag(self, tag):
        if tag not in ("meta", "link", "line"):
            self.ids.pop()

    def table(self):
        return next((name for name in reversed(self.ids) if name), None)

    def handle_data(self, data):
        if self.ids and self.ids[-1]:
            self.texts[self.ids[-1]] = self.texts.get(self.ids[-1], "") + data
        elif self.table() in self.cells:
            self.cells[self.table()][-1].append(data)


class Live(unittest.TestCase):
    def test_live_numbers_stand_in_it_and_nothing_complains(self):
        with serving(FOLDER) as (port, address):
            shake_hands(port, 5)
            speak_http(port, 2)
            document, said = browse(f"http://{address}/", "--dump-dom")
        page = Page(document)
        self.assertGreaterEqual(int(page.body["data-polls"]), 3)
        self.assertEqual(page.body["data-errors"], "0")
        self.assertNotIn("CONSOLE", said)
        self.assertRegex(page.texts["state"], r"^live, ")
        self.assertRegex(page.texts["what"], r"^version \d.*, ring (uring|epoll), 2 workers$")
        self.assertEqual(page.texts["handshakes"], "5")
        self.assertEqual(page.texts["failed"], "2")
        self.assertGreaterEqual(int(page.texts["open"]), 1)  # the browser's; it likes a spare one
        self.assertEqual(page.texts["refused"], "0")
        self.assertIn(page.texts["expiry"], ("29", "30"))
        self.assertIn(["LR_ENOTTLS", "2", "2"], page.cells["statuses"])
        self.assertEqual([row[0] for row in page.cells["workers"]], ["0", "1"])
        self.assertIn(["10 unexpected_message", "2", "0"], page.cells["alerts"])
        self.assertEqual(len(page.lines), 10)
        self.assertEqual(len([line for line in page.lines if re.match(r"M[\d.]+ [\d.]+", line)]),
                         8)  # all but the two of latency: no handshake ended while it looked


if __name__ == "__main__":
    FOLDER = sys.argv.pop(1)
    if not BROWSER:
        print("there is no chromium")
        sys.exit(77)
    unittest.main()
