//! Whether what stands behind a key name is a piece of a program: `{password: function(e){…}}`, `"password"==t.type`,
//! `token=this.j` name no value of anyone, however much they look like `key=value`.
//!
//! It looks at the neighbours and at what script a text holds, and refuses to parse any language.

use std::ops::Range;

use memchr::memmem;

/// The scripts of a text, sought when they are first asked for.
#[derive(Default)]
pub(super) struct Scripts {
    spans: Option<Vec<Range<usize>>>,
}

impl Scripts {
    /// Whether the value behind a key is an expression of a language instead of a value.
    pub fn hold_expression(&mut self, text: &[u8], key: &Range<usize>, value: &Range<usize>) -> bool {
        let Some((first, it)) = text.get(value.clone()).and_then(|it| it.first().zip(Some(it))) else {
            return false;
        };
        let before = value.start.checked_sub(1).and_then(|i| text.get(i));
        let quoted = matches!(before, Some(b'"' | b'\''));
        if quoted {
            // `"&token="+t+"…"`: a quote that ends a string; `{accesskey:"accessKey"}`: a table of names.
            let ends = matches!(first, b'+' | b',' | b';' | b')' | b']' | b'}' | b':' | b'?' | b'=' | b'&' | b'|');
            let repeats = text.get(key.clone()).is_some_and(|key| key.eq_ignore_ascii_case(it));
            return (ends || repeats) && self.cover(text, value.start);
        }
        let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$');
        // ECMA-262 §13.3: a call, an index.
        if it.last().is_some_and(word) && matches!(text.get(value.end), Some(b'(' | b'[')) || it == b"function" || it.starts_with(b"this.")
        {
            return true;
        }
        let path = (first.is_ascii_alphabetic() || matches!(first, b'_' | b'$'))
            && it.iter().all(|b| word(b) || matches!(b, b'.' | b'+' | b'-' | b'?' | b':'));
        let operator = matches!(first, b'!' | b'+' | b'-' | b'*' | b'~' | b'^' | b'?' | b'=');
        (path || operator) && !is_queried(text, key.start) && self.cover(text, value.start)
    }

    fn cover(&mut self, text: &[u8], at: usize) -> bool {
        let spans = self.spans.get_or_insert_with(|| scripts(text));
        let behind = spans.partition_point(|it| it.start <= at);
        behind.checked_sub(1).and_then(|i| spans.get(i)).is_some_and(|it| at < it.end)
    }
}

/// `?user=grace`, `&amp;user=grace`: an address, though a script may hold it.
fn is_queried(text: &[u8], key: usize) -> bool {
    let before = text.get(..key).unwrap_or(&[]);
    matches!(before.last(), Some(b'?' | b'&')) || before.ends_with(b"&amp;")
}

/// Of a page what stands in its `script` elements (HTML Living Standard §4.12.1); all of what is none and defines a function, though
/// pieces of pages may stand in its strings.
fn scripts(text: &[u8]) -> Vec<Range<usize>> {
    let begun = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    if begun.first() != Some(&b'<') {
        return defines_function(text).then_some(0..text.len()).into_iter().collect();
    }
    let named = |at: usize, name: &[u8]| {
        let end = at.saturating_add(name.len());
        text.get(at..end).is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    let (mut spans, mut open) = (Vec::new(), None);
    for at in memchr::memchr_iter(b'<', text) {
        if open.is_none() && named(at, b"<script") {
            open = Some(at);
        } else if named(at, b"</script") {
            spans.extend(open.take().map(|start| start..at));
        }
    }
    spans.extend(open.map(|start| start..text.len()));
    spans
}

/// ECMA-262 §15.2: `function name(`, `function(`; §15.3: `=>{`.
fn defines_function(text: &[u8]) -> bool {
    let called = |at: usize| {
        let rest = text.get(at.saturating_add(b"function".len())..).unwrap_or(&[]);
        let name = rest
            .iter()
            .take(64)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b' ' | b'*'));
        rest.get(name.count()) == Some(&b'(')
    };
    memmem::find_iter(text, b"function").any(called) || memmem::find(text, b"=>{").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::hints::value_after;

    /// What is behind the first key of the text that is not an expression.
    fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
        let start = text.find(key).unwrap();
        let key = start..start + key.len();
        let range = value_after(text.as_bytes(), &key, false)?;
        let expression = Scripts::default().hold_expression(text.as_bytes(), &key, &range);
        (!expression).then(|| &text[range])
    }

    #[test]
    fn a_program_names_no_values() {
        for (text, key) in [
            (
                "var k={text:function(a){return\"text\"===a.type},password:function(a){}}",
                "password",
            ),
            ("x=function(e){return\"password\"==e.type}", "password"),
            ("o.login=this.handle;", "login"),
            ("go({token:n.getToken(),x:1})", "token"),
            ("function f(){o={apiKey:b.apiKey,secret:fail}}", "apiKey"),
            ("function f(){o={apiKey:b.apiKey,secret:fail}}", "secret"),
            ("function f(){var user=names[0]}", "user"),
            ("!function(){u=\"/x?a=1&token=\"+c.mail+\"&b=\"}()", "token"),
            ("(e)=>{n.account=e.uid++}", "account"),
            ("<html>User<script>o={login:before}</script>", "login"),
            ("function p(){return{accesskey:\"accessKey\"}}", "accesskey"),
            ("function p(){w(\"<html><script>\"+q+\"</script>\");o={token:b.key}}", "token"),
        ] {
            assert_eq!(value(text, key), None, "{text}");
        }
    }

    #[test]
    fn what_a_program_or_a_page_says_of_someone_is_a_value() {
        for (text, key, found) in [
            ("function f(){o={user_id:1009431}}", "user_id", "1009431"),
            ("function f(){o={user_id:\"grace.h\"}}", "user_id", "grace.h"),
            ("function f(){a=\"/x?user=grace&b=1\"}", "user", "grace"),
            ("<html><script>function f(){}</script><td>user: grace</td>", "user", "grace"),
            ("<html>the function(s) of user=grace.h", "user", "grace.h"),
            ("user=grace.h\npassword=hunter2\n", "password", "hunter2"),
            ("user: grace (on call)", "user", "grace"),
            ("token=YWJj/+==&x", "token", "YWJj/+=="),
        ] {
            assert_eq!(value(text, key), Some(found), "{text}");
        }
    }
}
