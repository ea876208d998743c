//! The tags that are read.

pub(super) const KIND: u16 = 254;
pub(super) const OLD_KIND: u16 = 255;
pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
pub(super) const BITS: u16 = 258;
pub(super) const COMPRESSION: u16 = 259;
pub(super) const MEANING: u16 = 262;
pub(super) const FILL_ORDER: u16 = 266;
pub(super) const DOCUMENT_NAME: u16 = 269;
pub(super) const DESCRIPTION: u16 = 270;
pub(super) const OFFSETS: u16 = 273;
pub(super) const SAMPLES: u16 = 277;
pub(super) const ROWS_PER_STRIP: u16 = 278;
pub(super) const COUNTS: u16 = 279;
pub(super) const PLANAR: u16 = 284;
pub(super) const SOFTWARE: u16 = 305;
pub(super) const DATE_TIME: u16 = 306;
pub(super) const ARTIST: u16 = 315;
pub(super) const PREDICTOR: u16 = 317;
pub(super) const TILE_WIDTH: u16 = 322;
pub(super) const TILE_HEIGHT: u16 = 323;
pub(super) const TILE_OFFSETS: u16 = 324;
pub(super) const TILE_COUNTS: u16 = 325;
pub(super) const SUB_DIRECTORIES: u16 = 330;
pub(super) const EXTRA_SAMPLES: u16 = 338;
pub(super) const FORMAT: u16 = 339;
pub(super) const SUBSAMPLING: u16 = 530;
pub(super) const COPYRIGHT: u16 = 33_432;
/// GDAL's notes on an image and its bands, as XML.
pub(super) const GDAL_METADATA: u16 = 42_112;
pub(super) const GDAL_NODATA: u16 = 42_113;
/// In GeoTIFF: scale, tie points, transformation, keys and their parameters.
pub(super) const GEO: [u16; 6] = [33_550, 33_922, 34_264, 34_735, 34_736, 34_737];
