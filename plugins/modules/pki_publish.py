#!/usr/bin/python
# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_publish
short_description: Publish what the private CA revoked, as static files
description:
  - Signs the revocation list of the issuing CA, and an OCSP response for every server certificate that has not expired,
    and writes them as files that any web server can serve.
  - Signed again is only what changed or what has less than two thirds of its validity left. The key of the CA is opened
    only then. Run it from a schedule, since a revocation list that has expired locks out every client.
  - Every file appears in one rename, so that nobody is served half of it. The list is in the ledger before it is in a
    file, and its number never goes back.
  - OCSP responses are signed by a delegated signer. Each run that has responses to sign makes its own, records the
    certificate in the ledger, and forgets the key when it ends. It is never on a disk.
notes:
  - The files are, for each CA, C(crl/issuing-1.crl) (DER), C(crl/issuing-1.crl.pem) and C(ca/issuing-1.crt) (DER),
    C(ca/trusted.pem) and C(crl/trusted.pem), the bundle and all its lists, which keep their names when CAs change,
    and for each server certificate C(ocsp/issuing-1/SERIAL.sha1.der) and C(ocsp/issuing-1/SERIAL.sha256.der), named
    after the hash in the CertID, and the same responses below C(ocsp/) where a client asks for them by GET
    (RFC 9919, with the slashes of the Base64 as folders). The latter is a hard link where the file system has them.
  - A web server must decode C(%2F) in a path for GET to work, and serve what is below C(ocsp/) as
    C(application/ocsp-response). It cannot answer OCSP by POST.
  - Expired responses and lists are removed. No other file is.
  - Every CA that peers trust has a list, roots and CAs that are introduced or replaced too
    (see M(bulwark.mqtt.pki_authority)). One that was retired keeps its list until its last certificate has ended.
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
      - Directory of the CA, made by M(bulwark.mqtt.pki_authority).
    type: path
    required: true
  destination:
    description:
      - Directory of the files, made with mode V(0755) when it is missing. The default is C(publish) in O(directory),
        which only the owner of the CA can enter.
    type: path
  crl_lifetime:
    description:
      - How long the revocation list is valid, such as V(7d).
    type: str
    default: 7d
  ocsp_lifetime:
    description:
      - How long the OCSP responses are valid, such as V(7d).
    type: str
    default: 7d
  serials:
    description:
      - Serials of the certificates that RV(ocsp) and RV(revoked) are wanted for, in hexadecimal. A fleet has many; ask
        for those of the hosts that are at hand. What is published does not depend on it.
      - The default is all certificates.
    type: list
    elements: str
  root_crl_lifetime:
    description:
      - How long the revocation lists of the roots are valid, such as V(360d). A root whose key is kept offline signs
        its list when the key is brought back; the module warns when less than a third is left.
    type: str
    default: 360d
  crl_url:
    description:
      - Where the folder C(crl) is served, such as V(http://pki.example.com/crl), for the extension
        IssuingDistributionPoint in the lists.
      - OpenSSL then refuses every certificate that does not name this URL itself. Leave it empty unless all of them do,
        see O(bulwark.mqtt.pki_issue#module:publish_url).
    type: str
    default: ""
seealso:
  - module: bulwark.mqtt.pki_revoke
  - module: bulwark.mqtt.pki_info
  - module: bulwark.mqtt.tls_install
"""

EXAMPLES = r"""
- name: Publish what was revoked
  bulwark.mqtt.pki_publish:
    directory: /srv/pki
    passphrase: "{{ vault_pki_passphrase }}"
    destination: /srv/www/pki
  delegate_to: localhost
  register: published
"""

RETURN = r"""
changes:
  description: What was written, or would be, with the reason.
  returned: success
  type: list
  elements: str
  sample: ["crl/issuing-1.crl: revocations that it lacks: 1"]
crl:
  description:
    - The revocation lists of all CAs that peers trust, the roots among them, in PEM form. In check mode the ones
      before, or empty. A broker refuses every client of a CA whose list it has not.
  returned: success
  type: str
crls:
  description: C(number) and C(next_update), the end of the validity in UTC, of each list, by the name of the CA.
  returned: success
  type: dict
  sample:
    root-1: {number: 1, next_update: "2027-11-23T12:00:00Z"}
    issuing-1: {number: 7, next_update: "2026-11-30T12:00:00Z"}
crl_next_update:
  description: When the first of the lists in RV(crl) ends in UTC, empty when there is none.
  returned: success
  type: str
  sample: "2026-11-30T12:00:00Z"
ocsp:
  description:
    - OCSP responses with SHA-1 CertIDs, DER in Base64, by the serial of the certificate as it is in O(serials), for
      O(bulwark.mqtt.tls_install#module:ocsp). In check mode those that would stay.
    - Serials that are revoked or unknown are not in it, for there is nothing to staple.
  returned: success
  type: dict
revoked:
  description: Those of O(serials) that are revoked.
  returned: success
  type: list
  elements: str
"""

import base64
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._module import run
from ..module_utils._pki import authority, crl, lifetimes, passphrase, publish, revocation


def ensure(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Bring the published files up to date."""
    directory = Path(params["directory"])
    settings = publish.Settings(
        destination=Path(params["destination"] or directory / "publish"),
        crl_lifetime=lifetimes.parse(params["crl_lifetime"], what="crl_lifetime"),
        ocsp_lifetime=lifetimes.parse(params["ocsp_lifetime"], what="ocsp_lifetime"),
        root_crl_lifetime=lifetimes.parse(params["root_crl_lifetime"], what="root_crl_lifetime"),
        crl_url=publish.check_url(params["crl_url"], what="crl_url"),
    )
    # Before anything is signed: a mistyped serial ends the task with nothing done.
    serials = (
        None if params["serials"] is None else {text: revocation.normal_serial(text) for text in params["serials"]}
    )
    now = dt.datetime.now(dt.timezone.utc)
    if check_mode:
        # On a virgin CA host there is no authority to load yet.
        found = authority.find(directory)
        result = publish.plan(found, settings, now=now)
    else:
        result = publish.publish(
            authority.load(directory),
            settings,
            passphrase=passphrase.required(params),
            root_passphrase=passphrase.root(params),
            now=now,
        )
    return {
        "changed": bool(result.changes),
        "changes": list(result.changes),
        **_facts(result),
        **_answers(result, serials),
        "diff": {"prepared": "".join(f"{change}\n" for change in result.changes)},
        "warnings": list(result.warnings),
    }


def _facts(result: publish.Published) -> dict[str, Any]:
    ends = {name: lifetimes.show(crl.next_update(last.der)) for name, last in result.lists.items()}
    return {
        "crl": "".join(crl.to_pem(last.der).decode() for last in result.lists.values()),
        "crls": {name: {"number": last.number, "next_update": ends[name]} for name, last in result.lists.items()},
        "crl_next_update": min(ends.values(), default=""),
    }


def _answers(result: publish.Published, serials: Mapping[str, str] | None) -> dict[str, Any]:
    if serials is None:
        serials = {serial: serial for serial in sorted(result.ocsp.keys() | result.revoked)}
    return {
        "ocsp": {
            given: base64.b64encode(result.ocsp[serial]).decode()
            for given, serial in serials.items()
            if serial in result.ocsp
        },
        "revoked": [given for given, serial in serials.items() if serial in result.revoked],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            **passphrase.arguments(),
            **passphrase.arguments("root_passphrase"),
            "destination": {"type": "path"},
            "crl_lifetime": {"type": "str", "default": "7d"},
            "ocsp_lifetime": {"type": "str", "default": "7d"},
            "serials": {"type": "list", "elements": "str"},
            "root_crl_lifetime": {"type": "str", "default": "360d"},
            "crl_url": {"type": "str", "default": ""},
        },
        mutually_exclusive=[passphrase.kinds(), passphrase.kinds("root_passphrase")],
        required_one_of=[passphrase.kinds()],
        supports_check_mode=True,
    )
    run(module, ensure, needs_cryptography=True)


if __name__ == "__main__":
    main()
