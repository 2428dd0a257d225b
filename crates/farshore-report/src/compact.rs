//! Shapes as JSON on one line. Owns the syntax: every string goes through [`escape::json`], which makes it harmless.
//!
//! An audit has millions of small values, so this writes into memory of a known type, looks at each string once, and never
//! at the names of fields, which stand in the source. It refuses what no shape has: variants with content of their own, and
//! keys that are no text.

use std::fmt;
use std::io::{self, Write};

use serde::ser::{self, Impossible, Serialize, Serializer};

use crate::escape;

/// Bytes that are gathered before they are handed on.
const GATHERED: usize = 1 << 16;

/// Where JSON is written to.
pub(crate) struct Sheet<'o> {
    written: Vec<u8>,
    out: Option<&'o mut dyn Write>,
}

impl<'o> Sheet<'o> {
    /// Hands on to `out`, which wants no buffer.
    pub(crate) fn new(out: &'o mut dyn Write) -> Self {
        Self {
            written: Vec::with_capacity(GATHERED.saturating_mul(2)),
            out: Some(out),
        }
    }

    /// Hands on nothing, and writes over that.
    pub(crate) fn over(room: Vec<u8>) -> Self {
        Self { written: room, out: None }
    }

    /// What was written and not handed on.
    pub(crate) fn into_written(self) -> Vec<u8> {
        self.written
    }

    /// Text that is JSON already.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.written.extend_from_slice(text);
    }

    /// One value and a line feed.
    pub(crate) fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        value.serialize(&mut *self)?;
        self.written.push(b'\n');
        Ok(self.pause()?)
    }

    /// One value; a comma before it unless it is the first.
    pub(crate) fn element(&mut self, first: bool, value: &impl Serialize) -> io::Result<()> {
        if !first {
            self.written.push(b',');
        }
        value.serialize(&mut *self)?;
        Ok(self.pause()?)
    }

    /// Hands on what is left.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.hand_on()
    }

    /// Hands on if there is enough of it.
    fn pause(&mut self) -> Result<(), Refused> {
        if self.written.len() >= GATHERED {
            self.hand_on()?;
        }
        Ok(())
    }

    fn hand_on(&mut self) -> io::Result<()> {
        if let Some(out) = &mut self.out {
            out.write_all(&self.written)?;
            self.written.clear();
        }
        Ok(())
    }

    fn number(&mut self, number: u64) {
        let mut digits = Digits::default();
        self.written.extend_from_slice(digits.of(number));
    }
}

/// A number in decimal, spelled on the stack.
#[derive(Default)]
pub(crate) struct Digits([u8; 20]);

impl Digits {
    pub(crate) fn of(&mut self, number: u64) -> &[u8] {
        let mut rest = number;
        let mut free = self.0.len();
        for place in self.0.iter_mut().rev() {
            *place = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
            free = free.saturating_sub(1);
            if rest == 0 {
                break;
            }
        }
        self.0.get(free..).unwrap_or_default()
    }
}

/// JSON that was written before, for writing it again as it is. Any other serializer makes a list of numbers of it.
#[derive(Clone, Debug)]
pub(crate) struct Written(Vec<u8>);

impl Written {
    /// What a value looks like.
    pub(crate) fn of(value: &impl Serialize) -> io::Result<Self> {
        let mut sheet = Sheet::over(Vec::new());
        value.serialize(&mut sheet)?;
        sheet.written.shrink_to_fit();
        Ok(Self(sheet.written))
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// What went wrong: what is written to, or a shape.
#[derive(Debug)]
pub(crate) struct Refused(io::Error);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(io::Error::other(what.to_string()))
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        refused.0
    }
}

/// No shape has one.
fn foreign<T>(what: &str) -> Result<T, Refused> {
    Err(ser::Error::custom(format!("{what} has no form here")))
}

/// Text that is made harmless piece by piece.
struct Pieces<'a>(&'a mut Vec<u8>);

impl fmt::Write for Pieces<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        escape::json(piece, self.0);
        Ok(())
    }
}

/// The elements of an array.
pub(crate) struct Elements<'a, 'o> {
    sheet: &'a mut Sheet<'o>,
    first: bool,
}

/// The members of an object.
pub(crate) struct Members<'a, 'o> {
    sheet: &'a mut Sheet<'o>,
    first: bool,
}

impl<'a, 'o> Serializer for &'a mut Sheet<'o> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Elements<'a, 'o>;
    type SerializeTuple = Elements<'a, 'o>;
    type SerializeTupleStruct = Impossible<(), Refused>;
    type SerializeTupleVariant = Impossible<(), Refused>;
    type SerializeMap = Members<'a, 'o>;
    type SerializeStruct = Members<'a, 'o>;
    type SerializeStructVariant = Impossible<(), Refused>;

    fn serialize_str(self, text: &str) -> Result<(), Refused> {
        self.written.push(b'"');
        escape::json(text, &mut self.written);
        self.written.push(b'"');
        Ok(())
    }

    fn collect_str<T: ?Sized + fmt::Display>(self, value: &T) -> Result<(), Refused> {
        self.written.push(b'"');
        fmt::write(&mut Pieces(&mut self.written), format_args!("{value}")).map_err(io::Error::other)?;
        self.written.push(b'"');
        Ok(())
    }

    fn serialize_char(self, it: char) -> Result<(), Refused> {
        self.serialize_str(it.encode_utf8(&mut [0; 4]))
    }

    fn serialize_bytes(self, written: &[u8]) -> Result<(), Refused> {
        // No shape has bytes but `Written`.
        self.written.extend_from_slice(written);
        Ok(())
    }

    fn serialize_bool(self, it: bool) -> Result<(), Refused> {
        self.written.extend_from_slice(if it { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_u64(self, it: u64) -> Result<(), Refused> {
        self.number(it);
        Ok(())
    }

    fn serialize_u32(self, it: u32) -> Result<(), Refused> {
        self.serialize_u64(it.into())
    }

    fn serialize_u16(self, it: u16) -> Result<(), Refused> {
        self.serialize_u64(it.into())
    }

    fn serialize_u8(self, it: u8) -> Result<(), Refused> {
        self.serialize_u64(it.into())
    }

    fn serialize_i64(self, it: i64) -> Result<(), Refused> {
        if it < 0 {
            self.written.push(b'-');
        }
        self.serialize_u64(it.unsigned_abs())
    }

    fn serialize_i32(self, it: i32) -> Result<(), Refused> {
        self.serialize_i64(it.into())
    }

    fn serialize_i16(self, it: i16) -> Result<(), Refused> {
        self.serialize_i64(it.into())
    }

    fn serialize_i8(self, it: i8) -> Result<(), Refused> {
        self.serialize_i64(it.into())
    }

    fn serialize_f64(self, it: f64) -> Result<(), Refused> {
        // The shortest digits that read back as the same number; they are few, and hard to do right.
        Ok(serde_json::to_writer(&mut self.written, &it).map_err(io::Error::from)?)
    }

    fn serialize_f32(self, it: f32) -> Result<(), Refused> {
        Ok(serde_json::to_writer(&mut self.written, &it).map_err(io::Error::from)?)
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, it: &T) -> Result<(), Refused> {
        it.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        self.written.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Refused> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, it: &T) -> Result<(), Refused> {
        it.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<(), Refused> {
        foreign(variant)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a, 'o>, Refused> {
        self.written.push(b'[');
        Ok(Elements { sheet: self, first: true })
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a, 'o>, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Impossible<(), Refused>, Refused> {
        foreign(name)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Impossible<(), Refused>, Refused> {
        foreign(variant)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a, 'o>, Refused> {
        self.written.push(b'{');
        Ok(Members { sheet: self, first: true })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a, 'o>, Refused> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Refused>, Refused> {
        foreign(variant)
    }
}

impl ser::SerializeSeq for Elements<'_, '_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, it: &T) -> Result<(), Refused> {
        if !std::mem::take(&mut self.first) {
            self.sheet.written.push(b',');
        }
        it.serialize(&mut *self.sheet)?;
        self.sheet.pause()
    }

    fn end(self) -> Result<(), Refused> {
        self.sheet.written.push(b']');
        Ok(())
    }
}

impl ser::SerializeTuple for Elements<'_, '_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, it: &T) -> Result<(), Refused> {
        ser::SerializeSeq::serialize_element(self, it)
    }

    fn end(self) -> Result<(), Refused> {
        ser::SerializeSeq::end(self)
    }
}

impl ser::SerializeMap for Members<'_, '_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Refused> {
        if !std::mem::take(&mut self.first) {
            self.sheet.written.push(b',');
        }
        let at = self.sheet.written.len();
        key.serialize(&mut *self.sheet)?;
        match self.sheet.written.get(at) {
            Some(b'"') => Ok(()),
            _ => foreign("a key that is no text"),
        }
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, it: &T) -> Result<(), Refused> {
        self.sheet.written.push(b':');
        it.serialize(&mut *self.sheet)
    }

    fn end(self) -> Result<(), Refused> {
        self.sheet.written.push(b'}');
        Ok(())
    }
}

impl ser::SerializeStruct for Members<'_, '_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, it: &T) -> Result<(), Refused> {
        let written = &mut self.sheet.written;
        written.extend_from_slice(if std::mem::take(&mut self.first) { b"\"" } else { b",\"" });
        written.extend_from_slice(key.as_bytes());
        written.extend_from_slice(b"\":");
        it.serialize(&mut *self.sheet)
    }

    fn end(self) -> Result<(), Refused> {
        self.sheet.written.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn written(value: &impl Serialize) -> String {
        String::from_utf8(Written::of(value).unwrap().0).unwrap()
    }

    #[test]
    fn values_are_those_of_any_other_json() {
        let numbers = (0_u64, u64::MAX, i64::MIN, -7_i8, 0.1_f64, 12.345_678_f64, 1e300_f64, f64::NAN);
        let texts = ["", "plain", "\"\\\u{8}\u{c}\n\r\t/", "täxt 漢字 🎧", "\0\u{1f}"];
        let map = BTreeMap::from([("a", Some(true)), ("b\"", None)]);
        let value = (numbers, texts, map, [(); 0], 'c', ());
        assert_eq!(written(&value), serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn strings_are_inert_and_unchanged_however_often_they_are_written() {
        let hostile = "\x1b[2J\u{7f}\u{85}\u{202e}\u{200b}\u{2028}\u{feff}\u{e0041}<script>\"\\\n";
        let once = Written::of(&hostile).unwrap();
        let again = Written::of(&[&once, &once]).unwrap();
        let spelled = Written::of(&[format_args!("{hostile}"), format_args!("{}{}", "", hostile)]).unwrap();
        for json in [again, spelled] {
            let text = String::from_utf8(json.0).unwrap();
            assert!(text.chars().all(|c| (' '..='~').contains(&c)) && !text.contains('<'), "{text}");
            assert_eq!(serde_json::from_str::<[String; 2]>(&text).unwrap(), [hostile, hostile]);
        }
    }

    #[test]
    fn much_is_handed_on_in_order() {
        let rows: Vec<String> = (0..40_000).map(|row| format!("row {row}")).collect();
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out);
        sheet.line(&rows).unwrap();
        sheet.line(&7).unwrap();
        sheet.finish().unwrap();
        let (first, second) = out.split_at(out.len() - 2);
        assert_eq!(second, b"7\n");
        assert_eq!(serde_json::from_slice::<Vec<String>>(first).unwrap(), rows);
    }

    #[test]
    fn what_no_shape_has_is_refused() {
        assert!(Written::of(&BTreeMap::from([(1, 2)])).is_err());
        assert!(Written::of(&Ok::<u8, u8>(1)).is_err());
    }
}
