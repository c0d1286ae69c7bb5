#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_endpoint_info
version_added: 1.0.0
short_description: What a TLS endpoint serves and refuses
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Looks at a TLS endpoint from outside and tells the protocol, suite and group it agrees on, the certificate it
    serves, whether that verifies, whether it turns away clients without a certificate and those of a foreign
    authority, its answer to each version of TLS, and every suite of TLS 1.2 that it takes.
  - A refusal is a result, as is a closed port. The module fails only on arguments that it cannot use.
  - Sends no application data.
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
requirements:
  - cryptography >= 38.0
options:
  address:
    description:
      - Name or IP address of the endpoint.
    type: str
    required: true
  port:
    description:
      - Its port.
    type: int
    default: 8883
  server_name:
    description:
      - Name that the certificate must have, also sent as SNI. The O(address) when it is not given.
    type: str
  ca:
    description:
      - File with the certificates of the authorities that may have signed the server's certificate.
      - Without it nothing is verified.
    type: path
  certificate:
    description:
      - File with a client certificate and its chain. A server that speaks TLS 1.2 at most and requires one tells its
        group only to a client that has one.
    type: path
  private_key:
    description:
      - File with the key of the O(certificate).
    type: path
  timeout:
    description:
      - Seconds to wait for each answer.
    type: float
    default: 5
notes:
  - The endpoint chooses from what the host where this runs offers, and that is what its OpenSSL knows.
seealso:
  - module: bulwark.mqtt.mqtt_probe
"""

EXAMPLES = r"""
- name: Look at the broker
  bulwark.mqtt.tls_endpoint_info:
    address: broker.example.com
    ca: /etc/ssl/mqtt/ca.pem
  register: endpoint

- name: Expect mutual TLS of today
  ansible.builtin.assert:
    that:
      - endpoint.verified
      - endpoint.client_certificate_required
      - endpoint.versions["TLSv1.1"] in ["refused", "untestable"]
"""

RETURN = r"""
state:
  description:
    - V(open) when the port takes connections, V(closed) when the host refuses them, V(filtered) when nothing comes back
      or something on the way says no.
    - Without V(open) all other values are V(null), and RV(suites), RV(versions) and RV(version_alerts) are empty.
  returned: success
  type: str
  sample: open
error:
  description: Why the port does not serve a certificate; V(null) when it does.
  returned: success
  type: str
  sample: wrong version number
protocol:
  description: The version that both sides prefer.
  returned: success
  type: str
  sample: TLSv1.3
cipher:
  description: The cipher suite, by OpenSSL's name.
  returned: success
  type: str
  sample: TLS_AES_256_GCM_SHA384
group:
  description: The key exchange group, V(null) without the C(openssl) program or when the server turned it away before.
  returned: success
  type: str
  sample: X25519MLKEM768
refused:
  description:
    - The alert with which the server turned this client away after it showed its certificate; V(null) when it did not.
    - TLS 1.3 says so after the handshake, see RV(client_certificate_required).
  returned: success
  type: str
  sample: handshake_failure
certificate:
  description: The certificate that the server serves.
  returned: success
  type: dict
  contains:
    subject:
      description: The subject as RFC 4514 writes it.
      type: str
    issuer:
      description: The issuer as RFC 4514 writes it.
      type: str
    names:
      description: The DNS names and IP addresses of the subject alternative name, sorted.
      type: list
      elements: str
    serial:
      description: The serial number, 40 hexadecimal digits.
      type: str
    not_before:
      description: Start of the validity in UTC.
      type: str
    not_after:
      description: End of the validity in UTC.
      type: str
    key_type:
      description: Type of the key, such as V(ec-p256) or V(rsa-3072).
      type: str
    sha256:
      description: The SHA-256 fingerprint, hexadecimal.
      type: str
  sample:
    subject: CN=broker.example.com
    issuer: CN=Issuing CA
    names:
      - broker.example.com
    serial: 00000000000000000000000000000000000000A1
    not_before: "2026-01-01T00:00:00Z"
    not_after: "2026-04-01T00:00:00Z"
    key_type: ec-p256
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
stapled:
  description:
    - The OCSP response that the server staples in a handshake of its own; V(null) without one, without the C(openssl)
      program, or when the server turned this client away before.
    - Its signature is not verified.
  returned: success
  type: dict
  contains:
    serial:
      description: The serial number of the certificate that it is about, 40 hexadecimal digits.
      type: str
    status:
      description: V(good), V(revoked) or V(unknown).
      type: str
    this_update:
      description: Since when it is known to be so, in UTC.
      type: str
    next_update:
      description: Until when it holds, in UTC; V(null) when the response does not say.
      type: str
    fresh:
      description: Whether it holds now, by the clock of the host where this runs.
      type: bool
  sample:
    serial: 00000000000000000000000000000000000000A1
    status: good
    this_update: "2026-01-01T00:00:00Z"
    next_update: "2026-01-08T00:00:00Z"
    fresh: true
verified:
  description: Whether the chain leads to O(ca) and the certificate has the name; V(null) without O(ca).
  returned: success
  type: bool
  sample: true
verification_error:
  description: Why it does not verify; V(null) when it does, or without O(ca).
  returned: success
  type: str
  sample: certificate has expired
client_certificate_required:
  description:
    - Whether a client without a certificate is turned away. V(null) when the server ends the connection without saying
      why.
  returned: success
  type: bool
  sample: true
versions:
  description:
    - The answer to V(TLSv1), V(TLSv1.1), V(TLSv1.2) and V(TLSv1.3), each offered alone.
    - V(accepted) when the server chose it, V(refused) when it answered with an alert, V(unanswered) when the connection
      ended, or nothing came, without one, V(untestable) when the OpenSSL of the host where this runs cannot offer it.
  returned: success
  type: dict
  sample:
    TLSv1: refused
    TLSv1.1: refused
    TLSv1.2: accepted
    TLSv1.3: accepted
foreign_client:
  description:
    - How a client with a certificate of an authority that was made up for this question is turned away; V(null) when it
      is let in, which is right where clients identify themselves by password.
  returned: success
  type: str
  sample: tlsv1 alert unknown ca
suites:
  description:
    - The suites of TLS 1.2 that the server takes, the one it takes first in front.
    - A suite that the OpenSSL of the host where this runs was built without is not asked about.
  returned: success
  type: list
  elements: str
  sample:
    - ECDHE-ECDSA-AES128-GCM-SHA256
version_alerts:
  description: The alerts behind each V(refused) of RV(versions).
  returned: success
  type: dict
  sample:
    TLSv1: protocol_version
    TLSv1.1: protocol_version
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._probes import endpoint


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """What the endpoint serves and refuses. Raises ProbeError for arguments that cannot be used."""
    with endpoint.foreign_identity() as foreign:
        return {"changed": False, **endpoint.examine(params, foreign=foreign)}


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 8883},
            "server_name": {"type": "str"},
            "ca": {"type": "path"},
            "certificate": {"type": "path"},
            "private_key": {"type": "path", "no_log": False},
            "timeout": {"type": "float", "default": 5},
        },
        required_together=[("certificate", "private_key")],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
