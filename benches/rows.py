#!/usr/bin/env python3
"""Writes a made-up flow log of AWS in the default format: rows.py ROWS FLOWS > vpc.log

FLOWS conversations, told of by ROWS rows in turn, both directions, every fiftieth rejected. The same numbers give the same bytes."""
import sys

rows, flows = int(sys.argv[1]), int(sys.argv[2])
out = sys.stdout
out.write("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n")
lines, state = [], 1
for n in range(rows):
    state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
    flow = (state >> 33) % flows
    client = f"10.{flow >> 16 & 255}.{flow >> 8 & 255}.{flow & 255}"
    server = f"198.18.{flow * 7 >> 8 & 255}.{flow * 7 & 255}"
    port = 32768 + flow % 28000
    start = 1700000000 + n // 1000
    count = 1 + (state >> 40) % 900
    ends = f"{client} {server} {port} 443" if state >> 63 else f"{server} {client} 443 {port}"
    action = "REJECT" if flow % 50 == 0 else "ACCEPT"
    lines.append(f"2 123456789010 eni-{flow % 97:017x} {ends} 6 {count} {count * 731} {start} {start + 60} {action} OK\n")
    if len(lines) == 65536:
        out.write("".join(lines))
        lines.clear()
out.write("".join(lines))
