"""Reads a shop that `livemart demo generate` wrote, as one history in the order of delivery.

      raw_data.jsonl  cards.jsonl  …   lines as they are, each at its source.ts_ms
      ads/google_ads_2024-07.csv  …    rows as Debezium values, each in its file's month
"""

import csv
import datetime
import json
import pathlib


def history(folder, tables):
    """(source, line) of everything below `folder`; `tables` are reference.Table by name."""
    folder, entries = pathlib.Path(folder), []
    for source in sorted({table.source for table in tables.values()}):
        log = folder / f"{source}.jsonl"
        if log.exists():
            entries += logged(source, log)
        else:
            for table in tables.values():
                if table.source == source:
                    entries += dropped(table, folder / source)
    if not entries:
        raise SystemExit(f"there is no shop in {folder}. Make one with livemart demo generate --out {folder}")
    entries.sort(key=lambda entry: entry[0])  # stable: what a file says at one moment stays in its order
    return [(source, line) for _, source, line in entries]


def logged(source, path):
    at = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            at = max(at, json.loads(line)["source"]["ts_ms"])
        except (ValueError, TypeError, KeyError):
            pass  # unreadable: it came right after the line before it
        yield at, source, line


def dropped(table, folder):
    for path in sorted(folder.glob(f"{table.name}_*.csv")):
        month = datetime.datetime.strptime(path.stem.removeprefix(f"{table.name}_"), "%Y-%m").replace(tzinfo=datetime.timezone.utc)
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file)):
                at = int(month.timestamp() * 1000) + number * 1000
                after = {column: value if value != "" else None for column, value in row.items()}
                yield at, table.source, json.dumps({"before": None, "after": after, "source": {"ts_ms": at, "table": table.name}, "op": "c", "ts_ms": at})
