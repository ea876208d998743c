use std::str::FromStr;

/// Elements of X unless the user says otherwise.
pub(super) const DEFAULT_SIZES: [usize; 5] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];

/// The same to tune with: too many for caches, and soon passed over.
pub(super) const TUNED_ELEMENTS: usize = 16 << 20;

/// A number of elements, as `--sizes` takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(pub(super) usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let unit = |letter: char| match letter.to_ascii_uppercase() {
            'K' => Some(1 << 10),
            'M' => Some(1 << 20),
            'G' => Some(1 << 30),
            _ => None,
        };
        let (digits, unit) = match text.chars().last().and_then(unit) {
            Some(unit) => (&text[..text.len() - 1], unit),
            None => (text, 1),
        };
        let count: usize = digits.parse().map_err(|_| "give counts like 4096, 64K or 16M".to_owned())?;
        match count.checked_mul(unit) {
            Some(0) => Err("there is nothing to measure on 0 elements".to_owned()),
            Some(elements) => Ok(Self(elements)),
            None => Err("more elements than can be counted".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_counts_with_units() {
        let parse = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("4K"), Ok(4096));
        assert_eq!(parse("16m"), Ok(16 << 20));
        assert_eq!(parse("2G"), Ok(2 << 30));
        for bad in ["", "K", "0", "0K", "-1", "1.5K", "16X", "16 é", "99999999999G"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
