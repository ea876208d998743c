use std::ops::Range;

use super::source::Source;
use crate::array::CHUNK_ELEMENTS;
use crate::math::{Affine, Loss};

/// The version of the serialised form.
pub(super) const VERSION: u32 = 1;

/// The reason why partial results do not merge, or have no total.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PartialsError {
    /// Results of different grids, groups, orders, engines or precisions.
    #[error(
        "partial results of {one} do not merge with those of {other}; compute all parts with one engine, \
         precision and launch configuration, grouped and stored alike"
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Source { one: Box<Source>, other: Box<Source> },
    /// Sums at different W and b.
    #[error(
        "partial sums at W = {:?}, b = {:?} do not merge with those at W = {:?}, b = {:?}; compute all parts at \
         one model",
        one.weight, one.bias, other.weight, other.bias
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Points { one: Affine, other: Affine },
    /// Sums of different losses.
    #[error(
        "partial sums of the loss {one} do not merge with those of {other}; compute all parts with one loss"
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Losses { one: Loss, other: Loss },
    /// Elements that are in both parts.
    #[error("chunks {} to {} are in both parts; merge each part once", chunks.start, chunks.end - 1)]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Overlap { chunks: Range<u64> },
    /// A part that ends within a chunk, and others behind it.
    #[error(
        "one part ends with element {end}, within a chunk of {CHUNK_ELEMENTS}, and another goes beyond; let all \
         parts but the last have a multiple of {CHUNK_ELEMENTS} elements"
    )]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Beyond { end: u64 },
    /// Chunks that are missing between others.
    #[error("chunks {} to {} are missing; merge the parts that have them", chunks.start, chunks.end - 1)]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Gap { chunks: Range<u64> },
    /// Fits that are missing between others.
    #[error("fits {} to {} are missing; merge parts in which fits follow one another", fits.start, fits.end - 1)]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    FitsGap { fits: Range<u64> },
    /// Nothing at all.
    #[error("there are no partial results")]
    Empty,
    /// Several results where one was asked for.
    #[error("there are {fits} fits, not one; ask for all totals")]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Many { fits: usize },
    /// Chunks that have merged where they are not to be.
    #[error(
        "the chunks of these partial results have merged in another place; compute them again, kept apart"
    )]
    Merged,
    /// Serialised results that were not written so.
    #[error("these are no partial results of {expected}: {reason}; write them again")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Malformed { expected: &'static str, reason: &'static str },
    /// Another version of the serialised form.
    #[error(
        "these partial results have format version {found}, and this program reads version {VERSION}; compute \
         them again with it"
    )]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Version { found: u32 },
}
