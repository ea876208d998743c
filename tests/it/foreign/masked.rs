//! Masked arrays of NumPy.

use linfit::engine::gpu::Gpu;
use linfit::engine::{Cpu, Engine, Reference};
use linfit::math::{Affine, Evaluation};

use super::*;
use crate::common::adapter::software_adapter;
use crate::common::tolerances::{F32_SUMS, F64_RESULTS, FEW_ROUNDINGS};

/// The results of numpy.ma for the same pair, computed by make.py, with weights and
/// without.
#[test]
fn missing_values_are_those_that_masked_arrays_exclude() {
    let text = fs::read_to_string(data().join("masked.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let array = |name: &str| Reading::default().open(&source(&format!("masked.npz:{name}"))).unwrap();
    for is_weighted in [false, true] {
        let want = if is_weighted { &json["weighted"] } else { &json };
        let number = |name: &str| want[name].as_f64().unwrap();
        let rules = ValidityRules {
            x_nodata: Some(f64::NAN),
            t_nodata: Some(-9999.0),
            mask: Some(array("mask").into()),
            weights: is_weighted.then(|| array("weights").into()),
            ..ValidityRules::default()
        };
        let data = Problem::builder(array("x")).target(array("t")).rules(rules).build().unwrap();
        let excluded = data.validity().unwrap().excluded();
        if is_weighted {
            assert!((data.weight_sum() / number("sum_of_weights") - 1.0).abs() <= FEW_ROUNDINGS);
        } else {
            for (count, name) in
                [(excluded.mask, "masked"), (excluded.x_nodata, "x_nodata"), (excluded.t_nodata, "t_nodata")]
            {
                assert_eq!(count as f64, number(name), "{name}");
            }
        }
        let at = Affine::new(json["weight"].as_f64().unwrap(), json["bias"].as_f64().unwrap());
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        let engines: [(&str, &mut dyn Engine, f64); 3] = [
            ("reference", &mut Reference::new(&data), F64_RESULTS),
            ("cpu", &mut Cpu::new(&data), F64_RESULTS),
            ("gpu", &mut gpu, F32_SUMS),
        ];
        for (name, engine, tolerance) in engines {
            let sums = engine.loss_sums_at(at).unwrap();
            assert_eq!(sums.n as f64, number("n"), "{name}");
            let found = Evaluation::from_sums(&sums);
            for (found, quantity) in
                [(found.loss, "loss"), (found.grad_weight, "grad_weight"), (found.grad_bias, "grad_bias")]
            {
                let want = number(quantity);
                let error = (found - want).abs() / want.abs();
                assert!(error <= tolerance, "{name}, {quantity}: {found} for {want}, {error:e}");
            }
        }
    }
}
