use std::ops::Range;

/// Elements that share a word.
pub(crate) const WORD: usize = 32;

/// The valid elements of an array: a bit for each, set where the element is
/// valid, the first element's bit the lowest of the first word.
///
/// An element beyond the last one that was noted is valid, so that a bitmap
/// without any says that all are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u32>,
    elements: usize,
}

impl Bitmap {
    /// The bits of so many elements, 32 to a word; those beyond them must be 0.
    pub(crate) fn from_words(words: Vec<u32>, elements: usize) -> Self {
        debug_assert_eq!(words.len(), elements.div_ceil(WORD));
        Self { words, elements }
    }

    /// Notes that element number `k` is missing.
    pub fn exclude(&mut self, k: usize) {
        while self.elements <= k {
            let (word, place) = (self.elements / WORD, self.elements % WORD);
            if word == self.words.len() {
                self.words.push(0);
            }
            // As many at a time as the word still has.
            let more = (WORD - place).min(k + 1 - self.elements);
            self.words[word] |= (u32::MAX >> (WORD - more)) << place;
            self.elements += more;
        }
        self.words[k / WORD] &= !(1 << (k % WORD));
    }

    /// The elements up to the last one that was noted.
    #[allow(dead_code, reason = "the formats that need it are features")]
    pub(crate) fn noted(&self) -> usize {
        self.elements
    }

    /// Notes the elements of a part, of which the first is number `start` here. All
    /// elements noted so far must be before it.
    pub(crate) fn append(&mut self, start: usize, part: &Self) {
        if part.elements == 0 {
            return;
        }
        while self.elements < start {
            let more = (WORD - self.elements % WORD).min(start - self.elements);
            self.push(u32::MAX >> (WORD - more), more);
        }
        for (k, &word) in part.words.iter().enumerate() {
            self.push(word, WORD.min(part.elements - k * WORD));
        }
    }

    /// Notes the next so many elements, up to a word of them; bits beyond them are 0.
    fn push(&mut self, bits: u32, count: usize) {
        let place = self.elements % WORD;
        match self.words.last_mut().filter(|_| place > 0) {
            None => self.words.push(bits),
            Some(last) => {
                *last |= bits << place;
                if place + count > WORD {
                    self.words.push(bits >> (WORD - place));
                }
            }
        }
        self.elements += count;
    }

    /// Whether element number `k` is valid. Twin of `shared/validity_bits.wgsl`.
    #[must_use]
    pub fn contains(&self, k: usize) -> bool {
        k >= self.elements || self.words[k / WORD] >> (k % WORD) & 1 == 1
    }

    /// The elements noted as missing, in order.
    #[allow(dead_code, reason = "the formats that need it are features")]
    pub(crate) fn excluded(&self) -> impl Iterator<Item = usize> + '_ {
        let rest = |k: usize| u32::MAX >> (WORD - WORD.min(self.elements - k * WORD));
        self.words.iter().enumerate().flat_map(move |(k, word)| {
            let mut bits = !word & rest(k);
            std::iter::from_fn(move || {
                let place = (bits != 0).then(|| k * WORD + bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(place)
            })
        })
    }

    /// The number of elements noted as missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let valid: u64 = self.words.iter().map(|word| u64::from(word.count_ones())).sum();
        self.elements as u64 - valid
    }

    /// Whether all elements of a range are valid; `range` must not be empty.
    #[must_use]
    pub fn contains_all(&self, range: &Range<usize>) -> bool {
        // Blocks begin with a word, so that this is rarely the slow way.
        if range.start.is_multiple_of(WORD) && range.end <= self.elements {
            let (whole, rest) = (range.start / WORD..range.end / WORD, range.end % WORD);
            self.words[whole.clone()].iter().all(|&word| word == u32::MAX)
                && (rest == 0 || self.words[whole.end].trailing_ones() as usize >= rest)
        } else {
            range.clone().all(|k| self.contains(k))
        }
    }

    /// The first valid element from number `k` on, of those that were noted.
    #[must_use]
    pub fn next_from(&self, k: usize) -> Option<usize> {
        self.first_in(&(k..self.elements))
    }

    /// The first valid element of a range, of those that were noted. No word
    /// beyond the range is looked at: block after block, a search without an end
    /// would go through all that follow the last valid element again and again.
    #[must_use]
    pub fn first_in(&self, range: &Range<usize>) -> Option<usize> {
        let start = range.start / WORD;
        let words = self.words.get(start..range.end.div_ceil(WORD).min(self.words.len()))?;
        let (first, rest) = words.split_first()?;
        // In the first word, those before the range are behind.
        let first = first & (u32::MAX << (range.start % WORD));
        let mut all = std::iter::once(first).chain(rest.iter().copied()).enumerate();
        let (word, bits) = all.find(|(_, bits)| *bits != 0)?;
        Some((start + word) * WORD + bits.trailing_zeros() as usize).filter(|k| range.contains(k))
    }

    /// The words of a range that begins with a word, 32 elements to a word, the
    /// first element's bit the lowest.
    #[must_use]
    pub fn words(&self, range: &Range<usize>) -> &[u32] {
        &self.words[range.start / WORD..range.end.div_ceil(WORD)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(places: &[usize], elements: usize) -> Bitmap {
        let words = vec![u32::MAX; elements.div_ceil(WORD)];
        let mut bitmap = Bitmap { words, elements };
        if let Some(last) = bitmap.words.last_mut().filter(|_| !elements.is_multiple_of(WORD)) {
            *last = (1 << (elements % WORD)) - 1;
        }
        places.iter().for_each(|&k| bitmap.exclude(k));
        bitmap
    }

    #[test]
    fn what_was_excluded_is_missing_and_nothing_else() {
        let places = [0, 31, 32, 63, 64, 127, 128, 1_000];
        for orders in [places, {
            let mut back = places;
            back.reverse();
            back
        }] {
            let mut bitmap = Bitmap::default();
            assert_eq!(bitmap.missing(), 0);
            orders.into_iter().for_each(|k| bitmap.exclude(k));
            let missing: Vec<usize> = (0..2_000).filter(|&k| !bitmap.contains(k)).collect();
            assert!(bitmap.excluded().eq(missing.iter().copied()));
            assert_eq!((&missing[..], bitmap.missing()), (&places[..], 8));
            assert_eq!(bitmap, without(&places, 1_001));
        }
    }

    #[test]
    fn parts_are_noted_as_their_elements_are() {
        let missing = [0, 1, 30, 31, 33, 64, 99];
        for start in [0, 1, 31, 32, 33, 100] {
            let (mut parts, mut single) = (Bitmap::default(), Bitmap::default());
            let part = without(&missing, 100);
            for first in [start, start + 100, start + 231] {
                parts.append(first, &part);
                parts.append(first + 100, &Bitmap::default());
                missing.iter().for_each(|k| single.exclude(first + k));
            }
            assert_eq!(parts, single, "{start}");
        }
    }

    #[test]
    fn the_next_valid_one_is_found_across_words() {
        let valid = [3, 31, 32, 150];
        let missing: Vec<usize> = (0..200).filter(|k| !valid.contains(k)).collect();
        let bitmap = without(&missing, 200);
        for (from, next) in [
            (0, Some(3)),
            (3, Some(3)),
            (4, Some(31)),
            (32, Some(32)),
            (33, Some(150)),
            (151, None),
            (500, None),
        ] {
            assert_eq!(bitmap.next_from(from), next, "{from}");
        }
        for (range, first) in [
            (0..3, None),
            (0..4, Some(3)),
            (4..31, None),
            (20..33, Some(31)),
            (33..150, None),
            (33..151, Some(150)),
            (64..1_000, Some(150)),
            (151..1_000, None),
            (500..600, None),
            (32..32, None),
        ] {
            assert_eq!(bitmap.first_in(&range), first, "{range:?}");
        }
    }

    /// Blocks of a bitmap of which only the last element is valid: searches that
    /// went on beyond their block would look at 2³⁷ words.
    #[test]
    fn a_search_ends_with_its_range() {
        const ELEMENTS: usize = 1 << 27;
        let mut words = vec![0; ELEMENTS / WORD];
        words[ELEMENTS / WORD - 1] = 1 << (WORD - 1);
        let bitmap = Bitmap { words, elements: ELEMENTS };
        let blocks = (0..ELEMENTS).step_by(1_024).map(|start| start..start + 1_024);
        let found: Vec<usize> = blocks.filter_map(|block| bitmap.first_in(&block)).collect();
        assert_eq!(found, [ELEMENTS - 1]);
    }

    #[test]
    fn all_of_a_range_however_it_lies_in_words() {
        let bitmap = without(&[100], 200);
        for (range, all) in [
            (0..100, true),
            (0..101, false),
            (64..100, true),
            (96..128, false),
            (101..200, true),
            (99..100, true),
            (128..200, true),
            (5..99, true),
        ] {
            assert_eq!(bitmap.contains_all(&range), all, "{range:?}");
        }
        assert_eq!(bitmap.words(&(96..128)), [!(1 << 4)]);
    }
}
