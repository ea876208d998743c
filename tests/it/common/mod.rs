//! Shared parts of the integration tests: `.npy` files made and taken apart byte by
//! byte, with nothing of linfit's own reader or writer, and the numbers in
//! them by formula.

pub mod adapter;
pub mod noise;
pub mod tolerances;

use std::fmt::Write;

use linfit::array::{ElementType, Order};

/// One number, exact in the element type it is meant for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An element of an integer type or of bool.
    Int(i128),
    /// An element of a floating-point type.
    Float(f64),
}

/// An element type as a `.npy` header spells it.
#[derive(Debug, Clone, Copy)]
pub struct Dtype {
    /// Its type in linfit.
    pub element: ElementType,
    /// NumPy's letter for the kind of number.
    pub kind: char,
    /// Bytes an element takes.
    pub size: usize,
}

const fn dtype(element: ElementType, kind: char, size: usize) -> Dtype {
    Dtype { element, kind, size }
}

/// Every element type that `.npy` files have.
pub const DTYPES: [Dtype; 12] = [
    dtype(ElementType::Bool, 'b', 1),
    dtype(ElementType::U8, 'u', 1),
    dtype(ElementType::I8, 'i', 1),
    dtype(ElementType::U16, 'u', 2),
    dtype(ElementType::I16, 'i', 2),
    dtype(ElementType::U32, 'u', 4),
    dtype(ElementType::I32, 'i', 4),
    dtype(ElementType::U64, 'u', 8),
    dtype(ElementType::I64, 'i', 8),
    dtype(ElementType::F16, 'f', 2),
    dtype(ElementType::F32, 'f', 4),
    dtype(ElementType::F64, 'f', 8),
];

impl Dtype {
    /// The type as it stands in a header: `<f4`, `>i2`, `|u1`.
    pub fn descr(self, endian: Endian) -> String {
        let mark = match endian {
            _ if self.size == 1 => '|',
            Endian::Little => '<',
            Endian::Big => '>',
        };
        format!("{mark}{}{}", self.kind, self.size)
    }

    /// A number for place `k` (below 120): different at every place, near the
    /// ends of the type's range, and with all its bytes different, so that a
    /// mistaken place, sign, size or byte order changes it.
    pub fn number(self, k: u32) -> Number {
        let i = i128::from(k);
        match self.element {
            ElementType::Bool => Number::Int(i % 3),
            ElementType::U8 => Number::Int(255 - i),
            ElementType::I8 => Number::Int(i - 100),
            ElementType::U16 => Number::Int(65_535 - 259 * i),
            ElementType::I16 => Number::Int(-32_768 + 259 * i),
            ElementType::U32 => Number::Int(4_294_967_295 - 16_909_060 * i),
            ElementType::I32 => Number::Int(-2_147_483_648 + 16_909_060 * i),
            ElementType::U64 => Number::Int(i128::from(u64::MAX) - 72_623_859_790_382_856 * i),
            ElementType::I64 => Number::Int(i128::from(i64::MIN) + 72_623_859_790_382_856 * i),
            ElementType::F16 => Number::Float(f64::from(k) * 0.375 - 3.0),
            ElementType::Bf16 => unreachable!(".npy has no bf16"),
            ElementType::F32 => Number::Float(f64::from(to_f32(f64::from(k) * 0.1 - 3.0))),
            ElementType::F64 => Number::Float(f64::from(k) / 7.0 - 3.0),
        }
    }

    /// The bytes of a number of this type.
    pub fn encode(self, number: Number, endian: Endian) -> Vec<u8> {
        let mut bytes = match (number, self.size) {
            (Number::Int(value), size) => value.to_le_bytes()[..size].to_vec(),
            (Number::Float(value), 2) => half::f16::from_f64(value).to_le_bytes().to_vec(),
            (Number::Float(value), 4) => to_f32(value).to_le_bytes().to_vec(),
            (Number::Float(value), _) => value.to_le_bytes().to_vec(),
        };
        if endian == Endian::Big {
            bytes.reverse();
        }
        bytes
    }

    /// The number behind the bytes of one element.
    pub fn decode(self, bytes: &[u8], endian: Endian) -> Number {
        let mut little = bytes.to_vec();
        if endian == Endian::Big {
            little.reverse();
        }
        let negative = self.kind == 'i' && little[self.size - 1] >= 0x80;
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..self.size].copy_from_slice(&little);
        match (self.kind, self.size) {
            ('f', 2) => Number::Float(half::f16::from_le_bytes([wide[0], wide[1]]).to_f64()),
            ('f', 4) => Number::Float(f64::from(f32::from_le_bytes([wide[0], wide[1], wide[2], wide[3]]))),
            ('f', _) => Number::Float(f64::from_bits(u64::from_le_bytes(wide[..8].try_into().unwrap()))),
            _ => Number::Int(i128::from_le_bytes(wide)),
        }
    }

    /// The result that reading the number as f64 must give.
    pub fn as_f64(self, number: Number) -> f64 {
        match number {
            Number::Int(value) if self.element == ElementType::Bool => f64::from(u8::from(value != 0)),
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }

    /// The result that reading the number as f32 must give: rounded once, not by way of
    /// f64.
    pub fn as_f32(self, number: Number) -> f32 {
        match number {
            Number::Int(value) if self.element == ElementType::Bool => f32::from(u8::from(value != 0)),
            Number::Int(value) => value as f32,
            Number::Float(value) => to_f32(value),
        }
    }
}

/// The nearest f32.
pub fn to_f32(value: f64) -> f32 {
    value as f32
}

/// The order of an element's bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// This machine's.
    pub const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };
}

/// A `.npy` file in the making. The fields are public so that a test can spoil
/// any of them.
#[derive(Debug, Clone)]
pub struct Npy {
    /// The format version, 1 to 3 in valid files.
    pub version: u8,
    /// The header's dictionary as Python text.
    pub header: String,
    /// The data starts at a multiple of this, plus `skew`.
    pub align: usize,
    /// See `align`.
    pub skew: usize,
    /// The elements' bytes.
    pub data: Vec<u8>,
}

impl Npy {
    /// A file of version 1 with this header and no data.
    pub fn with_header(header: &str) -> Self {
        Self { version: 1, header: header.to_owned(), align: 64, skew: 0, data: Vec::new() }
    }

    /// A file of version 1 whose elements, in the order in which they are
    /// stored, are `numbers`.
    pub fn of(dtype: Dtype, endian: Endian, order: Order, shape: &[u64], numbers: &[Number]) -> Self {
        let data = numbers.iter().flat_map(|&number| dtype.encode(number, endian)).collect();
        Self { data, ..Self::with_header(&header(&dtype.descr(endian), order, shape)) }
    }

    /// A file of version 1 in C order, f64 and little-endian.
    pub fn of_f64(shape: &[u64], values: &[f64]) -> Self {
        let numbers: Vec<Number> = values.iter().map(|&value| Number::Float(value)).collect();
        Self::of(DTYPES[11], Endian::Little, Order::C, shape, &numbers)
    }

    /// The byte at which the data start.
    pub fn offset(&self) -> usize {
        let least = self.before_text() + self.header.len() + 1;
        least.saturating_sub(self.skew).next_multiple_of(self.align) + self.skew
    }

    fn before_text(&self) -> usize {
        if self.version == 1 { 10 } else { 12 }
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let text_bytes = self.offset() - self.before_text();
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([self.version, 0]);
        if self.version == 1 {
            bytes.extend(u16::try_from(text_bytes).unwrap().to_le_bytes());
        } else {
            bytes.extend(u32::try_from(text_bytes).unwrap().to_le_bytes());
        }
        bytes.extend(self.header.as_bytes());
        bytes.resize(self.offset() - 1, b' ');
        bytes.push(b'\n');
        bytes.extend(&self.data);
        bytes
    }
}

/// A header's dictionary, as NumPy writes it.
pub fn header(descr: &str, order: Order, shape: &[u64]) -> String {
    let fortran = if order == Order::Fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': (");
    for extent in shape {
        write!(text, "{extent}, ").unwrap();
    }
    if shape.len() > 1 {
        // (3,) but (3, 4).
        text.truncate(text.len() - 2);
    } else if shape.len() == 1 {
        text.pop();
    }
    text.push_str("), }");
    text
}

/// The row-major place of the element at each place of a column-major array:
/// element `places[p]` of the one is element p of the other.
pub fn column_major(shape: &[u64]) -> Vec<usize> {
    let elements: u64 = shape.iter().product();
    (0..elements)
        .map(|mut place| {
            let mut index = Vec::new();
            for &extent in shape {
                index.push(place % extent);
                place /= extent;
            }
            index.iter().zip(shape).fold(0, |c, (i, extent)| c * extent + i) as usize
        })
        .collect()
}

/// A `.npy` file taken apart.
#[derive(Debug, PartialEq)]
pub struct Parsed {
    /// The element type's spelling.
    pub descr: String,
    /// Whether the first dimension is contiguous.
    pub fortran: bool,
    /// The extents.
    pub shape: Vec<u64>,
    /// The elements' bytes.
    pub data: Vec<u8>,
}

/// Takes a `.npy` file of version 1 apart, holding it to everything the format
/// demands of writers: the header ends in a line feed at a multiple of 64, its
/// keys are sorted, a tuple of one has its comma.
pub fn parse_npy(bytes: &[u8]) -> Parsed {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let offset = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(offset % 64, 0, "the data starts at {offset}");
    let text = std::str::from_utf8(&bytes[10..offset]).unwrap();
    assert!(text.is_ascii() && text.ends_with('\n'), "{text:?}");
    let rest = text.trim_end().strip_prefix("{'descr': '").unwrap();
    let (descr, rest) = rest.split_once("', 'fortran_order': ").unwrap();
    let (fortran, rest) = rest.split_once(", 'shape': (").unwrap();
    let (tuple, rest) = rest.split_once(')').unwrap();
    assert!([", }", "}"].contains(&rest), "{text:?}");
    let shape: Vec<u64> = tuple
        .split(',')
        .map(str::trim)
        .filter(|extent| !extent.is_empty())
        .map(|extent| extent.parse().unwrap())
        .collect();
    assert!(shape.len() != 1 || tuple.trim_end().ends_with(','), "({tuple}) is a number, not a tuple");
    Parsed {
        descr: descr.to_owned(),
        fortran: match fortran {
            "True" => true,
            "False" => false,
            _ => panic!("fortran_order is {fortran}"),
        },
        shape,
        data: bytes[offset..].to_vec(),
    }
}
