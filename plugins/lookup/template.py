# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup `template`: that of ansible-core, without the copy of everything that a host has for each file."""

from __future__ import annotations

DOCUMENTATION = """
name: template
version_added: 1.0.0
short_description: Content of files after templating, for roles with many of them
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Does what P(ansible.builtin.template#lookup) does, which it calls, and takes its options.
  - That lookup copies all variables of the host for each file, in depth, which takes longer than the file itself. This
    one gives it variables of which only the names are copied.
options:
  _terms:
    description:
      - Names of templates.
    type: list
    elements: str
    required: true
seealso:
  - plugin: ansible.builtin.template
    plugin_type: lookup
    description: Has the options.
"""

EXAMPLES = """
- name: Show what a template of the role becomes
  ansible.builtin.debug:
    msg: "{{ lookup('bulwark.mqtt.template', 'mosquitto.conf.j2') }}"
"""

RETURN = """
_raw:
  description:
    - The content of each file.
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible looks for this name."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **options: Any) -> list[Any]:
        """The content of each file."""
        lookup = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
        found: list[Any] = lookup.run(terms, variables=_Shallow(variables or {}), **options)
        return found


class _Shallow(dict[str, Any]):
    """Variables that are copied as they are: a template adds some, and changes none."""

    def __deepcopy__(self, _memo: object) -> dict[str, Any]:
        return dict(self)
