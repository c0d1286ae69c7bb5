#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_install
short_description: Make a certificate the current version of a lineage, safely
version_added: 1.0.0
description:
  - Puts certificate, chain, CA, revocation list and stapled response of a lineage in place together with the key on the
    host, in one rename, and makes every running service that uses the lineage serve them.
  - The material is checked first (key, chain, names, dates, usage, revocation list, stapled response), then each
    service checks a candidate of itself in private namespaces. After the activation the served certificate is probed.
    Whatever fails, the version before it comes back and the module fails with the reason.
  - Lineages are declared by the role P(bulwark.mqtt.tls_store#role).
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  store:
    description:
      - Directory of the lineages.
      - In any other than the default one, no service is looked for, and O(purpose) has to be given.
    type: path
    default: /etc/bulwark/tls
  lineage:
    description: Name of the lineage; needed unless O(lineages) is given.
    type: str
  lineages:
    description:
      - Several lineages, in the order given, by one start of the module, which takes most of the time where nothing is
        to be done.
      - What an entry does not have is taken from the option of the same name beside it. Where one is refused, those
        before it are installed and those after it are not.
    type: list
    elements: dict
    suboptions:
      lineage:
        description: Name of the lineage.
        type: str
        required: true
      certificate:
        description: As O(certificate).
        type: str
      chain:
        description: As O(chain).
        type: str
      ca:
        description: As O(ca).
        type: str
      roots:
        description: As O(roots).
        type: str
      crl:
        description: As O(crl).
        type: str
      ocsp:
        description: As O(ocsp).
        type: str
      key:
        description: As O(key).
        type: path
      purpose:
        description: As O(purpose).
        type: str
        choices:
          - server
          - client
      names:
        description: As O(names).
        type: list
        elements: str
      group:
        description: As O(group).
        type: str
  certificate:
    description:
      - The certificate as PEM; when it is not given, that of the current version stays.
      - An empty string is accepted in check mode only and stands for a certificate that is still to be issued.
    type: str
  chain:
    description:
      - The intermediate certificates as PEM, in any order; roots in it are left out.
      - When it is not given, those of the current version stay.
    type: str
  ca:
    description:
      - The CA certificates that peers of this host verify to, as PEM.
      - When it is not given, those of the current version stay.
    type: str
  roots:
    description:
      - The CA certificates that the certificate itself verifies to, as PEM, where that is not O(ca).
      - It can be all that a system trusts; those of this chain are kept.
      - When it is not given, those of the current version stay, unless O(certificate) and O(ca) are given, which then
        belong together.
    type: str
  crl:
    description:
      - Revocation lists as PEM, one for each issuing CA.
      - An empty string removes them, unless the lineage declares that the host refreshes them by itself; when it is not
        given, those of the current version stay.
    type: str
  ocsp:
    description:
      - OCSP response to staple, DER in Base64.
      - An empty string removes it, unless the lineage declares that the host refreshes it by itself.
      - When it is not given, that of the current version stays with its certificate as long as it is good. Where
        there is none, a lineage that refreshes it asks for one.
    type: str
  key:
    description:
      - Path of the private key on the host.
      - When it is not given, the pending or else the current key of the lineage, whichever belongs to the certificate.
    type: path
  purpose:
    description: What the certificate is for; as declared for the lineage when it is not given.
    type: str
    choices:
      - server
      - client
  names:
    description: DNS names and addresses that the certificate must cover; those of the declaration when it is not given.
    type: list
    elements: str
  group:
    description: Group that may read the files; as declared for the lineage when it is not given.
    type: str
seealso:
  - module: bulwark.mqtt.service_config
notes:
  - Needs the program C(openssl) on the host.
  - Needs C(unshare), C(mount) and C(setpriv) of util-linux and C(ip) of iproute2 when a service uses the lineage.
"""

EXAMPLES = r"""
- name: Install the certificate that was issued for the broker
  bulwark.mqtt.tls_install:
    lineage: mqtt
    certificate: "{{ issued.certificate }}"
    chain: "{{ issued.chain }}"
    ca: "{{ issued.ca }}"

- name: Install a bought certificate with the key that came with it
  bulwark.mqtt.tls_install:
    lineage: mqtt
    certificate: "{{ lookup('ansible.builtin.file', 'broker.crt') }}"
    chain: "{{ lookup('ansible.builtin.file', 'intermediates.crt') }}"
    ca: "{{ lookup('ansible.builtin.file', 'roots.crt') }}"
    key: /root/broker.key

- name: Install two certificates
  bulwark.mqtt.tls_install:
    ca: "{{ issued.ca }}"
    lineages:
      - lineage: mqtt
        certificate: "{{ issued.certificate }}"
        chain: "{{ issued.chain }}"
      - lineage: probe
        certificate: "{{ issued_to_probe.certificate }}"
        chain: "{{ issued_to_probe.chain }}"

- name: Replace the stapled response alone
  bulwark.mqtt.tls_install:
    lineage: mqtt
    ocsp: "{{ published.ocsp[issued.serial] }}"
"""

RETURN = r"""
version:
  description: Id of the version that is current now; empty in check mode for a certificate that is still to be issued.
  type: str
  returned: when O(lineage) is given
  sample: 3f0c6a5d1be92a77
path:
  description: Directory of the current version, the same for every version.
  type: str
  returned: when O(lineage) is given
  sample: /etc/bulwark/tls/mqtt/current
changed_lineages:
  description: Names of the lineages that have a new version, or would have in check mode.
  type: list
  elements: str
  returned: always
  sample: [mqtt]
activated:
  description: The services that were made to use the new version, or would be in check mode, and how.
  type: list
  elements: str
  returned: always
  sample: ["mosquitto.service: reload"]
recovered:
  description: Interrupted transactions of earlier runs that were undone first.
  type: list
  elements: str
  returned: always
  sample: []
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import lineage, operations
from ..module_utils._host.errors import StoreError
from ..module_utils._module import facts_diff, run

# What there is to say of a lineage.
_OF_A_LINEAGE: dict[str, Any] = {
    "certificate": {"type": "str"},
    "chain": {"type": "str"},
    "ca": {"type": "str"},
    "roots": {"type": "str"},
    "crl": {"type": "str"},
    "ocsp": {"type": "str"},
    # The path of a key, not a key.
    "key": {"type": "path", "no_log": False},
    "purpose": {"type": "str", "choices": ["server", "client"]},
    "names": {"type": "list", "elements": "str"},
    "group": {"type": "str"},
}
# The action of this name reads them, too.
ARGUMENT_SPEC = {
    "store": {"type": "path", "default": lineage.STORE},
    "lineage": {"type": "str"},
    "lineages": {
        "type": "list",
        "elements": "dict",
        "options": {"lineage": {"type": "str", "required": True}, **_OF_A_LINEAGE},
    },
    **_OF_A_LINEAGE,
}


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Make the given material current; HostError when it cannot be."""
    if params["lineages"] is None:
        return _installed(params, check_mode=check_mode)
    results = [_installed(item, check_mode=check_mode) for item in each(params)]
    listed = ("changed_lineages", "activated", "recovered", "warnings")
    return {
        "changed": any(result["changed"] for result in results),
        **{name: [item for result in results for item in result[name]] for name in listed},
        "diff": [result["diff"] for result in results],
    }


def each(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters of each of several lineages: what an entry does not have is taken from beside it."""
    return [
        {**params, **{name: value for name, value in item.items() if value is not None}} for item in params["lineages"]
    ]


def _installed(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """One lineage."""
    target = lineage.Lineage(params["store"], params["lineage"])
    if params["certificate"] is not None and not params["certificate"].strip():
        return _to_be_issued(target, check_mode=check_mode)
    declaration = target.declaration(purpose=params["purpose"], names=params["names"], group=params["group"])
    crl, ocsp = params["crl"], params["ocsp"]
    material = operations.Material(
        certificate=_encoded(params["certificate"]),
        chain=_encoded(params["chain"]),
        ca=_encoded(params["ca"]),
        roots=_encoded(params["roots"]),
        # What the host fetches by itself is not the source's to remove.
        crl=None if crl == "" and declaration.refresh.crl else _encoded(crl),
        ocsp=None if ocsp is None or (ocsp == "" and declaration.refresh.ocsp) else _decoded(ocsp),
        key=params["key"],
    )
    result = operations.install(target, material, declaration=declaration, check_mode=check_mode)
    return {
        "changed": result.changed,
        "changed_lineages": [target.name] if result.changed else [],
        "version": result.version,
        "path": target.current,
        "activated": result.activated,
        "recovered": result.recovered,
        "warnings": result.notes,
        "diff": facts_diff(target.current, result.before, result.after),
    }


def _to_be_issued(target: lineage.Lineage, *, check_mode: bool) -> dict[str, Any]:
    if not check_mode:
        raise StoreError(
            f"certificate: is empty for lineage {target.name}; only check mode takes one that is to be issued"
        )
    current = lineage.facts(target.read(target.current_version()), source=target.name)
    after = {"certificate": "to be issued"}
    return {
        "changed": True,
        "changed_lineages": [target.name],
        "version": "",
        "path": target.current,
        "activated": [],
        "recovered": [],
        "warnings": [],
        "diff": facts_diff(target.current, current, after),
    }


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as failure:
        raise StoreError(f"ocsp: is not Base64 ({failure}); give the DER response in Base64") from None


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[["lineage", "lineages"]],
        required_one_of=[["lineage", "lineages"]],
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
