"""What must hold of a published snapshot whose every cut was not seen: its rule, in place of one expected answer.

      query at this cut ──> keys and checked columns = those of the open versions
      versions of a key ──> one after the other, each differing from the one before; ids and times as dbt makes them
      the cut before    ──> every version of it is still there; one that was closed is unchanged

How versions open and close from cut to cut is compared with `dbt snapshot` itself by snapshots.py.
"""

import datetime
import hashlib

import compare

OWN = ["dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"]


def differences(node, query, columns, rows, before):
    """Readable lines for a check snapshot's table; `query` is what it reads at this cut, `before` what `versions` gave for an earlier one."""
    name, config = node["alias"], node["config"]
    assert config["strategy"] == "check" and config["hard_deletes"] == "invalidate", f"{name}: teach versions.py this kind of snapshot"
    if list(columns) != [*query.columns, *OWN]:
        return [f"{name}: columns differ: expected {[*query.columns, *OWN]}, got {list(columns)}"]
    key, compared = config["unique_key"], [config["unique_key"], *config["check_cols"]]
    kinds = dict(zip(query.columns, query.kinds))
    picked = lambda source, row: tuple(row[source.index(c)] for c in compared)  # noqa: E731
    expected = compare.Relation(compared, [kinds[c] for c in compared], [picked(query.columns, row) for row in query.rows])
    found = versions(columns, rows)
    open_rows = [picked(list(columns), row) for row in rows if row[-1] is None]
    lines = compare.differences(f"{name}, open versions", expected, compared, open_rows)
    by_key = {}
    for version in found.values():
        by_key.setdefault(version[key], []).append(version)
    for value, history in by_key.items():
        history.sort(key=lambda version: version["dbt_valid_from"])
        for version in history:
            since, until = version["dbt_valid_from"], version["dbt_valid_to"]
            if version["dbt_updated_at"] != since or (until and until < since):
                lines.append(f"{name} [{key}={value}]: times {version['dbt_updated_at']}, {since}, {until}")
            text = since.isoformat(" ").rstrip("0") if since.microsecond else since.isoformat(" ")
            if version["dbt_scd_id"] != hashlib.md5(f"{value}|{text}".encode()).hexdigest():
                lines.append(f"{name} [{key}={value}]: dbt_scd_id is not the md5 of {value}|{text}")
        for earlier, later in zip(history, history[1:]):
            if earlier["dbt_valid_to"] is None or earlier["dbt_valid_to"] > later["dbt_valid_from"]:
                lines.append(f"{name} [{key}={value}]: versions overlap at {later['dbt_valid_from']}")
            same = all(compare.canonical(earlier[c], kinds[c]) == compare.canonical(later[c], kinds[c]) for c in compared)
            if same and earlier["dbt_valid_to"] == later["dbt_valid_from"]:
                lines.append(f"{name} [{key}={value}]: nothing changed at {later['dbt_valid_from']}")
    for place, version in (before or {}).items():
        now = found.get(place)
        if now is None or (version["dbt_valid_to"] is not None and version != now):
            lines.append(f"{name}: a version of an earlier cut was {version}, is {now}")
    return lines


def versions(columns, rows):
    """By (id, begin): every version, its times as times."""
    found = {}
    for row in rows:
        version = dict(zip(columns, row))
        for column in OWN[1:]:
            version[column] = moment(version[column])
        found[version["dbt_scd_id"], version["dbt_valid_from"]] = version
    return found


def moment(value):
    return datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
