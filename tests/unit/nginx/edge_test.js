// Copyright: (c) 2026, Bulwark contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Unit tests of roles/nginx_stream/files/edge.js, for the njs of each release: `njs edge_test.js` beside edge.js. Prints one line for each
// test that fails, then how many there were; throws when one failed.

import edge from './edge.js';

const CLIENT = {
    remote_addr: '192.0.2.1',
    remote_port: '50000',
    server_addr: '192.0.2.2',
    server_port: '8883',
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    subject: 'CN=meter-0815',
    verified: 'SUCCESS',
};

function client(changes) {
    return Object.assign({}, CLIENT, changes);
}

function tlvs(bytes, start) {
    const found = {};
    for (let at = start; at < bytes.length;) {
        const length = bytes.readUInt16BE(at + 1);
        found[bytes[at]] = bytes.slice(at + 3, at + 3 + length);
        at += 3 + length;
    }
    return found;
}

// Offsets of section 2.2: 12 signature, version and command, family, length, addresses, then TLVs.
function read(header) {
    const size = header[13] === 0x11 ? 4 : 16;
    const ports = 16 + 2 * size;
    const ssl = tlvs(header, ports + 4)[0x20];
    const inner = tlvs(ssl, 5);
    return {
        start: header.slice(0, 14).toString('hex'),
        length: header.readUInt16BE(14) === header.length - 16,
        source: header.slice(16, 16 + size).toString('hex'),
        destination: header.slice(16 + size, ports).toString('hex'),
        ports: [header.readUInt16BE(ports), header.readUInt16BE(ports + 2)],
        flags: ssl[0],
        verify: ssl.readUInt32BE(1),
        version: String(inner[0x21]),
        name: inner[0x22] === undefined ? null : inner[0x22].toString('hex'),
        cipher: String(inner[0x23]),
    };
}

function hex(text) {
    return Buffer.from(text).toString('hex');
}

// What nginx gives a filter: variables, and handlers of events that can be taken off again.
function session(variables) {
    const s = { variables, handlers: {}, sent: [], on: null, off: null, send: null };
    s.on = (event, handler) => { s.handlers[event] = handler; };
    s.off = (event) => { delete s.handlers[event]; };
    s.send = (data, flags) => { s.sent.push([data.toString('hex'), flags]); };
    return s;
}

const VARIABLES = {
    remote_addr: '192.0.2.1', remote_port: '50000', server_addr: '192.0.2.2', server_port: '8883', ssl_protocol: 'TLSv1.3',
    ssl_cipher: 'TLS_AES_128_GCM_SHA256', ssl_client_s_dn: 'CN=meter-0815', ssl_client_verify: 'SUCCESS',
};

function name(dn) {
    return Buffer.from(edge.commonName(dn)).toString();
}

const DN = 'the subject of the client certificate is ';
const CN = 'the common name of the client certificate ';

const tests = {
    'a header says who is behind it': () => equal(read(edge.header(CLIENT)), {
        start: '0d0a0d0a000d0a515549540a2111', length: true, source: 'c0000201', destination: 'c0000202', ports: [50000, 8883],
        flags: 7, verify: 0, version: 'TLSv1.3', name: hex('meter-0815'), cipher: 'TLS_AES_128_GCM_SHA256',
    }),
    'an IPv6 client has its whole address': () => {
        const found = read(edge.header(client({ remote_addr: '2001:db8::1', server_addr: '::ffff:192.0.2.2' })));
        equal([found.start, found.source, found.destination, found.ports], [
            '0d0a0d0a000d0a515549540a2121', '20010db8000000000000000000000001', '00000000000000000000ffffc0000202', [50000, 8883]]);
    },
    'a client that was not asked for a certificate has none, and nothing verified': () => {
        const found = read(edge.header(client({ subject: '', verified: 'NONE' })));
        equal([found.flags, found.verify, found.name], [1, 1, null]);
    },
    'a certificate that does not verify gets no header': () => refuses(
        () => edge.header(client({ verified: 'FAILED:certificate has expired' })),
        'the client certificate is not verified: FAILED:certificate has expired'),
    'addresses of two kinds get no header': () => refuses(
        () => edge.header(client({ server_addr: '::1' })), 'PROXY protocol: 192.0.2.1 and ::1 are of two kinds'),
    'a unix socket gets no header': () => refuses(
        () => edge.header(client({ remote_addr: 'unix:' })), 'PROXY protocol: unix: is no IP address'),
    'a header of 500 bytes is sent': () => equal(edge.header(client({ subject: 'CN=' + 'n'.repeat(426) })).length, 500),
    'a header of 501 bytes is not': () => refuses(
        () => edge.header(client({ subject: 'CN=' + 'n'.repeat(427) })), 'PROXY protocol: the header has 501 bytes, the broker reads 500'),

    'IPv6 addresses are read in every form': () => equal(
        ['::', '::1', '1::', 'fe80::1:2', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:192.0.2.1', '1::8'].map(text => hex(edge.address(text))), [
            '00000000000000000000000000000000', '00000000000000000000000000000001', '00010000000000000000000000000000',
            'fe800000000000000000000000010002', '00010002000300040005000600070008', '000100020003000400050006c0000201',
            '00010000000000000000000000000008']),
    'what is no address is refused': () => ['', '1.2.3', '1.2.3.256', '1.2.3.4.5', ':', '1:2', '1::2::3', '1:2:3:4:5:6:7:8:9', '12345::', 'g::']
        .forEach(text => refuses(() => edge.address(text), 'PROXY protocol: ' + text + ' is no IP address')),

    'a plain name is read': () => equal(name('CN=meter-0815'), 'meter-0815'),
    'a name is found among others': () => equal(name('CN=meter,OU=Field,O=Example Energy,C=DE'), 'meter'),
    'the order does not matter': () => equal(name('C=DE,O=Example,CN=meter'), 'meter'),
    'an escaped comma belongs to the name': () => equal(name('CN=a\\,b,O=x'), 'a,b'),
    'a CN= in a value is a value': () => equal(name('O=x\\,CN=admin,CN=meter'), 'meter'),
    'a name that contains CN= is read whole': () => equal(name('CN=CN=admin,O=x'), 'CN=admin'),
    'a relative name with several attributes is taken apart': () => equal(name('OU=a+CN=meter+UID=7,O=x'), 'meter'),
    'an escaped plus belongs to the name': () => equal(name('CN=a\\+CN\\=b'), 'a+CN=b'),
    'UTF-8 in hexadecimal pairs is read': () => equal(name('CN=Z\\C3\\A4hler \\E2\\82\\AC'), 'Zähler €'),
    'UTF-8 as it is, is read': () => equal(name('CN=Zähler'), 'Zähler'),
    'escaped quotes, backslashes and spaces belong to the name': () => equal(name('CN=\\ a\\"b\\\\c\\;d\\<e\\>\\ '), ' a"b\\c;d<e> '),
    'an escaped hash in front is text': () => equal(name('CN=\\#1'), '#1'),
    'an attribute whose type ends in CN is another': () => equal(name('XCN=admin,CN=meter'), 'meter'),
    'a value of an unknown type does not matter': () => equal(name('1.2.3.4=#0C0161,CN=meter'), 'meter'),

    'two names are refused': () => refuses(() => name('CN=a,CN=b'), 'the client certificate has 2 common names, one is needed: CN=a,CN=b'),
    'two names in one relative name are refused': () => refuses(
        () => name('CN=a+CN=b'), 'the client certificate has 2 common names, one is needed: CN=a+CN=b'),
    'no name is refused': () => refuses(() => name('O=x'), 'the client certificate has 0 common names, one is needed: O=x'),
    'an empty name is refused': () => refuses(() => name('CN=,O=x'), CN + 'is no text: CN=,O=x'),
    'a name that is no text is refused': () => refuses(() => name('CN=#0401FF'), CN + 'is no text: CN=#0401FF'),
    'a zero byte is refused': () => refuses(() => name('CN=admin\\00x'), CN + 'has control characters: CN=admin\\00x'),
    'a line break is refused': () => refuses(() => name('CN=a\\0Ab'), CN + 'has control characters: CN=a\\0Ab'),
    'bytes that are not UTF-8 are refused': () => refuses(() => name('CN=\\FF'), CN + 'is not UTF-8: CN=\\FF'),
    'an overlong slash is refused': () => refuses(() => name('CN=\\C0\\AF'), CN + 'is not UTF-8: CN=\\C0\\AF'),
    'an open quote is refused': () => refuses(() => name('CN="a,b"'), DN + 'not escaped as RFC 2253 says: CN="a,b"'),
    'a backslash at the end is refused': () => refuses(() => name('CN=a\\'), DN + 'not escaped as RFC 2253 says: CN=a\\'),
    'an unknown escape is refused': () => refuses(() => name('CN=a\\zz'), DN + 'not escaped as RFC 2253 says: CN=a\\zz'),
    'what is no DN is refused': () => refuses(() => name('meter'), DN + 'no DN: meter'),

    'the filter puts the header in front of the first bytes, once': () => {
        const s = session(VARIABLES);
        edge.identify(s);
        s.handlers.upstream(Buffer.from('first'), { last: false });
        equal(s.sent, [[edge.header(CLIENT).toString('hex') + hex('first'), { last: false }]]);
        equal(Object.keys(s.handlers), []);
    },
    'the filter waits for bytes': () => {
        const s = session(VARIABLES);
        edge.identify(s);
        s.handlers.upstream(Buffer.from(''), { last: false });
        equal([s.sent, Object.keys(s.handlers)], [[], ['upstream']]);
    },
    'the filter refuses before it listens': () => {
        const s = session(Object.assign({}, VARIABLES, { ssl_client_s_dn: 'CN=a,CN=b' }));
        refuses(() => edge.identify(s), 'the client certificate has 2 common names, one is needed: CN=a,CN=b');
        equal(s.handlers, {});
    },
    'a fingerprint is the SHA-256 of the certificate': () => equal(
        edge.fingerprint({ variables: { ssl_client_raw_cert: '-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n' } }),
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'),
    'without a certificate there is no fingerprint': () => equal(edge.fingerprint({ variables: {} }), ''),
    'who is not let in is denied': () => equal(['yes', 'no', ''].map(answer => {
        const said = [];
        edge.admit({ variables: { edge_admitted: answer }, allow: () => said.push('allow'), deny: () => said.push('deny') });
        return said.join();
    }), ['allow', 'deny', 'deny']),
};

function equal(found, wanted) {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
        throw new Error('found ' + JSON.stringify(found) + ', wanted ' + JSON.stringify(wanted));
    }
}

function refuses(action, message) {
    let said = null;
    try {
        action();
    } catch (error) {
        said = error.message;
    }
    equal(said, message);
}

const failed = Object.keys(tests).filter(title => {
    try {
        tests[title]();
        return false;
    } catch (error) {
        console.log(title + ': ' + error.message);
        return true;
    }
});
console.log(Object.keys(tests).length + ' tests, ' + failed.length + ' failed');
if (failed.length > 0) {
    throw new Error('failed');
}
