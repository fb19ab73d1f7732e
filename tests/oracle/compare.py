"""Compares a published table with the reference's, as multisets and without any tolerance.

1. Column names and their order are equal.
2. Integers, booleans, text, dates and times are equal; numerics by value (1.5 = 1.50); doubles bit for bit, -0 being 0.
3. SQLite has fewer types: there a date, a timestamp and a boolean come as ISO text and 0/1, a numeric as integer, real or text.
   What a value must be is decided by the reference's type, so a number that turned into text is a difference.
"""

import collections
import dataclasses
import datetime
import decimal

SHOWN_MAX = 5


@dataclasses.dataclass
class Relation:
    columns: list  # names
    kinds: list  # one of KINDS' values per column
    rows: list  # tuples


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A value that cannot be one of its column's type; equal to nothing but itself."""

    text: str

    def __repr__(self):
        return self.text


def canonical(value, kind):
    """The value as the reference would have given it."""
    if value is None:
        return None
    try:
        if kind == "integer" and type(value) is int:
            return value
        if kind == "boolean" and (isinstance(value, bool) or (type(value) is int and value in (0, 1))):
            return bool(value)
        if kind == "numeric" and not isinstance(value, bool):
            return decimal.Decimal(repr(value) if isinstance(value, float) else str(value))
        if kind == "double" and type(value) in (int, float):
            return float(value)
        if kind == "text" and isinstance(value, str):
            return value
        if kind == "date":
            if type(value) is datetime.date:
                return value
            if isinstance(value, str):
                return datetime.date.fromisoformat(value)
        if kind == "timestamp":
            if isinstance(value, datetime.datetime):
                return value.replace(tzinfo=None)
            if isinstance(value, str):
                return datetime.datetime.fromisoformat(value.replace("Z", ""))
    except (ValueError, decimal.InvalidOperation):
        pass
    return Wrong(f"{value!r} ({type(value).__name__}, not {kind})")


def differences(table, expected, got_columns, got_rows):
    """Readable lines, none when the tables are equal."""
    if list(expected.columns) != list(got_columns):
        return [f"{table}: columns differ: expected {list(expected.columns)}, got {list(got_columns)}"]
    want = collections.Counter(tuple(canonical(v, k) for v, k in zip(row, expected.kinds)) for row in expected.rows)
    have = collections.Counter(tuple(canonical(v, k) for v, k in zip(row, expected.kinds)) for row in got_rows)
    if want == have:
        return []
    missing, extra = list((want - have).elements()), list((have - want).elements())
    lines = [f"{table}: {len(missing)} rows missing, {len(extra)} rows too many ({len(expected.rows)} expected, {len(got_rows)} got)"]
    for row in sorted(missing, key=repr)[:SHOWN_MAX]:
        other = nearest(row, extra)
        if other is None:
            lines.append(f"  {table} {name(expected.columns, row)}: expected {show(expected.columns, row)}, got no such row")
            continue
        extra.remove(other)
        wrong = [f"{c} expected {a!s}, got {b!s}" for c, a, b in zip(expected.columns, row, other) if a != b]
        lines.append(f"  {table} {name(expected.columns, row)}: {'; '.join(wrong) or 'the row is there too seldom'}")
    for row in sorted(extra, key=repr)[: SHOWN_MAX + 1 - len(lines)]:
        lines.append(f"  {table} {name(expected.columns, row)}: expected no such row, got {show(expected.columns, row)}")
    return lines


def nearest(row, others):
    """The other row with the same first column that agrees in most columns."""
    same = [o for o in others if o[0] == row[0]]
    return max(same, key=lambda o: sum(a == b for a, b in zip(o, row)), default=None)


def name(columns, row):
    return f"[{columns[0]}={row[0]!s}]"


def show(columns, row):
    return "{" + ", ".join(f"{c}={v!s}" for c, v in zip(columns, row)) + "}"
