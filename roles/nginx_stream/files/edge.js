// Copyright: (c) 2026, Bulwark contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What nginx's stream module cannot say itself: who the client is, to the broker (PROXY protocol, version 2, with the
// certificate's common name), and the SHA-256 fingerprint of its certificate, to a map. Runs in nginx and in the njs CLI.

import crypto from 'crypto';

// Section 2.2 of the PROXY protocol; 0x21 is version 2, command PROXY.
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21];
const TCP4 = 0x11;
const TCP6 = 0x21;
const TLV_SSL = 0x20;
const TLV_SSL_VERSION = 0x21;
const TLV_SSL_CN = 0x22;
const TLV_SSL_CIPHER = 0x23;
const CLIENT_SSL = 0x01;
const CLIENT_CERT_CONN = 0x02;
const CLIENT_CERT_SESS = 0x04;

// Mosquitto reads a header into a buffer of this size and refuses a longer one (src/proxy_v2.c).
const LONGEST = 500;

const COMMA = 0x2c, PLUS = 0x2b, EQUALS = 0x3d, BACKSLASH = 0x5c, HASH = 0x23;
// RFC 2253, section 2.4: what may follow a backslash beside two hexadecimal digits, and what needs one.
const ESCAPED = ',+"\\<>;=# ';
const NEEDS_ESCAPE = '"<>;';

// The values of a DN's attributes by type, as OpenSSL's XN_FLAG_RFC2253 writes it: [[type, bytes], ...].
function attributes(dn) {
    const input = Buffer.from(dn);
    const found = [];
    let at = 0;
    while (at < input.length) {
        const equals = input.indexOf(EQUALS, at);
        if (equals < 0) {
            throw new Error('the subject of the client certificate is no DN: ' + dn);
        }
        const type = input.slice(at, equals).toString();
        const value = attribute(input, equals + 1, dn);
        found.push([type, value.bytes]);
        // A comma ends a relative name, a plus an attribute of one with several.
        at = value.end + 1;
    }
    return found;
}

// One value and where it ends; null for what is written as `#` and the hexadecimal DER of something that is no text.
function attribute(input, start, dn) {
    const bytes = [];
    let at = start;
    while (at < input.length && input[at] !== COMMA && input[at] !== PLUS) {
        if (input[at] === BACKSLASH) {
            const pair = input.slice(at + 1, at + 3).toString();
            if (/^[0-9A-Fa-f]{2}$/.test(pair)) {
                bytes.push(parseInt(pair, 16));
                at += 3;
            } else if (pair && ESCAPED.includes(pair[0])) {
                bytes.push(input[at + 1]);
                at += 2;
            } else {
                throw new Error('the subject of the client certificate is not escaped as RFC 2253 says: ' + dn);
            }
        } else if (NEEDS_ESCAPE.includes(String.fromCharCode(input[at]))) {
            throw new Error('the subject of the client certificate is not escaped as RFC 2253 says: ' + dn);
        } else {
            bytes.push(input[at]);
            at += 1;
        }
    }
    return { bytes: input[start] === HASH ? null : bytes, end: at };
}

// The common name of a subject, as bytes of UTF-8. Throws for a subject that has none, or more than one: which of them
// the ACL of the broker means would be a guess.
function commonName(dn) {
    const names = attributes(dn).filter(pair => pair[0] === 'CN').map(pair => pair[1]);
    if (names.length !== 1) {
        throw new Error('the client certificate has ' + names.length + ' common names, one is needed: ' + dn);
    }
    const name = names[0];
    if (name === null || name.length === 0) {
        throw new Error('the common name of the client certificate is no text: ' + dn);
    }
    if (name.some(byte => byte < 0x20 || byte === 0x7f)) {
        throw new Error('the common name of the client certificate has control characters: ' + dn);
    }
    try {
        new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(name));
    } catch (e) {
        throw new Error('the common name of the client certificate is not UTF-8: ' + dn);
    }
    return name;
}

// The bytes of an IP address, 4 or 16 of them.
function address(text) {
    const found = text.includes(':') ? ipv6(text) : ipv4(text);
    if (found === null) {
        throw new Error('PROXY protocol: ' + text + ' is no IP address');
    }
    return found;
}

function ipv4(text) {
    const parts = text.split('.');
    const right = parts.length === 4 && parts.every(part => /^[0-9]{1,3}$/.test(part) && Number(part) < 256);
    return right ? parts.map(Number) : null;
}

function ipv6(text) {
    const halves = text.split('::');
    const head = groups(halves[0]);
    const tail = halves.length > 1 ? groups(halves[1]) : [];
    if (halves.length > 2 || head === null || tail === null) {
        return null;
    }
    const gap = 16 - head.length - tail.length;
    if (halves.length > 1 ? gap < 2 : gap !== 0) {
        return null;
    }
    return head.concat(new Array(gap).fill(0), tail);
}

function groups(text) {
    const bytes = [];
    const parts = text === '' ? [] : text.split(':');
    for (let number = 0; number < parts.length; number++) {
        const part = parts[number];
        // ::ffff:192.0.2.1
        const last = number === parts.length - 1 && part.includes('.') ? ipv4(part) : null;
        if (last !== null) {
            last.forEach(byte => bytes.push(byte));
        } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
            bytes.push(parseInt(part, 16) >> 8, parseInt(part, 16) & 0xff);
        } else {
            return null;
        }
    }
    return bytes;
}

function number16(value) {
    return [value >> 8, value & 0xff];
}

function tlv(type, bytes) {
    return [type].concat(number16(bytes.length), bytes);
}

// Array.from is missing in njs before 0.8.
function text(value) {
    const bytes = [];
    Buffer.from(value).forEach(byte => bytes.push(byte));
    return bytes;
}

// The header for a client of a verified TLS connection; `subject` is empty where no certificate was asked for.
function header(client) {
    const source = address(client.remote_addr);
    const destination = address(client.server_addr);
    if (source.length !== destination.length) {
        throw new Error('PROXY protocol: ' + client.remote_addr + ' and ' + client.server_addr + ' are of two kinds');
    }
    let flags = CLIENT_SSL;
    let names = [];
    if (client.subject) {
        if (client.verified !== 'SUCCESS') {
            throw new Error('the client certificate is not verified: ' + client.verified);
        }
        flags |= CLIENT_CERT_CONN | CLIENT_CERT_SESS;
        names = tlv(TLV_SSL_CN, commonName(client.subject));
    }
    // Zero says that a certificate was verified, whatever the flags (section 2.2.6).
    const verify = [0, 0, 0, client.subject ? 0 : 1];
    const ssl = [flags].concat(
        verify, tlv(TLV_SSL_VERSION, text(client.protocol)), names, tlv(TLV_SSL_CIPHER, text(client.cipher)));
    const body = source.concat(
        destination, number16(Number(client.remote_port)), number16(Number(client.server_port)), tlv(TLV_SSL, ssl));
    const whole = SIGNATURE.concat(source.length === 4 ? TCP4 : TCP6, number16(body.length), body);
    if (whole.length > LONGEST) {
        throw new Error('PROXY protocol: the header has ' + whole.length + ' bytes, the broker reads ' + LONGEST);
    }
    return Buffer.from(whole);
}

// js_filter: puts the header in front of the client's first bytes, in one write, then steps aside: later bytes never
// enter JavaScript. What throws here closes the connection and is in the error log.
function identify(s) {
    const v = s.variables;
    const first = header({
        remote_addr: v.remote_addr,
        remote_port: v.remote_port,
        server_addr: v.server_addr,
        server_port: v.server_port,
        protocol: v.ssl_protocol,
        cipher: v.ssl_cipher,
        subject: v.ssl_client_s_dn || '',
        verified: v.ssl_client_verify,
    });
    s.on('upstream', function (data, flags) {
        if (data.length === 0 && !flags.last) {
            return;
        }
        s.off('upstream');
        s.send(Buffer.concat([first, data]), flags);
    });
}

// js_set: the SHA-256 fingerprint of the client's certificate, as `openssl x509 -fingerprint -sha256` counts it, in lower
// case without colons; empty without a certificate.
function fingerprint(s) {
    const pem = s.variables.ssl_client_raw_cert || '';
    const base64 = pem.split('\n').filter(line => line && !line.startsWith('-')).join('');
    return base64 ? crypto.createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex') : '';
}

// js_preread, which comes after the handshake: lets in whom the map of fingerprints lets in.
function admit(s) {
    if (s.variables.edge_admitted === 'yes') {
        s.allow();
    } else {
        s.deny();
    }
}

export default { address, admit, attributes, commonName, fingerprint, header, identify };
