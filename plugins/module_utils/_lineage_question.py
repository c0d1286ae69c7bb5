# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""Whether lineages of a host have the material that is given as their current version: what its shell is asked.

Text in and text out, as in _host_question.py. The private key stays on the host: that it is the one that was installed,
the version's name says, which is made of all its files.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ._host import lineage, operations
from ._host_question import sections

# For each lineage a part that begins with an empty line: declaration, current version, owners and modes, digests, and
# the digest that the version is named by.
_QUESTION = """\
export LC_ALL=C
exec 2>/dev/null
ls -d {journals}/*/journal.json
for name in {names}; do
  echo
  cd {store}/"$name" && version=$(readlink current) && test -n "$version" && test ! -e pending/privkey.pem || continue
  base64 -w 0 lineage.json; echo
  echo "$version"
  find versions -maxdepth 0 -printf '%y %m %u %g versions\\n'
  find "$version" -printf '%y %m %u %g %P\\n'
  cd "$version" || continue
  sha256sum -- *
  for file in *; do printf '%s\\0%s\\0' "$file" "$(stat -c %s -- "$file")"; cat -- "$file"; done | sha256sum
done"""


@dataclass(frozen=True)
class Versions:
    """Lineages of the host's own store, each with all that a version is made of but for the key."""

    items: Sequence[Mapping[str, str]]

    def question(self) -> str:
        """What a shell is asked."""
        return _QUESTION.format(
            journals=shlex.quote(operations.HOST_STATE.journals),
            names=" ".join(shlex.quote(item["lineage"]) for item in self.items),
            store=shlex.quote(lineage.STORE),
        )

    def is_so(self, lines: Sequence[str]) -> bool:
        """Whether the answer says so for all of them; no for all that is not understood: then the module looks."""
        pending, *parts = sections(lines)
        return not pending and len(parts) == len(self.items) and all(map(_is_so, parts, self.items))


def _is_so(lines: Sequence[str], item: Mapping[str, str]) -> bool:
    try:
        declared = json.loads(base64.b64decode(lines[0]))
        contents = {name: content for name, content in _contents(item).items() if content}
    except (IndexError, ValueError, binascii.Error):
        return False
    # What the host fetches by itself is neither given nor to be removed.
    if not isinstance(declared, Mapping) or declared.get("refresh"):
        return False
    owner = f"root {declared.get('group') or 'root'}"
    entries = [
        f"d 750 {owner} versions",
        f"d 750 {owner} ",
        *(f"f 640 {owner} {name}" for name in (*contents, lineage.KEY)),
    ]
    digests = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in contents.items()]
    found = lines[2:-1]
    # The key's digest is in the version's name only.
    known = [line for line in found if not line.endswith(f"  {lineage.KEY}")]
    return (
        sorted(known) == sorted([*entries, *digests])
        and len(found) == len(known) + 1
        and lines[1] == f"versions/{lines[-1][:16]}"
    )


def _contents(item: Mapping[str, str]) -> dict[str, bytes]:
    """The files of the version, but for the key. Where PEM is written in another way on the host, the module looks."""
    certificate, chain = item["certificate"].encode(), item["chain"].encode()
    return {
        lineage.CERTIFICATE: certificate,
        lineage.CHAIN: chain,
        lineage.FULLCHAIN: certificate + chain,
        lineage.CA: item["ca"].encode(),
        lineage.CRL: item["crl"].encode(),
        lineage.OCSP: base64.b64decode(item["ocsp"], validate=True),
    }
