#!/usr/bin/env python3
"""One large capture of many small ones, to measure speed on.

  benches/mix.py FOLDER OUT.pcap [--copies 72] [--rounds 1]

Every Ethernet frame of the captures under FOLDER is written COPIES times, each copy between addresses of its own, so that
flows multiply with the copies. ROUNDS repeats all of that later in time between the same addresses: more frames, the same
flows. Checksums are left as they were. Needs editcap, which comes with Wireshark.
"""

import argparse
import pathlib
import struct
import subprocess
import tempfile

ETHERNET = 1


def frames_of(folder):
    """All Ethernet frames under a folder, files in the order of their paths; what editcap cannot read is left out."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(it for it in pathlib.Path(folder).rglob("*") if it.is_file()):
            plain = pathlib.Path(scratch, "plain.pcap")
            if subprocess.run(["editcap", "-F", "pcap", path, plain], capture_output=True).returncode:
                continue
            data = plain.read_bytes()
            if len(data) < 24 or struct.unpack_from("<I", data, 20)[0] != ETHERNET:
                continue
            at = 24
            while at + 16 <= len(data):
                (length,) = struct.unpack_from("<I", data, at + 8)
                frame = data[at + 16 : at + 16 + length]
                at += 16 + length
                if len(frame) >= 14:
                    yield frame


def moved(frame, copy):
    """The frame between other addresses: one byte of each end's is shifted, in IPv4 the second, in IPv6 the eighth."""
    spots = {b"\x08\x00": (27, 31), b"\x86\xdd": (29, 45)}.get(frame[12:14], ())
    if not copy or not spots or len(frame) <= spots[1]:
        return frame
    frame = bytearray(frame)
    for spot in spots:
        frame[spot] = (frame[spot] + copy) & 255
    return frame


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("out")
    arguments.add_argument("--copies", type=int, default=72, choices=range(1, 257), metavar="1-256")
    arguments.add_argument("--rounds", type=int, default=1)
    given = arguments.parse_args()
    frames = list(frames_of(given.folder))
    now = 1_700_000_000_000_000
    with open(given.out, "wb", buffering=1 << 22) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, ETHERNET))
        for _ in range(given.rounds):
            for copy in range(given.copies):
                for frame in frames:
                    now += 2
                    frame = moved(frame, copy)
                    out.write(struct.pack("<IIII", now // 1_000_000, now % 1_000_000, len(frame), len(frame)))
                    out.write(frame)
    print(f"{given.out}: {len(frames) * given.copies * given.rounds} frames")


if __name__ == "__main__":
    main()
