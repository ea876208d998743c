//! Arrays of any number of dimensions, in the files of tests/foreign/cubes.py.

use std::collections::BTreeMap;

use super::*;

const ROWS: u64 = 19;
const COLUMNS: u64 = 23;
const LENGTH: u64 = 120;

/// The types that every format has, by NumPy's names.
pub(super) const TYPES: [(&str, ElementType); 11] = [
    ("u1", ElementType::U8),
    ("u2", ElementType::U16),
    ("u4", ElementType::U32),
    ("u8", ElementType::U64),
    ("i1", ElementType::I8),
    ("i2", ElementType::I16),
    ("i4", ElementType::I32),
    ("i8", ElementType::I64),
    ("f2", ElementType::F16),
    ("f4", ElementType::F32),
    ("f8", ElementType::F64),
];

/// The element of a place, as cubes.py puts it there.
pub(super) fn element(element: ElementType, band: u64, row: u64, column: u64) -> f64 {
    let value = 5 * row + 3 * column + 11 * band;
    match element {
        ElementType::U8 => (value % 251) as f64,
        ElementType::I8 => (value % 127) as f64,
        ElementType::I16 | ElementType::I32 | ElementType::I64 => value as f64 - 100.0,
        ElementType::F16 | ElementType::F32 | ElementType::F64 => value as f64 / 2.0,
        _ => value as f64,
    }
}

/// An array is of this type and shape, and has these elements.
#[track_caller]
pub(super) fn is(name: &str, kind: ElementType, shape: &[u64], want: impl Fn(&[u64]) -> f64) {
    let array = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((array.element(), array.shape()), (kind, &Shape(shape.to_vec())), "{name}");
    for (k, value) in values(&array).into_iter().enumerate() {
        let (mut rest, mut place) = (k as u64, vec![0; shape.len()]);
        for axis in (0..shape.len()).rev() {
            place[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        let want = want(&place);
        assert!(value == want || value.is_nan() && want.is_nan(), "{name}: {value} at {place:?}, not {want}");
    }
}

#[track_caller]
pub(super) fn is_image(name: &str, kind: ElementType) {
    is(name, kind, &[ROWS, COLUMNS], |place| element(kind, 0, place[0], place[1]));
}

#[track_caller]
pub(super) fn is_vector(name: &str, kind: ElementType) {
    let all = vector(kind);
    is(name, kind, &[LENGTH], |place| all[place[0] as usize]);
}

/// The first 7 rows and 9 columns of five bands.
#[track_caller]
pub(super) fn is_cube(name: &str, kind: ElementType) {
    is(name, kind, &[5, 7, 9], |place| element(kind, place[0], place[1], place[2]));
}

/// An image of which only the rows 11 to 13 and the columns 7 to 12 were written.
#[track_caller]
pub(super) fn has_holes(name: &str, fill: f64, rows: std::ops::Range<u64>, columns: std::ops::Range<u64>) {
    is(name, ElementType::I16, &[ROWS, COLUMNS], |place| {
        if rows.contains(&place[0]) && columns.contains(&place[1]) {
            element(ElementType::I16, 0, place[0], place[1])
        } else {
            fill
        }
    });
}

/// The elements that the other program takes for missing are excluded, and no others.
#[track_caller]
pub(super) fn misses_what_others_do(name: &str) {
    let text = fs::read_to_string(data().join("cubes.json")).unwrap();
    let missing: BTreeMap<String, Vec<usize>> = serde_json::from_str(&text).unwrap();
    let opened = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let values = values(&opened);
    let nodata = opened.metadata().nodata();
    let is_missing = |k: usize| {
        let is_nodata =
            nodata.is_some_and(|nodata| values[k] == nodata || nodata.is_nan() && values[k].is_nan());
        opened.metadata().is_null(k) || is_nodata
    };
    let found: Vec<usize> = (0..values.len()).filter(|&k| is_missing(k)).collect();
    assert_eq!(found, missing[name], "{name}");
    // And so says the problem that is made of it.
    let excluded = if found.len() == values.len() { return } else { found.len() as u64 };
    let n = Problem::builder(opened).rules(ValidityRules::default()).build().unwrap().valid_len();
    assert_eq!(n, values.len() as u64 - excluded, "{name}");
}
