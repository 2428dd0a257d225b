#!/usr/bin/env python3
"""Holds audits of captures with split paths to their rule: nothing is struck out but by a ServerHello's round trip.

  benches/split.py FOLDER [--farshore target/release/farshore]

Every capture under FOLDER is audited as if taken in London. Of those where a SYN was answered within 5 ms and the ServerHello took
more than 15 ms, each country struck out must rest on the quickest ServerHello of its address, and the split must be said aloud.
"""

import argparse
import json
import pathlib
import subprocess
import sys

LONDON = "51.507,-0.128"
# Larger captures take long and bring nothing new.
LARGEST = 30_000_000


def audited(farshore, path):
    """The audit of a capture as JSON, or nothing of a file that is none."""
    command = [farshore, "audit", "--vantage", LONDON, "--format", "json", "--with", "flows", path]
    done = subprocess.run(command, capture_output=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def wrong(audit):
    """Flows with a split path, and what is wrong with the audit."""
    trips = [(it["server"]["ip"], it["rtt"]["transport_ms"], it["rtt"]["end_to_end_ms"]) for it in audit["flows"]]
    split = [ip for ip, syn, hello in trips if syn is not None and hello is not None and syn < 5 and hello > 15]
    if not split:
        return 0, []
    best = {}
    for ip, _, hello in trips:
        if hello is not None:
            best[ip] = min(hello, best.get(ip, hello))
    faults = []
    if not any(it["kind"] == "split-path" for it in audit["anomalies"]):
        faults.append("the split path is not said aloud")
    for place in (place for it in audit["destinations"] for place in it["places"]):
        for row in place["location"]["excluded"]:
            hello = best.get(place["address"])
            if row["because"] != "end-to-end rtt" or hello is None or abs(hello - row["rtt_ms"]) > 0.001:
                faults.append(f"{place['address']}: {row} rests on no ServerHello")
    return len(split), faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--farshore", default="target/release/farshore")
    options = parser.parse_args()
    captures = [it for it in sorted(options.folder.rglob("*")) if it.is_file() and it.stat().st_size <= LARGEST]
    captures = [it for it in captures if it.suffix in (".pcap", ".pcapng", ".cap")]
    found = failed = 0
    for path in captures:
        audit = audited(options.farshore, path)
        flows, faults = wrong(audit) if audit else (0, [])
        found += flows > 0
        failed += bool(faults)
        if flows:
            print(f"{path.name}: {flows} flows with a split path{'' if faults else ', as it should be'}")
        for fault in faults:
            print(f"  WRONG: {fault}")
    print(f"{found} of {len(captures)} captures have split paths, {failed} of them are judged by anything but a ServerHello")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
