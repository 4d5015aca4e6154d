//! Text in which nothing can end a line, move a cursor or turn the reading direction.

use std::fmt::{self, Write};

/// Where the text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// Between the quotes of a JSON string.
    Quotes,
    /// Into a line for people, where quotes and backslashes are themselves.
    Line,
}

/// Appends escaped text, up to a length, and marks what was cut.
pub(super) fn write(out: &mut String, within: Within, bytes_max: usize, text: fmt::Arguments<'_>) {
    let end = out.len().saturating_add(bytes_max);
    let mut escaper = Escaper { out, within, end };
    // An error is the cut, or a `Display` that failed: both leave the value incomplete, and neither may cost the line.
    if escaper.write_fmt(text).is_err() {
        out.push_str(super::CUT);
    }
}

/// As `write`, for text that is there already.
pub(super) fn write_str(out: &mut String, within: Within, bytes_max: usize, text: &str) {
    if text.len() <= bytes_max && is_plain(text.as_bytes()) {
        out.push_str(text);
        return;
    }
    // What cannot fit need not be looked at; a character more than that still says that something was cut.
    let text = text.get(..text.floor_char_boundary(bytes_max.saturating_add(4))).unwrap_or(text);
    let end = out.len().saturating_add(bytes_max);
    if (Escaper { out, within, end }).write_str(text).is_err() {
        out.push_str(super::CUT);
    }
}

/// The ways in which a text can stand in a line: in JSON, and in text.
pub(crate) fn escaped(text: &str) -> [String; 2] {
    [Within::Quotes, Within::Line].map(|within| {
        let mut out = String::new();
        write_str(&mut out, within, usize::MAX, text);
        out
    })
}

struct Escaper<'a> {
    out: &'a mut String,
    within: Within,
    /// The length that the whole of `out` must not exceed.
    end: usize,
}

impl Escaper<'_> {
    /// Appends what needs no escape, or as much of it as fits.
    fn plain(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.out.len());
        let (fits, rest) = text.split_at(text.floor_char_boundary(room));
        self.out.push_str(fits);
        if rest.is_empty() { Ok(()) } else { Err(fmt::Error) }
    }

    fn escape(&mut self, char: char) -> fmt::Result {
        let before = self.out.len();
        match char {
            '"' | '\\' => self.out.extend(['\\', char]),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(self.out, "\\u{unit:04x}")?;
                }
            }
        }
        if self.out.len() > self.end {
            self.out.truncate(before);
            return Err(fmt::Error);
        }
        Ok(())
    }
}

impl Write for Escaper<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = first_suspect(rest.as_bytes()) {
            let (plain, tail) = rest.split_at(at);
            self.plain(plain)?;
            let mut chars = tail.chars();
            let Some(char) = chars.next() else { break };
            rest = chars.as_str();
            if is_escaped(char, self.within) {
                self.escape(char)?;
            } else {
                self.plain(char.encode_utf8(&mut [0; 4]))?;
            }
        }
        self.plain(rest)
    }
}

/// The place of the first suspect byte. It looks no further than that, because it is asked again behind each one.
fn first_suspect(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().position(|word| marks(*word) != 0).unwrap_or(words.len()) * 8;
    let rest = bytes.get(plain..).unwrap_or_default();
    rest.iter().position(|byte| SUSPECTS.get(usize::from(*byte)) == Some(&true)).map(|at| plain + at)
}

/// Whether there is no suspect byte at all, as in most text: eight bytes at a time, the last eight of which may overlap.
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else { return first_suspect(bytes).is_none() };
    let (words, _) = bytes.as_chunks::<8>();
    marks(*last) == 0 && words.iter().all(|word| marks(*word) == 0)
}

/// Not zero if one of the bytes is (or, by a borrow from its neighbour, may be) below 0x20, a quote, a backslash, DEL or not ASCII.
fn marks(word: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let word = u64::from_le_bytes(word);
    let below_space = word.wrapping_sub(0x20 * ONES) & !word;
    let is = |byte: u8| below(word ^ (u64::from(byte) * ONES));
    (below_space | is(b'"') | is(b'\\') | is(0x7f) | word) & HIGH
}

/// The same, looked up.
#[expect(clippy::indexing_slicing, reason = "at compile time, where a wrong index does not compile")]
const SUSPECTS: [bool; 256] = {
    let mut suspects = [false; 256];
    let mut byte = u8::MAX;
    loop {
        suspects[byte as usize] = is_suspect(byte);
        if byte == 0 {
            break suspects;
        }
        byte -= 1;
    }
};

/// Sets the high bit of each byte that is zero.
fn below(word: u64) -> u64 {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word
}

/// Whether a character that is escaped can start with this byte. All of them are first bytes of a character, and most
/// text has none, so it is copied in long runs.
const fn is_suspect(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xef | 0xf3)
}

/// Control characters, and what changes the order or the visibility of the text around it. The zero-width joiners stay:
/// names in several scripts need them.
///
/// **Source:** Unicode Standard Annex 9 (explicit directional characters), general categories Cc, Zl and Zp, the byte
/// order mark, interlinear annotations and tags.
fn is_escaped(char: char, within: Within) -> bool {
    match char {
        '"' | '\\' => within == Within::Quotes,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(within: Within, bytes_max: usize, text: &str, expected: &str) {
        let mut out = String::from("> ");
        write(&mut out, within, bytes_max, format_args!("{text}"));
        assert_eq!(out, format!("> {expected}"));
        out.truncate(2);
        write_str(&mut out, within, bytes_max, text);
        assert_eq!(out, format!("> {expected}"));
    }

    #[test]
    fn what_could_break_or_disguise_a_line_is_escaped() {
        let text = "a\"b\\c\nd\re\tf\0g\u{1b}[31mh\u{7f}\u{85}\u{202e}\u{2066}\u{61c}\u{2028}\u{feff}\u{e0041}";
        let tail = "\\u001b[31mh\\u007f\\u0085\\u202e\\u2066\\u061c\\u2028\\ufeff\\udb40\\udc41";
        check(Within::Quotes, 999, text, &format!("a\\\"b\\\\c\\nd\\re\\tf\\u0000g{tail}"));
        check(Within::Line, 999, text, &format!("a\"b\\c\\nd\\re\\tf\\u0000g{tail}"));
    }

    #[test]
    fn other_text_stays_as_it_is() {
        let text = "Ünïcödé ½ « » … – ﷺ שלום 日本 👩‍👩‍👧 🇺🇸 é";
        check(Within::Quotes, 999, text, text);
    }

    #[test]
    fn every_character_is_escaped_or_kept_and_reads_back() {
        for char in '\0'..=char::MAX {
            let mut out = String::from("\"");
            write(&mut out, Within::Quotes, 12, format_args!("{char}"));
            out.push('"');
            assert_eq!(serde_json::from_str::<char>(&out).unwrap(), char, "{out}");
        }
    }

    #[test]
    fn a_cut_is_marked_and_never_splits_a_character_or_an_escape() {
        check(Within::Quotes, 3, "abc", "abc");
        check(Within::Quotes, 3, "abcd", "abc…[cut]");
        check(Within::Quotes, 3, "abé", "ab…[cut]");
        check(Within::Quotes, 3, "ab\n", "ab…[cut]");
        check(Within::Quotes, 3, "abc😀😀", "abc…[cut]");
        check(Within::Quotes, 12, "12345678\"0123", "12345678\\\"01…[cut]");
        check(Within::Quotes, 20, "12345678901234\"", "12345678901234\\\"");
        check(Within::Quotes, 0, "", "");
    }

    #[test]
    fn a_display_that_fails_keeps_what_it_wrote() {
        struct Fails;
        impl fmt::Display for Fails {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                Err(fmt::Error)
            }
        }
        let mut out = String::new();
        write(&mut out, Within::Quotes, 99, format_args!("{Fails}"));
        assert_eq!(out, "half…[cut]");
    }
}
