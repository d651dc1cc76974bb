//! Values as Python's `str()` writes them.
//!
//! The header protocol hashes not the bytes that are sent but `str()` of some fields as the Python program holds them.
//! What arrives is JSON; here it is written as Python would write what it decodes to. Types are taken from the JSON: a
//! float has a point or an exponent there, as Python's own encoder writes it. An object with a key twice, of which
//! Python keeps one, comes out with both.

use std::fmt::Write;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The text is not JSON, or is nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not JSON")]
pub struct NotJson;

/// How deeply lists and objects may be nested; serde_json's own limit.
const MAX_DEPTH: usize = 128;

/// What may stand between the parts of a JSON text, and nothing else that looks like space.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// `str()` of a JSON text's value: strings as they are, everything else as `repr()` writes it.
///
/// # Errors
/// When it is not one JSON value.
pub fn str(json: &str) -> Result<String, NotJson> {
    let mut reader = Reader {
        rest: json.trim_matches(SPACE),
    };
    let mut text = String::with_capacity(json.len());
    if reader.rest.starts_with('"') {
        text = reader.string()?;
    } else {
        reader.repr(&mut text, 0)?;
    }
    reader.rest.is_empty().then_some(text).ok_or(NotJson)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn repr(&mut self, out: &mut String, depth: usize) -> Result<(), NotJson> {
        if depth == MAX_DEPTH {
            return Err(NotJson);
        }
        match self.rest.bytes().next().ok_or(NotJson)? {
            b'"' => repr_string(&self.string()?, out),
            b'[' => self.list(out, depth, '[', ']', |reader, out, depth| {
                reader.repr(out, depth)
            })?,
            b'{' => self.list(out, depth, '{', '}', |reader, out, depth| {
                repr_string(&reader.string()?, out);
                reader.skip();
                reader.expect(':')?;
                reader.skip();
                out.push_str(": ");
                reader.repr(out, depth)
            })?,
            _ => {
                let end = self
                    .rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
                    .unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                match word {
                    "null" => out.push_str("None"),
                    "true" => out.push_str("True"),
                    "false" => out.push_str("False"),
                    number => repr_number(number, out)?,
                }
            }
        }
        Ok(())
    }

    fn list(
        &mut self,
        out: &mut String,
        depth: usize,
        open: char,
        close: char,
        item: impl Fn(&mut Self, &mut String, usize) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.expect(open)?;
        out.push(open);
        self.skip();
        let mut first = true;
        while !self.rest.starts_with(close) {
            if !first {
                self.expect(',')?;
                self.skip();
                out.push_str(", ");
            }
            first = false;
            item(self, out, depth + 1)?;
            self.skip();
        }
        self.expect(close)?;
        out.push(close);
        Ok(())
    }

    /// A string with its escapes resolved.
    fn string(&mut self) -> Result<String, NotJson> {
        let mut bytes = self.rest.bytes().enumerate().skip(1);
        let end = loop {
            match bytes.next().ok_or(NotJson)? {
                (_, b'\\') => drop(bytes.next()),
                (at, b'"') => break at + 1,
                _ => {}
            }
        };
        let (string, rest) = self.rest.split_at_checked(end).ok_or(NotJson)?;
        self.rest = rest;
        serde_json::from_str(string).map_err(|_| NotJson)
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches(SPACE);
    }

    fn expect(&mut self, expected: char) -> Result<(), NotJson> {
        self.rest = self.rest.strip_prefix(expected).ok_or(NotJson)?;
        Ok(())
    }
}

fn repr_number(text: &str, out: &mut String) -> Result<(), NotJson> {
    // Only the syntax is asked; the value may be beyond every type of ours.
    let _: serde_json::Number = serde_json::from_str(text).map_err(|_| NotJson)?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        out.push_str(if digits == "0" { "0" } else { text });
        return Ok(());
    }
    let number: f64 = text.parse().map_err(|_| NotJson)?;
    repr_float(number, out);
    Ok(())
}

/// `repr()` of a float: the fewest digits that read back as the same, with an exponent below 1e-4 and from 1e16 on.
fn repr_float(number: f64, out: &mut String) {
    if number.is_infinite() {
        out.push_str(if number > 0.0 { "inf" } else { "-inf" });
        return;
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let written = if (-4..16).contains(&exponent) {
        let fixed = number.to_string();
        let point = if fixed.contains('.') { "" } else { ".0" };
        write!(out, "{fixed}{point}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{mantissa}e{sign}{:02}", exponent.abs())
    };
    written.expect("a string takes every character");
}

/// `repr()` of a string: in single quotes unless only those stand in it, and what cannot be printed escaped.
fn repr_string(string: &str, out: &mut String) {
    let quote = match string.contains('\'') && !string.contains('"') {
        true => '"',
        false => '\'',
    };
    out.push(quote);
    for c in string.chars() {
        let written = match c {
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            c if c == quote => write!(out, "\\{c}"),
            c if is_printable(c) => out.write_char(c),
            c if u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
            c if u32::from(c) < 0x1_0000 => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "\\U{:08x}", u32::from(c)),
        };
        written.expect("a string takes every character");
    }
    out.push(quote);
}

/// Python's `str.isprintable()`: neither other nor a separator, save the space.
fn is_printable(c: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate,
        Unassigned,
    };
    c == ' '
        || !matches!(
            c.general_category(),
            Control
                | Format
                | Surrogate
                | PrivateUse
                | Unassigned
                | LineSeparator
                | ParagraphSeparator
                | SpaceSeparator
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each pair was printed by Python 3.11: `str(json.loads(…))`.
    #[test]
    fn values_are_written_as_python_writes_them() {
        for (json, python) in [
            ("null", "None"),
            (" true ", "True"),
            ("false", "False"),
            ("7", "7"),
            ("-0", "0"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("1.0", "1.0"),
            ("-0.0", "-0.0"),
            ("0.1", "0.1"),
            ("1e5", "100000.0"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("12345678901234567.0", "1.2345678901234568e+16"),
            ("1.5e300", "1.5e+300"),
            ("1e400", "inf"),
            ("5e-324", "5e-324"),
            ("\"plain\"", "plain"),
            ("\"\\u00e9\\n'\"", "é\n'"),
            ("[]", "[]"),
            ("[ ]", "[]"),
            ("{}", "{}"),
            ("[\"a\", \"b\"]", "['a', 'b']"),
            ("[1,2.50,null,[true]]", "[1, 2.5, None, [True]]"),
            ("{\"k\":1, \"a\" : {\"x\":[]}}", "{'k': 1, 'a': {'x': []}}"),
            ("[\"it's\"]", "[\"it's\"]"),
            ("[\"it's \\\"so\\\"\"]", "['it\\'s \"so\"']"),
            (
                "[\"\\\\ \\t \\u0000 \\u007f \\u00a0\"]",
                "['\\\\ \\t \\x00 \\x7f \\xa0']",
            ),
            ("[\"\\u200b\\u2028\\ue000\"]", "['\\u200b\\u2028\\ue000']"),
            ("[\"é ü 漢 😀\"]", "['é ü 漢 😀']"),
            ("[\"\\udb40\\udc01\"]", "['\\U000e0001']"),
        ] {
            assert_eq!(str(json).as_deref(), Ok(python), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for wrong in [
            "", " ", "nul", "[1", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{1:2}", "\"", "\"\\\"",
            "1 2", "01", "+1", ".5", "1.", "--1", "NaN", "Infinity", "[1]]", "'a'", "\u{b}1",
            "1\u{a0}", "\"\\x\"",
        ] {
            assert_eq!(str(wrong), Err(NotJson), "{wrong:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(str(&deep), Err(NotJson));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = str(&text);
        }

        #[test]
        fn any_json_is_read(text in "[\\[\\]{}\",:0-9a-z\\\\ .-]{0,40}") {
            let valid = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(str(&text).is_ok(), valid, "{}", text);
        }

        #[test]
        fn floats_read_back_as_the_same(number: f64) {
            prop_assume!(number.is_finite());
            let mut text = String::new();
            repr_float(number, &mut text);
            prop_assert_eq!(text.parse::<f64>(), Ok(number));
        }
    }
}
