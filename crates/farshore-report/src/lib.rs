//! An audit as text: terminal, JSON, HTML.
