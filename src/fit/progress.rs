use crate::math::{Affine, Double};

/// The progress of a descent beside W and b: what it needs to go on as if it had
/// not ended.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Steps so far.
    pub step: u64,
    /// Epochs completed, of a descent over batches.
    pub epoch: u64,
    /// Batches of the next epoch that were gone through.
    pub batch: u64,
    /// The velocity after them; meaningless before the first.
    pub velocity: Affine,
    /// The prediction at x̄, which steps in standardized coordinates hold in the place
    /// of b, with more digits than b has.
    pub height: Option<Double>,
}
