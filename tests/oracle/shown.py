#!/usr/bin/env python3
"""Compares `livemart show` with `dbt show`, character by character, and the exit codes of `debug`.

      a project with a seed and models of every type ──dbt build──> PostgreSQL ──dbt show──> text, JSON, exit code ─┐
                              └──────────────────────────────────────────────livemart show──> text, JSON, exit code ─┴─> equal

    shown.py --binary PATH

PostgreSQL is the one that LIVEMART_TEST_POSTGRES names; a database is made there and dropped. Exit code 1: a difference.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True  # nothing is written into the checkout
os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"

import psycopg2

SEED = """\
id,name,amount,at,flag,day
1,Ada,12.50,2024-01-01 10:00:00,true,2024-01-01
2,"a long name, longer than twenty characters and then some",1000000.25,2024-01-02 11:30:15.5,false,2024-01-02
3,,,,,
4,Zoë,-3,2024-01-04 00:00:00,true,2024-01-04
5,e,5.00,2024-01-05 00:00:00,true,2024-01-05
6,f,6.125,2024-01-06 00:00:00,true,2024-01-06
7,g,7,2024-01-07 00:00:00,true,2024-01-07
"""
FILES = {
    "seeds/items.csv": SEED,
    "models/narrow.sql": "select id, flag, cast(id as double precision) / 3 as third, id * 1000 as thousands, amount * 1000000 as millions from {{ ref('items') }}",
    "models/wide.sql": "select id, name, cast(amount as numeric(12,3)) as amount, at, flag, day, id * 1.5 as half, null as nothing from {{ ref('items') }}",
    "models/empty.sql": "select * from {{ ref('wide') }} where id > 100",
    "models/ordered.sql": "select id, name from {{ ref('items') }} order by id desc",
    "models/by_name.sql": "select amount, name from {{ ref('items') }} order by name desc nulls last, 1",
    "dbt_project.yml": "name: shown\nversion: '1.0'\nconfig-version: 2\nprofile: shown\n",
    "livemart.yml": "targets:\n  dev:\n    sources: {}\n    sink: {type: sqlite, path: marts.db}\n    clock: {mode: fixed, at: '2026-01-01T00:00:00Z'}\n",
}
# A query without ORDER BY has its rows in no order; the seed's are so few that PostgreSQL gives them as they were written.
COMMANDS = [
    ["show", "--select", "narrow"],
    ["show", "--select", "wide"],
    ["show", "--select", "wide", "--limit", "2"],
    ["show", "--select", "wide", "--limit", "-1"],
    ["show", "--select", "wide", "--limit", "0"],
    ["show", "--select", "wide", "--limit", "3", "--output", "json"],
    ["show", "--select", "empty"],
    ["show", "--select", "ordered", "--limit", "3"],
    ["show", "--select", "by_name", "--limit", "-1"],
    ["show", "--select", "items", "--limit", "-1"],
    ["show", "--inline", "select 1 as a, id from {{ ref('wide') }} order by id desc", "--limit", "3"],
    ["show", "--inline", "select 1 as a", "--output", "json"],
    ["show", "--inline", "select nope"],
    ["show", "--select", "nope"],
    ["show", "--quiet", "--select", "narrow", "--limit", "2"],
    ["show", "--quiet", "--select", "ordered", "--output", "json"],
    ["debug"],
    ["debug", "--connection"],
    ["debug", "--target", "nope"],
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    binary = str(pathlib.Path(parser.parse_args().binary).resolve())
    server = os.environ["LIVEMART_TEST_POSTGRES"]
    name = f"livemart_shown_{os.getpid()}"
    connection = psycopg2.connect(server)
    connection.autocommit = True
    connection.cursor().execute(f"create database {name}")
    try:
        with tempfile.TemporaryDirectory(prefix="livemart-shown.") as work:
            return compare(binary, pathlib.Path(work), urllib.parse.urlsplit(server), name)
    finally:
        connection.cursor().execute(f"drop database {name} with (force)")


def compare(binary, work, server, database):
    output = {"type": "postgres", "host": server.hostname, "port": server.port, "user": server.username, "password": server.password or "none"}
    output |= {"dbname": database, "schema": "public", "threads": 1}
    profile = json.dumps({"shown": {"target": "dev", "outputs": {"dev": output}}})
    for path, text in {**FILES, "profiles.yml": profile}.items():
        (work / path).parent.mkdir(exist_ok=True)
        (work / path).write_text(text)
    dbt = str(pathlib.Path(sys.executable).parent / "dbt")
    code, said, _ = run(dbt, work, ["build", "--quiet"])
    if code:
        raise SystemExit(f"dbt build ended with {code}:\n{said}")
    differences = []
    for command in COMMANDS:
        (dbts_code, dbts, _), (code, ours, talk) = run(dbt, work, command), run(binary, work, command)
        line = " ".join(command)
        if code != dbts_code:
            differences.append(f"{line}: exit code {code}, dbt's {dbts_code}\n{talk}")
        if command[0] == "show" and rows(ours) != rows(dbts):
            differences.append(f"{line}:\n{rows(ours)}\n  dbt's:\n{rows(dbts)}")
    print("\n".join(differences) or f"{len(COMMANDS)} commands say what dbt says")
    return 1 if differences else 0


def run(program, work, arguments):
    done = subprocess.run(
        [program, "--no-use-colors", *arguments, "--project-dir", work, "--profiles-dir", work],
        cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def rows(text):
    """What is shown: JSON, or a table with its title. dbt says more on stdout, each line with its time."""
    lines = [re.sub(r"^\d\d:\d\d:\d\d  ?", "", line).rstrip() for line in text.splitlines()]
    if "{" in lines:
        return json.loads("\n".join(lines[lines.index("{") :]))
    return "\n".join(line for line in lines if line.startswith(("|", "Previewing")))


if __name__ == "__main__":
    sys.exit(main())
