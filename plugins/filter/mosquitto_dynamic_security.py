# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `mosquitto_dynamic_security`; its documentation is in mosquitto_dynamic_security.yml."""

from __future__ import annotations

import secrets
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def mosquitto_dynamic_security(password: str, username: str, iterations: int = 1000) -> str:
    """The first file of the plugin, with a fresh salt."""
    from ..module_utils._mosquitto_dynamic_security import bootstrap
    from ..module_utils._mosquitto_passwords import FORM
    from ..module_utils._password_file import PasswordFileError

    try:
        salt = secrets.token_bytes(FORM.salt_bytes)
        return bootstrap(username=username, password=password, iterations=iterations, salt=salt)
    except PasswordFileError as error:
        raise AnsibleFilterError(f"mosquitto_dynamic_security: {error}") from error


class FilterModule:
    """Ansible looks for this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"mosquitto_dynamic_security": mosquitto_dynamic_security}
