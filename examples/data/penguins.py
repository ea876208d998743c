"""Writes penguins.parquet from palmerpenguins' penguins.csv: python penguins.py penguins.csv penguins.parquet"""
import sys

import pyarrow.csv
import pyarrow.parquet

table = pyarrow.csv.read_csv(
    sys.argv[1],
    convert_options=pyarrow.csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True),
)
pyarrow.parquet.write_table(table, sys.argv[2], compression="snappy")
