//! Columns of Arrow IPC files, which Feather (version 2) files are too, and of
//! IPC streams, decoded batch by batch.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::array::AnyDictionaryArray;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader, read_footer_length};
use arrow_ipc::writer::FileWriter;
use arrow_ipc::{self as ipc, Block, Endianness, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::attribute::NodataAttribute;
use super::error::{excerpt, listed, reason};
use super::matrix::Bytes;
use super::nulls::Nulls;
use super::output::OutputFile;
use super::results::ArrayWriter;
use super::source::Input;
use super::spool::Spool;
use super::{Bool8, DataError, Element, ElementType, Matrix, Shape};
use crate::with_element;

const KIND: &str = "Arrow";

const SIGNATURE: &[u8] = b"ARROW1";

/// What a message begins with, and a stream of them.
const CONTINUATION: &[u8] = &[0xff; 4];

/// Rows of a batch that is written.
const BATCH_ROWS: usize = 1 << 16;

/// Opens a column.
pub(super) fn open(input: &Input<'_>) -> Result<Matrix, DataError> {
    let is_stream = check(input)?;
    let failed = |e| failed(input, KIND, &e);
    let reader = || Ok(BufReader::new(input.clone_file()?));
    if is_stream {
        let schema = StreamReader::try_new(reader()?, None).map_err(failed)?.schema();
        let column = Column::choose(input, &schema)?;
        let batches = StreamReader::try_new(reader()?, Some(vec![column.index])).map_err(failed)?;
        column.read(input, batches.map(|batch| batch.map_err(failed)))
    } else {
        let schema = FileReader::try_new(reader()?, None).map_err(failed)?.schema();
        let column = Column::choose(input, &schema)?;
        let batches = FileReader::try_new(reader()?, Some(vec![column.index])).map_err(failed)?;
        column.read(input, batches.map(|batch| batch.map_err(failed)))
    }
}

/// Whether a file begins as an IPC stream: with a schema.
pub(super) fn begins_stream(file: &[u8]) -> bool {
    let message = || Message::first(file)?.header()?.header_as_schema();
    message().is_some()
}

/// Whether a file is a stream, which has no directory. Refuses what is neither
/// and lengths that a damaged one may promise, before the decoder asks for
/// memory for them: it would end the program if there is not so much.
fn check(input: &Input<'_>) -> Result<bool, DataError> {
    const WRITE: &str = "write it with pyarrow.feather.write_feather or ipc.new_file";
    let map = input.map()?;
    let file = map.bytes();
    let is_stream = file.starts_with(CONTINUATION);
    if file.starts_with(b"FEA1") {
        return Err(input.unsupported("Feather version 1".to_owned(), "write it again, as version 2"));
    }
    if !is_stream && !file.starts_with(SIGNATURE) {
        return Err(input.unsupported("neither an Arrow IPC file nor a stream".to_owned(), WRITE));
    }
    let checked = if is_stream { check_stream(file) } else { check_file(file).ok_or(DAMAGED) };
    match checked {
        Ok(byte_order) if byte_order.equals_to_target_endianness() => Ok(is_stream),
        Ok(byte_order) => {
            let found = format!("its numbers are {}-endian", byte_order.variant_name().unwrap_or("other"));
            Err(input.unsupported(found.to_lowercase(), "write it on a machine like this one"))
        }
        Err(fault) => Err(input.invalid(KIND, fault)),
    }
}

const DAMAGED: &str = "it is truncated or damaged; copy or write it again";

/// The byte order of a file whose messages lie within it; `None` if not.
fn check_file(file: &[u8]) -> Option<Endianness> {
    let trailer = file.last_chunk::<10>()?;
    let end = file.len() - trailer.len();
    let start = end.checked_sub(read_footer_length(*trailer).ok()?)?;
    let footer = root_as_footer(&file[start..end]).ok()?;
    let blocks = footer.dictionaries().into_iter().chain(footer.recordBatches()).flatten();
    blocks.map(|block| Message::at(file, block)?.check_buffers()).collect::<Option<()>>()?;
    Some(footer.schema()?.endianness())
}

/// The byte order of a stream of whole messages, the first of which is a
/// schema and the last the mark of the end: a stream may do without the mark,
/// but then nobody knows whether it is whole.
fn check_stream(file: &[u8]) -> Result<Endianness, &'static str> {
    const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let first = Message::first(file).ok_or(DAMAGED)?;
    let schema = first.header().and_then(|header| header.header_as_schema()).ok_or(DAMAGED)?;
    let mut rest = first.rest;
    while rest != END {
        if rest.is_empty() {
            return Err(
                "it has no end mark, so that it may be cut off; close what writes it, and write it again",
            );
        }
        let message = Message::first(rest).ok_or(DAMAGED)?;
        message.check_buffers().ok_or(DAMAGED)?;
        rest = message.rest;
    }
    Ok(schema.endianness())
}

/// A message within a file.
struct Message<'f> {
    metadata: &'f [u8],
    body: &'f [u8],
    /// What comes after it.
    rest: &'f [u8],
}

impl<'f> Message<'f> {
    /// The message a file's directory points to, if all of it is there.
    fn at(file: &'f [u8], block: &Block) -> Option<Self> {
        let start = usize::try_from(block.offset()).ok()?;
        let (message, rest) =
            file.get(start..)?.split_at_checked(usize::try_from(block.metaDataLength()).ok()?)?;
        let (body, rest) = rest.split_at_checked(usize::try_from(block.bodyLength()).ok()?)?;
        let head = if message.starts_with(CONTINUATION) { 8 } else { 4 };
        Some(Self { metadata: message.get(head..)?, body, rest })
    }

    /// The message that a stream begins with, if all of it is there.
    fn first(stream: &'f [u8]) -> Option<Self> {
        let (length, rest) = stream.strip_prefix(CONTINUATION)?.split_first_chunk()?;
        let length = usize::try_from(i32::from_le_bytes(*length)).ok()?;
        let (metadata, rest) = rest.split_at_checked(length)?;
        let body_bytes = root_as_message(metadata).ok()?.bodyLength();
        let (body, rest) = rest.split_at_checked(usize::try_from(body_bytes).ok()?)?;
        Some(Self { metadata, body, rest })
    }

    fn header(&self) -> Option<ipc::Message<'f>> {
        root_as_message(self.metadata).ok()
    }

    /// Checks a batch, whose buffers must lie within the body.
    fn check_buffers(&self) -> Option<()> {
        /// More than any compression of numbers achieves: zstd makes 128 KiB of
        /// four bytes.
        const UTMOST_RATIO: i64 = 1 << 15;
        let header = self.header()?;
        let dictionary = header.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
        let batch = header.header_as_record_batch().or(dictionary)?;
        for buffer in batch.buffers()? {
            let bytes = self.body.get(usize::try_from(buffer.offset()).ok()?..)?;
            let bytes = bytes.get(..usize::try_from(buffer.length()).ok()?)?;
            // A compressed buffer begins with its length once decompressed.
            if let (Some(_), Some(length)) = (batch.compression(), bytes.first_chunk()) {
                let utmost = buffer.length().checked_mul(UTMOST_RATIO)?;
                Some(()).filter(|()| i64::from_le_bytes(*length) <= utmost)?;
            }
        }
        Some(())
    }
}

/// The column that is read, or a field of one that is made of fields.
pub(super) struct Column {
    /// Its place among the columns, the outermost if it is a field.
    pub(super) index: usize,
    /// The places of the fields that lead to it from there.
    fields: Vec<usize>,
    /// Its name, `a.b` if it is the field b of the column a.
    pub(super) name: String,
    element: ElementType,
    pub(super) nodata: Option<NodataAttribute>,
}

impl Column {
    /// Finds the column that is meant, by name or by 0-based number; without
    /// either the only one.
    pub(super) fn choose(input: &Input<'_>, schema: &Schema) -> Result<Self, DataError> {
        let columns = schema.fields();
        let available = || {
            listed(
                columns
                    .iter()
                    .enumerate()
                    .map(|(number, field)| format!("{} ({number})", excerpt(field.name()))),
            )
        };
        let Found { index, fields, field } = match input.key {
            Some(key) => {
                Found::by(input, schema, key)?.ok_or_else(|| input.no_such("column", key, available()))?
            }
            None if columns.len() == 1 => Found::column(schema, 0),
            None => {
                return Err(DataError::WhichArray {
                    path: input.path.to_owned(),
                    what: "column",
                    count: columns.len(),
                    available: available(),
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
        Ok(Self { index, fields, name, element, nodata: nodata(field) })
    }

    /// The field that is read, of its outermost one.
    pub(super) fn within<'f>(&self, mut field: &'f Field) -> Option<&'f Field> {
        for &place in &self.fields {
            let DataType::Struct(fields) = field.data_type() else { return None };
            field = fields.get(place)?;
        }
        Some(field)
    }

    /// Reads the column, the only one in each of the batches.
    pub(super) fn read(
        &self,
        input: &Input<'_>,
        batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
    ) -> Result<Matrix, DataError> {
        let unlike = || input.invalid(KIND, "a column is not what the schema says");
        with_element!(self.element, E => {
            let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
            let mut nulls = Nulls::default();
            let mut rows = 0;
            for batch in batches {
                let batch = batch?;
                let mut array = batch.column(0);
                null_rows(array).into_iter().for_each(|k| nulls.insert(rows + k));
                for &place in &self.fields {
                    array = array.as_struct_opt().and_then(|fields| fields.columns().get(place)).ok_or_else(unlike)?;
                    null_rows(array).into_iter().for_each(|k| nulls.insert(rows + k));
                }
                append(array.as_ref(), &mut spool)?.ok_or_else(unlike)?;
                rows += batch.num_rows();
            }
            let matrix = spool.finish(Shape(vec![rows as u64]))?.keyed(&self.name);
            Ok(matrix.with_nulls(nulls).with_nodata(self.nodata.clone()))
        })
    }
}

/// A column, or a field of one.
struct Found<'s> {
    /// The column's place.
    index: usize,
    /// The places of the fields that lead to it from there.
    fields: Vec<usize>,
    field: &'s Field,
}

impl<'s> Found<'s> {
    fn column(schema: &'s Schema, index: usize) -> Self {
        Self { index, fields: Vec::new(), field: schema.field(index) }
    }

    /// Finds a column by its name or number, or a field by `a.b`.
    fn by(input: &Input<'_>, schema: &'s Schema, key: &str) -> Result<Option<Self>, DataError> {
        let columns = schema.fields();
        let by_name =
            |name: &str| input.only_one("column", name, columns.iter().map(|field| field.name() == name));
        let by_number = || key.parse().ok().filter(|&number: &usize| number < columns.len());
        if let Some(index) = by_name(key)?.or_else(by_number) {
            return Ok(Some(Self::column(schema, index)));
        }
        let mut names = key.split('.');
        let Some(index) = by_name(names.next().unwrap_or_default())? else { return Ok(None) };
        let mut found = Self::column(schema, index);
        for name in names {
            let DataType::Struct(fields) = found.field.data_type() else { return Ok(None) };
            let Some((place, field)) = fields.find(name) else { return Ok(None) };
            found.fields.push(place);
            found.field = field;
        }
        Ok(Some(found))
    }
}

/// Why a column is not read, and what to do.
pub(super) fn no_number(input: &Input<'_>, name: &str, data_type: &DataType) -> DataError {
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

/// What a column's attributes say of the value that stands for nothing, as
/// netCDF and xarray name them.
pub(super) fn nodata(field: &Field) -> Option<NodataAttribute> {
    NodataAttribute::find(&["_FillValue", "missing_value"], |name| field.metadata().get(name))
}

/// The rows of an array that are null, be it that their key in a dictionary or
/// what that stands for is.
fn null_rows(array: &dyn Array) -> Vec<usize> {
    array
        .logical_nulls()
        .map_or_else(Vec::new, |nulls| (0..array.len()).filter(|&k| nulls.is_null(k)).collect())
}

/// Appends the values of an array, 0 for a null; `None` if they are of another
/// type or fewer than they should be.
fn append<E: Element>(array: &dyn Array, spool: &mut Spool<E>) -> Result<Option<()>, DataError> {
    if element_type(array.data_type()) != Some(E::TYPE) {
        return Ok(None);
    }
    let as_they_are = array.null_count() == 0;
    let appended = with_stored::<E, _>(array, |bytes| match bytemuck::try_cast_slice(bytes) {
        Ok(values) if as_they_are => Some(spool.append(values)),
        _ => None,
    });
    match appended.flatten() {
        Some(appended) => appended.map(Some),
        None => values::<E>(array).map(|values| spool.append(&values)).transpose(),
    }
}

/// Hands on the bytes of an array that has its values as they are in memory;
/// `None` if it hasn't.
fn with_stored<E: Element, T>(array: &dyn Array, then: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let data = array.to_data();
    if data.data_type().primitive_width() != Some(size_of::<E>()) || data.data_type().is_decimal() {
        return None;
    }
    let start = data.offset() * size_of::<E>();
    data.buffers().first()?.get(start..start + data.len() * size_of::<E>()).map(then)
}

/// The values of an array, 0 for a null.
fn values<E: Element>(array: &dyn Array) -> Option<Vec<E>> {
    let mut values: Vec<E> = if let Some(bits) = array.as_boolean_opt() {
        let bytes: Vec<Bool8> = bits.values().iter().map(|bit| Bool8(u8::from(bit))).collect();
        bytemuck::try_cast_vec(bytes).ok()?
    } else if let Some(dictionary) = array.as_any_dictionary_opt() {
        looked_up(dictionary)?
    } else if array.data_type().is_decimal() {
        bytemuck::try_cast_vec(decimals(array)?).ok()?
    } else {
        with_stored::<E, _>(array, bytemuck::pod_collect_to_vec)?
    };
    // Whatever the file has in their place.
    null_rows(array).into_iter().for_each(|k| values[k] = E::zeroed());
    Some(values)
}

/// What the keys of an array stand for in its dictionary.
fn looked_up<E: Element>(dictionary: &dyn AnyDictionaryArray) -> Option<Vec<E>> {
    let meanings = values::<E>(dictionary.values().as_ref())?;
    if meanings.is_empty() {
        // All are null.
        return Some(vec![E::zeroed(); dictionary.len()]);
    }
    dictionary.normalized_keys().into_iter().map(|key| meanings.get(key).copied()).collect()
}

/// Decimal numbers, each as the f64 nearest to it.
fn decimals(array: &dyn Array) -> Option<Vec<f64>> {
    fn of<T: DecimalType>(
        array: &dyn Array,
        scale: i8,
        digits: impl Fn(T::Native) -> Option<i128>,
    ) -> Option<Vec<f64>>
    where
        T::Native: std::fmt::Display,
    {
        let nearest = |&value: &T::Native| match digits(value).and_then(|digits| quotient(digits, scale)) {
            Some(number) => Some(number),
            None => format!("{value}e{}", -i32::from(scale)).parse().ok(),
        };
        array.as_primitive_opt::<T>()?.values().iter().map(nearest).collect()
    }
    match *array.data_type() {
        DataType::Decimal32(_, scale) => of::<Decimal32Type>(array, scale, |value| Some(value.into())),
        DataType::Decimal64(_, scale) => of::<Decimal64Type>(array, scale, |value| Some(value.into())),
        DataType::Decimal128(_, scale) => of::<Decimal128Type>(array, scale, Some),
        DataType::Decimal256(_, scale) => {
            of::<Decimal256Type>(array, scale, <Decimal256Type as ArrowPrimitiveType>::Native::to_i128)
        }
        _ => None,
    }
}

/// digits / 10^scale, if both are exact in f64, so that the quotient is the
/// nearest number.
#[expect(clippy::cast_precision_loss, reason = "none is lost up to 2^53")]
fn quotient(digits: i128, scale: i8) -> Option<f64> {
    if digits.unsigned_abs() > 1 << 53 || !(0..=22).contains(&scale) {
        return None;
    }
    let power = (0..scale).fold(1.0, |power, _| power * 10.0);
    Some(digits as f64 / power)
}

/// The type in which the numbers of a column are read, if they are numbers.
fn element_type(data_type: &DataType) -> Option<ElementType> {
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

fn failed(input: &Input<'_>, kind: &'static str, error: &ArrowError) -> DataError {
    match error {
        ArrowError::NotYetImplemented(what) => {
            input.unsupported(reason(what), "write it again, with zstd, lz4 or no compression")
        }
        e => input.invalid(kind, &reason(&e.to_string())),
    }
}

/// A column of predictions on its way to a file: it has nulls where X has, and
/// what else is given.
pub(super) struct Batches {
    pub(super) schema: Arc<Schema>,
    nulls: Option<Arc<Nulls>>,
    rows: usize,
}

impl Batches {
    /// No batches yet; `None` for a type that Arrow does not have.
    pub(super) fn new(name: &str, element: ElementType, x: &Matrix) -> Option<Self> {
        let nulls = x.nulls().cloned();
        let field = Field::new(name, data_type(element)?, nulls.is_some());
        Some(Self { schema: Arc::new(Schema::new(vec![field])), nulls, rows: 0 })
    }

    /// Makes batches of the next elements, given as bytes, and hands them on.
    pub(super) fn of(
        &mut self,
        elements: &[u8],
        mut take: impl FnMut(RecordBatch) -> io::Result<()>,
    ) -> io::Result<()> {
        let data_type = self.schema.field(0).data_type();
        let size = data_type.primitive_width().unwrap_or(1);
        for bytes in elements.chunks(BATCH_ROWS * size) {
            let rows = self.rows..self.rows + bytes.len() / size;
            self.rows = rows.end;
            let valid = self.nulls.as_ref().map(|nulls| rows.map(|k| !nulls.contains(k)).collect());
            let column = column(data_type, bytes, valid).map_err(io::Error::other)?;
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), vec![column]);
            take(batch.map_err(io::Error::other)?)?;
        }
        Ok(())
    }
}

fn data_type(element: ElementType) -> Option<DataType> {
    Some(match element {
        ElementType::U8 => DataType::UInt8,
        ElementType::I8 => DataType::Int8,
        ElementType::U16 => DataType::UInt16,
        ElementType::I16 => DataType::Int16,
        ElementType::U32 => DataType::UInt32,
        ElementType::I32 => DataType::Int32,
        ElementType::U64 => DataType::UInt64,
        ElementType::I64 => DataType::Int64,
        ElementType::F16 => DataType::Float16,
        ElementType::F32 => DataType::Float32,
        ElementType::F64 => DataType::Float64,
        ElementType::Bool | ElementType::Bf16 => return None,
    })
}

/// An array of elements given as bytes, null where they are not valid.
fn column(data_type: &DataType, bytes: &[u8], valid: Option<Vec<bool>>) -> Result<ArrayRef, ArrowError> {
    /// The array type of each type of elements.
    macro_rules! array {
        ($($name:ident => $array:ty;)*) => {
            match data_type {
                $(DataType::$name => {
                    let values: Vec<_> = bytemuck::pod_collect_to_vec(bytes);
                    Arc::new(PrimitiveArray::<$array>::from_iter_values_with_nulls(values, valid.map(Into::into)))
                })*
                other => return Err(ArrowError::NotYetImplemented(format!("columns of {other}"))),
            }
        };
    }
    Ok(array! {
        UInt8 => UInt8Type;
        Int8 => Int8Type;
        UInt16 => UInt16Type;
        Int16 => Int16Type;
        UInt32 => UInt32Type;
        Int32 => Int32Type;
        UInt64 => UInt64Type;
        Int64 => Int64Type;
        Float16 => Float16Type;
        Float32 => Float32Type;
        Float64 => Float64Type;
    })
}

/// Writes an Arrow IPC file of one column.
pub(super) struct Writer {
    file: FileWriter<OutputFile>,
    batches: Batches,
    path: PathBuf,
}

impl Writer {
    pub(super) fn create(
        path: &Path,
        name: &str,
        x: &Matrix,
        element: ElementType,
    ) -> Result<Self, DataError> {
        let batches = Batches::new(name, element, x)
            .ok_or_else(|| DataError::write(path, io::Error::other(format!("Arrow has no {element}"))))?;
        let file = FileWriter::try_new(OutputFile::create(path)?, &batches.schema)
            .map_err(|e| DataError::write(path, io::Error::other(e)))?;
        Ok(Self { file, batches, path: path.to_owned() })
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        let Self { file, batches, .. } = self;
        batches.of(elements, |batch| file.write(&batch).map_err(io::Error::other))
    }

    fn finish(mut self: Box<Self>) -> Result<(), DataError> {
        let failed = |e| DataError::write(&self.path, io::Error::other(e));
        self.file.finish().map_err(failed)?;
        self.file.into_inner().map_err(failed)?.finish()
    }
}
