# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks fail loudly, own what they write, and use nothing that Ansible is about to remove."""

from __future__ import annotations

from checks import tasks, tree
from checks.report import nothing

SHIPPED = [task for path in tasks.files(tree.ROOT, shipped=True) for task in tasks.tasks(path)]
ALL = [task for path in tasks.files(tree.ROOT) for task in tasks.tasks(path)]


def test_there_are_tasks_to_check():
    assert SHIPPED
    assert len(ALL) > len(SHIPPED)


def test_no_task_ignores_errors():
    nothing(found for task in ALL for found in tasks.ignored_errors(task))


def test_no_task_uses_injected_facts():
    nothing(found for task in ALL for found in tasks.injected_facts(task))


def test_no_task_claims_a_change_only_to_notify():
    nothing(found for task in ALL for found in tasks.bare_triggers(task))


def test_no_shipped_task_patches_a_file_it_could_own():
    nothing(found for task in SHIPPED for found in tasks.patched_files(task))


def test_every_shipped_command_says_why_no_module_does_it():
    nothing(found for task in SHIPPED for found in tasks.uncommented_commands(task))


def test_no_shipped_task_loses_its_tags():
    nothing(found for task in SHIPPED for found in tasks.lost_tags(task))
