use super::GpuError;
use super::Precision;
use super::device::Device;
use super::inputs::{Inputs, Passage};
use super::packing::Packing;
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
    /// Always 0; the shader's compiler must not know.
    pub(super) zero: u32,
    pub(super) x_centre: f32,
    pub(super) t_centre: f32,
    pub(super) unused: u32,
}

impl WindowUniform {
    pub(super) fn new(dispatch: &Dispatch, first_partial: u32, inputs: &Inputs) -> Self {
        let Dispatch { elements, invocations, run, .. } = *dispatch;
        let [x_centre, t_centre] = [inputs.x, inputs.t].map(|passage| passage.residual_centre());
        Self { elements, invocations, run, first_partial, zero: 0, x_centre, t_centre, unused: 0 }
    }
}

/// W and b, each as an unevaluated sum of two f32; what `Parameters` in the
/// shaders begin with.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Parameters {
    pub(super) weight: [f32; 2],
    pub(super) bias: [f32; 2],
}

/// Where a pass is taken; `Parameters` in the shaders, or, of another kind, no
/// longer than these.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Point {
    pub(super) parameters: Parameters,
    pub(super) coarse: [f32; 2],
    pub(super) unused: [f32; 2],
}

/// The uniform of the finishing kernel; `Finish` in `finish.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct FinishUniform {
    pub(super) part_count: u32,
    /// Always 0; the shader's compiler must not know.
    pub(super) zero: u32,
    pub(super) unused: [u32; 2],
}

/// Four sums as (hi, lo); `Sum` in `shared/two_float.wgsl`.
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
    pub(super) momentum: [f32; 2],
    pub(super) gradient_share: [f32; 2],
    pub(super) tolerance: [f32; 2],
    pub(super) bias_tolerance: [f32; 2],
    pub(super) x_shift: [f32; 2],
    pub(super) x_mean: [f32; 2],
    pub(super) x_square: [f32; 2],
    pub(super) x_size: f32,
    pub(super) x_reciprocal: f32,
    pub(super) t_size: f32,
    pub(super) partial_scale: f32,
    pub(super) partial_count: u32,
    pub(super) has_tolerance: u32,
    /// Always 0; the shader's compiler must not know.
    pub(super) zero: u32,
    pub(super) most_steps: u32,
}

/// The uniform of the self-test; `Test` in `self_test.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct SelfTestUniform {
    pub(super) count: u32,
    /// Always 0; the shader's compiler must not know.
    pub(super) zero: u32,
    pub(super) unused: [u32; 2],
}

/// Four pairs of numbers; `Case` in `self_test.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct SelfTestCase {
    pub(super) a: [f32; 4],
    pub(super) b: [f32; 4],
}

/// What the device makes of them; `Result` in `self_test.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct SelfTestResult {
    pub(super) sum: FinishedSum,
    pub(super) product: FinishedSum,
    pub(super) chain: FinishedSum,
}

/// What the rows of a history follow; `History` in `shared/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct HistoryHead {
    pub(super) wanted: u32,
    pub(super) count: u32,
    pub(super) stopped: u32,
    pub(super) step: u32,
    pub(super) velocity: Parameters,
}

/// A row of a history; `Row` in `shared/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct HistoryRow {
    pub(super) evaluation: FinishedSum,
    pub(super) parameters: Parameters,
    pub(super) step: u32,
    pub(super) outcome: u32,
    pub(super) unused: [u32; 2],
}

/// The binding numbers of each kernel, as in its shader.
pub(super) mod binding {
    /// What is read of the data, the same in every kernel.
    pub(in super::super) mod inputs {
        pub(in super::super::super) const X: u32 = 0;
        pub(in super::super::super) const T: u32 = 1;
        pub(in super::super::super) const VALIDITY: u32 = 6;
        pub(in super::super::super) const WEIGHTS: u32 = 7;
    }
    pub(in super::super) mod forward {
        pub(in super::super::super) const Y: u32 = 1;
        pub(in super::super::super) const WINDOW: u32 = 2;
        pub(in super::super::super) const PARAMETERS: u32 = 3;
    }
    pub(in super::super) mod sums {
        pub(in super::super::super) const PARTIALS: u32 = 2;
        pub(in super::super::super) const WINDOW: u32 = 3;
        pub(in super::super::super) const POINT: u32 = 4;
    }
    pub(in super::super) mod self_test {
        pub(in super::super::super) const CASES: u32 = 0;
        pub(in super::super::super) const RESULTS: u32 = 1;
        pub(in super::super::super) const TEST: u32 = 2;
    }
    pub(in super::super) mod finish {
        pub(in super::super::super) const PARTS: u32 = 0;
        pub(in super::super::super) const SUMS: u32 = 1;
        pub(in super::super::super) const FINISH: u32 = 2;
    }
    pub(in super::super) mod update {
        pub(in super::super::super) const PARTIALS: u32 = 0;
        pub(in super::super::super) const HISTORY: u32 = 1;
        pub(in super::super::super) const PARAMETERS: u32 = 2;
        pub(in super::super::super) const DESCENT: u32 = 3;
        pub(in super::super::super) const RATES: u32 = 4;
    }
    pub(in super::super) mod descend {
        pub(in super::super::super) const HISTORY: u32 = 2;
        pub(in super::super::super) const WINDOW: u32 = 3;
        pub(in super::super::super) const PARAMETERS: u32 = 4;
        pub(in super::super::super) const DESCENT: u32 = 5;
        pub(in super::super::super) const RATES: u32 = 8;
    }
}

/// A compiled kernel and the layout of its bindings.
#[derive(Clone)]
pub(super) struct Kernel {
    pub(super) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// What a pass adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// (Σr², Σr·x, Σr, 0) at a W and b.
    Residuals,
    /// (Σ(x − p), Σ(t − q), 0, 0) and (Σ(x − p)², Σ(x − p)(t − q), Σ(t − q)², 0)
    /// about a pivot (p, q).
    Moments,
}

/// A pass: the kernel that leaves partial sums, and the one that adds them up.
#[derive(Clone)]
pub(super) struct SumsKernel {
    pub(super) sums: Kernel,
    pub(super) finish: Kernel,
    /// How the pass is spread, within what its partial sums leave room for.
    pub(super) tuning: Tuning,
    pub(super) precision: Precision,
    quantity: Quantity,
}

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
    Uniform,
}

impl SumsKernel {
    pub(super) fn compile(
        device: &Device,
        tuning: &Tuning,
        precision: Precision,
        quantity: Quantity,
        inputs: &Inputs,
    ) -> Result<Self, GpuError> {
        let partial_bytes = parts(quantity) * part_bytes(precision);
        // Only four f32 can be added up by a subgroup.
        let tuning = tuning.with_partials_of(partial_bytes, partial_bytes == 16, &device.limits);
        let entry_point = match tuning.reduction {
            Reduction::Invocation => "sums_by_invocation",
            Reduction::Workgroup => "sums_by_workgroup",
            Reduction::Subgroup => "sums_by_subgroup",
        };
        let by_subgroup =
            if tuning.reduction == Reduction::Subgroup { shader!("sums_by_subgroup") } else { "" };
        let source = [
            loads(inputs).as_str(),
            sums_source(precision, quantity),
            holes(inputs),
            shader!("shared/walk"),
            shader!("sums"),
            by_subgroup,
        ]
        .concat();
        let finish_source = match precision {
            Precision::Fast => {
                concat!(shader!("shared/two_float"), shader!("shared/parts_fast"), shader!("finish"))
            }
            Precision::Compensated => concat!(
                shader!("shared/two_float"),
                shader!("shared/two_float_products"),
                shader!("shared/parts_compensated"),
                shader!("finish")
            ),
            Precision::F64 => concat!(shader!("shared/parts_f64"), shader!("finish")),
        };
        device.scoped(0, |device, _| Self {
            sums: {
                use binding::sums::{PARTIALS, POINT, WINDOW};
                let mut bindings = input_bindings(inputs);
                bindings.extend([
                    (PARTIALS, Access::Write),
                    (WINDOW, Access::Uniform),
                    (POINT, Access::Read),
                ]);
                Kernel::compile(
                    device,
                    entry_point,
                    &source,
                    &bindings,
                    &[
                        ("WEIGHTED", flag(inputs.weights.is_some())),
                        ("CENTRED", flag(inputs.is_centred())),
                        ("WORKGROUP_SIZE", f64::from(tuning.workgroup_size)),
                        ("CONTIGUOUS", flag(tuning.contiguous)),
                        ("LOADS", f64::from(tuning.loads)),
                        ("BLOCK", f64::from(BLOCK_VECTORS)),
                    ],
                )
            },
            finish: {
                use binding::finish::{FINISH, PARTS, SUMS};
                Kernel::compile(
                    device,
                    "finish_sums",
                    finish_source,
                    &[(PARTS, Access::Read), (SUMS, Access::Write), (FINISH, Access::Uniform)],
                    &[("FINISHERS", f64::from(FINISHERS))],
                )
            },
            tuning,
            precision,
            quantity,
        })
    }

    /// Parts of four sums that a partial sum consists of.
    pub(super) fn parts(&self) -> u32 {
        parts(self.quantity)
    }

    /// Bytes of a partial sum.
    pub(super) fn partial_bytes(&self) -> u32 {
        self.parts() * part_bytes(self.precision)
    }
}

fn parts(quantity: Quantity) -> u32 {
    match quantity {
        Quantity::Residuals => 1,
        Quantity::Moments => 2,
    }
}

fn part_bytes(precision: Precision) -> u32 {
    match precision {
        Precision::Fast => 16,
        Precision::Compensated | Precision::F64 => 32,
    }
}

/// What a kernel over pairs binds of the data.
fn input_bindings(inputs: &Inputs) -> Vec<(u32, Access)> {
    use binding::inputs::{T, VALIDITY, WEIGHTS, X};
    let mut bindings = vec![(X, Access::Read), (T, Access::Read)];
    bindings.extend(inputs.has_holes.then_some((VALIDITY, Access::Read)));
    bindings.extend(inputs.weights.map(|_| (WEIGHTS, Access::Read)));
    bindings
}

/// How X, T and the weights are loaded.
fn loads(inputs: &Inputs) -> String {
    use binding::inputs::{T, WEIGHTS, X};
    let weights = inputs.weights.map_or_else(
        || Packing::source_of_ones("weights"),
        |weights| weights.packing.source("weights", WEIGHTS),
    );
    Packing::HALVES.to_owned()
        + &inputs.x.packing.source("x", X)
        + &inputs.t.packing.source("t", T)
        + &weights
}

/// Which elements count.
fn holes(inputs: &Inputs) -> &'static str {
    if inputs.has_holes { shader!("shared/holes_bits") } else { shader!("shared/holes_none") }
}

/// A boolean as override constants are given.
fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// What is added up and how.
fn sums_source(precision: Precision, quantity: Quantity) -> &'static str {
    match (quantity, precision) {
        (Quantity::Residuals, Precision::Fast) => {
            concat!(shader!("shared/parameters"), shader!("shared/residuals_fast"))
        }
        (Quantity::Residuals, Precision::Compensated) => concat!(
            shader!("shared/two_float"),
            shader!("shared/two_float_products"),
            shader!("shared/parameters"),
            shader!("shared/residuals_compensated")
        ),
        (Quantity::Residuals, Precision::F64) => {
            concat!(shader!("shared/residuals_f64"))
        }
        (Quantity::Moments, Precision::Fast) => {
            concat!(shader!("shared/real_f32"), shader!("shared/moments_plain"))
        }
        (Quantity::Moments, Precision::Compensated) => concat!(
            shader!("shared/two_float"),
            shader!("shared/two_float_products"),
            shader!("shared/moments_compensated")
        ),
        (Quantity::Moments, Precision::F64) => {
            concat!(shader!("shared/real_f64"), shader!("shared/moments_plain"))
        }
    }
}

/// The kernel that predicts.
pub(super) fn compile_forward(device: &Device, tuning: &Tuning, x: &Passage) -> Result<Kernel, GpuError> {
    use binding::forward::{PARAMETERS, WINDOW, Y};
    use binding::inputs::X;
    device.scoped(0, |device, _| {
        Kernel::compile(
            device,
            "forward",
            &(Packing::HALVES.to_owned() + &x.packing.source("x", X) + shader!("forward")),
            &[(X, Access::Read), (Y, Access::Write), (WINDOW, Access::Uniform), (PARAMETERS, Access::Read)],
            &[
                ("WORKGROUP_SIZE", f64::from(tuning.workgroup_size)),
                ("CONTIGUOUS", flag(tuning.contiguous)),
                ("CENTRED", flag(x.residual_centre() != 0.0)),
                ("LOADS", f64::from(tuning.loads)),
            ],
        )
    })
}

/// The kernel that shows whether rounding errors survive, from the sources that
/// need them.
pub(super) const SELF_TEST_SOURCE: &str =
    concat!(shader!("shared/two_float"), shader!("shared/two_float_products"), shader!("self_test"));

pub(super) fn compile_self_test(device: &wgpu::Device, source: &str) -> Kernel {
    use binding::self_test::{CASES, RESULTS, TEST};
    let bindings = [(CASES, Access::Read), (RESULTS, Access::Write), (TEST, Access::Uniform)];
    Kernel::compile(device, "self_test", source, &bindings, &[])
}

/// The kernel that updates W and b from the partials of a pass.
pub(super) fn compile_update(device: &wgpu::Device) -> Kernel {
    use binding::update::{DESCENT, HISTORY, PARAMETERS, PARTIALS, RATES};
    Kernel::compile(
        device,
        "update",
        concat!(
            shader!("shared/two_float"),
            shader!("shared/two_float_products"),
            shader!("shared/parameters"),
            shader!("shared/rule"),
            shader!("shared/step"),
            shader!("update")
        ),
        &[
            (PARTIALS, Access::Read),
            (HISTORY, Access::Write),
            (PARAMETERS, Access::Write),
            (DESCENT, Access::Uniform),
            (RATES, Access::Read),
        ],
        &[("WIDTH", f64::from(FINISHERS))],
    )
}

/// The kernel that takes whole steps in one workgroup.
pub(super) fn compile_descend(device: &wgpu::Device, tuning: &Tuning, inputs: &Inputs) -> Kernel {
    use binding::descend::{DESCENT, HISTORY, PARAMETERS, RATES, WINDOW};
    let source = [
        loads(inputs).as_str(),
        concat!(
            shader!("shared/two_float"),
            shader!("shared/two_float_products"),
            shader!("shared/parameters"),
            shader!("shared/rule"),
            shader!("shared/step"),
            shader!("shared/residuals_fast")
        ),
        holes(inputs),
        concat!(shader!("shared/walk"), shader!("descend")),
    ]
    .concat();
    let mut bindings = input_bindings(inputs);
    bindings.extend([
        (HISTORY, Access::Write),
        (WINDOW, Access::Uniform),
        (PARAMETERS, Access::Write),
        (DESCENT, Access::Uniform),
        (RATES, Access::Read),
    ]);
    Kernel::compile(
        device,
        "descend",
        &source,
        &bindings,
        &[
            ("WEIGHTED", flag(inputs.weights.is_some())),
            ("CENTRED", flag(inputs.is_centred())),
            ("WIDTH", f64::from(tuning.workgroup_size)),
            ("CONTIGUOUS", flag(tuning.contiguous)),
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
