# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each type of key in each place where it may be chosen, judged by a handshake under the collection's TLS policy."""

from __future__ import annotations

import ssl

import pki_samples as samples
import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _tls_policy
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki import build, certificates, keys, profiles
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.drift import drift

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module", name="pair", params=keys.KEY_TYPES)
def fixture_pair(request):
    """Two keys of one type: of the CAs, and of the leaves."""
    return request.param, keys.generate(request.param), keys.generate(request.param)


def chain_of(pair, profile, now):
    """A root, an issuing CA and a leaf, all with keys of one type."""
    key_type, ca_key, leaf_key = pair
    root = build.root(spec("root", key_type, "Root"), ca_key, now=now)
    signer = build.Signer(certificate=root, key=ca_key)
    issuing = build.certificate(spec("issuing", key_type, "Issuing"), ca_key.public_key(), signer, now=now)
    signer = build.Signer(certificate=issuing, key=ca_key)
    leaf = build.leaf_spec(
        profile=profile, common_name="a.example.com", alternative_names=["a.example.com"], key_type=key_type
    )
    return root, issuing, build.certificate(leaf, leaf_key.public_key(), signer, now=now), leaf


def spec(profile, key_type, name):
    return build.Spec(profile=profiles.get(profile), common_name=name, key_type=key_type)


def context(side, folder, pair, profile, version):
    root, issuing, leaf, _spec = chain_of(pair, profile, samples.dt.datetime.now(samples.dt.UTC))
    policy = _tls_policy.policy(profile="intermediate", software="mosquitto", openssl=None)
    identity = folder / f"{profile}.pem"
    identity.write_bytes(keys.to_pem(pair[2]) + "".join(map(certificates.to_pem, (leaf, issuing))).encode())
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
    found.minimum_version = found.maximum_version = VERSIONS[version]
    found.set_ciphers(policy["ciphers"])
    found.verify_mode = ssl.CERT_REQUIRED
    found.load_cert_chain(identity)
    found.load_verify_locations(cadata=certificates.to_pem(root))
    return found


def handshake(server, client):
    """Both ends in this process, until both are done."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="a.example.com"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    for _round in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
    assert waiting == []
    return ends[0].version(), {dict(name[0] for name in end.getpeercert()["subject"])["commonName"] for end in ends}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("profiles_of", [("server", "client"), ("cluster_node", "cluster_node")])
def test_a_mutual_handshake_succeeds_with_every_type_of_key(pair, profiles_of, version, tmp_path):
    ends = [
        context(side, tmp_path, pair, profile, version)
        for side, profile in zip(("server", "client"), profiles_of, strict=True)
    ]
    assert handshake(*ends) == (version, {"a.example.com"})


@pytest.mark.parametrize("profile", profiles.REQUESTABLE)
def test_a_certificate_is_kept_with_every_type_of_key(pair, profile):
    _root, _issuing, leaf, wanted = chain_of(pair, profile, samples.NOW)
    assert drift(leaf, wanted, now=samples.NOW) == []
    assert keys.fingerprint(leaf.public_key()) == keys.fingerprint(pair[2].public_key())
