use super::abi::Binding;
use crate::array::ElementType;

/// The built-in functions of which a device has shown that they are exact. Others
/// are done without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Proven {
    /// `fma`, which then rounds once.
    pub(super) fma: bool,
    /// `unpack2x16float`.
    pub(super) halves: bool,
}

/// The form of an array's elements in the device's memory: small ones as they
/// are, several to a word, and all others as f32. Shaders see four f32 at a time
/// either way; the code that loads them is all that differs, and is all here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    F32,
    U8,
    I8,
    U16,
    I16,
    F16,
    Bf16,
}

impl Packing {
    /// The form in which elements of a type are sent.
    pub(super) fn of(element: ElementType) -> Self {
        match element {
            ElementType::U8 => Self::U8,
            ElementType::I8 => Self::I8,
            ElementType::U16 => Self::U16,
            ElementType::I16 => Self::I16,
            ElementType::F16 => Self::F16,
            ElementType::Bf16 => Self::Bf16,
            ElementType::Bool
            | ElementType::U32
            | ElementType::I32
            | ElementType::U64
            | ElementType::I64
            | ElementType::F32
            | ElementType::F64 => Self::F32,
        }
    }

    /// The part of `shaders/` that [`source`](Self::source) uses, if any.
    pub(super) fn part(self, proven: Proven) -> Option<&'static str> {
        (self == Self::F16).then_some(if proven.halves { "halves_built_in" } else { "halves" })
    }

    /// Bytes of an element.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U8 | Self::I8 => 1,
        }
    }

    /// Bytes of a buffer for this many elements: of whole groups of four, which
    /// a shader loads together.
    pub(super) fn padded_bytes(self, elements: usize) -> u64 {
        (elements.next_multiple_of(4) * self.size()) as u64
    }

    /// Groups of four elements that a buffer holds.
    pub(super) fn groups(self, buffer_bytes: u64) -> u64 {
        buffer_bytes / (4 * self.size() as u64)
    }

    /// WGSL that declares `load_name(i)` without a buffer: four times 1.
    pub(super) fn source_of_ones(name: &str) -> String {
        format!("fn load_{name}(i: u32) -> vec4<f32> {{\n    return vec4(1.0);\n}}\n")
    }

    /// WGSL that declares a buffer and `load_name(i)`, the four elements of its
    /// group `i`. All of it is exact: every element of a small type is an f32.
    pub(super) fn source(self, binding: Binding) -> String {
        let Binding { name, number, .. } = binding;
        let (group, four) = match self {
            Self::F32 => ("vec4<f32>", "group"),
            Self::U8 => ("u32", "vec4<f32>(unpack4xU8(group))"),
            Self::I8 => ("u32", "vec4<f32>(unpack4xI8(group))"),
            Self::U16 => ("vec2<u32>", "vec4<f32>((group.xxyy >> vec4(0u, 16u, 0u, 16u)) & vec4(0xffffu))"),
            // Shifted up to the sign, and down again with it.
            Self::I16 => (
                "vec2<u32>",
                "vec4<f32>(bitcast<vec4<i32>>(group.xxyy << vec4(16u, 0u, 16u, 0u)) >> vec4(16u))",
            ),
            Self::F16 => ("vec2<u32>", "halves(group)"),
            // The upper half of an f32.
            Self::Bf16 => (
                "vec2<u32>",
                "bitcast<vec4<f32>>((group.xxyy << vec4(16u, 0u, 16u, 0u)) & vec4(0xffff0000u))",
            ),
        };
        format!(
            "@group(0) @binding({number}) var<storage, read> {name}: array<{group}>;\n\n\
             fn load_{name}(i: u32) -> vec4<f32> {{\n    let group = {name}[i];\n    return {four};\n}}\n"
        )
    }
}
