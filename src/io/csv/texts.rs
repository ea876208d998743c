//! A column of text of a text file.

use std::fs::File;

use super::field::Field;
use super::records::{Comments, Meaning, Records, content};
use super::separator::{Named, dialect};
use super::stored::Stored;
use crate::array::NO_GROUP;
use crate::io::source_name::SourceName;
use crate::io::text_rules::TextRules;
use crate::io::texts::{Interner, Texts};

/// Opens a column; `None` if the file has none of that name or number, or it is of
/// numbers, which another reader judges. The first row names the columns.
pub(in crate::io) fn open_texts(source: &SourceName<'_>, named: Named, rules: TextRules) -> Option<Texts> {
    let file = File::open(source.path).ok()?;
    let stored = Stored::of(source.path, &file, u64::MAX).ok()?;
    let (dialect, _) = dialect(&stored, rules, named).ok()?;
    let mut records = Records::new(stored.reader().ok()?, dialect, Comments::BeforeRows);
    let (mut place, mut has_text) = (None, false);
    let (mut ids, mut interner) = (Vec::new(), Interner::default());
    while let Ok(Some(record)) = records.next() {
        if record.meaning != Meaning::Row {
            continue;
        }
        let fields = || record.fields().map(content);
        let Some(place) = place else {
            let named = |key: &str| fields().position(|field| *field == *key.as_bytes());
            place = match source.key {
                Some(key) => named(key).or_else(|| key.parse().ok()),
                None => Some(0),
            };
            if place.is_none_or(|place| place >= fields().count()) {
                return None;
            }
            continue;
        };
        let field = fields().nth(place)?;
        has_text |= Field::of(&field, dialect.decimal) == Field::Text;
        let text = String::from_utf8_lossy(&field);
        ids.push(if text.trim().is_empty() { NO_GROUP } else { interner.place(text.trim()) });
    }
    has_text.then(|| Texts::of(&source.label(), ids, interner.texts()))
}
