# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/fleet.schema.json, the JSON Schema of fleet.yml, from the model that validates it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import generated

PAGE = "docs/fleet.schema.json"
_SOURCE = "ansible_collections.bulwark.mqtt.plugins.module_utils._fleet.source"


def wanted(root: Path) -> dict[Path, str]:
    """The schema and the text it should have, from the model of the tree at `root`."""
    command = f"import json; from {_SOURCE} import schema; print(json.dumps(schema()))"
    # In a process of its own: the tree need not be the one this runs from.
    printed = subprocess.run(
        [sys.executable, "-c", command],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(root / ".cache/collections")},
    ).stdout
    return {root / PAGE: json.dumps(json.loads(printed), indent=2) + "\n"}


if __name__ == "__main__":
    options = generated.arguments(__doc__)
    raise SystemExit(generated.run(wanted(options.root), check=options.check))
