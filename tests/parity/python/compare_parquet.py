"""Random tables that pyarrow writes as Parquet, read by `plumb run` and by pyarrow itself.

Every table goes through a dataset stage twice: as shards of Parquet, in a random layout, and as JSON lines of the rows
that pyarrow reads back. Both artifacts must have the same bytes. PLUMB_TABLES is the number of tables (default 40),
PLUMB_SEED the seed. Ends with 77 where the plugin is not built.
"""

import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import pyarrow
import pyarrow.parquet

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("PLUMB_BUILD", ROOT / "build/release"))
TABLES = int(os.environ.get("PLUMB_TABLES", "40"))
SEED = int(os.environ.get("PLUMB_SEED", "1"))

RECORDS = ["prompts", "preferences"]  # prompts keep every further column of a row
WORDS = ["plum", "Äpfel", "", " ", "\n\nHuman: hi", "梅", "🍎🍏", "a\"b\\c", "x" * 3000, "tab\tand\r\nlines", "ﬁ"]


def text(rng):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4)))


# Each makes a type and a function from a random source to a value of it.
def scalar(rng):
    return rng.choice([
        (pyarrow.string(), text),
        (pyarrow.large_string(), text),
        (pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), text),
        (pyarrow.bool_(), lambda r: r.random() < 0.5),
        (pyarrow.int8(), lambda r: r.randint(-128, 127)),
        (pyarrow.int32(), lambda r: r.randint(-2**31, 2**31 - 1)),
        (pyarrow.int64(), lambda r: r.randint(-2**63, 2**63 - 1)),
        (pyarrow.uint32(), lambda r: r.randint(0, 2**32 - 1)),
        (pyarrow.uint64(), lambda r: r.randint(0, 2**64 - 1)),
        (pyarrow.float32(), lambda r: r.gauss(0, 1e3)),
        (pyarrow.float64(), lambda r: math.nan if r.random() < 0.1 else r.gauss(0, 1) * 10.0 ** r.randint(-300, 300)),
    ])


def nested(rng, depth=0):
    kind = rng.random() + 0.15 * depth
    if kind < 0.3:
        item, make = nested(rng, depth + 1)
        of = rng.choice([pyarrow.list_, pyarrow.large_list])(item)
        return of, lambda r: [maybe(r, make) for _ in range(r.randint(0, 4))]
    if kind < 0.6:
        fields = {name: nested(rng, depth + 1) for name in rng.sample(["a", "b", "c", "ü"], rng.randint(1, 3))}
        of = pyarrow.struct([(name, field) for name, (field, _) in fields.items()])
        return of, lambda r: {name: maybe(r, make) for name, (_, make) in fields.items()}
    if kind < 0.65 and depth == 0:
        item, make = scalar(rng)
        while pyarrow.types.is_dictionary(item):
            item, make = scalar(rng)
        return pyarrow.map_(pyarrow.string(), item), lambda r: [(key, maybe(r, make)) for key in "klm"[:r.randint(0, 3)]]
    item, make = scalar(rng)
    while depth > 0 and pyarrow.types.is_dictionary(item):
        item, make = scalar(rng)
    return item, make


def maybe(rng, make):
    return None if rng.random() < 0.15 else make(rng)


def table_of(rng):
    message = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.large_string())])
    columns = {
        "prompt": (pyarrow.list_(message), lambda r: [{"role": "user", "content": text(r)}]),
        "chosen": (pyarrow.string(), text),
        "rejected": (pyarrow.string(), text),
        "chosen_reward": (pyarrow.float64(), lambda r: r.gauss(0, 1)),
    }
    first = {"prompt": [{"role": "user", "content": "q"}], "chosen": "a", "rejected": "b"}  # so that some row is left
    columns |= {f"column {i}": nested(rng) for i in range(rng.randint(0, 6))}
    rows = rng.choice([1, 3, 300, 900])
    return pyarrow.table({name: pyarrow.array([first.get(name)] + [maybe(rng, make) for _ in range(rows)], of)
                          for name, (of, make) in columns.items()})


def write(rng, table, folder):
    shards = rng.randint(1, 3)
    size = -(-table.num_rows // shards)
    for i in range(shards):
        pyarrow.parquet.write_table(
            table.slice(i * size, size), folder / f"train-{i:05}-of-{shards:05}.parquet",
            compression=rng.choice(["snappy", "zstd", "gzip", "brotli", "lz4", "none"]),
            use_dictionary=rng.random() < 0.5, row_group_size=rng.choice([1, 7, 100, 10000]),
            data_page_version=rng.choice(["1.0", "2.0"]), data_page_size=rng.choice([100, 5000, 1 << 20]),
            store_schema=rng.random() < 0.7, write_page_checksum=rng.random() < 0.5)


def plain(value):
    """As JSON has it: no NaN; a map is an object."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):
            return {key: plain(item) for key, item in value}
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def rows_of(table):
    maps = {field.name for field in table.schema if pyarrow.types.is_map(field.type)}
    for row in table.to_pylist():
        yield {key: {} if key in maps and value == [] else plain(value) for key, value in row.items()}


def dataset(source, path, records):
    return f"{{source: {{name: {source}, path: {json.dumps(str(path))}, records: {records}, malformed: skip}}}}"


def main():
    if not (BUILD / "lib/plumb/plugins/data-parquet.plumb.so").exists():
        print("skipped: the plugin data-parquet is not built (tools/setup --with-parquet)")
        return 77
    differing = 0
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        recipe = ["name: parquet", "datasets:"]
        for i in range(TABLES):
            rng = random.Random(f"{SEED} {i}")
            table = table_of(rng)
            shards = folder / f"table-{i}"
            shards.mkdir()
            write(rng, table, shards)
            with open(folder / f"{i}.jsonl", "w", encoding="utf-8") as file:
                for shard in sorted(shards.iterdir()):
                    for row in rows_of(pyarrow.parquet.ParquetFile(shard).read()):
                        file.write(json.dumps(row, ensure_ascii=rng.random() < 0.5) + "\n")
            for records in RECORDS:
                recipe += [f"  parquet-{records}-{i}: {dataset('parquet', shards, records)}",
                           f"  json-{records}-{i}: {dataset('jsonl', folder / f'{i}.jsonl', records)}"]
        (folder / "recipe.yaml").write_text("\n".join(recipe) + "\n")
        done = subprocess.run([BUILD / "bin/plumb", "run", folder / "recipe.yaml", "--runs", folder / "runs", "--quiet"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stderr)
            return 1
        compared = 0
        for i in range(TABLES):
            for records in RECORDS:
                found, wanted = ((folder / "runs/parquet" / f"{source}-{records}-{i}" / f"{records}.jsonl").read_bytes()
                                 for source in ("parquet", "json"))
                compared += wanted.count(b"\n")
                if found != wanted:
                    differing += 1
                    print(f"table {i} (seed {SEED}), {records}: Parquet and JSON differ")
    print(f"{TABLES} tables, {compared} records: {differing} differ")
    return 1 if differing or not compared else 0


sys.exit(main())
