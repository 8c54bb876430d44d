#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes fixtures.c anew: certificates and keys for tests, valid from 2020 to 2126 but where the name
# says otherwise. Usage: tests/unit/fixtures.sh > tests/unit/fixtures.c (needs openssl).
set -eu

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
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, DNS:www.example.org, IP:127.0.0.1
END
: > index.txt
echo 1000 > serial

# sign NAME KEY SUBJECT ISSUER EXTENSIONS START END: NAME.pem; ISSUER "self" signs itself.
sign() {
    openssl req -new -config ca.cnf -key "$2" -subj "/CN=$3" -out "$1.csr"
    if [ "$4" = self ]; then
        set -- "$1" "$2" "$3" "-selfsign -keyfile $2" "$5" "$6" "$7"
    else
        set -- "$1" "$2" "$3" "-cert $4.pem -keyfile $4.key" "$5" "$6" "$7"
    fi
    # shellcheck disable=SC2086
    openssl ca -batch -notext -config ca.cnf $4 -extensions "$5" -startdate "$6" -enddate "$7" \
        -in "$1.csr" -out "$1.pem" 2> log || { cat log >&2; exit 1; }
}

ec_key() {
    openssl ecparam -name "$2" -genkey -out "$1.key"
}

begin=20200101000000Z
end=21260101000000Z

ec_key root prime256v1
ec_key intermediate prime256v1
ec_key ecdsa prime256v1
ec_key p384 secp384r1
ec_key other prime256v1
openssl genrsa -traditional -out rsa.key 2048 2> log
openssl genpkey -algorithm ed25519 -out ed25519.key
openssl pkcs8 -topk8 -nocrypt -in ecdsa.key -out ecdsa_pkcs8.key
openssl pkcs8 -topk8 -in ecdsa.key -passout pass:secret -out encrypted_pkcs8.key
openssl ec -in ecdsa.key -aes128 -passout pass:secret -out encrypted_sec1.key 2> log
openssl rsa -in rsa.key -traditional -des3 -passout pass:secret -out encrypted_pkcs1.key 2> log
openssl pkcs8 -topk8 -in ed25519.key -v2 aes-128-cbc -v2prf hmacWithSHA1 -passout pass:secret \
    -out encrypted_ed25519.key
openssl pkcs8 -topk8 -in ecdsa.key -v2 des3 -passout pass:secret -out encrypted_des3.key
openssl pkcs8 -topk8 -in ecdsa.key -scrypt -passout pass:secret -out encrypted_scrypt.key

sign root root.key "lockring test root" self root $begin $end
sign intermediate intermediate.key "lockring test intermediate" root root $begin $end
for kind in ecdsa p384 rsa ed25519; do
    sign $kind $kind.key localhost root leaf $begin $end
done
sign leaf ecdsa.key localhost intermediate leaf $begin $end
sign expired ecdsa.key localhost root leaf 20200101000000Z 20200102000000Z
sign not_yet ecdsa.key localhost root leaf 21250101000000Z $end

# emit NAME FILE
emit() {
    printf '\nconst char fixture_%s[] =' "$1"
    sed 's/.*/    "&\\n"/; 1s/^/\n/; $s/$/;/' "$2"
}

echo '/* SPDX-License-Identifier: MIT */'
echo '/* Made by fixtures.sh. These keys are public: they protect nothing. */'
echo '#include "fixtures.h"'
for name in root intermediate ecdsa p384 rsa ed25519 leaf expired not_yet; do
    emit $name $name.pem
done
for name in ecdsa ecdsa_pkcs8 p384 rsa ed25519 encrypted_pkcs8 encrypted_sec1 other \
    encrypted_pkcs1 encrypted_ed25519 encrypted_des3 encrypted_scrypt; do
    emit ${name}_key $name.key
done
