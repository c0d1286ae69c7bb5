#!/bin/sh
# make_certificates.sh NAME: a throw-away authority and, in one/ and two/, what `bulwark-tls install mqtt --from` takes.
set -eu
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=root -keyout ca.key -out ca.pem \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
for directory in one two; do
    mkdir -p "$directory"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -CA ca.pem -CAkey ca.key \
        -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth -addext "subjectAltName=DNS:$1" \
        -keyout "$directory/privkey.pem" -out "$directory/cert.pem"
    cp ca.pem "$directory/ca.pem"
done
