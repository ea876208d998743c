//! Numbers as formats keep them: every f64 comes back as it was. JSON has no
//! infinities, so that in formats for people those are words.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    // Not borrowed: a reader has nothing to borrow from.
    Word(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over so")]
pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    let word = match *value {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        value if value.is_nan() => "nan",
        value => return to.serialize_f64(value),
    };
    if to.is_human_readable() { to.serialize_str(word) } else { to.serialize_f64(*value) }
}

pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<f64, D::Error> {
    if !from.is_human_readable() {
        return f64::deserialize(from);
    }
    let word = match Number::deserialize(from)? {
        Number::Finite(value) => return Ok(value),
        Number::Word(word) => word,
    };
    match word.as_str() {
        "inf" => Ok(f64::INFINITY),
        "-inf" => Ok(f64::NEG_INFINITY),
        "nan" => Ok(f64::NAN),
        word => Err(de::Error::invalid_value(de::Unexpected::Str(word), &"a number")),
    }
}
