#!/usr/bin/env python3
"""Round trips of a real pair: two network namespaces, a relay that delays, a live capture, an audit of it.

  benches/pair.py [--farshore target/release/farshore]
  benches/pair.py --ready    # why it cannot run here, or nothing

The relay takes the connection at once, as a middle box does, and passes every piece on after half of the time set, either way:
the SYN is answered in no time, the ServerHello takes the whole. From each capture, said to be taken in London, the audit must
strike out what stands farther than light goes in that time, by the distances below, which were measured on the outlines by
other means, and nothing that stands nearer. No SYN-ACK may strike out anything.

Needs root, iproute2 with network namespaces, tcpdump and openssl. Where one is missing it says so and exits 77.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

LONDON = "51.507,-0.128"
SERVER = "130.149.7.1"
# Kilometres from London to the nearest point of each (Natural Earth 1:50m).
NEAREST = {"GB": 0, "FR": 143, "NL": 241, "DE": 420, "RU": 1356, "US": 4755, "CN": 5633, "HK": 9596, "SG": 10834}
# Kilometres that light goes in vacuum in a millisecond, there and back.
SPEED = 149.9
# Milliseconds that the relay takes in all, and who is too far then by hand: 149.9 km for each of them, and for the few that
# programs need on top.
CASES = {
    3: {"RU", "US", "CN", "HK", "SG"},
    10: {"US", "CN", "HK", "SG"},
    40: {"HK", "SG"},
    120: set(),
}


def least(code):
    """What an audit may make of a distance: outlines are coarse, and the globe is no sphere."""
    return NEAREST[code] * 0.994 - 50


def missing():
    """Why this cannot run here, or nothing."""
    if os.geteuid() != 0:
        return "not root: network namespaces and live captures need it"
    for tool in ("ip", "tcpdump", "openssl"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    name = f"farshore-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode:
        return f"no network namespaces here: ip netns add says {tried.stderr.strip()!r}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


def relay(delay, ready):
    """Accepts on the server's address and passes pieces on to the real server, each half of `delay` seconds later."""
    listener = socket.create_server((SERVER, 443))
    ready.set()
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", 4433))
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=pipe, args=(one, other, delay / 2), daemon=True).start()


def pipe(one, other, delay):
    while piece := one.recv(65536):
        time.sleep(delay)
        other.sendall(piece)
    try:
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def far_side(delay):
    """Runs in the namespace of the server: the server, and the relay before it."""
    ready = threading.Event()
    threading.Thread(target=relay, args=(delay, ready), daemon=True).start()
    ready.wait()
    print("ready", flush=True)
    signal.pause()


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def captured(delay, scratch, near, far):
    """A capture of some connections through a relay that takes `delay` milliseconds."""
    capture = scratch / f"delay-{delay}.pcap"
    inside = ("ip", "netns", "exec")
    certificate = ("-cert", scratch / "cert.pem", "-key", scratch / "key.pem")
    running = []
    try:
        server = (*inside, far, "openssl", "s_server", "-quiet", "-accept", "127.0.0.1:4433", *certificate)
        running.append(subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        side = subprocess.Popen((*inside, far, sys.executable, __file__, "--far-side", str(delay / 1e3)), stdout=subprocess.PIPE)
        running.append(side)
        side.stdout.readline()
        watch = (*inside, near, "tcpdump", "-i", "near", "-U", "--immediate-mode", "-w", capture, "tcp")
        watching = subprocess.Popen(watch, stderr=subprocess.PIPE)
        running.append(watching)
        watching.stderr.readline()
        for _ in range(5):
            client = (*inside, near, "openssl", "s_client", "-connect", f"{SERVER}:443", "-servername", "far.example.net")
            subprocess.run(client, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
        time.sleep(0.5)
        watching.send_signal(signal.SIGINT)
        watching.wait(10)
    finally:
        for it in running:
            it.terminate()
            it.wait()
    return capture


def judged(farshore, delay, capture):
    """What is wrong with the audit of a capture, line by line."""
    told = run(farshore, "audit", "--vantage", LONDON, "--format", "json", "--with", "flows", capture, capture_output=True)
    audit = json.loads(told.stdout)
    flows = [it["rtt"] for it in audit["flows"] if it["server"]["ip"] == SERVER]
    ends = [it["end_to_end_ms"] for it in flows if it["end_to_end_ms"] is not None]
    syns = [it["transport_ms"] for it in flows if it["transport_ms"] is not None]
    if not ends or not syns:
        return [f"no round trips were seen: {flows}"], ""
    place = next(place for it in audit["destinations"] for place in it["places"] if place["address"] == SERVER)
    excluded = {it["country"]: it for it in place["location"]["excluded"]}
    out, best = set(excluded), min(ends)
    wrong = []
    if best < delay:
        wrong.append(f"a ServerHello after {best} ms, sooner than the relay passes it on")
    # By hand, for the time that was set, and for the time it took.
    could = {code for code, km in NEAREST.items() if km < best * SPEED}
    must = {code for code in NEAREST if least(code) > math.ceil((best + 0.01) * SPEED)}
    if best < delay * 1.05 + 1.0 and not CASES[delay] <= out:
        wrong.append(f"not struck out: {sorted(CASES[delay] - out)}")
    if not must <= out:
        wrong.append(f"not struck out for {best} ms: {sorted(must - out)}")
    if could & out:
        wrong.append(f"struck out within reach of {best} ms: {sorted(could & out)}")
    for code in out & NEAREST.keys():
        row = excluded[code]
        if row["because"] != "end-to-end rtt" or abs(row["rtt_ms"] - best) > 0.001:
            wrong.append(f"{code} rests on {row}")
        if not best * SPEED <= row["max_km"] <= math.ceil((best + 0.01) * SPEED):
            wrong.append(f"{code}: {row['max_km']} km are not {SPEED} for each of {best} ms and two ticks")
        if not least(code) <= row["nearest_km"] <= NEAREST[code] + 5:
            wrong.append(f"{code} is said to be {row['nearest_km']} km away")
    if min(syns) * 2 < min(ends) and not any(it["kind"] == "split-path" for it in audit["anomalies"]):
        wrong.append("nothing is said of the SYN that was answered on the way")
    summary = f"SYN-ACK {min(syns):.3f} ms, ServerHello {best:.3f} ms; of {len(NEAREST)} struck out: {' '.join(sorted(out & NEAREST.keys())) or 'none'}"
    return wrong, summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--farshore", default="target/release/farshore")
    parser.add_argument("--ready", action="store_true")
    parser.add_argument("--far-side", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.far_side is not None:
        return far_side(options.far_side)
    why = missing()
    if options.ready:
        print(why or "", end="")
        return 0
    if why:
        print(f"cannot run: {why}")
        return 77
    near, far = (f"farshore-{side}-{os.getpid()}" for side in ("near", "far"))
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o777)
        made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=far.example.net")
        run(*made, "-keyout", scratch / "key.pem", "-out", scratch / "cert.pem", capture_output=True)
        try:
            for name in (near, far):
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "link", "add", "near", "netns", near, "type", "veth", "peer", "name", "far", "netns", far)
            for name, link, address in ((near, "near", "10.9.0.2/24"), (far, "far", "10.9.0.1/24")):
                run("ip", "-n", name, "address", "add", address, "dev", link)
                run("ip", "-n", name, "link", "set", link, "up")
            run("ip", "-n", far, "address", "add", f"{SERVER}/32", "dev", "lo")
            run("ip", "-n", near, "route", "add", "default", "via", "10.9.0.1")
            for delay in CASES:
                wrong, summary = judged(options.farshore, delay, captured(delay, scratch, near, far))
                print(f"relay {delay:3d} ms: {summary}")
                for line in wrong:
                    failed = True
                    print(f"  WRONG: {line}")
        finally:
            for name in (near, far):
                subprocess.run(("ip", "netns", "del", name), capture_output=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
