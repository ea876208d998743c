//! Good `.npy` files.

use super::*;

/// Reads a matrix whose row-major element k is `numbers[k]` in every way.
fn assert_reads(matrix: &Array, dtype: Dtype, shape: &[u64], numbers: &[Number], case: &str) {
    let columns: Vec<Number> = column_major(shape).into_iter().map(|k| numbers[k]).collect();
    for (order, numbers) in [(Order::C, numbers), (Order::Fortran, &columns)] {
        let mut wide = vec![f64::NAN; numbers.len()];
        matrix.read(order, 0, &mut wide);
        let expected: Vec<f64> = numbers.iter().map(|&number| dtype.as_f64(number)).collect();
        assert_eq!(wide, expected, "{case}, read in {order:?} order");

        let mut narrow = vec![f32::NAN; numbers.len()];
        matrix.read(order, 0, &mut narrow);
        let expected: Vec<f32> = numbers.iter().map(|&number| dtype.as_f32(number)).collect();
        assert_eq!(narrow, expected, "{case}, read in {order:?} order as f32");

        // A part: neither the first element nor the last.
        let (start, end) = (numbers.len() / 3, numbers.len() - numbers.len() / 4);
        let mut part = vec![f32::NAN; end - start];
        matrix.read(order, start, &mut part);
        assert_eq!(part, expected[start..end], "{case}, elements {start}..{end} in {order:?} order");
    }
}

#[test]
fn npy_of_every_version_order_byte_order_shape_and_type() {
    let directory = directory();
    let path = directory.path().join("x.npy");
    let mut slices = 0;
    for (dtype, shape) in DTYPES.into_iter().flat_map(|dtype| SHAPES.map(|shape| (dtype, shape))) {
        let elements = shape.iter().product::<u64>() as u32;
        let numbers: Vec<Number> = (0..elements).map(|k| dtype.number(k)).collect();
        for (order, endian) in ORDERS.into_iter().flat_map(|order| ENDIANS.map(|endian| (order, endian))) {
            let stored: Vec<Number> = match order {
                Order::C => numbers.clone(),
                Order::Fortran => column_major(shape).into_iter().map(|k| numbers[k]).collect(),
            };
            let npy = Npy::of(dtype, endian, order, shape, &stored);
            for (version, align, skew) in [(1, 64, 0), (2, 64, 0), (3, 64, 0), (1, 64, 1), (2, 2, 1)] {
                let npy = Npy { version, align, skew, ..npy.clone() };
                let case = format!("version {version}, {}, offset {}", npy.header, npy.offset());
                let matrix = open_bytes(&path, &npy.bytes(), None).unwrap_or_else(|e| panic!("{case}: {e}"));
                assert_eq!(matrix.shape(), &Shape(shape.to_vec()), "{case}");
                assert_eq!(matrix.element(), dtype.element, "{case}");
                let linear = shape.iter().filter(|&&extent| extent > 1).count() <= 1;
                assert!(matrix.is_stored_in(order) && (linear || matrix.order() == order), "{case}");
                assert_eq!(matrix.len(), numbers.len(), "{case}");
                assert_eq!(matrix.label(), path.display().to_string(), "{case}");
                assert_reads(&matrix, dtype, shape, &numbers, &case);

                let native = dtype.size == 1 || (endian == Endian::NATIVE && skew == 0);
                for asked in ORDERS {
                    let found = with_element!(dtype.element, E => {
                        matrix.as_slice::<E>(asked).map(|slice| bytemuck::cast_slice::<E, u8>(slice).to_vec())
                    });
                    let expected = (native && (linear || asked == order)).then(|| npy.data.clone());
                    assert_eq!(found, expected, "{case}, as a slice in {asked:?} order");
                    slices += usize::from(found.is_some());
                }
                // A type of the same size is still another type.
                assert!(matrix.as_slice::<linfit::array::Bool8>(order).is_none() || dtype.kind == 'b');
            }
        }
    }
    assert!(slices > 0);
}

#[test]
fn npy_bytes_written_out_by_hand() {
    // [[1, -2], [0.5, 3]] in big-endian f32, column by column.
    let directory = directory();
    let text = b"{'descr': '>f4', 'fortran_order': True, 'shape': (2, 2), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend([text.len() as u8, 0]);
    bytes.extend(text);
    bytes.extend([0x3f, 0x80, 0, 0, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x40, 0x40, 0, 0]);
    let matrix = open_bytes(&directory.path().join("x.npy"), &bytes, None).unwrap();
    assert_eq!(values(&matrix), [1.0, -2.0, 0.5, 3.0]);
}

/// Habits of other writers of the format that NumPy reads.
#[test]
fn npy_headers_of_other_writers() {
    let headers = [
        "{\"descr\": \"<f8\", \"fortran_order\": False, \"shape\": (3,)}",
        "{'shape': (3,), 'fortran_order': False, 'descr': '<f8'}",
        "{ 'descr' : '<f8' , 'fortran_order' : False , 'shape' : ( 3 , ) , }",
        "{'descr':'<f8','fortran_order':False,'shape':(3,)}",
        // Python 2 on Windows wrote long integers.
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,), }",
    ];
    let directory = directory();
    let data = Npy::of_f64(&[3], &[1.5, -2.0, 1e300]).data;
    for header in headers {
        let npy = Npy { data: data.clone(), ..Npy::with_header(header) };
        let matrix = open_bytes(&directory.path().join("x.npy"), &npy.bytes(), None)
            .unwrap_or_else(|e| panic!("{header}: {e}"));
        assert_eq!(values(&matrix), [1.5, -2.0, 1e300], "{header}");
    }
}

#[test]
fn npy_is_known_by_its_first_bytes_whatever_its_name() {
    let directory = directory();
    let bytes = Npy::of_f64(&[2], &[4.0, 5.0]).bytes();
    for name in ["x", "x.dat", "x.csv", "x.NPY", "x.y:z"] {
        let matrix = open_bytes(&directory.path().join(name), &bytes, None).unwrap();
        assert_eq!(values(&matrix), [4.0, 5.0], "{name}");
    }
}

#[test]
fn npy_data_may_be_followed_by_more() {
    let directory = directory();
    let mut bytes = Npy::of_f64(&[2], &[4.0, 5.0]).bytes();
    bytes.extend([0; 5]);
    let matrix = open_bytes(&directory.path().join("x.npy"), &bytes, None).unwrap();
    assert_eq!(values(&matrix), [4.0, 5.0]);
}

#[test]
fn a_pair_in_different_orders_is_matched_element_by_element() {
    let directory = directory();
    let (x_path, t_path) = (directory.path().join("x.npy"), directory.path().join("t.npy"));
    let x = Npy::of_f64(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    // T = 10·X, column by column.
    let t = Npy {
        header: header("<f8", Order::Fortran, &[2, 3]),
        ..Npy::of_f64(&[2, 3], &[10.0, 40.0, 20.0, 50.0, 30.0, 60.0])
    };
    fs::write(&x_path, x.bytes()).unwrap();
    fs::write(&t_path, t.bytes()).unwrap();
    for (x_path, t_path, factor) in [(&x_path, &t_path, 10.0), (&t_path, &x_path, 0.1)] {
        let (x, t) = open_pair(&source(x_path, None), &source(t_path, None)).unwrap();
        let data = Problem::pair(x, t).unwrap();
        let (mut xs, mut ts) = ([0f64; 6], [0f64; 6]);
        data.x().read(data.order(), 0, &mut xs);
        data.t().unwrap().read(data.order(), 0, &mut ts);
        assert_eq!(ts, xs.map(|x| x * factor));
    }
}

#[test]
fn f32_is_rounded_once() {
    // 2^60 + 2^36 + 1 is above the middle of two neighbours in f32; by way of
    // f64 the 1 is lost, and the tie goes to the even neighbour below.
    let value = (1i128 << 60) + (1 << 36) + 1;
    let directory = directory();
    let npy = Npy::of(DTYPES[8], Endian::Little, Order::C, &[1], &[Number::Int(value)]);
    let matrix = open_bytes(&directory.path().join("x.npy"), &npy.bytes(), None).unwrap();
    let mut read = [0f32];
    matrix.read(Order::C, 0, &mut read);
    assert_eq!(f64::from(read[0]), 2f64.powi(60) + 2f64.powi(37));
    assert_ne!(f64::from(read[0]), f64::from(to_f32(value as f64)));
}
