"""Writes the HDF5, NetCDF and Zarr files in data/; tests/it/foreign/{hdf5,netcdf,zarr}.rs read them.

    python3 -m venv venv
    venv/bin/pip install h5py hdf5plugin netCDF4 xarray zarr numcodecs numpy ml_dtypes
    venv/bin/python tests/foreign/cubes.py

Elements are formulas of their places, as in make.py; the elements that netCDF4 and
xarray take for missing are in cubes.json.
"""

import json
import pathlib
import shutil
import sys
import zipfile

import h5py
import hdf5plugin
import ml_dtypes
import netCDF4
import numcodecs
import numpy as np
import xarray as xr
import zarr
import zarr.codecs as v3

OUT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "data"
ROWS, COLUMNS, LENGTH = 19, 23, 120
KINDS = "u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8".split()


def image(dtype, band=0):
    row, column = np.ogrid[:ROWS, :COLUMNS]
    value = 5 * row + 3 * column + 11 * band
    dtype = np.dtype(dtype)
    if dtype.itemsize == 1:
        value = value % 251 if dtype.kind == "u" else value % 127
    elif dtype.kind == "i":
        value = value - 100
    elif dtype.kind == "f":
        value = value / 2
    return value.astype(dtype)


def vector(dtype):
    dtype = np.dtype(dtype)
    value = np.arange(LENGTH) * 7 - 50
    if dtype.itemsize == 1:
        value = value % 100
    return (abs(value) if dtype.kind == "u" else value).astype(dtype)


def cube(dtype):
    """The first 7 rows and 9 columns of five bands."""
    return np.stack([image(dtype, band)[:7, :9] for band in range(5)])


def types():
    for name, order in (("little", "<"), ("big", ">")):
        with h5py.File(OUT / f"{name}.h5", "w", libver="latest") as file:
            for kind in KINDS:
                file[kind] = vector(order + kind)
            if order == "<":
                file["bool"] = np.arange(LENGTH) * 7 % 2 == 0
                kind = h5py.h5t.IEEE_F16LE.copy()
                kind.set_fields(15, 7, 8, 0, 7)
                kind.set_ebias(127)
                space = h5py.h5s.create_simple((LENGTH,))
                bf16 = h5py.h5d.create(file.id, b"bf16", kind, space)
                bf16.write(h5py.h5s.ALL, h5py.h5s.ALL, vector("f4").astype(ml_dtypes.bfloat16).view("u2"), mtype=kind)
                file["scalar"] = 2.5


FILTERS = {
    "plain": {},
    "gzip": dict(compression="gzip", compression_opts=9),
    "shuffled": dict(compression="gzip", shuffle=True),
    "summed": dict(fletcher32=True, compression="gzip"),
    "all": dict(shuffle=True, compression="gzip", fletcher32=True),
    "lzf": dict(compression="lzf"),
    "lzf-shuffled": dict(compression="lzf", shuffle=True),
    "zstd": dict(**hdf5plugin.Zstd()),
}


def chunks():
    """Every filter, with the old index of chunks."""
    shapes = [(8, 16), (19, 23), (10, 23), (19, 4), (32, 32), (5, 7), (16, 8), (13, 20)]
    for kind in ("u2", "f4"):
        with h5py.File(OUT / f"filters-{kind}.h5", "w") as file:
            for (name, how), shape in zip(FILTERS.items(), shapes):
                if name == "plain":
                    continue
                maxshape = (None, None) if shape == (32, 32) else None
                file.create_dataset(name, data=image(kind), chunks=shape, maxshape=maxshape, **how)
    with h5py.File(OUT / "chunked.h5", "w") as file:
        file.create_dataset("small", data=image("u1"), chunks=(4, 4), compression="gzip")
        file.create_dataset("big", data=image(">i2"), chunks=(16, 16), compression="gzip", shuffle=True)
        file.create_dataset("sum", data=image("u1"), chunks=(10, 10), fletcher32=True)
        file.create_dataset("cube", data=cube("i4"), chunks=(2, 3, 4), compression="lzf")
        holes = file.create_dataset("holes", (ROWS, COLUMNS), "i2", chunks=(10, 10), fillvalue=-7, compression="gzip")
        holes[12:17, 8:21] = image("i2")[12:17, 8:21]
        file.create_dataset("never", (4, 5), "f4", fillvalue=1.5)
        file.create_dataset("never-big", (4, 5), ">u2", fillvalue=258, chunks=(2, 2))
        shrunk = file.create_dataset("shrunk", data=image("u1"), chunks=(8, 8), maxshape=(None, None), compression="gzip")
        shrunk.resize((10, 21))


def indices():
    """Every newer index of chunks, with and without a filter."""
    with h5py.File(OUT / "indices.h5", "w", libver="latest") as file:
        for name, how in (("", {}), ("-gzip", dict(compression="gzip", shuffle=True))):
            data = image("u1") if not how else image("u2")
            file.create_dataset("single" + name, data=data, chunks=data.shape, **how)
            file.create_dataset("fixed" + name, data=data, chunks=(10, 10), **how)
            file.create_dataset("fixed-room" + name, data=data, chunks=(10, 20), maxshape=(100, 60), **how)
            file.create_dataset("rows" + name, data=data, chunks=(8, 16), maxshape=(None, COLUMNS), **how)
            file.create_dataset("columns" + name, data=data, chunks=(8, 16), maxshape=(60, None), **how)
            file.create_dataset("both" + name, data=data, chunks=(8, 16), maxshape=(None, None), **how)
        file.create_dataset("deep-gzip", data=image("u1"), chunks=(4, 4), maxshape=(None, None), compression="gzip")
    with h5py.File(OUT / "indices-more.h5", "w", libver="latest") as file:
        file.create_dataset("long", data=vector("u1"), chunks=(1,), maxshape=(None,))
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_chunk((10, 10))
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        kind = h5py.h5t.py_create(np.dtype("u1"))
        space = h5py.h5s.create_simple((ROWS, COLUMNS))
        h5py.Dataset(h5py.h5d.create(file.id, b"implicit", kind, space, early))[:] = image("u1")
        edges = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        edges.set_chunk((10, 10))
        edges.set_deflate(4)
        if hasattr(edges, "set_chunk_opts"):
            edges.set_chunk_opts(h5py.h5d.CHUNK_DONT_FILTER_PARTIAL_CHUNKS)
        h5py.Dataset(h5py.h5d.create(file.id, b"edges", kind, space, edges))[:] = image("u1")
    with h5py.File(OUT / "paged.h5", "w", libver="latest") as file:
        file.create_dataset("paged", data=np.resize(image("u1"), (35, 30)), chunks=(1, 1))
        holes = file.create_dataset("holes", (35, 31), "u1", chunks=(1, 1), fillvalue=9)
        holes[34, 2] = 3


def groups():
    for name, libver in (("groups-old", "earliest"), ("groups-new", "latest")):
        with h5py.File(OUT / f"{name}.h5", "w", libver=libver) as file:
            one = file.create_group("a/b c/d")
            one["x"] = np.arange(6.0).reshape(2, 3)
            file["hard"] = one["x"]
            file["soft"] = h5py.SoftLink("/a/b c/d/x")
            one["near"] = h5py.SoftLink("x")
            file["dead"] = h5py.SoftLink("/nowhere")
            file["round"] = h5py.SoftLink("/round")
            file["far"] = h5py.ExternalLink("other.h5", "/x")
            many = file.create_group("many")
            for k in range(24):
                many.create_dataset(f"y{k:03}", data=np.array([k, k + 1], "i2"))
            for k in range(20):
                one["x"].attrs[f"note {k}"] = k
            one["x"].attrs["_FillValue"] = 4.0
            file["text"] = "some"
    with h5py.File(OUT / "userblock.h5", "w", userblock_size=512) as file:
        file.create_dataset("x", data=vector("f4"), chunks=(100,), compression="gzip")


def refused():
    refused = {
        "scale-offset": dict(scaleoffset=4),
        "blosc": dict(**hdf5plugin.Blosc()),
        "blosc2": dict(**hdf5plugin.Blosc2()),
        "lz4": dict(**hdf5plugin.LZ4()),
        "bitshuffle": dict(**hdf5plugin.Bitshuffle()),
        "bzip2": dict(**hdf5plugin.BZip2()),
        "zfp": dict(**hdf5plugin.Zfp(reversible=True)),
    }
    with h5py.File(OUT / "refused.h5", "w") as file:
        for name, how in refused.items():
            kind = "f4" if name == "zfp" else "i4"
            file.create_dataset(name, data=vector(kind), chunks=(LENGTH,), **how)
        nbit = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        nbit.set_chunk((LENGTH,))
        nbit.set_filter(h5py.h5z.FILTER_NBIT)
        kind = h5py.h5t.STD_I32LE.copy()
        kind.set_precision(17)
        kind.set_offset(0)
        space = h5py.h5s.create_simple((LENGTH,))
        h5py.h5d.create(file.id, b"n-bit type", kind, space, nbit)
        file["compound"] = np.zeros(3, [("a", "f4"), ("b", "i2")])
        file["complex"] = np.zeros(3, "c8")
        file["strings"] = np.array([b"a", b"bc"])
        file.create_dataset("rows", (2,), h5py.vlen_dtype("f4"))
        file.create_dataset("words", (2,), h5py.string_dtype())
        file.create_dataset("colours", (2,), h5py.enum_dtype({"red": 1, "green": 2}))
        file.create_dataset("references", (2,), h5py.ref_dtype)
        file.create_dataset("f16", (2,), np.longdouble)
        file.create_dataset("outside", (4,), "f4", external=[("outside.raw", 0, 16)])
        layout = h5py.VirtualLayout((LENGTH,), "i4")
        layout[:] = h5py.VirtualSource(".", "blosc", (LENGTH,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("null", data=h5py.Empty("f4"))
        file.create_dataset("empty", (0, 3), "f4")


MISSING = {}


def note_missing(path, name, values):
    mask = np.ma.getmaskarray(values).ravel()
    MISSING[f"{path.name}:{name}"] = np.flatnonzero(mask).tolist()


def netcdfs():
    """The same variables in every format of the library."""
    formats = "NETCDF4 NETCDF3_CLASSIC NETCDF3_64BIT_OFFSET NETCDF3_64BIT_DATA".split()
    for number, format in enumerate(formats):
        path = OUT / f"cf-{number}.nc"
        with netCDF4.Dataset(path, "w", format=format) as file:
            file.set_auto_maskandscale(False)
            file.title = "numbers"
            file.createDimension("time", None)
            file.createDimension("y", 7)
            file.createDimension("x", 9)
            axis = file.createVariable("x", "f8", ("x",))
            axis[:] = np.arange(9) / 2
            time = file.createVariable("time", "f8", ("time",))
            time[:] = np.arange(5) * 1.5
            file.createDimension("band", 5)
            for kind in "i1 i2 i4 f4 f8".split() + ("u1 u2 u4 i8 u8".split() if number in (0, 3) else []):
                file.createVariable("fixed_" + kind, kind, ("y", "x"))[:] = cube(kind)[3]
                if kind in ("i1", "i2", "f8") or number > 0:
                    pack = dict(zlib=True, shuffle=True, chunksizes=(2, 7, 5)) if number == 0 else {}
                    file.createVariable("grows_" + kind, kind, ("time", "y", "x"), **pack)[:] = cube(kind)
            text = file.createVariable("text", "S1", ("x",))
            text[:] = np.array(list("characters")[:9], "S1")

            def missing(name, kind, **attributes):
                fill = attributes.pop("_FillValue", None)
                variable = file.createVariable(name, kind, ("band", "y", "x"), fill_value=fill)
                variable.set_auto_maskandscale(False)
                variable.setncatts(attributes)
                variable[:] = cube(kind)
                return variable

            missing("fill", "i2", _FillValue=np.int16(-40))
            missing("missing", "f4", missing_value=np.float32(12.5))
            missing("two", "i4", _FillValue=np.int32(-40), missing_value=np.int32(-13))
            missing("several", "i2", missing_value=np.array([-90, -40, -3], "i2"))
            missing("range", "i2", valid_range=np.array([-80, -30], "i2"), _FillValue=np.int16(-50))
            missing("least", "f4", valid_min=np.float32(10.5))
            missing("most", "f8", valid_max=np.float64(20.25), missing_value=np.float64(7.5))
            scaled = missing("scaled", "i2", scale_factor=np.float64(0.1), add_offset=np.float64(20), _FillValue=np.int16(-40))
            scaled.units = "degC"
            nan = missing("nan", "f4", _FillValue=np.float32(np.nan))
            nan[1, 2, 3] = np.nan
            unsigned = file.createVariable("unsigned", "i1", ("y", "x"), fill_value=np.int8(-1))
            unsigned.set_auto_maskandscale(False)
            unsigned.setncattr("_Unsigned", "true")
            unsigned[:] = cube("u1")[4].view("i1")
            unwritten = file.createVariable("unwritten", "f4", ("time", "y"))
            unwritten[1, 2:5] = 3
        with netCDF4.Dataset(path) as file:
            names = "fill missing two several range least most nan unsigned unwritten fixed_f4".split()
            for name in names:
                file[name].set_auto_scale(name == "unsigned")
                # Of an axis without an end a file has what was written of a variable.
                note_missing(path, name, file[name][:2] if (name, number) == ("unwritten", 0) else file[name][:])
            file["scaled"].set_auto_scale(False)
            note_missing(path, "scaled", file["scaled"][:])
    with netCDF4.Dataset(OUT / "groups.nc", "w") as file:
        file.createDimension("x", LENGTH)
        file.createVariable("x", "f8", ("x",))[:] = np.arange(LENGTH)
        group = file.createGroup("model/run 1")
        group.createVariable("depth", "i2", ("x",), zlib=True, chunksizes=(77,))[:] = vector("i2")
        group.createVariable("zst", "f4", ("x",), compression="zstd", chunksizes=(100,))[:] = vector("f4")
    with netCDF4.Dataset(OUT / "record.nc", "w", format="NETCDF3_CLASSIC") as file:
        # Of the only one that grows, records are not padded.
        file.createDimension("time", None)
        file.createDimension("x", 3)
        file.createVariable("only", "i2", ("time", "x"))[:] = np.arange(15).reshape(5, 3)
    with netCDF4.Dataset(OUT / "records.nc", "w", format="NETCDF3_CLASSIC") as file:
        # 12 bytes apart, which is no whole number of f8.
        file.createDimension("time", None)
        file.createVariable("wide", "f8", ("time",))[:] = np.arange(6) / 4
        file.createVariable("flag", "i1", ("time",))[:] = np.arange(6)
        file.createVariable("pair", "f4", ("time",))[:] = np.arange(6) / 2
        file.createVariable("odd", "i2", ("time",))[:] = np.arange(6) * 3


def xarrays():
    places = dict(time=np.arange(5), y=np.arange(7.0), x=np.arange(9.0))
    values = cube("f4") - 3.0
    values[2, 3, 4] = np.nan
    data = xr.Dataset(
        {"t2m": (("time", "y", "x"), values), "mask": (("y", "x"), cube("u1")[0] % 2 == 0)},
        coords=places,
    )
    packed = dict(dtype="i2", scale_factor=0.25, add_offset=10.0, _FillValue=-32768, zlib=True, chunksizes=(2, 7, 4))
    data.to_netcdf(OUT / "xarray.nc", engine="netcdf4", encoding={"t2m": packed})
    for name in ("xarray.nc",):
        with xr.open_dataset(OUT / name) as file:
            note_missing(OUT / name, "t2m", np.ma.masked_invalid(file["t2m"].values))


def zarrs():
    def pack(folder, how=zipfile.ZIP_STORED):
        with zipfile.ZipFile(folder.with_suffix(".zarr.zip"), "w", how) as to:
            for part in sorted(folder.rglob("*")):
                if part.is_file():
                    to.writestr(zipfile.ZipInfo(part.relative_to(folder).as_posix()), part.read_bytes(), how)
        shutil.rmtree(folder)

    def new(name, version):
        folder = OUT / f"{name}.zarr"
        shutil.rmtree(folder, ignore_errors=True)
        return folder, zarr.open_group(folder, mode="w", zarr_format=version)

    folder, group = new("types-2", 2)
    for kind in KINDS:
        for order in "<>":
            name = ("big/" if order == ">" else "little/") + kind
            group.create_array(name, data=vector(order + kind), chunks=(70,), compressors=numcodecs.Zstd())
    group.create_array("bool", data=np.arange(LENGTH) * 7 % 2 == 0, chunks=(50,))
    pack(folder)
    folder, group = new("types-3", 3)
    for kind in KINDS:
        for order in ("big", "little"):
            group.create_array(
                f"{order}/{kind}", data=vector(kind), chunks=(70,), compressors=None, serializer=v3.BytesCodec(endian=order)
            )
    group.create_array("bool", data=np.arange(LENGTH) * 7 % 2 == 0, chunks=(50,))
    group.create_array("scalar", data=np.array(2.5))
    pack(folder, zipfile.ZIP_DEFLATED)

    folder, group = new("codecs-2", 2)
    codecs = {
        "none": None,
        "zlib": numcodecs.Zlib(),
        "gzip": numcodecs.GZip(),
        "zstd": numcodecs.Zstd(),
        "zstd-sum": numcodecs.Zstd(checksum=True),
        "lz4": numcodecs.LZ4(),
    }
    for name in "blosclz lz4 lz4hc zlib zstd".split():
        for shuffle in range(3):
            codecs[f"blosc-{name}-{shuffle}"] = numcodecs.Blosc(name, clevel=9, shuffle=shuffle)
    for name, codec in codecs.items():
        group.create_array(f"u2/{name}", data=image("u2"), chunks=(19, 23), compressors=codec)
        if "-lz4-" in name or "blosclz" in name:
            group.create_array(f"f4/{name}", data=image("f4"), chunks=(10, 23), compressors=codec)
    pack(folder)

    folder, group = new("arrays-2", 2)
    group.create_array("blocks", data=image("i4"), chunks=(19, 23), compressors=numcodecs.Blosc("lz4", blocksize=512))
    group.create_array("shuffle", data=image("u2"), chunks=(9, 9), filters=[numcodecs.Shuffle(2)], compressors=numcodecs.Zlib())
    group.create_array("crc32", data=image("u2"), chunks=(9, 9), filters=None, compressors=[numcodecs.CRC32()])
    group.create_array("columns", data=image("i4"), chunks=(8, 10), order="F", compressors=numcodecs.Zstd())
    group.create_array("slashes", data=image("u1"), chunks=(8, 10), chunk_key_encoding={"name": "v2", "separator": "/"})
    holes = group.create_array("holes", shape=(ROWS, COLUMNS), dtype="i2", chunks=(5, 6), fill_value=-7)
    holes[11:14, 7:13] = image("i2")[11:14, 7:13]
    group.create_array("cube", data=cube("f8"), chunks=(2, 3, 4))
    group.create_array("refused/bz2", data=vector("i4"), compressors=numcodecs.BZ2())
    group.create_array("refused/delta", data=vector("i4"), filters=[numcodecs.Delta("i4")])
    group.create_array("refused/complex", data=vector("f4").astype("c8"))
    pack(folder)

    folder, group = new("codecs-3", 3)
    codecs = {
        "none": None,
        "gzip": v3.GzipCodec(),
        "zstd": v3.ZstdCodec(),
        "sum": [v3.ZstdCodec(), v3.Crc32cCodec()],
        "sum-first": [v3.Crc32cCodec(), v3.GzipCodec()],
        "blosc": v3.BloscCodec(cname="lz4", shuffle="shuffle"),
        "blosc-bits": v3.BloscCodec(cname="zstd", shuffle="bitshuffle"),
    }
    for name, codec in codecs.items():
        group.create_array(name, data=image("u2"), chunks=(10, 23), compressors=codec)
    group.create_array("transposed", data=cube("i4"), chunks=(2, 3, 4), filters=[v3.TransposeCodec(order=(2, 0, 1))])
    group.create_array("dots", data=image("u1"), chunks=(8, 10), chunk_key_encoding={"name": "v2", "separator": "."})
    group.create_array("shards", data=image("f4"), chunks=(4, 5), shards=(12, 10))
    first = dict(name="shards-first", data=image("i2"), chunks=(4, 5))
    group.create_array(**first, shards={"shape": (8, 25), "index_location": "start"})
    holes = group.create_array("holes", shape=(ROWS, COLUMNS), dtype="i2", chunks=(3, 3), shards=(9, 9), fill_value=-7)
    holes[11:14, 7:13] = image("i2")[11:14, 7:13]
    holes = group.create_array("nan-holes", shape=(4, 4), dtype="f4", chunks=(2, 2), fill_value=float("nan"))
    holes[0:2, 0:2] = 3
    group.create_array("refused/strings", data=np.array(["a", "bc"]))
    pack(folder)

    places = dict(time=np.arange(5), y=np.arange(7.0), x=np.arange(9.0))
    values = cube("f4") - 3.0
    values[2, 3, 4] = np.nan
    data = xr.Dataset({"t2m": (("time", "y", "x"), values)}, coords=places)
    for version in (2, 3):
        folder = OUT / f"xarray-{version}.zarr"
        packed = dict(dtype="i2", scale_factor=0.25, add_offset=10.0, _FillValue=-32768, chunks=(2, 7, 4))
        data.assign(raw=data["t2m"] * 2).to_zarr(folder, zarr_format=version, encoding={"t2m": packed}, consolidated=False)
        with xr.open_zarr(folder, consolidated=False) as file:
            for name in ("t2m", "raw"):
                note_missing(folder.with_suffix(".zarr.zip"), name, np.ma.masked_invalid(file[name].values))
        pack(folder)

    # A folder, as it usually is.
    folder = OUT / "plain.zarr"
    shutil.rmtree(folder, ignore_errors=True)
    zarr.create_array(folder, data=image("u2"), chunks=(10, 10), zarr_format=3)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    types()
    chunks()
    indices()
    groups()
    refused()
    netcdfs()
    xarrays()
    zarrs()
    (OUT / "cubes.json").write_text(json.dumps(MISSING) + "\n")
