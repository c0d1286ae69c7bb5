# Copyright: (c) 2026, Bulwark contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on the repository as a whole: make, CI, release, paths, names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from . import tree

# Home and working folders of machines. Each begins where no other path goes on, so /var/lib/x/root/ is none of them.
_MACHINE_PATH = re.compile(r"(?<![\w.}-])/(?:work|workspace|home/[\w-]+|Users/[\w-]+)(?=/|\b(?![\w-]))")

# Where packages come from is the machine's configuration, not the project's.
_REGISTRY = re.compile(
    r"\b(?:(?:files\.)?pythonhosted\.org|pypi\.org/simple|registry\.(?:npmjs\.org|yarnpkg\.com)|proxy\.golang\.org"
    r"|(?:index|registry-1)?\.?docker\.io|quay\.io|ghcr\.io|(?:ftp|deb|security)\.debian\.org)\b"
)

_PLAYBOOK_NAME = re.compile(r"[a-z]+(_[a-z]+)?")
_RULE = re.compile(r"^(?P<target>[a-z][\w-]*)\s*:(?!=)(?P<rest>.*)$", flags=re.MULTILINE)


def machine_paths(path: Path, *, root: Path) -> list[str]:
    """Paths of a machine and hosts of package registries in a file."""
    text = tree.text_of(path)
    if text is None:
        return []
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        hits = [*_MACHINE_PATH.findall(line), *_REGISTRY.findall(line), *([str(root)] if str(root) in line else [])]
        found += [f"{path}:{number}: names {hit}" for hit in dict.fromkeys(hits)]
    return found


def make_targets(makefile: Path) -> dict[str, str]:
    """Each target that can be typed, with its line of help: what follows `##` on its rule; '' when there is none."""
    rules = _RULE.finditer(makefile.read_text(encoding="utf-8"))
    return {rule["target"]: rule["rest"].partition("##")[2].strip() for rule in rules}


def targets_without_help(makefile: Path) -> list[str]:
    """Targets whose rule has no help."""
    return [f"{makefile.name}: target {name} has no help" for name, text in make_targets(makefile).items() if not text]


def badly_named(playbook: Path) -> list[str]:
    """A playbook that is not called verb or verb_noun; a hyphen cannot be called by its full name."""
    if _PLAYBOOK_NAME.fullmatch(playbook.stem):
        return []
    return [f"{playbook.name}: name it verb or verb_noun, in lower case with an underscore"]


def release(root: Path) -> list[str]:
    """How the versions in galaxy.yml and in the changelogs differ, and modules that are from the future."""
    version = str(tree.read(root / "galaxy.yml")["version"])
    changelog = root / "changelogs/changelog.yaml"
    releases = list((tree.read(changelog) or {}).get("releases") or {}) if changelog.is_file() else []
    fragments = list(root.glob("changelogs/fragments/*.y*ml"))
    if releases and max(releases, key=_numbers) == version:
        return []
    # Between two releases galaxy.yml is ahead of the changelog, and the fragments say by what.
    ahead = not releases or _numbers(version) > _numbers(max(releases, key=_numbers))
    if ahead and fragments:
        return []
    return [
        f"galaxy.yml has version {version}, the changelogs {releases or 'no release'} and {len(fragments)} fragments"
    ]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def incomplete_scenarios(scenario: Path) -> list[str]:
    """A scenario that does not converge or does not verify."""
    return [
        f"molecule/{scenario.name}: has no {name}"
        for name in ("molecule.yml", "converge.yml", "verify.yml")
        if not (scenario / name).is_file()
    ]


def would_run(root: Path, target: str) -> list[str]:
    """The commands that `make` would run for a target, those of what it depends on included."""
    result = subprocess.run(
        # A make within a make tells the folder that it enters and leaves, unless told not to.
        ["make", "--no-print-directory", "--dry-run", "--always-make", target],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return [line.strip() for line in result.stdout.splitlines()]


def left_out(root: Path, target: str, scenarios: list[str]) -> list[str]:
    """Scenarios that a make target would not run."""
    commands = would_run(root, target)
    return [
        f"molecule/{name}: make {target} does not run it"
        for name in scenarios
        if f"python tests/tools/scenarios.py run {name}" not in commands
    ]


def unrun_targets(root: Path) -> list[str]:
    """Integration targets that neither ansible-test nor a scenario runs: disabled or unsupported, and named nowhere."""
    scenarios = "\n".join(path.read_text(encoding="utf-8") for path in sorted(root.glob("molecule/*/*.yml")))
    found = []
    for target in tree.targets(root):
        aliases = target / "aliases"
        words = set(aliases.read_text(encoding="utf-8").split()) if aliases.is_file() else set()
        named = re.search(rf"(?<![\w.]){target.name}(?!\w)", scenarios)
        if words & {"disabled", "unsupported", "hidden"} and not named:
            found.append(f"{target.name}: its aliases keep ansible-test from running it, and no scenario does")
    return found


def unparsable(path: Path) -> list[str]:
    """A YAML file that does not parse."""
    try:
        tree.read(path)
    except yaml.YAMLError as error:
        return [f"{path}: {' '.join(str(error).split())}"]
    return []


def repeated_names(root: Path) -> list[str]:
    """Test files of one name in several folders: pytest imports a file by its name, so it could run one of them."""
    known: dict[str, list[str]] = {}
    for path in sorted((root / "tests/unit").rglob("*.py")):
        # Those of pytest itself may be anywhere.
        if path.name != "conftest.py" and not {"__pycache__"} & set(path.parts):
            known.setdefault(path.name, []).append(str(path.parent.relative_to(root)))
    return [f"{name}: is in {' and in '.join(folders)}; rename one" for name, folders in known.items() if folders[1:]]
