#!/usr/bin/env bash
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ansible-test sanity, without containers, in a copy of the checkout at the place that ansible-test wants.
# Every Python that the collection supports and that is found here is tested. Arguments go to ansible-test.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/.venv/bin/python
home=$PWD/.cache/ansible-test
copy=$home/ansible_collections/dbops/migrations
output=$copy/tests/output # holds environments that are worth keeping

mkdir -p "$output" "$home/.ansible/test/cache"
mv "$output" "$home/output"
rm -rf "$copy"
mkdir -p "$copy/tests"
mv "$home/output" "$output"
git ls-files -z --cached --others --exclude-standard --deduplicate |
  while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
  tar --create --null --files-from=- | tar --extract --directory="$copy"
# ansible-test asks Git for the files: without a repository of its own, that would be the checkout, which ignores them.
git init --quiet "$copy"

# ansible-test fetches pip's installer from a host that not every network reaches. Python has one built in.
version=$("$python" - <<'PYTHON'
import re
from pathlib import Path
import ansible_test
source = Path(ansible_test.__path__[0], "_internal/python_requirements.py").read_text()
print(re.search(r"pip=.(\d+\.\d+)", source)[1].replace(".", "_"))
PYTHON
)
echo 'import ensurepip; ensurepip.bootstrap(upgrade=True)' >"$home/.ansible/test/cache/get_pip_$version.py"

# Interpreters that pyenv has installed are found by their names only when they are in the search path.
for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin; do
  PATH=$PATH:$folder
done
cd "$copy"
HOME=$home PATH=${python%/*}:$PATH exec "${python%/*}/ansible-test" sanity --venv --color no "$@"
