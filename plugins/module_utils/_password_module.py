# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection: it can change at any time.
"""What modules do that hash passwords for the file of a broker: they return its content and write nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ._host.errors import HostError
from ._module import run
from ._password_file import Form, User, render

# The users, as a parameter of each of them.
USERS = {
    "type": "list",
    "elements": "dict",
    "required": True,
    "options": {
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
    },
}


def run_form(module: AnsibleModule, form: Form) -> None:
    """Return the content for `users` with `iterations`, and how it differs from the file at `path`."""

    def ensure_uncensored(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
        """The result as it is.

        Ansible replaces every occurrence of a secret in a result, so a short password, or one that equals a user's
        name, would corrupt the content. The result holds no password: even the arguments that it repeats are ours.
        """
        result = ensure(params, form, existing=_read(params["path"]))
        module.no_log_values.clear()
        return result

    run(module, ensure_uncensored)


def ensure(params: Mapping[str, Any], form: Form, *, existing: str) -> dict[str, Any]:
    """The content, and how it differs from that of the existing file. Raises PasswordFileError."""
    users = [User(name=user["name"], password=user["password"]) for user in params["users"]]
    rendered = render(form, users=users, existing=existing, iterations=params["iterations"], salt=secrets.token_bytes)
    return {
        "changed": rendered.content != existing,
        "content": rendered.content,
        "reasons": list(rendered.reasons),
        "invocation": {
            "module_args": {
                "path": params["path"],
                "iterations": params["iterations"],
                "users": [user.name for user in users],
            }
        },
    }


def _read(path: str) -> str:
    """The existing file, nothing when there is none. Raises HostError when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HostError(f"{path}: cannot be read: {error.strerror}") from error
