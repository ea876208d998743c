//! Tensors as their own tools write them.

use super::*;

#[test]
fn every_type_is_read() {
    let floats = [
        ("F16", ElementType::F16),
        ("BF16", ElementType::Bf16),
        ("F64", ElementType::F64),
        ("BOOL", ElementType::Bool),
    ];
    for (name, element) in floats {
        is_vector(&format!("all.safetensors:{name}"), element);
    }
    for (name, element) in INTEGERS {
        is_vector(&format!("all.safetensors:{}", name.to_uppercase()), element);
    }
    is_image("all.safetensors:F32", ElementType::F32, 0);
    is_vector("all.safetensors:layers/0.weight", ElementType::F32);
    assert_eq!(values(&read("one.safetensors").unwrap()), vector(ElementType::F32));
}

#[test]
fn attributes_say_what_stands_for_nothing() {
    let nodata = |name: &str| read(name).unwrap().metadata().nodata();
    assert_eq!(nodata("attributes.safetensors:a"), Some(-9999.0));
    assert!(nodata("attributes.safetensors:layers.b").unwrap().is_nan());
    is_unclear("attributes.safetensors:c", &["c._FillValue is \"none\""]);
    assert_eq!(nodata("one.safetensors"), None);
}

#[test]
fn tensors_of_other_types_leave_the_others_be() {
    is_vector("new-types.safetensors:x", ElementType::F32);
    is_refused("new-types.safetensors:newer", &["new-types.safetensors:newer", "I4", "not numbers"]);
    is_refused("new-types.safetensors:half", &["new-types.safetensors:half", "F8_E4M3", "not numbers"]);
    is_refused("new-types.safetensors", &["3 tensors", "newer, half, x"]);
}

#[test]
fn another_name_is_an_error() {
    is_refused("all.safetensors", &["14 tensors", "all.safetensors:TENSOR", "BF16", "layers/0.weight"]);
    is_refused("all.safetensors:f16", &["no tensor \"f16\"", "F16"]);
}
