#!/usr/bin/env python3
"""Makes the streams that the decoders are compared with, by programs of others: libopus (by ctypes) and FFmpeg (by PyAV).

Run by hand: `pip install av`, a libopus.so.0, then `python3 voice.py` in this folder. Nobody's voice: pulses through three resonances
that move, with pauses. The outputs are committed; tests need neither program.

    voice.g722         G.722 by FFmpeg              voice.g722.sha256  digest of FFmpeg's samples (16 bits, little-endian)
    voice.opus         speech modes, mono           *.opus.pcm         every 37th sample of what libopus decodes
    stereo.opus        music modes, two channels
    voice.l16          a tenth of a second by FFmpeg: its packets of RTP, whole, and so is what its decoder makes of them
                                                    voice.l16.sha256   digest of FFmpeg's samples (16 bits, little-endian)
Packets of Opus stand one behind the other, each after its length in two bytes, little-endian.
"""

import ctypes, fractions, hashlib, math, socket, struct

RATE, SECONDS = 48_000, 5


def voice(seed):
    out, phase, past = [], 0.0, [[0.0, 0.0] for _ in range(3)]
    noise = seed
    for at in range(RATE * SECONDS):
        now = at / RATE
        syllable = math.sin(2 * math.pi * 2.3 * now + seed)
        loud = max(0.0, syllable) ** 0.5
        pitch = 118 + 22 * math.sin(2 * math.pi * 0.7 * now + seed) + 9 * math.sin(2 * math.pi * 5 * now)
        phase += pitch / RATE
        pulse = 1.0 if phase >= 1 else 0.0
        phase -= int(phase)
        noise = (noise * 1103515245 + 12345) & 0x7FFFFFFF
        value = pulse * loud + (noise / 0x40000000 - 1) * 0.0008
        for place, (centre, swing, width) in enumerate([(560, 230, 80), (1400, 500, 110), (2500, 200, 160)]):
            centre += swing * math.sin(2 * math.pi * (1.1 + place * 0.4) * now + seed)
            radius = math.exp(-math.pi * width / RATE)
            a, b = past[place]
            value = value * (1 - radius) * 2.2 + 2 * radius * math.cos(2 * math.pi * centre / RATE) * a - radius * radius * b
            past[place] = [value, a]
        out.append(value)
    most = max(map(abs, out))
    return [int(it / most * 14_000) for it in out]


def words(samples):
    return struct.pack(f"<{len(samples)}h", *samples)


def opus(name, samples, channels, application, bitrate, controls):
    lib = ctypes.CDLL("libopus.so.0")
    lib.opus_encoder_create.restype = lib.opus_decoder_create.restype = ctypes.c_void_p
    error = ctypes.c_int()
    encoder = ctypes.c_void_p(lib.opus_encoder_create(RATE, channels, application, ctypes.byref(error)))
    for request, value in [(4002, bitrate), (4010, 10), *controls]:
        assert lib.opus_encoder_ctl(encoder, ctypes.c_int(request), ctypes.c_int(value)) == 0
    decoder = ctypes.c_void_p(lib.opus_decoder_create(RATE, channels, ctypes.byref(error)))
    frame, room, heard = 960, (ctypes.c_ubyte * 4000)(), (ctypes.c_int16 * 11_520)()
    file, decoded = b"", []
    for at in range(0, len(samples) - frame * channels + 1, frame * channels):
        length = lib.opus_encode(encoder, words(samples[at : at + frame * channels]), frame, room, 4000)
        packet = bytes(room[:length])
        file += struct.pack("<H", length) + packet
        count = lib.opus_decode(decoder, packet, length, heard, 5_760, 0)
        decoded += heard[: count * channels]
    open(f"{name}.opus", "wb").write(file)
    open(f"{name}.opus.pcm", "wb").write(words(decoded[::37]))


def g722(samples):
    import av

    def codec(mode):
        it = av.codec.CodecContext.create("g722", mode)
        it.sample_rate, it.layout = RATE // 3, "mono"
        if mode == "w":
            it.format, it.time_base = "s16", fractions.Fraction(3, RATE)
        return it

    encoder, decoder, codes, heard = codec("w"), codec("r"), b"", b""
    for at in range(0, len(samples) - 319, 320):
        frame = av.AudioFrame(format="s16", layout="mono", samples=320)
        frame.sample_rate, frame.pts = RATE // 3, at
        frame.planes[0].update(words(samples[at : at + 320]))
        codes += b"".join(map(bytes, encoder.encode(frame)))
    for at in range(0, len(codes), 160):
        for frame in decoder.decode(av.packet.Packet(codes[at : at + 160])):
            heard += bytes(frame.planes[0])[: frame.samples * 2]
    open("voice.g722", "wb").write(codes)
    open("voice.g722.sha256", "w").write(hashlib.sha256(heard).hexdigest() + "\n")


def l16(samples, rate):
    import av

    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.bind(("127.0.0.1", 0))
    here.settimeout(1)
    options = {"pkt_size": "1472", "ssrc": "1886351988", "seq": "65533"}
    out = av.open(f"rtp://127.0.0.1:{here.getsockname()[1]}", "w", format="rtp", options=options)
    stream = out.add_stream("pcm_s16be", rate=rate, layout="mono")
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.sample_rate, frame.pts = rate, 0
    frame.planes[0].update(words(samples))
    for packet in [*stream.encode(frame), *stream.encode(None)]:
        out.mux(packet)
    out.close()
    decoder = av.codec.CodecContext.create("pcm_s16be", "r")
    decoder.sample_rate, decoder.layout = rate, "mono"
    file, heard = b"", b""
    while True:
        try:
            packet = here.recv(2048)
        except TimeoutError:
            break
        file += struct.pack("<H", len(packet)) + packet
        for frame in decoder.decode(av.packet.Packet(packet[12:])):
            heard += bytes(frame.planes[0])[: frame.samples * 2]
    open("voice.l16", "wb").write(file)
    open("voice.l16.sha256", "w").write(hashlib.sha256(heard).hexdigest() + "\n")


left, right = voice(1), voice(2)
opus("voice", left, 1, 2048, 24_000, [(4008, 1103), (11002, 1000)])
opus("stereo", [it for both in zip(left[: RATE * 3], right) for it in both], 2, 2049, 40_000, [(11002, 1002)])
g722([sum(left[at : at + 3]) // 3 for at in range(0, len(left) - 2, 3)])
l16(left[20_400:24_810], 44_100)
