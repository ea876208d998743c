//! Conditions on a column, by which rows are selected.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rayon::prelude::*;

use super::bitmap::WORD;
use super::scan::column::Column;
use super::selection::Selection;
use super::{Array, DataError, Element, ElementType, MaskedArray, Order};
use crate::with_element;

/// Elements that a thread compares at a time, a multiple of the bits of a word.
const RUN_ELEMENTS: usize = 1 << 16;

/// A condition on the elements of a column: `COLUMN OP VALUE`, OP one of `== != < <= > >=`
/// and VALUE a number, `true`, `false` or a text. It does not hold where the column is
/// missing or NaN, whatever OP is.
///
/// ```
/// use linfit::array::{Array, Condition, Order};
///
/// let condition: Condition = "height >= 2".parse()?;
/// let heights = Array::from_vec("height", &[3], vec![1.5f32, 2.0, f32::NAN]);
/// let selection = condition.of_numbers(&heights.into())?;
/// assert_eq!([0, 1, 2].map(|k| selection.contains(Order::C, k)), [false, true, false]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    column: String,
    comparison: Comparison,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// The longer ones first, of which others are the start.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Unequal => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::More => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }

    fn is_of_order(self) -> bool {
        !matches!(self, Self::Equal | Self::Unequal)
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Value {
    text: String,
    /// The number that it is, unless it is in quotes.
    number: Option<Number>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Whole(i128),
    Fraction(f64),
}

impl Value {
    fn number(text: &str) -> Option<Number> {
        match text {
            "true" | "True" | "TRUE" => return Some(Number::Whole(1)),
            "false" | "False" | "FALSE" => return Some(Number::Whole(0)),
            _ => {}
        }
        let fraction = || text.parse().ok().filter(|number: &f64| !number.is_nan()).map(Number::Fraction);
        text.parse().ok().map(Number::Whole).or_else(fraction)
    }
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "elements that are compared with it are rounded too")]
    fn to_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Fraction(fraction) => fraction,
        }
    }
}

/// The text between quotes of one kind, if it is within some.
fn unquoted<'t>(text: &'t str, quotes: &[char]) -> Option<&'t str> {
    let quote = text.chars().next().filter(|first| quotes.contains(first))?;
    text.strip_prefix(quote)?.strip_suffix(quote)
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            |why: &str| format!("{why}; expected COLUMN OP VALUE, OP one of == != < <= > >=: 'height > 1.5'");
        // A column's name within quotes may have any characters.
        let text = text.trim();
        let quote = text.chars().next().filter(|first| ['"', '`', '\''].contains(first));
        let name_end = quote.and_then(|quote| text[1..].find(quote)).map_or(0, |end| end + 2);
        let at = text[name_end..].find(['=', '!', '<', '>']).map(|at| at + name_end);
        let at = at.ok_or_else(|| expected("no comparison"))?;
        let (column, rest) = (text[..at].trim(), &text[at..]);
        let found = COMPARISONS.iter().find(|(operator, _)| rest.starts_with(operator));
        let &(operator, comparison) = found.ok_or_else(|| expected("no such comparison"))?;
        let value = rest[operator.len()..].trim();
        if column.is_empty() || value.is_empty() {
            return Err(expected(if column.is_empty() { "no column" } else { "no value" }));
        }
        if value.starts_with(['=', '!', '<', '>']) {
            return Err(expected("no such comparison"));
        }
        let column = unquoted(column, &['"', '`', '\'']).unwrap_or(column).to_owned();
        let value = match unquoted(value, &['"', '\'']) {
            Some(text) => Value { text: text.to_owned(), number: None },
            None if value.eq_ignore_ascii_case("nan") => {
                return Err(
                    "nothing equals nan, and rows where the column is NaN are left out anyway".to_owned()
                );
            }
            None => Value { text: value.to_owned(), number: Value::number(value) },
        };
        Ok(Self { column, comparison, value })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = COMPARISONS.iter().find(|(_, comparison)| *comparison == self.comparison);
        let operator = operator.map_or("", |(operator, _)| operator);
        write!(f, "{} {operator} {}", self.column, self.value.text)
    }
}

impl Condition {
    /// The name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The elements of a column of numbers for which the condition holds. Whole numbers of
    /// 64 bits are compared exactly; with a column of fewer digits than f64, the value is
    /// rounded to its type.
    ///
    /// # Errors
    /// [`DataError::Condition`] if the value is a text; [`DataError::UnclearNodata`].
    pub fn of_numbers(&self, column: &MaskedArray) -> Result<Selection, DataError> {
        let array = &column.array;
        let number =
            self.value.number.ok_or_else(|| self.refused(array.label(), "its column is of numbers"))?;
        let marked = Column::new(column, None)?;
        let words = |start: usize| {
            let range = start..array.len().min(start + RUN_ELEMENTS);
            let (mut values, mut verdicts) = (Vec::new(), vec![0u8; range.len()]);
            marked.read(Order::C, &range, &mut values);
            marked.mark_missing(Order::C, start, &values, &mut verdicts, 1);
            let orders: Vec<Option<Ordering>> = match number {
                Number::Whole(whole) if array.is_wide_integer() => {
                    array.wholes(Order::C, start, range.len()).iter().map(|w| Some(w.cmp(&whole))).collect()
                }
                _ => {
                    let value = rounded(number.to_f64(), array.element());
                    values.iter().map(|element| element.partial_cmp(&value)).collect()
                }
            };
            let holds = orders.iter().zip(&verdicts).map(|(order, missing)| {
                *missing == 0 && order.is_some_and(|order| self.comparison.holds(order))
            });
            words_of(holds)
        };
        let starts: Vec<usize> = (0..array.len()).step_by(RUN_ELEMENTS).collect();
        let words: Vec<Vec<u32>> = starts.into_par_iter().map(words).collect();
        array.check_intact()?;
        Ok(Selection::new(array, words.concat()))
    }

    /// The elements of a column of texts for which the condition holds: of each its place
    /// among distinct texts, or a place beyond them where it is missing. Texts are in the
    /// order of their characters' code points.
    ///
    /// # Errors
    /// [`DataError::Condition`] if texts would have to be put in order with a number;
    /// [`DataError::Labels`] for places of another type than u32.
    pub fn of_texts(&self, places: &Array, texts: &[String]) -> Result<Selection, DataError> {
        if self.comparison.is_of_order() && self.value.number.is_some() {
            return Err(self.refused(places.label(), "its column is of text; put the value in quotes"));
        }
        let all = places.as_slice::<u32>(Order::C).ok_or_else(|| DataError::Labels {
            label: places.label().to_owned(),
            reason: "places of texts are u32, row by row",
        })?;
        let compared = |text: &String| self.comparison.holds(text.as_str().cmp(&self.value.text));
        let holds: Vec<bool> = texts.iter().map(compared).collect();
        let words = words_of(all.iter().map(|&place| holds.get(place as usize).copied().unwrap_or(false)));
        Ok(Selection::new(places, words))
    }

    fn refused(&self, label: &str, reason: &'static str) -> DataError {
        DataError::Condition { condition: self.to_string(), label: label.to_owned(), reason }
    }
}

/// A value in the digits that elements of a type have.
fn rounded(value: f64, element: ElementType) -> f64 {
    if element.is_float() { with_element!(element, E => E::from_f64(value).to_f64()) } else { value }
}

/// Bits, the first the lowest of the first word.
fn words_of(bits: impl Iterator<Item = bool>) -> Vec<u32> {
    let mut words = Vec::new();
    for (k, bit) in bits.enumerate() {
        if k.is_multiple_of(WORD) {
            words.push(0);
        }
        if let Some(word) = words.last_mut() {
            *word |= u32::from(bit) << (k % WORD);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(condition: &str, column: impl Into<MaskedArray>) -> Vec<usize> {
        let selection = condition.parse::<Condition>().unwrap().of_numbers(&column.into()).unwrap();
        (0..8)
            .filter(|&k| {
                selection.shape().elements().is_some_and(|n| (k as u64) < n)
                    && selection.contains(Order::C, k)
            })
            .collect()
    }

    #[test]
    fn every_comparison_is_that_of_numbers() {
        let column = || Array::from_vec("c", &[4], vec![1.0, 2.0, 3.0, f64::NAN]);
        for (condition, want) in [
            ("c == 2", &[1][..]),
            ("c != 2", &[0, 2]),
            ("c<2", &[0]),
            ("c <=2", &[0, 1]),
            ("c> 2", &[2]),
            ("c >= 2", &[1, 2]),
            ("c > -inf", &[0, 1, 2]),
        ] {
            assert_eq!(held(condition, column()), want, "{condition}");
        }
    }

    #[test]
    fn digits_that_f64_does_not_hold_are_compared() {
        let ids = Array::from_vec("id", &[3], vec![9_007_199_254_740_992i64, 9_007_199_254_740_993, 5]);
        assert_eq!(held("id == 9007199254740993", ids.clone()), [1]);
        assert_eq!(held("id > 9007199254740992", ids.clone()), [1]);
        assert_eq!(held("id < 5.5", ids), [2]);
        // The f32 nearest to 0.1 is another number than the f64.
        assert_eq!(held("x == 0.1", Array::from_vec("x", &[2], vec![0.1f32, 0.2])), [0]);
    }

    #[test]
    fn texts_are_equal_or_in_the_order_of_their_characters() {
        let places = Array::from_vec("s", &[4], vec![0, 1, 2, crate::array::NO_GROUP]);
        let texts = ["a".to_owned(), "b".to_owned(), "12".to_owned()];
        let held = |condition: &str| {
            let selection = condition.parse::<Condition>().unwrap().of_texts(&places, &texts);
            selection.map(|held| (0..4).filter(|&k| held.contains(Order::C, k)).collect::<Vec<_>>())
        };
        assert_eq!(held("s == a").unwrap(), [0]);
        assert_eq!(held("s != \"a\"").unwrap(), [1, 2]);
        assert_eq!(held("s >= 'a'").unwrap(), [0, 1]);
        assert_eq!(held("s == 12").unwrap(), [2]);
        assert!(held("s < 12").unwrap_err().to_string().contains("quotes"));
        let numbers = Array::from_vec("x", &[1], vec![1.0]);
        let error = "x == 'a'".parse::<Condition>().unwrap().of_numbers(&numbers.into()).unwrap_err();
        assert!(error.to_string().contains("x == a"), "{error}");
    }

    #[test]
    fn names_may_be_quoted_and_nonsense_is_refused() {
        let condition: Condition = "`a < b` >= 3".parse().unwrap();
        assert_eq!((condition.column(), condition.to_string().as_str()), ("a < b", "a < b >= 3"));
        for text in ["", "a", "a = 3", "== 3", "a ==", "a === 3", "a => 3", "a == nan"] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }
}
