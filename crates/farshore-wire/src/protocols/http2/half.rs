//! What one side says on one stream, be it of HTTP/2 or HTTP/3: the request it makes or its answer, the body behind it, or the
//! WebSocket that the stream turns into (RFC 8441, RFC 9220). It refuses to know how headers were packed or frames begin.

use std::collections::BTreeSet;

use farshore_model::{Direction, Observation, Span};

use super::fields;
use super::hpack::List;
use crate::limits::Limits;
use crate::protocols::http::body::Body;
use crate::protocols::websocket::Messages;
use crate::protocols::{Dissector, Gathered, Piece, Segment, Sink};

/// Streams on which a client may wait for its WebSocket at once.
const MOST_SOCKETS: usize = 1024;

/// One side of one stream.
#[derive(Debug, Default)]
pub struct Half {
    body: Body,
    /// A request that is not over, where its head stands, and that in the direction.
    request: Option<(Observation, Span, u64)>,
    /// Its first header block was seen.
    headed: bool,
    asked: bool,
    socket: Option<Box<Messages>>,
}

/// Where it is said, and who hears of it.
pub struct Scene<'a> {
    pub version: &'static str,
    pub direction: Direction,
    /// The latest frame of the capture.
    pub frame: u64,
    pub limits: &'a Limits,
    /// Streams of the connection whose client asked for a WebSocket.
    pub sockets: &'a mut BTreeSet<u64>,
    pub out: &'a mut dyn Sink,
}

impl Scene<'_> {
    /// What packs lists of headers: HPACK (RFC 7541) or QPACK (RFC 9204).
    fn packing(&self) -> &'static str {
        if self.version == "3" { "qpack" } else { "hpack" }
    }
}

impl Half {
    /// Takes a list of headers of that stream; `position` is where they begin in the direction.
    pub fn headers(&mut self, number: u64, list: &List, block: &Gathered, position: u64, scene: &mut Scene<'_>) {
        let whole = block.span(0..block.len());
        if let Some(request) = fields::request(scene.version, list) {
            scene.out.client_speaks(scene.direction);
            // A second one on the same stream breaks the protocol; the first is still told.
            if let Some(before) = self.request.replace((request, whole, position)) {
                fields::tell(before, scene.frame, scene.packing(), scene.out);
            }
            self.asked = true;
        }
        fields::headers(list, self.asked, scene.packing(), block, scene.out);
        if list.is_interim() || self.headed {
            return;
        }
        self.headed = true;
        self.body.what = fields::body(list, self.asked);
        if self.turns(number, list, scene.sockets) {
            scene.out.carries("websocket");
            self.socket = Some(Box::new(Messages::new(scene.limits)));
        }
    }

    /// Whether what follows is a WebSocket's: the client asks for it, the server agrees.
    fn turns(&self, number: u64, list: &List, sockets: &mut BTreeSet<u64>) -> bool {
        if !self.asked {
            let agrees = list.value(b":status").is_some_and(|it| it.starts_with(b"2"));
            return sockets.remove(&number) && agrees;
        }
        let asks = list.value(b":method") == Some(b"CONNECT") && list.value(b":protocol") == Some(b"websocket");
        if asks && sockets.len() < MOST_SOCKETS {
            sockets.insert(number);
        }
        asks
    }

    /// Takes the next part of the body.
    pub fn data(&mut self, part: &Piece<'_>, scene: &mut Scene<'_>) {
        if let Some(socket) = &mut self.socket {
            socket.segment(scene.direction, Segment::Bytes(*part), scene.out);
            return;
        }
        self.body.keep(part.bytes, part.origin, scene.limits, scene.out);
    }

    /// So many bytes of the body are missing.
    pub fn gap(&mut self, missing: u64, scene: &mut Scene<'_>) {
        match &mut self.socket {
            Some(socket) => {
                socket.segment(scene.direction, Segment::Gap(missing), scene.out);
            }
            None => self.body.tell_part(scene.out, scene.direction, scene.limits),
        }
    }

    /// Nothing more is said; `whole` when that is its end, and not only that of the capture.
    pub fn end(mut self, whole: bool, scene: &mut Scene<'_>) {
        if let Some(mut socket) = self.socket.take() {
            socket.finish(scene.out);
        }
        if whole {
            self.body.tell(scene.out, scene.direction, scene.limits);
        } else {
            self.body.tell_part(scene.out, scene.direction, scene.limits);
        }
        if let Some(request) = self.request.take() {
            fields::tell(request, scene.frame, scene.packing(), scene.out);
        }
    }
}
