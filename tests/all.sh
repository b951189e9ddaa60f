#!/usr/bin/env bash
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Run targets of the Makefile and say at the end how each went. Each argument is a list of targets that run one after
# the other, also after a failure; the lists run side by side. A target's output is printed when it has ended.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
# Ctrl-C reaches the targets as well; they are waited for.
trap 'echo Interrupted. >&2; wait; exit 130' INT TERM

run() {
  local start=$SECONDS outcome=passed
  echo "===== make $1: started"
  make --no-print-directory "$1" >"$folder/$1.log" 2>&1 </dev/null || outcome=FAILED
  {
    flock 9
    printf '\n===== make %s\n' "$1"
    cat "$folder/$1.log"
    printf '===== make %s: %s\n' "$1" $outcome
    # What this system cannot have is said again at the end.
    grep --extended-regexp '^(SKIPPED|Not run: |Python 3\.[0-9]+ is missing)' "$folder/$1.log" >>"$folder/without"
    printf '%-12s %-7s %4d s\n' "$1" $outcome $((SECONDS - start)) >>"$folder/summary"
  } 9>"$folder/lock"
}

for list in "$@"; do
  for target in $list; do run "$target"; done &
done
wait
printf '\n===== What ran, in %d s\n' $SECONDS
cat "$folder/summary"
if [[ -s $folder/without ]]; then
  printf '\n===== What this system cannot have\n'
  sort --unique "$folder/without"
fi
! grep --quiet FAILED "$folder/summary"
