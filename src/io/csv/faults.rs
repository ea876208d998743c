//! Errors of text files, each with its line.

use super::column::Refused;
use super::field::Field;
use super::records::{Fault, content};
use super::stored::io_error;
use crate::array::DataError;
use crate::array::error::excerpt;
use crate::io::input::Input;
use crate::io::text_rules::Decimal;

/// The error of a line.
pub(super) fn error_at(input: &Input<'_>, line: u64, reason: String) -> DataError {
    DataError::Csv { path: input.path.to_owned(), line, reason }
}

/// The error of a fault in reading records.
pub(super) fn fault(input: &Input<'_>, fault: Fault) -> DataError {
    match fault {
        Fault::Io(e) => io_error(input.path, e),
        Fault::Line(line, reason) => error_at(input, line, reason),
    }
}

/// The separator of the fields of a line that was taken for one field; by `is_it`,
/// which judges the parts that each separator makes.
pub(super) fn separated_otherwise(line: &[u8], is_it: impl Fn(&[&str]) -> bool) -> Option<&'static str> {
    const WAYS: [(char, &str); 4] = [(';', "semicolons"), ('\t', "tabs"), (',', "commas"), (' ', "blanks")];
    let text = std::str::from_utf8(line).ok()?;
    let parts =
        |separator| text.split(separator).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let is_it = |separator| {
        let parts = parts(separator);
        parts.len() > 1 && is_it(&parts)
    };
    WAYS.into_iter().find(|(separator, _)| is_it(*separator)).map(|(_, name)| name)
}

/// The error of a field, of a file of so many columns.
pub(super) fn refused_at(
    input: &Input<'_>,
    count: usize,
    line: u64,
    column: usize,
    field: &[u8],
    refused: Refused,
) -> DataError {
    let field = content(field);
    let text = excerpt(&String::from_utf8_lossy(&field));
    let reason = match refused {
        Refused::Spool(error) => return error,
        Refused::Beyond => format!("{text} in column {column} is beyond the range of f64"),
        Refused::NotBoolean => {
            return DataError::NotBoolean { path: input.path.to_owned(), line, text, column };
        }
        Refused::Text | Refused::Again(_) => {
            // Not "5 cm".
            let decimal = input.text.decimal;
            let is_number =
                |bytes: &[u8], decimal: Decimal| Field::of(bytes, decimal.character()) != Field::Text;
            let are_numbers = |parts: &[&str]| parts.iter().all(|part| is_number(part.as_bytes(), decimal));
            let path = input.path.to_owned();
            if let Some(by) = separated_otherwise(&field, are_numbers).filter(|_| count == 1) {
                let found = format!("{text:?} is not a number");
                return DataError::SeparatedOtherwise { path, line, found, by };
            }
            if is_number(&field, decimal.other()) {
                return DataError::OtherDecimal {
                    path,
                    line,
                    text,
                    column,
                    is_comma: decimal == Decimal::Point,
                };
            }
            format!("{text:?} in column {column} is not a number")
        }
    };
    error_at(input, line, reason)
}
