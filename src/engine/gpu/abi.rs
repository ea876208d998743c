//! The memory that the host and the shaders share: the structs of uniforms and
//! storage buffers, by the names that WGSL has for them and for their fields,
//! and the names and numbers of bindings. The tests of `reflection` hold every
//! kernel against these.

use std::mem::offset_of;

/// A struct in the words of WGSL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) bytes: usize,
    pub(super) fields: &'static [Field],
}

/// A field of a [`Layout`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) offset: usize,
    pub(super) shape: Shape,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A scalar, by its name in WGSL.
    Scalar(&'static str),
    /// A vector of so many of them.
    Vector(&'static str, usize),
    /// Another struct.
    Struct(&'static Layout),
}

/// A type that buffers hold and WGSL has too.
pub(super) trait Shared: bytemuck::Pod {
    const SHAPE: Shape;
}

/// A [`Shared`] struct.
pub(super) trait SharedStruct: Shared {
    const LAYOUT: &'static Layout;
}

macro_rules! shared_scalars {
    ($($scalar:ident)*) => {$(
        impl Shared for $scalar {
            const SHAPE: Shape = Shape::Scalar(stringify!($scalar));
        }

        impl<const N: usize> Shared for [$scalar; N]
        where
            Self: bytemuck::Pod,
        {
            const SHAPE: Shape = Shape::Vector(stringify!($scalar), N);
        }
    )*};
}

shared_scalars!(u32 f32 f64);

/// Declares a struct that WGSL declares too, under the name given, with the same
/// fields in the same order.
macro_rules! shared_struct {
    ($(#[$doc:meta])* $name:ident = $wgsl:literal { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: $kind,)*
        }

        impl Shared for $name {
            const SHAPE: Shape = Shape::Struct(Self::LAYOUT);
        }

        impl SharedStruct for $name {
            const LAYOUT: &'static Layout = &Layout {
                name: $wgsl,
                bytes: size_of::<Self>(),
                fields: &[$(Field {
                    name: stringify!($field),
                    offset: offset_of!(Self, $field),
                    shape: <$kind as Shared>::SHAPE,
                }),*],
            };
        }
    };
}

shared_struct! {
    /// The uniform of one window.
    WindowUniform = "Window" {
        first_run: u32,
        pieces: u32,
        share: u32,
        first_partial: u32,
        /// Always 0; the shader's compiler must not know.
        zero: u32,
        unused: u32,
        more_unused: [u32; 2],
    }
}

shared_struct! {
    /// A run of a window's elements.
    RunOfWindow = "Run" {
        first: u32,
        elements: u32,
        point: u32,
        unused: u32,
    }
}

shared_struct! {
    /// W and b, each as an unevaluated sum of two f32, and the W and b of few
    /// digits that residuals in f32 are computed at.
    Parameters = "Parameters" {
        weight: [f32; 2],
        bias: [f32; 2],
        coarse: [f32; 2],
        shift: [f32; 2],
        /// δ of Huber's loss, likewise; 0 for another.
        delta: [f32; 2],
    }
}

shared_struct! {
    /// W and b in f64.
    WideParameters = "WideParameters" {
        weight: f64,
        bias: f64,
        delta: f64,
    }
}

shared_struct! {
    /// The point that moments are summed about.
    Shift = "Shift" {
        x: f32,
        t: f32,
    }
}

shared_struct! {
    /// The point of moments with robust weights: δ is the size of a residual from
    /// which on weights change.
    ReweightedPoint = "Reweighting" {
        model: Parameters,
        shift: [f32; 2],
    }
}

shared_struct! {
    /// The same in f64.
    WideReweightedPoint = "Reweighting" {
        model: WideParameters,
        shift: [f32; 2],
    }
}

shared_struct! {
    /// The uniform of the finishing kernel.
    FinishUniform = "Finish" {
        sums: u32,
        /// Always 0; the shader's compiler must not know.
        zero: u32,
        unused: [u32; 2],
    }
}

shared_struct! {
    /// Four sums, each as an unevaluated sum of two f32.
    FinishedSum = "Sum" {
        hi: [f32; 4],
        lo: [f32; 4],
    }
}

shared_struct! {
    /// The uniform of a descent.
    DescentUniform = "Descent" {
        momentum: [f32; 2],
        gradient_share: [f32; 2],
        tolerance: [f32; 2],
        bias_tolerance: [f32; 2],
        weight_decay: [f32; 2],
        x_shift: [f32; 2],
        t_shift: [f32; 2],
        x_mean: [f32; 2],
        x_square: [f32; 2],
        x_size: f32,
        x_reciprocal: f32,
        t_size: f32,
        partial_scale: f32,
        has_tolerance: u32,
        /// Always 0; the shader's compiler must not know.
        zero: u32,
        most_steps: u32,
        elements: u32,
        is_nesterov: u32,
        is_whole: u32,
        unused: [u32; 2],
    }
}

shared_struct! {
    /// A step that the host has planned.
    PlannedStep = "Planned" {
        rate: [f32; 2],
        mean: [f32; 2],
        partials: u32,
        unused: u32,
    }
}

shared_struct! {
    /// The head of a history, before its rows.
    HistoryHead = "History" {
        wanted: u32,
        count: u32,
        stopped: u32,
        step: u32,
        velocity_weight: [f32; 2],
        velocity_bias: [f32; 2],
    }
}

shared_struct! {
    /// A row of a history.
    HistoryRow = "Row" {
        evaluation: FinishedSum,
        weight: [f32; 2],
        bias: [f32; 2],
        velocity_weight: [f32; 2],
        velocity_bias: [f32; 2],
        step: u32,
        outcome: u32,
        unused: [u32; 2],
    }
}

shared_struct! {
    /// The uniform of the self-test.
    SelfTestUniform = "Test" {
        count: u32,
        /// Always 0; the shader's compiler must not know.
        zero: u32,
        unused: [u32; 2],
    }
}

shared_struct! {
    /// Four pairs of numbers of the self-test.
    SelfTestCase = "Case" {
        a: [f32; 4],
        b: [f32; 4],
    }
}

shared_struct! {
    /// The device's answer to them.
    SelfTestResult = "Result" {
        sum: FinishedSum,
        product: FinishedSum,
        chain: FinishedSum,
    }
}

/// The outcomes of a step, as a [`HistoryRow`] has them.
pub(super) mod outcome {
    pub(in crate::engine::gpu) const STEP: u32 = 0;
    pub(in crate::engine::gpu) const TOLERANCE: u32 = 1;
    pub(in crate::engine::gpu) const DIVERGED: u32 = 2;
}

/// The way a kernel reaches a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    ReadWrite,
    Uniform,
}

/// A variable of a kernel that a buffer is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) access: Access,
}

impl Binding {
    const fn read(name: &'static str, number: u32) -> Self {
        Self { name, number, access: Access::Read }
    }

    const fn read_write(name: &'static str, number: u32) -> Self {
        Self { name, number, access: Access::ReadWrite }
    }

    const fn uniform(name: &'static str, number: u32) -> Self {
        Self { name, number, access: Access::Uniform }
    }
}

/// The contents of a binding's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Contents {
    /// One value.
    One(&'static Layout),
    /// An array of elements of so many bytes, structs or not.
    Array(usize),
    /// A struct whose last field is an array of other structs.
    Rows { head: &'static Layout, row: &'static Layout },
}

impl Contents {
    pub(super) const fn one<T: SharedStruct>() -> Self {
        Self::One(T::LAYOUT)
    }

    pub(super) const fn array_of<T>() -> Self {
        Self::Array(size_of::<T>())
    }

    /// The least bytes that a shader may take a buffer to have.
    pub(super) fn least_bytes(self) -> u64 {
        let bytes = match self {
            Self::One(layout) => layout.bytes,
            Self::Array(stride) => stride,
            Self::Rows { head, row } => head.bytes + row.bytes,
        };
        bytes as u64
    }
}

/// The bindings of each kernel.
pub(super) mod binding {
    /// The bindings of every kernel over elements.
    pub(in crate::engine::gpu) mod elements {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const X: Binding = Binding::read("x", 0);
        pub(in crate::engine::gpu) const T: Binding = Binding::read("t", 1);
        pub(in crate::engine::gpu) const VALIDITY: Binding = Binding::read("validity", 6);
        pub(in crate::engine::gpu) const WEIGHTS: Binding = Binding::read("weights", 7);
    }
    /// Those of every kernel over the runs of a window.
    pub(in crate::engine::gpu) mod window {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const WINDOW: Binding = Binding::uniform("window", 3);
        pub(in crate::engine::gpu) const RUNS: Binding = Binding::read("runs", 9);
    }
    pub(in crate::engine::gpu) mod predict {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const Y: Binding = Binding::read_write("y", 2);
        pub(in crate::engine::gpu) const POINTS: Binding = Binding::read("points", 4);
    }
    pub(in crate::engine::gpu) mod sums {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const PARTIALS: Binding = Binding::read_write("partials", 2);
        pub(in crate::engine::gpu) const POINTS: Binding = Binding::read("points", 4);
    }
    pub(in crate::engine::gpu) mod descend {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const HISTORY: Binding = Binding::read_write("history", 2);
        pub(in crate::engine::gpu) const PARAMETERS: Binding = Binding::read_write("parameters", 4);
        pub(in crate::engine::gpu) const DESCENT: Binding = Binding::uniform("descent", 5);
        pub(in crate::engine::gpu) const PLAN: Binding = Binding::read("plan", 8);
    }
    pub(in crate::engine::gpu) mod update {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const PARTIALS: Binding = Binding::read("partials", 0);
        pub(in crate::engine::gpu) const HISTORY: Binding = Binding::read_write("history", 1);
        pub(in crate::engine::gpu) const PARAMETERS: Binding = Binding::read_write("parameters", 2);
        pub(in crate::engine::gpu) const DESCENT: Binding = Binding::uniform("descent", 3);
        pub(in crate::engine::gpu) const PLAN: Binding = Binding::read("plan", 4);
    }
    pub(in crate::engine::gpu) mod finish {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const PARTS: Binding = Binding::read("parts", 0);
        pub(in crate::engine::gpu) const SUMS: Binding = Binding::read_write("sums", 1);
        pub(in crate::engine::gpu) const FINISH: Binding = Binding::uniform("finish", 2);
    }
    pub(in crate::engine::gpu) mod self_test {
        use crate::engine::gpu::abi::Binding;
        pub(in crate::engine::gpu) const CASES: Binding = Binding::read("cases", 0);
        pub(in crate::engine::gpu) const RESULTS: Binding = Binding::read_write("results", 1);
        pub(in crate::engine::gpu) const TEST: Binding = Binding::uniform("test", 2);
        pub(in crate::engine::gpu) const UNPACKED: Binding = Binding::read_write("unpacked", 0);
    }
}
