# SPDX-License-Identifier: MIT
"""The scenarios of sessions: tickets and their keys, and a store."""

import time

KEYS = bytes(range(1, 49)).hex()
OTHER = bytes(range(101, 149)).hex()


class Sessions:
    """Made of what scenarios.py has, which lists them."""

    def __init__(self, Scenario, Tls, default, ping):
        self.scenario, self.tls, self.default, self.ping = Scenario, Tls, default, ping

    def start(self, stage, after=None, **options):
        return stage.start(self.tls, send=self.ping, tell=["resumed"], after=after, **options)

    def visit(self, stage, after=None, **options):
        client = self.start(stage, after, **options)
        stage.finish(client)
        return client

    def comes_back(self, times=1, **options):
        def play(stage):
            client = self.visit(stage, **options)
            for _ in range(times):
                client = self.visit(stage, after=client)
        return play

    def late(self, word, **options):
        """The answer to the second client's question comes when it is told to."""
        def play(stage):
            first = self.start(stage, **options)
            if word == "new-session":
                stage.wait(word)
                time.sleep(0.3)  # in which nothing may happen: what is told then is compared
                stage.tell("answer")
            stage.finish(first)
            if word == "resume":
                second = self.start(stage, after=first)
                stage.wait(word)
                stage.tell("answer")
                stage.finish(second)
        return play

    def expires(self, **options):
        def play(stage):
            client = self.visit(stage, **options)
            time.sleep(3)  # a lifetime of one second, and the rounding of clocks
            self.visit(stage, after=client)
        return play

    def set_keys(self, stage, keys):
        stage.tell(f"keys {keys}")
        stage.wait("keys")

    def keys_change(self, **options):
        def play(stage):
            client = self.visit(stage, **options)
            again = self.visit(stage, after=client)
            self.set_keys(stage, OTHER)
            self.visit(stage, after=again if again.session else client)
        return play

    def established_lives_on(self, stage):
        client = stage.start(self.tls, send=self.ping, then="hold")
        stage.wait("secure")
        self.set_keys(stage, OTHER)
        client.release()
        stage.finish(client)

    def two_servers(self, **options):
        def play(stage):
            other = stage.another()
            client = self.visit(stage, **options)
            self.visit(other, after=client)
            self.set_keys(other, OTHER)
            self.visit(other, after=self.visit(stage, **options))
        return play

    def tell_keys(self, stage):
        for keys in (None, OTHER, OTHER[:-2], OTHER + "00", ""):
            if keys is not None:
                self.set_keys(stage, keys)
            stage.tell("which")
            stage.wait("keys are")

    def scenarios(self):
        yield from self.of_tickets()
        yield from self.of_a_store()

    def of_tickets(self):
        tickets = [*self.default, "tell=resumed", f"keys={KEYS}"]
        brief = [*tickets, "lifetime=1"]
        for version in ("1.2", "1.3"):
            how = {"version": version}
            yield self.scenario(f"a ticket, TLS {version}", "S33 S128", tickets,
                                self.comes_back(2, **how))
            yield self.scenario(f"tickets end with their lifetime, TLS {version}", "S127", brief,
                                self.expires(**how))
            yield self.scenario(f"other keys, TLS {version}", "S56 S128", tickets,
                                self.keys_change(**how))
            yield self.scenario(f"two servers with the same keys, then not, TLS {version}",
                                "S37 S128", tickets, self.two_servers(**how))
        yield self.scenario("keys are told and set", "S50 S56", tickets, self.tell_keys)
        yield self.scenario("47 bytes of keys", "S56", [*self.default, f"keys={KEYS[:-2]}"],
                            self.comes_back())
        yield self.scenario("who is there stays when keys change", "S57", tickets,
                            self.established_lives_on)

    def of_a_store(self):
        store = [*self.default, "tell=resumed", "no_tickets", "new"]
        legacy = ("Node asks about the legacy id of every client of TLS 1.3, and tells of new "
                  "sessions when the connection is secure; lockring asks about what may be a "
                  "session, tells of them before, and resumes them")
        alert = "lockring tells the client by an alert before it closes"
        for version in ("1.2", "1.3"):
            how = {"version": version}
            word = f"TLS {version}"
            why = legacy if version == "1.3" else ""
            yield self.scenario(f"a store, {word}", "S22 S32 S33 S37", [*store, "resume=keep"],
                                self.comes_back(**how), why=why)
            yield self.scenario(f"a store that has it not, {word}", "S34", [*store, "resume=null"],
                                self.comes_back(**how), why=why)
            yield self.scenario(f"a store that fails, {word}", "S35", [*store, "resume=error"],
                                self.comes_back(**how), why=why or alert)
            yield self.scenario(f"a new session is kept later, {word}", "S23",
                                [*store, "late_new"], self.late("new-session", **how), why=why)
            yield self.scenario(f"nobody offers a session, {word}", "S32",
                                [*self.default, "resume=null"], self.comes_back(0, **how), why=why)
            yield self.scenario(f"sessions of a store end with their lifetime, {word}", "S127",
                                [*store, "resume=keep", "lifetime=1"], self.expires(**how),
                                why=why)
        yield self.scenario("a store that answers later", "S32 S33",
                            [*store, "resume=keep", "late_resume"],
                            self.late("resume", version="1.2"))
