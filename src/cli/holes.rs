use std::str::FromStr;

use clap::Args;

use super::hint::told;
use crate::array::ValidityRules;
use crate::io::{self, Source};

/// Which pairs of elements count, and how much.
#[derive(Debug, Args)]
pub(super) struct HoleArguments {
    /// The value that stands for nothing in X and in T, also nan: such pairs are left out. Default:
    /// what the files say (a .tif by GDAL's tag, columns and tensors by _FillValue)
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    nodata: Option<f64>,

    /// The same for X alone
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    x_nodata: Option<f64>,

    /// The same for T alone
    #[arg(long, value_name = "VALUE", value_parser = nodata, allow_hyphen_values = true)]
    t_nodata: Option<f64>,

    /// Leave out where this is 0 or nan: a file of X's shape, of any format
    #[arg(long, value_name = "FILE[:KEY]")]
    pub(super) mask: Option<Source>,

    /// Leave out pairs with an element below LO or above HI, such as saturated pixels
    #[arg(long, value_name = "LO,HI", allow_hyphen_values = true)]
    valid_range: Option<ValidRange>,

    /// How much each pair counts: a file of X's shape, of any format, of numbers of 0 or more, such as
    /// 1/variance. The loss is Σw·r²/Σw then; pairs of weight 0 are left out
    #[arg(long, value_name = "FILE[:KEY]")]
    pub(super) weights: Option<Source>,
}

impl HoleArguments {
    /// What is said by values alone; mask and weights are files.
    pub(super) fn values(&self) -> ValidityRules {
        ValidityRules {
            x_nodata: self.x_nodata.or(self.nodata),
            t_nodata: self.t_nodata.or(self.nodata),
            valid_range: self.valid_range.map(|range| range.0),
            mask: None,
            weights: None,
        }
    }
}

/// The argument of `--nodata` and its like.
pub(super) fn nodata(text: &str) -> Result<f64, String> {
    io::nodata(text).map_err(|error| told(&error))
}

/// What `--valid-range` takes.
#[derive(Debug, Clone, Copy)]
struct ValidRange([f64; 2]);

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
