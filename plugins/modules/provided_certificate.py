#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: provided_certificate
short_description: Install a certificate that somebody bought into its lineage
version_added: 1.0.0
description:
  - Takes PEM in any order, or PKCS#12, as content or from files on the host, finds the certificate of the key, puts the
    intermediates in order and installs all with the checks of M(bulwark.mqtt.tls_install).
  - A missing intermediate is named. So is a lifetime that no public CA may issue any more, as a warning.
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
  lineage:
    description: Name of the lineage.
    type: str
    required: true
  certificate:
    description: The certificate as PEM, and any of its intermediates.
    type: str
  chain:
    description: More intermediates as PEM.
    type: str
    default: ""
  private_key:
    description: The key as PEM; O(passphrase) opens it when it is encrypted.
    type: str
  pkcs12:
    description: All of it as PKCS#12, in Base64.
    type: str
  certificate_path:
    description: File on the host in place of O(certificate).
    type: path
  private_key_path:
    description: File on the host in place of O(private_key).
    type: path
  pkcs12_path:
    description: File on the host in place of O(pkcs12).
    type: path
  passphrase:
    description: Opens O(private_key) or O(pkcs12).
    type: str
    default: ""
  roots:
    description: File on the host with the roots that the certificate verifies to.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
seealso:
  - module: bulwark.mqtt.tls_install
"""

EXAMPLES = r"""
- name: Install what the CA sent
  bulwark.mqtt.provided_certificate:
    lineage: mqtt
    certificate: "{{ lookup('ansible.builtin.file', 'broker.crt') }}"
    chain: "{{ lookup('ansible.builtin.file', 'intermediates.crt') }}"
    private_key: "{{ vault_broker_key }}"

- name: Install what Windows exported
  bulwark.mqtt.provided_certificate:
    lineage: mqtt
    pkcs12_path: /root/broker.pfx
    passphrase: "{{ vault_broker_passphrase }}"
"""

RETURN = r"""
version:
  description: Id of the version that is current now.
  type: str
  returned: success
  sample: 3f0c6a5d1be92a77
not_after:
  description: End of the certificate.
  type: str
  returned: success
  sample: "2027-02-21T12:00:00Z"
activated:
  description: The services that were made to use the new version, or would be in check mode, and how.
  type: list
  elements: str
  returned: success
  sample: ["mosquitto.service: reload"]
"""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import files, lineage, operations, provided
from ..module_utils._host.errors import StoreError
from ..module_utils._module import facts_diff, run


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Install what was given; HostError when it must not be served."""
    target = lineage.Lineage(lineage.STORE, params["lineage"])
    found = _found(params)
    if check_mode and not os.path.exists(target.path):
        # A virgin host, where nothing has been declared yet.
        return {"changed": True, "version": "", "not_after": found.not_after, "activated": [], "diff": {}}
    # In memory: the one place on a disk where the key belongs is the lineage.
    with operations.key_in_memory(found.key) as key:
        material = operations.Material(
            certificate=found.certificate, chain=found.chain, roots=_read(params["roots"]), key=key
        )
        result = operations.install(target, material, declaration=target.declaration(), check_mode=check_mode)
    note = provided.lifetime_note(found)
    return {
        "changed": result.changed,
        "version": result.version,
        "not_after": result.after["not_after"],
        "activated": result.activated,
        "warnings": [f"{target.name}/{lineage.CERTIFICATE}: {note}"] if note else [],
        "diff": facts_diff(target.current, result.before, result.after),
    }


def _found(params: Mapping[str, Any]) -> provided.Provided:
    """The certificate, its chain and its key; CheckError says what is missing among what was given."""
    passphrase = params["passphrase"]
    if params["pkcs12"] or params["pkcs12_path"]:
        source = params["pkcs12_path"] or "pkcs12"
        content = _read(params["pkcs12_path"]) if params["pkcs12_path"] else _decoded(params["pkcs12"])
        certificates, key = provided.from_pkcs12(content, passphrase=passphrase, source=source)
    else:
        source = params["private_key_path"] or "private_key"
        certificates = _content(params, "certificate")
        key = _content(params, "private_key")
    return provided.sort(certificates + params["chain"].encode(), key=key, passphrase=passphrase, source=source)


def _content(params: Mapping[str, Any], name: str) -> bytes:
    path = params[f"{name}_path"]
    return _read(path) if path else params[name].encode() + b"\n"


def _read(path: str) -> bytes:
    entry = files.observe(os.path.realpath(path))
    if not isinstance(entry, files.File):
        raise StoreError(f"{path}: is not a file on this host; correct its name, or give the content")
    return entry.content


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as failure:
        raise StoreError(f"pkcs12: is not Base64 ({failure}); give the file in Base64") from None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "lineage": {"type": "str", "required": True},
            "certificate": {"type": "str"},
            "chain": {"type": "str", "default": ""},
            "private_key": {"type": "str", "no_log": True},
            "pkcs12": {"type": "str", "no_log": True},
            "certificate_path": {"type": "path"},
            # The paths of secrets, not secrets.
            "private_key_path": {"type": "path", "no_log": False},
            "pkcs12_path": {"type": "path"},
            "passphrase": {"type": "str", "default": "", "no_log": True},
            "roots": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
        },
        mutually_exclusive=[
            ["certificate", "certificate_path", "pkcs12", "pkcs12_path"],
            ["private_key", "private_key_path", "pkcs12", "pkcs12_path"],
        ],
        required_one_of=[
            ["certificate", "certificate_path", "pkcs12", "pkcs12_path"],
            ["private_key", "private_key_path", "pkcs12", "pkcs12_path"],
        ],
        supports_check_mode=True,
    )
    run(module, ensure)


if __name__ == "__main__":
    main()
