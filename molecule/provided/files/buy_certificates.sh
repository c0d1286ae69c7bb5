#!/bin/sh
# buy_certificates.sh NAME...: what a CA would send: NAME.key, NAME.crt and intermediate.crt; root.crt is what systems trust.
set -eu
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
authority="-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign"
$new -days 3650 -subj "/CN=Bought Root" -keyout root.key -out root.crt $authority
$new -days 1825 -subj "/CN=Bought Intermediate" -CA root.crt -CAkey root.key -keyout intermediate.key -out intermediate.crt $authority
for name in "$@"; do
    # Longer than a public CA may: a warning.
    $new -days 300 -subj "/CN=$name" -CA intermediate.crt -CAkey intermediate.key -keyout "$name.key" -out "$name.crt" \
        -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth -addext "subjectAltName=DNS:$name"
    cat root.crt "$name.crt" intermediate.crt >"$name.disorder.crt"
    openssl pkcs12 -export -in "$name.crt" -inkey "$name.key" -certfile intermediate.crt -passout pass:bought -out "$name.pfx"
done
