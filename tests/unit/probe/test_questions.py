# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All questions about many endpoints at once: the same answers as one by one, in less time."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils._host import proxy_v2
from ansible_collections.bulwark.mqtt.plugins.module_utils._probes import client, questions
from ansible_collections.bulwark.mqtt.plugins.modules import mqtt_probe, posture_info, tls_endpoint_info


@pytest.fixture
def identity(authority, tmp_path):
    """A directory with a client's files, as posture is given it."""
    directory = tmp_path / "identity"
    directory.mkdir()
    for name, file in (("fullchain.pem", authority.certificate("client")), ("privkey.pem", authority.key("client"))):
        (directory / name).symlink_to(file)
    return str(directory)


@pytest.fixture
def entry(authority, identity, free_port):
    def make(port, **changes):
        plain = {
            "name": f"port {port}",
            "address": "127.0.0.1",
            "port": port,
            "server_name": "server.example",
            "websocket": None,
            "ca": authority.ca,
            "client": {"name": "meter", "identity": identity},
            "other": None,
            "refused": [],
            "edge": False,
            "plaintext_ports": [free_port],
            "dashboard_port": 0,
            "broker": None,
        }
        return {**plain, **changes}

    return make


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def ask(*entries, timeout=5.0, parallel=64):
    params = {"endpoints": list(entries), "timeout": timeout, "parallel": parallel}
    return posture_info.ensure(params, check_mode=False)["endpoints"]


def single(module, entry, **changes):
    """What the module that asks one question returns for the same endpoint."""
    plain = {
        "address": entry["address"],
        "port": entry["port"],
        "server_name": entry["server_name"],
        "timeout": 5.0,
        "ca": None,
        "certificate": None,
        "private_key": None,
        "username": None,
        "password": None,
        "client_id": None,
        "websocket": None,
        "forged_name": None,
        "tls": True,
        "protocol_version": "5",
        "roundtrips": [],
        "rival": None,
    }
    result = module.ensure({**plain, **changes}, check_mode=False)
    del result["changed"]
    return result


def refuse(connection):
    """A broker that lets nobody in."""
    if connection.recv(4096):
        connection.sendall(bytes.fromhex("2003008700"))
        read_until_closed(connection)


def read_until_closed(connection):
    """Wait as long as the client is there."""
    while connection.recv(4096):
        pass


def test_the_answers_are_those_of_the_modules_that_ask_one_by_one(serve_tls, entry, identity, authority, free_port):
    asked = entry(
        serve_tls(client_required=True, after=refuse),
        edge=True,
        refused=[{"what": "A lost device", "identity": identity}],
    )
    files = {"certificate": f"{identity}/fullchain.pem", "private_key": f"{identity}/privkey.pem"}
    (answers,) = ask(asked)
    assert answers == {
        "name": asked["name"],
        "problem": None,
        "endpoint": single(tls_endpoint_info, asked, ca=authority.ca, **files),
        "device": single(mqtt_probe, asked, roundtrips=questions.roundtrips(asked), **files),
        "anonymous": single(mqtt_probe, asked),
        "refused": [{"what": "A lost device", **single(mqtt_probe, asked, **files)}],
        "forged": single(mqtt_probe, asked, forged_name="not-meter", **files),
        "plaintext": [{"port": free_port, "state": "closed"}],
        "dashboard": None,
    }
    assert answers["endpoint"]["verified"]
    assert answers["endpoint"]["foreign_client"]
    assert answers["device"]["connack"] == {"code": 0x87, "reason": "not authorized"}
    assert answers["anonymous"]["tls_error"] == "tlsv13 alert certificate required"


def test_what_is_tried_on_topics_depends_on_whether_there_is_somebody_to_overhear(entry):
    alone, two = entry(1), entry(1, other={"name": "thermostat", "identity": "/thermostat"})
    own, foreign = questions.roundtrips(alone)
    assert (own["publish_topic"], own["subscribe_topic"]) == ("devices/meter/verify",) * 2
    assert (foreign["publish_topic"], foreign["expect_nothing"]) == ("devices/not-meter/verify", True)
    assert questions.rival(alone) is None
    assert questions.roundtrips(two)[2]["subscribe_topic"] == "#"
    assert questions.rival(two) == {
        "certificate": "/thermostat/fullchain.pem",
        "private_key": "/thermostat/privkey.pem",
        "username": None,
        "password": None,
        "publish_topic": "devices/thermostat/verify",
        "payload": "for nobody else",
    }


def test_a_name_is_forged_at_an_edge_only(serve_tls, entry):
    received = []

    def record(connection):
        received.append(connection.recv(4096))
        connection.sendall(bytes.fromhex("2003008700"))

    (without,) = ask(entry(serve_tls(after=record)))
    assert without["forged"] is None
    header = proxy_v2.header(common_name="not-meter")
    assert not [data for data in received if data.startswith(header)]
    ask(entry(serve_tls(after=record), edge=True))
    assert len([data for data in received if data.startswith(header)]) == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"ca": "/missing/ca.pem"}, "/missing/ca.pem: cannot be used as CA file: No such file or directory"),
        (
            {"client": {"name": "meter", "identity": "/missing"}},
            (
                "/missing/fullchain.pem and /missing/privkey.pem: cannot be used as client certificate and key:"
                " No such file or directory"
            ),
        ),
        (
            {"refused": [{"what": "A lost device", "identity": "/lost"}]},
            (
                "/lost/fullchain.pem and /lost/privkey.pem: cannot be used as client certificate and key:"
                " No such file or directory"
            ),
        ),
    ],
)
def test_an_endpoint_that_cannot_be_asked_says_so_and_the_others_are_asked(serve_tls, entry, changes, problem):
    port = serve_tls(client_required=True, after=refuse)
    broken, sound = ask(entry(port, **changes), entry(port))
    assert broken == {"name": f"port {port}", "problem": problem, **dict.fromkeys(questions.ANSWERS)}
    assert sound["problem"] is None
    assert sound["endpoint"]["verified"]


class Dashboard(http.server.BaseHTTPRequestHandler):
    """One that knows its user by another password."""

    def do_POST(self) -> None:
        """Refuse what everybody knows."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = (self.path, asked) == ("/api/v5/login", {"username": "admin", "password": "public"})
        self.send_error(401 if known else 400)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("with_tls", [False, True])
def test_the_dashboard_is_asked_with_and_without_tls(entry, authority, free_port, with_tls):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dashboard) as server:
        port = server.server_address[1]
        if with_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.certificate("server"), authority.key("server"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (answers,) = ask(entry(free_port, dashboard_port=port))
        server.shutdown()
    assert answers["dashboard"] == {"port": port, "state": "open", "status": 401}


def test_what_is_no_dashboard_has_no_status(serve_tls, entry, free_port):
    closed, other = ask(entry(1, dashboard_port=free_port), entry(1, dashboard_port=serve_tls(after=refuse)))
    assert closed["dashboard"] == {"port": free_port, "state": "closed", "status": None}
    assert (other["dashboard"]["state"], other["dashboard"]["status"]) == ("open", None)


def test_endpoints_that_lead_to_one_broker_are_asked_one_after_the_other(entry):
    entries = [entry(1), entry(2, broker="cluster"), entry(3), entry(4, broker="cluster")]
    assert questions.lanes(entries) == [(0,), (1, 3), (2,)]


def test_twenty_endpoints_take_no_longer_to_wait_for_than_one(entry, monkeypatch):
    met = threading.Barrier(20)

    def wait_for_the_others(params):
        met.wait(timeout=10)
        return {"state": "closed"}

    monkeypatch.setattr(client, "probe_as", wait_for_the_others)
    ask(*(entry(1, name=str(number), plaintext_ports=[]) for number in range(20)))
    assert not met.broken
