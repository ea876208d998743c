//! Archives of NumPy arrays.

use super::*;

#[test]
fn stored_and_deflated_arrays_are_read() {
    for file in ["stored.npz", "deflated.npz"] {
        is_image(&format!("{file}:x"), ElementType::F32, 0);
        is_image(&format!("{file}:columns"), ElementType::I16, 0);
        is_vector(&format!("{file}:big"), ElementType::I32);
    }
    assert_eq!(values(&read("one.npz").unwrap()), vector(ElementType::F64));
    is_vector("one.npz:arr_0", ElementType::F64);
}

#[test]
fn others_are_errors() {
    is_refused("stored.npz", &["3 arrays", "stored.npz:ARRAY", "x, columns, big"]);
    is_refused("stored.npz:y", &["no array \"y\"", "x, columns, big"]);
    is_refused("bzip2.npz:x", &["packed by Bzip2", "savez"]);
}
