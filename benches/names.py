#!/usr/bin/env python3
"""Names that farshore and tshark read from the same captures: how many of each other's they have, and where.

  benches/names.py FOLDER [--farshore target/release/farshore] [--each]

Every capture in the folder is read by both, without keys. A name counts once for each capture; it is in its place if the frame
that tshark tells lies where farshore says that the fact stood. Neither is the truth: what they disagree about is listed, to be looked
at by hand. --each lists all of it, not the first ten of each kind. Needs tshark (Debian: tshark).
"""
import argparse
import collections
import hashlib
import json
import pathlib
import subprocess

FIELDS = ["frame.number", "frame.protocols", "dns.flags.response", "dns.qry.name", "tls.handshake.extensions_server_name", "gquic.tag.sni",
          "tls.handshake.ja3", "http.request.method", "http.host", "tls.handshake.certificate"]
CAPTURES = (".pcap", ".pcapng", ".cap", ".trace", ".pcap.gz", ".pcapng.gz")
# What tshark writes for the name of the root, which nobody is called by.
NO_NAME = {"", "<root>"}


def plain(name):
    return name.rstrip(".").lower()


def host(name):
    name = plain(name)
    if name.startswith("["):
        return name.split("]")[0] + "]"
    head, _, port = name.rpartition(":")
    return head if name.count(":") == 1 and port.isdigit() else name


def run(command):
    """What it prints, or None where it fails or takes more than two minutes."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def by_tshark(file):
    """kind -> name -> frames, or None where tshark cannot read the file."""
    command = ["tshark", "-n", "-r", file, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=\x1f"]
    for field in FIELDS:
        command += ["-e", field]
    done = run(command)
    if done is None:
        return None
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for line in done.decode("utf-8", "replace").split("\n"):
        cells = line.split("\t")
        if len(cells) != len(FIELDS):
            continue
        row = dict(zip(FIELDS, ([part for part in cell.split("\x1f") if part] for cell in cells)))
        frame, layers = int(row["frame.number"][0]), row["frame.protocols"][0].split(":")
        if "dns" in layers and row["dns.flags.response"] and row["dns.flags.response"][0] in ("0", "False"):
            for name in row["dns.qry.name"]:
                found["dns-query"][plain(name)].add(frame)
        for name in row["tls.handshake.extensions_server_name"] + row["gquic.tag.sni"]:
            found["server-name"][plain(name)].add(frame)
        for value in row["tls.handshake.ja3"]:
            found["ja3"][value].add(frame)
        if row["http.request.method"] and not {"tls", "quic"} & set(layers):
            for name in row["http.host"]:
                found["http-host"][host(name)].add(frame)
        for der in row["tls.handshake.certificate"]:
            found["certificate"][hashlib.sha256(bytes.fromhex(der.replace(":", ""))).hexdigest()].add(frame)
    return found


def by_farshore(program, file):
    """kind -> name -> spans of frames, or None where farshore cannot read the file."""
    command = [program, "audit", file, "--format", "json", "--with", "observations", "--show-pii", "-q"]
    done = run(command)
    if done is None:
        return None
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for it in json.loads(done)["observations"]:
        span = (it.get("first_frame", it["frame"]), it["frame"])
        kind = it["kind"]
        if kind == "dns-query" and it["protocol"] in ("dns", "doh", "dot", "doq"):
            found[kind][plain(it["name"])].append(span)
        elif kind == "server-name" and it["protocol"] in ("tls", "quic", "gquic"):
            found[kind][plain(it["name"])].append(span)
        elif kind == "http-request" and it.get("host") and not it["decrypted"]:
            found["http-host"][host(it["host"])].append(span)
        elif kind == "tls" and it.get("ja3"):
            found["ja3"][it["ja3"]].append(span)
        elif kind == "certificate":
            found[kind][it["sha256"]].append(span)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--farshore", default="target/release/farshore")
    parser.add_argument("--each", action="store_true")
    asked = parser.parse_args()
    files = sorted(it for it in asked.folder.rglob("*") if it.is_file() and it.name.lower().endswith(CAPTURES))
    if not files:
        parser.error(f"{asked.folder}: no capture in it")
    counts = collections.defaultdict(collections.Counter)
    apart = collections.defaultdict(list)
    unread = collections.Counter()
    for file in files:
        theirs, ours = by_tshark(file), by_farshore(asked.farshore, file)
        if theirs is None or ours is None:
            unread["both" if theirs is ours else "tshark" if theirs is None else "farshore"] += 1
            continue
        for kind in sorted({*theirs, *ours}):
            it = counts[kind]
            for name, frames in sorted(theirs[kind].items()):
                if name in NO_NAME:
                    continue
                spans = ours[kind].get(name)
                it["tshark"] += 1
                it["both"] += spans is not None
                if spans is None:
                    apart[kind].append(f"only tshark   {file.name}, frame {min(frames)}: {name!r}")
                else:
                    it["placed"] += any(first <= frame <= last for frame in frames for first, last in spans)
            for name, spans in sorted(ours[kind].items()):
                it["farshore"] += 1
                if name not in theirs[kind]:
                    apart[kind].append(f"only farshore {file.name}, frame {spans[0][1]}: {name!r}")
    print(f"{len(files)} captures" + "".join(f", {times} not read by {who}" for who, times in sorted(unread.items())))
    for kind, it in sorted(counts.items()):
        share = lambda part, whole: f"{it[part] / it[whole]:.4f}" if it[whole] else "  --  "
        print(f"{kind:12} tshark {it['tshark']:6}  farshore {it['farshore']:6}  of tshark's {share('both', 'tshark')}"
              f"  of farshore's {share('both', 'farshore')}  in its frame {share('placed', 'both')}")
        for line in apart[kind] if asked.each else apart[kind][:10]:
            print(f"    {line}")


main()
