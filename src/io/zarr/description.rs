//! What a Zarr array says of itself: `.zarray` and `.zattrs` of version 2, `zarr.json`
//! of version 3.

use serde_json::{Map, Value as Json};

use super::codec::Codec;
use crate::array::{Element, ElementType};
use crate::io::cf::{Attributes, Number, Value};
use crate::io::chunked::Grid;
use crate::with_element;

/// An array.
#[derive(Debug)]
pub(super) struct Description {
    /// Its shape and the chunks that are decoded: within shards those in them.
    pub(super) grid: Grid,
    pub(super) big_endian: bool,
    /// The axes of the array in the order in which a chunk has them, the outermost
    /// first.
    pub(super) axes: Vec<usize>,
    pub(super) codecs: Vec<Codec>,
    pub(super) shards: Option<Shards>,
    pub(super) keys: Keys,
    /// The bytes of the element that stands where there is no chunk, in this machine's
    /// order.
    pub(super) fill: Option<Vec<u8>>,
    pub(super) attributes: Attributes,
    /// The names of its axes.
    pub(super) dimensions: Vec<String>,
}

/// Chunks that are together in one part.
#[derive(Debug)]
pub(super) struct Shards {
    /// The chunks of a shard along each axis.
    pub(super) chunks: Vec<u64>,
    /// Whether the index follows them, rather than coming before.
    pub(super) index_at_end: bool,
    /// Whether a checksum follows the index.
    pub(super) index_codecs: Vec<Codec>,
}

/// The names of chunks.
#[derive(Debug)]
pub(super) struct Keys {
    /// What they begin with.
    pub(super) prefix: &'static str,
    pub(super) separator: char,
}

impl Keys {
    /// The name of the chunk of this index along each axis.
    pub(super) fn name(&self, index: &[u64]) -> String {
        let numbers: Vec<String> = index.iter().map(u64::to_string).collect();
        let separator = self.separator.to_string();
        match (self.prefix, numbers.is_empty()) {
            ("", true) => "0".to_owned(),
            ("", false) => numbers.join(&separator),
            (prefix, true) => prefix.to_owned(),
            (prefix, false) => format!("{prefix}{separator}{}", numbers.join(&separator)),
        }
    }
}

/// What keeps an array from being read.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// What is wrong.
    Invalid(String),
    /// What is not read.
    Unsupported(String),
    /// The type of its elements.
    Type(String),
}

fn invalid<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::Invalid(format!("its {what} is not what it should be; it is damaged")))
}

fn unsupported<T>(what: &str, found: &Json) -> Result<T, Fault> {
    Err(Fault::Unsupported(format!("it has {what} {}", crate::array::error::excerpt(&found.to_string()))))
}

fn object(json: &[u8], what: &str) -> Result<Map<String, Json>, Fault> {
    match serde_json::from_slice(json) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => invalid(what),
        Err(error) => Err(Fault::Invalid(format!("its {what} is damaged: {error}"))),
    }
}

fn extents(json: Option<&Json>, what: &str) -> Result<Vec<u64>, Fault> {
    let extents = json.and_then(Json::as_array).map(|extents| extents.iter().map(Json::as_u64).collect());
    match extents {
        Some(Some(extents)) => Ok(extents),
        _ => invalid(what),
    }
}

impl Description {
    /// Reads `.zarray` and `.zattrs`.
    pub(super) fn version_2(array: &[u8], attributes: Option<&[u8]>) -> Result<Self, Fault> {
        let array = object(array, ".zarray")?;
        let grid_shape = extents(array.get("shape"), "shape")?;
        let chunk = extents(array.get("chunks"), "chunks")?;
        let (element, big_endian) = match array.get("dtype") {
            Some(Json::String(text)) => old_type(text)?,
            Some(other) => {
                return Err(Fault::Type(format!(
                    "compounds {}",
                    crate::array::error::excerpt(&other.to_string())
                )));
            }
            None => return invalid("dtype"),
        };
        let grid = grid(grid_shape, chunk, element)?;
        let rank = grid.shape.len();
        let axes = match array.get("order").and_then(Json::as_str) {
            Some("F") => (0..rank).rev().collect(),
            Some("C") | None => (0..rank).collect(),
            Some(_) => return invalid("order"),
        };
        let mut codecs = Vec::new();
        let filters = array.get("filters").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        for codec in filters.iter().chain(array.get("compressor").filter(|codec| !codec.is_null())) {
            let configuration = codec.as_object().cloned().unwrap_or_default();
            let Some(name) = codec.get("id").and_then(Json::as_str) else { return invalid("compressor") };
            codecs.push(Codec::new(name, &configuration).map_err(|name| unread_codec(&name))?);
        }
        let separator = match array.get("dimension_separator").and_then(Json::as_str) {
            Some("/") => '/',
            Some(".") | None => '.',
            Some(_) => return invalid("dimension_separator"),
        };
        let json = attributes.map_or_else(|| Ok(Map::new()), |text| object(text, ".zattrs"))?;
        let dimensions = names(json.get("_ARRAY_DIMENSIONS"));
        let mut attributes = attributes_of(&json);
        let fill = array.get("fill_value").filter(|fill| !fill.is_null());
        // That of an array with names of dimensions is the one of NetCDF, as xarray
        // writes it and reads it.
        if json.contains_key("_ARRAY_DIMENSIONS")
            && let Some(value) = fill.and_then(|fill| number(fill, element))
        {
            attributes
                .entry("_FillValue".to_owned())
                .or_insert(Value::Numbers(vec![value], !element.is_float()));
        }
        let fill = fill_bytes(fill, element)?;
        let keys = Keys { prefix: "", separator };
        one_compression(&codecs)?;
        Ok(Self { grid, big_endian, axes, codecs, shards: None, keys, fill, attributes, dimensions })
    }

    /// Reads `zarr.json`; `None` if it is that of a group.
    pub(super) fn version_3(text: &[u8]) -> Result<Option<Self>, Fault> {
        let array = object(text, "zarr.json")?;
        if array.get("zarr_format").and_then(Json::as_u64) != Some(3) {
            return invalid("zarr_format");
        }
        match array.get("node_type").and_then(Json::as_str) {
            Some("array") => {}
            Some("group") => return Ok(None),
            _ => return invalid("node_type"),
        }
        let element = match array.get("data_type") {
            Some(Json::String(name)) => new_type(name)?,
            Some(other) => return Err(Fault::Type(crate::array::error::excerpt(&other.to_string()))),
            None => return invalid("data_type"),
        };
        if let Some(transformers) =
            array.get("storage_transformers").filter(|all| all.as_array().is_none_or(|all| !all.is_empty()))
        {
            return unsupported("storage transformers", transformers);
        }
        let shape = extents(array.get("shape"), "shape")?;
        let chunk = match array.get("chunk_grid") {
            Some(grid) if grid.get("name").and_then(Json::as_str) == Some("regular") => {
                extents(grid.pointer("/configuration/chunk_shape"), "chunk_shape")?
            }
            Some(other) => return unsupported("a chunk grid", other),
            None => return invalid("chunk_grid"),
        };
        let keys = array.get("chunk_key_encoding");
        let separator = keys.and_then(|keys| keys.pointer("/configuration/separator")).and_then(Json::as_str);
        let keys = match (keys.and_then(name_of), separator) {
            (Some("default"), None | Some("/")) => Keys { prefix: "c", separator: '/' },
            (Some("default"), Some(".")) => Keys { prefix: "c", separator: '.' },
            (Some("v2"), None | Some(".")) => Keys { prefix: "", separator: '.' },
            (Some("v2"), Some("/")) => Keys { prefix: "", separator: '/' },
            _ => return invalid("chunk_key_encoding"),
        };
        let codecs = array.get("codecs").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let mut grid = grid(shape, chunk, element)?;
        let mut chain = Chain::of(codecs, grid.shape.len(), element)?;
        let mut shards = None;
        if let Some(inner) = chain.sharding.take() {
            let configuration = inner.get("configuration").cloned().unwrap_or_default();
            let inner = extents(configuration.get("chunk_shape"), "chunk_shape")?;
            let is_part = |(inner, outer): (&u64, &u64)| *inner > 0 && outer % inner == 0;
            if inner.len() != grid.chunk.len() || !inner.iter().zip(&grid.chunk).all(is_part) {
                return invalid("chunk_shape");
            }
            if !chain.codecs.is_empty() || !chain.is_in_order() {
                return Err(Fault::Unsupported("it has shards that are compressed or transposed".to_owned()));
            }
            let list =
                |name: &str| configuration.get(name).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            let index = Chain::of(list("index_codecs"), 0, ElementType::U64)?;
            let is_plain = index.sharding.is_none() && !index.big_endian;
            if !is_plain || index.codecs.iter().any(|codec| *codec != Codec::Crc32c) {
                return Err(Fault::Unsupported("it has shards with a compressed index".to_owned()));
            }
            shards = Some(Shards {
                chunks: grid.chunk.iter().zip(&inner).map(|(outer, inner)| outer / inner).collect(),
                index_at_end: match configuration.get("index_location").and_then(Json::as_str) {
                    Some("end") | None => true,
                    Some("start") => false,
                    Some(_) => return invalid("index_location"),
                },
                index_codecs: index.codecs,
            });
            chain = Chain::of(list("codecs"), grid.shape.len(), element)?;
            if chain.sharding.is_some() {
                return Err(Fault::Unsupported("it has shards within shards".to_owned()));
            }
            grid.chunk = inner;
        }
        let json = array.get("attributes").and_then(Json::as_object).cloned().unwrap_or_default();
        let mut attributes = attributes_of(&json);
        // xarray writes floats as text.
        if let Some(Value::Text(text)) = attributes.get("_FillValue")
            && let Some(value) = from_base64(text)
        {
            attributes.insert("_FillValue".to_owned(), Value::Numbers(vec![Number::Float(value)], false));
        }
        let fill = fill_bytes(array.get("fill_value"), element)?;
        let dimensions = names(array.get("dimension_names"));
        one_compression(&chain.codecs)?;
        let Chain { big_endian, axes, codecs, .. } = chain;
        Ok(Some(Self { grid, big_endian, axes, codecs, shards, keys, fill, attributes, dimensions }))
    }
}

fn name_of(json: &Json) -> Option<&str> {
    json.get("name").or(Some(json)).and_then(Json::as_str)
}

fn names(json: Option<&Json>) -> Vec<String> {
    let names = json.and_then(Json::as_array).into_iter().flatten();
    names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
}

fn unread_codec(name: &str) -> Fault {
    Fault::Unsupported(format!("it is compressed or filtered by {:?}", crate::array::error::excerpt(name)))
}

/// Of what is compressed twice nobody knows how many bytes it has between.
fn one_compression(codecs: &[Codec]) -> Result<(), Fault> {
    if codecs.iter().filter(|codec| codec.most_expansion() > 1).count() > 1 {
        return Err(Fault::Unsupported("it is compressed twice".to_owned()));
    }
    Ok(())
}

fn grid(shape: Vec<u64>, chunk: Vec<u64>, element: ElementType) -> Result<Grid, Fault> {
    const MOST_RANK: usize = 32;
    if shape.len() != chunk.len() || chunk.contains(&0) || shape.len() > MOST_RANK {
        return invalid("chunk shape");
    }
    Ok(Grid { shape, chunk, element })
}

/// The codecs of version 3.
struct Chain {
    axes: Vec<usize>,
    big_endian: bool,
    codecs: Vec<Codec>,
    sharding: Option<Json>,
}

impl Chain {
    fn of(codecs: &[Json], rank: usize, element: ElementType) -> Result<Self, Fault> {
        let mut chain =
            Self { axes: (0..rank).collect(), big_endian: false, codecs: Vec::new(), sharding: None };
        let mut are_bytes = false;
        for codec in codecs {
            let Some(name) = name_of(codec) else { return invalid("codecs") };
            let configuration =
                codec.get("configuration").and_then(Json::as_object).cloned().unwrap_or_default();
            match name {
                "transpose" if !are_bytes => {
                    let order = extents(configuration.get("order"), "transpose")?;
                    let order: Vec<usize> =
                        order.into_iter().filter_map(|axis| usize::try_from(axis).ok()).collect();
                    let mut sorted = order.clone();
                    sorted.sort_unstable();
                    if !sorted.into_iter().eq(0..rank) {
                        return invalid("transpose");
                    }
                    chain.axes = order.into_iter().map(|axis| chain.axes[axis]).collect();
                }
                "bytes" if !are_bytes => {
                    chain.big_endian = match configuration.get("endian").and_then(Json::as_str) {
                        Some("big") => true,
                        Some("little") => false,
                        None if element.size() == 1 => false,
                        _ => return invalid("endian"),
                    };
                    are_bytes = true;
                }
                "sharding_indexed" if !are_bytes => {
                    chain.sharding = Some(codec.clone());
                    are_bytes = true;
                }
                name if are_bytes => {
                    chain.codecs.push(Codec::new(name, &configuration).map_err(|name| unread_codec(&name))?);
                }
                name => return Err(unread_codec(name)),
            }
        }
        if are_bytes { Ok(chain) } else { invalid("codecs") }
    }

    fn is_in_order(&self) -> bool {
        self.axes.iter().copied().eq(0..self.axes.len())
    }
}

/// The type of elements in NumPy's words, and whether they are big endian.
fn old_type(text: &str) -> Result<(ElementType, bool), Fault> {
    let unknown = || Fault::Type(crate::array::error::excerpt(text));
    let order = text.chars().next().ok_or_else(unknown)?;
    let element = match text.get(1..).ok_or_else(unknown)? {
        "b1" => ElementType::Bool,
        "i1" => ElementType::I8,
        "u1" => ElementType::U8,
        "i2" => ElementType::I16,
        "u2" => ElementType::U16,
        "i4" => ElementType::I32,
        "u4" => ElementType::U32,
        "i8" => ElementType::I64,
        "u8" => ElementType::U64,
        "f2" => ElementType::F16,
        "f4" => ElementType::F32,
        "f8" => ElementType::F64,
        _ => return Err(unknown()),
    };
    match order {
        '<' => Ok((element, false)),
        '>' => Ok((element, element.size() > 1)),
        '|' if element.size() == 1 => Ok((element, false)),
        _ => Err(unknown()),
    }
}

fn new_type(name: &str) -> Result<ElementType, Fault> {
    Ok(match name {
        "bool" => ElementType::Bool,
        "int8" => ElementType::I8,
        "uint8" => ElementType::U8,
        "int16" => ElementType::I16,
        "uint16" => ElementType::U16,
        "int32" => ElementType::I32,
        "uint32" => ElementType::U32,
        "int64" => ElementType::I64,
        "uint64" => ElementType::U64,
        "float16" => ElementType::F16,
        "bfloat16" => ElementType::Bf16,
        "float32" => ElementType::F32,
        "float64" => ElementType::F64,
        other => return Err(Fault::Type(crate::array::error::excerpt(other))),
    })
}

/// A number as JSON has it, for elements of a type.
#[expect(clippy::cast_possible_truncation, reason = "it is a whole number")]
fn number(json: &Json, element: ElementType) -> Option<Number> {
    match json {
        Json::Bool(value) => Some(Number::Whole((*value).into())),
        Json::Number(number) if !element.is_float() => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            whole
                .or_else(|| number.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i128))
                .map(Number::Whole)
        }
        Json::Number(number) => number.as_f64().map(Number::Float),
        Json::String(text) if element.is_float() => match text.as_str() {
            "NaN" => Some(Number::Float(f64::NAN)),
            "Infinity" => Some(Number::Float(f64::INFINITY)),
            "-Infinity" => Some(Number::Float(f64::NEG_INFINITY)),
            _ => None,
        },
        _ => None,
    }
}

/// The bytes of the element that stands where there is no chunk.
fn fill_bytes(json: Option<&Json>, element: ElementType) -> Result<Option<Vec<u8>>, Fault> {
    let Some(json) = json.filter(|json| !json.is_null()) else { return Ok(None) };
    let fault = || Fault::Invalid("its fill_value is no element of its type; it is damaged".to_owned());
    // Bits of a float, the highest byte first.
    if let Some(bits) = json.as_str().and_then(|text| text.strip_prefix("0x")).filter(|_| element.is_float())
    {
        let bits = u64::from_str_radix(bits, 16)
            .ok()
            .filter(|_| bits.len() == 2 * element.size())
            .ok_or_else(fault)?;
        let size = element.size();
        let bytes = if cfg!(target_endian = "big") {
            bits.to_be_bytes()[8 - size..].to_vec()
        } else {
            bits.to_le_bytes()[..size].to_vec()
        };
        return Ok(Some(bytes));
    }
    let number = number(json, element).ok_or_else(fault)?;
    Ok(Some(with_element!(element, E => match number {
        Number::Float(value) => bytemuck::bytes_of(&E::from_f64(value)).to_vec(),
        Number::Whole(whole) if E::TYPE == ElementType::I64 => {
            i64::try_from(whole).map_err(|_| fault())?.to_ne_bytes().to_vec()
        }
        Number::Whole(whole) if E::TYPE == ElementType::U64 => {
            u64::try_from(whole).map_err(|_| fault())?.to_ne_bytes().to_vec()
        }
        #[expect(clippy::cast_precision_loss, reason = "compared with what comes of it")]
        Number::Whole(whole) => {
            let value = E::from_f64(whole as f64);
            if value.to_f64() != whole as f64 {
                return Err(fault());
            }
            bytemuck::bytes_of(&value).to_vec()
        }
    })))
}

/// The attributes that are numbers or text.
fn attributes_of(json: &Map<String, Json>) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, json) in json {
        let list = match json {
            Json::String(text) if !matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") => {
                attributes.insert(name.clone(), Value::Text(text.clone()));
                continue;
            }
            Json::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let is_whole = list.iter().all(|json| json.is_i64() || json.is_u64());
        let element = if is_whole { ElementType::I64 } else { ElementType::F64 };
        if let Some(numbers) = list.iter().map(|json| number(json, element)).collect::<Option<Vec<_>>>()
            && !numbers.is_empty()
        {
            attributes.insert(name.clone(), Value::Numbers(numbers, is_whole));
        }
    }
    attributes
}

/// The f64 whose eight bytes, the lowest first, a text of base 64 has.
fn from_base64(text: &str) -> Option<f64> {
    const BYTES: usize = 8;
    let digits = text.trim_end_matches('=');
    if text.len() != 12 || digits.len() != 11 {
        return None;
    }
    let mut bits = 0u128;
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u128::from(value);
    }
    // 66 bits, of which the last two are none.
    let bytes: [u8; BYTES] = (bits >> 2).to_be_bytes()[16 - BYTES..].try_into().ok()?;
    Some(f64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_named_as_the_specification_says() {
        let name = |prefix, separator, index: &[u64]| Keys { prefix, separator }.name(index);
        assert_eq!(name("c", '/', &[1, 23, 45]), "c/1/23/45");
        assert_eq!(name("c", '/', &[]), "c");
        assert_eq!(name("c", '.', &[1]), "c.1");
        assert_eq!(name("", '.', &[1, 23, 45]), "1.23.45");
        assert_eq!(name("", '/', &[1, 2]), "1/2");
        assert_eq!(name("", '.', &[]), "0");
    }

    #[test]
    fn fill_values_are_elements() {
        let fill = |text: &str, element| fill_bytes(Some(&serde_json::from_str(text).unwrap()), element);
        assert_eq!(fill("-7", ElementType::I16), Ok(Some((-7i16).to_ne_bytes().to_vec())));
        assert_eq!(fill("0.5", ElementType::F32), Ok(Some(0.5f32.to_ne_bytes().to_vec())));
        assert_eq!(
            fill("\"-Infinity\"", ElementType::F64),
            Ok(Some(f64::NEG_INFINITY.to_ne_bytes().to_vec()))
        );
        assert_eq!(fill("\"0x7fc00001\"", ElementType::F32), Ok(Some(0x7fc0_0001u32.to_ne_bytes().to_vec())));
        assert_eq!(fill("18446744073709551615", ElementType::U64), Ok(Some(u64::MAX.to_ne_bytes().to_vec())));
        assert_eq!(fill("true", ElementType::Bool), Ok(Some(vec![1])));
        assert_eq!(fill("null", ElementType::U8), Ok(None));
        for (text, element) in
            [("300", ElementType::U8), ("1.5", ElementType::I32), ("\"x\"", ElementType::F32)]
        {
            assert!(matches!(fill(text, element), Err(Fault::Invalid(_))), "{text}");
        }
    }

    /// base64.b64encode(struct.pack("<d", value)).
    #[test]
    fn floats_of_xarray_are_read() {
        assert_eq!(from_base64("AAAAAAAA4D8="), Some(0.5));
        assert!(from_base64("AAAAAAAA+H8=").unwrap().is_nan());
        assert_eq!(from_base64("none"), None);
    }
}
