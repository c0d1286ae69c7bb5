# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe against real TLS servers on the loopback."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import probe, proxy_v2, tls_wire
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import ProbeError

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CONNACK_ACCEPTED, CONNACK_NOT_AUTHORIZED = bytes.fromhex("20020000"), bytes.fromhex("20020005")


def at(port, **changes):
    return {"address": "127.0.0.1", "port": port, "server_name": "server.example", "timeout": 5, **changes}


def answer_connect(connack):
    def handle(connection):
        connection.recv(4096)
        connection.sendall(connack)
        connection.recv(4096)

    return handle


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.mark.parametrize("client_required", [False, True], ids=["anyone", "client-certificate-required"])
@pytest.mark.parametrize(("version", "name"), [(V12, "TLSv1.2"), (V13, "TLSv1.3")], ids=["1.2", "1.3"])
def test_the_certificate_is_seen_whether_or_not_the_server_lets_us_in(
    serve_tls, authority, version, name, client_required
):
    port = serve_tls(minimum=version, maximum=version, client_required=client_required)
    served = probe.served_certificate(**at(port), cafile=authority.ca)
    assert (served.der, served.protocol) == (authority.der("server"), name)
    assert served.refused == ("handshake_failure" if client_required and version == V12 else None)


def test_suite_names_are_the_same_with_and_without_a_completed_handshake(serve_tls, authority):
    port = serve_tls(maximum=V12, client_required=True)
    refused = probe.served_certificate(**at(port))
    let_in = probe.served_certificate(
        **at(port), certfile=authority.certificate("client"), keyfile=authority.key("client")
    )
    assert refused.refused
    assert not let_in.refused
    assert refused.cipher == let_in.cipher


def test_a_foreign_name_does_not_verify_even_when_the_server_would_refuse_us(serve_tls, authority):
    port = serve_tls(maximum=V12, client_required=True)
    with pytest.raises(probe.TlsError) as caught:
        probe.served_certificate(**at(port, server_name="other.example"), cafile=authority.ca)
    assert str(caught.value) == (
        f"127.0.0.1:{port}: TLS handshake failed: certificate verify failed: "
        "Hostname mismatch, certificate is not valid for 'other.example'"
    )


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_a_required_client_certificate_is_noticed(serve_tls, version, required):
    port = serve_tls(minimum=version, maximum=version, client_required=required)
    assert probe.client_certificate_required(**at(port)) is required


def test_a_server_that_hangs_up_without_a_word_leaves_the_question_open(serve_tls):
    port = serve_tls(minimum=V13, after=lambda connection: connection.unwrap())
    assert probe.client_certificate_required(**at(port)) is None


def test_versions_are_accepted_or_refused_with_the_alert(serve_tls):
    answers = probe.version_answers(**at(serve_tls(minimum=V12, maximum=V12)))
    assert answers["TLSv1.2"] == probe.VersionAnswer("accepted")
    assert answers["TLSv1.3"] == probe.VersionAnswer("refused", "protocol_version")


def test_a_version_counts_as_accepted_when_only_the_client_certificate_is_missing(serve_tls):
    answers = probe.version_answers(**at(serve_tls(client_required=True)))
    assert answers["TLSv1.2"] == answers["TLSv1.3"] == probe.VersionAnswer("accepted")


@pytest.mark.parametrize("name", ["TLSv1", "TLSv1.1"])
def test_an_old_version_is_refused_by_the_server_or_cannot_be_offered(serve_tls, name):
    answer = probe.version_answers(**at(serve_tls()))[name]
    assert answer in (probe.VersionAnswer("refused", "protocol_version"), probe.VersionAnswer("untestable"))


def test_a_version_that_this_openssl_does_not_offer_is_untestable(serve_tls, monkeypatch):
    nothing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nothing.check_hostname, nothing.verify_mode = False, ssl.CERT_NONE
    nothing.minimum_version, nothing.maximum_version = V13, V12
    monkeypatch.setattr(probe, "_only", lambda version: nothing)
    answers = probe.version_answers(**at(serve_tls()))
    assert set(answers.values()) == {probe.VersionAnswer("untestable")}


def test_a_version_that_this_python_was_built_without_is_untestable(serve_tls, monkeypatch):
    monkeypatch.setattr(probe, "_only", lambda version: None)
    answers = probe.version_answers(**at(serve_tls()))
    assert set(answers.values()) == {probe.VersionAnswer("untestable")}


def test_a_connection_that_ends_without_an_alert_is_unanswered(serve):
    answers = probe.version_answers(**at(serve(lambda connection: connection.recv(4096))))
    assert answers["TLSv1.2"] == answers["TLSv1.3"] == probe.VersionAnswer("unanswered")


def test_a_silent_port_ends_at_the_timeout(serve):
    port = serve(lambda connection: time.sleep(1))
    with pytest.raises(ProbeError) as caught:
        probe.served_certificate(**at(port, timeout=0.2))
    assert str(caught.value) == f"127.0.0.1:{port}: TLS handshake failed: timed out"


def test_a_port_that_speaks_no_tls_is_an_error(serve):
    def greet(connection):
        connection.recv(4096)
        connection.sendall(b"220 mail.example ESMTP\r\n")

    with pytest.raises(probe.TlsError, match="TLS handshake failed: wrong version number"):
        probe.served_certificate(**at(serve(greet)))


def test_a_closed_port_is_closed_and_an_open_one_open(serve, free_port):
    assert probe.reachability(address="127.0.0.1", port=free_port, timeout=1) == "closed"
    assert probe.reachability(address="127.0.0.1", port=serve(lambda connection: None), timeout=1) == "open"


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), OSError(113, "No route to host")], ids=["silence", "no-route"]
)
def test_a_port_that_something_on_the_way_shields_is_filtered(monkeypatch, error):
    def refuse(*_arguments, **_options):
        raise error

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert probe.reachability(address="192.0.2.1", port=1883, timeout=1) == "filtered"


def test_a_name_that_does_not_resolve_says_nothing_about_the_port():
    with pytest.raises(ProbeError, match=r"^nowhere\.invalid:1883: cannot resolve nowhere\.invalid: "):
        probe.reachability(address="nowhere.invalid", port=1883, timeout=1)


def enter(session):
    """Open it."""
    with session:
        pass


@pytest.mark.parametrize(
    ("connack", "code"), [(CONNACK_ACCEPTED, 0), (CONNACK_NOT_AUTHORIZED, 5)], ids=["accepted", "not-authorized"]
)
def test_the_connack_code_is_returned(serve_tls, authority, connack, code):
    port = serve_tls(client_required=True, after=answer_connect(connack))
    identity = {"certfile": authority.certificate("client"), "keyfile": authority.key("client")}
    with probe.mqtt_session(**at(port), cafile=authority.ca, **identity) as (_client, answered):
        assert answered == code


def test_a_unix_socket_gets_the_header_before_connect(tmp_path):
    path, received = str(tmp_path / "x.sock"), []
    header = proxy_v2.header(common_name="meter")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def handle():
            connection, _peer = listening.accept()
            with connection:
                while len(received) <= len(header):
                    received.extend(connection.recv(4096))
                connection.sendall(CONNACK_NOT_AUTHORIZED)
                connection.recv(4096)

        broker = threading.Thread(target=handle)
        broker.start()
        with probe.mqtt_session_local(path=path, timeout=5, header=header) as (_client, code):
            assert code == 5
        broker.join()
    assert bytes(received[: len(header)]) == header
    assert received[len(header)] >> 4 == 1  # CONNECT


def test_a_socket_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ProbeError, match=rf"^{tmp_path}/x\.sock: cannot connect: No such file or directory$"):
        enter(probe.mqtt_session_local(path=str(tmp_path / "x.sock"), timeout=1))


def test_a_port_of_the_loopback_where_nothing_listens_is_named():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(ProbeError, match=rf"^127\.0\.0\.1:{port}: cannot connect: Connection refused$"):
            enter(probe.mqtt_session_local(port=port, timeout=1))


def test_the_proxy_header_names_a_client_whose_certificate_verified():
    header = proxy_v2.header(common_name="meter")
    # Signature, version and command, TCP over IPv4, length (proxy-protocol.txt section 2.2).
    assert header[:14] == b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
    assert int.from_bytes(header[14:16], "big") == len(header) - 16
    # PP2_TYPE_SSL: client flags SSL, CERT_CONN and CERT_SESS, verify 0; PP2_SUBTYPE_SSL_CN.
    assert header[28] == 0x20
    assert header[31:36] == b"\x07\0\0\0\0"
    assert header.endswith(b"\x22\x00\x05meter")


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_a_client_without_a_certificate_learns_the_alert(serve_tls, authority, version):
    port = serve_tls(minimum=version, maximum=version, client_required=True)
    with pytest.raises(ProbeError) as caught:
        enter(probe.mqtt_session(**at(port), cafile=authority.ca))
    alert = "sslv3 alert handshake failure" if version == V12 else "tlsv13 alert certificate required"
    assert str(caught.value).endswith(alert)


def test_an_unusable_file_is_named(authority, tmp_path):
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(ProbeError) as caught:
        probe.client_context(server_name=None, cafile=missing)
    assert str(caught.value) == f"{missing}: cannot be used as CA file: No such file or directory"


def test_a_key_of_another_certificate_is_named(authority):
    certificate, key = authority.certificate("client"), authority.key("server")
    with pytest.raises(ProbeError) as caught:
        probe.client_context(server_name=None, certfile=certificate, keyfile=key)
    assert str(caught.value).startswith(f"{certificate} and {key}: cannot be used as client certificate and key: ")


@pytest.mark.parametrize(
    ("output", "group"),
    [
        pytest.param(
            "Protocol version: TLSv1.3\nNegotiated TLS1.3 group: X25519MLKEM768\n", "X25519MLKEM768", id="3.5"
        ),
        pytest.param("Server Temp Key: X25519, 253 bits\n", "X25519", id="3.0-x25519"),
        pytest.param("Server Temp Key: ECDH, prime256v1, 256 bits\n", "prime256v1", id="3.0-p256"),
        pytest.param("Peer Temp Key: ECDH, secp384r1, 384 bits\n", "secp384r1", id="3.5-tls-1.2"),
        pytest.param("CONNECTION FAILED\n", None, id="no-handshake"),
    ],
)
def test_the_group_is_read_from_what_openssl_prints(output, group):
    assert probe.group_in(output) == group


STAPLED = """CONNECTED(00000003)
OCSP response:
======================================
OCSP Response Data:
    OCSP Response Status: successful (0x0)
    Responses:
    Certificate ID:
      Hash Algorithm: sha1
      Serial Number: 06182EAEA77621F0608C27A11AB6370847C7C5
    Cert Status: good
    This Update: Nov 25 06:47:32 2026 GMT
    Next Update: Dec  2 07:47:32 2026 GMT

Certificate:
    Data:
        Serial Number:
            2a:07:96:c4:5c:15:17:51:6c:42:1a:ee:f9:c7:1a:7e:65:45:83:44
"""


def test_a_staple_is_read_from_what_openssl_prints():
    assert probe.stapled_in(STAPLED) == probe.Stapled(
        serial="0006182EAEA77621F0608C27A11AB6370847C7C5",
        status="good",
        this_update=1795589252,
        next_update=1796197652,
    )


def test_a_staple_that_says_revoked_or_has_no_end_is_read_as_it_is():
    output = STAPLED.replace("Cert Status: good", "Cert Status: revoked")
    output = output.replace("    Next Update: Dec  2 07:47:32 2026 GMT\n", "")
    found = probe.stapled_in(output)
    assert (found.status, found.next_update) == ("revoked", None)


@pytest.mark.parametrize(
    "output",
    ["OCSP response: no response sent\n", "OCSP Response Data:\n    OCSP Response Status: trylater (0x3)\n", ""],
)
def test_no_staple_is_none(output):
    assert probe.stapled_in(output) is None


def test_every_beginning_of_a_server_flight_can_be_read(serve_tls, authority):
    flights = []
    context = probe.client_context(server_name=None)
    with probe._conversation(**at(serve_tls(maximum=V12, client_required=True)), context=context) as conversation:
        with pytest.raises(ssl.SSLError):
            conversation.handshake()
        flights.append(conversation.received)
    (flight,) = flights
    assert tls_wire.certificate(flight) == authority.der("server")
    assert tls_wire.asks_for_certificate(flight)
    for length in range(len(flight)):
        beginning = flight[:length]
        assert tls_wire.chosen_version(beginning) in (None, 0x0303)
        assert tls_wire.certificate(beginning) in (None, authority.der("server"))
        assert tls_wire.alert(beginning) is None


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_a_client_of_another_authority_is_turned_away_by_name_and_one_of_ours_is_not(serve_tls, authority, version):
    port = serve_tls(minimum=version, maximum=version, client_required=True)
    ours = {"certfile": authority.certificate("client"), "keyfile": authority.key("client")}
    foreign = {"certfile": authority.certificate("foreign"), "keyfile": authority.key("foreign")}
    assert probe.refusal(**at(port), **ours) is None
    assert probe.refusal(**at(port), **foreign) == "tlsv1 alert unknown ca"


def test_a_server_that_asks_for_no_certificate_lets_everybody_in(serve_tls, authority):
    foreign = {"certfile": authority.certificate("foreign"), "keyfile": authority.key("foreign")}
    assert probe.refusal(**at(serve_tls()), **foreign) is None


def test_a_port_that_nobody_listens_on_is_no_refusal(free_port, authority):
    with pytest.raises(ProbeError, match=f"^127.0.0.1:{free_port}: cannot connect: Connection refused$"):
        probe.refusal(**at(free_port), certfile=authority.certificate("client"), keyfile=authority.key("client"))


@pytest.mark.parametrize("client_required", [False, True], ids=["anyone", "client-certificate-required"])
def test_every_suite_that_the_server_takes_is_found_the_first_one_first(serve_tls, client_required):
    wanted = ["ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    port = serve_tls(maximum=V12, client_required=client_required, ciphers=":".join(wanted))
    assert probe.suites(**at(port)) == wanted


def test_a_server_of_tls_1_3_alone_takes_no_suite_of_1_2(serve_tls):
    assert probe.suites(**at(serve_tls(minimum=V13))) == []
