use std::convert::identity;
use std::fmt;

use half::{bf16, f16};

/// The type of an array's elements, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the types' own names")]
pub enum ElementType {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

impl ElementType {
    /// Every type, in the order of the variants.
    pub const ALL: [Self; 13] = [
        Self::Bool,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F16,
        Self::Bf16,
        Self::F32,
        Self::F64,
    ];

    /// The name used on the command line and in reports: `u8`, `f32`, ….
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Bytes an element takes.
    #[must_use]
    pub fn size(self) -> usize {
        with_element!(self, E => size_of::<E>())
    }

    /// Whether every value of the type is exact in f32.
    #[must_use]
    pub fn is_exact_in_f32(self) -> bool {
        with_element!(self, E => E::EXACT_IN_F32)
    }

    /// Whether elements can be NaN or infinite.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A boolean stored as one byte; any non-zero byte is true, as in NumPy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Bool8(pub u8);

/// A Rust type that an array can store.
pub trait Element: bytemuck::Pod + Send + Sync {
    /// The type's run-time name.
    const TYPE: ElementType;
    /// Whether every value of the type is exact in f32.
    const EXACT_IN_F32: bool;
    /// The value with its bytes in reverse order.
    #[must_use]
    fn swap_bytes(self) -> Self;
    /// The value, rounded to nearest f32 where it has more digits.
    fn to_f32(self) -> f32;
    /// The value, rounded to nearest f64 where it has more digits.
    fn to_f64(self) -> f64;
    /// The same as [`to_f64`](Self::to_f64) for a finite number; any value for
    /// others. For loops over data that have been checked.
    fn finite_to_f64(self) -> f64 {
        self.to_f64()
    }
    /// The value of this type nearest to a number; for whole numbers what is left
    /// without its fraction, or the end of their range. A NaN is 0 then.
    fn from_f64(value: f64) -> Self;
    /// Whether this value is the same number in f32.
    fn exact_in_f32(self) -> bool;
    /// Whether this value is the same number in f64.
    fn exact_in_f64(self) -> bool;
}

/// Implements [`Element`] for the integers: `$exact` says whether all values
/// have at most 24 bits.
macro_rules! integer_element {
    ($($int:ty => $variant:ident, $exact:literal;)*) => {$(
        #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::cast_possible_truncation,
                clippy::cast_sign_loss, reason = "one body for all integers; rounding is the documented meaning")]
        impl Element for $int {
            const TYPE: ElementType = ElementType::$variant;
            const EXACT_IN_F32: bool = $exact;
            fn swap_bytes(self) -> Self { <$int>::swap_bytes(self) }
            fn to_f32(self) -> f32 { self as f32 }
            fn to_f64(self) -> f64 { self as f64 }
            fn from_f64(value: f64) -> Self { value as $int }
            fn exact_in_f32(self) -> bool { $exact || (self as f32) as i128 == self as i128 }
            fn exact_in_f64(self) -> bool { $exact || (self as f64) as i128 == self as i128 }
        }
    )*};
}

integer_element! {
    u8 => U8, true;
    i8 => I8, true;
    u16 => U16, true;
    i16 => I16, true;
    u32 => U32, false;
    i32 => I32, false;
    u64 => U64, false;
    i64 => I64, false;
}

impl Element for Bool8 {
    const TYPE: ElementType = ElementType::Bool;
    const EXACT_IN_F32: bool = true;
    fn swap_bytes(self) -> Self {
        self
    }
    fn to_f32(self) -> f32 {
        if self.0 == 0 { 0.0 } else { 1.0 }
    }
    fn to_f64(self) -> f64 {
        if self.0 == 0 { 0.0 } else { 1.0 }
    }
    fn from_f64(value: f64) -> Self {
        Self(u8::from(value != 0.0))
    }
    fn exact_in_f32(self) -> bool {
        true
    }
    fn exact_in_f64(self) -> bool {
        true
    }
}

/// Implements [`Element`] for the floating-point types: `$exact` says whether f32
/// has all values; the rest are conversions.
macro_rules! float_element {
    ($($float:ty => $variant:ident, $exact:literal, $to_f32:expr, $to_f64:expr, $from_f64:expr, $finite_to_f64:expr;)*) => {$(
        impl Element for $float {
            const TYPE: ElementType = ElementType::$variant;
            const EXACT_IN_F32: bool = $exact;
            fn swap_bytes(self) -> Self { Self::from_bits(self.to_bits().swap_bytes()) }
            fn to_f32(self) -> f32 { $to_f32(self) }
            fn to_f64(self) -> f64 { $to_f64(self) }
            fn from_f64(value: f64) -> Self { $from_f64(value) }
            fn finite_to_f64(self) -> f64 { $finite_to_f64(self) }
            #[allow(clippy::float_cmp, reason = "the question is whether the two are the same number")]
            fn exact_in_f32(self) -> bool { $exact || f64::from(Element::to_f32(self)) == Element::to_f64(self) }
            fn exact_in_f64(self) -> bool { true }
        }
    )*};
}

float_element! {
    f16 => F16, true, f16::to_f32, f16::to_f64, f16::from_f64, widened_half;
    bf16 => Bf16, true, bf16::to_f32, bf16::to_f64, bf16::from_f64, widened_bfloat;
    f32 => F32, true, identity, f64::from, rounded, f64::from;
    f64 => F64, false, rounded, identity, identity, identity;
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is the documented meaning")]
fn rounded(value: f64) -> f32 {
    value as f32
}

/// A finite f16 as f64. Sign, exponent and fraction go where f64 has them, which
/// leaves the exponent's bias to make up for: twice as fast in vectors as the
/// conversion to f32 and on.
#[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "to spread the sign")]
fn widened_half(half: f16) -> f64 {
    const BIAS: f64 = f64::from_bits((1023 + 1008) << 52); // 2¹⁰⁰⁸
    let spread = i64::from(half.to_bits() as i16) << 42;
    f64::from_bits(spread as u64 & 0x81ff_fc00_0000_0000) * BIAS
}

/// A finite bf16 as f64. It is the upper half of an f32: no need to look for NaN
/// first.
fn widened_bfloat(value: bf16) -> f64 {
    f64::from(f32::from_bits(u32::from(value.to_bits()) << 16))
}

/// The types in which engines compute: f32 or f64.
pub trait Real: Element {
    /// An element in this type, rounded to nearest.
    fn from_element<E: Element>(element: E) -> Self;
    /// Whether the number is neither NaN nor infinite.
    fn is_finite(self) -> bool;
}

impl Real for f32 {
    fn from_element<E: Element>(element: E) -> Self {
        element.to_f32()
    }
    fn is_finite(self) -> bool {
        Self::is_finite(self)
    }
}

impl Real for f64 {
    fn from_element<E: Element>(element: E) -> Self {
        element.to_f64()
    }
    fn is_finite(self) -> bool {
        Self::is_finite(self)
    }
}

/// Evaluates an expression with the Rust type of an [`ElementType`] bound to
/// a name: `with_element!(array.element(), E => size_of::<E>())`.
#[macro_export]
#[doc(hidden)]
macro_rules! with_element {
    ($element:expr, $E:ident => $body:expr) => {
        match $element {
            $crate::array::ElementType::Bool => {
                type $E = $crate::array::Bool8;
                $body
            }
            $crate::array::ElementType::U8 => {
                type $E = u8;
                $body
            }
            $crate::array::ElementType::I8 => {
                type $E = i8;
                $body
            }
            $crate::array::ElementType::U16 => {
                type $E = u16;
                $body
            }
            $crate::array::ElementType::I16 => {
                type $E = i16;
                $body
            }
            $crate::array::ElementType::U32 => {
                type $E = u32;
                $body
            }
            $crate::array::ElementType::I32 => {
                type $E = i32;
                $body
            }
            $crate::array::ElementType::U64 => {
                type $E = u64;
                $body
            }
            $crate::array::ElementType::I64 => {
                type $E = i64;
                $body
            }
            $crate::array::ElementType::F16 => {
                type $E = half::f16;
                $body
            }
            $crate::array::ElementType::Bf16 => {
                type $E = half::bf16;
                $body
            }
            $crate::array::ElementType::F32 => {
                type $E = f32;
                $body
            }
            $crate::array::ElementType::F64 => {
                type $E = f64;
                $body
            }
        }
    };
}
pub use with_element;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_in_f32_up_to_2_to_the_24() {
        assert!((1u32 << 24).exact_in_f32());
        assert!(!((1u32 << 24) + 1).exact_in_f32());
        assert!(((1u32 << 24) + 2).exact_in_f32());
        assert!((-(1i64 << 53)).exact_in_f64());
        assert!(!((1i64 << 53) + 1).exact_in_f64());
        assert!(!u64::MAX.exact_in_f64());
    }

    #[test]
    fn every_finite_half_is_widened_exactly() {
        for half in (0..=u16::MAX).map(f16::from_bits).filter(|half| half.is_finite()) {
            assert_eq!(half.finite_to_f64().to_bits(), Element::to_f64(half).to_bits(), "{half:?}");
        }
    }

    #[test]
    fn every_finite_bfloat_is_widened_exactly() {
        for value in (0..=u16::MAX).map(bf16::from_bits).filter(|value| value.is_finite()) {
            assert_eq!(value.finite_to_f64().to_bits(), Element::to_f64(value).to_bits(), "{value:?}");
        }
        // Sign, 8 bits of exponent, 7 of fraction: 0x4049 = 2^1 · (1 + 0x49/0x80).
        assert_eq!(Element::to_f64(bf16::from_bits(0x4049)), 3.140_625);
    }

    #[test]
    fn any_non_zero_byte_is_true() {
        assert_eq!(Bool8(0).to_f64(), 0.0);
        assert_eq!(Bool8(255).to_f64(), 1.0);
    }
}
