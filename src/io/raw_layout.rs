//! The layout of files of plain numbers, which the user gives.

use std::str::FromStr;

use crate::array::{ElementType, Shape};

/// The layout of a file of plain numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLayout {
    /// The type and byte order of the elements.
    pub dtype: RawType,
    /// The shape, row-major; without one all elements to the end of the file
    /// are a single row.
    pub shape: Option<Shape>,
    /// Bytes before the first element.
    pub offset: u64,
}

/// An element type and a byte order, as `f32`, `u16be`, `i32le`; without a
/// suffix this machine's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawType {
    /// The type.
    pub element: ElementType,
    /// Whether the bytes are in the other order than this machine's.
    pub swapped: bool,
}

impl FromStr for RawType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let big = cfg!(target_endian = "big");
        let (name, swapped) = match (text.strip_suffix("be"), text.strip_suffix("le")) {
            (Some(name), _) => (name, !big),
            (_, Some(name)) => (name, big),
            _ => (text, false),
        };
        let found = ElementType::ALL.into_iter().find(|element| element.name() == name);
        found.map(|element| Self { element, swapped: swapped && element.size() > 1 }).ok_or_else(|| {
            let all = ElementType::ALL.map(ElementType::name).join(" ");
            format!("give one of {all}, followed by be or le for a certain byte order")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_and_byte_orders() {
        let little = cfg!(target_endian = "little");
        let parsed = |text: &str| text.parse::<RawType>().map(|raw| (raw.element, raw.swapped));
        assert_eq!(parsed("f32"), Ok((ElementType::F32, false)));
        assert_eq!(parsed("u16be"), Ok((ElementType::U16, little)));
        assert_eq!(parsed("bf16le"), Ok((ElementType::Bf16, !little)));
        assert_eq!(parsed("u8be"), Ok((ElementType::U8, false)));
        assert!(parsed("float").unwrap_err().contains("bf16"));
    }
}
