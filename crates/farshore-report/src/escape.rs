//! The one place where text from the wire is made harmless: for a terminal, for markup, for JSON.
//!
//! What cannot be seen is spelled out: control codes, direction marks, zero-width characters, floods of combining
//! marks. It refuses to drop anything silently: a cut shows as `…`.

use unicode_width::UnicodeWidthChar;

/// Combining marks that may follow one another before the rest is spelled out.
const MARKS: usize = 3;

/// Whether a character steers, reorders or hides what stands around it instead of being seen itself.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Text as it may be shown on a terminal: what is invisible stands as `\u{202e}`, and so does the `<` that would begin
/// markup where a terminal's text is pasted.
pub fn visible(text: &str) -> String {
    if is_plain(text, [b'<']) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    pieces(text, '<', |piece, _| out.push_str(piece));
    out
}

/// As [`visible`], but at most `columns` wide: a longer text loses its middle.
pub fn visible_within(text: &str, columns: usize) -> String {
    if text.len() <= columns && is_plain(text, [b'<']) {
        return text.to_owned();
    }
    let spelled = |part: &str| {
        let mut all: Vec<(String, usize)> = Vec::new();
        pieces(part, '<', |piece, width| all.push((piece.to_owned(), width)));
        all
    };
    // A column holds at most one character and its marks, so nothing farther in can be shown from either end.
    let reach = columns.saturating_add(1).saturating_mul(MARKS + 1);
    let starts_at = text.char_indices().nth(reach).map(|(at, _)| at);
    let ends_at = text.char_indices().rev().nth(reach).map(|(at, _)| at);
    let (front, back) = match (starts_at, ends_at) {
        (Some(first), Some(last)) if first < last => (
            spelled(text.get(..first).unwrap_or_default()),
            spelled(text.get(last..).unwrap_or_default()),
        ),
        _ => {
            let all = spelled(text);
            if all.iter().map(|(_, width)| width).sum::<usize>() <= columns {
                return all.into_iter().map(|(piece, _)| piece).collect();
            }
            (all.clone(), all)
        }
    };
    // The end of a host name is its registrable part: it gets the larger share.
    let room = columns.saturating_sub(1);
    let (head, tail) = (room / 2, room - room / 2);
    let front: String = fitting(front.iter(), head).into_iter().collect();
    let back: String = fitting(back.iter().rev(), tail).into_iter().rev().collect();
    format!("{front}…{back}")
}

fn fitting<'a>(pieces: impl Iterator<Item = &'a (String, usize)>, columns: usize) -> Vec<&'a str> {
    let mut left = columns;
    pieces
        .map_while(|(piece, width)| {
            left = left.checked_sub(*width)?;
            Some(piece.as_str())
        })
        .collect()
}

/// The columns a text takes that went through [`visible`].
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Whether a text is printable ASCII without some bytes: it stands as it is, and takes a column a byte.
fn is_plain<const N: usize>(text: &str, but: [u8; N]) -> bool {
    let spelled = |byte: &u8| but.iter().fold(!(b' '..=b'~').contains(byte), |any, it| any | (byte == it));
    // Blocks are looked at whole, several bytes a step.
    let (blocks, rest) = text.as_bytes().as_chunks::<16>();
    let clean = |block: &[u8; 16]| !block.iter().fold(false, |any, byte| any | spelled(byte));
    blocks.iter().all(clean) && !rest.iter().any(spelled)
}

/// Hands out the text piece by piece, each with its width: a character, or the spelling of an invisible one.
fn pieces(text: &str, also: char, mut emit: impl FnMut(&str, usize)) {
    let mut marks = 0;
    let mut buffer = [0; 4];
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        marks = if width == 0 { marks + 1 } else { 0 };
        if c == also || is_invisible(c) || marks > MARKS {
            let spelled = format!("\\u{{{:x}}}", u32::from(c));
            emit(&spelled, spelled.len());
        } else {
            emit(c.encode_utf8(&mut buffer), width);
        }
    }
}

/// A line as a log of a CI service may hold it: those services obey lines that begin with `::` or hold `##[`, `##vso[` and the
/// like, wherever they come from.
pub fn unobeyed(line: &str) -> String {
    let body = line.trim_start();
    let indent = line.len().saturating_sub(body.len());
    let spelled = line.replace("##", "\\u{23}#");
    match (body.starts_with("::"), spelled.split_at_checked(indent)) {
        (true, Some((indent, body))) => format!("{indent}\\u{{3a}}{}", body.strip_prefix(':').unwrap_or(body)),
        _ => spelled,
    }
}

/// Text in XML, between tags or between quotes. What XML has no way to hold at all is spelled out with the invisible.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

/// Text behind a workflow command of GitHub. Its lines are ours; each of them is made harmless.
pub fn command_data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| unobeyed(&visible(line)).replace('%', "%25")).collect();
    lines.join("%0A")
}

/// A property of a workflow command of GitHub.
pub fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text in a paragraph or an item of Markdown. A word that a renderer would make a link, a mention or a reference of stands as code.
pub fn markdown(text: &str) -> String {
    let text = visible(text);
    let words = text.split(' ').enumerate().map(|(index, word)| {
        let lower = word.to_ascii_lowercase();
        let active = word.contains(['@', '#']) || lower.contains("://") || lower.contains("www.");
        if active { code(word) } else { plain_words(word, index == 0) }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A span of code, between more backticks than stand in it.
fn code(word: &str) -> String {
    let longest = word.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.saturating_add(1));
    let room = if word.starts_with('`') || word.ends_with('`') { " " } else { "" };
    format!("{fence}{room}{word}{room}{fence}")
}

fn plain_words(word: &str, first: bool) -> String {
    let mut out = String::with_capacity(word.len());
    let numbered = first && word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['.', ')']);
    for (at, c) in word.char_indices() {
        let opens = first && at == 0 && matches!(c, '-' | '+' | '=');
        let counts = numbered && matches!(c, '.' | ')');
        if opens || counts || matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The last gate of a finished HTML page: markup is already escaped, and whatever is invisible is spelled out, wherever
/// it stands. The page's own text holds none but line feeds.
pub fn page(markup: &str) -> String {
    let mut out = String::with_capacity(markup.len());
    for (number, line) in markup.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        if is_plain(line, []) {
            out.push_str(line);
        } else {
            pieces(line, '\0', |piece, _| out.push_str(piece));
        }
    }
    out
}

/// Adds text to JSON, as it stands between quotes, harmless wherever it is printed: beside JSON's own escapes, everything
/// invisible and the `<` of markup stand as `\uXXXX`. The value a reader of the JSON gets is unchanged.
pub(crate) fn json(text: &str, out: &mut Vec<u8>) {
    // Nearly every string is plain ASCII: it goes out in one piece.
    if is_plain(text, *b"<\"\\") {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut clean = 0;
    for (at, c) in text.char_indices() {
        let short = match c {
            '"' | '\\' => c,
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '<' => '\0',
            _ if is_invisible(c) => '\0',
            _ => continue,
        };
        out.extend_from_slice(text.get(clean..at).unwrap_or_default().as_bytes());
        clean = at + c.len_utf8();
        if short == '\0' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        } else {
            out.extend_from_slice(&[b'\\', short as u8]);
        }
    }
    out.extend_from_slice(text.get(clean..).unwrap_or_default().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_spelled_out() {
        assert_eq!(visible("a\x1b[31mb\0c\u{9b}d"), "a\\u{1b}[31mb\\u{0}c\\u{9b}d");
        assert_eq!(
            visible("moc.\u{202e}example\u{200b}\u{feff}"),
            "moc.\\u{202e}example\\u{200b}\\u{feff}"
        );
        assert_eq!(visible("<script>"), "\\u{3c}script>");
        assert_eq!(visible("plain – täxt 漢字"), "plain – täxt 漢字");
    }

    #[test]
    fn a_flood_of_marks_is_spelled_out_and_a_few_are_not() {
        assert_eq!(visible("e\u{301}"), "e\u{301}");
        let flood = format!("e{}", "\u{301}".repeat(50));
        assert_eq!(visible(&flood).matches('\u{301}').count(), MARKS);
        assert!(visible(&flood).ends_with("\\u{301}"));
    }

    #[test]
    fn a_long_name_loses_its_middle_and_never_half_an_escape() {
        let long = format!("start{}end.example", "\u{202e}".repeat(20_000));
        let cut = visible_within(&long, 40);
        assert!(columns(&cut) <= 40, "{cut}");
        assert!(cut.starts_with("start\\u{202e}") && cut.ends_with("end.example"), "{cut}");
        assert_eq!(cut.matches("\\u{").count(), cut.matches("202e}").count());
        let marked = "e\u{301}\u{302}\u{303}".repeat(9);
        assert_eq!(visible_within(&marked, 9), marked);
        assert_eq!(columns(&visible_within(&"e\u{301}\u{302}\u{303}".repeat(500), 9)), 9);
        assert_eq!(visible_within("漢字漢字漢字", 5), "漢…字");
        assert_eq!(visible_within("short", 5), "short");
        assert_eq!(visible_within("short", 0), "…");
    }

    #[test]
    fn no_line_of_a_log_is_obeyed() {
        for (line, wanted) in [
            ("::set-output name=x::1", "\\u{3a}:set-output name=x::1"),
            ("    ::add-mask::a", "    \\u{3a}:add-mask::a"),
            ("a ##[command]b ###vso[", "a \\u{23}#[command]b \\u{23}##vso["),
            ("addr ::1, a::b #1", "addr ::1, a::b #1"),
            ("\t::##[", "\t\\u{3a}:\\u{23}#["),
        ] {
            assert_eq!(unobeyed(line), wanted);
            let told = unobeyed(line);
            assert!(!told.trim_start().starts_with("::") && !told.contains("##["));
        }
    }

    #[test]
    fn xml_holds_what_it_can_hold() {
        assert_eq!(
            xml("a<b>&\"'\u{0}\u{b}\u{fffe}]]>"),
            "a\\u{3c}b&gt;&amp;&quot;&#39;\\u{0}\\u{b}\\u{fffe}]]&gt;"
        );
    }

    #[test]
    fn a_workflow_command_ends_where_it_should() {
        assert_eq!(command_data("50%\n::set-output a::b\r"), "50%25%0A\\u{3a}:set-output a::b\\u{d}");
        assert_eq!(command_property("a: b, c"), "a%3A b%2C c");
        assert!(!command_data("x\u{85}y").contains('\u{85}'));
    }

    #[test]
    fn markdown_is_no_markup() {
        for (text, wanted) in [
            (
                "a*b_c [d](e) `f` <i> &amp; ~~g~~ |",
                "a\\*b\\_c \\[d\\](e) \\`f\\` \\\\u{3c}i\\> \\&amp; \\~\\~g\\~\\~ \\|",
            ),
            (
                "see https://evil.example or www.evil.example",
                "see `https://evil.example` or `www.evil.example`",
            ),
            ("@everyone #1 a`@b", "`@everyone` `#1` ``a`@b``"),
            ("- list", "\\- list"),
            ("12. item 12.", "12\\. item 12."),
            ("host.example 1.2.3.4 – “x”", "host.example 1.2.3.4 – “x”"),
        ] {
            assert_eq!(markdown(text), wanted);
        }
    }

    #[test]
    fn the_gate_of_a_page_stops_what_slipped_through() {
        assert_eq!(page("<p>\na\x1b\u{202e}</p>\n"), "<p>\na\\u{1b}\\u{202e}</p>\n");
    }

    #[test]
    fn what_needs_spelling_is_seen_at_every_place() {
        let plain: String = (' '..='~').filter(|c| *c != '<').collect();
        assert!(is_plain(&plain, [b'<']) && is_plain("", [b'<']));
        for at in 0..plain.len() {
            for odd in ['<', '\x1b', '\x7f', 'é', '\u{202e}'] {
                let mut text = plain.clone();
                text.insert(at, odd);
                assert!(!is_plain(&text, [b'<']), "{odd:?} at {at}");
            }
        }
    }
}
