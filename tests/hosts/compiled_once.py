# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has Python keep what it compiles of zip archives, as of folders; test hosts and the `.venv` import it at start.

Ansible sends each module with the hundred files that it imports in an archive, and Python compiles all of them each
time: a third of what a module takes on a host, and the tests run some ten thousand. An error names the file that was
imported, and a file that differs in one byte is compiled anew.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from hashlib import sha256
from types import CodeType

_compile = zipimport._compile_source
_parent = "/var/cache" if sys.prefix == sys.base_prefix else sys.prefix
_CACHE = f"{_parent}/compiled-once/{sys.implementation.cache_tag}"


def _compile_once(path: str, source: bytes) -> CodeType:
    kept = f"{_CACHE}/{sha256(source).hexdigest()}"
    try:
        with open(kept, "rb") as stream:
            # Who may write there may write what runs here, too.
            code: CodeType = marshal.load(stream)
    except (OSError, EOFError, TypeError, ValueError):
        code = _compile(path, source)
        _keep(code, kept)
    else:
        _imp._fix_co_filename(code, path)
    return code


def _keep(code: CodeType, path: str) -> None:
    """In one step, for others look for it; who may not write there does without."""
    new = f"{path}.{os.getpid()}"
    try:
        os.makedirs(_CACHE, exist_ok=True)
        with open(new, "wb") as stream:
            marshal.dump(code, stream)
        os.rename(new, path)
    except OSError:
        return


zipimport._compile_source = _compile_once
