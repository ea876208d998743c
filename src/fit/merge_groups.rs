//! Shards of data with a fit for each group of elements.

use std::collections::BTreeMap;

use super::shard::{Shard, ShardError, in_order};
use super::shard_groups::ShardGroups;
use crate::math::Moments;

/// The moments of the groups of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedGroups {
    /// The moments of each.
    pub moments: Vec<Moments>,
    /// The groups.
    pub groups: ShardGroups,
}

/// Merges the shards of a whole group by group, each with the name of its file: groups of
/// the same label, or of the same index. Where the fits do not run along the first axis,
/// along which shards follow one another, each shard has groups of its own.
///
/// # Errors
/// [`ShardError`]: some are missing, given twice, or of other groups.
pub fn merge_groups(shards: Vec<(String, Shard)>) -> Result<MergedGroups, ShardError> {
    let mut parts = Vec::with_capacity(shards.len());
    for (file, shard) in in_order(shards)? {
        let totals = shard.moments.totals();
        let (_, moments) = totals.map_err(|source| ShardError::Partials { file: file.clone(), source })?;
        let groups = shard.groups.ok_or_else(|| ShardError::GroupCount { file: file.clone() })?;
        if groups.count() != Some(moments.len() as u64) {
            return Err(ShardError::GroupCount { file });
        }
        parts.push(Part { file, groups, moments });
    }
    let Some((first, others)) = parts.split_first() else { return Err(ShardError::None) };
    if let Some(other) = others.iter().find(|other| !first.groups.goes_with(&other.groups)) {
        return Err(ShardError::Groups { one: first.file.clone(), other: other.file.clone() });
    }
    Ok(match first.groups.clone() {
        ShardGroups::Along { axes, shape } => along(&parts, axes, shape),
        ShardGroups::Whole(_) => {
            let (labels, moments) = by_label(parts, |groups| match groups {
                ShardGroups::Whole(labels) => labels,
                _ => Vec::new(),
            });
            MergedGroups { moments, groups: ShardGroups::Whole(labels) }
        }
        ShardGroups::Text(_) => {
            let (labels, moments) = by_label(parts, |groups| match groups {
                ShardGroups::Text(labels) => labels,
                _ => Vec::new(),
            });
            MergedGroups { moments, groups: ShardGroups::Text(labels) }
        }
    })
}

/// The groups of a shard.
struct Part {
    file: String,
    groups: ShardGroups,
    moments: Vec<Moments>,
}

/// The groups along axes.
fn along(parts: &[Part], axes: Vec<usize>, mut shape: Vec<u64>) -> MergedGroups {
    let moments = if axes.contains(&0) {
        let group = |group: usize| {
            let of_group: Vec<Moments> = parts.iter().map(|part| part.moments[group]).collect();
            Moments::of_parts(&of_group)
        };
        (0..parts.first().map_or(0, |part| part.moments.len())).map(group).collect()
    } else {
        let extents = parts.iter().map(|part| match &part.groups {
            ShardGroups::Along { shape, .. } => shape.first().copied().unwrap_or(1),
            _ => 0,
        });
        if let (Some(first), extent) = (shape.first_mut(), extents.sum()) {
            *first = extent;
        }
        parts.iter().flat_map(|part| part.moments.iter().copied()).collect()
    };
    MergedGroups { moments, groups: ShardGroups::Along { axes, shape } }
}

/// The groups by their labels, in the order of these.
fn by_label<L: Ord>(parts: Vec<Part>, labels: impl Fn(ShardGroups) -> Vec<L>) -> (Vec<L>, Vec<Moments>) {
    let mut all: BTreeMap<L, Vec<Moments>> = BTreeMap::new();
    for part in parts {
        for (label, moments) in labels(part.groups).into_iter().zip(part.moments) {
            all.entry(label).or_default().push(moments);
        }
    }
    all.into_iter().map(|(label, parts)| (label, Moments::of_parts(&parts))).unzip()
}
