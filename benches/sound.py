#!/usr/bin/env python3
"""Holds the sound that `--extract audio` writes to what other programs make of the same packets.

  benches/sound.py CAPTURE... [--farshore target/release/farshore]

tshark takes the packets of RTP out of each capture, FFmpeg (by PyAV: `pip install av`) decodes them. Of each WAV file the length is held
to the clock of its packets (within 1 %), and its samples to FFmpeg's: G.711, G.722 and L16 to the last bit, Opus, which others compute in
floating point, to a hundredth of full scale (see ERROR). What tshark does not see is not compared: streams under SRTP, or inside TURN.
Streams of G.711 and G.722 that tshark sees, and that became no file, are listed with what the audit says of them.
"""

import argparse
import array
import collections
import json
import pathlib
import subprocess
import sys
import tempfile
import wave

import av

# Codec by the end of a file's name: FFmpeg's decoder, samples a second, samples for each tick of the clock.
CODECS = {"pcmu": ("pcm_mulaw", 8_000, 1), "pcma": ("pcm_alaw", 8_000, 1), "g722": ("g722", 16_000, 2), "opus": ("libopus", 48_000, 1), "l16": ("pcm_s16be", 44_100, 1)}
# Samples of Opus may differ by so much.
ERROR = 328


def packets(capture):
    """Packets of RTP by sender and source: sequence number, timestamp, payload."""
    fields = ["ip.src", "ipv6.src", "udp.srcport", "tcp.srcport", "rtp.ssrc", "rtp.p_type", "rtp.seq", "rtp.timestamp", "rtp.payload"]
    command = ["tshark", "-r", capture, "--enable-heuristic", "rtp_udp", "-Y", "rtp && !icmp", "-T", "fields", "-E", "occurrence=f"]
    done = subprocess.run(command + [it for field in fields for it in ("-e", field)], capture_output=True, text=True)
    streams = collections.defaultdict(dict)
    for line in done.stdout.splitlines():
        *sender, ssrc, kind, number, time, payload = line.split("\t")
        if payload:
            stream = streams[int(ssrc, 16), int(kind), tuple(sender)]
            stream.setdefault(int(number), (int(time), bytes.fromhex(payload)))
    return streams


def unwrapped(stream):
    """In order, with numbers and times that do not begin anew."""
    def near(value, last, bits):
        ahead = (value - last + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
        return last + ahead

    number, time, out = None, None, []
    for at, (clock, payload) in stream.items():
        number, time = (at, clock) if number is None else (near(at, number, 16), near(clock, time, 32))
        out.append((number, time, payload))
    return sorted(out)


def decoded(codec, channels, stream):
    """Samples of each packet, in order."""
    name, rate, _ = CODECS[codec]
    context = av.codec.CodecContext.create(name, "r")
    context.sample_rate, context.layout = rate, "stereo" if channels == 2 else "mono"
    for _, _, payload in stream:
        samples = array.array("h")
        for frame in context.decode(av.packet.Packet(payload)):
            assert frame.format.name == "s16" and frame.sample_rate == rate, (frame.format.name, frame.sample_rate)
            samples.frombytes(bytes(frame.planes[0])[: frame.samples * channels * 2])
        yield samples


def held(file, streams):
    """What one file comes to: words, and whether all is well."""
    *_, ssrc, codec = file.stem.split("-")
    with wave.open(str(file)) as it:
        channels, rate = it.getnchannels(), it.getframerate()
        ours = array.array("h", it.readframes(it.getnframes()))
    if codec not in CODECS:
        return f"{file.name}: nothing here decodes it", False
    _, their_rate, by_tick = CODECS[codec]
    best = None
    for (number, _, _), stream in streams.items():
        if number != int(ssrc, 16):
            continue
        stream = unwrapped(stream)
        all_samples = list(decoded(codec, channels, stream))
        first, last = stream[0][1], stream[-1][1]
        length = (last - first) * by_tick * channels + len(all_samples[-1])
        worst = 0
        for (_, time, _), samples in zip(stream, all_samples):
            at = (time - first) * by_tick * channels
            worst = max([worst] + [abs(a - b) for a, b in zip(ours[at : at + len(samples)], samples)])
        found = (abs(len(ours) - length) / max(1, length), worst, len(stream), length)
        best = min(best or found, found)
    if best is None:
        return f"{file.name}: tshark sees no such source", None
    off, worst, count, length = best
    good = rate == their_rate and off <= 0.01 and worst <= (ERROR if codec == "opus" else 0)
    seconds = len(ours) / channels / rate
    return f"{file.name}: {count} packets, {seconds:.2f} s, {off:.2%} off the clock, samples differ by at most {worst}", good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captures", nargs="+", type=pathlib.Path)
    parser.add_argument("--farshore", default="target/release/farshore")
    given = parser.parse_args()
    counts = collections.Counter()
    for capture in given.captures:
        with tempfile.TemporaryDirectory() as folder:
            command = [given.farshore, "audit", "-q", "--format", "json", "--with", "observations", "--extract", "audio", folder, capture]
            done = subprocess.run(command, capture_output=True)
            told = json.loads(done.stdout)["observations"] if done.returncode == 0 else []
            files = sorted(pathlib.Path(folder).glob("*.wav"))
            streams = packets(capture) if any(it["kind"] == "media" for it in told) else {}
            for file in files:
                words, good = held(file, streams)
                counts[good] += 1
                print({True: "ok ", False: "NOT", None: " - "}[good], capture.name, words)
        written = {int(file.stem.split("-")[-2], 16) for file in files}
        for (ssrc, kind, _), stream in streams.items():
            if kind in (0, 8, 9) and ssrc not in written and len(stream) > 4:
                why = [it.get("because") or it["recoverable"] for it in told if it["kind"] == "media" and it["ssrc"] == ssrc]
                print(f"none {capture.name} {ssrc:08x}, {len(stream)} packets of type {kind}:", *why or ["not told"])
                counts["none"] += 1
    print(f"{counts[True]} of {counts[True] + counts[False]} files are what others make of the packets, {counts[None]} were not compared;")
    print(f"{counts['none']} streams became no file")
    return 0 if counts[True] and not counts[False] else 1


if __name__ == "__main__":
    sys.exit(main())
