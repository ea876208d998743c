//! A walk over bytes in Thrift's compact encoding that believes no length: it
//! allocates nothing, and its time is at most in proportion to the bytes.
//!
//! The parquet crate reads fields that it knows as the type it expects, and
//! skips others element by element, a boolean in zero bytes. What this walk
//! accepts the crate reads at the same places: fields that the format defines
//! must have its types, and others must have no booleans in collections.

/// Structs in structs that a field may have, fewer than the crate skips.
const MAX_DEPTH: u32 = 32;

/// The most bytes of a whole number: 7 of its bits a byte.
const MAX_NUMBER_BYTES: usize = 10;

/// The shape of a value by the format.
#[derive(Debug)]
pub(super) enum Shape {
    Integer,
    Boolean,
    Byte,
    Double,
    Bytes,
    List(&'static Shape),
    Struct(Fields),
}

/// Fields by their numbers.
pub(super) type Fields = &'static [(i16, Shape)];

/// The encoding of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Byte,
    Integer,
    Double,
    Bytes,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 | 2 => Self::Boolean,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Bytes,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return None,
        })
    }
}

impl Shape {
    fn kind(&self) -> Kind {
        match self {
            Self::Integer => Kind::Integer,
            Self::Boolean => Kind::Boolean,
            Self::Byte => Kind::Byte,
            Self::Double => Kind::Double,
            Self::Bytes => Kind::Bytes,
            Self::List(_) => Kind::List,
            Self::Struct(_) => Kind::Struct,
        }
    }
}

/// The result of a walk, or the fault.
pub(super) type Walked<T> = Result<T, String>;

/// The bytes that are still to be walked over.
pub(super) struct Walk<'f> {
    rest: &'f [u8],
}

impl<'f> Walk<'f> {
    pub(super) fn new(bytes: &'f [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number of bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Walks over a struct, whose fields must be as the format has them.
    pub(super) fn check(&mut self, fields: Fields) -> Walked<()> {
        self.check_fields(fields, 0)
    }

    /// Hands on the fields of a struct, each of which `each` must walk over.
    pub(super) fn fields(&mut self, mut each: impl FnMut(&mut Self, i16, Kind) -> Walked<()>) -> Walked<()> {
        let mut last = 0i16;
        loop {
            let head = self.byte()?;
            if head % 16 == 0 {
                return Ok(());
            }
            let kind = Kind::of(head & 0x0f).ok_or("a field has no type that Thrift has")?;
            let id = match head >> 4 {
                0 => i16::try_from(self.integer()?).ok(),
                delta => last.checked_add(delta.into()),
            };
            last = id.ok_or("a field has no number that Thrift has")?;
            each(self, last, kind)?;
        }
    }

    /// A whole number.
    pub(super) fn integer(&mut self) -> Walked<i64> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// The number of elements of a list, each of which takes a byte at least.
    pub(super) fn list(&mut self) -> Walked<(usize, Kind)> {
        let head = self.byte()?;
        // Some writers give an empty list no type.
        if head == 0 {
            return Ok((0, Kind::Byte));
        }
        let kind = Kind::of(head & 0x0f).ok_or("a list has no type that Thrift has")?;
        let count = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
        Ok((self.believed("list", count)?, kind))
    }

    /// Walks over a value that the format does not define.
    pub(super) fn skip(&mut self, kind: Kind) -> Walked<()> {
        self.skip_within(kind, 0)
    }

    fn check_fields(&mut self, fields: Fields, depth: u32) -> Walked<()> {
        self.fields(|walk, id, kind| match fields.iter().find(|(known, _)| *known == id) {
            Some((_, shape)) if shape.kind() == kind => walk.check_value(shape, depth),
            Some(_) => Err(format!("its field {id} is not of the format's type")),
            None => walk.skip_within(kind, depth),
        })
    }

    fn check_value(&mut self, shape: &Shape, depth: u32) -> Walked<()> {
        match shape {
            Shape::Struct(fields) => self.check_fields(fields, depth + 1),
            Shape::List(element) => {
                let (count, kind) = self.list()?;
                if count > 0 && kind != element.kind() {
                    return Err("a list has elements that are not of the format's type".to_owned());
                }
                (0..count).try_for_each(|_| self.check_value(element, depth + 1))
            }
            shape => self.skip_within(shape.kind(), depth),
        }
    }

    fn skip_within(&mut self, kind: Kind, depth: u32) -> Walked<()> {
        if depth >= MAX_DEPTH {
            return Err(format!("it has structs in structs, {MAX_DEPTH} deep"));
        }
        let element = |kind| match kind {
            Kind::Boolean => Err("a collection of booleans, which the format has not there".to_owned()),
            kind => Ok(kind),
        };
        match kind {
            // The value is in the head of the field.
            Kind::Boolean => Ok(()),
            Kind::Byte => self.take(1),
            Kind::Integer => self.number().map(drop),
            Kind::Double => self.take(8),
            Kind::Uuid => self.take(16),
            Kind::Bytes => {
                let length = self.number()?;
                let length = self.believed("text", length)?;
                self.take(length)
            }
            Kind::List => match self.list()? {
                (0, _) => Ok(()),
                (count, kind) => {
                    let kind = element(kind)?;
                    (0..count).try_for_each(|_| self.skip_within(kind, depth + 1))
                }
            },
            Kind::Map => {
                let count = self.number()?;
                let count = self.believed("map", count)?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let of = |code| element(Kind::of(code).ok_or("a map has no type that Thrift has")?);
                let (key, value) = (of(kinds >> 4)?, of(kinds & 0x0f)?);
                (0..count).try_for_each(|_| {
                    self.skip_within(key, depth + 1)?;
                    self.skip_within(value, depth + 1)
                })
            }
            Kind::Struct => self.fields(|walk, _, kind| walk.skip_within(kind, depth + 1)),
        }
    }

    /// A length, if there are bytes for it.
    fn believed(&self, what: &str, count: u64) -> Walked<usize> {
        let count_here = usize::try_from(count).ok().filter(|&count| count <= self.left());
        count_here.ok_or_else(|| {
            let left = match self.left() {
                1 => "1 byte is left".to_owned(),
                left => format!("{left} bytes are left"),
            };
            format!("a {what} claims a length of {count}, where {left}")
        })
    }

    fn number(&mut self) -> Walked<u64> {
        let mut number = 0;
        for k in 0..MAX_NUMBER_BYTES {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * k);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number has more than 64 bits".to_owned())
    }

    fn byte(&mut self) -> Walked<u8> {
        let (&first, rest) = self.rest.split_first().ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(first)
    }

    fn take(&mut self, bytes: usize) -> Walked<()> {
        self.rest = self.rest.get(bytes..).ok_or(CUT_OFF)?;
        Ok(())
    }
}

const CUT_OFF: &str = "it is cut off";

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields =
        &[(1, Shape::Integer), (2, Shape::List(&Shape::Struct(&[(1, Shape::Bytes)]))), (4, Shape::Boolean)];

    fn check(bytes: &[u8]) -> Walked<usize> {
        let mut walk = Walk::new(bytes);
        walk.check(FIELDS).map(|()| walk.left())
    }

    /// {1: -2, 2: [{1: "ab"}, {}], 4: true, 20: {3: 7}}, and one byte more.
    const GOOD: &[u8] =
        &[0x15, 0x03, 0x19, 0x2c, 0x18, 2, b'a', b'b', 0, 0, 0x21, 0x0c, 40, 0x35, 14, 0, 0, 0xff];

    #[test]
    fn a_struct_ends_where_it_ends() {
        assert_eq!(check(GOOD), Ok(1));
        let mut number = None;
        let walked = Walk::new(GOOD).fields(|walk, id, kind| match id {
            1 => walk.integer().map(|value| number = Some(value)),
            _ => walk.skip(kind),
        });
        assert_eq!((walked, number), (Ok(()), Some(-2)));
    }

    #[test]
    fn every_prefix_is_cut_off() {
        for end in 0..GOOD.len() - 1 {
            assert!(check(&GOOD[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn lengths_are_believed_as_far_as_there_are_bytes() {
        const HUGE: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];
        let case = |head: &[u8], tail: &[u8]| check(&[head, &HUGE, tail].concat()).unwrap_err();
        // A list of structs, a list of an unknown field, a text, a map.
        for head in [&[0x29, 0xfc][..], &[0x99, 0xf5], &[0x98], &[0x9b]] {
            let fault = case(head, &[0x55; 20]);
            assert!(fault.contains("2147483647") && fault.contains("20 bytes"), "{fault}");
        }
    }

    /// The crate skips these in no bytes, here there would be one each.
    #[test]
    fn booleans_in_collections_are_refused() {
        for bytes in [&[0x99, 0x21, 1, 1, 0][..], &[0x99, 0x22, 1, 1, 0], &[0x9b, 1, 0x11, 1, 1, 0]] {
            assert!(check(bytes).unwrap_err().contains("booleans"), "{bytes:?}");
        }
        assert_eq!(check(&[0x99, 0x01, 0]), Ok(0), "an empty one is none");
    }

    #[test]
    fn what_the_format_defines_has_its_type() {
        // A text for a number, numbers for a list, a list for a boolean.
        for bytes in [&[0x18, 0, 0][..], &[0x29, 0x15, 2, 0], &[0x49, 0, 0]] {
            assert!(check(bytes).unwrap_err().contains("format's type"), "{bytes:?}");
        }
    }

    #[test]
    fn structs_in_structs_have_a_bound() {
        let nested = |depth: usize| [vec![0x9c; depth], vec![0; depth + 1]].concat();
        assert_eq!(check(&nested(30)), Ok(0));
        assert!(check(&nested(40)).is_err());
        assert!(check(&nested(1_000_000)).is_err());
        let lists = [vec![0x99], vec![0x19; 1_000_000]].concat();
        assert!(check(&lists).is_err());
    }
}
