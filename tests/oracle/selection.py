#!/usr/bin/env python3
"""Compares `livemart ls` with `dbt ls` over a table of selections on the shop's project.

      copy of dataflows/ + selectors.yml ──dbt ls──> lines ─┐
             └──changed after a manifest was kept──livemart ls──> lines ─┴─> equal

    selection.py --binary PATH

Needs no database: dbt's DuckDB target lists without connecting. Exit code 1: a difference.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing is written into the checkout
os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"

import warehouse

ROOT = pathlib.Path(__file__).resolve().parents[2]

SELECTORS = """\
selectors:
  - name: finance
    description: What the finance team reads
    definition: {union: [{method: tag, value: marts}, {method: fqn, value: entities, exclude: [{method: fqn, value: entity_users}]}]}
  - name: narrow
    definition:
      intersection:
        - {method: tag, value: marts, children: true, children_depth: 1}
        - {method: config.materialized, value: table}
        - exclude: [{method: path, value: models/marts/marketing}]
  - name: texts
    definition: {union: ["stg_orders+1", "@stg_cards__transactions"]}
  - name: inherited
    definition: {union: [{method: selector, value: narrow}, {method: source, value: erp, indirect_selection: empty}]}
"""

SELECT = [
    "stg_orders", "stg_orders+", "+customers", "1+customers", "stg_orders+1", "2+customer_360_profile+1", "@stg_payments", "@source:ads",
    "staging", "staging.cards", "shop.marts.marketing", "marts.*", "*cust*", "stg_*", "fqn:*marketing*", "stg_?ards__transactions", "[cd]ustomers",
    "path:models/staging", "path:models/marts/marketing/", "models/entities", "models/entities/*.sql", "path:models/**/stg_*.sql", "path:snapshots",
    "path:models/sources/cards.yml", "file:customers.sql", "customers.sql", "file:stg_*", "file:customers",
    "tag:marts", "tag:staging", "tag:e*", "tag:nothing", "tag:marts,tag:staging", "tag:marts,config.materialized:table",
    "config.materialized:incremental", "config.materialized:view", "config.severity:warn", "config.schema:gold", "config.enabled:true",
    "config.tags:marts", "config.unique_key:order_id",
    "source:raw_data", "source:raw_data.orders", "source:raw_data.orders+", "source:*", "source:shop.cards.transactions", "source:*.transactions+1",
    "exposure:executive_dashboard", "+exposure:*", "exposure:shop.sales_alerts", "resource_type:snapshot", "resource_type:source",
    "resource_type:test,tag:marts", "resource_type:analysis", "resource_type:exposure", "resource_type:unit_test",
    "test_type:singular", "test_type:generic", "test_type:unit", "test_type:data", "test_name:not_null", "test_name:accepted_*",
    "test_name:recency_freshness", "package:shop", "package:this", "package:dbt_utils", "package:sh*", "access:protected", "version:none",
    "unit_test:*", "unit_test:the_first_month_has_no_change", "the_first_month_has_no_change+", "nothing_like_this", "not_null_customers_customer_id",
    "stg_orders customers", "stg_orders,customers", "+customers,tag:staging stg_payments", "analyses", "shop.analysis.champions", "group:*",
]  # fmt: skip

# Whole command lines.
COMMANDS = [
    ["--select", "tag:marts", "--exclude", "test_type:generic"],
    ["--exclude", "tag:staging", "resource_type:test"],
    ["--select", "+customers", "--exclude", "source:*", "stg_orders"],
    ["--select", "stg_orders+", "--exclude", "customers+"],
    ["--models", "tag:marts"],
    ["--models", "stg_orders+"],
    ["--select", "stg_orders", "--indirect-selection", "cautious"],
    ["--select", "stg_orders+", "--indirect-selection", "buildable"],
    ["--select", "stg_orders", "customers", "--indirect-selection", "empty"],
    ["--select", "customers+", "stg_orders", "--resource-type", "test"],
    ["--resource-type", "model"],
    ["--resource-type", "model", "snapshot"],
    ["--resource-type", "analysis"],
    ["--resource-type", "all", "--select", "config.materialized:view"],
    ["--exclude-resource-type", "test", "unit_test"],
    ["--selector", "finance"],
    ["--selector", "narrow"],
    ["--selector", "texts"],
    ["--selector", "inherited"],
    ["--select", "tag:entities", "--output", "name"],
    ["--select", "resource_type:source", "resource_type:exposure", "unit_test:*", "--output", "name"],
    ["--select", "tag:entities", "exposure:*", "source:erp", "--output", "path"],
    ["--select", "customers", "--output", "json"],
    ["--select", "source:erp", "exposure:*", "unit_test:*", "--output", "json"],
    ["--select", "tag:marts", "--output", "json", "--output-keys", "name", "config.materialized", "tags", "nothing"],
    ["--select", "customers", "--output", "json", "--output-keys", "unique_id resource_type depends_on"],
    ["--select", "state:modified", "--state", "kept"],
    ["--select", "state:modified+", "--state", "kept", "--resource-type", "model"],
    ["--select", "state:new", "--state", "kept"],
    ["--select", "state:old,resource_type:model", "--state", "kept"],
    ["--select", "state:unmodified", "--state", "kept", "--resource-type", "model"],
    ["--select", "state:modified.body", "--state", "kept"],
    ["--select", "state:modified.configs", "--state", "kept"],
    ["--select", "state:modified.macros", "--state", "kept"],
    ["--select", "state:modified.relation", "--state", "kept"],
    ["--select", "state:modified.contract", "--state", "kept"],
]


class Dbt:
    """dbt in this process, which parses a project once."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.manifest = self.invoke(None, "parse")

    def invoke(self, manifest, *arguments):
        from dbt.cli.main import dbtRunner

        common = ["--profiles-dir", self.folder, "--project-dir", self.folder, "--target", "duckdb", "--quiet", "--no-use-colors"]
        with contextlib.redirect_stdout(io.StringIO()):
            done = dbtRunner(manifest=manifest).invoke([*arguments, *common])
        if not done.success:
            raise SystemExit(f"dbt {' '.join(arguments)} failed: {done.exception}")
        return done.result

    def ls(self, arguments):
        return sorted(map(normal, self.invoke(self.manifest, "ls", *arguments) or []))


def livemart(binary, folder, arguments):
    # dbt's duckdb target is another database: names in the output are made alike by reading the same profile.
    done = subprocess.run(
        [binary, "ls", *arguments, "--project-dir", folder, "--profiles-dir", folder, "--target", "duckdb", "--quiet"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        return [f"exit code {done.returncode}: {done.stderr.strip()}"]
    return sorted(map(normal, done.stdout.splitlines()))


def normal(line):
    """A JSON line without what is allowed to differ: macros of dbt itself, dbt's checksum of unit tests."""
    if not line.startswith("{"):
        return line
    found = json.loads(line)
    if isinstance(found.get("depends_on"), dict):
        found["depends_on"]["macros"] = sorted(m for m in found["depends_on"].get("macros", []) if m.split(".")[1] not in ("dbt", "dbt_postgres"))
    return json.dumps(found, sort_keys=True)


def change(folder):
    """What a deploy would bring: a text, a configuration, a macro, a new model."""
    customers = folder / "models/marts/customers.sql"
    customers.write_text(customers.read_text() + "\n-- changed\n")
    settings = folder / "dbt_project.yml"
    settings.write_text(settings.read_text().replace("    entities:\n      +materialized: table", "    entities:\n      +materialized: table\n      +schema: moved"))
    macro = folder / "macros/ratio.sql"
    macro.write_text(macro.read_text().replace("{% endmacro %}", " {% endmacro %}").replace("{%- endmacro %}", " {%- endmacro %}"))
    (folder / "models/marts/newcomer.sql").write_text("select 1 as id")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="", help="only the selections with this text in them")
    arguments = parser.parse_args()
    binary, only = str(pathlib.Path(arguments.binary).resolve()), arguments.only
    with tempfile.TemporaryDirectory(prefix="livemart-selection.") as work:
        project = warehouse.Project(ROOT / "dataflows", work)
        folder = project.folder
        (folder / "selectors.yml").write_text(SELECTORS)
        settings = folder / "livemart.yml"
        settings.write_text(settings.read_text().replace("\n  prod:", "\n  duckdb: {sink: {type: sqlite, path: data/duckdb.db}}\n\n  prod:", 1))
        table = [["--select", *text.split(" ")] for text in SELECT] + COMMANDS
        table = [arguments for arguments in table if only in " ".join(arguments)]
        before = [arguments for arguments in table if "--state" not in arguments]
        after = [arguments for arguments in table if "--state" in arguments]
        dbt = Dbt(folder)
        wrong = [one for arguments in before for one in compared(binary, dbt, arguments)]
        (folder / "kept").mkdir()
        shutil.copy(folder / "target/manifest.json", folder / "kept/manifest.json")
        change(folder)
        dbt = Dbt(folder)
        os.chdir(folder)  # --state is relative to it
        wrong += [one for arguments in after for one in compared(binary, dbt, arguments)]
        os.chdir(ROOT)
    print(f"{len(table)} selections, {len(wrong)} of them differ")
    return 1 if wrong else 0


def compared(binary, dbt, arguments):
    theirs, ours = dbt.ls(arguments), livemart(binary, dbt.folder, arguments)
    if ours != theirs:
        more, less = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
        found = f"{' '.join(arguments)}\n    livemart alone ({len(more)}): {str(more)[:600]}\n    dbt alone ({len(less)}): {str(less)[:600]}"
        print(found, flush=True)
        yield found


if __name__ == "__main__":
    sys.exit(main())
