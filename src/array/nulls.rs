/// Elements that share a word.
const WORD: usize = 64;

/// Which elements of a table's column or of an image are null: a bit for each,
/// as far as the last null, numbered row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Nulls {
    words: Vec<u64>,
}

impl Nulls {
    /// Says that element number `k` is null.
    pub(crate) fn insert(&mut self, k: usize) {
        let word = k / WORD;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (k % WORD);
    }

    /// Whether element number `k` is null.
    pub(crate) fn contains(&self, k: usize) -> bool {
        self.words.get(k / WORD).is_some_and(|word| word >> (k % WORD) & 1 == 1)
    }

    /// How many are null.
    #[cfg(any(feature = "png", feature = "tiff"))]
    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether none is.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_there_and_nothing_else() {
        let mut nulls = Nulls::default();
        assert!(nulls.is_empty());
        let places = [0, 63, 64, 127, 128, 1_000];
        places.into_iter().for_each(|k| nulls.insert(k));
        let found: Vec<usize> = (0..2_000).filter(|&k| nulls.contains(k)).collect();
        assert_eq!(found, places);
        assert!(!nulls.is_empty());
    }
}
