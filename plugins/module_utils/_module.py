# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.

"""What every module does alike: exit with what ``ensure`` returns, or fail with the message of an error we know."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ._host.errors import HostError
from ._pki.errors import PkiError

# What Debian 12 ships; the oldest that the unit tests run with.
CRYPTOGRAPHY_MINIMUM = (38, 0)

try:
    import cryptography
except ImportError:
    CRYPTOGRAPHY_VERSION = ""
    CRYPTOGRAPHY_TRACEBACK = traceback.format_exc()
else:
    CRYPTOGRAPHY_VERSION = cryptography.__version__
    CRYPTOGRAPHY_TRACEBACK = ""

Ensure = Callable[..., Mapping[str, Any]]


def cryptography_problem(version: str) -> str:
    """Why a module that needs cryptography cannot run with this version ('' for none installed); '' when it can."""
    wanted = "cryptography >= " + ".".join(map(str, CRYPTOGRAPHY_MINIMUM))
    if not version:
        return str(missing_required_lib(wanted))
    if tuple(int(part) for part in version.split(".")[:2]) < CRYPTOGRAPHY_MINIMUM:
        return f"{wanted} is required, this host has {version}"
    return ""


def facts_diff(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """The diff of what is known of a version at `path` and of the one in its place; nothing is known of none."""

    def text(facts: Mapping[str, Any]) -> str:
        return json.dumps(facts, indent=2, sort_keys=True) + "\n" if facts else ""

    return {"before": text(before), "after": text(after), "before_header": path, "after_header": path}


def run(module: AnsibleModule, ensure: Ensure, *, needs_cryptography: bool = False) -> None:
    """Exit with what ``ensure(params, check_mode=)`` returns, its ``warnings`` shown; fail on our own errors."""
    if needs_cryptography:
        problem = cryptography_problem(CRYPTOGRAPHY_VERSION)
        if problem:
            module.fail_json(msg=problem, exception=CRYPTOGRAPHY_TRACEBACK or None)
    try:
        result = dict(ensure(module.params, check_mode=module.check_mode))
    except (PkiError, HostError) as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result)
