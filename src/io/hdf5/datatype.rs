//! The types of elements.

use super::bytes::Bytes;
use super::fault::Fault;
use crate::array::ElementType;

/// A type of elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Datatype {
    /// Numbers, and whether they are big endian.
    Number(ElementType, bool),
    /// Text of so many bytes.
    Text(usize),
    /// Something else, by its name.
    Other(String, usize),
}

impl Datatype {
    /// Reads a type's message.
    pub(super) fn new(body: &mut Bytes<'_>) -> Result<Self, Fault> {
        let head = body.u8()?;
        let bits = body.number(3)?;
        let bytes = body.size(4)?;
        let other = |name: &str| Ok(Self::Other(name.to_owned(), bytes));
        let big_endian = bits & 1 > 0;
        let number = |element: ElementType| Ok(Self::Number(element, big_endian && bytes > 1));
        match head & 0x0f {
            0 => {
                let (at, precision) = (body.u16()?, body.u16()?);
                let element = match (bytes, bits & 8 > 0) {
                    (1, false) => ElementType::U8,
                    (1, true) => ElementType::I8,
                    (2, false) => ElementType::U16,
                    (2, true) => ElementType::I16,
                    (4, false) => ElementType::U32,
                    (4, true) => ElementType::I32,
                    (8, false) => ElementType::U64,
                    (8, true) => ElementType::I64,
                    _ => return other(&format!("integers of {bytes} bytes")),
                };
                if at != 0 || precision != 8 * bytes {
                    return other(&format!("integers of {precision} of {} bits", 8 * bytes));
                }
                number(element)
            }
            1 => {
                const VAX: u64 = 0x41;
                let mut float = [0; 6];
                float[0] = body.u16()?;
                float[1] = body.u16()?;
                for field in &mut float[2..] {
                    *field = body.u8()?.into();
                }
                let bias = body.u32()?;
                let sign = bits >> 8 & 0xff;
                let element = match (bytes, float, bias, sign) {
                    (2, [0, 16, 10, 5, 0, 10], 15, 15) => ElementType::F16,
                    (2, [0, 16, 7, 8, 0, 7], 127, 15) => ElementType::Bf16,
                    (4, [0, 32, 23, 8, 0, 23], 127, 31) => ElementType::F32,
                    (8, [0, 64, 52, 11, 0, 52], 1023, 63) => ElementType::F64,
                    _ => {
                        return other(&format!(
                            "floating-point numbers of {bytes} bytes that are none of IEEE 754"
                        ));
                    }
                };
                if bits & VAX == VAX {
                    return other("floating-point numbers of a VAX");
                }
                number(element)
            }
            2 => other("times"),
            3 => Ok(Self::Text(bytes)),
            4 => other("bit fields"),
            5 => other("opaque bytes"),
            6 => other("compounds"),
            7 => other("references"),
            8 => Self::enumeration(body, head >> 4, bits, bytes),
            9 if bits & 0x0f == 1 => other("texts of several lengths"),
            9 => other("rows of several lengths"),
            10 => other("arrays"),
            11 => other("complex numbers"),
            class => Err(Fault::unsupported(format!("it has a type of class {class}"))),
        }
    }

    /// Booleans as h5py has them, which are an enumeration of FALSE and TRUE; others
    /// are names rather than numbers.
    fn enumeration(body: &mut Bytes<'_>, version: u8, bits: u64, bytes: usize) -> Result<Self, Fault> {
        let base = Self::new(body)?;
        let count = usize::try_from(bits & 0xffff).unwrap_or(0);
        let other = Ok(Self::Other("names of an enumeration".to_owned(), bytes));
        if count != 2 || bytes != 1 || !matches!(base, Self::Number(ElementType::I8 | ElementType::U8, _)) {
            return other;
        }
        let mut names = Vec::new();
        for _ in 0..count {
            let name = Bytes::text(body.rest());
            let taken = name.len() + 1;
            body.take(if version < 3 { taken.next_multiple_of(8) } else { taken })?;
            names.push(name);
        }
        if names == ["FALSE", "TRUE"] && body.take(2)? == [0, 1] {
            return Ok(Self::Number(ElementType::Bool, false));
        }
        other
    }

    /// Bytes of an element.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Number(element, _) => element.size(),
            Self::Text(bytes) | Self::Other(_, bytes) => *bytes,
        }
    }

    /// What the elements are, if they are no numbers.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Number(element, _) => element.name().to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::Other(name, _) => name.clone(),
        }
    }
}
