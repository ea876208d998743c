use super::GpuError;
use super::device::Device;
use super::plan::{BLOCK_VECTORS, Dispatch, FINISHERS};
use super::tuning::{Reduction, Tuning};

/// The source of a shader, by its name.
macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/", $name, ".wgsl"))
    };
}

/// The uniform of one window; `Window` in the shaders.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct WindowUniform {
    pub(super) elements: u32,
    pub(super) invocations: u32,
    pub(super) run: u32,
    pub(super) first_partial: u32,
}

impl WindowUniform {
    pub(super) fn new(dispatch: &Dispatch, first_partial: u32) -> Self {
        let Dispatch { elements, invocations, run, .. } = *dispatch;
        Self { elements, invocations, run, first_partial }
    }
}

/// W and b, each as an unevaluated sum of two f32; `Parameters` in the
/// shaders.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Parameters {
    pub(super) weight: [f32; 2],
    pub(super) bias: [f32; 2],
}

/// The uniform of the finishing kernel; `Finish` in `finish.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct FinishUniform {
    pub(super) partial_count: u32,
    /// Always 0; the shader's compiler must not know.
    pub(super) zero: u32,
    pub(super) unused: [u32; 2],
}

/// One finisher's sums, (hi, lo) of (Σr², Σr·x, Σr, –); `Sum` in
/// `finish.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct FinishedSum {
    pub(super) hi: [f32; 4],
    pub(super) lo: [f32; 4],
}

/// The uniform of a descent; `Descent` in `shared/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct DescentUniform {
    pub(super) mean: [f32; 2],
    pub(super) rate: [f32; 2],
    pub(super) tolerance: [f32; 2],
    pub(super) partial_scale: f32,
    pub(super) partial_count: u32,
    pub(super) has_tolerance: u32,
    /// Always 0; the shader's compiler must not know.
    pub(super) zero: u32,
    pub(super) most_steps: u32,
    pub(super) unused: u32,
}

/// What the rows of a history follow; `History` in `shared/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct HistoryHead {
    pub(super) wanted: u32,
    pub(super) count: u32,
    pub(super) stopped: u32,
    pub(super) step: u32,
}

/// A row of a history; `Row` in `shared/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct HistoryRow {
    pub(super) evaluation: FinishedSum,
    pub(super) parameters: Parameters,
    pub(super) step: u32,
    pub(super) onward: u32,
    pub(super) unused: [u32; 2],
}

/// The binding numbers of each kernel, as in its shader.
pub(super) mod binding {
    pub(in super::super) mod forward {
        pub(in super::super::super) const X: u32 = 0;
        pub(in super::super::super) const Y: u32 = 1;
        pub(in super::super::super) const WINDOW: u32 = 2;
        pub(in super::super::super) const PARAMETERS: u32 = 3;
    }
    pub(in super::super) mod residual_sums {
        pub(in super::super::super) const X: u32 = 0;
        pub(in super::super::super) const T: u32 = 1;
        pub(in super::super::super) const PARTIALS: u32 = 2;
        pub(in super::super::super) const WINDOW: u32 = 3;
        pub(in super::super::super) const PARAMETERS: u32 = 4;
    }
    pub(in super::super) mod finish {
        pub(in super::super::super) const PARTIALS: u32 = 0;
        pub(in super::super::super) const SUMS: u32 = 1;
        pub(in super::super::super) const FINISH: u32 = 2;
    }
    pub(in super::super) mod update {
        pub(in super::super::super) const PARTIALS: u32 = 0;
        pub(in super::super::super) const HISTORY: u32 = 1;
        pub(in super::super::super) const PARAMETERS: u32 = 2;
        pub(in super::super::super) const DESCENT: u32 = 3;
    }
    pub(in super::super) mod descend {
        pub(in super::super::super) const X: u32 = 0;
        pub(in super::super::super) const T: u32 = 1;
        pub(in super::super::super) const HISTORY: u32 = 2;
        pub(in super::super::super) const WINDOW: u32 = 3;
        pub(in super::super::super) const PARAMETERS: u32 = 4;
        pub(in super::super::super) const DESCENT: u32 = 5;
    }
}

/// A compiled kernel and the layout of its bindings.
pub(super) struct Kernel {
    pub(super) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// Every kernel, compiled for one way of working.
pub(super) struct Kernels {
    pub(super) forward: Kernel,
    pub(super) residual_sums: Kernel,
    pub(super) finish: Kernel,
}

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
    Uniform,
}

impl Kernels {
    pub(super) fn compile(device: &Device, tuning: &Tuning) -> Result<Self, GpuError> {
        let size = ("WORKGROUP_SIZE", f64::from(tuning.workgroup_size));
        let order = ("CONTIGUOUS", f64::from(u8::from(tuning.contiguous)));
        let block = ("BLOCK", f64::from(BLOCK_VECTORS));
        let finishers = ("FINISHERS", f64::from(FINISHERS));
        let loads = ("LOADS", f64::from(tuning.loads));
        let by_workgroup = concat!(shader!("shared/sum_run"), shader!("residual_sums"));
        let by_subgroup = concat!(
            shader!("shared/sum_run"),
            shader!("residual_sums"),
            shader!("residual_sums_by_subgroup")
        );
        let (sums_entry, sums_source) = match tuning.reduction {
            Reduction::Invocation => ("residual_sums_by_invocation", by_workgroup),
            Reduction::Workgroup => ("residual_sums_by_workgroup", by_workgroup),
            Reduction::Subgroup => ("residual_sums_by_subgroup", by_subgroup),
        };
        device.scoped(0, |device, _| Self {
            forward: {
                use binding::forward::{PARAMETERS, WINDOW, X, Y};
                Kernel::compile(
                    device,
                    "forward",
                    shader!("forward"),
                    &[
                        (X, Access::Read),
                        (Y, Access::Write),
                        (WINDOW, Access::Uniform),
                        (PARAMETERS, Access::Read),
                    ],
                    &[size, order, loads],
                )
            },
            residual_sums: {
                use binding::residual_sums::{PARAMETERS, PARTIALS, T, WINDOW, X};
                Kernel::compile(
                    device,
                    sums_entry,
                    sums_source,
                    &[
                        (X, Access::Read),
                        (T, Access::Read),
                        (PARTIALS, Access::Write),
                        (WINDOW, Access::Uniform),
                        (PARAMETERS, Access::Read),
                    ],
                    &[size, order, loads, block],
                )
            },
            finish: {
                use binding::finish::{FINISH, PARTIALS, SUMS};
                Kernel::compile(
                    device,
                    "finish_sums",
                    concat!(shader!("shared/two_float"), shader!("finish")),
                    &[(PARTIALS, Access::Read), (SUMS, Access::Write), (FINISH, Access::Uniform)],
                    &[finishers],
                )
            },
        })
    }
}

/// The kernel that updates W and b from the partials of a pass.
pub(super) fn compile_update(device: &wgpu::Device) -> Kernel {
    use binding::update::{DESCENT, HISTORY, PARAMETERS, PARTIALS};
    Kernel::compile(
        device,
        "update",
        concat!(
            shader!("shared/two_float"),
            shader!("shared/two_float_products"),
            shader!("shared/step"),
            shader!("update")
        ),
        &[
            (PARTIALS, Access::Read),
            (HISTORY, Access::Write),
            (PARAMETERS, Access::Write),
            (DESCENT, Access::Uniform),
        ],
        &[("WIDTH", f64::from(FINISHERS))],
    )
}

/// The kernel that takes whole steps in one workgroup.
pub(super) fn compile_descend(device: &wgpu::Device, tuning: &Tuning) -> Kernel {
    use binding::descend::{DESCENT, HISTORY, PARAMETERS, T, WINDOW, X};
    Kernel::compile(
        device,
        "descend",
        concat!(
            shader!("shared/two_float"),
            shader!("shared/two_float_products"),
            shader!("shared/step"),
            shader!("shared/sum_run"),
            shader!("descend")
        ),
        &[
            (X, Access::Read),
            (T, Access::Read),
            (HISTORY, Access::Write),
            (WINDOW, Access::Uniform),
            (PARAMETERS, Access::Write),
            (DESCENT, Access::Uniform),
        ],
        &[
            ("WIDTH", f64::from(tuning.workgroup_size)),
            ("CONTIGUOUS", f64::from(u8::from(tuning.contiguous))),
            ("LOADS", f64::from(tuning.loads)),
            ("BLOCK", f64::from(BLOCK_VECTORS)),
        ],
    )
}

impl Kernel {
    fn compile(
        device: &wgpu::Device,
        entry_point: &str,
        source: &str,
        bindings: &[(u32, Access)],
        constants: &[(&str, f64)],
    ) -> Self {
        let label = Some(entry_point);
        let entries: Vec<_> =
            bindings.iter().map(|&(binding, access)| layout_entry(binding, access)).collect();
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let descriptor =
            wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(source.into()) };
        // SAFETY: `source` is one of ours. The table in `plan` says what keeps
        // each of its indices inside its buffer, its loops finite and its
        // divisors other than 0; the host checks that for each dispatch.
        let module = unsafe {
            device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        };
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Every slot is written before it is read.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Self { pipeline, layout }
    }

    /// The kernel's bindings, by number.
    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        resources: &[(u32, wgpu::BindingResource<'_>)],
    ) -> wgpu::BindGroup {
        let entries: Vec<_> = resources
            .iter()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: *binding, resource: resource.clone() })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.layout,
            entries: &entries,
        })
    }
}

fn layout_entry(binding: u32, access: Access) -> wgpu::BindGroupLayoutEntry {
    let ty = match access {
        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Access::Write => wgpu::BufferBindingType::Storage { read_only: false },
        Access::Uniform => wgpu::BufferBindingType::Uniform,
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
