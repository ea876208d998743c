//! Variables as the NetCDF library and xarray write them.

use super::cubes::*;
use super::{ElementType, is_refused, read};

/// NetCDF-4, and the classic format's versions 1, 2 and 5.
const FILES: [&str; 4] = ["cf-0.nc", "cf-1.nc", "cf-2.nc", "cf-3.nc"];

#[test]
fn every_type_is_read_from_every_format() {
    for (file, has_all) in FILES.into_iter().zip([true, false, false, true]) {
        for (name, kind) in TYPES {
            let is_old = ["i1", "i2", "i4", "f4", "f8"].contains(&name);
            if name == "f2" || !(is_old || has_all) {
                continue;
            }
            is(&format!("{file}:fixed_{name}"), kind, &[7, 9], |place| element(kind, 3, place[0], place[1]));
            if file != "cf-0.nc" || ["i1", "i2", "f8"].contains(&name) {
                is_cube(&format!("{file}:grows_{name}"), kind);
            }
        }
        is(&format!("{file}:time"), ElementType::F64, &[5], |place| place[0] as f64 * 1.5);
        is_refused(&format!("{file}:text"), &["text", "not numbers"]);
        is_refused(&format!("{file}:grows_i3"), &["grows_i3", "did you mean"]);
        is_refused(file, &["fixed_i2"]);
    }
}

#[test]
fn what_netcdf4_masks_is_missing() {
    for file in FILES {
        for name in
            ["fill", "missing", "two", "several", "range", "least", "most", "scaled", "nan", "unwritten"]
        {
            misses_what_others_do(&format!("{file}:{name}"));
        }
        misses_what_others_do(&format!("{file}:fixed_f4"));
        misses_what_others_do(&format!("{file}:unsigned"));
        assert_eq!(read(&format!("{file}:unsigned")).unwrap().element(), ElementType::U8);
    }
    misses_what_others_do("xarray.nc:t2m");
}

#[test]
fn scales_and_ranges_are_noted() {
    for file in FILES {
        let notes = |name: &str| -> Vec<String> {
            let opened = read(&format!("{file}:{name}")).unwrap();
            opened.metadata().notes().iter().map(ToString::to_string).collect()
        };
        assert_eq!(notes("scaled"), ["read as it is stored, not with its scale 0.1 and offset 20.0"]);
        assert_eq!(notes("least"), ["26 elements are excluded by its valid_min"]);
        assert_eq!(notes("fill"), [""; 0]);
    }
}

#[test]
fn groups_and_records_are_read() {
    is_vector("groups.nc:model/run 1/depth", ElementType::I16);
    is_vector("groups.nc:/model/run 1/zst", ElementType::F32);
    // The axis is no array of its own.
    is_refused("groups.nc", &["2 datasets", "model/run 1/depth"]);
    is("record.nc", ElementType::I16, &[5, 3], |place| (3 * place[0] + place[1]) as f64);
    is("records.nc:wide", ElementType::F64, &[6], |place| place[0] as f64 / 4.0);
    is("records.nc:flag", ElementType::I8, &[6], |place| place[0] as f64);
    is("records.nc:pair", ElementType::F32, &[6], |place| place[0] as f64 / 2.0);
    is("records.nc:odd", ElementType::I16, &[6], |place| place[0] as f64 * 3.0);
}
