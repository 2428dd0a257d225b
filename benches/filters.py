#!/usr/bin/env python3
"""Holds capture filters against tcpdump's: as many frames of each capture must be admitted.

  benches/filters.py [--farshore target/release/farshore] FOLDER|FILE...

Every filter below is put to tcpdump and to farshore, over every capture that tcpdump reads. What both read, both must count alike, and what is no filter
to tcpdump on any link must be none to farshore. What tcpdump refuses on some links alone (addresses of Ethernet where there are none) is left out.
Needs tcpdump.
"""

import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys

FILTERS = r"""
tcp
udp
icmp
icmp6
arp
ip
ip6
sctp
tcp port 80 or 443
port 53
not port 53 and not port 443
udp portrange 1000-5000
src port 443
dst port 443
src or dst port 443
src and dst port 53
port 80 or (tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 192.168.0.0/16)
net 192.168
net 10
net 10.0.0.0/8
net 172.16.0.0 mask 255.240.0.0
src net 192.168.0.0/16 and not dst net 192.168.0.0/16
host 192.168.1.1
host 8.8.8.8 or 8.8.4.4
ip host 8.8.8.8
arp host 192.168.1.1
net fe80::/10
ip6 multicast
ip multicast
ether multicast
broadcast
multicast
ether proto 0x0800
ether proto \\ip6
ether[0] & 1 != 0
ip proto 17
ip proto \\tcp
ip6 proto 58
proto 6
less 100
greater 1000
len > 500
len - 14 >= 40 and len % 2 = 1
ip[0] & 0xf != 5
ip[6:2] & 0x1fff != 0
ip[2:2] > 576
tcp[13] & 3 != 0
tcp[tcpflags] == tcp-syn
tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn|tcp-ack
tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420
icmp[icmptype] = icmp-echo
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp6[icmp6type] = icmp6-neighborsolicit
udp[4:2] > 100
udp[8] >= 0xc0
udp[200] = 0
not udp[200] = 0
vlan
vlan and tcp
vlan 100
vlan and vlan
not vlan and ip
vlan or ip
ip or vlan and ip
tcp or udp and port 53
tcp or (udp and port 53)
(tcp or udp) and not (port 53 or port 443)
ip6 and udp port 443
1 = 1
1 + 2 * 3 = 7
8 >> 1 & 4 = 4
-1 > 5
tcp and ! port 443 && greater 60 || icmp
ether host ff:ff:ff:ff:ff:ff
ether dst ff:ff:ff:ff:ff:ff
igmp
esp or ah
pim
port (80 or 443)
tcp port 80 and not (8.8.8.8)
host fe80::1 or net 2001:db8::/32
ether src ff:ff:ff:ff:ff:ff or ether multicast
ip[8] % 7 = 1
(ip[0] & 0xf) * 4 = 24
len - ip[2:2] = 14
port http or https
vlan 100 and vlan 5 and udp
host 8.8.8.8/24
net 2001:db8::1/32
vlan 5000
4294967296 = 1
8.8.8.8
tcp 80
tcp or 443
port 70000
net 10.0.0.1/8
host
tcp and
(tcp
udp[0:3] = 1
ip[0] / 0 = 1
""".strip().splitlines()


def tcpdump(path, text):
    """Frames that it writes, or None if it refuses; and whether it does so for the link alone."""
    done = subprocess.run(["tcpdump", "-n", "-r", str(path), "-w", "-", "--", text], capture_output=True)
    said = done.stderr.decode("utf-8", "replace")
    if "rejects all packets" in said:
        return 0, False
    if done.returncode != 0:
        return None, any(it in said for it in ("supported only on", "No VLAN support", "no VLAN support", "not a broadcast link"))
    data, at, count = done.stdout, 24, 0
    order = "<" if data[:1] in (b"\xd4", b"\x4d") else ">"
    while at + 16 <= len(data):
        at += 16 + struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        count += 1
    return count, False


def farshore(program, path, text):
    """Frames that it reads, or None if it refuses."""
    done = subprocess.run([program, "audit", str(path), f"--filter={text}", "-q", "--format=json"], capture_output=True)
    if done.returncode != 0:
        return None
    frames = json.loads(done.stdout)["coverage"]["frames"]
    return frames["total"] - frames.get("filtered", 0)


def captures(paths):
    for path in map(pathlib.Path, paths):
        for it in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if it.suffix in (".pcap", ".pcapng", ".cap") and it.stat().st_size < 20_000_000:
                yield it


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--farshore", default="target/release/farshore")
    args = parser.parse_args()
    os.environ["FARSHORE_DATA"] = "/nonexistent"
    asked = other = skipped = 0
    for path in captures(args.paths):
        if tcpdump(path, "")[0] is None:
            skipped += 1
            continue
        for text in FILTERS:
            (theirs, of_link), ours = tcpdump(path, text), farshore(args.farshore, path, text)
            if of_link:
                continue
            asked += 1
            if theirs != ours:
                other += 1
                print(f"{path}: {text!r}: tcpdump {theirs}, farshore {ours}")
    print(f"{asked} answers, {other} differ; {skipped} captures that tcpdump does not read were left out")
    sys.exit(1 if other or not asked else 0)


main()
