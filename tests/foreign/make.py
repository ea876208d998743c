"""Writes the files in data/ with other people's tools; tests/foreign.rs reads them.

    python3 -m venv venv
    venv/bin/pip install numpy pyarrow flatbuffers tifffile imagecodecs Pillow safetensors ml_dtypes rasterio pandas
    venv/bin/python tests/foreign/make.py

Every array is a formula of the place of its elements, so that the tests know
what must be read without asking linfit: an image of 37 rows and 53 columns has
the value 5*row + 3*column + 11*band (modulo 251 in 8 bits), minus 100 in signed
and halved in floating-point types; a column or vector has k*7 - 50 at place k,
or its absolute value in unsigned types.
"""

import decimal
import json
import pathlib
import struct
import zipfile
import zlib

import flatbuffers
import ml_dtypes
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import rasterio
import rasterio.control
import tifffile
from PIL import Image
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).parent / "data"
ROWS, COLUMNS, LENGTH = 37, 53, 300


def image(dtype, bands=1):
    """Rows, columns, bands."""
    row, column, band = np.ogrid[:ROWS, :COLUMNS, :bands]
    value = 5 * row + 3 * column + 11 * band
    dtype = np.dtype(dtype)
    if dtype.itemsize == 1:
        value = value % 251 if dtype.kind == "u" else value % 127 + 100
    if dtype.kind == "i":
        value = value - 100
    if dtype.kind == "f":
        value = value / 2
    return value.astype(dtype)


def vector(dtype):
    dtype = np.dtype(dtype)
    value = np.arange(LENGTH) * 7 - 50
    if dtype.itemsize == 1:
        value = value % 100
    return (abs(value) if dtype.kind == "u" else value).astype(dtype)


def tiff(name, pixels, **how):
    how.setdefault("metadata", None)
    how.setdefault("photometric", "minisblack")
    tifffile.imwrite(OUT / name, pixels, **how)


def tiffs():
    flat = lambda dtype: image(dtype)[:, :, 0]
    for dtype in "u1 u2 u4 i1 i2 i4 f4 f8".split():
        tiff(f"strips-{dtype}.tif", flat(dtype), rowsperstrip=10)
        tiff(f"tiles-{dtype}-deflate.tif", flat(dtype), tile=(16, 32), compression="zlib")
    tiff("big-endian.tif", flat("u2"), byteorder=">")
    tiff("big-endian-tiles.tif", flat("f4"), byteorder=">", tile=(16, 16), compression="lzw", predictor=True)
    tiff("bigtiff.tif", flat("f4"), bigtiff=True, tile=(16, 16), compression="zlib")
    tiff("tiles.tif", flat("u1"), tile=(16, 16))
    tiff("lzw.tif", flat("u2"), compression="lzw", rowsperstrip=8)
    tiff("lzw-predictor.tif", flat("u2"), compression="lzw", predictor=True, tile=(16, 16))
    tiff("packbits.tif", flat("u1"), compression="packbits", rowsperstrip=8)
    tiff("deflate-float-predictor.tif", flat("f4"), compression="zlib", predictor=3, tile=(16, 16))
    tiff("zstd.tif", flat("f4"), compression="zstd", tile=(16, 16))
    tiff("chunky.tif", image("u2", 5), planarconfig="contig", rowsperstrip=7)
    tiff("chunky-tiles.tif", image("f4", 5), planarconfig="contig", tile=(16, 16), compression="zlib")
    tiff("rgb.tif", image("u1", 3), photometric="rgb", compression="lzw", predictor=True, rowsperstrip=7)
    planar = np.moveaxis(image("u2", 5), 2, 0)
    tiff("planar.tif", planar, planarconfig="separate", rowsperstrip=7)
    tiff("planar-tiles.tif", planar, planarconfig="separate", tile=(16, 16), compression="zlib")
    with tifffile.TiffWriter(OUT / "pages.tif") as pages:
        for band in range(3):
            pages.write(image("i2", 3)[:, :, band], metadata=None, photometric="minisblack", compression="zlib")
    geo = [
        (33550, "d", 3, (10.0, 10.0, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 600000.0, 5100000.0, 0.0), True),
        (34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32632), True),
        (34737, "s", 0, "WGS 84 / UTM zone 32N|", True),
        (42113, "s", 0, "-9999", True),
    ]
    pixels = flat("i2")
    pixels[3, 4] = -9999
    tiff("geo.tif", pixels, tile=(16, 16), compression="zlib", extratags=geo)
    tiff("white-is-zero.tif", flat("u1"), photometric="miniswhite")
    tiff("white-is-zero-lzw.tif", flat("u2"), photometric="miniswhite", compression="lzw", predictor=True)
    colours()
    tiff("jpeg.tif", flat("u1"), compression="jpeg", tile=(16, 16))
    tiff("complex.tif", flat("f4")[:4].astype("c8"))


def colours():
    """Samples that mean red, green, blue and more: aerial images have near infrared beside them."""
    def rgb(name, dtype, bands, **how):
        planar = how.get("planarconfig") == "separate"
        pixels = np.moveaxis(image(dtype, bands), 2, 0) if planar else image(dtype, bands)
        how.setdefault("planarconfig", "contig")
        how.setdefault("extrasamples", ["unspecified"] * (bands - 3))
        tiff(name, pixels, photometric="rgb", **how)

    rgb("rgb-4.tif", "u1", 4, rowsperstrip=9)
    rgb("rgb-4-lzw.tif", "u1", 4, rowsperstrip=9, compression="lzw", predictor=2)
    rgb("rgb-and-two.tif", "u1", 5, rowsperstrip=9, compression="lzw", predictor=2)
    rgb("rgba-deflate.tif", "u2", 4, tile=(16, 32), compression="zlib", predictor=2, extrasamples=["unassalpha"])
    rgb("rgb-6-tiles.tif", "u2", 6, tile=(32, 16), compression="zlib")
    rgb("rgb-6-float.tif", "f4", 6, tile=(16, 16), compression="zlib", predictor=3)
    rgb("rgb-4-planar.tif", "u1", 4, planarconfig="separate", rowsperstrip=9, compression="lzw", predictor=2)
    rgb("rgb-5-planar-tiles.tif", "u2", 5, planarconfig="separate", tile=(16, 32), compression="zlib", predictor=2)
    rgb("rgb-4-big.tif", "u2", 4, bigtiff=True, byteorder=">", tile=(16, 16), compression="zlib", predictor=2)
    tiff("grey-and-alpha.tif", image("u1", 2), planarconfig="contig", extrasamples=["unassalpha"],
         compression="zlib", predictor=2)
    tiff("cmyk.tif", image("u1", 4), photometric="separated", planarconfig="contig", compression="lzw", predictor=2)
    with tifffile.TiffWriter(OUT / "colours-and-grey.tif") as pages:
        pages.write(image("u1", 4)[:, :, :4], metadata=None, photometric="rgb", planarconfig="contig",
                    extrasamples=["unspecified"], compression="zlib", predictor=2)
        pages.write(image("u1", 5)[:, :, 4], metadata=None, photometric="miniswhite", compression="zlib")
    palette = np.zeros((3, 256), "u2")
    tiff("palette.tif", image("u1")[:, :, 0], photometric="palette", colormap=palette, compression="zlib")
    tiff("ycbcr-jpeg.tif", image("u1", 3)[:32, :32], photometric="ycbcr", compression="jpeg", subsampling=(2, 2), tile=(32, 32))
    tiff("lab.tif", image("u1", 3), photometric="cielab", planarconfig="contig", compression="zlib")
    for name, text in [("nan", "nan"), ("unclear", "n/a"), ("empty", "")]:
        tag = (42113, "s", 0, text, True)
        tiff(f"nodata-{name}.tif", image("f4")[:, :, 0], compression="zlib", extratags=[tag])


def bits(count, bands=1):
    """An image of samples of so many bits."""
    return image("u1", bands) % 2**count


def small_samples():
    """Samples of less than a byte, and what is not read."""
    def gdal(name, pixels, **how):
        how = dict(driver="GTiff", height=ROWS, width=COLUMNS, count=pixels.shape[2], dtype="uint8", **how)
        with rasterio.open(OUT / name, "w", **how) as file:
            for band in range(pixels.shape[2]):
                file.write(pixels[:, :, band], band + 1)

    tiff("bits-1-bool.tif", bits(1)[:, :, 0] == 1, rowsperstrip=10)
    tiff("bits-1-white.tif", bits(1)[:, :, 0] == 1, photometric="miniswhite", compression="packbits")
    tile = dict(tiled=True, blockxsize=16, blockysize=32, compress="DEFLATE")
    for count in [1, 2, 4]:
        gdal(f"bits-{count}.tif", bits(count), nbits=count)
        gdal(f"bits-{count}-tiles.tif", bits(count, 3), nbits=count, interleave="pixel", **tile)
        gdal(f"bits-{count}-planes.tif", bits(count, 3), nbits=count, interleave="band", compress="LZW")
        (OUT / f"bits-{count}.png").write_bytes(packed_png(bits(count)[:, :, 0], count))
    gdal("bits-5.tif", bits(5), nbits=5)
    flat = lambda dtype: image(dtype)[:, :, 0]
    for compression in ["lzma", "lerc", "png", "jpeg2000", "jpegxl", "webp"]:
        pixels = image("u1", 3) if compression == "webp" else flat("u1")
        how = dict(photometric="rgb") if compression == "webp" else {}
        tiff(f"compressed-{compression}.tif", pixels, compression=compression, **how)
    tiff("predictor.tif", flat("u2"), compression="zlib", predictor=True)
    overwrite("predictor.tif", 0, "Predictor", 34892)


def overwrite(name, page, tag, value):
    """Has a tag say what no library writes."""
    with tifffile.TiffFile(OUT / name, mode="r+") as file:
        file.pages[page].tags[tag].overwrite(value)


def packed_png(pixels, count):
    """A grey PNG of samples of less than a byte, its rows not filtered: Pillow writes but one bit."""
    rows = b""
    for row in pixels:
        text = "".join(f"{value:0{count}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    chunk = lambda kind, data: (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )
    head = struct.pack(">IIBBBBB", COLUMNS, ROWS, count, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (OUT / "check.png").write_bytes(data)
    # Pillow spreads them to the whole range.
    assert (np.array(Image.open(OUT / "check.png").convert("L")) == pixels.astype("u2") * 255 // (2**count - 1)).all()
    (OUT / "check.png").unlink()
    return data


def masks():
    """Images whose pixels are not there where row*column is 2 modulo 7, by masks of their own."""
    row, column = np.ogrid[:ROWS, :COLUMNS]
    there = (row * column % 7 != 2).astype("u1") * 255
    how = dict(height=ROWS, width=COLUMNS, count=2, dtype="uint16")
    geo = dict(crs="EPSG:32632", transform=rasterio.Affine(10, 0, 600000, 0, -10, 5100000))

    def write(name, **more):
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(OUT / name, "w", **how, **more) as file:
            for band in range(2):
                file.write(image("u2", 2)[:, :, band], band + 1)
            file.write_mask(there)
        with rasterio.open(OUT / name) as file:
            assert (file.dataset_mask() == there).all()
            assert (file.read(2) == image("u2", 2)[:, :, 1]).all()

    write("mask.tif", driver="GTiff")
    write("mask-tiles.tif", driver="GTiff", tiled=True, blockxsize=16, blockysize=16, compress="LZW", interleave="band", **geo)
    write("mask-cog.tif", driver="COG", blocksize=16, compress="DEFLATE", overview_count=2, **geo)
    pages = [page.subfiletype for page in tifffile.TiffFile(OUT / "mask-cog.tif").pages]
    assert pages[:2] == [0, 4] and 1 in pages and 5 in pages, pages

    def pages(name, *pages):
        with tifffile.TiffWriter(OUT / name) as file:
            for pixels, more in pages:
                file.write(pixels, metadata=None, photometric="minisblack", subfiletype=2, **more)
        for page, (_, more) in enumerate(pages):
            if more is not deflate:
                overwrite(name, page, "NewSubfileType", 4)

    deflate = dict(compression="zlib")
    band = lambda k: (image("i2", 3)[:, :, k], deflate)
    mask = (there, dict(compression="packbits", rowsperstrip=11))
    pages("mask-pages.tif", band(0), mask, band(1), band(2), (there > 0, {}))
    pages("mask-size.tif", band(0), (there[:-1], {}))
    pages("mask-two.tif", band(0), mask, mask)
    pages("mask-lzma.tif", band(0), (there, dict(compression="lzma")))
    pages("mask-wide.tif", band(0), (there.astype("u2"), {}))
    pages("mask-alone.tif", mask)


def markers():
    """Images with everything that GDAL takes for a mask, and with neighbours that it does not; markers.json
    has, for each band, a bit a pixel of what rasterio's read_masks says, 1 where the pixel is valid."""
    said = []

    def listen(name, bands=1):
        with rasterio.open(OUT / name) as file:
            for band in range(1, bands + 1):
                valid = file.read_masks(band) != 0
                said.append({"file": name, "band": band, "valid": "".join("01"[int(v)] for v in valid.ravel())})

    def grid(dtype, bands=1):
        row, column, band = np.ogrid[:9, :12, :bands]
        return (1 + row + 3 * column + 5 * band).astype(dtype)

    def tagged(name, pixels, nodata, **how):
        tifffile.imwrite(OUT / name, pixels, extratags=[(42113, 2, 0, nodata, True)], metadata=None, **how)
        listen(name)

    def written(name, pixels, mask=None, internal=True, tags={}, **how):
        pixels = np.moveaxis(pixels, 2, 0)
        shape = dict(height=9, width=12, count=len(pixels), dtype=pixels.dtype)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(OUT / name, "w", **{"driver": "GTiff", **shape, **how}) as file:
            file.write(pixels)
            if tags:
                file.update_tags(**tags)
            if mask is not None:
                file.write_mask(mask)
        listen(name, len(pixels))

    missing = grid("i8")[:, :, 0] % 4 == 0
    there = np.where(missing, 0, 255).astype("u1")

    def with_missing(dtype, value, near=()):
        pixels = grid(dtype)[:, :, 0]
        pixels[missing] = value
        for k, other in enumerate(near):
            pixels[8, 2 * k + 1] = other
        return pixels

    lowest = np.finfo("f4").min
    for name, dtype, value, text, near in [
        ("f4-short", "f4", lowest, "-3.402823e+38", (-2e38, -1e38, 3.4e38)),
        ("f4-shorter", "f4", lowest, "-3.4e38", (-2e38, -1e38)),
        ("f4-long", "f4", lowest, "-3.4028234663852886e+38", ()),
        ("f4-tenth", "f4", -9999.9, "-9999.9", (-9999.899, -9999.89)),
        ("f8-short", "f8", float(lowest), "-3.40282346638529e+38", ()),
        ("f8-tenth", "f8", float(np.float32(-9999.9)), "-9999.9", (-9999.9, -9999.904, -9999.91)),
        ("f8-tiny", "f8", 1e-300, "1e-300", (1.0000001e-300, 1.00001e-300, 0)),
        ("f8-highest", "f8", np.finfo("f8").max, "1.79769313486232e+308", (1e308, 1e307)),
        ("f4-nan", "f4", np.nan, "-1.#IND", ()),
        ("f2", "f2", 65504, "65504", (65472, 60000)),
        ("u1-fraction", "u1", 12, "12.5", (13,)),
        ("i2-fraction", "i2", -12, "-12.9", (-13,)),
        ("u2-fraction", "u2", 12, "12.5", (13,)),
        ("u1-beyond", "u1", 255, "300", (44,)),
        ("u1-below", "u1", 255, "-1", ()),
        ("i8", "i8", 2**63 - 1, "9223372036854775807", (2**63 - 2,)),
    ]:
        tagged(f"nodata-{name}.tif", with_missing(dtype, value, near), text)

    written("mask-nodata.tif", with_missing("u1", 7)[:, :, None], there[:, ::-1], nodata=7)
    written("msk.tif", grid("u1", 3), there, internal=False)
    written("msk-tiles.tif", grid("f4", 2), there, internal=False, tiled=True, blockxsize=16, blockysize=16, nodata=4)
    written("msk.png", grid("u2"), there, internal=False, driver="PNG")
    with rasterio.open(OUT / "msk-tiles.tif.msk", "r+") as file:
        file.build_overviews([2])
    # Without flags GDAL does not use it.
    written("msk-mute.tif", grid("u1"))
    tifffile.imwrite(OUT / "msk-mute.tif.msk", there, metadata=None)
    said.pop()
    listen("msk-mute.tif")
    # A mask a band.
    written("msk-two.tif", grid("u1", 2))
    said[-2:] = []
    flags = "<GDALMetadata>" + "".join(f'<Item name="INTERNAL_MASK_FLAGS_{b}">0</Item>' for b in (1, 2)) + "</GDALMetadata>"
    tifffile.imwrite(
        OUT / "msk-two.tif.msk", np.stack([there, there[::-1]], 2), photometric="minisblack", planarconfig="contig",
        extratags=[(42112, 2, 0, flags, True)], metadata=None,
    )
    listen("msk-two.tif", 2)

    def beside(name, xml, bands=1):
        (OUT / f"{name}.aux.xml").write_text(f"<PAMDataset>{xml}</PAMDataset>\n")
        said[-bands:] = []
        listen(name, bands)

    band = '<PAMRasterBand band="{}"><NoDataValue{}>{}</NoDataValue></PAMRasterBand>'
    written("aux.tif", grid("f4", 3))
    beside("aux.tif", band.format(2, "", "1.20000000000000E+01") + band.format(3, ' le_hex_equiv="0000000000002E40"', "1.4E+01"), 3)
    written("aux-and-tag.tif", grid("u1"), nodata=4)
    beside("aux-and-tag.tif", band.format(1, "", "7"))
    written("aux-values.tif", np.where(missing[:, :, None], 0, grid("u1", 2)), nodata=9)
    beside("aux-values.tif", '<Metadata><MDI key="NODATA_VALUES">0 0</MDI></Metadata>', 2)
    written("aux.png", grid("u1"), driver="PNG")
    beside("aux.png", band.format(1, "", "10"))

    some = np.where(missing[:, :, None], [3, 200, 3], grid("u1", 3)).astype("u1")
    some[0, 0] = [3, 200, 4]
    for how in ("pixel", "band"):
        written(f"values-{how}.tif", some, tags={"NODATA_VALUES": "3 200 3"}, interleave=how, compress="LZW")
    written("values-float.tif", some.astype("f4"), tags={"NODATA_VALUES": "3 200 3"})
    written("values-and-nodata.tif", some, tags={"NODATA_VALUES": "3 200 3"}, nodata=4)
    written("values-few.tif", some, tags={"NODATA_VALUES": "3 200"})

    def alpha(dtype, bands, most):
        pixels = grid(dtype, bands)
        pixels[:, :, -1] = np.where(missing, 0, most)
        pixels[0, 1, -1] = 1
        return pixels

    written("alpha-grey.tif", alpha("u1", 2, 255), alpha="YES")
    written("alpha-grey-16.tif", alpha("u2", 2, 65535), alpha="YES", compress="DEFLATE", predictor=2)
    written("alpha-rgb-planes.tif", alpha("u1", 4, 255), alpha="YES", photometric="RGB", interleave="band")
    written("alpha-rgb-associated.tif", alpha("u2", 4, 65535), alpha="PREMULTIPLIED", photometric="RGB", BIGTIFF="YES", tiled=True, blockxsize=16, blockysize=16)
    written("alpha-and-nodata.tif", alpha("u1", 2, 255), alpha="YES", nodata=4)
    written("alpha-second-of-five.tif", alpha("u1", 5, 255), alpha="YES")
    for name, pixels in [("alpha-grey", alpha("u1", 2, 255)), ("alpha-rgb", alpha("u1", 4, 255)), ("alpha-rgb-16", alpha("u2", 4, 65535))]:
        written(f"{name}.png", pixels, driver="PNG")

    def trns(name, pixels, depth, kind, colour):
        """A PNG with a transparent colour."""
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(">u2" if depth == 16 else "u1"))
        head = struct.pack(">IIBBBBB", 12, 9, depth, kind, 0, 0, 0)
        chunks = [(b"IHDR", head), (b"tRNS", struct.pack(f">{len(colour)}H", *colour)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks))
        listen(name, len(colour))

    trns("trns-8.png", with_missing("u1", 9), 8, 0, [9])
    trns("trns-16.png", with_missing("u2", 4660, (4661,)), 16, 0, [4660])
    trns("trns-rgb-8.png", some, 8, 2, [3, 200, 3])
    trns("trns-rgb-16.png", some.astype("u2") * 257, 16, 2, [771, 51400, 771])

    (OUT / "markers.json").write_text(json.dumps(said, indent=0) + "\n")

    # A reduced copy first: the image in full in a directory beneath it, behind it, and nowhere.
    small, full = grid("u2")[::3, ::3, 0], grid("u2")[:, :, 0]
    with tifffile.TiffWriter(OUT / "reduced-beneath.tif") as file:
        file.write(small, subfiletype=1, subifds=1, metadata=None)
        file.write(full, metadata=None)
    with tifffile.TiffWriter(OUT / "reduced-first.tif") as file:
        file.write(small, subfiletype=1, metadata=None)
        file.write(full, metadata=None)
    tifffile.imwrite(OUT / "reduced-only.tif", full, subfiletype=1, metadata=None)

    # Places without sizes.
    def unsized(name, **how):
        tifffile.imwrite(OUT / name, full, metadata=None, **how)
        with tifffile.TiffFile(OUT / name, mode="r+") as file:
            tags = file.pages[0].tags
            tag = tags[279] if 279 in tags else tags[325]
            tag.overwrite([0] * tag.count if tag.count > 1 else 0)

    unsized("unsized.tif")
    unsized("unsized-strips.tif", rowsperstrip=2)
    unsized("unsized-tiles.tif", tile=(16, 16))
    unsized("unsized-big.tif", bigtiff=True, byteorder=">")
    unsized("unsized-deflate.tif", compression="deflate")
    unsized("unsized-lzw.tif", compression="lzw", predictor=True)
    unsized("unsized-deflate-strips.tif", compression="deflate", rowsperstrip=2)


def scaled():
    """What GDAL notes of bands: scale and offset."""
    how = dict(driver="GTiff", height=ROWS, width=COLUMNS, count=3, dtype="int16", compress="DEFLATE")
    with rasterio.open(OUT / "scaled.tif", "w", **how) as file:
        for band in range(3):
            file.write(image("i2", 3)[:, :, band], band + 1)
        file.scales = (1.0, 0.5, 1.0)
        file.offsets = (0.0, -3.0, 7.25)
    with rasterio.open(OUT / "scaled.tif") as file:
        assert (file.read(2) == image("i2", 3)[:, :, 1]).all()


def profiles():
    """Images whose storage and texts a prediction keeps: profile-tiles.tif has BigTIFF tiles with the bands of
    a pixel side by side, descriptions, tags, an overview, and points in the place of pixels; profile-strips.tif
    has ground control points."""
    pixels = np.moveaxis(image("u2", 3), -1, 0)
    shape = dict(driver="GTiff", height=ROWS, width=COLUMNS)
    how = dict(count=3, dtype="uint16", tiled=True, blockxsize=32, blockysize=16, compress="deflate", predictor=2)
    geo = dict(crs="EPSG:32632", transform=rasterio.Affine(10, 0, 600000, 0, -10, 5100000))
    with rasterio.open(OUT / "profile-tiles.tif", "w", **shape, **how, **geo, bigtiff="yes", interleave="pixel") as file:
        file.write(pixels)
        file.descriptions = ("red", "green", "near <infrared>")
        file.update_tags(AREA_OR_POINT="Point", MISSION="a & b", TIFFTAG_ARTIST="make.py")
        file.update_tags(3, WAVELENGTH="842")
        file.update_tags(1, STATISTICS_MEAN="3")
        file.build_overviews([2])
    point = rasterio.control.GroundControlPoint
    places = [(0, 0, 9.0, 47.0), (0, COLUMNS, 9.6, 47.1), (ROWS, 0, 9.1, 46.6), (ROWS, COLUMNS, 9.7, 46.7)]
    gcps = dict(gcps=[point(row=row, col=column, x=x, y=y) for row, column, x, y in places], crs="EPSG:4326")
    how = dict(count=1, dtype="uint16", blockysize=8, compress="lzw")
    with rasterio.open(OUT / "profile-strips.tif", "w", **shape, **how, **gcps) as file:
        file.write(pixels[:1])


def stacks():
    """ImageJ's and tifffile's own, of which only the first image has a directory."""
    pixels = np.moveaxis(image("u2", 3), 2, 0)
    tifffile.imwrite(OUT / "stack.tif", pixels, imagej=True, truncate=True)
    tifffile.imwrite(OUT / "stack-float.tif", np.moveaxis(image("f4", 3), 2, 0), imagej=True, truncate=True)
    tifffile.imwrite(OUT / "stack-pages.tif", pixels, imagej=True)
    tifffile.imwrite(OUT / "stack-shape.tif", pixels, truncate=True, photometric="minisblack")
    description = "ImageJ=1.54f\nimages=3\nslices=3\n"
    tiff("stack-deflate.tif", pixels[0], compression="zlib", description=description)


def tables():
    columns = {
        name: vector(dtype)
        for name, dtype in [
            ("u8", "u1"), ("i8", "i1"), ("u16", "u2"), ("i16", "i2"), ("u32", "u4"), ("i32", "i4"),
            ("u64", "u8"), ("i64", "i8"), ("f32", "f4"), ("f64", "f8"),
        ]
    }
    table = pa.table(
        {
            "name": [f"row {k}" for k in range(LENGTH)],
            **columns,
            "bool": vector("i8") % 2 == 0,
            "category": pa.array(vector("f8")).dictionary_encode(),
            "gaps": pa.array([None if k == 211 else float(k) for k in range(LENGTH)]),
        }
    )
    for compression in "none snappy gzip zstd lz4 brotli".split():
        some = table if compression == "none" else table.select(["name", "i32", "f64"])
        pq.write_table(some, OUT / f"{compression}.parquet", compression=compression, row_group_size=64)
    pq.write_table(
        table.select(["f32"]), OUT / "one-v2.parquet", data_page_version="2.0", compression="zstd",
        use_dictionary=False, column_encoding="BYTE_STREAM_SPLIT",
    )
    half = table.drop_columns(["category"]).append_column("f16", pa.array(vector("f2")))
    pa.feather.write_feather(half, OUT / "uncompressed.feather", compression="uncompressed", chunksize=128)
    for compression in ["lz4", "zstd"]:
        some = table.select(["name", "i32", "f64"])
        pa.feather.write_feather(some, OUT / f"{compression}.feather", compression=compression, chunksize=64)
    categories = table.select(["category"])
    with pa.ipc.new_file(OUT / "category.arrow", categories.schema) as file:
        file.write_table(categories)
    with pa.ipc.new_stream(OUT / "stream.arrow", categories.schema) as file:
        file.write_table(categories)
    pa.feather.write_feather(table.select(["f64"]), OUT / "version1.feather", version=1)


def nulls():
    """Columns whose nulls lie at the edges of words, batches and row groups, with NaN or another number
    under them where the format keeps that."""
    k = np.arange(LENGTH)
    x_null = (k % 32 == 0) | (k % 32 == 31)
    t_null = (k % 50 == 32) | (k == 77)

    def column(values, null):
        values = np.array(values)
        if values.dtype.kind == "f":
            values[null] = np.nan
        valid = pa.array(~null).buffers()[1]
        return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), LENGTH, [valid, pa.py_buffer(values)])

    x = vector("f8")
    table = pa.table(
        {
            "x": column(x, x_null),
            "t": column(2 * x + 1, t_null),
            "u8": column(vector("u1"), x_null),
            "mask": pa.array(k % 3 != 0, mask=t_null),
            "none": column(x, k >= 0),
            "nan": column(np.where(k == 40, np.nan, x), x_null),
        }
    )
    # pyarrow takes a NaN for what it is, not for a null.
    assert table["nan"].null_count == x_null.sum() and np.isnan(table["nan"][40].as_py())
    pq.write_table(table, OUT / "nulls.parquet", row_group_size=100, data_page_size=256)
    pq.write_table(table.select(["x", "u8"]), OUT / "nulls-v2.parquet", data_page_version="2.0", row_group_size=64)
    pa.feather.write_feather(table, OUT / "nulls.feather", compression="zstd", chunksize=96)
    with pa.ipc.new_file(OUT / "nulls.arrow", table.schema) as file:
        # Batches that are pieces of larger ones begin within a byte of bits.
        for start, end in [(0, 5), (5, 132), (132, LENGTH)]:
            file.write_batch(table.slice(start, end - start).combine_chunks().to_batches()[0])


def kinds():
    """Columns of other kinds: decimals and what Python makes of them, dictionaries, fields, times, and two
    of one name."""
    k = np.arange(LENGTH)
    null = k % 32 == 31
    decimal.getcontext().prec = 80

    def decimals(data_type, spread):
        values = [None if null[i] else decimal.Decimal((int(i) * 7 - 50) * spread).scaleb(-data_type.scale) for i in k]
        return {"": pa.array(values, data_type), " as f64": pa.array([None if v is None else float(v) for v in values])}

    columns = {}
    for name, data_type, spread in [
        ("d32", pa.decimal32(9, 2), 1), ("d64", pa.decimal64(18, 4), 31), ("d9", pa.decimal128(9, 2), 1),
        ("d38", pa.decimal128(38, 30), 10**30 // 7), ("d76", pa.decimal256(76, 20), 10**40 // 3),
        ("tens", pa.decimal128(9, -2), 1),
    ]:
        columns |= {name + what: column for what, column in decimals(data_type, spread).items()}
    table = pa.table(columns)
    pa.feather.write_feather(table, OUT / "decimals.feather", compression="zstd", chunksize=128)
    narrow = [name for name in table.column_names if not name.startswith("tens")]
    pq.write_table(table.select(narrow), OUT / "decimals.parquet", row_group_size=128, compression="zstd")
    pq.write_table(table.select(["d9", "d9 as f64"]), OUT / "decimals-int.parquet", store_decimal_as_integer=True)

    keys = pa.array([None if null[i] else int(i) % 5 for i in k], pa.int8())
    dictionary = pa.DictionaryArray.from_arrays(keys, pa.array([7.5, -1.0, None, 3.0, 0.25]))
    whole = pa.DictionaryArray.from_arrays(pa.array(k % 3, pa.uint16()), pa.array([300, -5, 70_000], pa.int32()))
    fields = pa.StructArray.from_arrays(
        [pa.array(vector("f8"), mask=null), pa.StructArray.from_arrays([pa.array(vector("i4"))], ["r"])],
        ["p", "q"], mask=pa.array(k % 50 == 2),
    )
    table = pa.table({"dictionary": dictionary, "whole": whole, "s": fields, "s.dot": pa.array(vector("f4"))})
    pa.feather.write_feather(table, OUT / "kinds.feather", compression="lz4")
    pq.write_table(table.select(["s", "s.dot"]), OUT / "kinds.parquet", compression="zstd")
    nothing = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int8()), pa.array([], pa.float64()))
    pa.feather.write_feather(pa.table({"x": nothing}), OUT / "no-dictionary.feather", compression="uncompressed")

    times = {
        "date": pa.array(k, pa.int32()).cast(pa.date32()), "time": pa.array(k).cast(pa.time64("us")),
        "stamp": pa.array(k).cast(pa.timestamp("ns")), "duration": pa.array(k).cast(pa.duration("ms")),
        "list": pa.array([[1.0]] * LENGTH),
    }
    pa.feather.write_feather(pa.table(times), OUT / "times.feather", compression="zstd")
    pq.write_table(pa.table(times), OUT / "times.parquet", compression="zstd")

    twice = pa.table([vector("i4"), vector("f4"), vector("i2")], names=["a", "a", "b"])
    pq.write_table(twice, OUT / "twice.parquet", compression="zstd")
    with pa.ipc.new_file(OUT / "twice.arrow", twice.schema) as file:
        file.write_table(twice)

    # The names of columns that a table of pandas has got no names for.
    named = pa.table({"idx": [7.0, 8.0, 9.0], "0": [1.0, 2.0, 4.0], "1": [3.0, 5.0, 9.0]})
    pq.write_table(named, OUT / "numbers-as-names.parquet")
    pa.feather.write_feather(named, OUT / "numbers-as-names.feather", compression="uncompressed")


def texts():
    """As pandas and R write them: booleans, and nothing where nothing is."""
    k = np.arange(LENGTH)
    x = pd.Series(vector("f8")).where(k % 32 != 0)
    table = pd.DataFrame({"x": x, "t": 2 * x + 1, "b": k % 3 == 0, "n": pd.array([None if i % 7 == 1 else i for i in k], "Int64")})
    table.to_csv(OUT / "pandas.csv", index=False)
    table.to_csv(OUT / "pandas-na.csv", index=False, na_rep="NA")
    table.to_csv(OUT / "pandas.tsv", index=False, sep="\t", na_rep="null")
    table[["x"]].to_csv(OUT / "pandas-x.csv", index=False)
    table.to_csv(OUT / "pandas-index.csv")
    table.to_csv(OUT / "semicolons.csv", index=False, sep=";")
    table.to_csv(OUT / "tabs.csv", index=False, sep="\t")


def streams():
    table = pa.table(
        {
            "category": pa.array([f"kind {k % 3}" for k in range(LENGTH)]).dictionary_encode(),
            "i32": vector("i4"),
            "f64": vector("f8"),
            "gaps": pa.array([None if k % 64 == 63 else float(k) for k in range(LENGTH)]),
        }
    )
    for name, compression in [("plain", None), ("zstd", "zstd"), ("lz4", "lz4")]:
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(OUT / f"{name}.arrows", table.schema, options=options) as stream:
            stream.write_table(table, max_chunksize=110)
    with pa.ipc.new_stream(OUT / "one.arrows", table.select(["f64"]).schema) as stream:
        stream.write_table(table.select(["f64"]))
    (OUT / "big-endian.arrows").write_bytes(big_endian_stream(vector(">i4")))


def big_endian_stream(values):
    """A stream of one i32 column as a machine of that byte order writes it; pyarrow writes but its own."""
    def message(header_type, header, body=b""):
        builder = flatbuffers.Builder()
        place = header(builder)
        builder.StartObject(5)
        builder.PrependInt16Slot(0, 4, 0)  # version 5
        builder.PrependUint8Slot(1, header_type, 0)
        builder.PrependUOffsetTRelativeSlot(2, place, 0)
        builder.PrependInt64Slot(3, len(body), 0)
        builder.Finish(builder.EndObject())
        metadata = bytes(builder.Output())
        metadata += bytes(-len(metadata) % 8)
        return b"\xff\xff\xff\xff" + struct.pack("<i", len(metadata)) + metadata + body

    def schema(builder):
        name = builder.CreateString("i32")
        builder.StartObject(2)
        builder.PrependInt32Slot(0, 32, 0)
        builder.PrependBoolSlot(1, True, False)
        integer = builder.EndObject()
        builder.StartVector(4, 0, 4)
        children = builder.EndVector()
        builder.StartObject(7)
        builder.PrependUOffsetTRelativeSlot(0, name, 0)
        builder.PrependUint8Slot(2, 2, 0)  # an integer
        builder.PrependUOffsetTRelativeSlot(3, integer, 0)
        builder.PrependUOffsetTRelativeSlot(5, children, 0)
        field = builder.EndObject()
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(field)
        fields = builder.EndVector()
        builder.StartObject(4)
        builder.PrependInt16Slot(0, 1, 0)  # big-endian
        builder.PrependUOffsetTRelativeSlot(1, fields, 0)
        return builder.EndObject()

    def batch(builder):
        # One node: the length, and no nulls. Two buffers: no validity, and the values.
        builder.StartVector(16, 1, 8)
        builder.PrependInt64(0)
        builder.PrependInt64(len(values))
        nodes = builder.EndVector()
        builder.StartVector(16, 2, 8)
        for number in [values.nbytes, 0, 0, 0]:
            builder.PrependInt64(number)
        buffers = builder.EndVector()
        builder.StartObject(5)
        builder.PrependInt64Slot(0, len(values), 0)
        builder.PrependUOffsetTRelativeSlot(1, nodes, 0)
        builder.PrependUOffsetTRelativeSlot(2, buffers, 0)
        return builder.EndObject()

    stream = message(1, schema) + message(3, batch, values.tobytes()) + b"\xff\xff\xff\xff\0\0\0\0"
    assert pa.ipc.open_stream(stream).read_all()["i32"].to_pylist() == values.tolist()
    return stream


def dictionaries():
    """Two batches of one column: its keys mean other numbers in the second, or more of them."""
    batch = lambda keys, meanings: pa.record_batch(
        {"x": pa.DictionaryArray.from_arrays(pa.array(keys, pa.int8()), pa.array(meanings, pa.float64()))}
    )
    first = batch([0, 1, 1], [10, 20])
    replaced, added = batch([0, 1, 0], [40, 30]), batch([3, 2, 3], [10, 20, 30, 40])
    deltas = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    for name, new, second, options in [
        ("replaced.arrows", pa.ipc.new_stream, replaced, None),
        ("delta.arrows", pa.ipc.new_stream, added, deltas),
        ("delta.arrow", pa.ipc.new_file, added, deltas),
    ]:
        with new(OUT / name, first.schema, options=options) as file:
            file.write_batch(first)
            file.write_batch(second)
    # pyarrow refuses to write a file in which one dictionary replaces another. Of one with a delta, the
    # message of the second dictionary says that it is one by the byte at an offset that its table of fields
    # gives; without it, it replaces the first.
    bytes_ = bytearray((OUT / "delta.arrow").read_bytes())
    reader = pa.ipc.open_file(OUT / "delta.arrow")
    assert reader.num_record_batches == 2
    places = [at for at in range(0, len(bytes_) - 8, 8) if bytes_[at : at + 4] == b"\xff\xff\xff\xff"]
    replacing = None
    for at in places:
        size = struct.unpack_from("<i", bytes_, at + 4)[0]
        if size <= 0:
            continue
        table = lambda place: (place, place - struct.unpack_from("<i", bytes_, place)[0])
        field = lambda place, vtable, k: (
            struct.unpack_from("<H", bytes_, vtable + 4 + 2 * k)[0]
            if 4 + 2 * k < struct.unpack_from("<H", bytes_, vtable)[0]
            else 0
        )
        root, vtable = table(at + 8 + struct.unpack_from("<I", bytes_, at + 8)[0])
        kind, header = field(root, vtable, 1), field(root, vtable, 2)
        if kind == 0 or bytes_[root + kind] != 2:
            continue
        place = root + header
        dictionary, vtable = table(place + struct.unpack_from("<I", bytes_, place)[0])
        is_delta = field(dictionary, vtable, 2)
        if is_delta and bytes_[dictionary + is_delta]:
            bytes_[dictionary + is_delta] = 0
            replacing = at
    assert replacing is not None
    (OUT / "replaced.arrow").write_bytes(bytes_)


def beside_others():
    """A number, and one in a column of fields, behind columns of every layout."""
    n = 20
    k = np.arange(n)
    strings = pa.array([str(j) for j in range(n // 2)])
    table = pa.table(
        {
            "null": pa.nulls(n),
            "sparse": pa.UnionArray.from_sparse(
                pa.array([0, 1] * (n // 2), pa.int8()), [pa.array(k), pa.array([str(j) for j in k])]
            ),
            "dense": pa.UnionArray.from_dense(
                pa.array([0, 1] * (n // 2), pa.int8()), pa.array(k // 2, pa.int32()), [pa.array(k[: n // 2]), strings]
            ),
            "runs": pa.RunEndEncodedArray.from_arrays(pa.array([n // 2, n], pa.int32()), pa.array([1.0, 2.0])),
            "views": pa.array(["longer than twelve bytes"] * n, pa.string_view()),
            "list views": pa.array([[1, 2]] * n, pa.list_view(pa.int32())),
            "pairs": pa.array([[1, 2]] * n, pa.list_(pa.int32(), 2)),
            "two bytes": pa.array([b"ab"] * n, pa.binary(2)),
            "map": pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int32())),
            "long": pa.array(["x"] * n, pa.large_string()),
            "words": pa.array(["x", "y"] * (n // 2)).dictionary_encode(),
            "bool": pa.array(k % 3 == 0),
            "s": pa.StructArray.from_arrays(
                [strings.take(pa.array(k // 2)), pa.array(k * 2.0, mask=k % 4 == 0)],
                ["text", "x"],
                mask=pa.array(k % 10 == 3),
            ),
            "x": k * 3.0,
        }
    )
    for compression in [None, "lz4", "zstd"]:
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_file(OUT / f"beside-{compression or 'plain'}.arrow", table.schema, options=options) as file:
            file.write_table(table)
    with pa.ipc.new_stream(OUT / "beside.arrows", table.schema) as stream:
        stream.write_table(table, max_chunksize=8)


def attributes():
    """Missing values, as xarray and netCDF name them."""
    notes = {
        "plain": None, "fill": {"_FillValue": "-9999"}, "missing": {"missing_value": "13"},
        "both": {"missing_value": "8", "_FillValue": " -1.5"}, "nan": {"_FillValue": "nan"},
        "unclear": {"_FillValue": "n/a"},
    }
    table = pa.table([vector("f4")] * len(notes), pa.schema([pa.field(n, pa.float32(), metadata=m) for n, m in notes.items()]))
    pq.write_table(table, OUT / "attributes.parquet", compression="zstd")
    pa.feather.write_feather(table, OUT / "attributes.feather", compression="zstd")
    bad = table.select(["plain"]).replace_schema_metadata({"ARROW:schema": "/////w=="})
    pq.write_table(bad, OUT / "bad-note.parquet", store_schema=False)
    save_file(
        {name: vector("f4") for name in ["a", "layers.b", "c"]}, OUT / "attributes.safetensors",
        metadata={"_FillValue": "-9999", "layers.b._FillValue": "NaN", "c._FillValue": "none"},
    )


def arrays():
    x = image("f4")[:, :, 0]
    np.savez(OUT / "stored.npz", x=x, columns=np.asfortranarray(image("i2")[:, :, 0]), big=vector(">i4"))
    np.savez_compressed(OUT / "deflated.npz", x=x, columns=np.asfortranarray(image("i2")[:, :, 0]), big=vector(">i4"))
    np.savez_compressed(OUT / "one.npz", vector("f8"))
    with zipfile.ZipFile(OUT / "bzip2.npz", "w", zipfile.ZIP_BZIP2) as archive:
        with archive.open("x.npy", "w") as file:
            np.save(file, x)
    tensors = {
        "F64": vector("f8"), "F32": image("f4")[:, :, 0], "F16": vector("f2"),
        "BF16": vector("f4").astype(ml_dtypes.bfloat16), "BOOL": vector("i8") % 2 == 0,
    }
    for kind in "iu":
        for size in (1, 2, 4, 8):
            tensors[f"{kind.upper()}{8 * size}"] = vector(f"{kind}{size}")
    tensors["layers/0.weight"] = vector("f4")
    save_file(tensors, OUT / "all.safetensors")
    save_file({"only": vector("f4")}, OUT / "one.safetensors")
    new_types()


def new_types():
    """Tensors of types that are not read, one of which no library knows yet, beside one that is."""
    values = vector("f4").tobytes()
    header = {
        "newer": {"dtype": "I4", "shape": [6], "data_offsets": [0, 3]},
        "half": {"dtype": "F8_E4M3", "shape": [5], "data_offsets": [3, 8]},
        "x": {"dtype": "F32", "shape": [LENGTH], "data_offsets": [8, 8 + len(values)]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (OUT / "new-types.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(8) + values)


def masked():
    """A pair with missing values, and what numpy.ma makes of it: masked.npz and masked.json. T has the nodata value
    -9999, X has NaN; the mask is 0 where nothing is valid. Numbers in the place of missing values must not matter."""
    random = np.random.default_rng(20)
    shape = (19, 23)
    x = random.normal(3, 2, shape)
    t = 1.7 * x - 0.4 + random.normal(0, 0.5, shape)
    mask = (random.random(shape) > 0.1).astype("u1")
    weights = random.uniform(0, 4, shape)
    weights[random.random(shape) < 0.05] = 0
    t[mask == 0] = 1e6
    x[random.random(shape) < 0.08] = np.nan
    t[random.random(shape) < 0.08] = -9999
    np.savez_compressed(OUT / "masked.npz", x=x, t=t, mask=mask, weights=weights)

    weight, bias = 1.25, 0.5
    missing = (mask == 0) | np.isnan(x) | (t == -9999)
    xs = np.ma.masked_array(x, missing)
    ts = np.ma.masked_array(t, missing)
    ws = np.ma.masked_array(weights, missing)
    rs = weight * xs + bias - ts
    first = mask == 0
    numbers = {
        "weight": weight,
        "bias": bias,
        "n": int(rs.count()),
        "masked": int(first.sum()),
        "x_nodata": int((~first & np.isnan(x)).sum()),
        "t_nodata": int((~first & ~np.isnan(x) & (t == -9999)).sum()),
        "loss": float((rs**2).mean()),
        "grad_weight": float((2 * rs * xs).mean()),
        "grad_bias": float((2 * rs).mean()),
        # With L = sum(w*r^2) / sum(w); a pair of weight 0 does not count.
        "weighted": {
            "n": int((ws > 0).sum()),
            "sum_of_weights": float(ws.sum()),
            "loss": float(np.ma.average(rs**2, weights=ws)),
            "grad_weight": float(np.ma.average(2 * rs * xs, weights=ws)),
            "grad_bias": float(np.ma.average(2 * rs, weights=ws)),
        },
    }
    (OUT / "masked.json").write_text(json.dumps(numbers, indent=2) + "\n")


def pngs():
    Image.fromarray(image("u1")[:, :, 0]).save(OUT / "grey8.png")
    Image.fromarray(image("u2")[:, :, 0]).save(OUT / "grey16.png")
    Image.fromarray(image("u1", 3)).save(OUT / "rgb.png")
    Image.fromarray(image("u1", 4)).save(OUT / "rgba.png")
    Image.fromarray(image("u1")[:, :, 0]).convert("P").save(OUT / "palette.png")
    Image.fromarray(image("u1")[:, :, 0] > 99).save(OUT / "bilevel.png")
    import imagecodecs

    (OUT / "rgb16.png").write_bytes(imagecodecs.png_encode(image("u2", 3)))
    (OUT / "interlaced.png").write_bytes(interlaced(image("u1")[:, :, 0]))


def interlaced(pixels):
    """A grey PNG in the seven passes of Adam7: no library at hand writes one."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, across in passes:
        for row in pixels[top::down, left::across]:
            rows += b"\0" + row.tobytes()
    chunk = lambda kind, data: (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )
    head = struct.pack(">IIBBBBB", COLUMNS, ROWS, 8, 0, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    tiffs()
    small_samples()
    masks()
    markers()
    scaled()
    profiles()
    stacks()
    tables()
    kinds()
    texts()
    nulls()
    streams()
    dictionaries()
    beside_others()
    attributes()
    arrays()
    masked()
    pngs()
