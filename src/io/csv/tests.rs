//! Text that is cut into blocks anywhere is read as one row after another is.

use std::fs::File;
use std::path::Path;

use proptest::prelude::*;

use super::column::Elements;
use super::field::Field;
use super::records::{Comments, Fault, Meaning, Records, content};
use super::*;
use crate::array::Order;
use crate::io::text_rules::{Decimal, TextRules};

/// The result of reading: columns, each of numbers or nulls, and the notes; or an
/// error.
type Found = Result<(Vec<Vec<Option<f64>>>, Vec<String>), String>;

fn with_input<T>(text: &[u8], rules: TextRules, read: impl FnOnce(&Input<'_>) -> T) -> T {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.csv");
    std::fs::write(&path, text).unwrap();
    let file = File::open(&path).unwrap();
    read(&Input {
        path: Path::new("x.csv"),
        file: &file,
        key: None,
        memory_bytes: u64::MAX,
        raw: None,
        text: rules,
        alpha: true,
    })
}

fn in_blocks(input: &Input<'_>, keys: &[Option<&str>], block_bytes: u64) -> Found {
    let columns = read_blocks(input, Named::Commas, keys, |_| block_bytes).map_err(|e| e.to_string())?;
    let numbers = |column: &Opened| {
        let mut numbers = vec![0.0; column.len()];
        column.read(Order::C, 0, &mut numbers);
        let is_null = |k: usize| column.metadata().is_null(k);
        numbers.into_iter().enumerate().map(|(k, number)| Some(number).filter(|_| !is_null(k))).collect()
    };
    let notes = columns.iter().flat_map(|column| column.metadata().notes().iter().map(ToString::to_string));
    Ok((columns.iter().map(numbers).collect(), notes.collect()))
}

/// One record after another, each of them in whole.
fn row_by_row(input: &Input<'_>, keys: &[Option<&str>]) -> Result<Vec<Vec<Option<f64>>>, String> {
    let comments = input.text.comment.map_or(Comments::BeforeRows, Comments::Anywhere);
    let (stored, dialect, _) = open(input, Named::Commas).unwrap();
    let records = || Records::new(stored.reader().unwrap(), dialect, comments);
    let head = Head::read(input, records(), keys).map_err(|e| e.to_string())?;
    let mut columns = vec![Vec::new(); keys.len()];
    let (mut records, mut is_header) = (records(), head.has_header);
    loop {
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(columns),
            Err(Fault::Line(line, reason)) => return Err(format!("x.csv:{line}: {reason}")),
            Err(Fault::Io(error)) => panic!("{error}"),
        };
        match record.meaning {
            Meaning::Row if std::mem::take(&mut is_header) => continue,
            Meaning::Empty if head.count == 1 && !is_header => {}
            Meaning::Row => {}
            Meaning::Empty | Meaning::Comment => continue,
        }
        let fields: Vec<&[u8]> = record.fields().collect();
        if record.meaning == Meaning::Row && fields.len() != head.count {
            return Err(format!("x.csv:{}: number of fields: {}", record.line, fields.len()));
        }
        for (column, chosen) in columns.iter_mut().zip(&head.columns) {
            let field = fields.get(chosen.index).map(|field| content(field)).unwrap_or_default();
            column.push(match Field::of(&field, dialect.decimal) {
                Field::Number(..) if chosen.is_boolean => return Err(format!("x.csv:{}: ", record.line)),
                Field::Number(number, number::Kind::Beyond) => {
                    return Err(format!("x.csv:{}: {number}", record.line));
                }
                Field::Number(number, _) => Some(number),
                Field::Boolean(value) => Some(f64::from(u8::from(value))),
                Field::Null => None,
                Field::Text => return Err(format!("x.csv:{}: ", record.line)),
            });
        }
    }
}

#[track_caller]
fn check(text: &[u8], keys: &[Option<&str>], rules: TextRules) {
    with_input(text, rules, |input| {
        let whole = in_blocks(input, keys, 1 << 20);
        match (&whole, row_by_row(input, keys)) {
            (Ok((columns, _)), Ok(want)) => {
                let bits = |columns: &[Vec<Option<f64>>]| -> Vec<Vec<Option<u64>>> {
                    columns
                        .iter()
                        .map(|column| column.iter().map(|n| n.map(f64::to_bits)).collect())
                        .collect()
                };
                assert_eq!(bits(columns), bits(&want));
            }
            // The same line.
            (Err(found), Err(want)) => {
                let line = |text: &str| text.split(": ").next().map(str::to_owned);
                assert_eq!(line(found), line(&want), "{found} | {want}");
            }
            (found, want) => panic!("{found:?} | {want:?}"),
        }
        for block_bytes in [1, 2, 3, 7, 20, 64] {
            let found = in_blocks(input, keys, block_bytes);
            // NaN is as good as NaN.
            assert_eq!(format!("{found:?}"), format!("{whole:?}"), "{block_bytes}");
        }
    });
}

const NO_RULES: TextRules =
    TextRules { header: None, comment: None, delimiter: None, decimal: Decimal::Point };

#[test]
fn rows_of_every_kind_in_blocks_of_every_size() {
    let ends = ["\n", "\r\n", "\r"];
    for text in [
        "a,b\n1,10\n2,20\n3,30\n",
        "a,b\n1,10\n2,20\n3,30",
        "a,b\n1.5,\"10\"\n\"2\",20\n\n# no\n3,30\n",
        "# one\n# two\n\na,b\n1,10\n",
        "a,b\n1,\"1\n0\"\n2,20\n",
        "a,\"b\nc\"\n1,10\n2,20\n",
        "a,b\n1,10\n2\n",
        "a,b\n1,10\n2,\"20\n3,30\n",
        "a,b\n1,1e999\n",
        "a,b\n,\n 1 , 2\nNA,true\n",
        "a,b\n9007199254740993,1\n2,18446744073709551615\n",
        "a,b\n9007199254740993,-1\n0.5,18446744073709551615\n",
        "a,b\n1,2\n9007199254740993,x\n",
    ] {
        for end in ends {
            check(text.replace('\n', end).as_bytes(), &[Some("0"), Some("1")], NO_RULES);
            check(text.replace('\n', end).as_bytes(), &[Some("1"), Some("1"), Some("0")], NO_RULES);
            let rules = TextRules { header: Some(false), comment: Some(b'#'), ..NO_RULES };
            check(text.replace('\n', end).as_bytes(), &[Some("1")], rules);
        }
    }
    for text in
        ["x\n1\n\n\n4\n", "1\n2\n \n3", "x\n\"\"\n1\n", "#REF!\n1\n2\n", "true\nfalse\n\n", "true\n1\n"]
    {
        for end in ends {
            check(text.replace('\n', end).as_bytes(), &[None], NO_RULES);
        }
    }
}

#[test]
fn the_type_of_a_column_does_not_depend_on_blocks() {
    for (text, element) in [
        ("1\n2\n9007199254740993\n-4\n5\n", "i64"),
        ("9007199254740993\n18446744073709551615\n3\n", "u64"),
        ("9007199254740993\n18446744073709551615\n-3\n", "f64"),
        ("-3\n9007199254740993\n18446744073709551615\n", "f64"),
        ("9007199254740993\n1\n2\n0.5\n", "f64"),
        ("0.5\n1\n2\n9007199254740993\n", "f64"),
        ("1\n99999999999999999999\n", "f64"),
        ("1\n2\n", "f64"),
    ] {
        with_input(text.as_bytes(), NO_RULES, |input| {
            for block_bytes in [1, 5, 30, 1 << 20] {
                let columns = read_blocks(input, Named::Commas, &[None], |_| block_bytes).unwrap();
                assert_eq!(columns[0].element().name(), element, "{text:?} {block_bytes}");
            }
        });
    }
    assert!(Elements::I64 < Elements::U64 && Elements::U64 < Elements::F64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn text_of_any_rows(
        parts in prop::collection::vec(prop_oneof![
            8 => "[0-9]{1,3}(\\.[0-9]{1,18})?",
            2 => "-?[0-9]{0,20}(e-?[0-9]{1,3})?",
            4 => Just(",".to_owned()),
            8 => Just("1,2\n".to_owned()),
            4 => "[\n\r]{1,2}",
            1 => Just("\"".to_owned()),
            1 => Just("\"4\n\"".to_owned()),
            1 => Just("#".to_owned()),
            1 => "[ \t]",
            1 => Just("NA".to_owned()),
        ], 0..40),
        first in prop_oneof![Just("a,b\n"), Just("1,2\n"), Just("# c\na,b\r\n"), Just("x\n"), Just("")],
        comment in prop_oneof![Just(None), Just(Some(b'#'))],
    ) {
        let text = format!("{first}{}", parts.concat());
        let rules = TextRules { comment, ..NO_RULES };
        check(text.as_bytes(), &[Some("0"), Some("1")], rules);
        check(text.as_bytes(), &[Some("1")], rules);
        check(text.as_bytes(), &[None], rules);
    }
}
