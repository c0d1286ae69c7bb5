#!/usr/bin/env bash
# What a run at -vvv with diff prints has no passphrase in it, and neither has a command line or an environment meanwhile.
set -euo pipefail

work=$(mktemp -d)
trap 'touch "$work/stop"; wait; rm -rf "$work"' EXIT
cat >"$work/secrets.json" <<'JSON'
{
  "root": "root-Zei3oocha7Ahghae",
  "issuing": "issuing-oht8ooChi4Eireit",
  "devices": "devices-Aequ0eephaiw1iew",
  "archive": "archive-ieNg7aiJoh4aequo",
  "wrong": "wrong-Quee1OhNgahph5sa"
}
JSON

python watch.py "$work/secrets.json" "$work/seen" "$work/stop" &
watcher=$!
ansible-playbook play.yml -vvv --diff -i localhost, -c local -e "ansible_python_interpreter=$(command -v python) work=$work" \
    -e "secrets_file=$work/secrets.json" >"$work/log" 2>&1 || { sed 's/^/play: /' "$work/log"; exit 1; }
touch "$work/stop"
wait "$watcher"

cat "$work/seen"
# Proof that the watcher saw the modules at all.
grep --quiet '^processes with AnsiballZ: [1-9]' "$work/seen"
grep --quiet '^secrets in processes: none$' "$work/seen"
python - "$work/secrets.json" "$work/log" <<'PYTHON'
import json
import sys

secrets, log = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
found = [name for name, secret in json.loads(secrets).items() if secret in log]
assert "module_args" in log, "the log shows no arguments of modules, so it proves nothing"
assert not found, f"the log has the passphrases {found}"
PYTHON
