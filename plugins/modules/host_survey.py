#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_survey
short_description: Look at what a host runs and with whom it talks
version_added: 0.2.0
description:
  - Looks at a Linux host for a while and returns what it is, which services run on it, where they listen, and with whom
    they talk.
  - Nothing is installed on the host, and nothing is changed there. Python's own library is all that is used.
  - Root sees every process. Another account sees the sockets of its own processes only. What could not be seen is
    listed in RV(survey.unseen), and is absent from the rest, not empty.
  - A connection is seen if it is open at one of the samples. Of those in between, the ones that this host closed first
    are seen, and all that connection tracking knows, if the host tracks connections and the account is root. Both are
    looked at every 20 seconds. Who asked is not known of them.
  - The kernel is asked over netlink, as C(ss) does, which may load its modules C(tcp_diag) and C(udp_diag). Where it
    does not answer, C(/proc/net) is read.
  - Secrets in command lines are replaced by C(********). The environments of processes are never read.
  - The host's own C(nft), C(iptables-save), C(dpkg-query) and C(rpm) are asked once, where they are there.
  - Root looks into the network namespaces of containers, too. Where there are many, they take turns.
  - With O(mysql=true) it also logs in to a MySQL or MariaDB server, from the host, and asks what that says of itself.
    Only C(SELECT) and C(SHOW) are used. No row of a table, no text of a statement and no password of an account is
    read. Where the options of the login speak of a runner, it is the host.
extends_documentation_fragment:
  - dbops.migrations._server
  - dbops.migrations._aws
  - dbops.migrations._attributes
  - dbops.migrations._attributes.info_module
attributes:
  check_mode:
    details: This module changes nothing. It takes as long in check mode, and returns the same.
  platform:
    details: Linux only.
requirements:
  - PyMySQL, with O(mysql=true); boto3 only where AWS is asked
author:
  - The dbops.migrations contributors (@dbops)
options:
  duration:
    description:
      - For how many seconds to look, at least 1.
      - With O(duration) above the timeout of the connection, use C(async).
    type: int
    default: 30
  interval:
    description:
      - The seconds between two samples, at least 0.1 and at most O(duration).
      - There is a sample at once and one after each interval. If a sample takes longer than that, the next is left out.
    type: float
    default: 1
  mysql:
    description:
      - Whether to ask a database server, too, for RV(survey.mysql). All other options are for that.
      - This needs PyMySQL in the host's Python, for which the package of the distribution will do (0.10 and later were
        tried); and boto3, if AWS has the secret. Without it neither is needed.
      - The account needs no right to read data. V(PROCESS), V(SHOW DATABASES), V(SHOW VIEW) and V(REPLICATION CLIENT)
        (of MariaDB 10.5 and later V(SLAVE MONITOR)) on the whole server, and V(SELECT) on
        C(performance_schema.session_connect_attrs), show all that there is.
      - What the account may not see is in RV(survey.unseen), with the right that it lacks. So is a login that fails,
        and the rest of the survey is as without it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at the host for half a minute
  dbops.migrations.host_survey:
  become: true
  register: look

- name: Show who is connected to the database
  ansible.builtin.debug:
    msg: "{{ look.survey.flows | selectattr('port', 'eq', 3306) | map(attribute='remote_address') | unique }}"

- name: Look for ten minutes, and often
  dbops.migrations.host_survey:
    duration: 600
    interval: 0.5
  become: true
  async: 900
  poll: 10
  register: look

- name: Ask the database server on the host, too
  dbops.migrations.host_survey:
    mysql: true
    login_unix_socket: /run/mysqld/mysqld.sock
    login_user: root
  become: true
  register: look

- name: Ask it as an account whose password is in a secret
  dbops.migrations.host_survey:
    mysql: true
    login_host: 127.0.0.1
    login_secret:
      id: prod/survey
    region: eu-central-1
  become: true
  register: look
"""

RETURN = r"""
survey:
  description:
    - What was found. Times are UTC, as C(2026-11-27T21:00:00Z). What is null is not known, or there is none.
    - Texts come from the host and may hold anything but control characters. Do not show them as HTML or Markdown.
  returned: success
  type: dict
  contains:
    schema_version:
      description: The version of this structure.
      type: int
      returned: success
      sample: 1
    host:
      description: The host's own name. Put the inventory's name here before keeping the survey.
      type: str
      returned: success
      sample: web1
    run:
      description: When this run began. Put a name here that all hosts of one run share.
      type: str
      returned: success
      sample: 20261127T210000Z
    started:
      description: When it began.
      type: str
      returned: success
      sample: "2026-11-27T21:00:00Z"
    ended:
      description: When it ended.
      type: str
      returned: success
      sample: "2026-11-27T21:00:30Z"
    duration:
      description: O(duration).
      type: float
      returned: success
      sample: 30.0
    interval:
      description: O(interval).
      type: float
      returned: success
      sample: 1.0
    samples:
      description: How many samples were taken.
      type: int
      returned: success
      sample: 31
    privileged:
      description: Whether it ran as root and no process was closed to it.
      type: bool
      returned: success
      sample: true
    unseen:
      description: What could not be looked at, RV(ignore:what), RV(ignore:why), and the RV(ignore:remedy).
      type: list
      elements: dict
      returned: success
      sample:
        - what: firewall
          why: Only root may read the firewall's rules.
          remedy: "Run the module as root (become: true), with nft or iptables-save on the host."
    identity:
      description: The host's name, interfaces with addresses, operating system, kernel and machine.
      type: dict
      returned: success
      sample:
        hostname: web1
        interfaces:
          - name: eth0
            addresses: [10.0.0.5/24]
        os_name: Debian GNU/Linux 12 (bookworm)
        os_id: debian
        os_version: "12"
        kernel: 6.1.0-30-amd64
        architecture: x86_64
        virtualization: kvm
        vendor: QEMU
        product: Standard PC
        processors: 2
        memory_bytes: 4294967296
        uptime_seconds: 86400
    services:
      description:
        - The processes, grouped by program (of an interpreter, its script or module), account, systemd unit and
          container. Other parts name a service by its RV(ignore:id).
        - RV(ignore:memory_bytes) is resident memory, RV(ignore:cpu_seconds) what was used while it was looked at,
          RV(ignore:processes) the most at one time.
      type: list
      elements: dict
      returned: success
      sample:
        - id: gunicorn@shop/shop.service
          program: python3.11
          name: gunicorn
          user: shop
          unit: shop.service
          container:
          package: python3.11-minimal
          version: 3.11.2-6+deb12u5
          executable: /usr/bin/python3.11
          command: /usr/bin/python3 -m gunicorn shop.wsgi
          processes: 5
          started: "2026-11-20T08:00:00Z"
          memory_bytes: 104857600
          cpu_seconds: 1.5
    listeners:
      description: Where services wait. With RV(ignore:loopback) only the host itself reaches it.
      type: list
      elements: dict
      returned: success
      sample:
        - service: gunicorn@shop/shop.service
          protocol: tcp
          address: 0.0.0.0
          port: 8000
          loopback: false
          namespace:
    flows:
      description:
        - The conversations of one service with one address over one port.
        - RV(ignore:direction) is V(in) if the others began, V(out) if this host did, V(local) if both ends are on this
          host (RV(ignore:peer_service) is the one that was asked), and V(unknown) if nothing tells.
        - RV(ignore:port) is that of the side that waited. RV(ignore:samples) is at how many samples it was open,
          RV(ignore:connections) the most at one time; both are 0 if only its end was seen.
      type: list
      elements: dict
      returned: success
      sample:
        - service: gunicorn@shop/shop.service
          direction: out
          protocol: tcp
          local_address: 10.0.0.5
          remote_address: 10.0.0.9
          port: 3306
          peer_service:
          established: true
          first_seen: "2026-11-27T21:00:00Z"
          last_seen: "2026-11-27T21:00:30Z"
          samples: 31
          connections: 4
          sources: [netlink]
          translated:
          namespace:
    unix_flows:
      description: Connections over Unix sockets between two services. A path that begins with C(@) is no file.
      type: list
      elements: dict
      returned: success
      sample:
        - client: php-fpm@www-data/php8.2-fpm.service
          server: mariadbd@mysql/mariadb.service
          path: /run/mysqld/mysqld.sock
          samples: 31
    firewall:
      description:
        - The rules of nftables and iptables, in one model. If RV(ignore:seen) is false, nothing is known of them.
        - A rule matches what fits each of its conditions, and an empty list is none. If RV(ignore:complete) is false,
          there are more conditions in RV(ignore:text), and it may match less.
      type: dict
      returned: success
      sample:
        seen: true
        managers: []
        tables:
          - family: inet
            name: filter
            source: nft
            chains:
              - name: input
                hook: input
                kind: filter
                priority: 0
                policy: drop
                rules:
                  - protocols: [tcp]
                    ports: [[80, 80], [443, 443]]
                    source_ports: []
                    sources: [10.0.0.0/8]
                    destinations: []
                    input_interfaces: []
                    output_interfaces: []
                    states: []
                    verdict: accept
                    target:
                    text: "ip saddr 10.0.0.0/8 tcp dport { 80, 443 } accept"
                    complete: true
    storage:
      description:
        - The mounted file systems. Network file systems are not asked for their size, which is zero.
        - RV(ignore:volumes) are the block devices, with those that they lie on.
        - RV(ignore:data) are the directories of services that are known to keep data, with the bytes that their files
          take. After 100,000 files or 20 seconds RV(ignore:partial) is true, and it is at least as much.
      type: dict
      returned: success
      sample:
        mounts:
          - path: /
            type: ext4
            source: /dev/vda1
            network: false
            read_only: false
            size_bytes: 21474836480
            used_bytes: 4294967296
        volumes:
          - name: vda1
            type: part
            size_bytes: 21474836480
            parents: [vda]
        data:
          - service: mariadbd@mysql/mariadb.service
            path: /var/lib/mysql
            size_bytes: 1073741824
            partial: false
    schedules:
      description:
        - What the clock starts, which are timers of systemd that are enabled, and the tables of cron and anacron.
      type: list
      elements: dict
      returned: success
      sample:
        - kind: cron
          name: /etc/cron.d/backup
          when: 0 3 * * *
          user: backup
          command: /usr/local/bin/backup
    resolution:
      description: The lines of C(/etc/hosts), and the name servers and search domains of C(/etc/resolv.conf).
      type: dict
      returned: success
      sample:
        hosts:
          - address: 10.0.0.9
            names: [db1, db1.example.com]
        nameservers: [10.0.0.53]
        search: [example.com]
    mysql:
      description:
        - What the database server says of itself. Null without O(mysql=true), and if the login failed.
        - Of RV(ignore:schemas), C(information_schema) and C(performance_schema) are left out. Sizes are what the server
          estimates, and null if that took more than 20 seconds.
        - RV(ignore:accounts) are those that were connected when it was asked, counted by address, program and schema.
        - RV(ignore:replication) is V(source), V(replica), V(both) or V(none); null if the account may not see it.
      type: dict
      returned: success
      sample:
        version: 10.11.11-MariaDB
        flavour: mariadb
        schemas:
          - name: shop
            size_bytes: 1073741824
            tables: 84
        accounts:
          - user: shop
            host: 10.0.0.5
            program: gunicorn
            schema: shop
            connections: 4
        replication: replica
        source: "10.0.0.10:3306"
"""

import math
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import SERVER
from ansible_collections.dbops.migrations.plugins.module_utils._secret.arguments import AWS, PROOF
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.database import Server, database
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.look import survey
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import MySQL, Unseen, as_data

SPEC = (
    ArgumentSpec(
        {
            "duration": {"type": "int", "default": 30},
            "interval": {"type": "float", "default": 1},
            "mysql": {"type": "bool", "default": False},
        }
    )
    + SERVER
    + PROOF
    + AWS
)


def look(module: AnsibleModule) -> dict[str, Any]:
    duration, interval = module.params["duration"], module.params["interval"]
    if duration < 1:
        raise Error(2501, f"The duration is {duration}. Give at least 1 second.")
    if not math.isfinite(interval) or not 0.1 <= interval <= duration:
        raise Error(
            2502, f"The interval is {interval}. Give at least 0.1 seconds, and at most the duration ({duration})."
        )
    try:
        document = survey(duration, interval)
    except OSError as error:
        raise Error(
            2503, f"What the kernel shows of this host cannot be read: {error}. It needs Linux, with /proc."
        ) from error
    if module.params["mysql"]:
        # Afterwards: this connection is none of the host's own.
        found, unseen = ask(module)
        document = document._replace(mysql=found, unseen=document.unseen + unseen)
    return {"survey": as_data(document), "changed": False}


def ask(module: AnsibleModule) -> tuple[Optional[MySQL], list[Unseen]]:
    """Ask the database server; whatever keeps it from answering is no reason to lose the rest."""
    # A host that is not asked for a database need not have the library.
    from ansible_collections.dbops.migrations.plugins.module_utils._login import Login  # noqa: PLC0415
    from ansible_collections.dbops.migrations.plugins.module_utils._mysql.rights import everywhere  # noqa: PLC0415

    try:
        with Login(module, schema=False).session() as session:
            held = everywhere(session)
            return database(Server(session.query, session.server, session.mariadb, session.version, held))
    except Error as error:
        why = f"The database server was not asked: {error}"
        return None, [Unseen("mysql", why, "Correct the survey's login, or leave mysql out.")]


def main() -> None:
    run_module(SPEC, look)


if __name__ == "__main__":
    main()
