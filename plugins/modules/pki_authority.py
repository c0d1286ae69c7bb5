#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_authority
short_description: Create a private CA, check it, and replace it step by step
description:
  - Creates a root and an issuing CA in one directory, with keys that are encrypted under a passphrase and a ledger of
    every certificate that is signed.
  - An existing CA is never changed. Where it differs from what is asked for, the module warns. A new one can take its
    place in four steps, see O(rollover); meanwhile peers trust both.
  - A creation that was interrupted is completed by the next run. A CA, a key or a ledger that was lost is an error.
version_added: 1.0.0
author:
  - Bulwark contributors (@bulwark-mqtt)
extends_documentation_fragment:
  - bulwark.mqtt.attributes
  - bulwark.mqtt.passphrase
  - bulwark.mqtt.root_passphrase
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
      - Directory of the CA, on a local file system. Created with mode V(0700) when it is missing.
      - The module fails when others than its owner can use it, its keys or its ledger.
    type: path
    required: true
  organization:
    description:
      - Organization in the names of both CAs, none when it is empty.
    type: str
    default: ""
  root_common_name:
    description:
      - Name of the root CA.
    type: str
    default: Bulwark Root CA
  issuing_common_name:
    description:
      - Name of the issuing CA.
    type: str
    default: Bulwark Issuing CA
  root_key_type:
    description:
      - Type of the root CA's key.
    type: str
    choices: [ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  issuing_key_type:
    description:
      - Type of the issuing CA's key.
    type: str
    choices: [ec-p256, ec-p384, rsa-3072, rsa-4096, ed25519]
    default: ec-p256
  root_lifetime:
    description:
      - How long the root CA is valid, such as V(7300d).
    type: str
    default: 7300d
  issuing_lifetime:
    description:
      - How long the issuing CA is valid, such as V(1825d), and never longer than the root CA.
    type: str
    default: 1825d
  permitted_dns:
    description:
      - Domains in which the issuing CA may certify names, as critical name constraints. A domain permits itself and all
        that is below it. Empty for any name.
      - Clients whose common name has no dot are not restricted; their name is in the certificate as a URN.
    type: list
    elements: str
    default: []
  permitted_addresses:
    description:
      - Networks, such as V(192.0.2.0/24), in which the issuing CA may certify addresses. None when it is empty and
        O(permitted_dns) is not.
    type: list
    elements: str
    default: []
  publish_url:
    description:
      - Where the files of M(bulwark.mqtt.pki_publish) are served. A new issuing CA names its root's certificate and
        revocation list there.
    type: str
    default: ""
  root_signer:
    description:
      - The key of a new root CA when it is in a PKCS#11 token, or wherever else a program can sign with it.
      - The file C(signer.json) in the folder of the CA keeps the command. Change it there when the program changes.
    type: dict
    suboptions: &signer
      command:
        description:
          - Program with its arguments, run without a shell. It reads from its standard input a digest (ECDSA) or a
            digest in a DigestInfo (RSA, PKCS#1 v1.5), and writes the signature to its standard output, for ECDSA in DER
            or as r and s side by side. O(passphrase) is in its environment as E(BULWARK_PASSPHRASE).
          - Every signature is verified before it is used.
        type: list
        elements: str
        required: true
      public_key:
        description:
          - Public key in PEM form, of the type that the key of the CA should have. Ed25519 is refused.
        type: str
        required: true
  issuing_signer:
    description:
      - The key of a new issuing CA, with the same keys as O(root_signer).
    type: dict
    suboptions: *signer
  rollover:
    description:
      - The phase that the replacement of a CA should be in. Nothing is replaced without it.
      - A phase that is reached is left as it is; one that would skip another, or go back, is refused.
    type: dict
    suboptions:
      of:
        description:
          - What is replaced. With V(root) a new root and a new issuing CA below it take over.
        type: str
        choices: [issuing, root]
        default: issuing
      phase:
        description:
          - V(introduce) makes the new CA. Peers trust it from then on, RV(ca) has it, the old one signs. It takes the
            key of the root.
          - V(reissue) makes the new CA sign. Every certificate of the old one is due, see
            M(bulwark.mqtt.pki_issue).
          - V(cut_over) is refused while certificates of the old CA are in use that the new one did not replace.
          - V(retire) takes the old CA out of RV(ca). An issuing CA whose root stays is revoked, since its root is still
            trusted, and with it everything below.
          - V(cancel) ends a replacement before V(cut_over), whatever O(rollover.of) is. A CA that was only introduced
            leaves RV(ca) for good. After V(reissue) the CA before signs again, every certificate of the new one is due,
            and V(cut_over) and V(retire) then take the new one out.
        type: str
        choices: [introduce, reissue, cut_over, retire, cancel]
        required: true
      leave_behind:
        description:
          - Go on although certificates were not replaced. They are revoked, for the reason V(superseded).
        type: bool
        default: false
      cross_certificate:
        description:
          - Have the old root certify the new one. Peers that know only the old root then accept what the new CA issues.
            It takes the key of the old root.
        type: bool
        default: true
seealso:
  - module: bulwark.mqtt.pki_request
  - module: bulwark.mqtt.pki_issue
"""

EXAMPLES = r"""
- name: Create the CA
  bulwark.mqtt.pki_authority:
    directory: /srv/pki
    passphrase: "{{ vault_pki_passphrase }}"
    organization: Example Energy
  delegate_to: localhost
  run_once: true

- name: Begin to replace the issuing CA
  bulwark.mqtt.pki_authority:
    directory: /srv/pki
    passphrase: "{{ vault_pki_passphrase }}"
    rollover:
      phase: introduce
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
reasons:
  description: What was created or moved to its next phase, or would be; empty when all was so already.
  returned: success
  type: list
  elements: str
  sample: ["/srv/pki has no root CA", "/srv/pki has no issuing CA"]
root:
  description: The root above RV(issuing). Its values are empty in check mode when it would be created.
  returned: success
  type: dict
  contains: &ca
    certificate:
      description: The certificate in PEM form.
      type: str
    common_name:
      description: Common name of the subject.
      type: str
    serial:
      description: Serial number in hexadecimal.
      type: str
    not_after:
      description: End of the validity in UTC.
      type: str
      sample: "2046-11-18T12:00:00Z"
issuing:
  description: The issuing CA that signs, with the same keys as RV(root).
  returned: success
  type: dict
  contains: *ca
chain:
  description: What a server sends after its own certificate, in PEM form.
  returned: success
  type: str
ca:
  description: What peers trust, in PEM form, the roots first.
  returned: success
  type: str
rollover:
  description: Where the last replacement of a CA is; empty before the first.
  returned: success
  type: dict
  contains:
    of:
      description: What is replaced, V(issuing) or V(root).
      type: str
    phase:
      description: The phase that is reached.
      type: str
    next_phase:
      description: The phase that follows, empty after the last.
      type: str
    old:
      description: Names of the CAs that are replaced.
      type: list
      elements: str
    new:
      description: Names of the CAs that take their place.
      type: list
      elements: str
    left:
      description: How many certificates of the old CA are in use that the new one did not replace.
      type: int
    cancelled:
      description: Whether it was cancelled after V(reissue), so that the CA that goes is the newer one.
      type: bool
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import (
    authority,
    build,
    certificates,
    external,
    keys,
    lifetimes,
    names,
    passphrase,
    profiles,
    publish,
    rollover,
)


def wanted(params: Mapping[str, Any]) -> authority.Wanted:
    """The authority that the parameters describe."""
    return authority.Wanted(
        root=_spec(params, "root"),
        issuing=_spec(params, "issuing")._replace(
            constraints=names.parse_constraints(params["permitted_dns"], params["permitted_addresses"]),
        ),
        root_passphrase=passphrase.root(params),
        issuing_passphrase=passphrase.required(params),
        publish_url=publish.check_url(params["publish_url"], what="publish_url"),
        root_signer=_signer(params, "root_signer"),
        issuing_signer=_signer(params, "issuing_signer"),
    )


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Create what is missing of the authority or bring a rollover to its phase, check the rest."""
    directory = Path(params["directory"])
    goal = wanted(params)
    now = dt.datetime.now(dt.timezone.utc)
    if params["rollover"]:
        found, reasons = _roll(directory, rollover.Goal(**params["rollover"]), goal, check_mode=check_mode, now=now)
    else:
        reasons = authority.missing(directory)
        if reasons and check_mode:
            return _result(None, reasons, now=now)
        found = authority.create(directory, goal, now=now) if reasons else authority.load(directory)
    # Finds a wrong passphrase and a damaged file now, not on the day on which something has to be signed.
    external.prove(found.issuing.unlock(goal.issuing_passphrase).key)
    with found.open_ledger() as ledger:
        ledger.check()
    return {
        **_result(found, reasons, now=now),
        "warnings": [
            f"{difference}; an existing CA is not changed, a new one can take its place (playbook rollover_ca)"
            for difference in authority.differences(found, goal, now=now)
        ],
    }


def _signer(params: Mapping[str, Any], option: str) -> external.Signer | None:
    given = params[option]
    if not given:
        return None
    what = f"{option} (role variable pki_{option})"
    return external.Signer(command=tuple(given["command"]), public_key=given["public_key"], what=what)


def _roll(
    directory: Path, goal: rollover.Goal, specs: authority.Wanted, *, check_mode: bool, now: dt.datetime
) -> tuple[authority.Authority, list[str]]:
    found = authority.load(directory)
    if check_mode:
        return found, rollover.plan(found, goal, now=now)
    return rollover.advance(found, goal, specs, now=now)


def _result(found: authority.Authority | None, reasons: list[str], *, now: dt.datetime) -> dict[str, Any]:
    return {
        "changed": bool(reasons),
        "reasons": reasons,
        "diff": {"prepared": "".join(f"{reason}\n" for reason in reasons)},
        "root": _facts(found.root if found else None),
        "issuing": _facts(found.issuing if found else None),
        "chain": found.chain if found else "",
        "ca": found.bundle if found else "",
        "rollover": rollover.facts(found, now=now) if found else {},
    }


def _spec(params: Mapping[str, Any], profile: str) -> build.Spec:
    return build.Spec(
        profile=profiles.get(profile),
        common_name=names.check_title(params[f"{profile}_common_name"], what=f"{profile}_common_name"),
        organization=params["organization"] and names.check_title(params["organization"], what="organization"),
        key_type=params[f"{profile}_key_type"],
        lifetime=lifetimes.parse(params[f"{profile}_lifetime"], what=f"{profile}_lifetime"),
    )


def _facts(ca: authority.Ca | None) -> dict[str, str]:
    if ca is None:
        return {"certificate": "", "common_name": "", "serial": "", "not_after": ""}
    return {
        "certificate": certificates.to_pem(ca.certificate),
        "common_name": certificates.common_name(ca.certificate),
        "serial": certificates.serial_hex(ca.certificate.serial_number),
        "not_after": lifetimes.show(certificates.not_after(ca.certificate)),
    }


def main() -> None:
    """Run the module."""
    key_type = {"type": "str", "choices": list(keys.KEY_TYPES), "default": "ec-p256"}
    signer = {
        "type": "dict",
        "options": {
            "command": {"type": "list", "elements": "str", "required": True},
            "public_key": {"type": "str", "required": True, "no_log": False},
        },
    }
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            **passphrase.arguments(),
            **passphrase.arguments("root_passphrase"),
            "organization": {"type": "str", "default": ""},
            "root_common_name": {"type": "str", "default": "Bulwark Root CA"},
            "issuing_common_name": {"type": "str", "default": "Bulwark Issuing CA"},
            "root_key_type": key_type,
            "issuing_key_type": key_type,
            "root_lifetime": {"type": "str", "default": "7300d"},
            "issuing_lifetime": {"type": "str", "default": "1825d"},
            "permitted_dns": {"type": "list", "elements": "str", "default": []},
            "permitted_addresses": {"type": "list", "elements": "str", "default": []},
            "publish_url": {"type": "str", "default": ""},
            "root_signer": signer,
            "issuing_signer": signer,
            "rollover": {
                "type": "dict",
                "options": {
                    "of": {"type": "str", "choices": ["issuing", "root"], "default": "issuing"},
                    "phase": {"type": "str", "choices": [*rollover.PHASES, rollover.CANCEL], "required": True},
                    "leave_behind": {"type": "bool", "default": False},
                    "cross_certificate": {"type": "bool", "default": True},
                },
            },
        },
        mutually_exclusive=[passphrase.kinds(), passphrase.kinds("root_passphrase")],
        required_one_of=[passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
