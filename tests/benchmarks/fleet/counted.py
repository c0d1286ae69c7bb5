# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback for `site.py`: writes what each task took, and on how many hosts it ran, as JSON."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: counted
type: aggregate
short_description: Counts tasks for a benchmark
description: Writes what each task took, and on how many hosts it ran.
author: Bulwark contributors (@bulwark-mqtt)
"""

# They run on the controller; those of the second line ask the host's shell, where nothing is to be done.
WITHOUT_MODULE = frozenset(
    {"assert", "debug", "set_fact", "include_role", "include_tasks", "meta", "fail", "validate_argument_spec"}
    | {"host_layout", "lineage_info", "packages", "raw", "service_config", "stack_info", "system_facts"}
    | {"emqx_user_file", "mosquitto_password_file", "tls_install", "tls_tool"}
)


class CallbackModule(CallbackBase):
    """Ansible looks for this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "counted"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._tasks: list[dict[str, Any]] = []
        self._started = 0.0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Begin a task."""
        self._end()
        self._tasks.append(
            {"name": task.get_name(), "ran": 0, "skipped": 0, "changed": 0, "modules": 0, "seconds": 0.0}
        )

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play begins: what it takes to begin is no task's."""
        self._end()

    def v2_runner_on_ok(self, result: Any) -> None:
        """A host is done with a task."""
        task = self._tasks[-1]
        task["ran"] += 1
        task["changed"] += bool(result.result.get("changed"))
        if result.task.action.rpartition(".")[2] in WITHOUT_MODULE:
            return
        if result.task.loop is None:
            task["modules"] += 1
        else:
            items = result.result.get("results", [])
            task["modules"] += sum(not item.get("skipped", False) for item in items)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A host leaves a task out."""
        self._tasks[-1]["skipped"] += 1

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write it."""
        self._end()
        Path(os.environ["BULWARK_COUNTED"]).write_text(json.dumps(self._tasks), encoding="utf-8")

    def _end(self) -> None:
        if self._tasks and self._started:
            self._tasks[-1]["seconds"] = time.monotonic() - self._started
        self._started = time.monotonic()
