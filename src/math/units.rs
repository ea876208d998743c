//! The units of sums that are held times powers of two.

/// The units of two parts together: for each of X and T those of the larger
/// numbers, so that nothing overflows. What is then lost of the smaller ones
/// is nothing against these. Numbers that are all 0 have no size.
pub(super) fn common_unit(parts: [([i32; 2], [bool; 2]); 2]) -> [i32; 2] {
    let [(a, a_sized), (b, b_sized)] = parts;
    std::array::from_fn(|axis| match (a_sized[axis], b_sized[axis]) {
        (true, false) => a[axis],
        (false, true) => b[axis],
        _ => a[axis].min(b[axis]),
    })
}

/// Whether sums that were read from somewhere may be of so many elements: they
/// have weights above 0, and units of numbers that f64 has and of their products.
pub(super) fn is_possible(n: u64, weight_sum: f64, units: [i32; 2], weight_exponent: i32) -> bool {
    const FARTHEST: i32 = 2200;
    let is_near = |exponent: i32| (-FARTHEST..=FARTHEST).contains(&exponent);
    (n == 0 || weight_sum > 0.0) && units.into_iter().chain([weight_exponent]).all(is_near)
}
