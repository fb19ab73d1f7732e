#!/usr/bin/env python3
"""Compares livemart's artifacts with those that real dbt writes for the same project, field by field, and reads them with dbt's own classes.

      dataflows/ ──dbt compile────────> manifest.json ─┐
          └──────livemart compile─────> manifest.json ─┴─> equal, but for ALLOWED
      livemart build ─> manifest, run_results, catalog, sources ──dbt's own contracts──> accepted

    manifest.py --binary PATH [--project DIR] [--target NAME]

PostgreSQL is the one that LIVEMART_TEST_POSTGRES names; a database is made there and dropped. Exit code 1: a difference that is not allowed.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True  # nothing is written into the checkout

import jsonschema
import psycopg2

import warehouse

ROOT = pathlib.Path(__file__).resolve().parents[2]

# (path of the field, why the two differ). A `*` stands for any one step.
ALLOWED = [
    ("metadata.generated_at", "a moment"),
    ("metadata.invocation_id", "an identity"),
    ("metadata.invocation_started_at", "a moment"),
    ("metadata.run_started_at", "a moment"),
    ("metadata.dbt_version", "the version that livemart follows, not the one that is installed"),
    ("*.*.created_at", "a moment"),
    ("unit_tests.*.checksum", "dbt hashes how Python prints its classes"),
    ("docs.doc.dbt.__overview__", "the text of dbt's documentation site"),
    ("macros.macro.dbt.*", "livemart brings the macros that compiling needs; dbt's adapters bring those that run statements"),
    ("macros.macro.dbt_postgres.*", "as above"),
]


def allowed(path):
    """Whether a difference at this path has a reason; steps may hold dots of their own, so the text decides."""
    text = ".".join(path)
    for pattern, _ in ALLOWED:
        expression = re.escape(pattern).replace(r"\*\.\*", ".*").replace(r"\*", "[^ ]*")
        if re.fullmatch(expression, text):
            return True
    return False


def differences(ours, dbts, path=()):
    if allowed(path):
        return
    if isinstance(ours, dict) and isinstance(dbts, dict):
        for key in sorted({*ours, *dbts}):
            here = (*path, key)
            if key not in ours or key not in dbts:
                if not allowed(here):
                    yield here, "absent" if key not in ours else ours[key], "absent" if key not in dbts else dbts[key]
            else:
                yield from differences(ours[key], dbts[key], here)
    elif path and path[-1] in ("macros",) and isinstance(ours, list):
        if livemarts(ours) != livemarts(dbts):
            yield path, ours, dbts
    elif path and path[-1] in ("primary_key", "nodes") and isinstance(ours, list):
        # dbt takes them from a set.
        if sorted(ours) != sorted(dbts):
            yield path, ours, dbts
    elif ours != dbts:
        yield path, ours, dbts


def livemarts(macros):
    """Macros of dbt itself and of its adapters have other names in livemart."""
    return sorted(m for m in macros if m.split(".")[1] not in ("dbt", "dbt_postgres"))


def report(found, limit=40):
    by_field = collections.defaultdict(list)
    for path, ours, dbts in found:
        by_field[(path[0], ".".join(path[2:]))].append((path, ours, dbts))
    for (section, field), cases in sorted(by_field.items(), key=lambda item: -len(item[1]))[:limit]:
        path, ours, dbts = cases[0]
        print(f"{section}.*.{field}: {len(cases)} differences, such as {'.'.join(path)}\n    livemart {json.dumps(ours)[:300]}\n    dbt      {json.dumps(dbts)[:300]}")


def read_with_dbt(target):
    """dbt's own classes take the files, whole: schema version, required keys, types."""
    from dbt.artifacts.schemas.catalog import CatalogArtifact
    from dbt.artifacts.schemas.freshness import FreshnessExecutionResultArtifact
    from dbt.artifacts.schemas.manifest import WritableManifest
    from dbt.artifacts.schemas.run import RunResultsArtifact

    kinds = {
        "manifest.json": WritableManifest,
        "run_results.json": RunResultsArtifact,
        "catalog.json": CatalogArtifact,
        "sources.json": FreshnessExecutionResultArtifact,
    }
    read = {}
    for name, kind in kinds.items():
        path = target / name
        if path.exists():
            read[name] = kind.read_and_check_versions(str(path))
            # The class takes more than its schema allows; the schema is what other tools check against.
            jsonschema.validate(json.loads(path.read_text()), kind.json_schema())
    return read


def livemart(binary, folder, *arguments, environment=None):
    done = subprocess.run(
        [binary, *arguments, "--project-dir", folder, "--profiles-dir", folder],
        env={**os.environ, "TZ": "UTC", **(environment or {})},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--project", default=ROOT / "dataflows", type=pathlib.Path)
    arguments = parser.parse_args()
    binary = str(pathlib.Path(arguments.binary).resolve())
    url = urllib.parse.urlsplit(os.environ["LIVEMART_TEST_POSTGRES"])
    name = f"livemart_manifest_{os.getpid()}"
    connection = psycopg2.connect(os.environ["LIVEMART_TEST_POSTGRES"])
    connection.autocommit = True
    connection.cursor().execute(f"create database {name}")
    try:
        with tempfile.TemporaryDirectory(prefix="livemart-manifest.") as work:
            return compare(arguments, binary, url, name, pathlib.Path(work))
    finally:
        connection.cursor().execute(f"drop database {name} with (force)")


def compare(arguments, binary, url, name, work):
    project = warehouse.Project(arguments.project, work)
    environment = {
        "SHOP_PG_HOST": url.hostname, "SHOP_PG_PORT": str(url.port), "SHOP_PG_USER": url.username or "postgres",
        "SHOP_PG_PASSWORD": url.password or "", "SHOP_PG_DATABASE": name, "SHOP_DATA": str(ROOT / "fixtures/shop"),
        "LIVEMART_DB": str(work / "marts.db"),
    }
    dbts, _ = project.dbt("compile", "dev", environment)
    code, said = livemart(binary, project.folder, "compile", "-t", "dev", "--target-path", str(work / "ours"), environment=environment)
    if code != 0:
        raise SystemExit(f"livemart compile ended with {code}:\n{said}")
    ours = json.loads((work / "ours/manifest.json").read_text())
    found = list(differences(normal(ours), normal(dbts)))
    report(found)
    print(f"{len(ours['nodes'])} nodes, {len(ours['sources'])} sources, {len(ours['macros'])} macros: {len(found)} differences that are not allowed")
    missing = {str(p.relative_to(project.folder / "target/dev")) for p in (project.folder / "target/dev/compiled").rglob("*.sql")}
    missing -= {str(p.relative_to(work / "ours")) for p in (work / "ours/compiled").rglob("*.sql")}
    if missing:
        print(f"files of target/compiled that livemart does not write: {sorted(missing)}")
    code, said = livemart(binary, project.folder, "build", "-t", "dev", "--target-path", str(work / "ours"), "--exclude", *not_yet(), environment=environment)
    if code not in (0, 1):
        raise SystemExit(f"livemart build ended with {code}:\n{said}")
    for command in (["docs", "generate"], ["source", "freshness"]):
        code, said = livemart(binary, project.folder, *command, "-t", "dev", "--target-path", str(work / "ours"), environment=environment)
        if code not in (0, 1):
            raise SystemExit(f"livemart {' '.join(command)} ended with {code}:\n{said}")
    read = read_with_dbt(work / "ours")
    print(f"dbt reads {', '.join(sorted(read))}")
    unread = {"manifest.json", "run_results.json", "catalog.json", "sources.json"} - set(read)
    if unread:
        print(f"not written: {sorted(unread)}")
    return 1 if found or missing or unread else 0


def not_yet():
    lines = (ROOT / "tests/oracle/not_yet.txt").read_text().splitlines()
    names = [line.split("#")[0].strip().split(":")[0] for line in lines]
    return [f"{name}+" for name in names if name] or ["nothing_is_left_out"]


def normal(manifest):
    """Without the path of the target folder, which the two were told differently."""
    text = json.dumps(manifest)
    return json.loads(re.sub(r'"compiled_path": "[^"]*?/?compiled/', '"compiled_path": "target/compiled/', text))


if __name__ == "__main__":
    sys.exit(main())
