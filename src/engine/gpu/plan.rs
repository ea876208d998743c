//! Elements divided among buffers, workgroups and invocations: arithmetic only,
//! no device.
//!
//! The shaders are compiled without bounds checks and without a bound on their
//! loops. What keeps every index of theirs inside its buffer:
//!
//! | index | lies inside because |
//! |---|---|
//! | `x[i]`, `t[i]`, `weights[i]`, `y[i]` | the shader counts its run so that `i` < ⌈`elements` / 4⌉; the buffers hold as many groups of four ([`Dispatch::check_buffers`]) |
//! | `validity[i / 8]` | the buffer has bits for as many groups of four ([`Dispatch::check_buffers`]) |
//! | `first + k * stride` does not wrap | `invocations` · `run` fits into a u32 ([`dispatch`]) |
//! | `partials[first_partial + …]`, written | an invocation below `invocations` or its workgroup leaves one; there is room for [`Dispatch::partials`] of them ([`Dispatch::check_buffers`]) |
//! | `parts[k]`, `partials[k]`, read | `k` < `part_count`, of the partial sums that the windows left together (`Partials`) |
//! | `sums[local]` | as many sums as invocations: [`FINISHERS`] of both |
//! | `totals[…]` | as long as the workgroup; halves of it and numbers of subgroups are shorter |
//! | `history.rows[count]`, `rates[count]` | `count` < `wanted`, which the host checks against the rows and rates there are |
//!
//! Every loop counts to one of these bounds, by 1 or more. All divisors are
//! constants but for `stride`, which is at least 1 where it divides.

use std::ops::Range;

use super::tuning::{Reduction, Tuning};

/// llvmpipe, Mesa's software renderer, silently ends an invocation's loops
/// after 65,535 iterations, all its loops together
/// (`LP_MAX_TGSI_LOOP_ITERATIONS`). No invocation is planned to come near.
pub(super) const MAX_LOOP_ITERATIONS: u32 = 60_000;

/// Elements that share a `vec4`.
pub(super) const VECTOR: u32 = 4;

/// vec4s summed in plain f32 before they join their run's total
/// (`BLOCK` in `shared/walk.wgsl`).
pub(super) const BLOCK_VECTORS: u32 = 16;

/// Invocations of the finishing kernel (`FINISHERS` in `finish_sums.wgsl`), each of
/// which leaves a partial sum for the host.
pub(super) const FINISHERS: u32 = 64;

/// Elements of Y computed and read back at a time, if X is on the device: 16 MiB.
pub(super) const PREDICTED_ELEMENTS: u32 = 1 << 22;

/// A window is at most 512 MiB, whatever the device allows: drivers have been
/// seen to fail at 1 GiB and above.
const MAX_WINDOW_BYTES: u64 = 512 << 20;

/// vec4s an invocation should have to do before another one is started.
const MIN_RUN: u32 = 16;

/// One dispatch over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dispatch {
    /// Elements of the window.
    pub(super) elements: u32,
    /// Workgroups in x and y; more than needed if y > 1.
    pub(super) workgroups: [u32; 2],
    /// Invocations that have work, a multiple of the workgroup size.
    pub(super) invocations: u32,
    /// vec4s that an invocation passes over at most.
    pub(super) run: u32,
    /// Partial sums that are left.
    pub(super) partials: u32,
}

impl Dispatch {
    fn new(elements: u32, groups: u32, run: u32, workgroups: [u32; 2], tuning: &Tuning) -> Self {
        let invocations = groups * tuning.workgroup_size;
        let partials = if tuning.reduction == Reduction::Invocation { invocations } else { groups };
        Self { elements, workgroups, invocations, run, partials }
    }

    /// Checks that buffers of so many `groups` of four hold every element, and
    /// one for `room` partial sums those from `first_partial` on.
    ///
    /// # Errors
    /// The buffer that is too short.
    pub(super) fn check_buffers(&self, groups: u64, first_partial: u32, room: u64) -> Result<(), String> {
        if groups < u64::from(self.elements.div_ceil(VECTOR)) {
            return Err(format!("{} elements do not fit into {groups} groups of four", self.elements));
        }
        let partials = u64::from(first_partial) + u64::from(self.partials);
        if room < partials {
            return Err(format!("{partials} partial sums do not fit where {room} do"));
        }
        Ok(())
    }
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

/// Divides a window's elements among invocations.
///
/// # Errors
/// The reason why no legal dispatch covers them.
pub(super) fn dispatch(elements: usize, tuning: &Tuning, limits: &wgpu::Limits) -> Result<Dispatch, String> {
    let size = tuning.workgroup_size;
    let Ok(elements) = u32::try_from(elements) else {
        return Err(format!("{elements} elements are more than a window holds"));
    };
    if size > limits.max_compute_invocations_per_workgroup || size > limits.max_compute_workgroup_size_x {
        return Err(format!("it does not run workgroups of {size} invocations"));
    }
    if u64::from(size) * 16 > u64::from(limits.max_compute_workgroup_storage_size) {
        return Err(format!("it lacks the workgroup memory for {size} invocations"));
    }
    let vectors = elements.div_ceil(VECTOR).max(1);
    let wanted = vectors.div_ceil(MIN_RUN * size).clamp(1, tuning.workgroups);
    // The loops of a run: one iteration a vec4, and one a block of them.
    let longest = MAX_LOOP_ITERATIONS / (BLOCK_VECTORS + 1) * BLOCK_VECTORS;
    let groups = wanted.max(vectors.div_ceil(longest * size));
    let run = vectors.div_ceil(groups * size);
    let iterations = run + run.div_ceil(BLOCK_VECTORS);
    if iterations > MAX_LOOP_ITERATIONS {
        return Err(format!("{elements} elements in one window need loops of {iterations} iterations"));
    }
    let workgroups = workgroups_2d(groups, limits)?;
    let dispatched = u64::from(workgroups[0]) * u64::from(workgroups[1]) * u64::from(size);
    if dispatched * u64::from(run) > u64::from(u32::MAX) {
        return Err(format!("{elements} elements in one window are more than a shader counts"));
    }
    Ok(Dispatch::new(elements, groups, run, workgroups, tuning))
}

/// Divides all elements among the one workgroup of a descent, if they are few
/// enough for one: the dispatch, and the steps it takes at most.
pub(super) fn alone(elements: usize, tuning: &Tuning, limits: &wgpu::Limits) -> Option<(Dispatch, u32)> {
    let elements = u32::try_from(elements).ok().filter(|&elements| elements <= tuning.alone_elements)?;
    let size = tuning.workgroup_size;
    // Two vec4s an invocation.
    if u64::from(size) * 32 > u64::from(limits.max_compute_workgroup_storage_size) {
        return None;
    }
    let run = elements.div_ceil(VECTOR).div_ceil(size).max(1);
    // The loops of a step: its run, the blocks of that, the halvings of the
    // workgroup, and itself.
    let iterations = run + run.div_ceil(BLOCK_VECTORS) + size.ilog2() + 1;
    let steps = MAX_LOOP_ITERATIONS / iterations;
    // As in `dispatch`: what an invocation counts to fits into a u32.
    let counted = u32::try_from(u64::from(size) * u64::from(run)).is_ok();
    (steps > 0 && counted).then_some((Dispatch::new(elements, 1, run, [1, 1], tuning), steps))
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

/// The number of parts that one workgroup adds up, of partial sums of so many
/// `parts` each.
///
/// # Errors
/// More parts than one dispatch adds up.
pub(super) fn check_finish(partials: u64, parts: u32) -> Result<u32, String> {
    match u32::try_from(partials.saturating_mul(u64::from(parts))) {
        Ok(count) if count / FINISHERS < MAX_LOOP_ITERATIONS => Ok(count),
        _ => Err(format!("the data leave {partials} partial sums, more than one dispatch adds up")),
    }
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

    #[test]
    fn every_element_has_an_invocation_and_no_loop_is_too_long() {
        let gpu = wgpu::Limits { max_compute_invocations_per_workgroup: 1024, ..lavapipe() };
        let few_groups = wgpu::Limits { max_compute_workgroups_per_dimension: 7, ..gpu.clone() };
        let one_group = Tuning { workgroups: 1, ..Tuning::SOFTWARE };
        for limits in [&gpu, &few_groups] {
            for tuning in [Tuning::SOFTWARE, Tuning::DISCRETE, one_group] {
                for elements in [1, 2, 3, 63, 64, 65, 4095, 65_537, (1 << 25) - 1, 1 << 25, 1usize << 27] {
                    let Ok(plan) = dispatch(elements, &tuning, limits) else {
                        assert_eq!(limits.max_compute_workgroups_per_dimension, 7);
                        continue;
                    };
                    let reached = u64::from(plan.invocations) * u64::from(plan.run) * 4;
                    assert!(reached >= elements as u64, "{elements} {plan:?}");
                    assert!(plan.run + plan.run.div_ceil(BLOCK_VECTORS) <= MAX_LOOP_ITERATIONS);
                    let groups = plan.workgroups[0] * plan.workgroups[1];
                    assert!(groups * tuning.workgroup_size >= plan.invocations, "{plan:?}");
                    assert!(
                        plan.workgroups.iter().all(|&g| g <= limits.max_compute_workgroups_per_dimension)
                    );
                }
            }
        }
    }

    #[test]
    fn a_run_too_long_for_llvmpipe_gets_more_workgroups() {
        let narrow = Tuning { workgroup_size: 1, workgroups: 1, ..Tuning::SOFTWARE };
        let plan = dispatch(1 << 25, &narrow, &lavapipe()).unwrap();
        assert!(plan.invocations > 100 && plan.run < MAX_LOOP_ITERATIONS, "{plan:?}");
    }

    #[test]
    fn one_workgroup_reaches_all_of_a_few_elements() {
        for tuning in [Tuning::SOFTWARE, Tuning::DISCRETE] {
            for elements in [1, 4, 255, 4_096, 4_097, tuning.alone_elements] {
                let (plan, steps) = alone(elements as usize, &tuning, &lavapipe()).unwrap();
                assert!(plan.invocations * plan.run * 4 >= elements && plan.workgroups == [1, 1], "{plan:?}");
                let halvings = tuning.workgroup_size.ilog2();
                let iterations = plan.run + plan.run.div_ceil(BLOCK_VECTORS) + halvings + 1;
                assert!(steps >= 1 && steps * iterations <= MAX_LOOP_ITERATIONS, "{steps} {plan:?}");
            }
            assert_eq!(alone(tuning.alone_elements as usize + 1, &tuning, &lavapipe()), None);
        }
    }

    #[test]
    fn groups_beyond_one_dimension_go_into_two() {
        assert_eq!(workgroups_2d(65_535, &lavapipe()), Ok([65_535, 1]));
        assert_eq!(workgroups_2d(65_536, &lavapipe()), Ok([32_768, 2]));
    }

    #[test]
    fn a_workgroup_the_device_cannot_run_is_refused() {
        let small = wgpu::Limits { max_compute_invocations_per_workgroup: 128, ..lavapipe() };
        assert!(dispatch(100, &Tuning::DISCRETE, &small).unwrap_err().contains("256"));
        let partials = u64::from(MAX_LOOP_ITERATIONS) * 64;
        assert!(check_finish(partials, 1).unwrap_err().contains("more than one dispatch"));
        assert!(check_finish(partials / 2, 2).is_err() && check_finish(5, 2) == Ok(10));
    }

    /// The shaders check nothing: what is too short must not get there.
    #[test]
    fn a_buffer_too_short_for_a_dispatch_is_refused() {
        let plan = dispatch(4_097, &Tuning::SOFTWARE, &lavapipe()).unwrap();
        let (elements, partials) = (1_025, u64::from(plan.partials));
        assert_eq!(plan.check_buffers(elements, 0, partials), Ok(()));
        assert_eq!(plan.check_buffers(elements, 3, partials + 3), Ok(()));
        for (elements, first, partials) in
            [(elements - 1, 0, partials), (elements, 0, partials - 1), (elements, 1, partials), (0, 0, 0)]
        {
            assert!(plan.check_buffers(elements, first, partials).is_err());
        }
        let wide = Tuning { workgroups: 1 << 16, workgroup_size: 1 << 10, ..Tuning::SOFTWARE };
        let limits = wgpu::Limits {
            max_compute_invocations_per_workgroup: 1 << 10,
            max_compute_workgroup_size_x: 1 << 10,
            ..lavapipe()
        };
        for elements in [1, 1 << 27, u32::MAX as usize, u32::MAX as usize + 1] {
            if let Ok(plan) = dispatch(elements, &wide, &limits) {
                let highest = (u64::from(plan.workgroups[0]) * u64::from(plan.workgroups[1])) << 10;
                assert!(u32::try_from(highest * u64::from(plan.run)).is_ok(), "{plan:?}");
            } else {
                assert!(elements > 1 << 27);
            }
        }
    }
}
