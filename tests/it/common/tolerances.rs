//! The tolerances of the tests, each with its reason. An error of sums is
//! relative to the sum of the sizes of their terms, an error of a result to the
//! result. A tolerance that follows from the numbers of one test stands in that
//! test, with its derivation.

/// The bound of the CPU's sums that docs/precision-and-reproducibility.md states,
/// as those of the three precisions of a GPU below: `docs::` holds the page to
/// them.
pub const CPU_SUMS: f64 = 1e-13;

/// `fast`, from a million elements: the rounding of short runs averages out.
pub const FAST_SUMS_OF_A_MILLION: f64 = 3e-9;

/// `fast`, of fewer elements or near the optimum: what f32 has, 2⁻²⁴, of few
/// terms that are not small.
pub const FAST_SUMS: f64 = 1e-7;

/// `compensated`: the squares of 2⁻²⁴ that two f32 lose, a few tens of them.
pub const COMPENSATED_SUMS: f64 = 1e-13;

/// `f64` on a device: the rounding of short runs in f64 averages out.
pub const DEVICE_F64_SUMS: f64 = 1e-15;

/// `fast`, of 4,096 elements, 256 times fewer than a million: up to √256 times
/// the error.
pub const FAST_SUMS_OF_4096: f64 = 3e-8;

/// f64 sums of at most 60,000 elements in any order, those of the test included:
/// n·2⁻⁵³ of the size of the terms, twice.
pub const F64_SUMS: f64 = 1.4e-11;

/// A residual in f32 carries an error of about 2⁻²⁴ of x·W and of b, and the
/// terms are its products: a few 2⁻²⁴ where it is not small against them.
pub const F32_SUMS: f64 = 1e-6;

/// A few f64 operations: four roundings of 2⁻⁵².
pub const FEW_ROUNDINGS: f64 = 1e-15;

/// Sums that are merged with compensation, and what is made of them by a few
/// operations: some tens of roundings.
pub const MERGED_SUMS: f64 = 1e-14;

/// A line, a rate or a statistic from f64 moments, or a descent of many steps:
/// thousands of roundings, some of them of differences.
pub const F64_RESULTS: f64 = 1e-12;

/// The same from f32 elements, or of f32 sums: a few 2⁻²⁴ of each.
pub const F32_RESULTS: f64 = 1e-6;

/// Moments of f32 elements whose mean is several standard deviations, relative
/// to the sums about the mean.
pub const F32_MOMENTS: f64 = 1e-5;

/// The same moments with two f32 for each number.
pub const COMPENSATED_MOMENTS: f64 = 1e-12;

/// Sums and moments of few elements in f32: each residual is rounded to 2⁻²⁴ of
/// the largest term it is made of, and few of them do not average out.
pub const DEVICE_FITS: f64 = 2e-6;
