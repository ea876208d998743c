//! The column that is read, found by its name or number.

use std::sync::Arc;

use arrow_ipc as ipc;
use arrow_schema::{DataType, Field, Schema};

use crate::array::error::{excerpt, listed};
use crate::array::{Array, Bitmap, DataError, ElementType, Nodata, Scaling};
use crate::io::choice::Choice;
use crate::io::input::Input;
use crate::io::metadata::Opened;
use crate::io::nodata;
use crate::io::note::Note;
use crate::io::scaling;

pub(super) const KIND: &str = "Arrow";

/// The column that is read, or a field of one that is made of fields.
pub(in super::super) struct Column {
    /// Its place among the columns, the outermost if it is a field.
    pub(in super::super) index: usize,
    /// The places of the fields that lead to it from there.
    pub(in super::super) fields: Vec<usize>,
    /// The names of the outermost column and of these fields.
    pub(in super::super) path: Vec<String>,
    /// Its name, `a.b` if it is the field b of the column a.
    pub(in super::super) name: String,
    pub(in super::super) element: ElementType,
    pub(in super::super) nodata: Option<Nodata>,
    pub(in super::super) scaling: Option<Scaling>,
    /// The key by which it was chosen, if one was given.
    choice: Option<Choice>,
}

impl Column {
    /// Finds the column that is meant, by name or by 0-based number; without
    /// either the only one.
    pub(in super::super) fn choose(input: &Input<'_>, schema: &Schema) -> Result<Self, DataError> {
        let columns = schema.fields();
        let Found { index, fields, path, field, choice } = match input.key {
            Some(key) => Found::by(input, schema, key)?.ok_or_else(|| {
                let names = columns.iter().map(|column| column.name().as_str());
                input.no_such("column", key, names, available(schema))
            })?,
            None if columns.len() == 1 => Found::column(schema, 0),
            None => {
                return Err(DataError::WhichArray {
                    path: input.path.to_owned(),
                    what: "column",
                    count: columns.len(),
                    available: available(schema),
                });
            }
        };
        let column = columns[index].name();
        let name = match input.key {
            Some(key) if !fields.is_empty() => key.to_owned(),
            _ => column.clone(),
        };
        let element =
            element_type(field.data_type()).ok_or_else(|| no_number(input, &name, field.data_type()))?;
        Ok(Self {
            index,
            fields,
            path,
            name,
            element,
            nodata: nodata_of(field),
            scaling: scaling_of(field),
            choice,
        })
    }

    /// The column that was read, with its null elements and the number of decimals
    /// that were rounded.
    pub(in super::super) fn opened(&self, array: Array, valid: Bitmap, rounded: u64) -> Opened {
        let rounded = Note::of_decimals(rounded, array.len() as u64);
        let note = self.choice.as_ref().and_then(Choice::note);
        Opened::from(array.keyed(&self.name))
            .with_nulls(valid)
            .with_nodata(self.nodata.clone())
            .with_scaling(self.scaling)
            .noted(rounded.into_iter().chain(note))
            .chosen(self.choice.clone())
    }

    /// The field that is read, of its outermost one.
    pub(in super::super) fn within<'f>(&self, mut field: &'f Field) -> Option<&'f Field> {
        for &place in &self.fields {
            let DataType::Struct(fields) = field.data_type() else { return None };
            field = fields.get(place)?;
        }
        Some(field)
    }

    /// The number of its dictionary, if it has one.
    pub(super) fn dictionary_id(&self, schema: ipc::Schema<'_>) -> Option<i64> {
        let mut field = schema.fields()?.iter().nth(self.index)?;
        for &place in &self.fields {
            field = field.children()?.iter().nth(place)?;
        }
        Some(field.dictionary()?.id())
    }
}

/// The names and numbers of all columns.
fn available(schema: &Schema) -> String {
    let describe = |(number, field): (usize, &Arc<Field>)| format!("{} ({number})", excerpt(field.name()));
    listed(schema.fields().iter().enumerate().map(describe))
}

/// A column, or a field of one.
struct Found<'s> {
    /// The column's place.
    index: usize,
    /// The places of the fields that lead to it from there.
    fields: Vec<usize>,
    path: Vec<String>,
    field: &'s Field,
    choice: Option<Choice>,
}

impl<'s> Found<'s> {
    fn column(schema: &'s Schema, index: usize) -> Self {
        let field = schema.field(index);
        Self { index, fields: Vec::new(), path: vec![field.name().clone()], field, choice: None }
    }

    /// Finds a column by its name or number, or a field by `a.b`.
    fn by(input: &Input<'_>, schema: &'s Schema, key: &str) -> Result<Option<Self>, DataError> {
        let columns = schema.fields();
        let by_name =
            |name: &str| input.only_one("column", name, columns.iter().map(|field| field.name() == name));
        let by_number = || key.parse().ok().filter(|&number: &usize| number < columns.len());
        let available = || available(schema);
        if let Some(choice) = Choice::of(input.path, key, [by_name(key)?, by_number()], available) {
            let found = Self::column(schema, choice.column());
            return Ok(Some(Self { choice: Some(choice), ..found }));
        }
        let mut names = key.split('.');
        let Some(index) = by_name(names.next().unwrap_or_default())? else { return Ok(None) };
        let mut found = Self::column(schema, index);
        for name in names {
            let DataType::Struct(fields) = found.field.data_type() else { return Ok(None) };
            let Some((place, field)) = fields.find(name) else { return Ok(None) };
            found.fields.push(place);
            found.path.push(name.to_owned());
            found.field = field;
        }
        let place = std::iter::once(index).chain(found.fields.iter().copied()).collect();
        found.choice = Some(Choice::of_field(input.path, key, place));
        Ok(Some(found))
    }
}

/// The error of a column that is not read.
pub(in super::super) fn no_number(input: &Input<'_>, name: &str, data_type: &DataType) -> DataError {
    let (found, remedy) = match data_type {
        DataType::Struct(fields) => {
            let names =
                listed(fields.iter().map(|field| excerpt(field.name())).collect::<Vec<_>>().into_iter());
            ("fields".to_owned(), format!("name one of them as {name}.FIELD, from: {names}"))
        }
        DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_)
        | DataType::Interval(_) => {
            (data_type.to_string(), "cast the column to a number, of days or seconds, for example".to_owned())
        }
        _ => (data_type.to_string(), "cast the column to double, for example".to_owned()),
    };
    DataError::ColumnType {
        path: input.path.to_owned(),
        column: excerpt(name),
        found: format!("its type is {}", excerpt(&found)),
        remedy,
    }
}

/// The scale and the offset that a field has, by the names of the CF conventions.
pub(in super::super) fn scaling_of(field: &Field) -> Option<Scaling> {
    scaling::find(&[["scale_factor", "add_offset"]], |name| field.metadata().get(name))
}

/// The nodata value of a column's attributes, as netCDF and xarray name them.
pub(in super::super) fn nodata_of(field: &Field) -> Option<Nodata> {
    nodata::find(&["_FillValue", "missing_value"], |name| field.metadata().get(name))
}

/// The type in which the numbers of a column are read, if they are numbers.
pub(super) fn element_type(data_type: &DataType) -> Option<ElementType> {
    Some(match data_type {
        DataType::Boolean => ElementType::Bool,
        DataType::UInt8 => ElementType::U8,
        DataType::Int8 => ElementType::I8,
        DataType::UInt16 => ElementType::U16,
        DataType::Int16 => ElementType::I16,
        DataType::UInt32 => ElementType::U32,
        DataType::Int32 => ElementType::I32,
        DataType::UInt64 => ElementType::U64,
        DataType::Int64 => ElementType::I64,
        DataType::Float16 => ElementType::F16,
        DataType::Float32 => ElementType::F32,
        DataType::Float64 => ElementType::F64,
        decimal if decimal.is_decimal() => ElementType::F64,
        DataType::Dictionary(_, values) => return element_type(values),
        _ => return None,
    })
}
