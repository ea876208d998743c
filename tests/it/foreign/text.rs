//! Text as pandas writes it.

use linfit::engine::{Engine, Reference};
use linfit::math::Affine;

use super::*;

#[test]
fn what_pandas_writes_is_read() {
    let x_is_null = |k: usize| k.is_multiple_of(32);
    for file in ["pandas.csv", "pandas-na.csv", "pandas.tsv", "pandas-index.csv"] {
        let column = |name: &str| read(&format!("{file}:{name}")).unwrap();
        let (x, t) = (column("x"), column("t"));
        for matrix in [&x, &t] {
            assert!((0..LENGTH as usize).all(|k| matrix.metadata().is_null(k) == x_is_null(k)), "{file}");
        }
        let data = Problem::pair(x, t).unwrap();
        let sums = Reference::new(&data).loss_sums_at(Affine::new(2.0, 1.0)).unwrap();
        assert_eq!((sums.n, sums.rr), (LENGTH - LENGTH.div_ceil(32), 0.0), "{file}");
        let thirds: Vec<f64> = (0..LENGTH).map(|k| f64::from(u8::from(k % 3 == 0))).collect();
        assert_eq!(values(&column("b")), thirds, "{file}");
        let numbers = column("n");
        assert!((0..LENGTH as usize).all(|k| numbers.metadata().is_null(k) == (k % 7 == 1)), "{file}");
    }
    // A line for a row without a number, too.
    let x = read("pandas-x.csv").unwrap();
    assert!((0..LENGTH as usize).all(|k| x.metadata().is_null(k) == x_is_null(k)));
    assert_eq!(x.len() as u64, LENGTH);
}

#[test]
fn other_separators_are_found() {
    for key in ["x", "t", "b", "n"] {
        let column = |file: &str| values(&read(&format!("{file}:{key}")).unwrap());
        let want = column("pandas.csv");
        assert_eq!(column("semicolons.csv"), want, "{key}");
        assert_eq!(column("tabs.csv"), want, "{key}");
    }
}
