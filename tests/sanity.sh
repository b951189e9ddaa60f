#!/usr/bin/env bash
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ansible-test sanity, without containers, in a copy of the checkout at the place that ansible-test wants.
# Every Python that the collection supports and that is found here is tested. Arguments go to ansible-test.
# PROGRAMS names the folder of another ansible-core's programs than those in .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${PROGRAMS:-$PWD/.venv/bin}
core=$("$programs/python" -c 'import ansible.release; print(ansible.release.__version__)')
home=$PWD/.cache/ansible-test/$core
copy=$home/ansible_collections/dbops/migrations
output=$copy/tests/output # holds environments that are worth keeping

mkdir -p "$output" "$home/.ansible/test/cache"
mv "$output" "$home/output"
rm -rf "$copy"
mkdir -p "$copy/tests"
mv "$home/output" "$output"
# Files that are there for their bytes, and not for anybody's style, are left out.
git ls-files -z --cached --others --exclude-standard --deduplicate -- . \
  ':!tests/unit/migration/cases' ':!tests/integration/migration/cases' |
  while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
  tar --create --null --files-from=- | tar --extract --directory="$copy"
# ansible-test asks Git for the files: without a repository of its own, that would be the checkout, which ignores them.
git init --quiet "$copy"

# ansible-test fetches pip's installer from a host that not every network reaches. Python has one built in.
ansible_test=$("$programs/python" -c 'import ansible_test; print(ansible_test.__path__[0])')
version=$(sed -nE "s/^ +pip='([0-9.]+)',.*/\\1/p; T; q" "$ansible_test/_internal/python_requirements.py")
echo 'import ensurepip; ensurepip.bootstrap(upgrade=True)' >"$home/.ansible/test/cache/get_pip_${version//./_}.py"

# The newest pylint test takes a library from a host that is not a package registry, and not every network reaches it.
skip=()
while IFS=: read -r file address; do
  address=${address# @ } test=${file#sanity.} test=${test%.txt}
  if ! "$programs/python" -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=10)' "$address" 2>/dev/null; then
    echo "Not run: sanity test \"$test\": it needs a file from $address, which cannot be reached."
    skip+=(--skip-test "$test")
  fi
done < <(cd "$ansible_test/_data/requirements" && grep -HoE ' @ https://[^/]+' sanity.*.txt | sort -u)

# Interpreters that pyenv has installed are found by their names only when they are in the search path.
for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin; do
  PATH=$PATH:$folder
done
cd "$copy"
HOME=$home PATH=$programs:$PATH exec "$programs/ansible-test" sanity --venv --color no "${skip[@]}" "$@"
