# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup `template`: that of ansible-core, without what it does anew for each file."""

from __future__ import annotations

DOCUMENTATION = """
name: template
version_added: 1.0.0
short_description: Content of files after templating, for roles with many of them
author:
  - Bulwark contributors (@bulwark-mqtt)
description:
  - Does what P(ansible.builtin.template#lookup) does, which it calls, and takes its options.
  - That lookup copies all variables of the host for each file, in depth, and searches the disk for each filter of each
    file, which take longer than the file itself. This one gives it variables of which only the names are copied, and
    keeps what was found for the next file.
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

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible.template import Templar

# Those that no lookup uses at the moment, by where they look for files: a template can look up another one.
_FREE: dict[tuple[DataLoader | None, tuple[str, ...]], Templar] = {}


class LookupModule(LookupBase):
    """Ansible looks for this name."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **options: Any) -> list[Any]:
        """The content of each file."""
        templar = _Keeping(self._loader)
        lookup = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=templar)
        try:
            found: list[Any] = lookup.run(terms, variables=_Shallow(variables or {}), **options)
        finally:
            _FREE.update(templar.used)
        return found


class _Keeping(Templar):
    """Gives templars that were used before: such a one has found the filters and tests that files have in common."""

    def __init__(self, loader: DataLoader | None) -> None:
        super().__init__(loader=loader)
        self._of = loader
        self.used: dict[tuple[DataLoader | None, tuple[str, ...]], Templar] = {}

    def copy_with_new_env(self, *, searchpath: Any = None, available_variables: Any = None, **context: Any) -> Templar:
        """One for the files below this path."""
        key = (self._of, tuple(searchpath or ()))
        templar = self.used.get(key) or _FREE.pop(key, None)
        if templar is None:
            templar = super().copy_with_new_env(searchpath=searchpath, **context)
        self.used[key] = templar
        templar.available_variables = available_variables
        return templar


class _Shallow(dict[str, Any]):
    """Variables that are copied as they are: a template adds some, and changes none."""

    def __deepcopy__(self, _memo: object) -> dict[str, Any]:
        return dict(self)
