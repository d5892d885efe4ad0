//! At most how deep lists and maps of a text are nested, reckoned without reading it: cheap, and wrong only towards "deeper".
//!
//! `libyaml` takes time in the square of the depth of flow collections, so it must not see a deep one. A bracket in a comment or in quotes closes
//! nothing. Where it is not certain what is in quotes (they go on over lines, or begin where none may), nothing closes any more up to the end.

/// Depth of those in brackets, and of those by lines.
pub(super) fn most(text: &str) -> (usize, usize) {
    let (mut brackets, mut blocks) = (Brackets { open: 0, most: 0, is_certain: true }, 0_usize);
    for line in text.lines() {
        brackets.line(line.as_bytes());
        let dashes = line.bytes().filter(|b| matches!(b, b'-' | b'?')).count();
        let indent = line.bytes().take_while(|b| *b == b' ').count();
        blocks = blocks.max(dashes).max(indent);
    }
    (brackets.most, blocks)
}

struct Brackets {
    open: usize,
    most: usize,
    /// Whether it is known of each quote so far what it is.
    is_certain: bool,
}

impl Brackets {
    fn line(&mut self, line: &[u8]) {
        let (mut quote, mut last, mut before) = (None, b',', b' ');
        let mut bytes = line.iter().copied().peekable();
        while let Some(b) = bytes.next() {
            match (quote.filter(|_| self.is_certain), b) {
                (Some(b'"'), b'\\') => drop(bytes.next()),
                (Some(b'\''), b'\'') if bytes.peek() == Some(&b'\'') => drop(bytes.next()),
                (Some(mark), b) if mark == b => quote = None,
                (Some(_), _) => {}
                (None, b'#') if self.is_certain && before.is_ascii_whitespace() => break,
                (None, b'"' | b'\'') if may_begin(last, before) => quote = Some(b),
                // In the middle of a word it is a letter.
                (None, b'"' | b'\'') => self.is_certain &= before.is_ascii_alphanumeric(),
                (None, b'[' | b'{') => self.open += 1,
                (None, b']' | b'}') if self.is_certain => self.open = self.open.saturating_sub(1),
                (None, _) => {}
            }
            self.most = self.most.max(self.open);
            before = b;
            last = if b.is_ascii_whitespace() { last } else { b };
        }
        self.is_certain &= quote.is_none();
    }
}

/// Whether a text in quotes may begin behind these: the last sign, and what stands right before.
fn may_begin(last: u8, before: u8) -> bool {
    match last {
        b',' | b'[' | b'{' => true,
        b':' | b'-' | b'?' => before.is_ascii_whitespace(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn a_bracket_in_quotes_or_in_a_comment_hides_no_depth() {
        for turn in [
            "[\"]\",",
            "[']',",
            "{a: \"}\", b: ",
            "[ # ]\n",
            "[ \"\n]\n\",",
            "[ &a \"]\",",
            "[a\"b, \"]\",",
            "['it''s]',",
            "[\"\\\"]\",",
            "[ '\n\"]\n',",
            "[ !t ']',",
        ] {
            let (brackets, _) = most(&turn.repeat(1_000));
            assert!(brackets >= 1_000, "{turn} is {brackets} deep");
        }
    }

    #[test]
    fn what_people_and_programs_write_is_no_deeper_than_it_is() {
        let lines = [
            "  - { id: cdb-c1nl9rpv, name: \"a [b\", tags: { env: 'prod' } } # don't [\n",
            "{\"id\": \"x\", \"tags\": {\"a\": \"b]\"}}\n",
            "reason: it's [\n]\n",
            "- { from: \"2026-11-10T20:00:00+08:00\", to: \"x\" }\n",
        ];
        let (brackets, _) = most(&lines.concat().repeat(1_000));
        assert_eq!(brackets, 2);
    }
}
