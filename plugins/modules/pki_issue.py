#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_issue
short_description: Sign a batch of requests with the private CA
description:
  - Returns a certificate for each request. One that was issued before for the same key and profile is returned again;
    it is replaced when there is a reason to, such as a third or less of its lifetime being left, or other names.
  - A revoked certificate is not returned again, but replaced. Requests with a key that was revoked as compromised are
    refused.
  - Of a signing request only the public key is used, after its signature was verified. Names, profile and lifetime are
    what the task says.
  - All certificates of a batch are in the ledger before any of them is returned. The key of the CA is opened once, and
    only when something has to be signed.
version_added: 1.0.0
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
  - bulwark.mqtt.passphrase
requirements:
  - cryptography >= 38
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  directory:
    description:
      - Directory of the CA, made by M(bulwark.mqtt.pki_authority).
    type: path
    required: true
  requests:
    description:
      - The requests, as M(bulwark.mqtt.pki_request) returns them. In a play take only C(csr) from the host and the
        rest from variables, so that a host cannot choose its own names.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the request, the key of its result.
        type: str
        required: true
      profile:
        description:
          - What the certificate is for.
        type: str
        choices: [server, client, cluster_node]
        required: true
      common_name:
        description:
          - Common name, 1 to 64 of the characters C(A-Z a-z 0-9 . _ -). The default is the first of the names.
        type: str
      names:
        description:
          - DNS names and IP addresses. The default is the common name; one of the two has to be given.
        type: list
        elements: str
        default: []
      csr:
        description:
          - The signing request in PEM form. It may be empty in check mode only.
          - RSA keys below 3072 bits are refused.
        type: str
        required: true
      key_type:
        description:
          - Refuse the request when its key is of another type.
        type: str
        choices: [ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519]
      lineage:
        description:
          - Accepted because M(bulwark.mqtt.pki_request) returns it; not used.
        type: str
      reasons:
        description:
          - Accepted because M(bulwark.mqtt.pki_request) returns it; not used.
        type: list
        elements: str
  lifetimes:
    description:
      - How long certificates of each profile are valid, such as V(90d), and never longer than the issuing CA.
      - A certificate that is valid for longer than this is replaced.
    type: dict
    default: {}
    suboptions:
      server:
        description:
          - Lifetime of server certificates.
        type: str
        default: 90d
      client:
        description:
          - Lifetime of client certificates.
        type: str
        default: 365d
      cluster_node:
        description:
          - Lifetime of the certificates of cluster nodes.
        type: str
        default: 90d
  publish_url:
    description:
      - Where the files of M(bulwark.mqtt.pki_publish) are served, such as V(http://pki.example.com). The certificates
        then name the revocation list and the certificate of the issuing CA there, those of servers and cluster nodes
        the OCSP responses too. With V(""), they name none.
      - Certificates with other URLs are replaced.
    type: str
    default: ""
seealso:
  - module: bulwark.mqtt.pki_authority
  - module: bulwark.mqtt.pki_request
  - module: bulwark.mqtt.tls_install
  - module: bulwark.mqtt.pki_publish
"""

EXAMPLES = r"""
- name: Sign the request
  bulwark.mqtt.pki_issue:
    directory: /srv/pki
    passphrase: "{{ vault_pki_passphrase }}"
    requests: "{{ request.requests }}"
    lifetimes:
      server: 30d
  delegate_to: localhost
  register: issued
"""

RETURN = r"""
certificates:
  description: What each request got, by its name.
  returned: success
  type: dict
  contains:
    certificate:
      description: The certificate in PEM form, empty in check mode when it would be issued.
      type: str
    chain:
      description: What is sent after the certificate, in PEM form.
      type: str
    ca:
      description: What peers trust, in PEM form, the root first.
      type: str
    serial:
      description: Serial number in hexadecimal, empty when RV(certificates.certificate) is.
      type: str
    not_after:
      description: End of the validity in UTC, empty when RV(certificates.certificate) is.
      type: str
      sample: "2027-02-21T12:00:00Z"
    issued:
      description: Whether the certificate is new, or would be.
      type: bool
    reasons:
      description: Why it was issued; empty when it was there already.
      type: list
      elements: str
      sample: ["names differ: it has a.example.com, wanted is b.example.com"]
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import authority, certificates, issue, keys, lifetimes, passphrase, publish


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Issue what has no certificate or one that drifted, return the certificates of all requests."""
    requests = [_request(request) for request in params["requests"]]
    now = dt.datetime.now(dt.timezone.utc)
    directory = Path(params["directory"])
    # On a virgin CA host there is no authority to load in check mode yet.
    found = authority.find(directory) if check_mode else authority.load(directory)
    policy = issue.Policy(
        lifetimes={
            profile: lifetimes.parse(lifetime, what=f"lifetimes.{profile}")
            for profile, lifetime in params["lifetimes"].items()
        },
        urls=publish.urls(params["publish_url"], found),
    )
    if found is None or check_mode:
        results = issue.plan(found, requests, policy=policy, now=now)
    else:
        source = passphrase.required(params)
        results = issue.issue(found, requests, policy=policy, passphrase=source, now=now)
    trust = {"chain": found.chain, "ca": found.bundle} if found else {"chain": "", "ca": ""}
    return {
        "changed": any(result.issued for result in results),
        "certificates": {result.name: {**_facts(result), **trust} for result in results},
        "diff": {
            "prepared": "".join(f"{result.name}: issued, {reason}\n" for result in results for reason in result.reasons)
        },
    }


def _request(request: Mapping[str, Any]) -> issue.Request:
    return issue.Request(
        name=request["name"],
        profile=request["profile"],
        common_name=request["common_name"],
        names=tuple(request["names"]),
        csr=request["csr"],
        key_type=request["key_type"],
    )


def _facts(result: issue.Result) -> dict[str, Any]:
    certificate = result.certificate
    return {
        "certificate": certificates.to_pem(certificate) if certificate else "",
        "serial": certificates.serial_hex(certificate.serial_number) if certificate else "",
        "not_after": lifetimes.show(certificates.not_after(certificate)) if certificate else "",
        "issued": result.issued,
        "reasons": list(result.reasons),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            **passphrase.arguments(),
            "requests": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "required_one_of": [["common_name", "names"]],
                "options": {
                    "name": {"type": "str", "required": True},
                    "profile": {"type": "str", "choices": ["server", "client", "cluster_node"], "required": True},
                    "common_name": {"type": "str"},
                    "names": {"type": "list", "elements": "str", "default": []},
                    "csr": {"type": "str", "required": True},
                    "key_type": {"type": "str", "choices": list(keys.KEY_TYPES), "no_log": False},
                    "lineage": {"type": "str"},
                    "reasons": {"type": "list", "elements": "str"},
                },
            },
            "lifetimes": {
                "type": "dict",
                "default": {},
                "options": {
                    "server": {"type": "str", "default": "90d"},
                    "client": {"type": "str", "default": "365d"},
                    "cluster_node": {"type": "str", "default": "90d"},
                },
            },
            "publish_url": {"type": "str", "default": ""},
        },
        mutually_exclusive=[passphrase.kinds()],
        required_one_of=[passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
