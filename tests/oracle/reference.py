"""What the input tables hold after the first records of each source: written from the envelope's definition, knowing nothing of livemart.

      line ──json──> Debezium value ──declared types──> row ──key──> table
                 └─ unreadable: set aside, the row keeps its last good version

1. A table with a key holds the latest good version per key. Only key columns of `before` are believed.
2. A table without a key is a multiset; `before` takes away one copy of exactly that row.
3. A record of an undeclared table, and a delete of an unknown key, changes nothing.
4. What is set aside under a key is taken back by the next good record of that key.
"""

import collections
import dataclasses
import datetime
import decimal
import json
import re

INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}
NUMERIC = re.compile(r"numeric\((\d+),\s*(\d+)\)$")
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|\+00(:00)?)?$")


class Unreadable(Exception):
    """A record or a value that cannot be decoded."""


@dataclasses.dataclass(frozen=True)
class Table:
    name: str
    schema: str
    columns: dict  # name -> declared type
    key: tuple  # names; () for a table without a key
    source: str = "raw_data"  # the dbt source, which has a file of its own

    def __hash__(self):
        return hash((self.schema, self.name))


class Inputs:
    """The tables of all sources, built record by record."""

    def __init__(self, tables):
        self.tables = tables  # name -> Table
        self.keyed = {name: {} for name, t in tables.items() if t.key}
        self.counted = {name: collections.Counter() for name, t in tables.items() if not t.key}
        self.aside = {}  # (table, key) or (source, record number) -> reason
        self.positions = {}  # source -> records applied

    def apply_up_to(self, lines, positions):
        """Applies lines[source] up to positions[source]; positions only grow."""
        for source, position in positions.items():
            at = self.positions.get(source, 0)
            assert at <= position <= len(lines[source]), (source, at, position, len(lines[source]))
            for number in range(at, position):
                self.apply(source, number, lines[source][number])
            self.positions[source] = position
        return self

    def rows(self, name):
        if name in self.keyed:
            return list(self.keyed[name].values())
        return list(self.counted[name].elements())

    def apply(self, source, number, line):
        table = key = None
        try:
            value = parse(line)
            table = self.tables.get(value["source"]["table"])
            if table is None or table.source != source:
                return
            op, before, after = value["op"], value.get("before"), value.get("after")
            if table.key:
                key = decode_columns(table, before if op == "d" else after, table.key)
            if op in ("c", "r", "u"):
                row = decode_columns(table, after, table.columns)
            gone = decode_columns(table, before, table.columns) if not table.key and op in ("u", "d") else None
        except Unreadable as reason:
            self.aside[(source, number) if key is None else (table.name, key)] = str(reason)
            return
        if table.key:
            self.aside.pop((table.name, key), None)
            if op == "d":
                self.keyed[table.name].pop(key, None)
            else:
                self.keyed[table.name][key] = row
            return
        if gone is not None:
            self.counted[table.name][gone] -= 1
        if op != "d":
            self.counted[table.name][row] += 1


def parse(line):
    try:
        value = json.loads(line, parse_float=decimal.Decimal)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(value, dict) or value.get("op") not in ("c", "r", "u", "d"):
        raise Unreadable("not a change")
    if not isinstance(value.get("source"), dict) or not isinstance(value["source"].get("table"), str):
        raise Unreadable("it names no table")
    return value


def decode_columns(table, row, columns):
    if not isinstance(row, dict):
        raise Unreadable("no row where the operation needs one")
    return tuple(decode(row.get(c), table.columns[c], c) for c in columns)


def decode(value, kind, column):
    """A JSON value as a Python value of the declared type."""
    try:
        if value is None:
            return None
        if kind == "text" and isinstance(value, str):
            return value
        if kind == "boolean" and isinstance(value, bool):
            return value
        if kind in INTEGERS and not isinstance(value, bool):
            number = int(value) if isinstance(value, int) or re.match(r"[-+]?\d+$", str(value)) else None
            if number is not None and abs(number) < 2 ** INTEGERS[kind]:
                return number
        if (declared := NUMERIC.match(kind)) and NUMBER.match(str(value)):
            return decimal.Decimal(str(value)).quantize(decimal.Decimal(1).scaleb(-int(declared[2])), decimal.ROUND_HALF_UP)
        if kind == "double precision" and not isinstance(value, bool) and isinstance(value, (int, float, decimal.Decimal)):
            return float(value)
        if kind == "date" and isinstance(value, str):
            return datetime.date.fromisoformat(value)
        if kind == "timestamp" and (parts := TIMESTAMP.match(str(value))):
            return datetime.datetime.fromisoformat(f"{parts[1]}T{parts[2]}{(parts[3] or '.0').ljust(7, '0')}")
    except (ValueError, decimal.InvalidOperation):
        pass
    raise Unreadable(f'column "{column}": {value!r} is not a {kind}')
