"""Asks PostgreSQL for the answers of the scalar probes, and makes random ones.

    python tests/probes/scalars.py ask [FILE …]       rewrites the answers of tests/probes/scalars/*.tsv
    python tests/probes/scalars.py random SEED COUNT  prints COUNT random probes with their answers
    python tests/probes/scalars.py duck               compares warehouses.tsv with DuckDB, where DuckDB knows the function

A probe is one line: an expression, its type as PostgreSQL names it, and its value as PostgreSQL prints it (`\\N` is NULL);
or `ERROR` and the message. Lines that start with `--` are comments. `warehouses.tsv` holds what PostgreSQL does not know:
its answers are written by hand, and `duck` compares those that DuckDB knows too.

LIVEMART_TEST_POSTGRES names the server; the session runs in UTC, as the tests do, in a database with "C" collation.
"""

import os
import random
import re
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

# Random probes: values of one type each, put through every operator and function that takes them.

POOL = {
    "int": ["0", "1", "-1", "7", "-13", "100", "2147483647", "(-2147483648)", "null::int", "42"],
    "big": ["0::bigint", "9223372036854775807", "(-9223372036854775807)", "5000000000", "-3::bigint", "null::bigint"],
    "num": ["0.0", "1.5", "-2.5", "12.345", "100.00", "0.000001", "-99.995", "12345678901234567890.5", "null::numeric", "7.00"],
    "dbl": ["0::float8", "1.5::float8", "-2.5::float8", "1e10::float8", "0.1::float8", "1e-5::float8", "null::float8", "'NaN'::float8", "'Infinity'::float8"],
    "txt": ["''", "'a'", "'abc'", "'Hello World'", "'  pad '", "'a,b,,c'", "'é'", "'12'", "'x_y%z'", "null::text", "'MiXeD-case_1'"],
    "date": ["date '2025-01-31'", "date '2024-02-29'", "date '1999-12-31'", "date '2025-03-30'", "null::date", "date '0099-01-01'", "date 'infinity'"],
    "ts": ["timestamp '2025-01-31 23:59:59.999999'", "timestamp '2024-02-29 00:00'", "timestamp '1969-12-31 12:34:56.7'", "null::timestamp", "timestamp '2025-10-26 02:30'", "timestamp '-infinity'"],
    "tstz": ["timestamptz '2025-01-31 23:59:59+00'", "timestamptz '2025-03-30 01:30+01'", "timestamptz '1900-01-01 00:00+00'"],
    "itv": ["interval '1 day'", "interval '1 month -3 days 04:05:06.789'", "interval '-1 year 2 days'", "interval '36 hours'", "null::interval", "interval '0'"],
    "bool": ["true", "false", "null::boolean"],
    "arr": ["array[1,2,3]", "array[null,2]", "'{}'::int[]", "null::int[]", "array[3,1,3]"],
    "js": ["'{\"a\": 1, \"b\": [1, 2, {\"c\": null}]}'::jsonb", "'[1, \"a\", null, 2.50]'::jsonb", "'\"s\"'::jsonb", "'{}'::jsonb", "null::jsonb", "'{\"a\": \"x\", \"d\": true}'::jsonb"],
    "field": ["'year'", "'quarter'", "'month'", "'week'", "'day'", "'hour'", "'minute'", "'second'", "'decade'", "'century'", "'millennium'", "'milliseconds'"],
    "part": ["year", "isoyear", "quarter", "month", "week", "day", "dow", "isodow", "doy", "hour", "minute", "second", "epoch", "century", "decade", "julian", "milliseconds"],
    "small": ["0", "1", "2", "3", "-1", "-2", "5"],
    "pat": ["'a%'", "'%b_'", "'_%'", "'%'", "'x\\_y%'", "''"],
    "rx": ["'[a-c]+'", "'o'", "'^(.)(.)'", "'\\s+'", "'(l+)(.)'", "'[^a-z]'", "'\\d'"],
    "zone": ["'UTC'", "'America/New_York'", "'Asia/Kolkata'", "'Europe/Berlin'", "'Australia/Lord_Howe'"],
    "pic": ["'YYYY-MM-DD HH24:MI:SS.US'", "'Dy DD Mon YY'", "'FMDay FMMonth DDth'", "'IYYY-IW-ID'", "'Q WW DDD J'", "'HH12:MI AM'", "'CC BC'"],
    "numpic": ["'999.99'", "'FM9990.00'", "'S99,999.9'", "'000'", "'9.99EEEE'", "'MI9999PR'"],
    "path": ["'{a}'", "'{b,0}'", "'{b,2,c}'", "'{x}'", "'{0}'", "'{-1}'"],
}

TEMPLATES = """
{int} + {int}|{int} - {big}|{int} * {num}|{num} / {num}|{num} % {num}|{int} / {int}|{big} * {int}|{dbl} / {dbl}|{dbl} * {dbl}|{num} * {num}
{num} + {dbl}|{num} ^ {small}|round({num}, {small})|trunc({num}, {small})|round({dbl})|ceil({num})|floor({dbl})|abs({num})|sign({num})|{int} & {int}
mod({int}, {int})|div({num}, {num})|power({num}, {small})|power({dbl}, {small})|sqrt({num})|exp({small})|ln({num})|log({num})|width_bucket({num}, 0, 10, 5)
greatest({int}, {num}, {int})|least({num}, {dbl})|nullif({int}, {num})|coalesce({int}, {num})|{int} between {num} and {big}|{num} in ({int}, {num})|gcd({int}, {int})|lcm({small}, {int})
{int}::text|{num}::text|{dbl}::text|{num}::int|{dbl}::int|{big}::int|{num}::numeric(6,2)|{dbl}::numeric|{num}::float8::text|{int}::boolean|{num}::real::text|{dbl}::numeric(8,3)
{txt} || {txt}|{txt} || {num}|length({txt})|upper({txt})|initcap({txt})|trim({txt})|left({txt}, {small})|right({txt}, {small})|substring({txt}, {small}, {small})|lpad({txt}, {small}, {txt})
rpad({txt}, {small})|split_part({txt}, ',', {small})|replace({txt}, {txt}, {txt})|translate({txt}, {txt}, {txt})|position({txt} in {txt})|repeat({txt}, {small})|reverse({txt})|md5({txt})|concat({txt}, {num}, {bool})
concat_ws({txt}, {txt}, {int})|string_to_array({txt}, {txt})|{txt} like {pat}|{txt} ilike {pat}|{txt} ~ {rx}|regexp_replace({txt}, {rx}, '<\\1>', 'g')|regexp_match({txt}, {rx})|regexp_count({txt}, {rx})|regexp_substr({txt}, {rx}, 1, {small})
regexp_instr({txt}, {rx})|regexp_split_to_array({txt}, {rx})|overlay({txt} placing {txt} from {small})|ascii({txt})|quote_literal({txt})|starts_with({txt}, {txt})|{txt}::int|{txt}::numeric|{txt}::date|{txt}::boolean|{txt} < {txt}|format('%s-%I', {txt}, {txt})
{date} + {int}|{date} - {date}|{date} + {itv}|{date} - {itv}|{ts} + {itv}|{ts} - {ts}|{ts} - {itv}|{tstz} + {itv}|{tstz} - {tstz}|{itv} + {itv}|{itv} * {num}|{itv} * {dbl}|{itv} / {num}|- {itv}|{date} < {ts}|{date} = {tstz}
date_trunc({field}, {ts})|date_trunc({field}, {date})|date_trunc({field}, {tstz})|date_trunc({field}, {itv})|date_trunc({field}, {tstz}, {zone})|extract({part} from {ts})|extract({part} from {date})|extract({part} from {itv})|extract({part} from {tstz})|date_part('day', {itv})
age({ts}, {ts})|to_char({ts}, {pic})|to_char({date}, {pic})|to_char({num}, {numpic})|to_char({int}, {numpic})|to_char({dbl}, {numpic})|to_char({itv}, 'HH24:MI:SS')|{ts} at time zone {zone}|{tstz} at time zone {zone}|justify_interval({itv})|justify_days({itv})|justify_hours({itv})
date_bin('15 minutes', {ts}, timestamp '2000-01-01')|make_interval(days => {small}, hours => {small})|make_date(2024, {small}, {small})|to_timestamp({dbl})|{ts}::date|{ts}::time|{ts}::text|{date}::timestamp|{tstz}::timestamp|{itv}::text|{itv}::time|{ts}::timestamp(0)|{ts}::timestamp(2)|{itv} > {itv}
({date}, {date}) overlaps ({date}, {itv})|isfinite({ts})|{bool} and {bool}|{bool} or {bool}|not {bool}|{bool} is true|{bool} is not false|{bool}::text|{bool}::int|case when {bool} then {int} else {num} end|({int}, {num}) < ({int}, {num})|({int}, {txt}) = ({int}, {txt})|{int} is distinct from {num}
{arr} || {int}|{arr} || {arr}|{arr} @> {arr}|{arr} && {arr}|({arr})[{small}]|({arr})[{small}:{small}]|array_length({arr}, 1)|cardinality({arr})|{int} = any ({arr})|{int} > all ({arr})|array_position({arr}, {small})|array_remove({arr}, {small})|array_to_string({arr}, ',', '*')|array_positions({arr}, 3)|array_replace({arr}, 3, {int})|{arr} < {arr}|{arr}::text
{js} -> 'a'|{js} ->> 'b'|{js} #> {path}|{js} #>> {path}|{js} @> {js}|{js} ? 'a'|{js} || {js}|{js} - 'a'|{js} - {small}|{js} #- {path}|jsonb_set({js}, {path}, '9')|jsonb_set({js}, {path}, '9', false)|jsonb_insert({js}, {path}, '9')|jsonb_typeof({js})|jsonb_pretty({js})|{js} = {js}|{js} < {js}|to_jsonb({num})|to_jsonb({ts})|jsonb_build_object('k', {num}, 't', {txt})|jsonb_array_length({js})|jsonb_strip_nulls({js})|to_jsonb({arr})
"""


HOLE_OF_TYPE = {
    "integer": "int", "bigint": "big", "numeric": "num", "double precision": "dbl", "text": "txt", "date": "date",
    "timestamp without time zone": "ts", "timestamp with time zone": "tstz", "interval": "itv", "boolean": "bool",
    "integer[]": "arr", "jsonb": "js",
}


def split_templates() -> list[str]:
    # `||` with blanks is an operator, `|` without ends a template.
    marked = TEMPLATES.replace(" || ", " \x00 ").strip()
    return [part.strip().replace("\x00", "||") for line in marked.splitlines() for part in line.split("|") if part.strip()]


def fill(source: random.Random, template: str, inner: dict[str, list[str]]) -> str:
    """The template with its holes filled: by a value, or half of the time by an inner expression of its type."""

    def value(hole: re.Match[str]) -> str:
        name = hole.group(1)
        if inner.get(name) and source.random() < 0.5:
            return f"({source.choice(inner[name])})"
        return source.choice(POOL[name])

    return re.sub("[{](" + "|".join(POOL) + ")[}]", value, template)


def print_random(seed: int, count: int) -> None:
    """Half of the expressions are plain; the other half hold ones of the first half."""
    connection = connect()
    source = random.Random(seed)
    templates = split_templates()
    inner: dict[str, list[str]] = {}
    seen = set()
    print(f"-- {count} random expressions of seed {seed}, with PostgreSQL's answers.")
    for number in range(count):
        sql = fill(source, source.choice(templates), inner if number >= count // 2 else {})
        # PostgreSQL 15 takes an infinite moment for a number in `age`; we say "timestamp out of range".
        if sql in seen or ("age(" in sql and "infinity" in sql):
            continue
        seen.add(sql)
        kind, value = answer(connection, sql)
        print("\t".join((sql, kind, value)))
        if number < count // 2 and kind in HOLE_OF_TYPE:
            inner.setdefault(HOLE_OF_TYPE[kind], []).append(sql)


def duck() -> None:
    """Prints what DuckDB answers otherwise; what it refuses is not compared."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    same = 0
    for line in (FOLDER / "warehouses.tsv").read_text().splitlines():
        if not line or line.startswith("--"):
            continue
        sql, _, value = line.split("\t")
        try:
            (found,) = connection.execute(f"select {sql}").fetchone()
        except Exception:
            continue
        if isinstance(found, bool):
            found = "t" if found else "f"
        elif isinstance(found, list):
            found = "{" + ",".join(map(str, found)) + "}"
        found = "\\N" if found is None else str(found)
        if found == value or is_number_equal(found, value):
            same += 1
        else:
            print(f"{sql}: {value}, DuckDB has {found}")
    print(f"{same} agree", file=sys.stderr)


def is_number_equal(left: str, right: str) -> bool:
    try:
        return float(left) == float(right)
    except ValueError:
        return False


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ask", *names]:
            ask(names)
        case ["random", seed, count]:
            print_random(int(seed), int(count))
        case ["duck"]:
            duck()
        case _:
            sys.exit(__doc__)
