//! Bytes to facts: frames, flows, streams, protocols.
