//! The fields of a footer and of a page's header in the Parquet format
//! (parquet.thrift), as far as the parquet crate reads them.

use super::thrift::{Fields, Shape};
use Shape::{Boolean, Byte, Bytes, Double, Integer, List, Struct};

/// The number of the field of [`FILE`] that has the schema.
pub(super) const SCHEMA: i16 = 2;

/// The number of the field of a schema's element that has its number of
/// children.
pub(super) const CHILDREN: i16 = 5;

/// The footer.
pub(super) const FILE: Fields = &[
    (1, Integer),
    (SCHEMA, List(&Struct(SCHEMA_ELEMENT))),
    (3, Integer),
    (4, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(&[(1, Bytes), (2, Bytes)]))),
    (6, Bytes),
    (7, List(&Struct(&[(1, Struct(&[])), (2, Struct(&[]))]))),
    (8, Struct(&[])),
    (9, Bytes),
];

const SCHEMA_ELEMENT: Fields = &[
    (1, Integer),
    (2, Integer),
    (3, Integer),
    (4, Bytes),
    (CHILDREN, Integer),
    (6, Integer),
    (7, Integer),
    (8, Integer),
    (9, Integer),
    (10, Struct(LOGICAL_TYPE)),
];

const LOGICAL_TYPE: Fields = &[
    (5, Struct(&[(1, Integer), (2, Integer)])),
    (7, Struct(TIME)),
    (8, Struct(TIME)),
    (10, Struct(&[(1, Byte), (2, Boolean)])),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Bytes)])),
    (18, Struct(&[(1, Bytes), (2, Integer)])),
];

const TIME: Fields = &[(1, Boolean), (2, Struct(&[]))];

const ROW_GROUP: Fields = &[
    (1, List(&Struct(COLUMN_CHUNK))),
    (2, Integer),
    (3, Integer),
    (4, List(&Struct(&[(1, Integer), (2, Boolean), (3, Boolean)]))),
    (5, Integer),
    (6, Integer),
    (7, Integer),
];

const COLUMN_CHUNK: Fields = &[
    (1, Bytes),
    (2, Integer),
    (3, Struct(COLUMN)),
    (4, Integer),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (8, Struct(&[])),
    (9, Bytes),
];

const COLUMN: Fields = &[
    (1, Integer),
    (2, List(&Integer)),
    (3, List(&Bytes)),
    (4, Integer),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (8, List(&Struct(&[(1, Bytes), (2, Bytes)]))),
    (9, Integer),
    (10, Integer),
    (11, Integer),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, Integer), (2, Integer), (3, Integer)]))),
    (14, Integer),
    (15, Integer),
    (16, Struct(&[(1, Integer), (2, List(&Integer)), (3, List(&Integer))])),
    (17, Struct(&[(1, Struct(BOX)), (2, List(&Integer))])),
];

const BOX: Fields =
    &[(1, Double), (2, Double), (3, Double), (4, Double), (5, Double), (6, Double), (7, Double), (8, Double)];

const STATISTICS: Fields = &[
    (1, Bytes),
    (2, Bytes),
    (3, Integer),
    (4, Integer),
    (5, Bytes),
    (6, Bytes),
    (7, Boolean),
    (8, Boolean),
    (9, Integer),
];

/// The numbers of the fields of [`PAGE`], and in its dictionary's header.
pub(super) const PAGE_TYPE: i16 = 1;
pub(super) const UNCOMPRESSED_BYTES: i16 = 2;
pub(super) const COMPRESSED_BYTES: i16 = 3;
pub(super) const DICTIONARY: i16 = 7;
pub(super) const DICTIONARY_VALUES: i16 = 1;

/// The header of a page.
pub(super) const PAGE: Fields = &[
    (PAGE_TYPE, Integer),
    (UNCOMPRESSED_BYTES, Integer),
    (COMPRESSED_BYTES, Integer),
    (4, Integer),
    (5, Struct(&[(1, Integer), (2, Integer), (3, Integer), (4, Integer), (5, Struct(STATISTICS))])),
    (6, Struct(&[])),
    (DICTIONARY, Struct(&[(DICTIONARY_VALUES, Integer), (2, Integer), (3, Boolean)])),
    (
        8,
        Struct(&[
            (1, Integer),
            (2, Integer),
            (3, Integer),
            (4, Integer),
            (5, Integer),
            (6, Integer),
            (7, Boolean),
            (8, Struct(STATISTICS)),
        ]),
    ),
];
