//! Frames of AMQP 0-9-1: methods, heads of messages, and their bodies.

use super::Talk;
use crate::cursor::{Cursor, Stop};
use crate::protocols::lines::path;

/// Kinds of frames (section 4.2.3 of the specification).
const METHOD: u8 = 1;
const HEAD: u8 = 2;
const BODY: u8 = 3;

/// Takes one frame's body.
pub(super) fn read(kind: u8, mut it: Cursor<'_>, talk: &mut Talk<'_>) -> Result<(), Stop> {
    match kind {
        METHOD => method(&mut it, talk),
        HEAD => head(&mut it, talk),
        BODY => {
            talk.body(&it);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn method(it: &mut Cursor<'_>, talk: &mut Talk<'_>) -> Result<(), Stop> {
    let words: &[&str] = match (it.u16()?, it.u16()?) {
        // connection.start: versions, what the server is, what it offers.
        (10, 10) => {
            it.skip(2)?;
            return table(it, "amqp.server", talk);
        }
        // connection.start-ok: what the client is, how it logs in.
        (10, 11) => {
            table(it, "amqp.client", talk)?;
            let mechanism = short(it)?;
            let mut response = long(it)?;
            if mechanism.rest().eq_ignore_ascii_case(b"AMQPLAIN") {
                return entries(&mut response, |name, value| match name {
                    b"LOGIN" => talk.tell("amqp.auth.user", value),
                    b"PASSWORD" => talk.tell("amqp.auth.password", value),
                    _ => {}
                });
            }
            talk.proves(&mechanism, &response);
            return Ok(());
        }
        // connection.open
        (10, 40) => &["amqp.virtual-host"],
        // exchange.declare
        (40, 10) => {
            it.skip(2)?;
            &["amqp.exchange"]
        }
        // queue.declare, basic.consume, basic.get
        (50, 10) | (60, 20 | 70) => {
            it.skip(2)?;
            &["amqp.queue"]
        }
        // queue.bind
        (50, 20) => {
            it.skip(2)?;
            &["amqp.queue", "amqp.exchange", "amqp.routing-key"]
        }
        // basic.publish
        (60, 40) => {
            it.skip(2)?;
            ADDRESS
        }
        // basic.return
        (60, 50) => {
            it.skip(2)?;
            short(it)?;
            ADDRESS
        }
        // basic.deliver: a consumer, a number, whether again.
        (60, 60) => {
            short(it)?;
            it.skip(9)?;
            ADDRESS
        }
        // basic.get-ok
        (60, 71) => {
            it.skip(9)?;
            ADDRESS
        }
        _ => return Ok(()),
    };
    for path in words {
        let text = short(it)?;
        talk.tell(path, &text);
    }
    Ok(())
}

const ADDRESS: &[&str] = &["amqp.exchange", "amqp.routing-key"];

/// What is in the head of a message, the first by the highest bit.
#[derive(Clone, Copy)]
enum Property {
    Form,
    Table,
    Text(&'static str),
    /// So many bytes.
    Number(usize),
}

const PROPERTIES: [Property; 14] = [
    Property::Form,
    Property::Text("amqp.header.content-encoding"),
    Property::Table,
    Property::Number(1),
    Property::Number(1),
    Property::Text("amqp.header.correlation-id"),
    Property::Text("amqp.header.reply-to"),
    Property::Text("amqp.header.expiration"),
    Property::Text("amqp.header.message-id"),
    Property::Number(8),
    Property::Text("amqp.header.type"),
    Property::Text("amqp.message.user"),
    Property::Text("amqp.message.app"),
    Property::Text("amqp.header.cluster-id"),
];

fn head(it: &mut Cursor<'_>, talk: &mut Talk<'_>) -> Result<(), Stop> {
    talk.form.clear();
    // A class, a weight, the length of the body.
    it.skip(12)?;
    let mut flags = it.u16()?;
    for property in PROPERTIES {
        let there = flags & 0x8000 != 0;
        flags <<= 1;
        if !there {
            continue;
        }
        match property {
            Property::Form => talk.form.extend_from_slice(short(it)?.rest()),
            Property::Table => table(it, "amqp.header", talk)?,
            Property::Text(path) => talk.tell(path, &short(it)?),
            Property::Number(size) => it.skip(size)?,
        }
    }
    Ok(())
}

/// Tells the words of a table, each under its name.
fn table(it: &mut Cursor<'_>, prefix: &str, talk: &mut Talk<'_>) -> Result<(), Stop> {
    let mut inside = long(it)?;
    entries(&mut inside, |name, value| talk.tell(&path(prefix, name), value))
}

/// The words among the entries of a table (section 4.2.5.5); tables and lists in it are stepped over.
fn entries<'a>(it: &mut Cursor<'a>, mut tell: impl FnMut(&[u8], &Cursor<'a>)) -> Result<(), Stop> {
    while !it.is_empty() {
        let name = short(it)?;
        let start = *it;
        match it.u8()? {
            b'S' => tell(name.rest(), &long(it)?),
            b'F' | b'A' | b'x' => {
                long(it)?;
            }
            b't' | b'b' | b'B' => it.skip(1)?,
            b'U' | b'u' | b's' => it.skip(2)?,
            b'I' | b'i' | b'f' => it.skip(4)?,
            b'D' => it.skip(5)?,
            b'L' | b'l' | b'd' | b'T' => it.skip(8)?,
            b'V' => {}
            _ => return Err(start.forbidden()),
        }
    }
    Ok(())
}

fn short<'a>(it: &mut Cursor<'a>) -> Result<Cursor<'a>, Stop> {
    let length = it.u8()?.into();
    it.sub(length)
}

fn long<'a>(it: &mut Cursor<'a>) -> Result<Cursor<'a>, Stop> {
    let length = it.u32()? as usize;
    it.sub(length)
}
