//! Owns what one user of `clubhouse` does, from opening the app to leaving the last room, in either edition.
//!
//! Both editions exercise the same features at the same times, so that one can be compared with the other.
//! Refuses to know files: it fills a client's tap.

use super::cast::{API, APP_ID, CDN, EVENTS, Host, PEOPLE, PING, Person, ROOMS, START, Stay, edge, round_trip, signal};
use super::{Stage, cookie, device_id, room_ids, seconds, user_id, within};
use crate::client::{Client, Direction, FlowId, MS, Nanos, Peer, SECOND, Transport};
use crate::clock::http_date;
use crate::dns::{self, Record};
use crate::http::{Http, message};
use crate::payload::{Encoding, Identifier, Payload};
use crate::random::Random;
use crate::relay::{Message, RoomIds};
use crate::rtp::Protection;
use crate::tls::Suite;
use crate::token::{self, Grant};
use crate::truth::hex;
use crate::worlds::Edition;

const AGENT: &str = "parlour/434 (iPhone; iOS 14.4; Scale/3.00)";
const SIGNAL_PORT: u16 = 8001;
const PING_PORT: u16 = 8130;
const MEDIA_PORT: u16 = 4006;

/// One user's capture.
pub(super) fn run(stage: &Stage, person: usize) -> Client {
    let it = &PEOPLE[person];
    let label = format!("clubhouse/{}/{}", stage.edition.name(), it.name);
    let resolver = Peer {
        name: String::new(),
        address: it.resolver,
        party: it.network,
        country: it.country,
        rtt: 4 * MS,
        hops: 1,
    };
    let client = Client::new(&label, it.address);
    let mut visit = Visit {
        stage,
        person,
        it,
        user: user_id(it),
        device: device_id(it),
        label,
        resolver,
        client,
        resolved: Vec::new(),
    };
    visit.whole();
    visit.client
}

struct Visit<'a> {
    stage: &'a Stage,
    person: usize,
    it: &'a Person,
    user: Identifier,
    device: Identifier,
    label: String,
    resolver: Peer,
    client: Client,
    resolved: Vec<&'static str>,
}

/// How client and relay talk after joining.
struct Channel {
    flow: FlowId,
    /// Seals the datagrams, in `fixed`.
    key: Option<[u8; 32]>,
    sequence: u32,
}

impl Visit<'_> {
    fn whole(&mut self) {
        let stays = self.it.stays;
        let Some(first) = stays.first() else { return };
        let begin = START + first.from * MS - 1_400 * MS;
        let mut api = self.https(begin, &API, "api", Suite::Tls13Aes128Gcm);
        for (index, stay) in stays.iter().enumerate() {
            self.stay(&mut api, stay, index == 0);
        }
        let last = START + stays.last().map_or(0, |stay| stay.until) * MS;
        api.close(&mut self.client, last + 900 * MS);
    }

    fn stay(&mut self, api: &mut Http, stay: &Stay, first: bool) {
        let (from, until) = (START + stay.from * MS, START + stay.until * MS);
        let room = room_ids(stay.room);
        let grant = Grant {
            app_id: APP_ID,
            issued: seconds(from),
            user: &self.user,
            room: &room.name,
        };
        let token = token::issue(&grant, &mut Random::named(&format!("{}/token/{}", self.label, stay.room)));

        let (request, response) = self.join_channel(stay, &room, &token, from);
        api.exchange(&mut self.client, from - 700 * MS, &request, 40 * MS, &response);
        self.track(from - 500 * MS, &room);
        if first {
            self.avatar(from - 250 * MS);
        }
        let mut channel = match self.stage.edition {
            Edition::Leaky => {
                self.ping(from - 350 * MS, &room);
                self.enter_in_clear(stay, &room, &token)
            }
            Edition::Fixed => self.enter_in_tls(stay, &room, &token),
        };
        self.keep_alive(stay, &room, &mut channel);
        self.media(stay, &mut channel);

        let leave = Message::Leave {
            user: &self.user.clone(),
            room: &room,
        };
        self.datagram(&mut channel, until, Direction::Up, &leave);
        let request = self.post("/api/leave_channel", &API, &self.channel_body(&room));
        let response = json_answer(until, &Payload::new().put("{\"success\":true}"));
        api.exchange(&mut self.client, until + 60 * MS, &request, 22 * MS, &response);
    }

    // --- the app's own API ---------------------------------------------------------------------------------------

    fn join_channel(&self, stay: &Stay, room: &RoomIds, token: &Payload, at: Nanos) -> (Payload, Payload) {
        let request = self.post("/api/join_channel", &API, &self.channel_body(room));
        let relay = match self.stage.edition {
            Edition::Leaky => edge(self.it.country).name,
            Edition::Fixed => signal(self.it.country).name,
        };
        let mut body = Payload::new()
            .put("{\"success\":true,\"channel\":\"")
            .plant(&room.name, Encoding::Ascii)
            .put("\",\"channel_id\":")
            .plant(&room.number, Encoding::AsciiDecimal)
            .put(format!(
                ",\"topic\":\"{}\",\"relay\":\"{relay}\",\"token\":\"",
                ROOMS[stay.room].topic
            ))
            .append(token);
        if self.stage.edition == Edition::Fixed {
            // The relay never learns this key.
            let (key, salt) = &self.stage.media_keys[stay.room];
            body = body.put(format!("\",\"media_key\":\"{}{}", hex(key), hex(salt)));
        }
        body = body.put("\",\"users\":[");
        let members = PEOPLE
            .iter()
            .filter(|it| it.stays.iter().any(|stay| room_ids(stay.room) == *room && within(stay, at)));
        for (index, member) in members.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let id = user_id(member);
            let (name, scheme) = (member.name, if self.stage.edition == Edition::Leaky { "http" } else { "https" });
            body = body
                .put(format!("{comma}{{\"user_id\":"))
                .plant(&id, Encoding::AsciiDecimal)
                .put(format!(
                    ",\"username\":\"{name}\",\"name\":\"{name} (fictional)\",\"photo_url\":\"{scheme}://{}/avatars/",
                    CDN.name
                ))
                .plant(&id, Encoding::AsciiDecimal)
                .put(".jpg\",\"is_speaker\":true}");
        }
        (request, json_answer(at, &body.put("]}")))
    }

    fn channel_body(&self, room: &RoomIds) -> Payload {
        Payload::new()
            .put("{\"channel\":\"")
            .plant(&room.name, Encoding::Ascii)
            .put("\",\"user_id\":")
            .plant(&self.user, Encoding::AsciiDecimal)
            .put(",\"attribution_source\":\"feed\"}")
    }

    fn post(&self, path: &str, host: &Host, body: &Payload) -> Payload {
        let account = Random::named(&format!("clubhouse/account/{}", self.it.name)).bytes::<20>();
        let authorization = Identifier::new("credential", hex(&account));
        let head = Payload::new()
            .put(format!(
                "POST {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {AGENT}\r\nAccept: application/json\r\n",
                host.name
            ))
            .put("CH-Languages: en-US\r\nCH-AppBuild: 434\r\nCH-AppVersion: 0.1.40\r\nCH-UserID: ")
            .plant(&self.user, Encoding::AsciiDecimal)
            .put("\r\nCH-DeviceId: ")
            .plant(&self.device, Encoding::Ascii)
            .put("\r\nAuthorization: Token ")
            .plant(&authorization, Encoding::Ascii)
            .put("\r\nContent-Type: application/json; charset=utf-8\r\n");
        message(head, body)
    }

    // --- others --------------------------------------------------------------------------------------------------

    fn track(&mut self, at: Nanos, room: &RoomIds) {
        let suite = if self.it.old_phone {
            Suite::Tls12Aes128Gcm
        } else {
            Suite::Tls13ChaCha20Poly1305
        };
        let mut http = self.https(at, &EVENTS, "analytics", suite);
        let body = Payload::new()
            .put("{\"api_key\":\"tally-parlour-1\",\"events\":[{\"event_type\":\"channel_joined\",\"user_id\":\"")
            .plant(&self.user, Encoding::AsciiDecimal)
            .put("\",\"device_id\":\"")
            .plant(&self.device, Encoding::Ascii)
            .put("\",\"event_properties\":{\"channel\":\"")
            .plant(&room.name, Encoding::Ascii)
            .put("\"}}]}");
        let head = format!(
            "POST /2/httpapi HTTP/1.1\r\nHost: {}\r\nUser-Agent: tally-ios/7.2.1\r\nContent-Type: application/json\r\n",
            EVENTS.name
        );
        let request = message(Payload::new().put(head), &body);
        let response = json_answer(at, &Payload::new().put("{\"code\":200,\"events_ingested\":1}"));
        http.exchange(&mut self.client, at, &request, 15 * MS, &response);
        let now = http.now();
        http.close(&mut self.client, now + 30 * MS);
    }

    fn avatar(&mut self, at: Nanos) {
        let mut http = match self.stage.edition {
            Edition::Leaky => {
                let (ready, peer) = self.reach(at, &CDN);
                let flow = self.client.open(Transport::Tcp, "cdn", &peer, 80);
                Http::plain(&mut self.client, flow, ready)
            }
            Edition::Fixed => self.https(at, &CDN, "cdn", Suite::Tls13Aes128Gcm),
        };
        let request = Payload::new()
            .put("GET /avatars/")
            .plant(&self.user, Encoding::AsciiDecimal)
            .put(".jpg?device_id=")
            .plant(&self.device, Encoding::Ascii)
            .put(format!(
                " HTTP/1.1\r\nHost: {}\r\nUser-Agent: {AGENT}\r\nAccept: image/*\r\nCookie: parlour_session=",
                CDN.name
            ))
            .plant(&cookie(self.it), Encoding::Ascii)
            .put("\r\nIf-None-Match: \"5fd1c0-2b1\"\r\nConnection: close\r\n");
        let response = format!(
            "HTTP/1.1 304 Not Modified\r\nDate: {}\r\nETag: \"5fd1c0-2b1\"\r\nCache-Control: max-age=3600\r\nConnection: close\r\n",
            http_date(at)
        );
        let (request, response) = (
            message(request, &Payload::new()),
            message(Payload::new().put(response), &Payload::new()),
        );
        http.exchange(&mut self.client, at, &request, 3 * MS, &response);
        http.close(&mut self.client, at);
    }

    /// Three echo requests and two datagrams to a server in China.
    fn ping(&mut self, at: Nanos, room: &RoomIds) {
        let (ready, peer) = self.reach(at, &PING);
        let echo = self.client.open(Transport::Icmp, "ping", &peer, 0);
        let filler = Payload::from((0..56).collect::<Vec<u8>>());
        for sequence in 1..=3 {
            let sent = ready + u64::from(sequence - 1) * 400 * MS;
            self.client.icmp_echo(echo, sent, Direction::Up, sequence, &filler);
            let back = sent + self.client.round_trip(echo);
            self.client.icmp_echo(echo, back, Direction::Down, sequence, &filler);
        }
        let flow = self.client.open(Transport::Udp, "ping", &peer, PING_PORT);
        let mut channel = Channel {
            flow,
            key: None,
            sequence: 0,
        };
        for turn in 0..2 {
            let sent = ready + 5 * MS + turn * SECOND;
            self.datagram(&mut channel, sent, Direction::Up, &Message::Ping { room });
            let back = sent + self.client.round_trip(flow);
            self.datagram(&mut channel, back, Direction::Down, &Message::Pong);
        }
    }

    // --- the relay -----------------------------------------------------------------------------------------------

    fn enter_in_clear(&mut self, stay: &Stay, room: &RoomIds, token: &Payload) -> Channel {
        let host = edge(self.it.country);
        let at = START + stay.from * MS;
        let (ready, peer) = self.reach(at - 120 * MS, host);
        let flow = self.client.open(Transport::Udp, "relay-signal", &peer, SIGNAL_PORT);
        let mut channel = Channel {
            flow,
            key: None,
            sequence: 0,
        };
        let (edge, user) = (Identifier::new("hostname", host.name), self.user.clone());
        let hello = Message::Hello {
            edge: &edge,
            user: &user,
            room,
        };
        self.datagram(&mut channel, ready, Direction::Up, &hello);
        let back = ready + self.client.round_trip(flow);
        self.datagram(&mut channel, back, Direction::Down, &Message::HelloAnswer);
        let asked = at.max(back + MS);
        self.datagram(&mut channel, asked, Direction::Up, &Message::Join { user: &user, room, token });
        let back = asked + self.client.round_trip(flow) + 6 * MS;
        let members = self.members(stay, at);
        let answer = Message::JoinAnswer {
            user: &user,
            room,
            members: &members,
            media_port: MEDIA_PORT,
        };
        self.datagram(&mut channel, back, Direction::Down, &answer);
        channel
    }

    fn enter_in_tls(&mut self, stay: &Stay, room: &RoomIds, token: &Payload) -> Channel {
        let host = signal(self.it.country);
        let at = START + stay.from * MS;
        let mut http = self.https(at - 200 * MS, &host, "relay-signal", Suite::Tls13ChaCha20Poly1305);
        let key = Random::named(&format!("{}/relay-key/{}", self.label, stay.room)).bytes::<32>();
        let body = Payload::new()
            .put("{\"room\":\"")
            .plant(&room.name, Encoding::Ascii)
            .put("\",\"room_number\":")
            .plant(&room.number, Encoding::AsciiDecimal)
            .put(",\"user\":")
            .plant(&self.user, Encoding::AsciiDecimal)
            .put(",\"token\":\"")
            .append(token)
            .put("\"}");
        let head = format!(
            "POST /v1/join HTTP/1.1\r\nHost: {}\r\nUser-Agent: relaywright-ios/3.0.0\r\nContent-Type: application/json\r\n",
            host.name
        );
        let mut answer = Payload::new().put(format!(
            "{{\"media\":\"{}:{MEDIA_PORT}\",\"datagram_key\":\"{}\",\"members\":[",
            host.address,
            hex(&key)
        ));
        for (index, member) in self.members(stay, at).iter().enumerate() {
            answer = answer.put(if index == 0 { "" } else { "," }).plant(member, Encoding::AsciiDecimal);
        }
        let request = message(Payload::new().put(head), &body);
        let response = json_answer(at, &answer.put("]}"));
        http.exchange(&mut self.client, at, &request, 6 * MS, &response);
        let now = http.now();
        http.close(&mut self.client, now + 20 * MS);
        let peer = self.by_address(&host);
        let flow = self.client.open(Transport::Udp, "relay-signal", &peer, SIGNAL_PORT);
        Channel {
            flow,
            key: Some(key),
            sequence: 0,
        }
    }

    /// Once a second, with news of others in between.
    fn keep_alive(&mut self, stay: &Stay, room: &RoomIds, channel: &mut Channel) {
        let (from, until) = (START + stay.from * MS, START + stay.until * MS);
        let user = self.user.clone();
        let mut at = from + SECOND;
        while at < until {
            let sent = at + self.client.random.below(3 * MS);
            self.datagram(channel, sent, Direction::Up, &Message::KeepAlive { user: &user, room });
            let back = sent + self.client.round_trip(channel.flow);
            self.datagram(channel, back, Direction::Down, &Message::KeepAliveAnswer { room });
            at += SECOND;
        }
        for other in PEOPLE.iter().filter(|it| it.name != self.it.name) {
            for theirs in other.stays.iter().filter(|it| it.room == stay.room) {
                let came = START + theirs.from * MS + 70 * MS;
                if came > from + 200 * MS && came < until {
                    let member = user_id(other);
                    self.datagram(channel, came, Direction::Down, &Message::MemberJoined { member: &member, room });
                }
            }
        }
    }

    /// Speech, both ways.
    fn media(&mut self, stay: &Stay, channel: &mut Channel) {
        let from = START + stay.from * MS;
        let host = match self.stage.edition {
            Edition::Leaky => Host { ..*edge(self.it.country) },
            Edition::Fixed => signal(self.it.country),
        };
        let peer = self.by_address(&host);
        let flow = self.client.open(Transport::Udp, "relay-media", &peer, MEDIA_PORT);
        let mut bind = Channel {
            flow,
            key: channel.key,
            sequence: 0,
        };
        let user = self.user.clone();
        let at = from + 180 * MS;
        self.datagram(&mut bind, at, Direction::Up, &Message::MediaBind { user: &user });
        let back = at + self.client.round_trip(flow);
        self.datagram(&mut bind, back, Direction::Down, &Message::MediaBindAnswer);

        let protection = (self.stage.edition == Edition::Fixed).then(|| {
            let (key, salt) = &self.stage.media_keys[stay.room];
            Protection::new(key, salt)
        });
        for talk in self.stage.talks.iter().filter(|talk| talk.room == stay.room) {
            let speaker = &PEOPLE[talk.person];
            let mut last = 0;
            for (spoken, packet) in &talk.packets {
                let own = talk.person == self.person;
                let at = if own {
                    *spoken
                } else {
                    // Half a round trip to the speaker's edge, one between edges if they differ, half to this device.
                    let up = round_trip(speaker.country, edge(speaker.country).country) / 2;
                    let across = round_trip(edge(speaker.country).country, host.country) / 2;
                    let across = if edge(speaker.country).address == host.address { 0 } else { across };
                    let jitter = self.client.random.below(5 * MS).min(self.client.random.below(5 * MS));
                    spoken + up + across + peer.rtt / 2 + jitter
                };
                if !within(stay, at) {
                    continue;
                }
                let at = at.max(last + MS / 2);
                last = at;
                let bytes = protection.as_ref().map_or_else(|| packet.plain(), |it| it.protect(packet));
                let direction = if own { Direction::Up } else { Direction::Down };
                self.client.speech(flow, at, direction, &Payload::from(bytes), packet.ssrc);
            }
        }
    }

    fn members(&self, stay: &Stay, at: Nanos) -> Vec<Identifier> {
        let others = PEOPLE.iter().filter(|it| it.name != self.it.name);
        others
            .filter(|it| it.stays.iter().any(|theirs| theirs.room == stay.room && within(theirs, at)))
            .map(user_id)
            .collect()
    }

    fn datagram(&mut self, channel: &mut Channel, at: Nanos, direction: Direction, message: &Message<'_>) {
        channel.sequence += 1;
        let payload = match &channel.key {
            None => message.plain(channel.sequence),
            Some(key) => message.sealed(channel.sequence, key, &mut self.client.random),
        };
        self.client.udp(channel.flow, at, direction, &payload);
    }

    // --- reaching a host -----------------------------------------------------------------------------------------

    fn https(&mut self, at: Nanos, host: &Host, role: &'static str, suite: Suite) -> Http {
        let (ready, peer) = self.reach(at, host);
        let flow = self.client.open(Transport::Tcp, role, &peer, 443);
        let mut random = Random::named(&format!("{}/tls/{}", self.label, flow.0));
        Http::tls(&mut self.client, flow, ready, suite, &self.stage.authority, &mut random)
    }

    /// Looks the name up, if that was not done yet, and says when the host can be called.
    fn reach(&mut self, at: Nanos, host: &Host) -> (Nanos, Peer) {
        let mut ready = at;
        if !self.resolved.contains(&host.name) {
            self.resolved.push(host.name);
            let record = Record {
                name: host.name,
                alias: host.alias,
                address: host.address,
            };
            ready = dns::resolve(&mut self.client, &self.resolver, at, &record);
        }
        (ready, self.peer(host, host.name))
    }

    /// A host reached by an address that another answer gave.
    fn by_address(&self, host: &Host) -> Peer {
        self.peer(host, "")
    }

    fn peer(&self, host: &Host, name: &str) -> Peer {
        let rtt = round_trip(self.it.country, host.country) + host.extra * MS;
        let hops = 8 + (rtt / MS / 20) as u8 + host.address.octets()[3] % 3;
        Peer {
            name: name.to_owned(),
            address: host.address,
            party: host.party,
            country: host.country,
            rtt,
            hops,
        }
    }
}

fn json_answer(at: Nanos, body: &Payload) -> Payload {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: {}\r\nServer: nginx\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n",
        http_date(at)
    );
    message(Payload::new().put(head), body)
}
