# SPDX-License-Identifier: MIT
"""The scenarios of the oracle: the arguments of the servers, and what happens to them. Where Node
and lockring are meant to differ, why."""

from dataclasses import dataclass, field

from client import PEERS, SERVERS, Raw, Renegotiator, Tool, Tls
from sessions import Sessions

PING = b"ping"
DEFAULT = [f"cert={SERVERS / 'default.pem'}", f"key={SERVERS / 'ec.key'}"]
ISSUED = [f"cert={SERVERS / 'issued.pem'}", f"key={SERVERS / 'ec.key'}"]
RSA = [f"cert={SERVERS / 'rsa.pem'}", f"key={SERVERS / 'rsa.key'}"]
STAPLE = str(SERVERS / "issued.ocsp")
CA = [f"ca={PEERS / 'root.pem'}"]


def pair(name):
    return f"{SERVERS / name}.pem:{SERVERS / 'ec.key'}"


def name(pattern, context):
    return f"name={pattern}:{pair(context)}"


def peer(which, key="client"):
    """A certificate of a client, with its key."""
    return (str(PEERS / f"{which}.pem"), str(PEERS / f"{key}.key"))


@dataclass
class Scenario:
    title: str
    rows: str
    arguments: list
    play: object  # called with a Stage; a client: it comes and ends; a list of clients: in turn
    why: str = ""  # the two differ, and are meant to
    only: dict = field(default_factory=dict)  # more arguments: {"lockring": [...]}


def come(make, **options):
    """A client that comes, does what it does, and is gone before anything else happens."""
    return lambda stage: stage.visit(make, **options)


def in_turn(*plays):
    def play(stage):
        for one in plays:
            one(stage)
    return play


def tls(**options):
    return come(Tls, **{"send": PING, **options})


def both(**options):
    """The same over TLS 1.2 and 1.3."""
    return in_turn(tls(version="1.2", **options), tls(version="1.3", **options))


def staples(**options):
    return in_turn(come(Tool, version="1.2", staple=STAPLE, **options),
                   come(Tool, version="1.3", staple=STAPLE, **options))


def answered_late(word, make, **options):
    def play(stage):
        client = stage.start(make, **options)
        stage.wait(word)
        stage.tell("answer")
        stage.finish(client)
    return play


def errors():
    hello_of_ssl3 = bytes.fromhex("1603000005010000010000")
    polite = "lockring tells the client by an alert before it closes"
    yield Scenario("plain HTTP", "S20", DEFAULT, come(Raw, send=b"GET / HTTP/1.1\r\n\r\n"),
                   why=polite)
    yield Scenario("bytes that are no record", "S20", DEFAULT, come(Raw, send=b"\0" * 64),
                   why=polite)
    address = [*DEFAULT, "tell=address"]
    yield Scenario("the address of who failed", "S20 S21", [*address, "versions=1.3"],
                   tls(version="1.2"))
    yield Scenario("the address of who is gone", "S21", address, come(Raw, then="fin"),
                   why="Node forgets the address with the socket")
    yield Scenario("FIN before a hello", "S20", DEFAULT, come(Raw, then="fin"))
    yield Scenario("FIN inside a hello", "S20", DEFAULT,
                   come(Raw, send=bytes.fromhex("1603010200010001fc0303"), then="fin"))
    yield Scenario("a reset inside a hello", "S20", DEFAULT, reset_inside)
    yield Scenario("a record of SSL 3.0 with broken content", "S20", DEFAULT,
                   come(Raw, send=hello_of_ssl3))
    yield Scenario("a client that offers TLS 1.2 only where 1.3 is spoken", "S20",
                   [*DEFAULT, "versions=1.3"], tls(version="1.2"))
    yield Scenario("a client that offers TLS 1.3 only where 1.2 is spoken", "S20",
                   [*DEFAULT, "versions=1.2"], tls(version="1.3"))
    yield Scenario("no suite in common", "S20",
                   [*DEFAULT, "ciphers=ECDHE-ECDSA-AES128-GCM-SHA256", "versions=1.2"],
                   tls(version="1.2", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"))
    yield Scenario("a client that does not trust the server", "S20 S38 S97", DEFAULT,
                   both(trust=str(PEERS / "root.pem")))
    yield Scenario("an error does not disturb who comes next", "S20 S38",
                   DEFAULT, in_turn(come(Raw, then="fin"), both()))
    yield Scenario("a client that says nothing", "S20 S120",
                   [*DEFAULT, "handshake_timeout=200"], come(Raw))
    yield Scenario("half a hello, then nothing", "S20 S120", [*DEFAULT, "handshake_timeout=200"],
                   come(Raw, send=bytes.fromhex("1603010200010001fc0303")))


def reset_inside(stage):
    client = stage.start(Raw, send=bytes.fromhex("1603010200010001fc0303"), then="reset")
    stage.wait("open")
    client.release()
    stage.finish(client)


def good_lives():
    yield Scenario("bytes go there and back", "S38 S59", DEFAULT, both(send=b"x" * 50000))
    yield Scenario("the server writes and ends", "S38 S59", [*DEFAULT, "write=20000", "end"],
                   both(send=b"", then="read"))
    yield Scenario("addresses", "S75 S83", [*DEFAULT, "tell=address", "host=127.0.0.1"], both())
    yield Scenario("every address, port 0", "S47 S52 S53", [*DEFAULT, "tell=address"], both())
    yield Scenario("one address, port 0", "S47 S53", [*DEFAULT, "host=127.0.0.1"], both())


def protocols():
    alpn = [*DEFAULT, "alpn=h2,http/1.1", "tell=alpn"]
    fatal = ("Node 4 goes on without a protocol, Node 20 does not: lockring with the profile "
             "node4, or without alpn_required, does what Node 4 did")
    yield Scenario("a common protocol", "S12 S43 S125", alpn,
                   both(alpn=["http/1.1"], tell=["alpn"]))
    yield Scenario("the server's order decides", "S43 S125", alpn,
                   both(alpn=["http/1.1", "h2"], tell=["alpn"]))
    yield Scenario("a client without ALPN", "S43", alpn, both(tell=["alpn"]))
    yield Scenario("a server without ALPN", "S43", [*DEFAULT, "tell=alpn"],
                   both(alpn=["h2"], tell=["alpn"]))
    yield Scenario("no common protocol", "S43", alpn, both(alpn=["spdy/1"], tell=["alpn"]))
    yield Scenario("no common protocol, none required", "S43", alpn,
                   both(alpn=["spdy/1"], tell=["alpn"]), only={"lockring": ["alpn_optional"]},
                   why=fatal)
    yield Scenario("no common protocol, the profile node4", "S43", alpn,
                   both(alpn=["spdy/1"], tell=["alpn"]), only={"lockring": ["node4"]}, why=fatal)


def asked(*names, **options):
    """A client for each server name: which certificate does it get?"""
    return in_turn(*(tls(sni=n, tell=["cert"], **options) for n in names))


def names():
    table = [*DEFAULT, "tell=name"]
    yield Scenario("no name", "S44", table, both(tell=["cert"]))
    yield Scenario("a name without a table", "S44", table, both(sni="a.example.org"))
    yield Scenario(
        "exact names and wildcards", "S13 S45",
        [*table, name("a.example.org", "one"), name("*.example.com", "two")],
        asked("a.example.org", "b.example.org", "x.example.com", "y.x.example.com", "example.com",
              None))
    yield Scenario("the asterisk alone", "S45", [*table, name("*", "one")],
                   asked("plain", "a.example.org"))
    yield Scenario("the same name twice: the newer one", "S45",
                   [*table, name("a.example.org", "one"), name("a.example.org", "two")],
                   asked("a.example.org"))
    yield Scenario("an exact name that is newer than its wildcard", "S45",
                   [*table, name("*.example.org", "one"), name("a.example.org", "two")],
                   asked("a.example.org", "b.example.org"))
    yield Scenario("an exact name that is older than its wildcard", "S45",
                   [*table, name("a.example.org", "one"), name("*.example.org", "two")],
                   asked("a.example.org", "b.example.org"),
                   why="an exact name beats a wildcard in lockring; in Node the newest one wins")
    yield Scenario("letters of the other case", "S45",
                   [*table, name("A.example.org", "one"), name("b.example.org", "two")],
                   asked("a.example.org", "B.example.org"),
                   why="host names have no case (RFC 4343); Node compares bytes")
    yield Scenario("a part of a label", "S45", [*table, name("a*b.example.org", "one")],
                   asked("axxb.example.org"),
                   why="lockring refuses the pattern; an asterisk is one whole label there")
    yield Scenario("an asterisk is no label of IDNA", "S45", [*table, name("*.example.org", "one")],
                   asked("xn--bcher-kva.example.org"),
                   why="an asterisk does not match labels of IDNA in lockring; in Node it does")
    yield Scenario("a name that is added while the server runs", "S45 B7", table, added_later)


def added_later(stage):
    stage.visit(Tls, sni="a.example.org", send=PING, tell=["cert"])
    stage.tell(f"add a.example.org:{pair('one')}")
    stage.wait("added")
    stage.visit(Tls, sni="a.example.org", send=PING, tell=["cert"])


def sni_callbacks():
    one = name("a.example.org", "one")
    yield Scenario("the callback gives a context", "S69 S126",
                   [*DEFAULT, f"sni={pair('two')}", "tell=name"],
                   both(sni="a.example.org", tell=["cert"]))
    yield Scenario("it is not asked without a name", "S126",
                   [*DEFAULT, f"sni={pair('two')}", "tell=name"], both(tell=["cert"]))
    yield Scenario("the callback gives none", "S126", [*DEFAULT, "sni=null"],
                   both(sni="a.example.org", tell=["cert"]))
    yield Scenario("the callback gives none, and there is a table", "S126",
                   [*DEFAULT, "sni=null", one], both(sni="a.example.org", tell=["cert"]),
                   why="the table decides in lockring; in Node a callback takes its place")
    yield Scenario("the callback beats the table", "S126", [*DEFAULT, f"sni={pair('two')}", one],
                   both(sni="a.example.org", tell=["cert"]))
    yield Scenario("the callback gives an error", "S126", [*DEFAULT, "sni=error"],
                   both(sni="a.example.org"),
                   why="lockring tells the client by an alert before it closes")
    for version in ("1.2", "1.3"):
        yield Scenario(f"the callback answers later, TLS {version}", "S126",
                       [*DEFAULT, f"sni={pair('two')}", "late_sni"],
                       answered_late("sni", Tls, version=version, sni="a.example.org", send=PING,
                                     tell=["cert"]))
    yield Scenario("the callback never answers", "S120 S126",
                   [*DEFAULT, "sni=null", "late_sni", "handshake_timeout=3000"],
                   tls(sni="a.example.org"))
    yield Scenario("the case of a name in the callback", "S44 S126",
                   [*DEFAULT, "sni=null", "tell=name"], tls(sni="A.Example.ORG"),
                   why="lockring tells names in lower case")


def staple_hooks():
    good = [*ISSUED, f"ocsp={STAPLE}"]
    yield Scenario("a response is stapled", "S25 S26 S29", [*good, *CA], staples())
    yield Scenario("the issuer is known from ca alone", "S29",
                   [f"cert={SERVERS / 'issued_alone.pem'}", f"key={SERVERS / 'ec.key'}",
                    f"ocsp={STAPLE}", f"ca={PEERS / 'inter.pem'}"], staples())
    yield Scenario("the issuer is a root, known from ca alone", "S29",
                   [f"cert={SERVERS / 'direct.pem'}", f"key={SERVERS / 'ec.key'}",
                    f"ocsp={STAPLE}", f"ca={PEERS / 'root.pem'}"], staples())
    yield Scenario("the issuer is not known", "S29",
                   [f"cert={SERVERS / 'issued_alone.pem'}", f"key={SERVERS / 'ec.key'}",
                    f"ocsp={STAPLE}"], staples())
    yield Scenario("the issuer of a self-signed certificate", "S29", [*DEFAULT, f"ocsp={STAPLE}"],
                   staples())
    yield Scenario("no response", "S27", [*ISSUED, "ocsp=null"], staples())
    yield Scenario("an error instead of a response", "S28", [*ISSUED, "ocsp=error"], staples())
    yield Scenario("a HelloRetryRequest asks once", "S31 S118",
                   [*good, "groups=P-256", f"sni={pair('issued')}"],
                   come(Tool, version="1.3", staple=STAPLE, groups="P-384:P-256",
                        sni="a.example.org", tell=["group"]),
                   why="Node asks too, but after a HelloRetryRequest it forgets the response")
    yield Scenario("a client that does not ask", "S31", good, both())
    for version in ("1.2", "1.3"):
        yield Scenario(f"the response comes later, TLS {version}", "S25 S26",
                       [*good, "late_ocsp"],
                       answered_late("ocsp", Tool, version=version, staple=STAPLE))
    yield Scenario("the certificate of the name is asked about", "S25 S126",
                   [*DEFAULT, f"sni={pair('issued')}", f"ocsp={STAPLE}"],
                   staples(sni="a.example.org"))


def numbers():
    yield Scenario("one connection too many", "S49 S55", [*DEFAULT, "connections=1"], too_many)
    yield Scenario("existing connections live on", "S48", DEFAULT, close_while_open)
    yield Scenario("nobody is there", "S48", DEFAULT, lambda stage: close(stage))


def too_many(stage):
    first = stage.start(Tls, send=PING, then="hold")
    stage.wait("secure")
    stage.tell("count")
    stage.wait("count")
    second = stage.start(Tls, send=PING)
    stage.wait("refused")
    second.finish()
    first.release()
    stage.finish(first)
    stage.visit(Tls, send=PING)


def close(stage):
    stage.tell("close")
    stage.wait("closed")


def close_while_open(stage):
    first = stage.start(Tls, send=PING, then="hold")
    stage.wait("secure")
    stage.tell("close")
    first.release()
    stage.finish(first)
    stage.wait("closed")
    late = stage.start(Raw)
    late.finish()


def suites():
    wanted = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
    other = ":".join(reversed(wanted.split(":")))
    yield Scenario("the suite that was agreed, TLS 1.2", "S10 S79", [*DEFAULT, "tell=cipher"],
                   tls(version="1.2", ciphers="ECDHE-ECDSA-CHACHA20-POLY1305", tell=["cipher"]))
    yield Scenario("the suite that was agreed, TLS 1.3", "S79",
                   [*DEFAULT, "tell=cipher", "ciphers=TLS_AES_256_GCM_SHA384"],
                   tls(version="1.3", tell=["cipher"]))
    yield Scenario("the server's order of suites", "S10 S108 S121",
                   [*DEFAULT, f"ciphers={wanted}", "tell=cipher"],
                   tls(version="1.2", ciphers=other))
    yield Scenario("the client's order of suites", "S108",
                   [*DEFAULT, f"ciphers={wanted}", "tell=cipher", "client_order"],
                   tls(version="1.2", ciphers=other))
    groups = in_turn(come(Tool, version="1.2", tell=["group"]),
                     come(Tool, version="1.3", tell=["group"]))
    yield Scenario("the group by default", "S118", DEFAULT, groups)
    yield Scenario("a group of the server's", "S118", [*DEFAULT, "groups=P-384"], groups)
    yield Scenario("the group of the profile node4", "S118", DEFAULT, groups,
                   only={"lockring": ["node4"]}, why="Node 4 had P-256, Node 20 has a list")
    two = [*RSA, f"cert2={SERVERS / 'default.pem'}", f"key2={SERVERS / 'ec.key'}", "tell=cipher"]
    yield Scenario("two keys, each for who can check it", "S106", two, in_turn(
        tls(version="1.2", ciphers="ECDHE-RSA-AES128-GCM-SHA256", tell=["cert"]),
        tls(version="1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256", tell=["cert"])))
    yield Scenario("an identity from PKCS#12", "S2 S106 S112",
                   [f"pfx={PEERS / 'modern.p12'}", "passphrase=secret"],
                   both(trust=str(PEERS / "root.pem"), tell=["cert"]))
    yield Scenario("PKCS#12 and the wrong passphrase", "S106 S112",
                   [f"pfx={PEERS / 'modern.p12'}", "passphrase=secrets"], both())
    yield Scenario("issuers from ca complete the chain that is sent", "S106",
                   [f"cert={SERVERS / 'issued_alone.pem'}", f"key={SERVERS / 'ec.key'}",
                    f"ca={PEERS / 'inter.pem'}"],
                   both(trust=str(PEERS / "root.pem"), tell=["cert"]))
    for size in (16384, 512, 1000, 511, 16385, 0):
        yield Scenario(f"fragments of {size}", "S85",
                       [*DEFAULT, f"fragment={size}", "write=40000", "end"],
                       both(send=b"", then="read", tell=["records"]))


def client_certificates():
    ask = [*DEFAULT, *CA, "request_cert", "tell=authorized", "tell=peer"]
    reason = ("lockring tells why in on_client_error and by an alert; Node closes, and reports a "
              "disconnected client")
    yield Scenario("nobody asks", "S39 S122", [*DEFAULT, *CA, "tell=authorized", "tell=peer"],
                   both(cert=peer("client")))
    yield Scenario("a certificate that holds", "S39 S80", ask, both(cert=peer("client")))
    yield Scenario("what a certificate says", "S80",
                   [*DEFAULT, *CA, "request_cert", "tell=details"],
                   both(cert=peer("rsa", "rsa")))
    yield Scenario("what a certificate with every attribute says", "S80",
                   [*DEFAULT, *CA, "request_cert", "tell=details"], both(cert=peer("client")))
    for title, cert in (("another authority's", peer("stranger")), ("a self-signed one",
                        peer("self")), ("an expired one", peer("expired")),
                        ("an early one", peer("not_yet")), ("a server's", peer("server_only"))):
        yield Scenario(f"{title}, let in", "S39 S40 S41 S123", [*ask, "let_in"], both(cert=cert))
        yield Scenario(f"{title}, refused", "S123", [*ask, "reject"], both(cert=cert), why=reason)
    yield Scenario("none, let in", "S39 S40 S41 S123", [*ask, "let_in"], both())
    yield Scenario("none, refused", "S123", [*ask, "reject"], both())
    yield Scenario("none, and no word about it", "S123", ask, both())
    yield Scenario("none, and the profile node4", "S123", ask, both(), only={"lockring": ["node4"]},
                   why="Node 4 lets them in, and so does the profile; Node 20 refuses")
    chain = [*DEFAULT, *CA, "request_cert", "let_in", "tell=authorized", "tell=chain"]
    deep = (str(SERVERS / "deep_chain.pem"), str(PEERS / "client.key"))
    yield Scenario("the chain of a client", "S80", chain, both(cert=deep),
                   why="lockring tells what the client sent; Node adds what it found itself")
    yield Scenario("the intermediate is missing, let in", "S39 S40", [*ask, "let_in"],
                   both(cert=peer("deep")))
    yield Scenario("an intermediate without a list, let in", "S40 S107",
                   [*ask, "let_in", f"crl={PEERS / 'root.crl'}"], both(cert=deep))
    for title, crl, cert in (("a revoked certificate", "root.crl", "revoked"),
                             ("a list, and a certificate that is not on it", "root.crl", "client"),
                             ("a list of another authority", "other.crl", "client"),
                             ("an old list", "root_old.crl", "client")):
        yield Scenario(f"{title}, let in", "S40 S107",
                       [*ask, "let_in", f"crl={PEERS / crl}"], both(cert=peer(cert)))
    yield Scenario("a revoked certificate, refused", "S107 S123",
                   [*ask, f"crl={PEERS / 'root.crl'}"], both(cert=peer("revoked")), why=reason)


def diffie_hellman():
    suite = "DHE-RSA-AES128-GCM-SHA256"
    dhe = [*RSA, f"ciphers={suite}:ECDHE-RSA-AES128-GCM-SHA256", "versions=1.2", "tell=cipher"]
    yield Scenario("DHE without dhparam", "S15 S119", dhe, tls(version="1.2", ciphers=suite))
    yield Scenario("DHE with dhparam", "S15 S119", [*dhe, f"dhparam={PEERS / 'dh2048.pem'}"],
                   tls(version="1.2", ciphers=suite))
    yield Scenario("dhparam of 512 bits", "S119", [*dhe, f"dhparam={PEERS / 'dh512.pem'}"],
                   tls(version="1.2", ciphers=suite))
    yield Scenario("dhparam of 1024 bits", "S119", [*dhe, f"dhparam={PEERS / 'dh1024.pem'}"],
                   tls(version="1.2", ciphers=suite), why="lockring wants 2048 bits by default")
    yield Scenario("dhparam of 1024 bits, the profile node4", "S119",
                   [*dhe, f"dhparam={PEERS / 'dh1024.pem'}"],
                   tls(version="1.2", ciphers=suite), only={"lockring": ["node4"]})
    yield Scenario("dhparam that is none", "S119", [*dhe, f"dhparam={SERVERS / 'default.pem'}"],
                   tls(version="1.2", ciphers=suite),
                   why="lockring refuses what is broken; Node goes on without DHE")


def renegotiations():
    yield Scenario("three renegotiations", "S3 S7", DEFAULT, come(Renegotiator, times=3),
                   only={"lockring": ["node4"]})
    yield Scenario("four renegotiations", "S3 S5 S7", DEFAULT, come(Renegotiator, times=4),
                   only={"lockring": ["node4"]},
                   why="lockring ends the connection; Node only tells, and goes on")


def sessions():
    return Sessions(Scenario, Tls, DEFAULT, PING).scenarios()


GROUPS = [errors, good_lives, protocols, names, sni_callbacks, staple_hooks, numbers, suites,
          client_certificates, diffie_hellman, renegotiations,
          sessions]
SCENARIOS = [scenario for group in GROUPS for scenario in group()]
