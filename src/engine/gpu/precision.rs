use std::fmt;

use super::{Adapter, GpuError};

/// The numbers in which a GPU carries the sums of a pass. Elements are f32 in
/// all three, and the host merges the device's sums in f64. The errors of each
/// are in docs/precision-and-reproducibility.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// f32, in runs so short, and at a W and b of so few digits, that rounding
    /// averages out.
    #[default]
    Fast,
    /// Two f32 for each number, the second for what the first cannot hold
    /// (T. J. Dekker, 1971). Only on devices that prove, when they are opened,
    /// that they keep rounding errors.
    Compensated,
    /// f64, on devices whose shaders have it.
    F64,
}

impl Precision {
    /// Every precision, the least first.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Compensated, Self::F64];

    /// The name used on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Compensated => "compensated",
            Self::F64 => "f64",
        }
    }

    /// The part of [`check`](Self::check) that needs no open device.
    pub(super) fn check_f64(self, adapter: &Adapter) -> Result<(), GpuError> {
        if self == Self::F64 && !adapter.has_f64() {
            return Err(GpuError::NoF64 { adapter: adapter.name().to_owned() });
        }
        Ok(())
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
