//! Moments of shards of the data, of which other processes and machines compute
//! each, and those of the whole.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::shard_groups::ShardGroups;
use crate::array::CHUNK_ELEMENTS;
use crate::engine::{Partials, PartialsError, Source};
use crate::math::Moments;

/// The number of a shard, from 1, and the number of all: `3/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShardNumber {
    number: u64,
    count: u64,
}

/// A text that is no number of a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the number of the shard, from 1, and that of all: 3/8")]
pub struct ShardNumberError;

impl FromStr for ShardNumber {
    type Err = ShardNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, count) = text.split_once('/').ok_or(ShardNumberError)?;
        let read = |text: &str| text.trim().parse::<u64>().map_err(|_| ShardNumberError);
        let (number, count) = (read(number)?, read(count)?);
        if (1..=count).contains(&number) { Ok(Self { number, count }) } else { Err(ShardNumberError) }
    }
}

impl fmt::Display for ShardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

/// The moments of a shard, to be kept in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Its number; without it, shards are in the order in which they are given.
    pub shard: Option<ShardNumber>,
    /// The names of its X and T.
    pub inputs: [String; 2],
    /// Its elements, valid or not.
    pub elements: u64,
    /// What its fits are of, if they are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<ShardGroups>,
    /// The moments of each of its chunks, or of each of its groups.
    pub moments: Partials<Moments>,
}

/// The moments of all shards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merged {
    /// The moments of the whole.
    pub moments: Moments,
    /// The elements of the whole, valid or not.
    pub elements: u64,
    /// Whether they have the bits that one fit over all shards would find. Else a
    /// shard but the last ends within a chunk, so that other additions are rounded.
    pub is_as_one: bool,
}

/// Why shards are not those of one whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum ShardError {
    #[error("there are no shards to merge")]
    None,
    #[error("{file}: its moments are not those of {elements} elements; compute them again")]
    Elements { file: String, elements: u64 },
    #[error("{one} is shard {shard}, and {other} has no number; give all shards numbers, or none")]
    Unnumbered { one: String, shard: ShardNumber, other: String },
    #[error("{one} is shard {shard}, and {other} is shard {other_shard}: of another number of shards")]
    Count { one: String, shard: ShardNumber, other: String, other_shard: ShardNumber },
    #[error("{one} and {other} are both shard {shard}; give each shard once")]
    Twice { one: String, other: String, shard: ShardNumber },
    #[error("{one} and {other} hold the same moments of {inputs}; give each shard once")]
    Same { one: String, other: String, inputs: String },
    #[error("of {count} shards these are missing: {missing}; give all of them")]
    Missing { count: u64, missing: String },
    #[error("{file}: {source}")]
    Partials { file: String, source: PartialsError },
    #[error("{one} and {other} have other groups; fit all shards with the same ones")]
    Groups { one: String, other: String },
    #[error("{file}: its moments are not as many as its groups; compute them again")]
    GroupCount { file: String },
    #[error("the shards have more elements than can be numbered")]
    TooMany,
}

impl Shard {
    /// The moments of its elements.
    fn total(&self, file: &str) -> Result<Moments, ShardError> {
        self.moments.total().map_err(|source| ShardError::Partials { file: file.to_owned(), source })
    }

    /// Fails unless the chunks are those of so many elements.
    fn check(&self, file: &str) -> Result<(), ShardError> {
        let chunks = self.moments.chunks();
        let is_whole = matches!(&chunks[..], [all] if *all == (0..self.elements.div_ceil(CHUNK_ELEMENTS)));
        let ends = self.moments.end().is_none_or(|end| end == self.elements);
        if is_whole && ends {
            return Ok(());
        }
        Err(ShardError::Elements { file: file.to_owned(), elements: self.elements })
    }
}

/// Merges the shards of a whole, each with the name of its file: by their numbers,
/// or, without any, in the order given.
///
/// # Errors
/// [`ShardError`]: some are missing, given twice, or of another grid or engine.
pub fn merge_shards(shards: Vec<(String, Shard)>) -> Result<Merged, ShardError> {
    let shards = in_order(shards)?;
    let sum = |sum: u64, shard: &Shard| sum.checked_add(shard.elements);
    let elements = shards.iter().try_fold(0, |all, (_, shard)| sum(all, shard)).ok_or(ShardError::TooMany)?;
    let before_last = shards.split_last().map_or(&[][..], |(_, before)| before);
    let is_as_one = before_last.iter().all(|(_, shard)| shard.elements.is_multiple_of(CHUNK_ELEMENTS));
    let moments = if is_as_one {
        as_one(shards)?
    } else {
        let totals: Vec<Moments> =
            shards.iter().map(|(file, shard)| shard.total(file)).collect::<Result<_, _>>()?;
        Moments::of_parts(&totals)
    };
    Ok(Merged { moments, elements, is_as_one })
}

/// All shards of a whole, in order.
pub(super) fn in_order(mut shards: Vec<(String, Shard)>) -> Result<Vec<(String, Shard)>, ShardError> {
    let Some((first, rest)) = shards.split_first() else { return Err(ShardError::None) };
    shards.iter().try_for_each(|(file, shard)| shard.check(file))?;
    for other in rest {
        if first.1.groups.is_some() != other.1.groups.is_some() {
            return Err(ShardError::Groups { one: first.0.clone(), other: other.0.clone() });
        }
        check_alike(first, other)?;
    }
    shards.sort_by_key(|(_, shard)| shard.shard);
    check_numbers(&shards)?;
    Ok(shards)
}

/// The moments of the whole, from those of chunks in their places there.
fn as_one(shards: Vec<(String, Shard)>) -> Result<Moments, ShardError> {
    let mut whole: Option<Partials<Moments>> = None;
    let mut first_chunk = 0;
    let mut last_file = String::new();
    for (file, shard) in shards {
        let failed = |source| ShardError::Partials { file: file.clone(), source };
        let part = shard.moments.starting_at(first_chunk).map_err(failed)?;
        whole = Some(match whole {
            Some(whole) => whole.merge(part).map_err(failed)?,
            None => part,
        });
        first_chunk += shard.elements.div_ceil(CHUNK_ELEMENTS);
        last_file = file;
    }
    let whole = whole.ok_or(ShardError::None)?;
    whole.total().map_err(|source| ShardError::Partials { file: last_file, source })
}

/// Fails unless both shards were computed alike.
fn check_alike(first: &(String, Shard), other: &(String, Shard)) -> Result<(), ShardError> {
    let source = |(_, shard): &(String, Shard)| -> Source {
        let source = shard.moments.source().clone();
        // Shards have groups of their own.
        if shard.groups.is_some() { source.of_any_fits() } else { source }
    };
    Partials::<Moments>::new(source(first))
        .merge(Partials::new(source(other)))
        .map(drop)
        .map_err(|source| ShardError::Partials { file: other.0.clone(), source })
}

/// Fails unless all shards have numbers, each once, or none has.
fn check_numbers(shards: &[(String, Shard)]) -> Result<(), ShardError> {
    /// The most numbers that a message lists.
    const MOST: usize = 20;
    let numbered = shards.iter().find_map(|(file, shard)| Some((file, shard.shard?)));
    let Some((one, shard)) = numbered else { return check_content(shards) };
    let one = one.clone();
    let mut numbers = Vec::with_capacity(shards.len());
    for (other, given) in shards {
        let Some(other_shard) = given.shard else {
            return Err(ShardError::Unnumbered { one, shard, other: other.clone() });
        };
        if other_shard.count != shard.count {
            return Err(ShardError::Count { one, shard, other: other.clone(), other_shard });
        }
        numbers.push((other_shard.number, other));
    }
    if let Some(pair) = numbers.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let shard = ShardNumber { number: pair[0].0, ..shard };
        return Err(ShardError::Twice { one: pair[0].1.clone(), other: pair[1].1.clone(), shard });
    }
    let mut given = numbers.iter().map(|(number, _)| *number).peekable();
    let missing = (1..=shard.count).filter(|number| given.next_if_eq(number).is_none());
    let missing: Vec<String> = missing.take(MOST + 1).map(|number| number.to_string()).collect();
    match missing.len() {
        0 => Ok(()),
        all => {
            let more = if all > MOST { ", …" } else { "" };
            let missing = missing[..all.min(MOST)].join(", ") + more;
            Err(ShardError::Missing { count: shard.count, missing })
        }
    }
}

/// Fails if two shards without numbers hold the same: nothing else tells that one was
/// given twice.
fn check_content(shards: &[(String, Shard)]) -> Result<(), ShardError> {
    for (k, (one, shard)) in shards.iter().enumerate() {
        if let Some((other, _)) = shards[k + 1..].iter().find(|(_, other)| other == shard) {
            let (one, other, inputs) = (one.clone(), other.clone(), shard.inputs.join(" and "));
            return Err(ShardError::Same { one, other, inputs });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Problem};
    use crate::engine::{Cpu, Engine, Reference};

    #[expect(clippy::cast_possible_truncation, reason = "a chunk has fewer elements than 2³²")]
    const CHUNK: usize = CHUNK_ELEMENTS as usize;

    /// X and T that no line explains, of so many elements from number `start` on.
    fn data(start: usize, elements: usize) -> Problem {
        let number = |k: usize| f64::from(u32::try_from(k).unwrap());
        let x: Vec<f64> = (start..start + elements).map(|k| number(k * 7919 % 10_007) / 3.0).collect();
        let t: Vec<f64> = (start..start + elements).map(|k| number(k * 104_729 % 9_973) / 7.0).collect();
        let column = |label, values| Array::from_vec(label, &[elements as u64], values);
        Problem::pair(column("x", x), column("t", t)).unwrap()
    }

    fn shard(start: usize, elements: usize, number: Option<&str>) -> (String, Shard) {
        let data = data(start, elements).with_chunks_apart();
        let moments = Cpu::new(&data).moments(data.grid().chunks()).unwrap();
        let shard = number.map(|number| number.parse().unwrap());
        let shard = Shard {
            shard,
            inputs: ["x", "t"].map(str::to_owned),
            elements: elements as u64,
            groups: None,
            moments,
        };
        // By way of a file.
        let shard = serde_json::from_str(&serde_json::to_string(&shard).unwrap()).unwrap();
        (format!("part {start}"), shard)
    }

    fn bits(moments: &Moments) -> String {
        serde_json::to_string(moments).unwrap()
    }

    /// Three, two and one and a half chunks: those of the second begin with an odd one.
    #[test]
    fn shards_in_order_have_the_bits_of_one_fit() {
        let sizes = [3 * CHUNK, 2 * CHUNK, 3 * CHUNK / 2];
        let whole = Cpu::new(&data(0, sizes.iter().sum())).all_moments().unwrap();
        let mut shards: Vec<_> = Vec::new();
        let mut start = 0;
        for (k, elements) in sizes.into_iter().enumerate() {
            shards.push(shard(start, elements, Some(&format!("{}/3", k + 1))));
            start += elements;
        }
        let one = Cpu::new(&data(0, sizes[0]).with_chunks_apart()).all_moments().unwrap();
        assert_eq!(bits(&one), bits(&Cpu::new(&data(0, sizes[0])).all_moments().unwrap()));
        for order in [[0, 1, 2], [2, 0, 1]] {
            let merged = merge_shards(order.map(|k| shards[k].clone()).to_vec()).unwrap();
            assert!(merged.is_as_one);
            assert_eq!((bits(&merged.moments), merged.elements), (bits(&whole), start as u64));
        }
    }

    /// A shard that ends within a chunk: the same but for rounding.
    #[test]
    fn shards_of_any_size_are_the_same_but_for_rounding() {
        let whole = Cpu::new(&data(0, 3_000)).all_moments().unwrap();
        let parts = vec![shard(0, 1_000, None), shard(1_000, 1_500, None), shard(2_500, 500, None)];
        let merged = merge_shards(parts).unwrap();
        assert!(!merged.is_as_one && merged.moments.n == 3_000);
        let [one, other] = [merged.moments, whole].map(|moments| moments.least_squares().unwrap());
        assert!(
            (one.weight / other.weight - 1.0).abs() < 1e-13 && (one.bias / other.bias - 1.0).abs() < 1e-13
        );
    }

    #[test]
    fn shards_that_are_not_those_of_one_whole_are_refused() {
        let merged = |numbers: &[(usize, Option<&str>)]| {
            let shards = numbers.iter().map(|&(start, number)| shard(start, 100, number)).collect();
            merge_shards(shards).unwrap_err().to_string()
        };
        let text = merged(&[(0, Some("1/3")), (100, Some("3/3"))]);
        assert_eq!(text, "of 3 shards these are missing: 2; give all of them");
        let text = merged(&[(0, Some("2/2")), (100, Some("2/2"))]);
        assert!(text.contains("part 0 and part 100 are both shard 2/2"), "{text}");
        let text = merged(&[(0, Some("1/2")), (100, Some("2/3"))]);
        assert!(text.contains("of another number of shards"), "{text}");
        let text = merged(&[(0, Some("1/2")), (100, None)]);
        assert!(text.contains("part 100 has no number"), "{text}");
        let text = merged(&[(0, None), (100, None), (0, None)]);
        assert!(text.contains("hold the same moments of x and t"), "{text}");
        assert!(matches!(merge_shards(Vec::new()), Err(ShardError::None)));
    }

    #[test]
    fn shards_of_other_engines_and_of_other_sizes_are_refused() {
        let (file, mut other) = shard(0, 100, None);
        let data = data(100, 100).with_chunks_apart();
        other.moments = Reference::new(&data).moments(0..1).unwrap();
        let error = merge_shards(vec![shard(0, 100, None), (file.clone(), other.clone())]).unwrap_err();
        assert!(error.to_string().contains("do not merge with those of"), "{error}");
        other.elements = CHUNK_ELEMENTS * 2;
        let error = merge_shards(vec![(file, other)]).unwrap_err();
        assert!(matches!(error, ShardError::Elements { .. }), "{error}");
    }

    #[test]
    fn numbers_are_read_as_they_are_printed() {
        assert_eq!("3/8".parse::<ShardNumber>().unwrap().to_string(), "3/8");
        for text in ["0/8", "9/8", "3", "a/b", "/", "-1/2", "1/0"] {
            assert!(text.parse::<ShardNumber>().is_err(), "{text}");
        }
    }
}
