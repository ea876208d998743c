//! Datasets of HDF5 files, and so variables of NetCDF-4 files.
//!
//! The reader is of this house, and strict: superblocks 0 to 3, groups and attributes of
//! both kinds, contiguous, compact and chunked datasets with every index of chunks, and
//! the filters that h5py and netCDF4 use unless they are asked for others. What it does
//! not know it refuses by name. A dataset that lies in the file as in memory is mapped;
//! the chunks of others are decoded on all cores. No number of the file is believed: all
//! that it claims must lie within the file, and what is allocated is bounded by it and
//! by the memory allowed.

mod attribute;
mod bytes;
mod dataset;
mod dataspace;
mod datatype;
mod fault;
mod file;
mod filter;
mod group;
mod header;
mod heap;
mod index;
mod layout;
mod lzf;
mod tree;

use std::sync::Arc;

use self::dataset::Dataset;
use self::fault::Fault;
use self::file::File;
use self::header::{Header, kind};
use super::cf;
use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use crate::array::error::listed;
use crate::array::{DataError, Shape};

/// Opens the dataset of a path from the root; without one the only one of numbers that
/// is no axis of another.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let map = Arc::new(input.map()?);
    let failed = |fault: Fault| fault.error(input);
    let file = File::new(map.bytes()).map_err(failed)?;
    let (name, header) = match input.key {
        Some(key) => match group::find(&file, key).map_err(failed)? {
            Some(object) => {
                (key.trim_start_matches('/').to_owned(), Header::new(&file, object).map_err(failed)?)
            }
            None => return Err(missing(input, &file, key)),
        },
        None => only(input, &file)?,
    };
    let Some(mut dataset) = Dataset::new(input, &file, &header, &name)? else {
        return Err(missing(input, &file, &name));
    };
    let attributes = attribute::all(&file, &header).map_err(failed)?;
    dataset.element = cf::element(dataset.element, &attributes);
    let array = dataset.array(input, &file, &map)?.keyed(&name);
    cf::opened(array, &attributes, dataset.fill().as_deref())
}

/// What the file says of its datasets of numbers.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let map = input.map()?;
    let failed = |fault: Fault| fault.error(input);
    let file = File::new(map.bytes()).map_err(failed)?;
    let mut all = Vec::new();
    for (path, header) in names(&file).map_err(failed)? {
        let dataset = match Dataset::new(input, &file, &header, &path) {
            Ok(Some(dataset)) => dataset,
            Ok(None) => continue,
            Err(error) => {
                all.push(Listed::unread(path, error.to_string()));
                continue;
            }
        };
        let attributes = attribute::all(&file, &header).map_err(failed)?;
        let element = cf::element(dataset.element, &attributes);
        let listed = Listed::decoded(path, Some(Shape(dataset.shape.clone())), element.name());
        all.push(Listed {
            is_mapped: dataset.is_mapped(),
            ..cf::listed(listed, &attributes).compressed(dataset.compression())
        });
    }
    Ok(all)
}

/// The names of the datasets that hold numbers; of those that are axes of others only if
/// there are no others.
fn names<'f>(file: &'f File<'f>) -> Result<Vec<(String, Header<'f>)>, Fault> {
    let mut arrays = Vec::new();
    let mut axes = Vec::new();
    for (path, header) in group::objects(file)? {
        let Some(mut datatype) = header.find(file, kind::DATATYPE)? else { continue };
        if !matches!(datatype::Datatype::new(&mut datatype), Ok(datatype::Datatype::Number(..))) {
            continue;
        }
        let attributes = attribute::all(file, &header)?;
        let is_axis = cf::text(&attributes, "CLASS").is_some_and(|class| class == "DIMENSION_SCALE");
        if is_axis { &mut axes } else { &mut arrays }.push((path, header));
    }
    Ok(if arrays.is_empty() { axes } else { arrays })
}

/// The only dataset of numbers.
fn only<'f>(input: &Input<'_>, file: &'f File<'f>) -> Result<(String, Header<'f>), DataError> {
    let mut found = names(file).map_err(|fault| fault.error(input))?;
    let paths: Vec<String> = found.iter().map(|(path, _)| path.clone()).collect();
    Ok(found.swap_remove(input.choose(WHAT, &paths)?))
}

/// What the arrays of a file are called.
const WHAT: &str = "dataset";

/// The error of a path that leads to no dataset.
fn missing<'f>(input: &Input<'_>, file: &'f File<'f>, key: &str) -> DataError {
    match names(file) {
        Ok(found) => {
            let names: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
            let available = listed(names.iter().map(|name| crate::array::error::excerpt(name)));
            input.no_such(WHAT, key, names, available)
        }
        Err(fault) => fault.error(input),
    }
}
