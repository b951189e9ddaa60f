#!/usr/bin/env bash
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Run the given targets of the Makefile one after the other, also after a failure, and say how each went.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
failures=0
summary=""
for target in "$@"; do
  printf '\n===== make %s\n' "$target"
  start=$SECONDS
  if make --no-print-directory "$target"; then
    outcome=passed
  else
    outcome=FAILED
    failures=$((failures + 1))
  fi
  summary+=$(printf '%-12s %-7s %4d s' "$target" "$outcome" $((SECONDS - start)))$'\n'
done
printf '\n===== What ran\n%s' "$summary"
exit $((failures > 0))
