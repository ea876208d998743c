//! Groups of elements by a label for each.

use std::collections::BTreeMap;

use super::spool::Spool;
use super::{Array, DataError, ElementType, MaskedArray, Order, Shape, Validity, ValidityRules};
use crate::array::parallel;

/// The number that stands for no group.
pub const NO_GROUP: u32 = u32::MAX;

/// Elements looked at at a time.
const RUN_ELEMENTS: usize = 1 << 16;

/// A table of so many times the elements is made for labels that lie close
/// together; others are sorted.
const MOST_SPREAD: i128 = 2;

/// The group of each element: a number below [`count`](Self::count), or
/// [`NO_GROUP`] for an element that belongs to none.
#[derive(Debug, Clone)]
pub struct Labels {
    ids: Array,
    count: u64,
}

/// The labels of groups, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelNames {
    /// Whole numbers, ascending.
    Whole(Vec<i128>),
    /// Text, in the order of its bytes.
    Text(Vec<String>),
}

impl LabelNames {
    /// The number of labels.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(labels) => labels.len(),
            Self::Text(labels) => labels.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of a group in words.
    #[must_use]
    pub fn shown(&self, group: usize) -> String {
        match self {
            Self::Whole(labels) => labels.get(group).map(i128::to_string),
            Self::Text(labels) => labels.get(group).cloned(),
        }
        .unwrap_or_default()
    }
}

impl Labels {
    /// Groups by numbers, row by row, of which each is below `count` or
    /// [`NO_GROUP`].
    ///
    /// # Errors
    /// [`DataError::Labels`] for other numbers or another type.
    pub fn new(ids: Array, count: u64) -> Result<Self, DataError> {
        let bad = |reason| DataError::Labels { label: ids.label().to_owned(), reason };
        let Some(all) = ids.as_slice::<u32>(Order::C) else {
            return Err(bad("numbers of groups are u32, row by row"));
        };
        if count >= u64::from(NO_GROUP) {
            return Err(bad("there are more than 4,294,967,294 groups"));
        }
        let is_fine = |&id: &u32| id == NO_GROUP || u64::from(id) < count;
        let parts: Vec<&[u32]> = all.chunks(RUN_ELEMENTS).collect();
        if parallel::map(parts.len(), |k| parts[k].iter().all(is_fine)).contains(&false) {
            return Err(bad("a number of a group is not below their count"));
        }
        Ok(Self { ids, count })
    }

    /// The groups of elements with equal labels, which are whole numbers of any
    /// type, and the labels in ascending order. Elements whose label is missing
    /// belong to no group. The groups' numbers take 4 bytes an element, in a
    /// temporary file where that is more than `memory_bytes`.
    ///
    /// # Errors
    /// [`DataError::Labels`]: the labels are fractions, or all are missing.
    /// [`DataError::NoElements`].
    pub fn of(labels: &MaskedArray, memory_bytes: u64) -> Result<(Self, LabelNames), DataError> {
        let array = &labels.array;
        array.refuse_empty()?;
        let bad = |reason| DataError::Labels { label: array.label().to_owned(), reason };
        if array.element().is_float() {
            return Err(bad("labels are whole numbers or text, not fractions"));
        }
        let validity = valid_of(labels)?;
        let starts: Vec<usize> = (0..array.len()).step_by(RUN_ELEMENTS).collect();
        let run = |start: usize| start..array.len().min(start + RUN_ELEMENTS);
        let is_valid = |k: usize| validity.as_ref().is_none_or(|validity| validity.contains(k));
        let valid = |start: usize| {
            let values = wholes(array, run(start).start, run(start).len());
            values.into_iter().enumerate().filter(move |(k, _)| is_valid(start + k)).map(|(_, value)| value)
        };
        let wider = |a: (i128, i128), b: (i128, i128)| (a.0.min(b.0), a.1.max(b.1));
        let ends =
            parallel::map(starts.len(), |k| valid(starts[k]).map(|value| (value, value)).reduce(wider));
        let ends = ends.into_iter().flatten().reduce(wider);
        let (least, most) = ends.ok_or_else(|| bad("every label is missing"))?;
        let numbers = if most - least < MOST_SPREAD * (array.len() as i128).max(1 << 16) {
            Numbers::dense(least, most, starts.iter().flat_map(|&start| valid(start)))
        } else {
            let mut parts = parallel::map(starts.len(), |k| distinct(valid(starts[k]).collect()));
            // In pairs: none is sorted more often than the logarithm of their number.
            while parts.len() > 1 {
                let pairs: Vec<&[Vec<i128>]> = parts.chunks(2).collect();
                parts = parallel::map(pairs.len(), |k| distinct(pairs[k].concat()));
            }
            Numbers::Sorted(parts.pop().unwrap_or_default())
        };
        let names = numbers.labels();
        if names.len() as u64 >= u64::from(NO_GROUP) {
            return Err(bad("there are more than 4,294,967,294 groups"));
        }
        let path = std::path::Path::new(array.label());
        let mut spool = Spool::<u32>::new(path, memory_bytes);
        // So many at a time that all threads have work, and that are little memory.
        for part in starts.chunks(64) {
            let ids: Vec<Vec<u32>> = parallel::map(part.len(), |k| {
                let start = part[k];
                let values = wholes(array, start, run(start).len());
                let id = |(k, value): (usize, &i128)| {
                    if is_valid(start + k) { numbers.of(*value) } else { NO_GROUP }
                };
                values.iter().enumerate().map(id).collect()
            });
            ids.iter().try_for_each(|ids| spool.append(ids))?;
        }
        array.check_intact()?;
        let ids = spool.finish(array.shape().clone())?;
        Ok((Self { ids, count: names.len() as u64 }, LabelNames::Whole(names)))
    }

    /// The groups of texts, given for each element by its place among distinct
    /// texts, of which some may be equal or unused: numbered in the order of the
    /// texts.
    ///
    /// # Errors
    /// [`DataError::Labels`]: every label is missing.
    pub fn of_texts(ids: &Array, texts: &[String]) -> Result<(Self, LabelNames), DataError> {
        let bad = |reason| DataError::Labels { label: ids.label().to_owned(), reason };
        let all =
            ids.as_slice::<u32>(Order::C).ok_or_else(|| bad("numbers of groups are u32, row by row"))?;
        let mut is_used = vec![false; texts.len()];
        for &id in all {
            if let Some(used) = is_used.get_mut(id as usize) {
                *used = true;
            }
        }
        let mut order: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, text) in texts.iter().enumerate().filter(|(place, _)| is_used[*place]) {
            order.entry(text).or_default().push(place);
        }
        if order.is_empty() {
            return Err(bad("every label is missing"));
        }
        let mut numbers = vec![NO_GROUP; texts.len()];
        for (number, places) in (0u32..).zip(order.values()) {
            places.iter().for_each(|&place| numbers[place] = number);
        }
        let renumbered: Vec<u32> =
            all.iter().map(|&id| numbers.get(id as usize).copied().unwrap_or(NO_GROUP)).collect();
        let names: Vec<String> = order.keys().map(|&text| text.to_owned()).collect();
        let shape: Shape = ids.shape().clone();
        let ids = Array::from_vec(ids.label(), &shape.0, renumbered);
        Ok((Self { ids, count: names.len() as u64 }, LabelNames::Text(names)))
    }

    /// The same groups by other numbers: those of the labels in another list, such
    /// as that of a saved model. Elements whose label is not in it belong to none.
    ///
    /// # Errors
    /// [`DataError::Labels`]: one list is of numbers and the other of text.
    pub fn renumbered(&self, own: &LabelNames, others: &LabelNames) -> Result<Self, DataError> {
        fn places<L: Ord>(own: &[L], others: &[L]) -> Vec<u32> {
            let known: BTreeMap<&L, u32> = others.iter().zip(0u32..).collect();
            own.iter().map(|label| known.get(label).copied().unwrap_or(NO_GROUP)).collect()
        }
        let bad = |reason| DataError::Labels { label: self.ids.label().to_owned(), reason };
        let places = match (own, others) {
            (LabelNames::Whole(own), LabelNames::Whole(others)) => places(own, others),
            (LabelNames::Text(own), LabelNames::Text(others)) => places(own, others),
            _ => {
                return Err(bad(
                    "its labels are text and those of the model numbers, or the other way round",
                ));
            }
        };
        let renumbered: Vec<u32> =
            self.ids().iter().map(|&id| places.get(id as usize).copied().unwrap_or(NO_GROUP)).collect();
        let ids = Array::from_vec(self.ids.label(), &self.ids.shape().0, renumbered);
        Ok(Self { ids, count: others.len() as u64 })
    }

    /// The number of the group of each element, row by row.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        self.ids.as_slice(Order::C).unwrap_or_default()
    }

    /// The number of groups.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The shape of the labels.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        self.ids.shape()
    }

    /// The name of the labels, for messages.
    #[must_use]
    pub fn label(&self) -> &str {
        self.ids.label()
    }
}

/// The labels that are not missing, unless all are there.
fn valid_of(labels: &MaskedArray) -> Result<Option<Validity>, DataError> {
    let scan = super::scan::Scan::of(labels, None, Order::C, &ValidityRules::default())?;
    Ok(scan.validity)
}

impl Array {
    /// All elements as whole numbers, row by row; fractions are cut off.
    #[must_use]
    pub fn all_wholes(&self) -> Vec<i128> {
        wholes(self, 0, self.len())
    }
}

/// Elements of whole numbers, row by row.
fn wholes(array: &Array, start: usize, count: usize) -> Vec<i128> {
    if array.is_wide_integer() {
        return array.wholes(Order::C, start, count);
    }
    let mut values = vec![0f64; count];
    array.read(Order::C, start, &mut values);
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers of at most 32 bits")]
    let whole = |value: f64| i128::from(value as i64);
    debug_assert!(!matches!(array.element(), ElementType::U64 | ElementType::I64));
    values.into_iter().map(whole).collect()
}

fn distinct(mut values: Vec<i128>) -> Vec<i128> {
    values.sort_unstable();
    values.dedup();
    values
}

/// The numbers of labels.
enum Numbers {
    /// Labels that lie close together, by their distance from the least.
    Close { least: i128, numbers: Vec<u32> },
    /// Other labels, by their places in this list.
    Sorted(Vec<i128>),
}

impl Numbers {
    fn dense(least: i128, most: i128, labels: impl Iterator<Item = i128>) -> Self {
        let place = |label: i128| usize::try_from(label - least).unwrap_or(usize::MAX);
        let mut numbers = vec![NO_GROUP; place(most) + 1];
        labels.for_each(|label| numbers[place(label)] = 0);
        let used = numbers.iter_mut().filter(|number| **number == 0);
        (0u32..).zip(used).for_each(|(next, number)| *number = next);
        Self::Close { least, numbers }
    }

    fn of(&self, label: i128) -> u32 {
        match self {
            Self::Close { least, numbers } => {
                let place = usize::try_from(label - least).unwrap_or(usize::MAX);
                numbers.get(place).copied().unwrap_or(NO_GROUP)
            }
            Self::Sorted(labels) => labels
                .binary_search(&label)
                .ok()
                .and_then(|place| u32::try_from(place).ok())
                .unwrap_or(NO_GROUP),
        }
    }

    fn labels(&self) -> Vec<i128> {
        match self {
            Self::Close { least, numbers } => {
                let used = numbers.iter().zip(0i128..).filter(|(number, _)| **number != NO_GROUP);
                used.map(|(_, distance)| least + distance).collect()
            }
            Self::Sorted(labels) => labels.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Nodata;

    fn grouped<E: crate::array::Element>(labels: Vec<E>) -> (Vec<u32>, LabelNames) {
        let array = Array::from_vec("g", &[labels.len() as u64], labels);
        let (labels, names) = Labels::of(&array.into(), u64::MAX).unwrap();
        (labels.ids().to_vec(), names)
    }

    #[test]
    fn equal_labels_have_one_number_in_ascending_order() {
        let want = (vec![2, 0, 2, 1], LabelNames::Whole(vec![-3, 4, 9]));
        assert_eq!(grouped(vec![9i32, -3, 9, 4]), want);
        assert_eq!(grouped(vec![9i8, -3, 9, 4]), want);
        let far = i64::MAX - 1;
        let names = LabelNames::Whole(vec![i64::MIN.into(), far.into(), i64::MAX.into()]);
        assert_eq!(grouped(vec![i64::MAX, i64::MIN, far, far]), (vec![2, 0, 1, 1], names));
        assert_eq!(grouped(vec![u64::MAX]).1, LabelNames::Whole(vec![u64::MAX.into()]));
    }

    #[test]
    fn a_missing_label_is_no_group() {
        let array = Array::from_vec("g", &[4], vec![7u8, 255, 3, 7]);
        let mut masked = MaskedArray::from(array);
        masked.missing.nodata = Some(Nodata::Number(255.0));
        let (labels, names) = Labels::of(&masked, u64::MAX).unwrap();
        assert_eq!((labels.ids(), names), (&[1, NO_GROUP, 0, 1][..], LabelNames::Whole(vec![3, 7])));
        let fractions = Array::from_vec("g", &[1], vec![1f32]);
        assert!(matches!(Labels::of(&fractions.into(), u64::MAX), Err(DataError::Labels { .. })));
    }

    #[test]
    fn texts_are_in_the_order_of_their_bytes() {
        let ids = Array::from_vec("g", &[4], vec![1u32, 3, 0, NO_GROUP]);
        let texts = ["b", "c", "unused", "a"].map(str::to_owned).to_vec();
        let (labels, names) = Labels::of_texts(&ids, &texts).unwrap();
        assert_eq!(labels.ids(), [2, 0, 1, NO_GROUP]);
        assert_eq!(names, LabelNames::Text(["a", "b", "c"].map(str::to_owned).to_vec()));
        let others = LabelNames::Text(["c", "z", "a"].map(str::to_owned).to_vec());
        assert_eq!(labels.renumbered(&names, &others).unwrap().ids(), [0, 2, NO_GROUP, NO_GROUP]);
    }
}
