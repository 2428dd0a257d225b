//! Tests of the whole dissector. Nothing else.
