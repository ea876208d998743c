//! Elements divided among buffers, pieces, workgroups and invocations: arithmetic
//! only, no device.
//!
//! A pass sums each run (the elements of one fit within one chunk) in pieces of a
//! fixed number of elements, and the pieces of a run in their order. Which
//! additions are made, and so the bits of a run's sums, depend on the run, on the
//! size of a piece and on the invocations that share one; not on how pieces are
//! divided among workgroups, and not on other runs.
//!
//! The shaders are compiled without bounds checks and without a bound on their
//! loops. What keeps every index of theirs inside its buffer:
//!
//! | index | lies inside because |
//! |---|---|
//! | `runs[first_run + k / PIECES]` | the shader counts `k` below `pieces`, which are those of as many runs as the host dispatches |
//! | `points[…]` | the host writes a point for every number in `runs` |
//! | `x[i]`, `t[i]`, `weights[i]`, `y[i]` | `i` < ⌈end of the last run / 4⌉; the buffers hold as many groups of four ([`check_buffers`]) |
//! | `validity[i / 8]` | the buffer has bits for as many groups of four ([`check_buffers`]) |
//! | `partials[first_partial + k]`, written | `k` < `pieces`; there is room for all of them (`Partials`) |
//! | `parts[…]`, read | the parts of the pieces of a run below `sums / PARTS`, which were written |
//! | `sums[number]` | `number` < `sums`, for which there is room (`Partials`) |
//! | `partials[k]`, read by `update` | `k` < `plan[count].partials`, for which there is room in the buffer, also where an older plan has them |
//! | `totals[…]` | as long as the workgroup; halves of it and numbers of subgroups are shorter |
//! | `history.rows[count]`, `plan[count].rate` | `count` < `wanted`, which the host checks against the rows and the planned steps there are |
//! | `plan[count]`, read by `update` | `count` ≤ `wanted`, and one step more than rows has a place |
//!
//! Every loop counts to one of these bounds, by 1 or more. All divisors are
//! constants but for `stride` and `invocations`, which are at least 1.

use std::ops::Range;

use super::packing::Packing;
use super::tuning::{Reduction, Tuning};
use crate::engine::CHUNK;

/// llvmpipe, Mesa's software renderer, silently ends an invocation's loops
/// after 65,535 iterations, all its loops together
/// (`LP_MAX_TGSI_LOOP_ITERATIONS`). No invocation is planned to come near.
pub(super) const MAX_LOOP_ITERATIONS: u32 = 60_000;

/// Elements that share a `vec4`.
pub(super) const VECTOR: u32 = 4;

/// vec4s summed in plain f32 before they join their run's total
/// (`BLOCK` in `shared/walk.wgsl`).
pub(super) const BLOCK_VECTORS: u32 = 16;

/// Invocations in a workgroup of the finishing kernel (`FINISHERS` in
/// `finish_sums.wgsl`).
pub(super) const FINISHERS: u32 = 64;

/// Invocations of the updating kernel (`WIDTH` in `update.wgsl`).
pub(super) const UPDATERS: u32 = 256;

/// Partial sums that the updating kernel adds up without much ado: a few loads
/// for each invocation.
pub(super) const UPDATED_PARTIALS: u64 = 1 << 14;

/// Elements of Y computed and read back at a time, if X is on the device: 16 MiB.
pub(super) const PREDICTED_ELEMENTS: u32 = 1 << 22;

/// A window is at most 512 MiB, whatever the device allows: drivers have been
/// seen to fail at 1 GiB and above.
const MAX_WINDOW_BYTES: u64 = 512 << 20;

/// Elements of a piece that an invocation sums alone: so few that their rounding
/// averages out over a few thousand elements, and that large terms leave f32 the
/// digits of small ones beside them.
const PIECE_OF_INVOCATION: u32 = 128;

/// vec4s of a piece that fall to each invocation of a workgroup: few enough for
/// 2²⁰ elements to fill a large GPU, and so many that adding up the workgroup is
/// little beside them. Small types leave fewer instructions to spare.
const VECTORS_OF_INVOCATION: u32 = 8;
const SMALL_VECTORS_OF_INVOCATION: u32 = 16;

/// Pieces that a workgroup of a CPU adapter takes at least: as many as its
/// vectors have lanes.
const LEAST_SHARE: u32 = 8;

/// The pieces that runs are summed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pieces {
    /// Elements of a piece; only the last one of a run may be shorter.
    pub(super) elements: u32,
    /// Pieces of the longest run; shorter ones are filled up with empty ones.
    pub(super) per_run: u32,
}

impl Pieces {
    /// Those of predictions, a workgroup's each.
    pub(super) const PREDICTED: Self = Self::new(1 << 14, CHUNK);

    /// The pieces of runs of at most so many elements.
    pub(super) fn of(tuning: &Tuning, packings: [Packing; 2], longest_run: usize) -> Self {
        let elements = match tuning.reduction {
            Reduction::Invocation => PIECE_OF_INVOCATION,
            Reduction::Workgroup | Reduction::Subgroup => {
                let is_small = packings != [Packing::F32; 2];
                let vectors = if is_small { SMALL_VECTORS_OF_INVOCATION } else { VECTORS_OF_INVOCATION };
                VECTOR * vectors * tuning.workgroup_size
            }
        };
        Self::new(elements, longest_run)
    }

    /// A power of two that partial sums are multiplied with where those of a run are
    /// added up, so that their sum does not overflow where their mean does not.
    pub(super) fn part_scale(self) -> f32 {
        // Up to 2¹⁶ pieces; f32 holds it and its reciprocal.
        #[expect(clippy::cast_precision_loss, reason = "a power of two")]
        let pieces = self.per_run.next_power_of_two() as f32;
        1.0 / pieces
    }

    /// The same runs in pieces twice as large, unless they are in one piece.
    pub(super) fn larger(self) -> Option<Self> {
        let larger = Self { elements: self.elements * 2, per_run: self.per_run.div_ceil(2) };
        (self.per_run > 1).then_some(larger)
    }

    #[expect(clippy::cast_possible_truncation, reason = "runs lie within chunks of 2^16 elements")]
    const fn new(elements: u32, longest_run: usize) -> Self {
        let longest = longest_run as u32;
        let elements = if elements < CHUNK as u32 { elements } else { CHUNK as u32 };
        let elements = if elements < PIECE_OF_INVOCATION { PIECE_OF_INVOCATION } else { elements };
        Self { elements, per_run: longest.div_ceil(elements) }
    }

    /// Iterations of all loops over a piece, for one of so many invocations.
    fn iterations(self, lanes: u32) -> u32 {
        let vectors = self.elements.div_ceil(VECTOR * lanes) + 1;
        // One iteration a vec4, one a block of them, the ends, and the piece's
        // own; the halvings of the workgroup.
        vectors + vectors.div_ceil(BLOCK_VECTORS) + 3 + lanes.ilog2() + 1
    }
}

/// One dispatch over the pieces of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dispatch {
    /// Pieces of all runs together.
    pub(super) pieces: u32,
    /// Pieces that a workgroup takes.
    pub(super) share: u32,
    /// Workgroups in x and y; more than needed if y > 1.
    pub(super) workgroups: [u32; 2],
}

/// Checks that buffers of so many `groups` of four hold the first `elements`.
///
/// # Errors
/// The reason why they do not.
pub(super) fn check_buffers(groups: u64, elements: usize) -> Result<(), String> {
    if groups < elements.div_ceil(VECTOR as usize) as u64 {
        return Err(format!("{elements} elements do not fit into {groups} groups of four"));
    }
    Ok(())
}

/// The ranges of elements that each get buffers of their own: as large as the
/// device binds, and multiples of [`PREDICTED_ELEMENTS`] but for the last.
pub(super) fn windows(elements: usize, limits: &wgpu::Limits) -> Vec<Range<usize>> {
    let bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(MAX_WINDOW_BYTES);
    let predicted_bytes = u64::from(PREDICTED_ELEMENTS) * 4;
    // No device binds less than 128 MiB; the division cannot give 0.
    let window = usize::try_from((bytes / predicted_bytes).max(1)).unwrap_or(1) * PREDICTED_ELEMENTS as usize;
    super::super::chunks(0..elements, window).collect()
}

/// Divides the pieces of so many runs among workgroups. In kernels that sum by
/// invocation each piece is one invocation's, in others a workgroup's.
///
/// # Errors
/// The reason why no legal dispatch covers them.
pub(super) fn dispatch(
    runs: usize,
    pieces: Pieces,
    by_invocation: bool,
    tuning: &Tuning,
    limits: &wgpu::Limits,
) -> Result<Dispatch, String> {
    let size = tuning.workgroup_size;
    let count = (runs as u64).checked_mul(pieces.per_run.into());
    let Some(count) = count.and_then(|count| u32::try_from(count).ok()).filter(|&count| count < 1 << 30)
    else {
        return Err(format!("{runs} groups of elements are more than a window holds"));
    };
    if size > limits.max_compute_invocations_per_workgroup || size > limits.max_compute_workgroup_size_x {
        return Err(format!("it does not run workgroups of {size} invocations"));
    }
    if u64::from(size) * 16 > u64::from(limits.max_compute_workgroup_storage_size) {
        return Err(format!("it lacks the workgroup memory for {size} invocations"));
    }
    let (wanted, lanes, at_once) =
        if by_invocation { (count.div_ceil(LEAST_SHARE), 1, size) } else { (count, size, 1) };
    let iterations = pieces.iterations(lanes);
    if iterations > MAX_LOOP_ITERATIONS {
        return Err(format!("pieces of {} elements need loops of {iterations} iterations", pieces.elements));
    }
    let most_share = u64::from(MAX_LOOP_ITERATIONS / iterations) * u64::from(at_once);
    let least = u64::from(count).div_ceil(most_share);
    let groups = u64::from(wanted.clamp(1, tuning.workgroups)).max(least);
    // Fits, because neither is more than `count`, or 1.
    let share = u32::try_from(u64::from(count).div_ceil(groups)).unwrap_or(1).max(1);
    let workgroups = workgroups_2d(count.div_ceil(share).max(1), limits)?;
    let dispatched = u64::from(workgroups[0]) * u64::from(workgroups[1]);
    // What a shader counts to: the pieces of all workgroups, and of an invocation
    // beyond its workgroup's.
    if dispatched * u64::from(share) + 2 * u64::from(size) * u64::from(share) > u64::from(u32::MAX) {
        return Err(format!("{count} pieces in one window are more than a shader counts"));
    }
    Ok(Dispatch { pieces: count, share, workgroups })
}

/// The steps that the one workgroup of a descent takes at most in a dispatch, if
/// so many elements are few enough for one.
pub(super) fn alone(elements: usize, tuning: &Tuning, limits: &wgpu::Limits) -> Option<u32> {
    let elements = u32::try_from(elements).ok().filter(|&elements| elements <= tuning.alone_elements)?;
    let size = tuning.workgroup_size;
    // Two vec4s an invocation.
    if u64::from(size) * 32 > u64::from(limits.max_compute_workgroup_storage_size) {
        return None;
    }
    // The loops of a step are those of a piece, and itself.
    let iterations = Pieces { elements, per_run: 1 }.iterations(size) + 1;
    let steps = MAX_LOOP_ITERATIONS / iterations;
    (steps > 0).then_some(steps)
}

/// The workgroups that add up the partial sums of so many runs.
///
/// # Errors
/// More than one dispatch adds up.
pub(super) fn finish(sums: u64, limits: &wgpu::Limits) -> Result<[u32; 2], String> {
    match u32::try_from(sums.div_ceil(FINISHERS.into())) {
        Ok(groups) if sums < 1 << 31 => workgroups_2d(groups.max(1), limits),
        _ => Err(format!("{sums} sums are more than one dispatch adds up")),
    }
}

/// Workgroups in two dimensions where one can't count them. May be more than
/// asked for: the kernels check.
fn workgroups_2d(groups: u32, limits: &wgpu::Limits) -> Result<[u32; 2], String> {
    let most = limits.max_compute_workgroups_per_dimension.max(1);
    let rows = groups.div_ceil(most);
    if rows > most {
        return Err(format!("{groups} workgroups are more than it dispatches"));
    }
    Ok([groups.div_ceil(rows.max(1)), rows])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lavapipe() -> wgpu::Limits {
        wgpu::Limits { max_buffer_size: (1 << 31) - 1, ..wgpu::Limits::default() }
    }

    #[test]
    fn windows_cover_everything_once() {
        let window = 1 << 25; // 128 MiB of f32
        let n = 3 * window + 5;
        let ranges = windows(n, &lavapipe());
        assert_eq!(ranges, [0..window, window..2 * window, 2 * window..3 * window, 3 * window..n]);
        assert_eq!(windows(1, &lavapipe()), [0..1; 1]);
    }

    const F32: [Packing; 2] = [Packing::F32; 2];
    const U8: [Packing; 2] = [Packing::U8; 2];

    #[test]
    fn pieces_cover_runs() {
        let of = |tuning, packings, run| {
            let Pieces { elements, per_run } = Pieces::of(tuning, packings, run);
            (elements, per_run)
        };
        assert_eq!(of(&Tuning::SOFTWARE, F32, CHUNK), (128, 512));
        assert_eq!(of(&Tuning::SOFTWARE, F32, 10), (128, 1));
        assert_eq!(of(&Tuning::DISCRETE, F32, CHUNK), (8192, 8));
        assert_eq!(of(&Tuning::DISCRETE, U8, CHUNK), (16384, 4));
        assert_eq!(of(&Tuning { workgroup_size: 1, ..Tuning::DISCRETE }, F32, 3000), (128, 24));
        assert_eq!(of(&Tuning { workgroup_size: 1024, ..Tuning::UNKNOWN }, U8, CHUNK), (65536, 1));
        let pieces = Pieces::of(&Tuning::DISCRETE, F32, CHUNK);
        assert_eq!(pieces.larger(), Some(Pieces { elements: 16384, per_run: 4 }));
        assert_eq!(Pieces { per_run: 1, ..pieces }.larger(), None);
    }

    #[test]
    fn every_piece_has_an_invocation_and_no_loop_is_too_long() {
        let gpu = wgpu::Limits { max_compute_invocations_per_workgroup: 1024, ..lavapipe() };
        let few_groups = wgpu::Limits { max_compute_workgroups_per_dimension: 7, ..gpu.clone() };
        let one_group = Tuning { workgroups: 1, ..Tuning::SOFTWARE };
        let narrow = Tuning { workgroup_size: 1, workgroups: 1, ..Tuning::SOFTWARE };
        let mut refused = 0;
        for limits in [&gpu, &few_groups] {
            for tuning in [Tuning::SOFTWARE, Tuning::DISCRETE, one_group, narrow] {
                for runs in [1, 2, 3, 63, 512, 70_000, 1 << 20] {
                    for longest in [3, 2000, CHUNK] {
                        let pieces = Pieces::of(&tuning, F32, longest);
                        let by_invocation = tuning.reduction == Reduction::Invocation;
                        let Ok(plan) = dispatch(runs, pieces, by_invocation, &tuning, limits) else {
                            refused += 1;
                            continue;
                        };
                        assert_eq!(u64::from(plan.pieces), runs as u64 * u64::from(pieces.per_run));
                        let groups = plan.workgroups[0] * plan.workgroups[1];
                        assert!(u64::from(groups) * u64::from(plan.share) >= plan.pieces.into(), "{plan:?}");
                        let (lanes, each) = if by_invocation {
                            (1, plan.share.div_ceil(tuning.workgroup_size))
                        } else {
                            (tuning.workgroup_size, plan.share)
                        };
                        assert!(each * pieces.iterations(lanes) <= MAX_LOOP_ITERATIONS, "{plan:?}");
                        let most = limits.max_compute_workgroups_per_dimension;
                        assert!(plan.workgroups.iter().all(|&groups| groups <= most));
                    }
                }
            }
        }
        assert!((1..84).contains(&refused), "{refused}");
    }

    #[test]
    fn work_is_spread_over_many_workgroups() {
        let groups = |runs, tuning: Tuning| {
            let pieces = Pieces::of(&tuning, F32, CHUNK);
            let by_invocation = tuning.reduction == Reduction::Invocation;
            dispatch(runs, pieces, by_invocation, &tuning, &lavapipe()).unwrap().workgroups
        };
        assert_eq!(groups(16, Tuning::DISCRETE), [128, 1], "2^20 elements");
        assert_eq!(groups(1 << 10, Tuning::DISCRETE), [2048, 1]);
        assert_eq!(groups(1, Tuning::SOFTWARE), [64, 1]);
        assert_eq!(groups(256, Tuning::SOFTWARE), [64, 1]);
    }

    #[test]
    fn a_descent_alone_counts_its_loops() {
        let steps = alone(65_536, &Tuning::SOFTWARE, &lavapipe()).unwrap();
        // 256 vec4s and one more, 17 blocks, 3 ends and 7 halvings, and the step.
        assert_eq!(steps, MAX_LOOP_ITERATIONS / (257 + 17 + 3 + 7 + 1));
        assert_eq!(alone(65_537, &Tuning::SOFTWARE, &lavapipe()), None);
        let narrow = Tuning { workgroup_size: 1, alone_elements: 1 << 20, ..Tuning::SOFTWARE };
        assert_eq!(alone(1 << 20, &narrow, &lavapipe()), None);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let refused = |runs, tuning: &Tuning, limits: &wgpu::Limits| {
            dispatch(runs, Pieces::of(tuning, F32, CHUNK), false, tuning, limits).unwrap_err()
        };
        assert!(refused(1 << 40, &Tuning::DISCRETE, &lavapipe()).contains("more than a window"));
        let wide = Tuning { workgroup_size: 512, ..Tuning::DISCRETE };
        assert!(refused(1, &wide, &lavapipe()).contains("512"));
        let small = wgpu::Limits { max_compute_workgroup_storage_size: 1000, ..lavapipe() };
        assert!(refused(1, &Tuning::DISCRETE, &small).contains("memory"));
        assert!(check_buffers(16, 64).is_ok() && check_buffers(15, 61).is_err());
        assert!(finish(1 << 31, &lavapipe()).is_err());
        assert_eq!(finish(65_535 * 64 + 1, &lavapipe()), Ok([32_768, 2]));
    }
}
