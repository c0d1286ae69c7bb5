# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders generated intents, many in one process, as the action `render` does.

    python tests/tools/rendered_intents.py DIRECTORY COUNT RELEASE...

Below DIRECTORY/RELEASE is a folder for each intent with `fleet.yml` and the folders of its hosts. The same COUNT gives
the same intents. What a release cannot do, `render` refuses: then there is `refused` with its words instead of hosts.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".cache/collections"
sys.path.insert(0, str(COLLECTIONS))
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)

import fleet_intents  # noqa: E402  (found beside this file)
from ansible.inventory.manager import InventoryManager  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402
from ansible.plugins.loader import init_plugin_loader  # noqa: E402
from ansible.vars.hostvars import HostVars  # noqa: E402
from ansible.vars.manager import VariableManager  # noqa: E402
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402

# Before the collection is imported, so that its plugins are those that Ansible finds.
init_plugin_loader([str(COLLECTIONS)])

from ansible_collections.bulwark.mqtt.plugins.module_utils._rendering.errors import RenderError  # noqa: E402
from ansible_collections.bulwark.mqtt.plugins.plugin_utils import _rendered_fleet  # noqa: E402

KEY = "a key of the digests"
SECRET = "only for tests"
RECEIVERS = [{"name": "operators", "webhook_configs": [{"url": "https://alerts.example.com/hook"}]}]


def fleets(count: int) -> list[dict[str, Any]]:
    """So many intents, the same for the same code: some names are words that hypothesis finds in it."""
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fleet_intents.intents())
    def collect(document: dict[str, Any]) -> None:
        found.append(document)

    collect()
    return found


def _readable(value: Any) -> Any:
    """The intent with what is encrypted as a template: nobody has the password of its vault."""
    if isinstance(value, dict):
        return {key: _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, str) and value.startswith(("$ANSIBLE_VAULT", "{{ vault_")):
        return "{{ vault }}"
    return value


@functools.cache
def _read(path: Path) -> Any:
    """A file of a role, which is the same for all intents."""
    return DataLoader().load_from_file(str(path), unsafe=True, trusted_as_template=True)


def render(document: dict[str, Any], directory: Path, release: str) -> str | None:
    """Write the hosts of an intent as those of a release; the words of a refusal, if it is refused."""
    directory.mkdir(parents=True)
    text = yaml.safe_dump(_readable(document), sort_keys=False)
    (directory / "fleet.yml").write_text(text, encoding="utf-8")
    # Groups of another inventory have a host each.
    parts = [*document["domains"].values(), document.get("monitoring", {})]
    groups = {part[key] for part in parts for key in part if key.endswith("_group")}
    other = {name: {"hosts": {f"{name.replace('_', '-')}.example.org": None}} for name in sorted(groups)}
    known = {"bulwark_release": release, "vault": SECRET, "monitoring_receivers": RECEIVERS}
    (directory / "inventory.yml").write_text(
        yaml.safe_dump({"all": {"vars": known, "children": other}}), encoding="utf-8"
    )
    loader = DataLoader()
    sources = [str(directory / name) for name in ("fleet.yml", "inventory.yml")]
    inventory = InventoryManager(loader=loader, sources=sources)
    variables = VariableManager(loader=loader, inventory=inventory)
    hostvars = HostVars(inventory, variables, loader)
    names = [host.name for host in inventory.get_hosts()]

    fleet = _rendered_fleet.Fleet(
        dataclasses.replace(_rendered_fleet.ansible(loader), read=_read),
        {"groups": inventory.get_groups_dict(), "hostvars": hostvars, "ansible_play_hosts_all": names},
        extra={},
        facts=directory / "facts",
        release_variable="bulwark_release",
    )
    try:
        rendered = fleet.compared(directory, key=KEY)
    except RenderError as error:
        (directory / "refused").write_text(f"{error}\n", encoding="utf-8")
        return str(error)
    _rendered_fleet.write(directory, rendered)
    return None


def main() -> None:
    """Render, and say how many were refused."""
    directory, count, releases = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    for release in releases:
        refused = [
            render(document, directory / release / f"{number:03}", release)
            for number, document in enumerate(fleets(count))
        ]
        print(f"{release}: {len(refused)} intents, {len([words for words in refused if words])} of them refused")


if __name__ == "__main__":
    main()
