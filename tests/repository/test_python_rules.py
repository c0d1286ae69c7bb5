# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on hosts runs there, what is pure stays pure, and every file says whose it is."""

from __future__ import annotations

from pathlib import Path

from checks import python_source, tree
from checks.report import nothing

UTILS = tree.ROOT / "plugins/module_utils"


def sources(*patterns: str) -> list[Path]:
    """The tracked Python files that match a pattern, relative to the root. Fails when there are none."""
    found = sorted({path for pattern in patterns for path in tree.ROOT.glob(pattern)})
    assert found, f"no file matches {patterns}"
    return found


def test_the_host_code_imports_only_the_standard_library():
    nothing(
        found for path in sources("plugins/module_utils/_host/**/*.py") for found in python_source.foreign_imports(path)
    )


def test_the_pki_core_imports_only_cryptography_and_no_ansible():
    libraries, beside = frozenset({"cryptography"}), frozenset({"_workers"})
    for path in sources("plugins/module_utils/_workers.py"):
        nothing(python_source.foreign_imports(path))
    paths = sources("plugins/module_utils/_pki/**/*.py")
    nothing(found for path in paths for found in python_source.foreign_imports(path, allowed=libraries, beside=beside))


def test_the_core_of_the_fleet_imports_yaml_and_the_rules_of_names_and_no_ansible():
    # What the roles of brokers check in the same way, itself pure: it must be importable without Ansible, too.
    libraries, beside = frozenset({"yaml"}), frozenset({"_pki", "_emqx_acl", "_emqx_listeners", "_stack"})
    for name in ("_acl", "_emqx_acl", "_emqx_listeners"):
        nothing(
            found
            for path in sources(f"plugins/module_utils/{name}.py")
            for found in python_source.foreign_imports(path)
        )
    # What versions can do is in one place; of what runs on hosts it takes the error alone.
    paths = sources("plugins/module_utils/_stack.py")
    nothing(found for path in paths for found in python_source.foreign_imports(path, beside=frozenset({"_host"})))
    paths = sources("plugins/module_utils/_fleet/**/*.py")
    nothing(found for path in paths for found in python_source.foreign_imports(path, allowed=libraries, beside=beside))


def test_everything_that_ansible_sends_to_hosts_is_python_39():
    paths = sources("plugins/module_utils/**/*.py", "plugins/modules/*.py")
    nothing(found for path in paths for found in python_source.newer_python(path))


def test_every_public_name_of_the_module_utils_has_a_docstring():
    paths = sources("plugins/module_utils/**/*.py")
    nothing(found for path in paths for found in python_source.missing_docstrings(path))


def test_every_python_file_begins_with_its_licence():
    found = []
    for path in tree.tracked(tree.ROOT):
        if path.suffix == ".py":
            is_module = path.parent == tree.ROOT / "plugins/modules" and path.name != "__init__.py"
            found += python_source.header(path, executable=is_module, private=UTILS in path.parents)
    nothing(found)
