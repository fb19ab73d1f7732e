#!/usr/bin/env python3
"""All 22 queries of TPC-H as models of one dbt project over a churned history, equal to PostgreSQL's answers at every cut.

      tpch_data ──first N lines──> a file ──livemart run, run, run …──> 22 tables ─┐
                     └──> reference ──> PostgreSQL ──tpch/*.sql, as they are───────┴─> equal, or the rows that differ

    tpch.py --binary PATH [--scale 0.005] [--cuts 5] [--seed 1] [--only q05] [--keep]

1. Every cut but the first is reached from the cut before it, incrementally, after rows were inserted, corrected, deleted and brought back.
2. Values are compared exactly: PostgreSQL is the sink as well as the judge.
3. A query that has no rows at the last cut proves nothing: it is a failure.
"""

import argparse
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing is written into the checkout

import compare
from many_models import Models, Postgres
from oracle import Databases, say
from reference import Inputs
from tpch_data import TABLES, Tpch

# Without these PostgreSQL reads all lines once per row of a correlated subquery.
INDEXES = ["tpch.lineitem (l_orderkey)", "tpch.lineitem (l_partkey, l_suppkey)", "tpch.partsupp (ps_partkey)", "tpch.orders (o_custkey)"]
QUERIES = pathlib.Path(__file__).parent / "tpch"


def queries():
    """name -> SQL, with tables as `@name@`."""
    return {path.stem: re.sub(r"\{\{ source\('tpch', '(\w+)'\) \}\}", r"@\1@", path.read_text()) for path in sorted(QUERIES.glob("q*.sql"))}


def cut_points(count, cuts, seed):
    """Where to look: the last at the end, the first when a fifth is there."""
    rng = random.Random(f"cuts {seed}")
    return sorted(rng.sample(range(count // 5, count), cuts - 1)) + [count]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=lambda path: str(pathlib.Path(path).resolve()), help="the livemart to test")
    parser.add_argument("--scale", type=float, default=0.005, help="1 is six million lines")
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one query, for example q05")
    parser.add_argument("--keep", action="store_true", help="keep the work folder")
    arguments = parser.parse_args()
    work, databases, different = pathlib.Path(tempfile.mkdtemp(prefix="livemart-tpch-")), Databases(), []
    try:
        judge = Postgres(databases.make("tpch"), TABLES)
        for columns in INDEXES:
            judge.cursor.execute(f"create index on {columns}")
        lines = list(Tpch(arguments.seed, arguments.scale).lines())
        wanted = {name: sql for name, sql in queries().items() if arguments.only in (None, name)}
        models = Models(arguments.binary, work / "tpch_project", judge.where, TABLES, wanted)
        cuts = cut_points(len(lines), arguments.cuts, arguments.seed)
        say(f"{len(lines)} changes, {len(wanted)} queries, cuts {cuts}, seed {arguments.seed}")
        inputs = Inputs(TABLES)
        for end in cuts:
            begun = time.monotonic()
            tables, _ = models.run(lines[:end])
            took = time.monotonic() - begun
            judge.load(inputs.apply_up_to({"tpch": lines}, {"tpch": end}))
            judge.cursor.execute("analyze")
            rows = 0
            for name, sql in models.queries.items():
                expected = judge.answer(sql)
                rows += len(expected.rows)
                if end == cuts[-1] and not any(any(value is not None for value in row) for row in expected.rows):
                    different.append(f"{name}: no rows at the last cut")
                if wrong := compare.differences(name, expected, *tables[name]) if name in tables else [f"{name} is not published"]:
                    different.append(f"cut {end}: " + "\n  ".join(wrong))
            say(f"cut {end}: {rows} rows, livemart took {took:.1f} s, PostgreSQL and its loading {time.monotonic() - begun - took:.1f} s")
        different += [f"{name} is refused: {reason}" for name, reason in models.refused.items()]
    finally:
        databases.drop()
        if arguments.keep:
            say(f"kept: {work}")
        else:
            shutil.rmtree(work)
    for text in different:
        say(f"DIFFERENT: {text}")
    say("livemart equals PostgreSQL at every cut" if not different else f"{len(different)} differences; the seed was {arguments.seed}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
