# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule sets for a host at 10.99.0.1 and fd99::1, which is asked by 10.99.0.2, 10.99.0.3 and fd99::2 over fw0.

It waits at TCP 22, 80, 443, 3306 and 8080, and at UDP 53 and 161.
"""

from __future__ import annotations

from typing import NamedTuple


class RuleSet(NamedTuple):
    """What a tool is given.

    :ivar tool: nft, iptables-restore, ip6tables-restore, or an older one with -legacy.
    :ivar unclear: how many of the 21 probes the model may leave open.
    """

    name: str
    tool: str
    text: str
    unclear: int = 0


def _nft(*rules: str, policy: str = "drop", more: str = "", table: str = "inet filter") -> str:
    body = "\n".join(rules)
    return (
        f"table {table} {{\n{more}\nchain input {{ type filter hook input priority 0; policy {policy};\n{body}\n}}\n}}"
    )


def _iptables(*rules: str, policy: str = "DROP", chains: str = "", output: str = "ACCEPT") -> str:
    body = "\n".join(rules)
    return f"*filter\n:INPUT {policy} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT {output} [0:0]\n{chains}\n{body}\nCOMMIT\n"


_NEIGHBOURS = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
_OLD = f"ct state established,related accept\n{_NEIGHBOURS}"
_OLD_IPTABLES = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"

#: The first ones run always, the others in make test-firewalls.
RULE_SETS = [
    RuleSet(
        "nft: what a web server has",
        "nft",
        _nft("ct state invalid drop", _OLD, 'iifname "lo" accept', "tcp dport { 80, 443 } accept", "reject"),
    ),
    RuleSet(
        "nft: who may ask is in sets, and where it goes in maps",
        "nft",
        _nft(
            "ct state vmap { established : accept, related : accept, invalid : drop }",
            _NEIGHBOURS,
            "ip saddr @admins tcp dport 22 accept",
            "meta l4proto . th dport vmap { tcp . 80 : jump web, udp . 53 : accept, tcp . 3306 : jump refused }",
            more="set admins { type ipv4_addr; flags interval; elements = { 10.99.0.3, 10.1.0.0/16 } }\n"
            "chain web { ip saddr 10.99.0.2 drop; accept; }\nchain refused { reject; }",
        ),
    ),
    RuleSet(
        "iptables: what a database server has",
        "iptables-restore",
        _iptables(
            _OLD_IPTABLES,
            "-A INPUT -i lo -j ACCEPT",
            "-A INPUT -s 10.99.0.3/32 -p tcp -m tcp --dport 3306 -j ACCEPT",
            "-A INPUT -p tcp -m multiport --dports 22,8000:8100 -j ACCEPT",
            "-A INPUT -p udp -j REJECT",
        ),
    ),
    RuleSet(
        "iptables: chains of one's own",
        "iptables-restore",
        _iptables(
            _OLD_IPTABLES,
            "-A INPUT -p tcp -j services",
            "-A INPUT -g last",
            "-A services ! -s 10.99.0.2/32 -p tcp --dport 22 -j RETURN",
            "-A services -p tcp --dport 22 -j ACCEPT",
            "-A services -p tcp --dport 80 -j ACCEPT",
            "-A last -p udp --dport 53 -j ACCEPT",
            "-A last -p tcp -j REJECT --reject-with tcp-reset",
            chains=":services - [0:0]\n:last - [0:0]",
        ),
    ),
    RuleSet(
        "nft: what cannot be told is not told",
        "nft",
        _nft(
            _OLD,
            "tcp dport 22 limit rate 1/minute burst 100 packets accept",
            "tcp dport 80 tcp flags syn accept",
            "udp dport 53 meta mark 7 accept",
        ),
        unclear=9,
    ),
    RuleSet(
        "iptables-legacy: the older kind",
        "iptables-legacy-restore",
        _iptables(
            _OLD_IPTABLES,
            "-A INPUT -p tcp --dport 80 -j ACCEPT",
            "-A INPUT -p udp -s 10.99.0.0/31 -j ACCEPT",
        ),
    ),
    # From here on in a target of their own.
    RuleSet("nft: nothing but a policy", "nft", _nft()),
    RuleSet("nft: everything passes", "nft", _nft(policy="accept")),
    RuleSet("nft: ranges and what is not one", "nft", _nft(_OLD, "tcp dport 80-443 accept", "udp dport != 53 accept")),
    RuleSet("nft: not from there", "nft", _nft("ip saddr != 10.99.0.3 tcp dport 22 drop", policy="accept")),
    RuleSet("nft: not from a network", "nft", _nft("ip saddr != 10.99.0.2/31 drop", policy="accept")),
    RuleSet("nft: IPv6 only", "nft", _nft("meta nfproto ipv6 accept", _OLD)),
    RuleSet("nft: IPv4 only", "nft", _nft("meta protocol ip accept", _OLD)),
    RuleSet(
        "nft: a table of IPv4", "nft", _nft("ct state established accept", "tcp dport 22 accept", table="ip filter")
    ),
    RuleSet("nft: a table of IPv6", "nft", _nft(_OLD, "ip6 saddr fd99::/64 tcp dport 22 accept", table="ip6 filter")),
    RuleSet("nft: by interface", "nft", _nft('iifname "fw*" tcp dport 22 accept', 'iifname != "fw0" accept', _OLD)),
    RuleSet(
        "nft: two tables, of which both must agree",
        "nft",
        _nft(_OLD, "tcp dport { 22, 80 } accept")
        + "\ntable ip other { chain early { type filter hook input priority -10; policy accept;\n"
        "tcp dport 80 drop\n}\n}",
    ),
    RuleSet(
        "nft: before the way is chosen",
        "nft",
        "table inet raw { chain pre { type filter hook prerouting priority raw; policy accept;\n"
        "ip saddr 10.99.0.3 drop\n}\n}",
    ),
    RuleSet(
        "nft: the answer is not let out",
        "nft",
        "table inet out { chain output { type filter hook output priority 0; policy accept;\n"
        "tcp sport 80 drop\nudp sport 53 reject\n}\n}",
    ),
    RuleSet(
        "nft: only what has begun is let out",
        "nft",
        _nft("tcp dport 22 accept", _OLD)
        + "\ntable inet out { chain output { type filter hook output priority 0; policy drop;\n"
        "ct state established accept\nmeta l4proto ipv6-icmp accept\n}\n}",
    ),
    RuleSet(
        "nft: refused, in every way there is",
        "nft",
        _nft(
            "tcp dport 22 reject with tcp reset",
            "tcp dport 80 reject with icmpx type admin-prohibited",
            "reject",
            policy="accept",
        ),
        unclear=7,
    ),
    RuleSet(
        "nft: goto does not come back",
        "nft",
        _nft(
            _OLD,
            "tcp dport 22 goto one",
            "accept",
            more="chain one { ip saddr 10.99.0.2 accept; }",
        ),
    ),
    RuleSet(
        "nft: jump comes back",
        "nft",
        _nft(
            _OLD,
            "tcp dport 22 jump one",
            "tcp dport 22 accept",
            more="chain one { ip saddr 10.99.0.2 return; drop; }",
        ),
    ),
    RuleSet(
        "nft: pairs",
        "nft",
        _nft(
            _OLD,
            "ip saddr . tcp dport { 10.99.0.2 . 22, 10.99.0.3 . 80 } accept",
            "ip6 saddr fd99::2 tcp dport 443 accept",
        ),
    ),
    RuleSet(
        "nft: destinations", "nft", _nft(_OLD, "ip daddr 10.99.0.1 tcp dport 22 accept", "ip6 daddr fd99::5 accept")
    ),
    RuleSet(
        "nft: both conditions on one side",
        "nft",
        _nft(
            _OLD,
            "ip saddr 10.99.0.0/24 ip saddr != 10.99.0.3 tcp dport 22 accept",
            "udp sport 1-65535 udp dport 53 accept",
        ),
        unclear=5,
    ),
    RuleSet("nft: a marked packet", "nft", _nft(_OLD, 'meta mark set 5 counter log prefix "x" accept')),
    RuleSet(
        "nft: another host gets it",
        "nft",
        "table ip nat { chain pre { type nat hook prerouting priority -100;\n"
        "tcp dport 80 redirect to :8080\ntcp dport 443 dnat to 10.99.0.77\n}\n}",
        unclear=4,
    ),
    RuleSet(
        "nft: what was for another port",
        "nft",
        _nft(_OLD, "ct status dnat accept", "tcp dport 22 accept")
        + "\ntable ip nat { chain pre { type nat hook prerouting priority -100; tcp dport 80 redirect to :8080\n}\n}",
        unclear=2,
    ),
    RuleSet(
        "nft: no tracking",
        "nft",
        _nft(
            _OLD,
            "tcp dport 22 accept",
            more="chain pre { type filter hook prerouting priority raw; tcp dport 22 notrack; }",
        ),
        unclear=3,
    ),
    RuleSet(
        "nft: device",
        "nft",
        "table netdev early { chain in { type filter hook ingress device fw0 priority 0;\ntcp dport 80 drop\n}\n}",
        unclear=21,
    ),
    RuleSet("iptables: nothing but a policy", "iptables-restore", _iptables()),
    RuleSet(
        "iptables: state, the older word",
        "iptables-restore",
        _iptables(
            "-A INPUT -m state --state NEW -p tcp --dport 22 -j ACCEPT",
            "-A INPUT -m state ! --state NEW -j ACCEPT",
        ),
    ),
    RuleSet(
        "iptables: not these ports",
        "iptables-restore",
        _iptables(
            _OLD_IPTABLES,
            "-A INPUT -p tcp ! --dport 1:100 -j ACCEPT",
            "-A INPUT -p udp -m multiport ! --dports 53 -j ACCEPT",
        ),
    ),
    RuleSet(
        "iptables: a range of addresses",
        "iptables-restore",
        _iptables(
            _OLD_IPTABLES,
            "-A INPUT -m iprange --src-range 10.99.0.3-10.99.0.9 -j ACCEPT",
        ),
    ),
    RuleSet(
        "iptables: SYN, a limit and a mark",
        "iptables-restore",
        _iptables(
            _OLD_IPTABLES,
            "-A INPUT -p tcp --dport 22 --syn -j ACCEPT",
            "-A INPUT -m limit --limit 9/s -j ACCEPT",
            "-A INPUT -j MARK --set-mark 1",
            "-A INPUT -p tcp --dport 80 -m comment --comment \"web: a 'b'\" -j ACCEPT",
        ),
        unclear=12,
    ),
    RuleSet(
        "iptables: nothing goes out",
        "iptables-restore",
        _iptables(
            _OLD_IPTABLES,
            "-A INPUT -p tcp -j ACCEPT",
            "-A OUTPUT -p tcp --sport 22 -j ACCEPT",
            output="DROP",
        ),
    ),
    RuleSet(
        "iptables: by interface",
        "iptables-restore",
        _iptables(
            "-A INPUT -i fw+ -p tcp -j ACCEPT",
            "-A INPUT ! -i lo -p udp --dport 161 -j ACCEPT",
        ),
    ),
    RuleSet(
        "ip6tables: IPv6 has rules of its own",
        "ip6tables-restore",
        _iptables(
            "-A INPUT -p ipv6-icmp -j ACCEPT",
            "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
            "-A INPUT -s fd99::2/128 -p tcp --dport 443 -j ACCEPT",
        ),
    ),
]
#: How many run always.
SHARE = 6
