# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkers of Python sources find what they are for."""

from __future__ import annotations

import pytest
from checks import python_source
from checks.tree import Write

LICENCE = "\n".join(
    [
        "# Copyright: (c) 2026, Bulwark contributors",
        "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
        "# SPDX-License-Identifier: GPL-3.0-or-later",
        "",
    ]
)


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        pytest.param("import ansible.errors", "imports ansible, which is not in the standard library", id="ansible"),
        pytest.param("import tomllib", "imports tomllib, which is not in the standard library", id="newer-library"),
        pytest.param(
            "def f():\n    import yaml", "imports yaml, which is not in the standard library", id="in-a-function"
        ),
        pytest.param("from .._module import run", "imports from outside its package", id="outside-the-package"),
    ],
)
def test_an_import_that_a_host_cannot_satisfy_is_found(write: Write, source: str, finding: str):
    [found] = python_source.foreign_imports(write("x.py", source + "\n"))
    assert finding in found


def test_only_the_packages_beside_that_are_named_may_be_imported(write: Write):
    path = write("x.py", "from .._pki.names import parse\nfrom .._host.files import put\n")
    [found] = python_source.foreign_imports(path, beside=frozenset({"_pki"}))
    assert "x.py:2: imports from outside its package" in found


def test_the_standard_library_its_own_package_and_what_is_allowed_may_be_imported(write: Write):
    path = write("x.py", "import json\nfrom . import files\nfrom .errors import E\nfrom cryptography import x509\n")
    assert python_source.foreign_imports(path, allowed=frozenset({"cryptography"})) == []


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("match x:\n    case 1: pass", id="match"),
        pytest.param("try:\n    pass\nexcept* ValueError:\n    pass", id="exception-groups"),
        pytest.param("@dataclass(frozen=True, slots=True)\nclass X: pass", id="slots"),
        pytest.param("list(zip(a, b, strict=True))", id="strict-zip"),
    ],
)
def test_what_python_39_refuses_is_found(write: Write, source: str):
    assert len(python_source.newer_python(write("x.py", source + "\n"))) == 1


def test_missing_docstrings_of_public_names_are_found(write: Write):
    path = write(
        "x.py",
        '''
        """The file."""
        class Open:
            """It has one."""
            def shown(self): pass
            def _hidden(self): pass
        def bare(): pass
        ''',
    )
    assert python_source.missing_docstrings(path) == [
        f"{path}:4: Open.shown has no docstring",
        f"{path}:6: bare has no docstring",
    ]


def test_a_header_in_order_has_no_findings(write: Write):
    assert python_source.header(write("x.py", f"#!/usr/bin/python\n{LICENCE}import json\n"), executable=True) == []


def test_a_file_without_licence_interpreter_or_notice_is_found(write: Write):
    path = write("x.py", "import json\n")
    assert len(python_source.header(path, executable=True, private=True)) == 3
