//! One of every kind of observation, flow, name and word.

use farshore_model::audit::*;
use farshore_model::flow::*;
use farshore_model::identifier::*;
use farshore_model::observation::*;
use farshore_model::party::Rhythm;
use farshore_model::*;

use super::build::*;
use super::call;

/// One of every kind of observation, flow, name and word.
pub fn every_fact() -> Audit {
    let mut audit = call();
    audit.discovery = Some(discovery());
    audit.links = Some(vec![farshore_model::Link {
        observer: farshore_model::ReaderRole::Relay,
        party: "Relaywright (fictional)".into(),
        a: "alice".into(),
        b: "bob".into(),
        kind: farshore_model::DatumKind::named("room-id"),
        number: 1,
        anonymity_set: 3,
        evidence: vec![locus(3), locus(9)],
    }]);
    audit.flows = [Protection::Tls, Protection::Quic, Protection::Dtls, Protection::Srtp]
        .into_iter()
        .map(|it| flow("203.0.113.7", 443, it))
        .collect();
    audit.destinations[0].traffic.rhythm = Some(Rhythm {
        period: 60_200_000_000,
        jitter: 340_000_000,
        times: 12,
    });
    audit.flows.get_mut(1).unwrap().transport = Transport::Icmp;
    audit.flows.get_mut(1).unwrap().initiator = InitiatorBasis::Protocol;
    audit.flows.get_mut(2).unwrap().transport = Transport::Icmp6;
    audit.flows.get_mut(2).unwrap().initiator = InitiatorBasis::Port;
    audit.flows.get_mut(3).unwrap().transport = Transport::Other(47);
    audit.flows.get_mut(3).unwrap().initiator = InitiatorBasis::FirstPacket;
    let vias = [
        NameVia::Sni,
        NameVia::QuicSni,
        NameVia::GquicSni,
        NameVia::DtlsSni,
        NameVia::HttpHost,
        NameVia::Socks,
        NameVia::SdRtn,
        NameVia::Dns,
        NameVia::Certificate,
    ];
    audit.flow_names = vec![
        vias.into_iter()
            .map(|via| FlowName {
                name: "a.example".into(),
                via,
                frame: 5,
            })
            .collect(),
        vec![],
        vec![],
        vec![],
    ];
    let channel = |readable, ech| Observation::Channel {
        protocol: "tls",
        version: "1.3".into(),
        cipher: Some("TLS_AES_128_GCM_SHA256".into()),
        readable,
        ja3: Some("e7d705a3286e19ea42f587b344ee6865".into()),
        ja4: Some("t13d1516h2_8daaf6152771_e5627efa2ab1".into()),
        ech,
    };
    let media = |recoverable| Observation::Media {
        protocol: "rtp",
        ssrc: 0xDEAD_BEEF,
        payload_type: 0,
        codec: "PCMU".into(),
        pictures: false,
        frames: 500,
        recoverable,
    };
    let bound = |value| Observation::NameBound {
        protocol: "dns",
        question: "www.a.example".into(),
        name: "a.example".into(),
        record: "A".into(),
        value,
        ttl: 300,
    };
    let facts = [
        Observation::NameAsked {
            protocol: "dns",
            name: "a.example".into(),
            record: "A".into(),
        },
        bound(BoundValue::Address(ip("203.0.113.7"))),
        bound(BoundValue::Text("b.example".into())),
        Observation::PeerNamed {
            protocol: "quic",
            name: "a.example".into(),
        },
        Observation::Certificate {
            subject: "a.example".into(),
            names: vec!["a.example".into(), "*.a.example".into()],
            sha256: "00".repeat(32),
            leaf: true,
        },
        channel(ChannelSecrecy::Sealed, Ech::None),
        channel(ChannelSecrecy::Readable, Ech::Present(None)),
        channel(ChannelSecrecy::Anonymous, Ech::Offered),
        channel(ChannelSecrecy::Unknown, Ech::None),
        Observation::Request {
            version: "1.1",
            method: "GET".into(),
            host: Some("api.voice.example:80".into()),
            path: "/v1/users/1009431/join?imei=490154203237518".into(),
        },
        Observation::Request {
            version: "1.0",
            method: "GET".into(),
            host: None,
            path: "/".into(),
        },
        media(Recovery::Yes {
            because: "2 s of speech-like sound".into(),
            sound: "11".repeat(32),
        }),
        media(Recovery::No {
            because: "SDES keys were negotiated".into(),
        }),
        media(Recovery::CannotTell {
            because: "the payload type is dynamic".into(),
        }),
        Observation::Call {
            protocol: "sip",
            method: "INVITE".into(),
            status: None,
            from: "sip:bob@voice.example".into(),
            to: "sip:ann@voice.example".into(),
            call_id: "8f3a5501@a.example".into(),
        },
        Observation::SessionNamed {
            protocol: "quic",
            id: "8394c8f03e515708".into(),
        },
    ];
    audit.observations = (0u32..)
        .zip(facts)
        .map(|(n, what)| Observed {
            flow: FlowId(n % 4),
            time: at(i64::from(n)),
            locus: Locus {
                span: Span::in_layer(u64::from(n / 2 * 2 + 1), u64::from(n + 1), 0, 9),
                ..locus(1)
            },
            protection: if n % 2 == 0 { Protection::Plaintext } else { Protection::Tls },
            what,
            again: if n == 1 { vec![locus(9)].into() } else { vec![].into() },
            count: if n == 1 { 2 } else { 1 },
        })
        .collect();
    audit
}

/// One place that is an identifier, and the argument.
fn discovery() -> Discovery {
    Discovery {
        identifiers: vec![Identifier {
            roles: vec![Role::User, Role::Device],
            firmness: Firmness::Claim,
            place: "udp/4000 up, offset 18..22".into(),
            encoding: "u32be".into(),
            distinct: 4,
            support: Support {
                captures: 16,
                sessions: 32,
                messages: 128,
            },
            because: "each of 16 captures has one value here".into(),
            p_value: 2.5e-5,
            p_single: 1.2e-6,
            least_p: 1.2e-6,
            confirmed_on: 3,
            table: vec![Some(0), None, Some(1)],
            evidence: vec![locus(19)],
        }],
        design: Design {
            captures: 16,
            aside: 3,
            sessions: 32,
            roles: vec![RoleDesign {
                role: Role::User,
                distinct: 4,
                least_p: 1.2e-6,
            }],
            places: 1200,
            steady: 40,
            hypotheses: 21,
            cannot_tell: vec!["room: there is one only".into()],
        },
    }
}

/// A device that talks while nobody asks it to, and what it sends beside what was declared.
pub fn unasked() -> Audit {
    let mut audit = call();
    audit.exposures.truncate(1);
    audit.verdicts.clear();
    audit.talk = talk();
    audit.undeclared = Some(undeclared());
    audit
}

/// Sent while idle and after consent was refused, with an active capture to compare with, and without.
fn talk() -> Vec<farshore_model::Talk> {
    let idle = farshore_model::Talk {
        state: "idle".into(),
        destination: 0,
        inputs: vec![InputId(0)],
        flows: 12,
        bytes_up: 8_400,
        rhythm: Some(Rhythm {
            period: 60_200_000_000,
            jitter: 340_000_000,
            times: 12,
        }),
        fields: vec!["http.query.imei".into(), "http.host".into()],
        exposures: vec![0],
        beyond: Some(farshore_model::talk::Beyond {
            destination: false,
            fields: vec!["http.query.imei".into()],
        }),
        evidence: vec![locus(3)],
    };
    let refused = farshore_model::Talk {
        state: "consent-refused".into(),
        destination: 1,
        flows: 1,
        rhythm: None,
        beyond: Some(farshore_model::talk::Beyond {
            destination: true,
            fields: vec![],
        }),
        ..idle.clone()
    };
    let alone = farshore_model::Talk {
        state: "asleep".into(),
        destination: 2,
        exposures: vec![],
        beyond: None,
        evidence: vec![],
        ..refused.clone()
    };
    vec![idle, refused, alone]
}

/// One of each sort.
fn undeclared() -> Vec<farshore_model::Undeclared> {
    use farshore_model::talk::Omission;
    let it = |what, subject: &str| farshore_model::Undeclared {
        what,
        subject: subject.into(),
        destination: 0,
        exposures: vec![0],
        because: "it is no such thing that was declared".into(),
        evidence: vec![locus(3)],
    };
    vec![
        it(Omission::Recipient, "api.voice.example"),
        it(Omission::Country, "NL"),
        it(Omission::Field, "imei"),
    ]
}
