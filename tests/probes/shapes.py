"""Asks PostgreSQL for the answers of the query probes.

    python tests/probes/shapes.py GROUP …    rewrites the answers of tests/probes/GROUP.sql in answers_N.txt; the others stay

Each query runs over `tables.sql` with the rows of every `rows_N.txt`. Where it is written in another warehouse's words, a line `--= SELECT …`
below its name says the same in PostgreSQL's. LIVEMART_TEST_POSTGRES names the server; a schema is made there and dropped.
"""

import sys
from pathlib import Path

from scalars import connect, type_name

FOLDER = Path(__file__).parent
SCHEMA = "livemart_probes"


def parts(text):
    """name -> lines, for a file whose parts begin with `--! name`."""
    found = {}
    for line in text.splitlines():
        if line.startswith("--! "):
            body = found.setdefault(line[4:].strip(), [])
        else:
            body.append(line)
    return found


def load(cursor, dataset):
    cursor.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}; set search_path to {SCHEMA}")
    cursor.execute((FOLDER / "tables.sql").read_text())
    for line in (FOLDER / f"rows_{dataset}.txt").read_text().splitlines():
        if line.startswith("= "):
            table = line[2:].strip()
        elif line.strip():
            values = [None if value == "\\N" else value for value in line.strip().split("|")]
            cursor.execute(f"insert into {table} values ({', '.join(['%s'] * len(values))})", values)


def answer(cursor, body):
    own = [line[4:] for line in body if line.startswith("--= ")]
    cursor.execute(own[0] if own else "\n".join(body))
    rows = sorted("  " + "|".join("\\N" if value is None else value for value in row) for row in cursor.fetchall())
    columns = list(cursor.description)
    named = [f"{column.name}:{type_name(cursor, column)}" for column in columns]
    return ["columns " + "|".join(named), *rows]


def main():
    connection = connect()
    cursor = connection.cursor()
    for path in sorted(FOLDER.glob("answers_*.txt")):
        load(cursor, path.stem.removeprefix("answers_"))
        answers = {name: body for name, body in parts(path.read_text()).items() if name.split(".")[0] not in sys.argv[1:]}
        for group in sys.argv[1:]:
            for name, body in parts((FOLDER / f"{group}.sql").read_text()).items():
                answers[f"{group}.{name}"] = answer(cursor, body)
        path.write_text("".join(f"--! {name}\n" + "".join(line + "\n" for line in body) for name, body in answers.items()))
    cursor.execute(f"drop schema {SCHEMA} cascade")


if __name__ == "__main__":
    main()
