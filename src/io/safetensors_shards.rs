//! Tensors of a model in several `.safetensors` files, shards, with an index of JSON
//! beside them that says which has which: `model.safetensors.index.json`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::safetensors;
use crate::array::DataError;
use crate::array::error::{excerpt, reason};

const KIND: &str = ".safetensors.index.json";

/// As long as the header of a shard may be.
const MOST_BYTES: u64 = 100_000_000;

/// The index: the file of each tensor.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Whether a file is an index by its name.
pub(super) fn is_index_name(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().ends_with(KIND))
}

/// Maps a tensor of the shard that has it; without a key the only one.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let index = Index::read(input)?;
    let names: Vec<String> = index.weight_map.keys().cloned().collect();
    let name = &names[input.choose("tensor", &names)?];
    let path = shard_path(input, Path::new(index.weight_map.get(name).map_or("", String::as_str)))?;
    let file = File::open(&path).map_err(|e| DataError::io(&path, e))?;
    safetensors::open(&Input { path: &path, file: &file, key: Some(name), ..*input })
}

/// The file of a shard.
fn shard_path(input: &Input<'_>, shard: &Path) -> Result<PathBuf, DataError> {
    let mut parts = shard.components();
    // No file elsewhere is meant, whatever an index says.
    if matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Ok(input.path.with_file_name(shard));
    }
    let found = excerpt(&shard.to_string_lossy());
    Err(input.invalid(KIND, &format!("its shard {found:?} is not a file beside it")))
}

/// The tensors of all shards, each with its shard.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let index = Index::read(input)?;
    let mut shards: Vec<&String> = index.weight_map.values().collect();
    shards.sort();
    shards.dedup();
    let mut all = Vec::new();
    for shard in shards {
        let path = shard_path(input, Path::new(shard))?;
        let file = File::open(&path).map_err(|e| DataError::io(&path, e))?;
        let tensors = safetensors::list(&Input { path: &path, file: &file, key: None, ..*input })?;
        let is_here =
            |listed: &Listed| listed.key.as_ref().and_then(|key| index.weight_map.get(key)) == Some(shard);
        all.extend(tensors.into_iter().filter(is_here).map(|listed| listed.named(shard)));
    }
    Ok(all)
}

impl Index {
    fn read(input: &Input<'_>) -> Result<Self, DataError> {
        let mut text = Vec::new();
        let read = input.clone_file()?.take(MOST_BYTES + 1).read_to_end(&mut text);
        read.map_err(|e| DataError::io(input.path, e))?;
        if text.len() as u64 > MOST_BYTES {
            let bytes = text.len() as u64;
            return Err(DataError::Claim { path: input.path.to_owned(), what: "index", bytes });
        }
        serde_json::from_slice(&text).map_err(|e| input.invalid(KIND, &reason(&e.to_string())))
    }
}
