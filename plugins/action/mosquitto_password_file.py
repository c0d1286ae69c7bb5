# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `mosquitto_password_file`; its documentation is that of the module of this name."""

from __future__ import annotations

from ..module_utils._mosquitto_passwords import FORM
from ..modules.mosquitto_password_file import ARGUMENT_SPEC
from ..plugin_utils._password_action import PasswordAction


class ActionModule(PasswordAction):
    """Ansible looks for this name."""

    argument_spec = ARGUMENT_SPEC
    form = FORM
