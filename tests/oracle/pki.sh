#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the folder pki/ anew: identities of servers that tell by their name which one was chosen, an
# RSA one and an ECDSA one of the same name, and an OCSP response. These keys are public: they
# protect nothing. Needs openssl, and tests/unit/pki for the intermediate that issues.
set -eu

out=$(cd "$(dirname "$0")" && pwd)/pki
issuer=$(cd "$(dirname "$0")" && pwd)/../unit/pki

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat > ca.cnf <<'END'
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
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
END
: > index.txt
echo 3000 > serial

# sign NAME KEY HOW: NAME.pem, with its name as common name.
sign() {
    openssl req -new -config ca.cnf -key "$2" -subj "/CN=$1" -out "$1.csr"
    # shellcheck disable=SC2086
    openssl ca -batch -notext -config ca.cnf $3 -extensions server \
        -startdate 20200101000000Z -enddate 21260101000000Z -in "$1.csr" -out "$1.pem" 2> log ||
        { cat log >&2; exit 1; }
}

openssl ecparam -name prime256v1 -genkey -noout -out ec.key
openssl genrsa -out rsa.key 2048 2> log
for name in default one two; do
    sign $name ec.key "-selfsign -keyfile ec.key"
done
sign rsa rsa.key "-selfsign -keyfile rsa.key"
sign issued ec.key "-cert $issuer/inter.pem -keyfile $issuer/inter.key"

openssl ocsp -issuer "$issuer/inter.pem" -cert issued.pem -reqout request.der -no_nonce
openssl ocsp -index index.txt -rsigner "$issuer/inter.pem" -rkey "$issuer/inter.key" \
    -CA "$issuer/inter.pem" -reqin request.der -respout issued.ocsp -ndays 36500

sign direct ec.key "-cert $issuer/root.pem -keyfile $issuer/root.key"
cp issued.pem issued_alone.pem
cat "$issuer/deep.pem" "$issuer/inter.pem" > deep_chain.pem
mkdir -p "$out"
rm -f "$out"/*
cat "$issuer/inter.pem" >> issued.pem
cp ec.key rsa.key default.pem one.pem two.pem rsa.pem issued.pem issued_alone.pem \
    direct.pem deep_chain.pem issued.ocsp "$out"
chmod 644 "$out"/*
