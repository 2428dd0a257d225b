//! A message of Internet mail (RFC 5322), line by line, as SMTP, POP3 and IMAP carry it: each header under a path of its
//! own, the body as lines. Encodings of the body (RFC 2045) are left to those who look for values.

use super::Sink;
use super::lines::{Line, path};

/// A message that is passing.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The header a folded line would belong to; nothing once the body has begun.
    header: Option<String>,
    /// Bytes of it that may still be told.
    room: usize,
}

impl Mail {
    /// Begins one, of which so many bytes are told.
    pub const fn new(room: usize) -> Self {
        Self {
            header: Some(String::new()),
            room,
        }
    }

    /// What comes of it is the body alone.
    pub fn headless(&mut self) {
        self.header = None;
    }

    /// Takes its next line.
    pub fn line(&mut self, protocol: &str, line: &Line<'_>, out: &mut dyn Sink) {
        let text = line.text();
        if text.len() > self.room {
            if self.room > 0 {
                out.limit("body-bytes");
            }
            self.room = 0;
            return;
        }
        self.room = self.room.saturating_sub(text.len());
        let Some(header) = &mut self.header else {
            line.tell(&format!("{protocol}.mail.body"), 0..text.len(), out);
            return;
        };
        match text {
            [] => self.header = None,
            [b' ' | b'\t', ..] if !header.is_empty() => line.tell(header, line.rest(0), out),
            _ => match text.iter().position(|byte| *byte == b':') {
                Some(mark) if mark > 0 => {
                    *header = path(&format!("{protocol}.mail.header"), text.get(..mark).unwrap_or_default());
                    line.tell(header, line.rest(mark.saturating_add(1)), out);
                }
                _ => {
                    self.header = None;
                    line.tell(&format!("{protocol}.mail.body"), 0..text.len(), out);
                }
            },
        }
    }
}
