//! The places of a column's arrays and buffers among those of a batch, which has
//! them in one row, of all columns and of the fields within them.

use std::collections::VecDeque;

use arrow_ipc::MetadataVersion;
use arrow_schema::{DataType, Field, UnionMode};

use super::column::Column;

/// The place of an array's description and of its first buffer, which says
/// which values are valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) node: usize,
    pub(super) buffer: usize,
}

/// The places of a column and of the fields in it that lead to the one that is
/// read; `None` if the batch doesn't say how many buffers a column before it
/// has. `variadic` are the numbers of buffers of columns of views.
pub(super) fn of(
    column: &Column,
    fields: &[&Field],
    variadic: impl Iterator<Item = i64>,
    version: MetadataVersion,
) -> Option<Vec<Place>> {
    let mut walk = Walk { at: Place::default(), variadic: variadic.collect(), version };
    let (before, from) = fields.split_at_checked(column.index)?;
    before.iter().try_for_each(|field| walk.pass(field))?;
    let mut field: &Field = from.first()?;
    let mut places = vec![walk.at];
    for &place in &column.fields {
        let DataType::Struct(fields) = field.data_type() else { return None };
        walk.at.node += 1;
        walk.at.buffer += 1;
        fields.iter().take(place).try_for_each(|field| walk.pass(field))?;
        field = fields.get(place)?;
        places.push(walk.at);
    }
    Some(places)
}

struct Walk {
    at: Place,
    variadic: VecDeque<i64>,
    version: MetadataVersion,
}

impl Walk {
    /// Passes a field and all within it.
    fn pass(&mut self, field: &Field) -> Option<()> {
        self.at.node += 1;
        let buffers = match field.data_type() {
            DataType::Null | DataType::RunEndEncoded(..) => 0,
            DataType::Struct(_) | DataType::FixedSizeList(..) => 1,
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::ListView(_)
            | DataType::LargeListView(_) => 3,
            DataType::Utf8View | DataType::BinaryView => {
                usize::try_from(self.variadic.pop_front()?).ok()?.checked_add(2)?
            }
            DataType::Union(_, mode) => {
                usize::from(self.version < MetadataVersion::V5) + 1 + usize::from(*mode == UnionMode::Dense)
            }
            // Lists and maps have offsets, all others values.
            _ => 2,
        };
        self.at.buffer = self.at.buffer.checked_add(buffers)?;
        match field.data_type() {
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::ListView(field)
            | DataType::LargeListView(field)
            | DataType::FixedSizeList(field, _)
            | DataType::Map(field, _) => self.pass(field),
            DataType::Struct(fields) => fields.iter().try_for_each(|field| self.pass(field)),
            DataType::Union(fields, _) => fields.iter().try_for_each(|(_, field)| self.pass(field)),
            DataType::RunEndEncoded(ends, values) => self.pass(ends).and_then(|()| self.pass(values)),
            _ => Some(()),
        }
    }
}
