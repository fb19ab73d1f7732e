#!/usr/bin/env python3
"""Runs the dashboards' queries (dataflows/analyses) on both sinks as a BI tool does, through SQLAlchemy: equal answers, within their time limits.

      livemart demo generate ──files──> livemart run ──> SQLite file ──SQLAlchemy──┐
                                            └──────────> PostgreSQL ──SQLAlchemy───┴─> rows equal, milliseconds

    dashboards.py --binary PATH [--customers 400] [--activity 100] [--limits]

--limits fails where a query takes longer than it may (single customer 5 ms, aggregate 300 ms, list 500 ms at 50,000 customers); the time of a
query is the least of five. PostgreSQL is the one that LIVEMART_TEST_POSTGRES names; a database is made there and dropped.
"""

import argparse
import decimal
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.dont_write_bytecode = True  # nothing is written into the checkout

import psycopg2
import sqlalchemy
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = 5
LOOKUP_MS, AGGREGATE_MS, LIST_MS = 5, 300, 500
LIMITS = {
    "customer_service_lookup": LOOKUP_MS,
    "atv_by_segment_and_consistency": AGGREGATE_MS, "average_ltv_by_segment": AGGREGATE_MS, "executive_dashboard": AGGREGATE_MS,
    "latest_month_mom_by_segment": AGGREGATE_MS, "sample_reports": AGGREGATE_MS,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--activity", type=int, default=100)
    parser.add_argument("--limits", action="store_true")
    arguments = parser.parse_args()
    server = os.environ["LIVEMART_TEST_POSTGRES"]
    name = f"livemart_dashboards_{os.getpid()}"
    connection = psycopg2.connect(server)
    connection.autocommit = True
    connection.cursor().execute(f"create database {name}")
    url = urllib.parse.urlsplit(server)._replace(path=f"/{name}").geturl()
    try:
        with tempfile.TemporaryDirectory(prefix="livemart-dashboards.") as work:
            return run(arguments, pathlib.Path(work), url)
    finally:
        connection.cursor().execute(f"drop database {name} with (force)")


def run(arguments, work, url):
    binary = str(pathlib.Path(arguments.binary).resolve())
    folder = work / "project"
    shutil.copytree(ROOT / "dataflows", folder, ignore=shutil.ignore_patterns("target", "logs", "data", ".livemart", "dbt_packages"))
    environment = {**os.environ, "SHOP_DATA": str(work / "shop"), "LIVEMART_DB": str(work / "marts.db"), "TZ": "UTC"}

    def livemart(*words):
        done = subprocess.run([binary, "-q", *words], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit(f"livemart {' '.join(words)} ended with {done.returncode}:\n{done.stdout}")

    livemart("demo", "generate", "--customers", str(arguments.customers), "--days", "720", "--activity", str(arguments.activity), "--out", str(work / "shop"))
    settings = yaml.safe_load((folder / "livemart.yml").read_text())
    settings["targets"]["dashboards"] = {**settings["targets"]["dev"], "sink": {"type": "postgres", "url": url, "schema": "marts"}}
    settings["targets"]["dashboards"].pop("state", None)  # a folder of its own
    (folder / "livemart.yml").write_text(yaml.safe_dump(settings))
    profiles = yaml.safe_load((folder / "profiles.yml").read_text())
    outputs = next(iter(profiles.values()))["outputs"]
    outputs["dashboards"] = outputs["dev"]
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))

    livemart("compile", "-t", "dashboards")
    manifest = json.loads((folder / "target/manifest.json").read_text())
    queries = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "analysis"}
    read = sorted({manifest["nodes"][p]["name"] for q in queries.values() for p in q["depends_on"]["nodes"] if p in manifest["nodes"]})
    for target in ("dev", "dashboards"):
        livemart("run", "-t", target, "--select", *read)

    sinks = {
        "SQLite": (sqlalchemy.create_engine(f"sqlite:///{work / 'marts.db'}"), r"\3"),
        "PostgreSQL": (sqlalchemy.create_engine(url.replace("postgres://", "postgresql+psycopg2://", 1)), r"\2.\3"),
    }
    failures, known = [], {}
    print(f"{len(queries)} queries over {len(read)} tables at {arguments.customers} customers; milliseconds, the least of {RUNS}")
    for name, query in sorted(queries.items()):
        answers, times = {}, {}
        for sink, (engine, named) in sinks.items():
            # A relation is "database"."schema"."table" in compiled code; SQLite has tables alone.
            text = re.sub(r'("[^"]+")\.("[^"]+")\.("[^"]+")', named, query["compiled_code"])
            with engine.connect() as client:
                times[sink], answers[sink] = timed(client, text)
        limit = LIMITS.get(name, LIST_MS)
        print(f"  {name:34} {len(answers['SQLite']):5} rows   SQLite {times['SQLite']:8.2f}   PostgreSQL {times['PostgreSQL']:8.2f}   at most {limit}")
        if not alike(answers["SQLite"], answers["PostgreSQL"]):
            failures.append(f"{name}: SQLite answers {answers['SQLite'][:3]}, PostgreSQL {answers['PostgreSQL'][:3]}")
        if arguments.limits:
            failures += [f"{name}: {sink} takes {ms:.1f} ms, more than {limit}" for sink, ms in times.items() if ms > limit]
        known[name] = len(answers["SQLite"])
    if not any(known.values()):
        failures.append("no query gave a row")
    # A BI tool looks at what there is before it asks: tables and columns must be reflected.
    for sink, (engine, _) in sinks.items():
        schema = None if sink == "SQLite" else "marts_gold"
        columns = sqlalchemy.inspect(engine).get_columns("customer_360_profile", schema=schema)
        if len(columns) < 50:
            failures.append(f"{sink}: SQLAlchemy sees {len(columns)} columns of customer_360_profile")
    print("\n".join(failures))
    return 1 if failures else 0


def timed(client, text):
    best, rows = None, None
    for _ in range(RUNS):
        began = time.perf_counter()
        rows = [tuple(row) for row in client.execute(sqlalchemy.text(text.replace(":", "\\:")))]
        took = (time.perf_counter() - began) * 1000
        best = took if best is None else min(best, took)
    return best, rows


def alike(ours, theirs):
    """Values of two sinks: SQLite has dates as text and booleans as numbers, and averages as doubles."""
    return len(ours) == len(theirs) and all(len(a) == len(b) and all(map(same, a, b)) for a, b in zip(ours, theirs))


def same(a, b):
    if a is None or b is None:
        return a is b
    if isinstance(b, bool):
        return bool(a) == b
    if isinstance(b, (int, float, decimal.Decimal)):
        return abs(float(a) - float(b)) <= 1e-9 * max(1.0, abs(float(b)))
    if hasattr(b, "isoformat"):
        return str(a)[: len(b.isoformat(" ") if hasattr(b, "hour") else b.isoformat())] == (b.isoformat(" ") if hasattr(b, "hour") else b.isoformat())
    return a == b


if __name__ == "__main__":
    sys.exit(main())
