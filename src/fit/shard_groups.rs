//! The groups of elements of a shard.

use serde::{Deserialize, Serialize};

/// What the fits of a shard are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShardGroups {
    /// These axes, which each runs along; fits in this shape. Shards follow one another
    /// along the first axis.
    Along {
        /// The axes.
        axes: Vec<usize>,
        /// The extents of the others.
        shape: Vec<u64>,
    },
    /// Labels that are whole numbers, ascending.
    Whole(Vec<i128>),
    /// Labels of text, in the order of their bytes.
    Text(Vec<String>),
}

impl ShardGroups {
    /// The number of fits; `None` if it is beyond u64.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Along { shape, .. } => shape.iter().try_fold(1u64, |all, &extent| all.checked_mul(extent)),
            Self::Whole(labels) => Some(labels.len() as u64),
            Self::Text(labels) => Some(labels.len() as u64),
        }
    }

    /// Whether both are groups of one whole.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Along { axes, shape }, Self::Along { axes: others, shape: other }) => {
                let fixed = usize::from(!axes.contains(&0));
                axes == others && shape.len() == other.len() && shape.get(fixed..) == other.get(fixed..)
            }
            (Self::Whole(_), Self::Whole(_)) | (Self::Text(_), Self::Text(_)) => true,
            _ => false,
        }
    }
}
