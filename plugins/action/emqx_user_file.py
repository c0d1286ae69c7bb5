# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action `emqx_user_file`; its documentation is that of the module of this name."""

from __future__ import annotations

from ..module_utils._emqx_users import FORM
from ..modules.emqx_user_file import ARGUMENT_SPEC
from ..plugin_utils._password_action import PasswordAction


class ActionModule(PasswordAction):
    """Ansible looks for this name."""

    argument_spec = ARGUMENT_SPEC
    form = FORM
