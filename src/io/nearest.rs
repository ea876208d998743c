//! The name that was meant by one that is misspelt.

use strsim::normalized_damerau_levenshtein;

/// Names that are compared, of a file that has more.
const MOST: usize = 10_000;

/// The least similarity of names of which one may be meant by the other.
const SIMILAR: f64 = 0.6;

/// The most similar name, whatever the case, if it is so much alike: by the edits
/// (F. J. Damerau, 1964) that lead from one to the other, over the longer length.
pub(super) fn nearest<'n>(key: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let key = key.to_lowercase();
    let is_comparable = |name: &&str| name.len() <= 4 * key.len() + 4;
    let similar = names.into_iter().take(MOST).filter(is_comparable).map(|name| {
        let similarity = normalized_damerau_levenshtein(&key, &name.to_lowercase());
        (similarity, name)
    });
    // The first of those that are alike.
    let best = similar.fold(None, |best: Option<(f64, &str)>, (similarity, name)| match best {
        Some((most, _)) if most >= similarity => best,
        _ => Some((similarity, name)),
    });
    best.filter(|(similarity, _)| *similarity >= SIMILAR).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_found() {
        let names = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"];
        for (key, meant) in [
            ("petal_widht", Some("petal_width")),
            ("PetalWidth", Some("petal_width")),
            ("sepallength", Some("sepal_length")),
            ("specie", Some("species")),
            ("7", None),
            ("", None),
            ("colour", None),
        ] {
            assert_eq!(nearest(key, names), meant, "{key}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
