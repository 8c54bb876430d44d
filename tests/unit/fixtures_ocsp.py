#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the folder ocsp/ anew: certificates of a small authority and OCSP responses about one of
them, right ones and wrong ones, all in DER. openssl signs; the responses are put together here,
because `openssl ocsp` cannot say any time but now, nor anything wrong. Certificates are valid from
2020 to 2126, responses from 2026-06-30 12:00 to 2026-07-02 12:00 but where the name says otherwise.
The keys are thrown away. Needs openssl. tests/interop/ocsp.py makes its own responses with it."""

import hashlib
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "20200101000000Z", "21260101000000Z"
THIS, NEXT = "20260630120000Z", "20260702120000Z"
CONFIG = """
[ca]
default_ca = any
[any]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any_policy
unique_subject = no
[any_policy]
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
commonName = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
authorityInfoAccess = OCSP;URI:http://ocsp.example.org/
[responder]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, OCSPSigning
noCheck = ignored
[any_purpose]
basicConstraints = CA:FALSE
extendedKeyUsage = anyExtendedKeyUsage
[no_purpose]
basicConstraints = CA:FALSE
[no_signatures]
keyUsage = critical, keyAgreement
extendedKeyUsage = OCSPSigning
[strange]
extendedKeyUsage = OCSPSigning
1.2.3.4.5 = critical, ASN1:NULL
"""

SHA1, SHA256 = "300906052b0e03021a0500", "300d06096086480165030402010500"
ECDSA_SHA256, ECDSA_SHA1 = "300a06082a8648ce3d040302", "300906072a8648ce3d0401"
RSA_SHA256, RSA_PSS = "300d06092a864886f70d01010b0500", "300b06092a864886f70d01010a"
ED25519 = "300506032b6570"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


def der(tag, *parts):
    body = b"".join(bytes.fromhex(p) if isinstance(p, str) else p for p in parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def take(data):
    """The first element: (whole, content, what follows)."""
    size, at = data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    return data[:at + size], data[at:at + size], data[at + size:]


class Certificate:
    def __init__(self, name):
        self.name = name
        self.der = run("openssl", "x509", "-in", name + ".pem", "-outform", "DER")
        rest = take(take(self.der)[1])[1]
        fields = []
        while rest:
            whole, _, rest = take(rest)
            fields.append(whole)
        self.serial, self.subject, key = fields[1], fields[5], fields[6]
        self.key_bits = take(take(take(key)[1])[2])[1][1:]


def make_key(name, kind):
    command = {"ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
               "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
               "ed25519": ["-algorithm", "ED25519"]}[kind]
    run("openssl", "genpkey", *command, "-out", name + ".key")


def make(name, issuer, extensions, kind="ec", subject=None, begin=BEGIN, end=END):
    make_key(name, kind)
    by = (["-selfsign", "-keyfile", name + ".key"] if issuer is None
          else ["-cert", issuer + ".pem", "-keyfile", issuer + ".key"])
    run("openssl", "req", "-new", "-config", "ca.cnf", "-key", name + ".key", "-subj",
        "/CN=" + (subject or name), "-out", name + ".csr")
    run("openssl", "ca", "-batch", "-notext", "-config", "ca.cnf", *by, "-extensions", extensions,
        "-startdate", begin, "-enddate", end, "-in", name + ".csr", "-out", name + ".pem")
    return Certificate(name)


def signature(signer, algorithm, data):
    with open("data", "wb") as file:
        file.write(data)
    if algorithm == ED25519:
        return run("openssl", "pkeyutl", "-sign", "-inkey", signer + ".key", "-rawin", "-in",
                   "data")
    return run("openssl", "dgst", "-sha1" if algorithm == ECDSA_SHA1 else "-sha256", "-sign",
               signer + ".key", "data")


def time_of(text):
    return der(0x18, text.encode())


def single(leaf, issuer, status=b"\x80\x00", this=THIS, until=NEXT, algorithm=SHA1, more=b"",
           serial=None, key_bits=None, name=None):
    hashed = hashlib.sha1 if algorithm == SHA1 else hashlib.sha256
    identity = der(0x30, algorithm, der(0x04, hashed(name or issuer.subject).digest()),
                   der(0x04, hashed(key_bits or issuer.key_bits).digest()), serial or leaf.serial)
    parts = [identity, status, time_of(this)]
    if until:
        parts.append(der(0xA0, time_of(until)))
    return der(0x30, *parts, more)


def response(signer, singles, by_name=None, key_bits=None, certificates=(), algorithm=ECDSA_SHA256,
             signing_key=None, version=b"", more=b""):
    """A whole response, signed by signer, a certificate."""
    responder = (der(0xA1, by_name) if by_name
                 else der(0xA2, der(0x04, hashlib.sha1(key_bits or signer.key_bits).digest())))
    data = der(0x30, version, responder, time_of(THIS), der(0x30, *singles), more)
    parts = [data, algorithm,
             der(0x03, b"\x00" + signature(signing_key or signer.name, algorithm, data))]
    if certificates:
        parts.append(der(0xA0, der(0x30, *[c.der for c in certificates])))
    basic = der(0x30, *parts)
    return der(0x30, "0a0100",
               der(0xA0, der(0x30, "06092b0601050507300101", der(0x04, basic))))


def extension(critical):
    flag = b"\x01\x01\xff" if critical else b""
    return der(0xA1, der(0x30, der(0x30, "06042a030405", flag, der(0x04, b"\x05\x00"))))


def from_openssl(leaf, issuer):
    """What `openssl ocsp` asks and says, about now and the next 98 years."""
    with open("responses.txt", "w", encoding="ascii") as file:
        serial = take(leaf.serial)[1].hex().upper()
        file.write(f"V\t{END}\t\t{serial}\tunknown\t/CN={leaf.name}\n")
    run("openssl", "ocsp", "-issuer", issuer.name + ".pem", "-cert", leaf.name + ".pem",
        "-no_nonce", "-reqout", "openssl_request")
    run("openssl", "ocsp", "-index", "responses.txt", "-CA", issuer.name + ".pem", "-rsigner",
        "responder.pem", "-rkey", "responder.key", "-reqin", "openssl_request", "-respout",
        "openssl_response", "-ndays", "36000")
    with open("openssl_request", "rb") as request, open("openssl_response", "rb") as answer:
        return request.read(), answer.read()


def all_responses(c):
    """Name: bytes; which are right the test says."""
    leaf, root = c["leaf"], c["root"]
    good = single(leaf, root)
    revoked = der(0xA1, time_of("20260101000000Z"), der(0xA0, "0a0101"))
    out = {
        "good": response(root, [good]),
        "good_by_name": response(root, [good], by_name=root.subject, version=der(0xA0, "020100")),
        "good_sha256": response(root, [single(leaf, root, algorithm=SHA256)]),
        "good_among": response(root, [single(leaf, root, serial=b"\x02\x01\x55"), good]),
        "good_more": response(root, [single(leaf, root, more=extension(False))],
                              more=extension(False)),
        "untold": response(root, [single(leaf, root, until=None)]),
        "revoked": response(root, [single(leaf, root, revoked)]),
        "unknown": response(root, [single(leaf, root, b"\x82\x00")]),
        "early": response(root, [single(leaf, root, this="20260701120000Z")]),
        "backwards": response(root, [single(leaf, root, this=NEXT, until=THIS)]),
        "other_serial": response(root, [single(leaf, root, serial=b"\x02\x01\x55")]),
        "other_key": response(root, [single(leaf, root, key_bits=c["other_root"].key_bits)]),
        "other_name": response(root, [single(leaf, root, name=leaf.subject)]),
        "nobody": response(root, []),
        "twice": response(root, [good, single(leaf, root, revoked)]),
        "strange_single": response(root, [single(leaf, root, more=extension(True))]),
        "strange": response(root, [good], more=extension(True)),
        "version_2": response(root, [good], version=der(0xA0, "020101")),
        "weak": response(root, [good], algorithm=ECDSA_SHA1),
        "false": response(root, [good], signing_key="other_root"),
        "stranger": response(c["other_root"], [good], certificates=[c["other_root"]]),
        "untold_stranger": response(c["other_root"], [good]),
        "twin": response(c["twin"], [good], by_name=root.subject, certificates=[c["twin"]]),
        "itself": response(leaf, [good], certificates=[leaf]),
        "by_rsa": response(c["rsa"], [good], certificates=[c["rsa"]], algorithm=RSA_SHA256),
        "false_rsa": response(c["rsa"], [good], certificates=[c["rsa"]], algorithm=RSA_SHA256,
                              signing_key="rsa_leaf"),
        "false_ed25519": response(c["ed25519"], [good], certificates=[c["ed25519"]],
                                  algorithm=ED25519, signing_key="other_ed25519"),
        "mixed": response(c["rsa"], [good], certificates=[c["rsa"]], signing_key="root"),
        "by_pss": response(c["rsa"], [good], certificates=[c["rsa"]], algorithm=RSA_PSS),
        "by_ed25519": response(c["ed25519"], [good], certificates=[c["ed25519"]],
                               algorithm=ED25519),
        "by_second": response(c["responder"], [good], certificates=[leaf, c["responder"]]),
        "by_ninth": response(c["responder"], [good], certificates=[leaf] * 8 + [c["responder"]]),
        "rsa_leaf": response(c["rsa_root"],
                             [single(c["rsa_leaf"], c["rsa_root"])], algorithm=RSA_SHA256),
    }
    for name in ("responder", "any_purpose", "no_purpose", "no_signatures", "strange_responder",
                 "expired_responder", "early_responder", "other_responder", "false_responder"):
        out["by_" + name] = response(c[name], [good], certificates=[c[name]])
    for number, name in enumerate(("malformed", "internal", "try_later", "four", "sig_required",
                                   "unauthorized", "seven"), 1):
        out["status_" + name] = der(0x30, der(0x0A, bytes([number])))
    return out


def all_certificates():
    c = {"root": make("root", None, "root"), "other_root": make("other_root", None, "root"),
         "rsa_root": make("rsa_root", None, "root", "rsa"),
         "twin": make("twin", None, "root", subject="root")}
    c["leaf"] = make("leaf", "root", "leaf", subject="localhost")
    c["rsa_leaf"] = make("rsa_leaf", "rsa_root", "leaf", "rsa", subject="localhost")
    c["responder"] = make("responder", "root", "responder")
    c["rsa"] = make("rsa", "root", "responder", "rsa")
    c["ed25519"] = make("ed25519", "root", "responder", "ed25519")
    make_key("other_ed25519", "ed25519")
    c["other_responder"] = make("other_responder", "other_root", "responder")
    c["false_responder"] = make("false_responder", "twin", "responder")
    c["expired_responder"] = make("expired_responder", "root", "responder", end="20260630000000Z")
    c["early_responder"] = make("early_responder", "root", "responder", begin="20260703000000Z")
    for name in ("any_purpose", "no_purpose", "no_signatures"):
        c[name] = make(name, "root", name)
    c["strange_responder"] = make("strange_responder", "root", "strange")
    return c


def main():
    out = os.path.join(HERE, "ocsp")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, text in (("ca.cnf", CONFIG), ("index.txt", ""), ("serial", "1000\n")):
            with open(name, "w", encoding="ascii") as file:
                file.write(text)
        c = all_certificates()
        files = {name + ".response": data for name, data in all_responses(c).items()}
        for name in ("root", "other_root", "twin", "leaf", "rsa_root", "rsa_leaf"):
            files[name + ".crt"] = c[name].der
        files["openssl.request"], files["openssl.response"] = from_openssl(c["leaf"], c["root"])
        shutil.rmtree(out, ignore_errors=True)
        os.mkdir(out)
        for name, data in files.items():
            with open(os.path.join(out, name), "wb") as file:
                file.write(data)
        os.chdir(HERE)


if __name__ == "__main__":
    main()
