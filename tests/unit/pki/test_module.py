# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bulwark.mqtt.plugins.module_utils import _module
from ansible_collections.bulwark.mqtt.plugins.module_utils._host.errors import HostError
from ansible_collections.bulwark.mqtt.plugins.module_utils._pki.errors import PkiError


class ExitError(Exception):
    """A module that ended, with its result."""


class Module:
    """As much of AnsibleModule as `run` uses."""

    def __init__(self):
        self.check_mode = True
        self.params = {"given": 1}
        self.warnings = []

    def warn(self, warning):
        self.warnings.append(warning)

    def exit_json(self, **result):
        raise ExitError(result)

    def fail_json(self, **result):
        raise ExitError({"failed": True, **result})


def outcome(ensure, module=None, **options):
    with pytest.raises(ExitError) as caught:
        _module.run(module or Module(), ensure, **options)
    return caught.value.args[0]


def test_the_result_is_what_ensure_returns_for_the_parameters():
    assert outcome(lambda params, *, check_mode: {"got": (params, check_mode)}) == {"got": ({"given": 1}, True)}


def test_warnings_are_shown_and_not_part_of_the_result():
    module = Module()
    assert outcome(lambda _params, *, check_mode: {"changed": check_mode, "warnings": ["careful"]}, module) == {
        "changed": True
    }
    assert module.warnings == ["careful"]


@pytest.mark.parametrize("error", [PkiError, HostError])
def test_our_own_errors_are_messages(error):
    def ensure(_params, *, check_mode):
        raise error(f"refused, check_mode is {check_mode}")

    assert outcome(ensure) == {"failed": True, "msg": "refused, check_mode is True"}


@pytest.mark.parametrize("version", ["38.0.4", "42.0.0", "50.0.2"])
def test_a_supported_cryptography_is_no_problem(version):
    assert _module.cryptography_problem(version) == ""


@pytest.mark.parametrize("version", ["3.4.8", "37.0.4"])
def test_an_old_cryptography_is_named_with_what_it_takes(version):
    assert _module.cryptography_problem(version) == f"cryptography >= 38.0 is required, this host has {version}"


def test_a_missing_cryptography_is_reported_by_the_module_that_needs_it(monkeypatch):
    monkeypatch.setattr(_module, "CRYPTOGRAPHY_VERSION", "")
    found = outcome(lambda _params, *, check_mode: {"changed": check_mode}, needs_cryptography=True)
    assert found["msg"].startswith("Failed to import the required Python library (cryptography >= 38.0) on ")
    assert outcome(lambda _params, *, check_mode: {"changed": check_mode}) == {"changed": True}
