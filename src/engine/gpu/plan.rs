//! How the elements are spread over buffers, workgroups and invocations:
//! arithmetic only, no device.

use std::ops::Range;

/// llvmpipe, Mesa's software renderer, silently ends an invocation's loops
/// after 65,535 iterations, all its loops together
/// (`LP_MAX_TGSI_LOOP_ITERATIONS`). No invocation is planned to come near.
pub(super) const MAX_LOOP_ITERATIONS: u32 = 60_000;

/// Elements that share a `vec4`.
pub(super) const VECTOR: u32 = 4;

/// vec4s summed in plain f32 before they join their run's total
/// (`BLOCK` in `residual_sums.wgsl`).
pub(super) const BLOCK_VECTORS: u32 = 16;

/// Invocations of the finishing kernel (`FINISHERS` in `finish.wgsl`), each of
/// which leaves a partial sum for the host.
pub(super) const FINISHERS: u32 = 64;

/// Elements of Y computed and read back at a time: 16 MiB.
pub(super) const FORWARD_ELEMENTS: u32 = 1 << 22;

/// A window is at most 512 MiB, whatever the device allows: drivers have been
/// seen to fail at 1 GiB and above.
const MAX_WINDOW_BYTES: u64 = 512 << 20;

/// vec4s an invocation should have to do before another one is started.
const MIN_RUN: u32 = 16;

/// How a kind of device likes its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tuning {
    /// Invocations in a workgroup, a power of two.
    pub(super) workgroup_size: u32,
    /// Workgroups in a dispatch, unless runs would get too long.
    pub(super) workgroups: u32,
    /// Whether an invocation takes neighbouring vec4s.
    pub(super) contiguous: bool,
    /// Whether a workgroup adds up its partials, with barriers.
    pub(super) by_workgroup: bool,
    /// Up to this many elements, a descent runs in a single workgroup, which
    /// needs no dispatch between steps.
    pub(super) alone_elements: u32,
}

impl Tuning {
    /// Adapters that compute on a CPU: each invocation walks a contiguous run,
    /// for the caches and the prefetcher, and no barrier, which would turn the
    /// workgroup into coroutines. Measured on lavapipe: 13.6 ms for 16 Mi
    /// elements against 72 ms with the order of a GPU. A step takes 16 µs in
    /// one workgroup and 76 µs dispatched at 4,096 elements, 154 and 165 µs at
    /// 65,536, 283 and 211 µs at 131,072.
    pub(super) const SOFTWARE: Self = Self {
        workgroup_size: 64,
        workgroups: 64,
        contiguous: true,
        by_workgroup: false,
        alone_elements: 1 << 16,
    };

    /// Real GPUs: neighbouring invocations read neighbouring vec4s, in as many
    /// workgroups as fill every published device several times over
    /// (BabelStream's dot kernels). A descent runs in one workgroup where a
    /// pass would be one workgroup anyway.
    pub(super) const GPU: Self = Self {
        workgroup_size: 256,
        workgroups: 2048,
        contiguous: false,
        by_workgroup: true,
        alone_elements: 1 << 14,
    };

    pub(super) fn partials_of(&self, dispatch: &Dispatch) -> u32 {
        if self.by_workgroup { dispatch.invocations / self.workgroup_size } else { dispatch.invocations }
    }
}

/// What a dispatch covers and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dispatch {
    /// Workgroups in x and y; more than needed if y > 1.
    pub(super) workgroups: [u32; 2],
    /// Invocations that have work, a multiple of the workgroup size.
    pub(super) invocations: u32,
    /// vec4s an invocation visits at most.
    pub(super) run: u32,
}

/// The ranges of elements that each get buffers of their own: as large as the
/// device binds, and multiples of [`FORWARD_ELEMENTS`] but for the last.
pub(super) fn windows(elements: usize, limits: &wgpu::Limits) -> Vec<Range<usize>> {
    let bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(MAX_WINDOW_BYTES);
    let forward_bytes = u64::from(FORWARD_ELEMENTS) * 4;
    // No device binds less than 128 MiB; the division cannot give 0.
    let window = usize::try_from((bytes / forward_bytes).max(1)).unwrap_or(1) * FORWARD_ELEMENTS as usize;
    super::super::chunks(0..elements, window).collect()
}

/// Spreads a window's elements over invocations.
///
/// # Errors
/// The reason why no legal dispatch covers them.
pub(super) fn dispatch(elements: u32, tuning: &Tuning, limits: &wgpu::Limits) -> Result<Dispatch, String> {
    let size = tuning.workgroup_size;
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
    Ok(Dispatch { workgroups, invocations: groups * size, run })
}

/// Spreads all elements over the one workgroup of a descent, if they are few
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
    (steps > 0).then_some((Dispatch { workgroups: [1, 1], invocations: size, run }, steps))
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

/// The finishing kernel's iterations over all partials.
///
/// # Errors
/// If they were too many for one dispatch.
pub(super) fn check_finish(partials: u64) -> Result<u32, String> {
    match u32::try_from(partials) {
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
            for tuning in [Tuning::SOFTWARE, Tuning::GPU, one_group] {
                for elements in [1, 2, 3, 63, 64, 65, 4095, 65_537, (1 << 25) - 1, 1 << 25, 1 << 27] {
                    let Ok(plan) = dispatch(elements, &tuning, limits) else {
                        assert_eq!(limits.max_compute_workgroups_per_dimension, 7);
                        continue;
                    };
                    let reached = u64::from(plan.invocations) * u64::from(plan.run) * 4;
                    assert!(reached >= u64::from(elements), "{elements} {plan:?}");
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
        for tuning in [Tuning::SOFTWARE, Tuning::GPU] {
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
        assert!(dispatch(100, &Tuning::GPU, &small).unwrap_err().contains("256"));
        assert!(check_finish(u64::from(MAX_LOOP_ITERATIONS) * 64).is_err());
    }
}
