# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkers of tasks find what they are for, inside blocks and plays as well."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from checks import tasks
from checks.tree import Write

Check = Callable[[tasks.Task], list[str]]


def findings(write: Write, check: Check, text: str) -> list[str]:
    """What a check finds in a task file, without the path."""
    path = write("tasks.yml", text)
    return [found.removeprefix(f"{path}:") for task in tasks.tasks(path) for found in check(task)]


@pytest.mark.parametrize(
    ("check", "body", "finding"),
    [
        pytest.param(
            tasks.ignored_errors,
            "ansible.builtin.command: systemctl stop x\n  ignore_errors: true",
            "uses ignore_errors; say which failure is expected with failed_when",
            id="ignore_errors",
        ),
        pytest.param(
            tasks.patched_files,
            "ansible.builtin.lineinfile: {path: /etc/x, line: y}",
            "patches a file with ansible.builtin.lineinfile; own the whole file",
            id="lineinfile",
        ),
        pytest.param(
            tasks.uncommented_commands,
            "ansible.builtin.command: systemctl cat x",
            "runs ansible.builtin.command without a comment that says why no module does it",
            id="command",
        ),
        pytest.param(
            tasks.bare_triggers,
            "ansible.builtin.command: /bin/true\n  changed_when: true\n  notify: Restart",
            "has changed_when: true on a task that changes nothing",
            id="bin-true",
        ),
        pytest.param(
            tasks.bare_triggers,
            "ansible.builtin.debug: {msg: x}\n  changed_when: true\n  notify: Restart",
            "has changed_when: true on a task that changes nothing",
            id="debug",
        ),
        pytest.param(
            tasks.lost_tags,
            "ansible.builtin.include_tasks: more.yml",
            "includes tasks without their tags; import them, or apply the tags",
            id="include",
        ),
        pytest.param(
            tasks.lost_tags,
            "ansible.builtin.include_tasks: {file: more.yml, apply: {become: true}}",
            "includes tasks without their tags; import them, or apply the tags",
            id="include-that-applies-something-else",
        ),
        pytest.param(
            tasks.injected_facts,
            "ansible.builtin.debug:\n    msg: '{{ ansible_distribution_release }}'",
            "uses the injected fact ansible_distribution_release; write ansible_facts['distribution_release']",
            id="injected-fact",
        ),
    ],
)
def test_what_a_task_should_not_do_is_found_with_its_line(write: Write, check: Check, body: str, finding: str):
    assert findings(write, check, f"---\n- name: X\n  {body}\n") == [f"2: {finding}"]


def test_a_comment_above_or_inside_explains_a_command(write: Write):
    text = """
        # No module reads this.
        - name: One
          ansible.builtin.command: x
        - name: Two
          # No module reads this either.
          ansible.builtin.command: x
    """
    assert findings(write, tasks.uncommented_commands, text) == []


def test_a_comment_does_not_explain_the_next_task_too(write: Write):
    text = """
        # No module reads this.
        - name: One
          ansible.builtin.command: x

        - name: Two
          ansible.builtin.command: x
    """
    assert [found.split(":")[0] for found in findings(write, tasks.uncommented_commands, text)] == ["5"]


def test_tasks_in_plays_blocks_and_rescues_are_checked(write: Write):
    text = """
        - name: Play
          hosts: all
          pre_tasks:
            - name: One
              ignore_errors: true
              ansible.builtin.ping:
          tasks:
            - name: Outer
              block:
                - name: Two
                  ignore_errors: true
                  ansible.builtin.ping:
              rescue:
                - name: Three
                  ignore_errors: true
                  ansible.builtin.ping:
    """
    assert sorted(found.split(":")[0] for found in findings(write, tasks.ignored_errors, text)) == ["10", "14", "4"]


def test_aliases_of_what_an_earlier_task_says_are_understood(write: Write):
    text = """
        - name: One
          ansible.builtin.ping: &nothing {}
        - name: Two
          ansible.builtin.ping: *nothing
          ignore_errors: true
    """
    assert [found.split(":")[0] for found in findings(write, tasks.ignored_errors, text)] == ["3"]


def test_a_block_is_not_blamed_for_what_is_in_it(write: Write):
    text = """
        - name: Outer
          block:
            - name: Inner
              ansible.builtin.debug:
                msg: "{{ ansible_hostname }}"
    """
    assert [found.split(":")[0] for found in findings(write, tasks.injected_facts, text)] == ["3"]


@pytest.mark.parametrize(
    "name", ["ansible_facts['distribution']", "ansible_check_mode", "ansible_host", "ansible_python_interpreter"]
)
def test_what_is_no_fact_stays_allowed(write: Write, name: str):
    assert (
        findings(write, tasks.injected_facts, f"- name: X\n  when: {name} is defined\n  ansible.builtin.ping:\n") == []
    )


def test_a_command_that_changes_something_may_say_so(write: Write):
    text = "- name: X\n  ansible.builtin.command: mosquitto_ctrl x\n  changed_when: true\n"
    assert findings(write, tasks.bare_triggers, text) == []
