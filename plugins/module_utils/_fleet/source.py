# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""From the text of `fleet.yml` to an intent that can be."""

from __future__ import annotations

import contextlib
from typing import Any

from .model import FLEET, PLUGIN, Fleet
from .problems import FleetError, Problem, Reading
from .rules import apply

with contextlib.suppress(ImportError):  # see kinds.py
    import yaml


def read(text: str, *, file: str) -> Fleet:
    """The intent. Raises FleetError: first with all that no value may be, then with all that does not fit together."""
    reading = Reading()
    # The C parser where PyYAML has it: the same nodes, ten times as fast.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FleetError(file, [Problem(line=line, key="the file", text=f"is no YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise FleetError(file, [Problem(line=1, key="the file", text=f"is no YAML: {error}")]) from error
    if node is None:
        text = f"is empty; begin with plugin: {PLUGIN}"
        raise FleetError(file, [Problem(line=1, key="the file", text=text)])
    fleet: Fleet = FLEET.read(node, "", reading)
    reading.check(file)
    apply(fleet, reading)
    reading.check(file)
    return fleet


def schema() -> dict[str, Any]:
    """The same as JSON Schema, for editors; rules across values are not in it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A fleet of MQTT brokers, fleet.yml of the collection bulwark.mqtt",
        **FLEET.schema(),
    }
