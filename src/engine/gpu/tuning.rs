use serde::{Deserialize, Serialize};

use super::Adapter;

/// A launch configuration: the default of an adapter's kind, or one that was
/// measured to be faster. Every tuning gives the same results up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Invocations in a workgroup, a power of two.
    pub workgroup_size: u32,
    /// Workgroups in a dispatch, if there is work for as many and loops do not get
    /// too long. Their number does not change the bits of sums.
    pub workgroups: u32,
    /// Neighbouring vec4s to one invocation, rather than to neighbouring ones.
    pub contiguous: bool,
    /// vec4s of X, and of T, that an invocation loads before it uses the first
    /// of them: 1 or 4.
    pub loads: u32,
    /// The unit that leaves a partial sum.
    pub reduction: Reduction,
    /// Up to this many elements, a descent runs in a single workgroup, which
    /// needs no dispatch between steps.
    pub alone_elements: u32,
}

/// A unit of invocations that adds up before it leaves a partial sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// A single invocation, which needs no barrier.
    Invocation,
    /// A workgroup, by halves, with a barrier for each.
    Workgroup,
    /// Subgroups, in registers; then a workgroup adds up what they found.
    Subgroup,
}

/// The most workgroups that may be asked for: with workgroups of 1,024, no
/// index in a shader comes near 2³².
const MOST_WORKGROUPS: u32 = 1 << 16;

/// Runs that are shorter are summed by one invocation each.
const SHARED_RUN: usize = 2048;

/// The most elements that one workgroup may be asked to walk alone.
const MOST_ALONE: u32 = 1 << 20;

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
        loads: 1,
        reduction: Reduction::Invocation,
        alone_elements: 1 << 16,
    };

    /// Discrete and virtual GPUs: neighbouring invocations read neighbouring
    /// vec4s, several of them at a time, in as many workgroups as fill every
    /// published device several times over (BabelStream's dot kernels). A
    /// descent runs in one workgroup where a pass would be one workgroup
    /// anyway.
    pub(super) const DISCRETE: Self = Self {
        workgroup_size: 256,
        workgroups: 2048,
        contiguous: false,
        loads: 4,
        reduction: Reduction::Subgroup,
        alone_elements: 1 << 14,
    };

    /// Integrated GPUs have a tenth of the cores, and so as many partial sums
    /// less to add up.
    pub(super) const INTEGRATED: Self = Self { workgroups: 512, ..Self::DISCRETE };

    /// Devices that don't say what they are: nothing that some might not have.
    pub(super) const UNKNOWN: Self =
        Self { workgroup_size: 128, loads: 1, reduction: Reduction::Workgroup, ..Self::INTEGRATED };

    /// The launch configuration of the adapter's kind, within its limits.
    #[must_use]
    pub fn default_for(adapter: &Adapter) -> Self {
        let tuning = match adapter.info.device_type {
            wgpu::DeviceType::Cpu => Self::SOFTWARE,
            wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu => Self::DISCRETE,
            wgpu::DeviceType::IntegratedGpu => Self::INTEGRATED,
            wgpu::DeviceType::Other => Self::UNKNOWN,
        };
        // There an invocation's subgroup is computed, and not asked for.
        let knows_subgroups = adapter.info.backend != wgpu::Backend::Dx12;
        tuning.within(&adapter.limits(), adapter.has_subgroups() && knows_subgroups)
    }

    fn within(self, limits: &wgpu::Limits, subgroups: bool) -> Self {
        let reduction = match self.reduction {
            Reduction::Subgroup if !subgroups => Reduction::Workgroup,
            reduction => reduction,
        };
        let workgroup_size = self.workgroup_size.min(most_invocations(limits).max(1));
        Self { workgroup_size, reduction, ..self }
    }

    /// The nearest to this for runs of at most so many elements: a workgroup has
    /// nothing to share of short ones.
    pub(super) fn for_runs_of(self, longest_run: usize) -> Self {
        let reduction = if longest_run < SHARED_RUN { Reduction::Invocation } else { self.reduction };
        Self { reduction, ..self }
    }

    /// The name of what decides the bits of a pass: the order in which the elements
    /// of a run are summed.
    pub(super) fn order_name(&self) -> String {
        let Self { workgroup_size, contiguous, .. } = self;
        let walk = if *contiguous { "neighbours" } else { "strides" };
        match self.reduction {
            Reduction::Invocation => "by invocation".to_owned(),
            Reduction::Workgroup => format!("by workgroups of {workgroup_size} in {walk}"),
            Reduction::Subgroup => format!("by subgroups of {workgroup_size} in {walk}"),
        }
    }

    /// The nearest to this for partial sums of so many bytes, which take the
    /// more of a workgroup's memory the larger they are.
    pub(super) fn with_partials_of(self, bytes: u32, by_subgroup: bool, limits: &wgpu::Limits) -> Self {
        let mut fitted = self;
        if fitted.reduction == Reduction::Subgroup && !by_subgroup {
            fitted.reduction = Reduction::Workgroup;
        }
        while fitted.workgroup_size > 1
            && fitted.workgroup_size * bytes > limits.max_compute_workgroup_storage_size
        {
            fitted.workgroup_size /= 2;
            fitted.workgroups = (fitted.workgroups * 2).min(MOST_WORKGROUPS);
        }
        fitted
    }

    /// Checks that the adapter can follow this configuration.
    ///
    /// # Errors
    /// The number that is out of its range.
    pub fn check(&self, adapter: &Adapter) -> Result<(), String> {
        self.check_within(&adapter.limits(), adapter.has_subgroups())
    }

    pub(super) fn check_within(&self, limits: &wgpu::Limits, subgroups: bool) -> Result<(), String> {
        let (size, most) = (self.workgroup_size, most_invocations(limits));
        if !size.is_power_of_two() || size > most {
            return Err(format!("workgroup_size is {size}, not a power of two up to {most}"));
        }
        if !(1..=MOST_WORKGROUPS).contains(&self.workgroups) {
            return Err(format!("workgroups is {}, not 1 to {MOST_WORKGROUPS}", self.workgroups));
        }
        if ![1, 4].contains(&self.loads) {
            return Err(format!("loads is {}, neither 1 nor 4", self.loads));
        }
        if self.reduction == Reduction::Subgroup && !subgroups {
            return Err("reduction is by subgroup, which the adapter does not offer".to_owned());
        }
        if self.alone_elements > MOST_ALONE {
            return Err(format!("alone_elements is {}, more than {MOST_ALONE}", self.alone_elements));
        }
        Ok(())
    }

    /// This tuning and those that differ from it in the order of reading, the
    /// reduction and the number of loads under way, within the adapter's limits.
    #[must_use]
    pub fn other_kernels(&self, adapter: &Adapter) -> Vec<Self> {
        let mut all = vec![*self];
        for contiguous in [true, false] {
            for reduction in [Reduction::Invocation, Reduction::Workgroup, Reduction::Subgroup] {
                for loads in [1, 4] {
                    all.push(Self { contiguous, loads, reduction, ..*self });
                }
            }
        }
        distinct(all, adapter)
    }

    /// This tuning and those that differ from it in the size of workgroups and
    /// their number, within the adapter's limits.
    #[must_use]
    pub fn other_sizes(&self, adapter: &Adapter) -> Vec<Self> {
        let mut all = vec![*self];
        for workgroup_size in [32, 64, 128, 256, 512] {
            for workgroups in [16, 64, 256, 512, 1024, 2048, 8192] {
                all.push(Self { workgroup_size, workgroups, ..*self });
            }
        }
        distinct(all, adapter)
    }
}

/// The tunings that the adapter can follow, each once.
fn distinct(all: Vec<Tuning>, adapter: &Adapter) -> Vec<Tuning> {
    let mut kept: Vec<Tuning> = Vec::new();
    for tuning in all {
        if tuning.check(adapter).is_ok() && !kept.contains(&tuning) {
            kept.push(tuning);
        }
    }
    kept
}

/// The largest workgroup: a power of two, with a vec4 of memory for each
/// invocation.
fn most_invocations(limits: &wgpu::Limits) -> u32 {
    let most = limits
        .max_compute_invocations_per_workgroup
        .min(limits.max_compute_workgroup_size_x)
        .min(limits.max_compute_workgroup_storage_size / 16)
        .min(1024);
    if most == 0 { 0 } else { 1 << most.ilog2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Tuning; 4] = [Tuning::SOFTWARE, Tuning::DISCRETE, Tuning::INTEGRATED, Tuning::UNKNOWN];

    #[test]
    fn every_default_is_within_its_own_ranges() {
        let limits = wgpu::Limits::default();
        for tuning in KINDS {
            assert_eq!(tuning.check_within(&limits, true), Ok(()), "{tuning:?}");
            for small in [
                wgpu::Limits { max_compute_invocations_per_workgroup: 128, ..limits.clone() },
                wgpu::Limits { max_compute_workgroup_size_x: 48, ..limits.clone() },
                wgpu::Limits { max_compute_workgroup_storage_size: 1000, ..limits.clone() },
            ] {
                assert_eq!(tuning.within(&small, false).check_within(&small, false), Ok(()), "{tuning:?}");
            }
        }
    }

    #[test]
    fn numbers_out_of_range_are_told_apart() {
        let limits = wgpu::Limits::default(); // workgroups of at most 256
        let good = Tuning { reduction: Reduction::Workgroup, ..Tuning::DISCRETE };
        let error = |tuning: Tuning| tuning.check_within(&limits, false).unwrap_err();
        for workgroup_size in [0, 3, 512, 1_000_000_000] {
            let error = error(Tuning { workgroup_size, ..good });
            assert!(error.contains("workgroup_size") && error.contains("256"), "{error}");
        }
        for workgroups in [0, MOST_WORKGROUPS + 1, u32::MAX] {
            assert!(error(Tuning { workgroups, ..good }).contains("workgroups is"));
        }
        for loads in [0, 2, 5, u32::MAX] {
            assert!(error(Tuning { loads, ..good }).contains("loads"));
        }
        assert!(error(Tuning { alone_elements: u32::MAX, ..good }).contains("alone_elements"));
        assert!(error(Tuning { reduction: Reduction::Subgroup, ..good }).contains("subgroup"));
        assert_eq!(good.check_within(&limits, false), Ok(()));
    }
}
