use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::array::{Element, ElementType, Saturated, Whole};

/// A type that elements of Y can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutputType(pub(super) ElementType);

impl ValueEnum for OutputType {
    fn value_variants<'a>() -> &'a [Self] {
        use ElementType::{F32, F64, I8, I16, I32, U8, U16, U32};
        const ALL: [OutputType; 8] = [
            OutputType(F32),
            OutputType(F64),
            OutputType(U8),
            OutputType(I8),
            OutputType(U16),
            OutputType(I16),
            OutputType(U32),
            OutputType(I32),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// Runs an expression with a type of whole numbers, or another for the others.
macro_rules! with_whole {
    ($element:expr, $W:ident => $body:expr, else $other:expr) => {
        match $element {
            ElementType::U8 => {
                type $W = u8;
                $body
            }
            ElementType::I8 => {
                type $W = i8;
                $body
            }
            ElementType::U16 => {
                type $W = u16;
                $body
            }
            ElementType::I16 => {
                type $W = i16;
                $body
            }
            ElementType::U32 => {
                type $W = u32;
                $body
            }
            ElementType::I32 => {
                type $W = i32;
                $body
            }
            _ => $other,
        }
    };
}
pub(super) use with_whole;

/// Whether a type has a value for this number: itself or, with fractions, the
/// nearest.
pub(super) fn holds(element: ElementType, number: f64) -> bool {
    let is_real = element == ElementType::F64 || !number.is_finite() || number.to_f32().is_finite();
    with_whole!(element, W => whole::<W>(number).is_some(), else is_real)
}

/// A number in a type of whole numbers, if the type has it.
pub(super) fn whole<W: Whole>(number: f64) -> Option<W> {
    let nearest: W = Saturated::default().round(number);
    Some(nearest).filter(|nearest| nearest.to_f64() == number)
}
