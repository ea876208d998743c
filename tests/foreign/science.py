"""Writes the files of data/science with the programs of astronomy and remote sensing, and text as they write it;
tests/it/foreign/{fits_files,envi,plain_text,shards}.rs read them.

    python3 -m venv venv
    venv/bin/pip install numpy astropy spectral zstandard safetensors pyarrow
    venv/bin/python tests/foreign/science.py

An image of 13 rows and 17 columns has the value 5*row + 3*column + 11*band, halved in floating-point types. What
astropy makes of pixels that were quantized is beside them as .npy.
"""

import gzip
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import spectral.io.envi
import zstandard
from astropy.io import fits
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).parent / "data" / "science"
ROWS, COLUMNS, LENGTH = 13, 17, 40


def image(dtype, band=0):
    row, column = np.ogrid[:ROWS, :COLUMNS]
    value = 5 * row + 3 * column + 11 * band
    return (value / 2 if np.dtype(dtype).kind == "f" else value).astype(dtype)


def astronomy():
    primary = fits.PrimaryHDU(image("f4"))
    blank = fits.ImageHDU(image("i2"), name="BLANKED")
    blank.header["BLANK"] = 20
    scaled = fits.ImageHDU(image("i2"), name="SCALED")
    scaled.header["BSCALE"], scaled.header["BZERO"] = 0.5, 3.0
    cube = fits.ImageHDU(np.stack([image("i4", band) for band in range(3)]), name="CUBE", ver=2)
    images = [fits.ImageHDU(image(dtype), name=dtype.upper()) for dtype in ["u1", "i8", "f8"]]
    fits.HDUList([primary, blank, scaled, cube, *images]).writeto(OUT / "plain.fits", overwrite=True)
    # BSCALE in a header makes astropy scale what it writes.
    with fits.open(OUT / "plain.fits", do_not_scale_image_data=True) as file:
        assert (file["BLANKED"].data == image("i2")).all()

    fits.HDUList(
        [fits.PrimaryHDU()] + [fits.ImageHDU(image(dtype), name=dtype.upper()) for dtype in ["u2", "u4", "u8", "i1"]]
    ).writeto(OUT / "unsigned.fits", overwrite=True)
    fits.PrimaryHDU().writeto(OUT / "empty.fits", overwrite=True)

    k = np.arange(LENGTH)
    columns = [
        fits.Column("x", "D", array=k * 0.25),
        fits.Column("t", "E", array=k * 0.5 + 1),
        fits.Column("i", "J", array=k - 7, null=5),
        fits.Column("s", "I", array=k),
        fits.Column("k", "K", array=k * 10**15),
        fits.Column("b", "B", array=k),
        fits.Column("u", "I", array=(k + 40000).astype("u2"), bzero=32768),
        fits.Column("ok", "L", array=k % 3 == 0),
        fits.Column("name", "5A", array=np.array([f"n{i}" for i in k])),
        fits.Column("pair", "2E", array=np.stack([k, 2 * k], axis=1)),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    table.writeto(OUT / "table.fits", overwrite=True)

    rice = [fits.CompImageHDU(image(d), name=d.upper(), compression_type="RICE_1") for d in ["i2", "i4", "u1", "u2"]]
    rice.append(fits.CompImageHDU(image("i2"), name="TILES", compression_type="RICE_1", tile_shape=(5, 8)))
    wild = ((np.arange(ROWS * COLUMNS) * 2654435761) % 2**32 - 2**31).astype("i4").reshape(ROWS, COLUMNS)
    rice.append(fits.CompImageHDU(wild, name="WILD", compression_type="RICE_1"))
    fits.HDUList([fits.PrimaryHDU(), *rice]).writeto(OUT / "rice.fits", overwrite=True)
    np.save(OUT / "wild.npy", wild)

    gzipped = [
        fits.CompImageHDU(image("i2"), name="G1", compression_type="GZIP_1"),
        fits.CompImageHDU(image("i4"), name="G2", compression_type="GZIP_2"),
        fits.CompImageHDU(image("f4"), name="F4", compression_type="GZIP_2", quantize_level=0),
        fits.CompImageHDU(image("f8"), name="F8", compression_type="GZIP_1", quantize_level=0),
        fits.CompImageHDU(image("i4"), name="PLIO", compression_type="PLIO_1"),
    ]
    fits.HDUList([fits.PrimaryHDU(), *gzipped]).writeto(OUT / "gzip.fits", overwrite=True)

    random = np.random.default_rng(7).normal(100, 3, (ROWS, COLUMNS)).astype("f4")
    random[3, 4], random[5, :3] = np.nan, 0
    for method, name in [(-1, "none"), (1, "one"), (2, "two")]:
        hdu = fits.CompImageHDU(random, name="Q", compression_type="RICE_1", quantize_method=method, dither_seed=41)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(OUT / f"quantized-{name}.fits", overwrite=True)
        with fits.open(OUT / f"quantized-{name}.fits") as file:
            np.save(OUT / f"quantized-{name}.npy", file["Q"].data.astype("f4"))
    hdu = fits.CompImageHDU(random.astype("f8"), name="Q", compression_type="GZIP_1", quantize_level=16, dither_seed=3)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(OUT / "quantized-gzip.fits", overwrite=True)
    with fits.open(OUT / "quantized-gzip.fits") as file:
        np.save(OUT / "quantized-gzip.npy", file["Q"].data.astype("f8"))


def remote_sensing():
    types = {"u1": 0, "i2": 1, "i4": 0, "f4": 1, "f8": 0, "u2": 1, "u4": 0, "i8": 1, "u8": 0}
    for dtype, order in types.items():
        for interleave in ["bsq", "bil", "bip"] if dtype in ("u1", "u2", "f4") else ["bsq"]:
            pixels = np.stack([image(dtype, band) for band in range(3)], axis=2)
            metadata = {"band names": ["red", "near infrared", "blue"], "data ignore value": 11}
            spectral.io.envi.save_image(
                str(OUT / f"envi-{dtype}-{interleave}.hdr"), pixels, dtype=dtype, interleave=interleave, ext="img",
                byteorder=order, metadata=metadata, force=True,
            )


def text():
    k = np.arange(LENGTH)
    pair = np.stack([k * 0.25, k * 0.5 + 1], axis=1)
    np.savetxt(OUT / "savetxt.txt", pair)
    np.savetxt(OUT / "savetxt-header.txt", pair, header="x t")
    np.savetxt(OUT / "savetxt-comma.txt", pair, delimiter=",", header="x,t")
    np.savetxt(OUT / "savetxt-fixed.dat", pair, fmt="%12.4f", header="made\nx t")
    lines = ["größe;x;t"] + [f"a;{x};{t}".replace(".", ",") for x, t in pair.tolist()]
    german = "\r\n".join(lines) + "\r\n"
    (OUT / "german.csv").write_text(german, encoding="utf-8", newline="")
    (OUT / "german-utf16.csv").write_text(german, encoding="utf-16", newline="")
    (OUT / "german-utf16-big.csv").write_bytes(b"\xfe\xff" + german.encode("utf-16-be"))
    plain = "x,t\n" + "".join(f"{x},{t}\n" for x, t in pair.tolist())
    (OUT / "plain.csv.gz").write_bytes(gzip.compress(plain.encode(), mtime=0))
    half = plain.index("\n", len(plain) // 2) - 3
    members = [gzip.compress(part.encode(), mtime=0) for part in (plain[:half], plain[half:])]
    (OUT / "members.csv.gz").write_bytes(b"".join(members))
    (OUT / "plain.tsv.gz").write_bytes(gzip.compress(plain.replace(",", "\t").encode(), mtime=0))
    (OUT / "savetxt.txt.gz").write_bytes(gzip.compress((OUT / "savetxt-header.txt").read_bytes(), mtime=0))
    (OUT / "plain.csv.zst").write_bytes(zstandard.compress(plain.encode()))


def models():
    save_file({"a.weight": image("f4"), "a.bias": image("f4")[0]}, OUT / "model-00001-of-00002.safetensors")
    save_file({"b.weight": image("f4", 1)}, OUT / "model-00002-of-00002.safetensors")
    shards = {"a.weight": 1, "a.bias": 1, "b.weight": 2}
    index = {"metadata": {"total_size": 1}, "weight_map": {n: f"model-0000{s}-of-00002.safetensors" for n, s in shards.items()}}
    (OUT / "model.safetensors.index.json").write_text(json.dumps(index))


def tables():
    folder = OUT / "parts"
    folder.mkdir(exist_ok=True)
    k = np.arange(LENGTH)
    for part in range(3):
        mine = k[part * 15 : (part + 1) * 15]
        x = pa.array([None if i == 20 else i * 0.25 for i in mine.tolist()], "float64")
        pq.write_table(pa.table({"x": x, "t": mine * 0.5 + 1}), folder / f"part-{part}.parquet", compression="zstd")
    (folder / "_SUCCESS").write_text("")


OUT.mkdir(parents=True, exist_ok=True)
astronomy()
remote_sensing()
text()
models()
tables()
