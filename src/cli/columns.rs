use clap::Args;

use super::error::CliError;
use crate::io::Source;

/// X and T as columns of one table.
#[derive(Debug, Args)]
pub(super) struct ColumnArguments {
    /// The column of X, where X and T are columns of one file: FILE --x COL --t COL
    #[arg(long = "x", value_name = "COL", requires = "t_column", conflicts_with = "t", help_heading = None::<&'static str>)]
    x_column: Option<String>,

    /// The column of T in that file
    #[arg(long = "t", value_name = "COL", requires = "x_column", conflicts_with = "t", help_heading = None::<&'static str>)]
    t_column: Option<String>,
}

impl ColumnArguments {
    /// X and T, given as two arguments or as one and columns of it.
    pub(super) fn of(&self, x: &Source, t: Option<&Source>) -> Result<[Source; 2], CliError> {
        let column = |column: &Option<String>| Source { path: x.path.clone(), key: column.clone() };
        match (t, &x.key, &self.x_column) {
            (Some(t), ..) => Ok([x.clone(), t.clone()]),
            (None, Some(key), Some(_)) => {
                Err(CliError::Usage(format!("{x} names a column, and so does --x; remove \":{key}\"")))
            }
            (None, ..) => Ok([column(&self.x_column), column(&self.t_column)]),
        }
    }
}
