use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CliError;
use super::to_json;
use crate::array::{Array, Problem};
use crate::engine::Partials;
use crate::fit::{Shard, ShardGroups, ShardNumber};
use crate::io::output::OutputFile;
use crate::math::Moments;

/// The moments of a shard, for `linfit merge`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct ShardArguments {
    /// Write the moments of X and T to this file, as those of a shard, for `linfit merge`
    #[arg(long, value_name = "PART.json", hide_short_help = true)]
    save_moments: Option<PathBuf>,

    /// The number of the shard that X and T are, from 1, and that of all: 3/8
    #[arg(long, value_name = "K/N", requires = "save_moments", hide_short_help = true)]
    shard: Option<ShardNumber>,
}

impl ShardArguments {
    /// The file, by the option that names it.
    pub(super) fn output(&self) -> (&'static str, Option<&Path>) {
        ("--save-moments", self.save_moments.as_deref())
    }

    /// Whether the data are a shard.
    pub(super) fn is_given(&self) -> bool {
        self.save_moments.is_some()
    }

    /// The data, of which the chunks of a shard are kept apart.
    pub(super) fn prepared(&self, data: Problem) -> Problem {
        if self.save_moments.is_some() { data.with_chunks_apart() } else { data }
    }

    /// Begins the file.
    pub(super) fn begin(&self) -> Result<Option<OutputFile>, CliError> {
        Ok(self.save_moments.as_deref().map(OutputFile::create).transpose()?)
    }

    /// Writes the moments to the file, if there is one.
    pub(super) fn finish(
        &self,
        file: Option<OutputFile>,
        data: &Problem,
        moments: Partials<Moments>,
        groups: Option<ShardGroups>,
    ) -> Result<(), CliError> {
        let Some(file) = file else { return Ok(()) };
        let inputs = [Some(data.x()), data.t()].map(|array| array.map_or("", Array::label).to_owned());
        let shard = Shard { shard: self.shard, inputs, elements: data.len() as u64, groups, moments };
        Ok(file.finish_with(to_json(&shard)?.as_bytes())?)
    }
}
