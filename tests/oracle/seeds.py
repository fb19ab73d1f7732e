#!/usr/bin/env python3
"""Writes beside each odd CSV of tests/seeds/seeds what real `dbt seed` makes of it on PostgreSQL.

    numbers.csv ──dbt seed──> PostgreSQL ──> numbers.expected.json   {"columns": [[name, type], …], "rows": [[text, …], …]}

A CSV that dbt refuses gets {"error": the first line of what it said}. PostgreSQL is the one that LIVEMART_TEST_POSTGRES names; a database
is made there and dropped. Run it when a CSV is added; a unit test compares livemart with the files.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True

import psycopg2

PROJECT = pathlib.Path(__file__).resolve().parents[1] / "seeds"
FOLDER = PROJECT / "seeds"
SETTINGS = (PROJECT / "dbt_project.yml").read_text()


def main():
    url = urllib.parse.urlparse(os.environ["LIVEMART_TEST_POSTGRES"])
    connection = {"host": url.hostname, "port": url.port, "user": url.username, "password": url.password or ""}
    admin = psycopg2.connect(**connection, dbname="postgres")
    admin.autocommit = True
    database = f"livemart_seeds_{os.getpid()}"
    admin.cursor().execute(f"create database {database}")
    try:
        with tempfile.TemporaryDirectory() as work:
            write(pathlib.Path(work), {**connection, "dbname": database})
    finally:
        admin.cursor().execute(f"drop database {database} with (force)")


def write(work, connection):
    (work / "dbt_project.yml").write_text(SETTINGS)
    (work / "profiles.yml").write_text(json.dumps({"seeds": {"target": "pg", "outputs": {"pg": {
        "type": "postgres", "host": connection["host"], "port": connection["port"], "user": connection["user"], "pass": connection["password"],
        "dbname": connection["dbname"], "schema": "odd", "threads": 1,
    }}}}))  # fmt: skip
    (work / "seeds").mkdir()
    names = sorted(path.stem for path in FOLDER.glob("*.csv"))
    for name in names:
        shutil.copy(FOLDER / f"{name}.csv", work / "seeds")
    program = pathlib.Path(sys.executable).parent / "dbt"
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "TZ": "UTC", "PGTZ": "UTC"}
    subprocess.run([program, "seed", "--project-dir", work, "--profiles-dir", work], env=environment, cwd=work, stdout=subprocess.DEVNULL)
    results = json.loads((work / "target/run_results.json").read_text())["results"]
    said = {result["unique_id"].split(".")[-1]: (result["status"], result["message"]) for result in results}
    with psycopg2.connect(**connection) as reading:
        reading.cursor().execute("set timezone = 'UTC'")
        for name in names:
            status, message = said[name]
            found = table(reading, name) if status == "success" else {"error": " ".join(message.split("\n")[:2])}
            (FOLDER / f"{name}.expected.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def table(connection, name):
    cursor = connection.cursor()
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum", (f"odd.{name}",)
    )
    columns = cursor.fetchall()
    texts = ", ".join('"' + column.replace('"', '""').replace("%", "%%") + '"::text' for column, _ in columns)
    cursor.execute(f'select {texts} from odd."{name}" order by ctid')
    return {"columns": columns, "rows": cursor.fetchall()}


main()
