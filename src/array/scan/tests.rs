use super::*;
use crate::array::{Excluded, Nodata};

const NAN: f64 = f64::NAN;

fn array(values: &[f64]) -> MaskedArray {
    Array::from_vec("m", &[values.len() as u64], values.to_vec()).into()
}

fn of(
    x: &MaskedArray,
    t: Option<&MaskedArray>,
    order: Order,
    rules: &ValidityRules,
) -> Result<Option<Validity>, DataError> {
    Scan::of(x, t, order, rules).map(|scan| scan.validity)
}

fn bits(validity: &Validity) -> Vec<bool> {
    (0..usize::try_from(validity.count() + validity.excluded().total()).unwrap())
        .map(|k| validity.contains(k))
        .collect()
}

/// As f64, all of these are the same number.
#[test]
fn whole_numbers_beyond_f64_are_compared_as_they_are() {
    let x = |values: [i64; 4]| MaskedArray::from(Array::from_vec("x", &[4], values.to_vec()));
    let valid = |x: &MaskedArray, text: &str| {
        let rules = ValidityRules { x_nodata: Some(text.parse().unwrap()), ..ValidityRules::default() };
        of(x, None, Order::C, &rules).unwrap().map(|validity| bits(&validity))
    };
    let near = (1 << 53) + 1;
    assert_eq!(valid(&x([near, near - 1, near, 0]), "9007199254740992").unwrap(), [true, false, true, true]);
    assert_eq!(valid(&x([near, near, near, 0]), "9007199254740992"), None);
    let greatest = x([i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1]);
    assert_eq!(valid(&greatest, "9223372036854775807").unwrap(), [false, true, true, true]);
    assert_eq!(valid(&greatest, "-9223372036854775808").unwrap(), [true, true, false, true]);
    assert_eq!(valid(&greatest, "18446744073709551615"), None);
    assert_eq!(valid(&greatest, "-1e30"), None);
    let unsigned = Array::from_vec("x", &[3], vec![u64::MAX, u64::MAX - 1, 1 << 63]).into();
    assert_eq!(valid(&unsigned, "18446744073709551615").unwrap(), [false, true, true]);
    assert_eq!(valid(&unsigned, "9223372036854775808").unwrap(), [true, true, false]);
    assert_eq!(valid(&unsigned, "-9223372036854775808"), None);
}

#[test]
fn the_first_reason_is_the_one() {
    let x = array(&[1.0, NAN, 3.0, -1.0, 5.0, NAN, 7.0, 9.0]);
    let t = array(&[1.0, -9.0, -9.0, 2.0, 99.0, 2.0, 7.0, 9.0]);
    let mask = array(&[1.0, 1.0, 1.0, 2.0, -1.0, 0.0, NAN, 0.5]);
    let rules = ValidityRules {
        x_nodata: Some(NAN),
        t_nodata: Some(-9.0),
        valid_range: Some([0.0, 50.0]),
        mask: Some(mask),
        ..ValidityRules::default()
    };
    let validity = of(&x, Some(&t), Order::C, &rules).unwrap().unwrap();
    assert_eq!(bits(&validity), [true, false, false, false, false, false, false, true]);
    assert_eq!(
        validity.excluded(),
        Excluded { mask: 2, x_nodata: 1, t_nodata: 1, range: 2, ..Excluded::default() }
    );
    assert_eq!((validity.count(), validity.words(&(0..8))), (2, &[0b1000_0001][..]));
}

#[test]
fn nothing_excluded_is_no_validity() {
    let x = array(&[1.0, 2.0]);
    let rules = ValidityRules { x_nodata: Some(-1.0), ..ValidityRules::default() };
    assert!(of(&x, None, Order::C, &rules).unwrap().is_none());
    assert!(of(&x, None, Order::C, &ValidityRules::default()).unwrap().is_none());
}

#[test]
fn a_nan_is_missing_only_by_a_rule() {
    let x = array(&[1.0, NAN, f64::INFINITY]);
    let rules = ValidityRules { x_nodata: Some(NAN), ..ValidityRules::default() };
    let error = of(&x, None, Order::C, &rules).unwrap_err();
    assert!(matches!(error, DataError::NotFinite { count: 1, .. }) && error.to_string().contains("index 2"));
    assert!(of(&x, None, Order::C, &ValidityRules::default()).is_err());
    let rules = ValidityRules { x_nodata: Some(1.0), ..ValidityRules::default() };
    assert!(matches!(of(&x, None, Order::C, &rules).unwrap_err(), DataError::NotFinite { count: 2, .. }));
}

#[test]
fn an_infinity_is_outside_every_range_and_a_nan_outside_none() {
    let x = array(&[1.0, f64::INFINITY, -f64::INFINITY, 2.0]);
    let ranged = |x: &MaskedArray| {
        let rules = ValidityRules { valid_range: Some([0.0, 100.0]), ..ValidityRules::default() };
        of(x, None, Order::C, &rules)
    };
    assert_eq!(ranged(&x).unwrap().unwrap().excluded().range, 2);
    assert!(matches!(ranged(&array(&[1.0, NAN])), Err(DataError::NotFinite { count: 1, .. })));
}

/// A missing element of a mask or of weights excludes a pair.
#[test]
fn masks_and_weights_have_missing_elements_of_their_own() {
    let x = array(&[1.0, 2.0, 3.0]);
    let with_nodata = |values: &[f64]| {
        let mut masked = array(values);
        masked.missing.nodata = Some(Nodata::Number(255.0));
        Some(masked)
    };
    let rules = ValidityRules { mask: with_nodata(&[1.0, 255.0, 0.0]), ..ValidityRules::default() };
    assert_eq!(of(&x, None, Order::C, &rules).unwrap().unwrap().excluded().mask, 2);
    let rules = ValidityRules { weights: with_nodata(&[2.0, 255.0, 3.0]), ..ValidityRules::default() };
    let scan = Scan::of(&x, None, Order::C, &rules).unwrap();
    assert_eq!((scan.weight_sum, scan.validity.unwrap().excluded().weight), (5.0, 1));
}

#[test]
fn none_valid_is_an_error() {
    let x = array(&[0.0, 0.0]);
    let rules = ValidityRules { x_nodata: Some(0.0), ..ValidityRules::default() };
    let error = of(&x, Some(&x), Order::C, &rules).unwrap_err();
    assert!(matches!(error, DataError::NoneValid { .. }), "{error}");
    // There is no target, so nothing is fitted.
    assert_eq!(of(&x, None, Order::C, &rules).unwrap().unwrap().count(), 0);
}

/// X and T may be anything where the weight is 0; the other pairs weigh 0.5 + 3.
#[test]
fn a_pair_of_weight_0_is_excluded() {
    let (x, t) = (array(&[1.0, NAN, 3.0, 4.0]), array(&[1.0, 2.0, 3.0, f64::INFINITY]));
    let rules = ValidityRules { weights: Some(array(&[0.5, 0.0, 3.0, 0.0])), ..ValidityRules::default() };
    let scan = Scan::of(&x, Some(&t), Order::C, &rules).unwrap();
    let validity = scan.validity.unwrap();
    assert_eq!(bits(&validity), [true, false, true, false]);
    assert_eq!((validity.excluded().weight, scan.weight_sum), (2, 3.5));
}

#[test]
fn a_bad_weight_is_an_error_unless_masked() {
    let x = array(&[1.0, 2.0, 3.0, 4.0]);
    let weighted = |weights: &[f64], mask| {
        let rules = ValidityRules { weights: Some(array(weights)), mask, ..ValidityRules::default() };
        Scan::of(&x, None, Order::C, &rules)
    };
    for bad in [-1.0, NAN, f64::INFINITY] {
        let error = weighted(&[1.0, 2.0, bad, bad], None).unwrap_err();
        assert!(matches!(error, DataError::Weights { count: 2, .. }), "{error}");
        assert!(error.to_string().contains("index 2"), "{error}");
        let mask = Some(array(&[1.0, 1.0, 0.0, 0.0]));
        assert_eq!(weighted(&[1.0, 2.0, bad, bad], mask).unwrap().weight_sum, 3.0);
    }
    let error = weighted(&[1.0, 2.0], None).unwrap_err().to_string();
    assert!(error.contains("weights of shape"), "{error}");
}

/// -3.4028235e38, as GDAL writes it, is not the f64 of that name.
#[test]
fn nodata_is_rounded_as_the_elements_are() {
    let x = Array::from_vec("x", &[3], vec![f32::MIN, 0.1, 1.0]).into();
    for (nodata, place) in [(-3.402_823_5e38, 0), (0.1, 1)] {
        let rules = ValidityRules { x_nodata: Some(nodata), ..ValidityRules::default() };
        let validity = of(&x, None, Order::C, &rules).unwrap().unwrap();
        assert!(!validity.contains(place), "{nodata}");
    }
}
