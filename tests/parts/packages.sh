#!/usr/bin/env bash
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Install the system's packages that are missing: for the demo (packages.sh demo), for the tests, which are those of the
# demo and more (packages.sh test), or for the documentation (packages.sh docs).
# What is there already is left as it is: nothing is upgraded, replaced, started or switched on.
set -euo pipefail

# for | how to see that it is there | Debian's packages | CentOS's packages
needs='
demo|python3 -c "import ensurepip, venv"|python3-venv|python3.12
demo|command -v mariadbd /usr/libexec/mariadbd|mariadb-server-core mariadb-client-core|mariadb-server
demo|command -v sshd|openssh-server|openssh-server
demo|command -v ssh-keygen|openssh-client|openssh-clients
demo|command -v git|git|git
demo|command -v setpriv|util-linux|util-linux-core
test|test -e /usr/share/i18n/locales/en_US|locales|glibc-locale-source
docs|command -v dot|graphviz|graphviz
test|command -v curl|curl|curl
test|command -v gpg|gnupg|gnupg2
test|command -v shellcheck|shellcheck|ShellCheck
test|command -v debootstrap|debootstrap|debootstrap
test|command -v socat|socat|socat
test|command -v ip|iproute2|iproute
test|command -v nft|nftables|nftables
test|command -v iptables-save|iptables|iptables-nft
'
# A plain account does not have these in its path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing() {
  local column=3 purpose probe debian centos
  [[ $1 = dnf ]] && column=4
  while IFS='|' read -r purpose probe debian centos; do
    [[ -n $purpose && ($purpose = "$2" || ($purpose = demo && $2 = test)) ]] || continue
    eval "$probe" >/dev/null 2>&1 || if [[ $column = 3 ]]; then echo "$debian"; else echo "$centos"; fi
  done <<<"$needs"
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "These packages are missing: ${packages[*]}. Install them, or run this as root or with sudo." >&2
    exit 1
  fi
}

install_with_apt() {
  # Debian starts a service as soon as it is installed, unless this file forbids it.
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    # shellcheck disable=SC2064 # The value of now is wanted.
    trap "as_root rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
  fi
  as_root apt-get update --quiet
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet \
    --no-install-recommends --no-upgrade --no-remove "${packages[@]}"
}

if command -v apt-get >/dev/null; then
  manager=apt unit=ssh
elif command -v dnf >/dev/null; then
  manager=dnf unit=sshd
else
  echo "Neither apt-get nor dnf is there to install packages with." >&2
  exit 1
fi
read -r -a packages <<<"$(missing $manager "${1:-demo}" | tr '\n' ' ')"
[[ ${#packages[@]} -eq 0 ]] && exit 0

echo "Installing the packages ${packages[*]}"
if [[ $manager = apt ]]; then
  install_with_apt
else
  as_root dnf install --assumeyes "${packages[@]}"
fi
# Installed for us to run manually; the machine is not to run an SSH server of its own from the next boot on.
if [[ " ${packages[*]} " = *" openssh-server "* ]] && command -v systemctl >/dev/null; then
  as_root systemctl disable --quiet $unit || true
fi
