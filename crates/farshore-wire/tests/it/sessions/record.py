#!/usr/bin/env python3
"""Records the sessions that tests/it/sessions.rs opens: programs that know nothing of farshore talk to each other over a relay.

    python3 record.py [NAME...]

writes NAME.bin (flights: a byte for the side, two for the length, the bytes) and the lines of its key log to NAME.keys, beside this
file. Needs openssl 3.0, gnutls-bin, node 20, ngtcp2-client and -server, and for QUIC aioquic 1.x in the Python that runs it. Certificates are made anew each
time; nothing here is secret.
"""

import asyncio
import os
import pathlib
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
WORK = pathlib.Path(tempfile.mkdtemp())
UP, DOWN = 0, 1


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more)


def certificates():
    for name, key in (("rsa", ["-newkey", "rsa:1024"]), ("ec", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])):
        run("openssl", "req", "-x509", *key, "-nodes", "-days", "3650", "-subj", f"/CN=server.{name}.example", "-sha256",
            "-keyout", f"{WORK}/{name}.key", "-out", f"{WORK}/{name}.pem")
    # The national suites of Russia: nothing here opens them, and that has to be said by name.
    run("certtool", "--generate-privkey", "--key-type", "gost12-256", "--outfile", f"{WORK}/gost.key")
    (WORK / "template").write_text("cn = server.gost.example\nexpiration_days = 3650\n")
    run("certtool", "--generate-self-signed", "--load-privkey", f"{WORK}/gost.key", "--template", f"{WORK}/template", "--outfile", f"{WORK}/gost.pem")
    (WORK / "hello").write_text("heard\n")
    (WORK / "conf").write_text("openssl_conf = c\n[c]\nssl_conf = s\n[s]\nsystem_default = d\n[d]\nCipherString = ALL:COMPLEMENTOFALL:@SECLEVEL=0\n")


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Relay(threading.Thread):
    """Passes on what one connection says, and writes it down."""

    def __init__(self, server, datagrams=False):
        super().__init__(daemon=True)
        self.server, self.datagrams, self.said = ("127.0.0.1", server), datagrams, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        if not datagrams:
            self.socket.listen(1)
        self.start()

    def run(self):
        if self.datagrams:
            return self.pass_datagrams()
        client, _ = self.socket.accept()
        server = socket.create_connection(self.server)
        ends = {client: (UP, server), server: (DOWN, client)}
        while ends:
            for s in select.select(list(ends), [], [], 5)[0] or list(ends):
                side, other = ends[s]
                try:
                    data = s.recv(16384)
                except OSError:
                    data = b""
                if not data:
                    del ends[s]
                    try:
                        other.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    continue
                self.said.append((side, data))
                try:
                    other.sendall(data)
                except OSError:
                    pass

    def pass_datagrams(self):
        # The client may come from another port: that is told by a side of its own.
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        clients, latest = [], 0
        while True:
            for s in select.select([self.socket, out], [], [])[0]:
                data, who = s.recvfrom(65535)
                if s is self.socket:
                    if who not in clients:
                        clients.append(who)
                    latest = clients.index(who)
                    self.said.append((UP + 2 * latest, data))
                    out.sendto(data, self.server)
                else:
                    self.said.append((DOWN + 2 * latest, data))
                    self.socket.sendto(data, clients[latest])


def wait_for(port, datagrams=False):
    if datagrams:
        time.sleep(0.5)
        return
    for _ in range(100):
        with open("/proc/net/tcp") as table:
            if any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in table.readlines()[1:]):
                return
        time.sleep(0.05)
    raise RuntimeError("the server does not listen")


def start(command, **more):
    return subprocess.Popen(command, cwd=WORK, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**os.environ, "OPENSSL_CONF": f"{WORK}/conf", **more.pop("env", {})}, **more)


def request(name):
    return f"GET /hello HTTP/1.0\r\nHost: {name}.example\r\n\r\n".encode()


ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nheard\n"


def write_down(name, said, keys):
    out = b"".join(struct.pack(">BH", side, len(data)) + data for side, data in said)
    (HERE / f"{name}.bin").write_bytes(out)
    (HERE / f"{name}.keys").write_text(keys)
    print(f"{name}: {len(out)} bytes, {len(said)} flights, {len(keys.splitlines())} lines of keys")


def log(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith(("#", "EXPORTER", "SERVER_TRAFFIC_SECRET_N", "CLIENT_TRAFFIC_SECRET_N"))
                   and "EXPORTER" not in line and "TRAFFIC_SECRET_N" not in line)


def openssl(name, server=(), client=(), talk=None, www=True, datagrams=False, before=None, keep=lambda line: True, gnutls=None):
    """One session of s_client with s_server, or with gnutls-serv under the priority in `gnutls`."""
    port = free_port(socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    keys = WORK / f"{name}.log"
    if gnutls:
        command = ["gnutls-serv", "--port", str(port), "--x509certfile", "rsa.pem", "--x509keyfile", "rsa.key", "--priority", gnutls,
                   "--echo", "--disable-client-cert"]
    else:
        command = ["openssl", "s_server", "-4", "-accept", str(port), "-cert", "rsa.pem", "-key", "rsa.key", "-dcert", "ec.pem", "-dkey", "ec.key",
                   *(["-WWW"] if www else []), *server]
    server = start(command)
    wait_for(port, datagrams)
    if before:
        before(port)
    relay = Relay(port, datagrams)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", f"{name}.example", "-keylogfile", str(keys), *client]
    talker = start(command + ([] if talk else ["-ign_eof"]))
    time.sleep(0.7)
    if talk:
        talk(name, talker, server)
    else:
        talker.stdin.write(request(name))
        talker.stdin.flush()
        time.sleep(0.5)
    for it in (talker, server):
        try:
            it.stdin.close()
        except OSError:
            pass
    time.sleep(0.3)
    for it in (talker, server):
        it.kill()
        it.wait()
    time.sleep(0.1)
    write_down(name, relay.said, "".join(line for line in log(keys).splitlines(True) if keep(line)))


def say(process, text):
    process.stdin.write(text)
    process.stdin.flush()
    time.sleep(0.4)


def exchange(name, client, server):
    say(client, request(name))
    say(server, ANSWER)


def key_updates(name, client, server):
    exchange(name, client, server)
    say(client, b"K\n")
    exchange(name, client, server)
    say(client, b"k\n")
    say(server, b"K\n")
    exchange(name, client, server)


def renegotiation(name, client, server):
    exchange(name, client, server)
    say(client, b"R\n")
    exchange(name, client, server)


def premaster(name, gnutls=None):
    """A key log with nothing but the premaster secret, by the beginning of what it was sealed to."""
    return lambda: openssl(name, client=["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"],
                           keep=lambda line: line.startswith("RSA "), gnutls=gnutls)


def resumed(name, version, *more):
    session = WORK / f"{name}.session"

    def before(port):
        first = start(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", f"{name}.example", "-sess_out", str(session),
                       "-ign_eof", version, *more])
        time.sleep(0.7)
        say(first, request(name))
        first.kill()

    return lambda: openssl(name, server=[version, *more], client=[version, *more, "-sess_in", str(session)], before=before)


def goes_on(name, *more):
    """Two connections of one session, of which the key log tells the first alone: NAME-begun and NAME."""
    session, keys = WORK / f"{name}.session", WORK / f"{name}-begun.log"

    def before(port):
        relay = Relay(port)
        first = start(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", f"{name}.example", "-sess_out", str(session),
                       "-keylogfile", str(keys), "-ign_eof", "-tls1_2", *more])
        time.sleep(0.7)
        say(first, request(f"{name}-begun"))
        first.kill()
        time.sleep(0.3)
        write_down(f"{name}-begun", relay.said, log(keys))

    return lambda: openssl(name, server=["-tls1_2", *more], client=["-tls1_2", *more, "-sess_in", str(session)], before=before, keep=lambda _: False)


def early(name):
    session, data = WORK / f"{name}.session", WORK / f"{name}.data"
    data.write_bytes(request(name))

    def before(port):
        first = start(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", f"{name}.example", "-sess_out", str(session), "-tls1_3",
                       "-ign_eof"])
        time.sleep(0.7)
        first.stdin.write(b"once\n")
        first.stdin.flush()
        time.sleep(0.5)
        first.kill()

    def talk(name, client, server):
        say(server, ANSWER)
        exchange(name, client, server)

    return lambda: openssl(name, server=["-tls1_3", "-early_data"], client=["-tls1_3", "-sess_in", str(session), "-early_data", str(data)],
                           before=before, talk=talk, www=False)


def gnutls(name, priority, datagrams=False, more=(), certificate="rsa"):
    """One session of gnutls-cli with gnutls-serv, which says everything back."""
    port = free_port(socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    keys = WORK / f"{name}.log"
    udp = ["--udp"] if datagrams else []
    server = start(["gnutls-serv", "--port", str(port), "--x509certfile", f"{certificate}.pem", "--x509keyfile", f"{certificate}.key", "--priority",
                    priority, "--echo", "--disable-client-cert", *udp])
    wait_for(port, datagrams)
    relay = Relay(port, datagrams)
    client = start(["gnutls-cli", "--port", str(relay.port), "--insecure", "--priority", priority, "--sni-hostname", f"{name}.example", *udp, *more,
                    "127.0.0.1"], env={"SSLKEYLOGFILE": str(keys)})
    time.sleep(1)
    say(client, request(name))
    time.sleep(0.5)
    for it in (client, server):
        it.kill()
        it.wait()
    write_down(name, relay.said, log(keys))


def node(name, code):
    """One session of two sides of node."""
    port = free_port()
    keys = WORK / f"{name}.log"
    (WORK / "server.js").write_text(code["server"])
    (WORK / "client.js").write_text(code["client"])
    server = start(["node", "server.js", str(port)])
    wait_for(port)
    relay = Relay(port)
    subprocess.run(["node", f"--tls-keylog={keys}", "client.js", str(relay.port), f"{name}.example"], cwd=WORK, timeout=10, check=True)
    server.kill()
    server.wait()
    time.sleep(0.2)
    write_down(name, relay.said, log(keys))


HTTP2 = {
    "server": """
const fs = require('fs');
const it = require('http2').createSecureServer({cert: fs.readFileSync('ec.pem'), key: fs.readFileSync('ec.key')});
it.on('stream', (s) => { s.respond({':status': 200, 'content-type': 'text/plain'}); s.end('heard\\n'); });
it.listen(process.argv[2], '127.0.0.1');
""",
    "client": """
const [, , port, name] = process.argv;
const it = require('http2').connect(`https://${name}:${port}`, {rejectUnauthorized: false, servername: name, lookup: (_, o, cb) => o.all ? cb(null, [{address: '127.0.0.1', family: 4}]) : cb(null, '127.0.0.1', 4)});
const s = it.request({':path': '/hello', ':authority': name});
s.on('data', () => {}); s.on('end', () => it.close()); s.end();
""",
}


def quic(name, suite=None, version=None, phases=0, retry=False, resume=False, move="", negotiate=False, refuse=False):
    """One connection of two sides of aioquic, speaking HTTP/3."""
    from aioquic.asyncio import serve
    from aioquic.asyncio.client import connect
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.packet import QuicProtocolVersion
    from aioquic.tls import CipherSuite

    tickets, kept = {}, []

    class Server(QuicConnectionProtocol):
        def quic_event_received(self, event):
            if not hasattr(self, "http"):
                self.http = H3Connection(self._quic)
            for it in self.http.handle_event(event):
                if isinstance(it, HeadersReceived):
                    self.http.send_headers(it.stream_id, [(b":status", b"200"), (b"content-type", b"text/plain")])
                    self.http.send_data(it.stream_id, b"heard\n", end_stream=True)
                    self.transmit()

    class Client(QuicConnectionProtocol):
        def __init__(self, *a, **k):
            super().__init__(*a, **k)
            self.http, self.done = H3Connection(self._quic), {}

        def quic_event_received(self, event):
            for it in self.http.handle_event(event):
                if getattr(it, "stream_ended", False) and it.stream_id in self.done:
                    self.done[it.stream_id].set()

        async def ask(self, path):
            stream = self._quic.get_next_available_stream_id()
            self.done[stream] = asyncio.Event()
            self.http.send_headers(stream, [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", f"{name}.example".encode()),
                                            (b":path", path.encode()), (b"x-long", b"a value worth a place in the table")], end_stream=True)
            self.transmit()
            await asyncio.wait_for(self.done[stream].wait(), 5)

    async def both():
        versions = {1: QuicProtocolVersion.VERSION_1, 2: QuicProtocolVersion.VERSION_2}
        port, keys = free_port(socket.SOCK_DGRAM), WORK / f"{name}.log"
        server = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
        server.load_cert_chain(f"{WORK}/ec.pem", f"{WORK}/ec.key")
        client = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=f"{name}.example", verify_mode=False)
        if suite:
            client.cipher_suites = [getattr(CipherSuite, suite)]
        if version:
            client.original_version = versions[version]
            client.supported_versions = server.supported_versions = [versions[version]]
        if negotiate:
            client.original_version, client.supported_versions = versions[1], [versions[2], versions[1]]
            server.supported_versions = [versions[2], versions[1]]
        if refuse:
            client.original_version, client.supported_versions = versions[2], [versions[2], versions[1]]
            server.supported_versions = [versions[1]]
        await serve("127.0.0.1", port, configuration=server, create_protocol=Server, retry=retry,
                    session_ticket_fetcher=lambda label: tickets.pop(label, None), session_ticket_handler=lambda it: tickets.__setitem__(it.ticket, it))
        if resume:
            async with connect("127.0.0.1", port, configuration=client, create_protocol=Client, session_ticket_handler=kept.append) as it:
                await it.ask("/hello")
                await asyncio.sleep(0.3)
            client.session_ticket = kept[-1]
        relay = Relay(port, datagrams=True)
        with open(keys, "w") as client.secrets_log_file:
            async with connect("127.0.0.1", relay.port, configuration=client, create_protocol=Client, wait_connected=not resume) as it:
                await it.ask("/hello")
                for _ in range(phases):
                    it._quic.request_key_update()
                    await it.ask("/hello")
                # From now on it speaks through another port, under another id or the same.
                class Door(asyncio.DatagramProtocol):
                    def datagram_received(self, data, who):
                        it.datagram_received(data, who)

                first = it._transport
                for step in move.split():
                    if step != "rebound":
                        it.change_connection_id()
                    if step == "returned":
                        it._transport = first
                    else:
                        it._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Door, local_addr=("::", 0))
                    await it.ask(f"/{step}")
        await asyncio.sleep(0.3)
        write_down(name, relay.said, log(keys))

    asyncio.run(both())


def ngtcp2(name):
    """One connection of ngtcp2, which leaves the bit to chance that is fixed elsewhere."""
    port, keys = free_port(socket.SOCK_DGRAM), WORK / f"{name}.log"
    server = start(["/usr/sbin/gtlsserver", "-q", "-d", str(WORK), "127.0.0.1", str(port), f"{WORK}/ec.key", f"{WORK}/ec.pem"])
    wait_for(port, datagrams=True)
    relay = Relay(port, datagrams=True)
    subprocess.run(["gtlsclient", "-q", "--exit-on-all-streams-close", "127.0.0.1", str(relay.port), f"https://{name}.example/hello"],
                   env={**os.environ, "SSLKEYLOGFILE": str(keys)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
    time.sleep(0.3)
    server.kill()
    write_down(name, relay.said, log(keys))


def suite(name, cipher, *more, server=(), version="-tls1_2"):
    return lambda: openssl(name, server=[version, "-cipher", f"{cipher}:@SECLEVEL=0", *server, *more],
                           client=[version, "-cipher", f"{cipher}:@SECLEVEL=0", *more])


def modern(name, ciphersuite, *more, server=()):
    return lambda: openssl(name, server=["-tls1_3", "-ciphersuites", ciphersuite, *server], client=["-tls1_3", "-ciphersuites", ciphersuite, *more])


SESSIONS = {
    "tls13-aes128-gcm": modern("tls13-aes128-gcm", "TLS_AES_128_GCM_SHA256"),
    "tls13-aes256-gcm": modern("tls13-aes256-gcm", "TLS_AES_256_GCM_SHA384"),
    "tls13-chacha20": modern("tls13-chacha20", "TLS_CHACHA20_POLY1305_SHA256"),
    "tls13-aes128-ccm": modern("tls13-aes128-ccm", "TLS_AES_128_CCM_SHA256"),
    "tls13-aes128-ccm8": modern("tls13-aes128-ccm8", "TLS_AES_128_CCM_8_SHA256"),
    "tls13-retry": modern("tls13-retry", "TLS_AES_128_GCM_SHA256", "-groups", "X25519:P-384", server=["-groups", "P-384"]),
    "tls13-resumed": resumed("tls13-resumed", "-tls1_3"),
    "tls13-early-data": lambda: early("tls13-early-data")(),
    "tls13-key-update": lambda: openssl("tls13-key-update", server=["-tls1_3"], client=["-tls1_3"], talk=key_updates, www=False),
    "tls13-padded": modern("tls13-padded", "TLS_AES_128_GCM_SHA256", "-record_padding", "256", server=["-record_padding", "512"]),
    "tls13-client-certificate": modern("tls13-client-certificate", "TLS_AES_128_GCM_SHA256", "-cert", "ec.pem", "-key", "ec.key", server=["-Verify", "1"]),
    "tls13-small-records": modern("tls13-small-records", "TLS_AES_128_GCM_SHA256", "-maxfraglen", "512"),
    "tls13-no-compatibility": modern("tls13-no-compatibility", "TLS_AES_256_GCM_SHA384", "-no_middlebox", server=["-no_middlebox"]),
    "tls13-external-psk": modern("tls13-external-psk", "TLS_AES_128_GCM_SHA256", "-psk", "00112233445566778899aabbccddeeff", server=["-psk", "00112233445566778899aabbccddeeff"]),
    "tls13-gnutls": lambda: gnutls("tls13-gnutls", "NORMAL:-VERS-ALL:+VERS-TLS1.3"),
    "tls13-http2": lambda: node("tls13-http2", HTTP2),
    "tls12-rsa-aes128-gcm": suite("tls12-rsa-aes128-gcm", "AES128-GCM-SHA256"),
    "tls12-rsa-aes256-gcm": suite("tls12-rsa-aes256-gcm", "AES256-GCM-SHA384"),
    "tls12-ecdhe-rsa-aes128-gcm": suite("tls12-ecdhe-rsa-aes128-gcm", "ECDHE-RSA-AES128-GCM-SHA256"),
    "tls12-ecdhe-ecdsa-aes256-gcm": suite("tls12-ecdhe-ecdsa-aes256-gcm", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    "tls12-dhe-rsa-aes128-gcm": suite("tls12-dhe-rsa-aes128-gcm", "DHE-RSA-AES128-GCM-SHA256"),
    "tls12-psk-aes128-gcm": suite("tls12-psk-aes128-gcm", "PSK-AES128-GCM-SHA256", "-psk", "00112233445566778899aabbccddeeff"),
    "tls12-anonymous-aes128-gcm": suite("tls12-anonymous-aes128-gcm", "ADH-AES128-GCM-SHA256"),
    "tls12-chacha20": suite("tls12-chacha20", "ECDHE-RSA-CHACHA20-POLY1305"),
    "tls12-aes128-ccm": suite("tls12-aes128-ccm", "AES128-CCM"),
    "tls12-aes256-ccm": suite("tls12-aes256-ccm", "AES256-CCM"),
    "tls12-aes128-ccm8": suite("tls12-aes128-ccm8", "AES128-CCM8"),
    "tls12-aes256-ccm8": suite("tls12-aes256-ccm8", "AES256-CCM8"),
    "tls12-aria128-gcm": suite("tls12-aria128-gcm", "ARIA128-GCM-SHA256"),
    "tls12-aria256-gcm": suite("tls12-aria256-gcm", "ARIA256-GCM-SHA384"),
    "tls12-camellia128-gcm": lambda: gnutls("tls12-camellia128-gcm", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CAMELLIA-128-GCM"),
    "tls12-camellia256-gcm": lambda: gnutls("tls12-camellia256-gcm", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CAMELLIA-256-GCM"),
    "tls12-aes128-cbc-sha": suite("tls12-aes128-cbc-sha", "AES128-SHA"),
    "tls12-aes128-cbc-sha-mte": suite("tls12-aes128-cbc-sha-mte", "AES128-SHA", "-no_etm"),
    "tls12-aes256-cbc-sha": suite("tls12-aes256-cbc-sha", "AES256-SHA"),
    "tls12-aes256-cbc-sha-mte": suite("tls12-aes256-cbc-sha-mte", "AES256-SHA", "-no_etm"),
    "tls12-aes128-cbc-sha256": suite("tls12-aes128-cbc-sha256", "ECDHE-RSA-AES128-SHA256"),
    "tls12-aes128-cbc-sha256-mte": suite("tls12-aes128-cbc-sha256-mte", "ECDHE-RSA-AES128-SHA256", "-no_etm"),
    "tls12-aes256-cbc-sha384": suite("tls12-aes256-cbc-sha384", "ECDHE-RSA-AES256-SHA384"),
    "tls12-aes256-cbc-sha384-mte": suite("tls12-aes256-cbc-sha384-mte", "ECDHE-RSA-AES256-SHA384", "-no_etm"),
    "tls12-camellia128-cbc": suite("tls12-camellia128-cbc", "CAMELLIA128-SHA256"),
    "tls12-camellia256-cbc-mte": suite("tls12-camellia256-cbc-mte", "CAMELLIA256-SHA", "-no_etm"),
    "tls12-3des-cbc": lambda: gnutls("tls12-3des-cbc", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+3DES-CBC"),
    "tls12-3des-cbc-mte": lambda: gnutls("tls12-3des-cbc-mte", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+3DES-CBC:%NO_ETM"),
    "tls12-rc4": lambda: gnutls("tls12-rc4", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+ARCFOUR-128"),
    "tls12-rc4-md5": lambda: gnutls("tls12-rc4-md5", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+ARCFOUR-128:-MAC-ALL:+MD5:-KX-ALL:+RSA"),
    "tls12-null-sha": suite("tls12-null-sha", "NULL-SHA"),
    "tls12-null-sha256": suite("tls12-null-sha256", "NULL-SHA256"),
    "tls12-null-md5": suite("tls12-null-md5", "NULL-MD5"),
    "tls12-resumed-ticket": resumed("tls12-resumed-ticket", "-tls1_2"),
    "tls12-resumed-id": resumed("tls12-resumed-id", "-tls1_2", "-no_ticket"),
    "tls12-goes-on-ticket": goes_on("tls12-goes-on-ticket"),
    "tls12-goes-on-id": goes_on("tls12-goes-on-id", "-no_ticket"),
    "tls12-renegotiation": lambda: openssl("tls12-renegotiation", server=["-tls1_2", "-client_renegotiation", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
                                           client=["-tls1_2"], talk=renegotiation, www=False),
    "tls12-renegotiation-cbc": lambda: openssl("tls12-renegotiation-cbc", server=["-tls1_2", "-client_renegotiation", "-cipher", "AES128-SHA:@SECLEVEL=0"],
                                               client=["-tls1_2"], talk=renegotiation, www=False),
    "tls12-client-certificate": lambda: openssl("tls12-client-certificate", server=["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-Verify", "1"],
                                                client=["-tls1_2", "-cert", "ec.pem", "-key", "ec.key"]),
    "tls12-small-records": lambda: openssl("tls12-small-records", server=["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
                                           client=["-tls1_2", "-maxfraglen", "512"]),
    "tls12-premaster": premaster("tls12-premaster"),
    "tls12-premaster-plain": premaster("tls12-premaster-plain", "NORMAL:-VERS-ALL:+VERS-TLS1.2:+RSA:%NO_SESSION_HASH"),
    "tls11-aes128-cbc": suite("tls11-aes128-cbc", "AES128-SHA", version="-tls1_1"),
    "tls11-aes256-cbc-mte": suite("tls11-aes256-cbc-mte", "ECDHE-RSA-AES256-SHA", "-no_etm", version="-tls1_1"),
    "tls10-aes128-cbc": suite("tls10-aes128-cbc", "AES128-SHA", version="-tls1"),
    "tls10-aes256-cbc-mte": suite("tls10-aes256-cbc-mte", "ECDHE-RSA-AES256-SHA", "-no_etm", version="-tls1"),
    "tls12-gost": lambda: gnutls("tls12-gost", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+VKO-GOST-12:-CIPHER-ALL:+GOST28147-TC26Z-CNT:-MAC-ALL:"
                                 "+GOST28147-TC26Z-IMIT:+GROUP-GOST-ALL:+SIGN-GOSTR341012-256", certificate="gost"),
    "tls10-3des-cbc": lambda: gnutls("tls10-3des-cbc", "NORMAL:-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+3DES-CBC:%NO_ETM"),
    "tls10-rc4": lambda: gnutls("tls10-rc4", "NORMAL:-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+ARCFOUR-128"),
    "tls10-premaster": lambda: openssl("tls10-premaster", client=["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"], server=["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"],
                                       keep=lambda line: line.startswith("RSA ")),
    **{f"dtls12-{name}": (lambda name=name, cipher=cipher, more=more: openssl(
        f"dtls12-{name}", server=["-dtls1_2", "-cipher", f"{cipher}:@SECLEVEL=0", *more], client=["-dtls1_2", "-cipher", f"{cipher}:@SECLEVEL=0", *more],
        talk=exchange, www=False, datagrams=True)) for name, cipher, more in [
            ("aes128-gcm", "ECDHE-RSA-AES128-GCM-SHA256", []), ("aes256-gcm", "ECDHE-ECDSA-AES256-GCM-SHA384", []), ("chacha20", "ECDHE-RSA-CHACHA20-POLY1305", []),
            ("aes128-ccm8", "AES128-CCM8", []), ("aes128-cbc", "AES128-SHA", []), ("aes256-cbc-mte", "ECDHE-RSA-AES256-SHA384", ["-no_etm"])]},
    "dtls10-aes128-cbc": lambda: openssl("dtls10-aes128-cbc", server=["-dtls1", "-cipher", "AES128-SHA:@SECLEVEL=0"], client=["-dtls1", "-cipher", "AES128-SHA:@SECLEVEL=0"],
                                         talk=exchange, www=False, datagrams=True),
    "dtls12-gnutls": lambda: gnutls("dtls12-gnutls", "NORMAL:-VERS-ALL:+VERS-DTLS1.2", datagrams=True),
    "quic1-aes128-gcm": lambda: quic("quic1-aes128-gcm", suite="AES_128_GCM_SHA256", version=1),
    "quic1-aes256-gcm": lambda: quic("quic1-aes256-gcm", suite="AES_256_GCM_SHA384", version=1),
    "quic1-chacha20": lambda: quic("quic1-chacha20", suite="CHACHA20_POLY1305_SHA256", version=1),
    "quic1-key-update": lambda: quic("quic1-key-update", version=1, phases=3),
    "quic1-retry": lambda: quic("quic1-retry", version=1, retry=True),
    "quic1-early-data": lambda: quic("quic1-early-data", version=1, resume=True),
    "quic1-moved": lambda: quic("quic1-moved", version=1, move="moved"),
    "quic1-wanders": lambda: quic("quic1-wanders", version=1, move="moved rebound again returned"),
    "quic1-refused": lambda: quic("quic1-refused", refuse=True),
    "quic1-greased": lambda: ngtcp2("quic1-greased"),
    "quic2-aes128-gcm": lambda: quic("quic2-aes128-gcm", suite="AES_128_GCM_SHA256", version=2),
    "quic2-chacha20-key-update": lambda: quic("quic2-chacha20-key-update", suite="CHACHA20_POLY1305_SHA256", version=2, phases=1),
    "quic2-negotiated": lambda: quic("quic2-negotiated", negotiate=True),
}

if __name__ == "__main__":
    certificates()
    os.chdir(WORK)
    for wanted in sys.argv[1:] or SESSIONS:
        try:
            SESSIONS[wanted]()
        except Exception as why:  # A program that cannot do one of them leaves the others.
            print(f"{wanted}: {type(why).__name__}: {why}", file=sys.stderr)
