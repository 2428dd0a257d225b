//! The nouns of farshore: what was seen, what it means. No I/O, no serialisation.
