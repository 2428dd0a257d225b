//! What is said on standard error. File names and what users' files hold are shown there, never obeyed.

use std::path::Path;

use farshore_report::escape;

/// A path, harmless wherever it is printed.
pub(crate) fn shown(path: &Path) -> String {
    escape::visible(&path.display().to_string())
}

/// Says something, a line at a time: what steers a terminal is spelled out.
pub(crate) fn say(text: &str) {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && escape::is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    eprintln!("farshore: {out}");
}
