# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on tasks, wherever they are: roles, playbooks, scenarios, integration targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import tree

_BLOCKS = ("block", "rescue", "always")
_LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers")

_COMMANDS = {
    "ansible.builtin.command",
    "ansible.builtin.shell",
    "ansible.builtin.raw",
    "ansible.builtin.script",
    "command",
    "shell",
    "raw",
    "script",
}
_PATCHES = {"ansible.builtin.lineinfile", "ansible.builtin.replace", "ansible.builtin.blockinfile", "lineinfile"}
_CHANGES_NOTHING = {
    "ansible.builtin.debug",
    "ansible.builtin.set_fact",
    "ansible.builtin.assert",
    "ansible.builtin.meta",
}

# Facts by the names under which Ansible injects them; `ansible_host` and its like are no facts and stay.
_INJECTED_FACT = re.compile(
    r"(?<![\w./-])ansible_(?:all_ipv[46]_addresses|architecture|bios\w+|cmdline|date_time|default_ipv[46]|devices|distribution\w*|dns|domain"
    r"|effective_\w+|env|fqdn|hostname|interfaces|kernel\w*|lsb|machine\w*|mem\w*|mounts|nodename|os_family|pkg_mgr|processor\w*"
    r"|python|python_version|selinux|service_mgr|swap\w*|system\w*|uptime_seconds|user_id|user_dir|user_uid|virtualization\w*)\b"
)


@dataclass(frozen=True)
class Task:
    """A task and the lines of its file that it spans, with the comment directly above it."""

    path: Path
    line: int
    source: str
    data: dict[str, Any]

    @property
    def where(self) -> str:
        """File and line, as an editor opens it."""
        return f"{self.path}:{self.line}"


def files(root: Path, *, shipped: bool = False) -> list[Path]:
    """Every file with tasks; with ``shipped`` only those that users run."""
    patterns = ["roles/*/tasks/**/*.yml", "roles/*/handlers/**/*.yml", "playbooks/*.yml"]
    if not shipped:
        patterns += ["molecule/**/*.yml", ".config/molecule/**/*.yml", "tests/**/*.yml"]
    return sorted({path for pattern in patterns for path in root.glob(pattern)})


def _tasks_in(node: yaml.Node | None, *, play_level: bool) -> Iterator[yaml.MappingNode]:
    """The nodes of tasks in a list of tasks or of plays; a play is what has `hosts`."""
    if not isinstance(node, yaml.SequenceNode):
        return
    for item in node.value:
        if not isinstance(item, yaml.MappingNode):
            continue
        children = {key.value: value for key, value in item.value}
        if play_level and "hosts" in children:
            for name in _LISTS:
                yield from _tasks_in(children.get(name), play_level=False)
            continue
        if "name" in children or any(name in children for name in _BLOCKS):
            yield item
        for name in _BLOCKS:
            yield from _tasks_in(children.get(name), play_level=False)


def tasks(path: Path) -> Iterator[Task]:
    """Every task of a file, blocks and what is in them each on their own."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    try:
        document = yaml.compose(text, Loader=tree.Loader)
    except yaml.YAMLError:
        return  # another rule names the file
    for node in _tasks_in(document, play_level=True):
        first, last = node.start_mark.line, node.end_mark.line
        while first > 0 and lines[first - 1].lstrip().startswith("#"):
            first -= 1
        # A block spans its children; what it says itself ends where the first of them begins.
        own_end = min([value.start_mark.line for key, value in node.value if key.value in _BLOCKS], default=last)
        data = tree.Loader("").construct_object(node, deep=True)
        own = {key: value for key, value in data.items() if key not in _BLOCKS}
        yield Task(path=path, line=node.start_mark.line + 1, source="\n".join(lines[first:own_end]), data=own)


def ignored_errors(task: Task) -> list[str]:
    """A failure is expected (failed_when, rescue) or it stops the play; ignoring hides it."""
    return (
        [f"{task.where}: uses ignore_errors; say which failure is expected with failed_when"]
        if "ignore_errors" in task.data
        else []
    )


def patched_files(task: Task) -> list[str]:
    """Part of a file that somebody else writes is nobody's: own the file, or a drop-in."""
    return [
        f"{task.where}: patches a file with {name}; own the whole file" for name in sorted(_PATCHES & set(task.data))
    ]


def uncommented_commands(task: Task) -> list[str]:
    """A command says in a comment why no module does it."""
    used = sorted(_COMMANDS & set(task.data))
    if used and not re.search(r"(^|\s)#\s*\w", task.source):
        return [f"{task.where}: runs {used[0]} without a comment that says why no module does it"]
    return []


def bare_triggers(task: Task) -> list[str]:
    """`changed_when: true` on what changes nothing exists only to notify somebody."""
    idle = _CHANGES_NOTHING & set(task.data) or any(
        str(task.data.get(name, "")).strip().rsplit("/", 1)[-1] in {"true", "echo"} for name in _COMMANDS
    )
    if task.data.get("changed_when") is True and idle:
        return [f"{task.where}: has changed_when: true on a task that changes nothing"]
    return []


def lost_tags(task: Task) -> list[str]:
    """What is included gets none of the include's tags but those that it applies; what is imported gets all."""
    given = task.data.get("ansible.builtin.include_tasks")
    if given is None or (isinstance(given, dict) and given.get("apply", {}).get("tags")):
        return []
    return [f"{task.where}: includes tasks without their tags; import them, or apply the tags"]


def injected_facts(task: Task) -> list[str]:
    """`ansible_distribution` and its like are gone in ansible-core 2.24; `ansible_facts['distribution']` stays."""
    text = "\n".join(line for line in task.source.splitlines() if not line.lstrip().startswith("#"))
    names = set(_INJECTED_FACT.findall(text))
    return [f"{task.where}: uses the injected fact {name}; write ansible_facts['{name[8:]}']" for name in sorted(names)]
