//! Kernels on a device.

use super::abi::{Access, Binding, Contents};
use super::device::Device;
use super::kernels::{self, Form, KernelSource, Quantity, part_bytes};
use super::plan::{self, Dispatch, Pieces};
use super::tuning::{Reduction, Tuning};
use super::{GpuError, Precision};

/// A compiled kernel and the layout of its bindings.
#[derive(Clone)]
pub(super) struct Kernel {
    pub(super) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl Kernel {
    pub(super) fn compile(device: &wgpu::Device, source: &KernelSource) -> Self {
        Self::compile_text(device, source, source.text())
    }

    /// Compiles another text in the place of the source's own. It may compute
    /// something else, but must not reach other memory.
    pub(super) fn compile_text(device: &wgpu::Device, source: &KernelSource, text: String) -> Self {
        let label = Some(source.name);
        let entries: Vec<_> =
            source.bindings.iter().map(|&(binding, contents)| layout_entry(binding, contents)).collect();
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let descriptor =
            wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(text.into()) };
        // SAFETY: `text` is one of ours. The table in `plan` says what keeps
        // each of its indices inside its buffer, its loops finite and its
        // divisors other than 0; the host checks that for each dispatch.
        let module = unsafe {
            device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        };
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(source.name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &source.constants,
                // Every slot is written before it is read.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Self { pipeline, layout }
    }

    /// The buffers of the kernel's bindings.
    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        resources: &[(Binding, wgpu::BindingResource<'_>)],
    ) -> wgpu::BindGroup {
        let entries: Vec<_> = resources
            .iter()
            .map(|(binding, resource)| wgpu::BindGroupEntry {
                binding: binding.number,
                resource: resource.clone(),
            })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.layout,
            entries: &entries,
        })
    }
}

fn layout_entry(binding: Binding, contents: Contents) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.access {
        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
        Access::Uniform => wgpu::BufferBindingType::Uniform,
    };
    wgpu::BindGroupLayoutEntry {
        binding: binding.number,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: std::num::NonZeroU64::new(contents.least_bytes()),
        },
        count: None,
    }
}

/// A pass: the kernel that leaves partial sums, and the one that adds them up.
#[derive(Clone)]
pub(super) struct SumsKernel {
    pub(super) sums: Kernel,
    pub(super) finish: Kernel,
    /// The launch configuration, within what its partial sums leave room for.
    pub(super) tuning: Tuning,
    /// The pieces that runs are summed in.
    pub(super) pieces: Pieces,
    pub(super) precision: Precision,
    quantity: Quantity,
}

impl SumsKernel {
    pub(super) fn compile(
        device: &Device,
        tuning: &Tuning,
        precision: Precision,
        quantity: Quantity,
        form: Form,
        longest_run: usize,
    ) -> Result<Self, GpuError> {
        let tuning = Self::tuning_for(device, tuning, precision, quantity, longest_run);
        let pieces = Pieces::of(&tuning, [form.x, form.t], longest_run);
        Self::in_pieces(device, tuning, precision, quantity, form, pieces)
    }

    /// The launch configuration of a pass over runs of at most so many elements,
    /// within what its partial sums leave room for.
    pub(super) fn tuning_for(
        device: &Device,
        tuning: &Tuning,
        precision: Precision,
        quantity: Quantity,
        longest_run: usize,
    ) -> Tuning {
        let partial_bytes = quantity.parts() * part_bytes(precision);
        // Only four f32 can be added up by a subgroup.
        let tuning = tuning.with_partials_of(partial_bytes, partial_bytes == 16, &device.limits);
        tuning.for_runs_of(longest_run)
    }

    /// A pass in other pieces.
    pub(super) fn in_pieces(
        device: &Device,
        tuning: Tuning,
        precision: Precision,
        quantity: Quantity,
        form: Form,
        pieces: Pieces,
    ) -> Result<Self, GpuError> {
        let sums = kernels::sums(&tuning, precision, quantity, form, pieces);
        let finish = kernels::finish(precision, quantity, pieces);
        device.scoped(0, |device, _| Self {
            sums: Kernel::compile(device, &sums),
            finish: Kernel::compile(device, &finish),
            tuning,
            pieces,
            precision,
            quantity,
        })
    }

    /// What it sums.
    pub(super) fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// Parts of four sums that a partial sum consists of.
    pub(super) fn parts(&self) -> u32 {
        self.quantity.parts()
    }

    /// Bytes of a point.
    pub(super) fn point_bytes(&self) -> u64 {
        self.quantity.points(self.precision).least_bytes()
    }

    /// The pieces of so many runs divided among workgroups, within the device's
    /// limits.
    pub(super) fn dispatch(&self, device: &Device, runs: usize) -> Result<Dispatch, GpuError> {
        let by_invocation = self.tuning.reduction == Reduction::Invocation;
        plan::dispatch(runs, self.pieces, by_invocation, &self.tuning, &device.limits)
            .map_err(|reason| device.limit(reason))
    }

    /// Bytes of a partial sum.
    pub(super) fn partial_bytes(&self) -> u32 {
        self.parts() * part_bytes(self.precision)
    }
}
