#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the folder pki/ anew: a small PKI of clients with revocation lists, PKCS#12 files and
# Diffie-Hellman parameters, by the recipes of the reference where it has one. These keys are
# public: they protect nothing. Needs openssl with its legacy provider, and python3.
set -eu

out=$(cd "$(dirname "$0")" && pwd)/pki

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat > ca.cnf <<'END'
[ca]
default_ca = any
[any]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
default_md = sha256
policy = any_policy
unique_subject = no
[any_policy]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
emailAddress = optional
[req]
distinguished_name = dn
prompt = no
string_mask = utf8only
[dn]
commonName = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[short]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[named]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, permitted;email:example.org
[client]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = email:client@example.com, URI:urn:lockring:client, otherName:1.2.3.4;UTF8:x
authorityInfoAccess = OCSP;URI:http://ocsp.example.org/, caIssuers;URI:http://ca.example.org/ca.crt
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
[plain]
basicConstraints = CA:FALSE
[noca]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
[strange]
basicConstraints = CA:FALSE
1.2.3.4.5 = critical, ASN1:NULL
END
echo 1000 > serial
echo 01 > crlnumber
: > index.txt

begin=20200101000000Z
end=21260101000000Z

# sign NAME KEY SUBJECT ISSUER EXTENSIONS [START END [DIGEST]]: NAME.pem; ISSUER "self": itself.
sign() {
    issuer="-cert $4.pem -keyfile $4.key"
    [ "$4" != self ] || issuer="-selfsign -keyfile $2.key"
    openssl req -new -utf8 -config ca.cnf -key "$2.key" -subj "$3" -out "$1.csr"
    # shellcheck disable=SC2086
    openssl ca -batch -notext -utf8 -preserveDN -config ca.cnf $issuer -extensions "$5" \
        -startdate "${6:-$begin}" -enddate "${7:-$end}" -md "${8:-sha256}" \
        -in "$1.csr" -out "$1.pem" 2> log || { cat log >&2; exit 1; }
}

for name in root inter client other short named; do
    openssl ecparam -name prime256v1 -genkey -noout -out $name.key
done
openssl genrsa -out rsa.key 2048 2> log
openssl genrsa -out small.key 1024 2> log

sign root root "/C=DE/O=lockring/CN=peer root" self root
sign other_root other "/CN=another root" self root
sign short short "/CN=short root" self short
sign named named "/CN=named root" self named
cp other.key other_root.key
sign inter inter "/CN=peer intermediate" root root
sign under_short inter "/CN=under short" short root
sign under_named inter "/CN=under named" named root
cp inter.key under_short.key
cp inter.key under_named.key
subject="/C=DE/O=lockring/OU=tests/CN=Zoë, \"the\" client/emailAddress=client@example.com"
sign client client "$subject" root client
sign multi client "/C=DE/O=lockring+OU=tests/CN=multi-valued" root client
sign rsa rsa "/CN=rsa client" root client
sign deep client "/CN=deep client" inter client
sign revoked client "/CN=revoked client" root client
sign deep_revoked client "/CN=deep revoked client" inter client
sign expired client "/CN=expired client" root client 20200101000000Z 20200102000000Z
sign not_yet client "/CN=early client" root client 21250101000000Z $end
sign server_only client "/CN=server" root server
sign plain client "/CN=plain client" root plain
sign small small "/CN=small client" root client
sign sha1 client "/CN=weak client" root client $begin $end sha1
sign self client "/CN=self-signed client" self client
sign stranger client "/CN=stranger" other_root client
sign too_deep client "/CN=too deep" under_short client
sign renamed client "/CN=renamed" under_named client
sign strange client "/CN=strange" root strange
sign noca client "/CN=no authority" root noca
cp client.key noca.key
sign by_noca client "/CN=by no authority" noca client

# A twin of the intermediate: its name, another key.
sign false_inter other "/CN=peer intermediate" other_root root

# crl NAME ISSUER DAYS-FROM DAYS-TO
crl() {
    openssl ca -gencrl -config ca.cnf -cert "$2.pem" -keyfile "$2.key" \
        -crl_lastupdate "$3" -crl_nextupdate "$4" -out "$1.crl" 2> log || { cat log >&2; exit 1; }
}
crl root_nothing root $begin $end
crl inter_nothing inter $begin $end
openssl ca -config ca.cnf -cert root.pem -keyfile root.key -revoke revoked.pem 2> log
openssl ca -config ca.cnf -cert inter.pem -keyfile inter.key -revoke deep_revoked.pem 2> log
crl root root $begin $end
crl inter inter $begin $end
crl root_old root 20200101000000Z 20200102000000Z
crl root_early root 21250101000000Z $end
crl other other_root $begin $end
openssl ca -config ca.cnf -cert root.pem -keyfile root.key -revoke inter.pem 2> log
crl root_inter root $begin $end
# Of the root by its name, but signed by another key.
sign root_twin other "/C=DE/O=lockring/CN=peer root" self root
cp other.key root_twin.key
crl root_false root_twin $begin $end

# Server identities in one file, the first by the reference's recipe.
cat inter.pem root.pem > chain.pem
sign server rsa "/CN=localhost" inter server
openssl pkcs12 -export -in server.pem -inkey rsa.key -certfile chain.pem -out modern.p12 \
    -passout pass:secret
openssl pkcs12 -export -legacy -in server.pem -inkey rsa.key -certfile chain.pem -out des3.p12 \
    -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -passout pass:secret
openssl pkcs12 -export -legacy -in server.pem -inkey rsa.key -certfile chain.pem -out rc2.p12 \
    -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-RC2-40 -macalg sha1 -passout pass:secret
openssl pkcs12 -export -in server.pem -inkey rsa.key -out open.p12 -passout pass:
openssl pkcs12 -export -nokeys -in server.pem -out nokey.p12 -passout pass:secret
openssl x509 -in server.pem -outform DER -out server.der
openssl rsa -in rsa.key -traditional -outform DER -out rsa_pkcs1.der 2> log
openssl pkcs8 -topk8 -nocrypt -in rsa.key -outform DER -out rsa_pkcs8.der
openssl pkcs8 -topk8 -in rsa.key -outform DER -passout pass:secret -out rsa_encrypted.der
openssl ec -in client.key -outform DER -out client_sec1.der 2> log
openssl crl -in root.crl -outform DER -out root_crl.der
openssl x509 -in client.pem -outform DER -out client.der

openssl dhparam -outform PEM 1024 > dh1024.pem 2> log
openssl dhparam -outform PEM 512 > dh512.pem 2> log
openssl genpkey -genparam -algorithm DH -pkeyopt group:modp_2048 -out dh2048.pem
openssl asn1parse -in dh2048.pem -noout -out dh2048.der
# The last bits of the prime: an odd number, but no prime.
python3 - <<'END'
import base64
der = bytearray(open("dh2048.der", "rb").read())
at = der.rindex(bytes([0x02, 0x01, 0x02])) - 1
der[at - 20] ^= 2
body = base64.encodebytes(bytes(der)).decode()
open("dh_composite.pem", "w").write(
    "-----BEGIN DH PARAMETERS-----\n" + body + "-----END DH PARAMETERS-----\n")
END

mkdir -p "$out"
rm -f "$out"/*
for name in root other_root short named inter under_short under_named client multi rsa \
    deep revoked \
    deep_revoked expired not_yet server_only plain small sha1 self stranger too_deep renamed \
    strange noca by_noca false_inter server dh2048 dh1024 dh512 dh_composite; do
    cp $name.pem "$out"
done
for name in root inter client rsa small; do
    cp $name.key "$out"
done
cp root_nothing.crl inter_nothing.crl root.crl inter.crl root_old.crl root_early.crl other.crl \
    root_inter.crl root_false.crl modern.p12 des3.p12 rc2.p12 open.p12 nokey.p12 server.der \
    rsa_pkcs1.der rsa_pkcs8.der rsa_encrypted.der client_sec1.der root_crl.der dh2048.der \
    client.der "$out"
chmod 644 "$out"/*
