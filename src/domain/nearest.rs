//! The known word that was probably meant.

/// The known word nearest to what was written, unless none is near. Compared by edits, letters swapped counted as one.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: Vec<char> = written.chars().take(65).flat_map(char::to_lowercase).collect();
    if written.len() > 64 {
        return None;
    }
    let near = |word: &str| 1 + word.chars().count() / 4;
    let words = known.into_iter().map(|word| (edits(&written, word), word));
    words.filter(|(d, word)| *d <= near(word)).min_by_key(|(d, _)| *d).map(|(_, word)| word)
}

/// How many letters are put in, left out, changed or swapped between the two.
pub(in crate::domain) fn edits(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (i, ca) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        let mut last_b = None;
        for (j, cb) in b.iter().enumerate() {
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut d = (get(&row, j) + usize::from(ca != cb)).min(get(&row, j + 1) + 1).min(get(&next, j) + 1);
            if i > 0 && j > 0 && last_a == Some(cb) && last_b == Some(ca) {
                d = d.min(get(&before, j - 1) + 1);
            }
            next.push(d);
            last_b = Some(cb);
        }
        before = std::mem::replace(&mut row, next);
        last_a = Some(ca);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = ["schedule", "spread", "method", "db"];
        assert_eq!(nearest("shedule", known), Some("schedule"));
        assert_eq!(nearest("Shcedule", known), Some("schedule"));
        assert_eq!(nearest("methods", known), Some("method"));
        assert_eq!(nearest("tables", known), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), known), None);
    }
}
