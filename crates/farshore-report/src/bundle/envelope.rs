//! DSSE: what is signed, and the one line of JSON that carries it with its one signature.
//!
//! The envelope itself is signed by nobody, so it has one form: read, written anew, compared. It refuses a second signature,
//! a second line, and base64 in any but its standard spelling.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Check, Refusal};

/// The type of the payload, as in-toto names it.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What a signature is over: DSSE's pre-authentication encoding.
pub fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// An envelope: a statement and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The bytes of the statement.
    pub payload: Vec<u8>,
    /// The fingerprint of the key.
    pub keyid: String,
    /// The signature over [`signed_bytes`].
    pub signature: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// As one line of JSON.
    pub fn write(&self) -> serde_json::Result<Vec<u8>> {
        let line = Line {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(&self.payload),
            signatures: vec![Signature {
                keyid: self.keyid.clone(),
                sig: STANDARD.encode(&self.signature),
            }],
        };
        let mut out = serde_json::to_vec(&line)?;
        out.push(b'\n');
        Ok(out)
    }

    /// Of such a line, and of no other spelling of it.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let refused = |because: String| Refusal::new(Check::Envelope, because);
        let lines = bytes.split(|it| *it == b'\n').filter(|it| !it.trim_ascii().is_empty()).count();
        if lines > 1 {
            return Err(refused(format!("{lines} lines; expected one envelope in one")));
        }
        let line: Line = serde_json::from_slice(bytes).map_err(|why| refused(format!("no DSSE envelope: {why}")))?;
        if line.payload_type != PAYLOAD_TYPE {
            return Err(refused(format!(
                "payloadType is `{}`; expected `{PAYLOAD_TYPE}`",
                line.payload_type
            )));
        }
        let [signature] = &line.signatures[..] else {
            return Err(refused(format!("{} signatures; expected one", line.signatures.len())));
        };
        let decoded = |what: &str, text: &str| STANDARD.decode(text).map_err(|why| refused(format!("{what} is no base64: {why}")));
        let envelope = Self {
            payload: decoded("payload", &line.payload)?,
            keyid: signature.keyid.clone(),
            signature: decoded("sig", &signature.sig)?,
        };
        if envelope.write().ok().as_deref() != Some(bytes) {
            return Err(refused(
                "not spelled as a bundle spells it: other blanks, order or escapes".to_owned(),
            ));
        }
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_what_the_specification_says() {
        // The specification's own example has another type: its lengths and blanks are what counts.
        assert_eq!(
            signed_bytes(b"hello world"),
            b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
        );
        assert_eq!(signed_bytes(b""), b"DSSEv1 28 application/vnd.in-toto+json 0 ");
    }

    #[test]
    fn an_envelope_has_one_spelling() {
        let it = Envelope {
            payload: b"{}".to_vec(),
            keyid: "SHA256:a".to_owned(),
            signature: vec![1, 2, 3],
        };
        let line = it.write().unwrap();
        assert_eq!(Envelope::read(&line).unwrap(), it);
        let text = String::from_utf8(line).unwrap();
        for (from, to, says) in [
            ("\n", "\n\n", "not spelled"),
            ("\n", "", "not spelled"),
            (":\"e30=\"", ": \"e30=\"", "not spelled"),
            ("SHA256:a", "SHA256:\\u0061", "not spelled"),
            ("e30=", "e30", "no base64"),
            ("e30=", "e31=", "no base64"),
            ("vnd.in-toto+json", "json", "payloadType"),
            ("{\"keyid\"", "{\"x\":1,\"keyid\"", "unknown field"),
            ("\"payload\":", "\"payload\":\"e30=\",\"payload\":", "duplicate field"),
        ] {
            assert!(text.contains(from), "{from}");
            let refused = Envelope::read(text.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert_eq!(refused.check, Check::Envelope);
            assert!(refused.because.contains(says), "{from} -> {to}: {refused}");
        }
        let twice = format!("{text}{text}");
        assert!(Envelope::read(twice.as_bytes()).unwrap_err().because.contains("2 lines"));
        let signature = "{\"keyid\":\"SHA256:a\",\"sig\":\"AQID\"}";
        let two = text.replace(signature, &format!("{signature},{signature}"));
        assert!(Envelope::read(two.as_bytes()).unwrap_err().because.contains("2 signatures"));
        assert!(
            Envelope::read(text.replace(signature, "").as_bytes())
                .unwrap_err()
                .because
                .contains("0 signatures")
        );
    }
}
