//! Names of columns in a comment above the first row, as NumPy's `savetxt` writes them:
//! `# x,t` or `# x t`.

use super::dialect::Dialect;
use super::field::{Field, is_of_marks};
use super::records::{Fields, content};
use crate::io::text_rules::Delimiter;

/// Other separators than that of the rows.
const SEPARATORS: [Delimiter; 4] =
    [Delimiter::Character(b','), Delimiter::Character(b';'), Delimiter::Character(b'\t'), Delimiter::Blanks];

/// The names in a comment above rows of so many fields; `None` unless there is one for
/// each, all of them different and none a number, which would be a column's.
pub(super) fn names_in(comment: &[u8], count: usize, dialect: Dialect) -> Option<Vec<Vec<u8>>> {
    let mark = *comment.first()?;
    let start = comment.iter().take_while(|byte| **byte == mark).count();
    let text = comment[start..].trim_ascii();
    let names_by = |delimiter: Delimiter| -> Option<Vec<Vec<u8>>> {
        let fields = || Fields::of(text, Dialect { delimiter, ..dialect });
        if fields().take(count + 1).count() != count {
            return None;
        }
        let names: Vec<Vec<u8>> = fields().map(|field| content(field).into_owned()).collect();
        let is_name = |name: &Vec<u8>| Field::of(name, dialect.decimal) == Field::Text && !is_of_marks(name);
        let mut sorted: Vec<&Vec<u8>> = names.iter().collect();
        sorted.sort_unstable();
        (names.iter().all(is_name) && sorted.windows(2).all(|pair| pair[0] != pair[1])).then_some(names)
    };
    // Blanks come last: they may stand after another separator.
    let own = Some(dialect.delimiter).filter(|own| *own != Delimiter::Blanks);
    own.into_iter().chain(SEPARATORS).find_map(names_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_for_each_column() {
        let of = |comment: &str, count, delimiter| {
            let names = names_in(comment.as_bytes(), count, Dialect { delimiter, decimal: b'.' });
            names.map(|names| {
                names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect::<Vec<_>>().join("|")
            })
        };
        let comma = Delimiter::Character(b',');
        assert_eq!(of("# x,t", 2, comma).as_deref(), Some("x|t"));
        assert_eq!(of("# x t", 2, Delimiter::Blanks).as_deref(), Some("x|t"));
        assert_eq!(of("#x t", 2, comma).as_deref(), Some("x|t"));
        assert_eq!(of("## x, t", 2, Delimiter::Blanks).as_deref(), Some("x|t"));
        assert_eq!(of("% \"x y\"\tt", 2, Delimiter::Blanks).as_deref(), Some("x y|t"));
        assert_eq!(of("# petal length", 1, comma).as_deref(), Some("petal length"));
        for (comment, count) in
            [("# x,t", 3), ("# x,x", 2), ("# x,1", 2), ("# x,", 2), ("# x --", 2), ("#", 1), ("# 1 0", 2)]
        {
            assert_eq!(of(comment, count, comma), None, "{comment} {count}");
        }
    }
}
