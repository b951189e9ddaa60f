#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_survey
short_description: Survey what a host runs and which hosts it communicates with
version_added: 0.2.0
description:
  - Observes a Linux host for a while and returns its operating system and hardware, the services that run on it, the
    ports on which they listen, and the hosts with which they communicate.
  - Nothing is installed or changed on the host. The module only needs Python's standard library.
  - Root sees every process. Other accounts only see the sockets of their own processes. RV(survey.unseen) lists what
    could not be seen. It is missing from the rest of the result, which does not mean that it does not exist.
  - A connection is seen if it is open when a sample is taken. Of the connections between two samples, those that this
    host closed first are seen, and those that connection tracking knows, if it is enabled and the module runs as root.
    Both are checked every 20 seconds. The service that opened such a connection is unknown.
  - The kernel is queried over netlink, as C(ss) does. This may load the kernel modules C(tcp_diag) and C(udp_diag). If
    netlink is not available, C(/proc/net) is read.
  - Secrets in command lines are replaced by C(********). The environment variables of processes are never read.
  - C(nft), C(iptables-save), C(dpkg-query) and C(rpm) are run once if they are installed.
  - Root also observes the network namespaces of containers. If there are many, they are sampled in turns.
  - With O(mysql=true), the module also logs in to a MySQL or MariaDB server from the host, and queries its version,
    schemas, connections and replication. Only C(SELECT) and C(SHOW) are used. No rows of your tables, no texts of
    statements and no passwords of accounts are read. In the descriptions of the login options, the runner is the host.
extends_documentation_fragment:
  - dbops.migrations._server
  - dbops.migrations._aws
  - dbops.migrations._attributes
  - dbops.migrations._attributes.info_module
attributes:
  check_mode:
    details: This module changes nothing. In check mode, it takes the same time and returns the same result.
  platform:
    details: Linux only.
requirements:
  - PyMySQL, with O(mysql=true); boto3, if the secret is stored in AWS
author:
  - The dbops.migrations contributors (@dbops)
options:
  duration:
    description:
      - The duration of the survey in seconds, at least 1.
      - Use C(async) if O(duration) is longer than the timeout of the connection.
    type: int
    default: 30
  interval:
    description:
      - The time between two samples in seconds, at least 0.1 and at most O(duration).
      - The first sample is taken immediately, and another one after each interval. If a sample takes longer than the
        interval, the next one is skipped.
    type: float
    default: 1
  mysql:
    description:
      - Also query a database server, for RV(survey.mysql). All options except O(duration) and O(interval) are about
        this server.
      - This requires PyMySQL for the host's Python; the package of the distribution is sufficient (tested with 0.10 and
        later). It also requires boto3 if the secret is stored in AWS.
      - The account does not need privileges to read data. To see everything, it needs C(PROCESS), C(SHOW DATABASES),
        C(SHOW VIEW) and C(REPLICATION CLIENT) (C(SLAVE MONITOR) on MariaDB 10.5 and later) on the whole server, and
        C(SELECT) on C(performance_schema.session_connect_attrs).
      - RV(survey.unseen) lists what the account may not see, with the missing privilege. A failed login is listed
        there, too, and does not affect the rest of the survey.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Survey the host for 30 seconds
  dbops.migrations.host_survey:
  become: true
  register: look

- name: Show which addresses are connected to the database
  ansible.builtin.debug:
    msg: "{{ look.survey.flows | selectattr('port', 'eq', 3306) | map(attribute='remote_address') | unique }}"

- name: Survey the host for ten minutes, with two samples per second
  dbops.migrations.host_survey:
    duration: 600
    interval: 0.5
  become: true
  async: 900
  poll: 10
  register: look

- name: Also query the database server on the host
  dbops.migrations.host_survey:
    mysql: true
    login_unix_socket: /run/mysqld/mysqld.sock
    login_user: root
  become: true
  register: look

- name: Query it with an account whose password is stored in a secret
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
    - The result of the survey. Times are in UTC, for example C(2026-11-27T21:00:00Z). A null value means unknown or
      none.
    - Texts come from the host and may contain anything but control characters. Do not render them as HTML or Markdown.
  returned: success
  type: dict
  contains:
    schema_version:
      description: The version of this structure.
      type: int
      returned: success
      sample: 1
    host:
      description: The host name. Replace it by the name in the inventory before you store the survey.
      type: str
      returned: success
      sample: web1
    run:
      description: The start time of the survey. Replace it by a name that all hosts of a run share.
      type: str
      returned: success
      sample: 20261127T210000Z
    started:
      description: The start time.
      type: str
      returned: success
      sample: "2026-11-27T21:00:00Z"
    ended:
      description: The end time.
      type: str
      returned: success
      sample: "2026-11-27T21:00:30Z"
    duration:
      description: The value of O(duration).
      type: float
      returned: success
      sample: 30.0
    interval:
      description: The value of O(interval).
      type: float
      returned: success
      sample: 1.0
    samples:
      description: The number of samples that were taken.
      type: int
      returned: success
      sample: 31
    privileged:
      description: Whether the module ran as root and could read all processes.
      type: bool
      returned: success
      sample: true
    unseen:
      description: What could not be seen, with the reason RV(ignore:why) and the RV(ignore:remedy).
      type: list
      elements: dict
      returned: success
      sample:
        - what: firewall
          why: Only root may read the firewall's rules.
          remedy: "Run the module as root (become: true), with nft or iptables-save on the host."
    identity:
      description: The host name, network interfaces, operating system, kernel and hardware.
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
        - The processes, grouped by program (for interpreters, by script or module), account, systemd unit and
          container. Other parts of the result refer to a service by its RV(ignore:id).
        - RV(ignore:memory_bytes) is the resident memory, RV(ignore:cpu_seconds) the processor time used during the
          survey, and RV(ignore:processes) the maximum number of processes.
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
      description:
        - The ports on which services listen. If RV(ignore:loopback) is true, only the host itself can reach the port.
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
        - The connections between a service and an address over a port.
        - RV(ignore:direction) is V(in) if the other side opened the connections, V(out) if this host did, V(local) if
          both ends are on this host (RV(ignore:peer_service) is then the server), and V(unknown) otherwise.
        - RV(ignore:port) is the port of the server. RV(ignore:samples) is the number of samples in which a connection
          was open, RV(ignore:connections) the maximum number of connections; both are 0 if only the end of a
          connection was seen.
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
      description: Connections between two services over Unix sockets. A path that starts with C(@) is not a file.
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
        - The rules of nftables and iptables in a common format. If RV(ignore:seen) is false, the rules are unknown.
        - A rule matches packets that meet all of its conditions. An empty list means any. If RV(ignore:complete)
          is false, RV(ignore:text) contains further conditions, so that the rule may match fewer packets.
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
        - The mounted file systems. The sizes of network file systems are not queried and are zero.
        - RV(ignore:volumes) are the block devices, with their parent devices.
        - RV(ignore:data) are the known data directories of services, with the total size of their files. Counting stops
          after 100,000 files or 20 seconds; RV(ignore:partial) is then true, and the size is a minimum.
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
        - Scheduled jobs, which are enabled systemd timers and the entries of cron and anacron.
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
      description: The entries of C(/etc/hosts), and the name servers and search domains in C(/etc/resolv.conf).
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
        - Information from the database server. Null without O(mysql=true), or if the login failed.
        - RV(ignore:schemas) does not contain C(information_schema) and C(performance_schema). Sizes are estimates of
          the server, and null if the query took more than 20 seconds.
        - RV(ignore:accounts) are the accounts that were connected at the end of the survey, with the number of
          connections for each address, program and schema.
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
        # Last, so that this connection is not part of the survey.
        found, unseen = ask(module)
        document = document._replace(mysql=found, unseen=document.unseen + unseen)
    return {"survey": as_data(document), "changed": False}


def ask(module: AnsibleModule) -> tuple[Optional[MySQL], list[Unseen]]:
    """Query the database server; a failure must not affect the rest of the survey."""
    # The library is only needed if a database is queried.
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
