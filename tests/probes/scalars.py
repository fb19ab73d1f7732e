"""Asks PostgreSQL for the answers of the scalar probes, and makes random ones.

    python tests/probes/scalars.py ask [FILE …]       rewrites the answers of tests/probes/scalars/*.tsv
    python tests/probes/scalars.py random SEED COUNT  prints COUNT random probes with their answers

A probe is one line: an expression, its type as PostgreSQL names it, and its value as PostgreSQL prints it (`\\N` is NULL);
or `ERROR` and the message. Lines that start with `--` are comments. `warehouses.tsv` holds what PostgreSQL does not know:
its answers are written by hand, and `duck` compares those that DuckDB knows too.

LIVEMART_TEST_POSTGRES names the server; the session runs in UTC, as the tests do, in a database with "C" collation.
"""

import os
import random
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "scalars"
BY_HAND = {"warehouses.tsv"}
TYPE_NAMES: dict[tuple[int, int], str] = {}


def connect():
    import psycopg2
    import psycopg2.extensions as ext

    connection = psycopg2.connect(os.environ["LIVEMART_TEST_POSTGRES"])
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("select oid from pg_type")
    every_type = tuple(row[0] for row in cursor.fetchall())
    ext.register_type(ext.new_type(every_type, "AS_PRINTED", lambda value, _: value), connection)
    for setting in ["timezone = 'UTC'", "datestyle = 'ISO, MDY'", "intervalstyle = 'postgres'", "extra_float_digits = 1"]:
        cursor.execute(f"set {setting}")
    return connection


def type_name(cursor, column) -> str:
    oid, size = column.type_code, column.internal_size
    modifier = -1
    if oid == 1700 and column.precision is not None and 0 < column.precision <= 1000:
        modifier = ((column.precision << 16) | (column.scale & 0x7FF)) + 4
    elif oid in (1042, 1043) and size is not None and size > 0:
        modifier = size + 4
    if (oid, modifier) not in TYPE_NAMES:
        cursor.execute("select format_type(%s, %s)", (oid, modifier))
        TYPE_NAMES[(oid, modifier)] = cursor.fetchone()[0]
    return TYPE_NAMES[(oid, modifier)]


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def answer(connection, sql: str) -> tuple[str, str]:
    import psycopg2

    cursor = connection.cursor()
    try:
        cursor.execute("select " + sql)
        (value,) = cursor.fetchone()
        column = cursor.description[0]
    except psycopg2.Error as error:
        return "ERROR", escaped(error.diag.message_primary or str(error))
    return type_name(connection.cursor(), column), "\\N" if value is None else escaped(value)


def ask(names: list[str]) -> None:
    connection = connect()
    files = [FOLDER / name for name in names] or sorted(FOLDER.glob("*.tsv"))
    for path in files:
        if path.name in BY_HAND:
            continue
        lines, seen = [], set()
        for line in path.read_text().splitlines():
            sql = line.split("\t")[0].strip()
            if not sql or sql.startswith("--"):
                lines.append(line)
            elif sql not in seen:
                seen.add(sql)
                lines.append("\t".join((sql, *answer(connection, sql))))
        path.write_text("\n".join(lines) + "\n")
        print(f"{path.name}: {len(seen)} probes", file=sys.stderr)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ask", *names]:
            ask(names)
        case _:
            sys.exit(__doc__)
