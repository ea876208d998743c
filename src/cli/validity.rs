use std::path::Path;
use std::str::FromStr;

use clap::Args;

use super::hint::told;
use crate::array::{Condition, ValidityRules};
use crate::io::{self, Source};

/// The valid pairs of elements, and their weights.
#[derive(Debug, Args)]
#[command(next_help_heading = "Valid data")]
pub(super) struct ValidityArguments {
    /// The nodata value of X and T, a number or nan; pairs with it are excluded. Default: the files'
    /// own (GDAL's tag of a .tif, _FillValue of columns and tensors)
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    nodata: Option<f64>,

    /// The nodata value of X alone
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    x_nodata: Option<f64>,

    /// The nodata value of T alone
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    t_nodata: Option<f64>,

    /// Exclude the pairs where this file is 0 or nan: of X's shape, in any format
    #[arg(long, value_name = "FILE[:KEY]")]
    pub(super) mask: Option<Source>,

    /// Exclude pairs with an element below LO or above HI, such as saturated pixels
    #[arg(long, value_name = "LO,HI", allow_hyphen_values = true)]
    valid_range: Option<ValidRange>,

    /// The same of X alone, in the place of --valid-range
    #[arg(long, value_name = "LO,HI", allow_hyphen_values = true)]
    x_valid_range: Option<ValidRange>,

    /// The same of T alone
    #[arg(long, value_name = "LO,HI", allow_hyphen_values = true)]
    t_valid_range: Option<ValidRange>,

    /// Use only the rows for which this holds, such as 'height > 1.5' or 'site == north', of a column
    /// of X's file or FILE:COLUMN; OP is == != < <= > >=. Several, each with --where, must all hold
    #[arg(long = "where", value_name = "COLUMN OP VALUE")]
    pub(super) conditions: Vec<RowCondition>,

    /// The sample weight of each pair, 0 or more, such as 1/variance: a file of X's shape, in any
    /// format. The loss is then Σw·r²/Σw; pairs of weight 0 are excluded
    #[arg(long, value_name = "FILE[:KEY]")]
    pub(super) weights: Option<Source>,
}

impl ValidityArguments {
    /// The rules that are values; mask and weights are files.
    pub(super) fn values(&self) -> ValidityRules {
        ValidityRules {
            x_nodata: self.x_nodata.or(self.nodata),
            t_nodata: self.t_nodata.or(self.nodata),
            valid_range: self.valid_range.map(|range| range.0),
            x_valid_range: self.x_valid_range.map(|range| range.0),
            t_valid_range: self.t_valid_range.map(|range| range.0),
            ..ValidityRules::default()
        }
    }
}

/// The value of `--where`: a condition, and the column if it is in another file than X.
#[derive(Debug, Clone)]
pub(super) struct RowCondition {
    pub(super) condition: Condition,
    elsewhere: Option<Source>,
}

impl FromStr for RowCondition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let condition: Condition = text.parse()?;
        let Ok(source) = condition.column().parse::<Source>();
        let elsewhere = Some(source).filter(|source| source.key.is_some() && source.path.is_file());
        Ok(Self { condition, elsewhere })
    }
}

impl RowCondition {
    /// The column that it is on: one of X's file, or FILE:COLUMN.
    pub(super) fn column(&self, x: &Source) -> Source {
        let of_x = || Source { path: x.path.clone(), key: Some(self.condition.column().to_owned()) };
        self.elsewhere.clone().unwrap_or_else(of_x)
    }

    /// The file, if it is another than X.
    pub(super) fn path(&self) -> Option<&Path> {
        self.elsewhere.as_ref().map(|source| source.path.as_path())
    }
}

/// The argument of `--nodata` and its like.
pub(super) fn nodata(text: &str) -> Result<f64, String> {
    io::nodata(text).map_err(|error| told(&error))
}

/// The value of `--valid-range` and its like.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValidRange(pub(super) [f64; 2]);

impl FromStr for ValidRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends: Vec<f64> =
            text.split(',').map(|end| end.trim().parse()).collect::<Result<_, _>>().unwrap_or_default();
        match ends[..] {
            [low, high] if low <= high => Ok(Self([low, high])),
            _ => Err("expected two numbers, the least first: 0,65534".to_owned()),
        }
    }
}
