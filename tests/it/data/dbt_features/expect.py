"""Writes expected.json: what real dbt makes of this project.

Needs dbt-core 1.11 with dbt-postgres and an empty PostgreSQL database as profiles.yml says. Run it on a copy of this folder:
    python expect.py /tmp/copy expected.json
"""
import contextlib, io, json, os, re, sys

os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
from dbt.cli.main import dbtRunner

project, out = sys.argv[1:3]
os.chdir(project)
COMMON = ["--profiles-dir", ".", "--quiet", "--no-use-colors"]


def run(*args):
    result = dbtRunner().invoke([*args, *COMMON])
    if not result.success:
        raise SystemExit(f"{args}: {result.exception or result.result}")
    return result.result


def words(text):
    return None if text is None else " ".join(text.split())


SELECTIONS = [
    ["stg_orders"], ["stg_orders+"], ["+orders_enriched"], ["1+revenue"], ["stg_orders+1"], ["@stg_customers"],
    ["staging"], ["features.marts.finance"], ["marts.*"], ["*orders*"], ["path:models/staging"], ["models/marts"], ["stg_orders.sql"],
    ["tag:pii"], ["tag:nightly"], ["tag:money,tag:revenue"], ["config.materialized:ephemeral"], ["config.severity:warn"], ["config.meta.team:finance"],
    ["source:raw"], ["source:raw.orders+"], ["exposure:board"], ["+exposure:board"], ["resource_type:test"], ["test_type:singular"],
    ["test_type:generic"], ["test_name:accepted_values"], ["package:toolbox"], ["package:this"], ["group:finance_group"], ["version:latest"],
    ["dim"], ["dim.v1"], ["dim_v2"], ["stg_orders revenue"], ["orders_have_customers"], ["money_is_right"], ["unit_test:money_is_right"],
    ["resource_type:snapshot", "prices"], ["models/staging/sources.yml"], ["test_type:unit"], ["access:protected"], ["nothing_like_this"],
]
EXCLUDES = [(["staging"], ["stg_orders"]), (["+revenue"], ["tag:stage"]), ([], ["resource_type:test"]), (["*"], ["package:toolbox", "test_name:unique"])]

run("deps")
run("compile")
manifest = json.load(open("target/manifest.json"))
expected = {"nodes": {}, "sources": {}, "exposures": {}, "unit_tests": {}, "ls": [], "disabled": sorted(manifest["disabled"])}
for uid, node in manifest["nodes"].items():
    if node["resource_type"] == "operation":
        continue
    expected["nodes"][uid] = {
        **{k: node[k] for k in ("name", "alias", "schema", "database", "fqn", "path", "original_file_path", "relation_name", "tags", "description")},
        "config": node["config"],
        "depends_on": sorted(node["depends_on"].get("nodes", [])),
        "compiled": words(node.get("compiled_code")),
        "columns": {name: {k: c[k] for k in ("description", "data_type", "tags")} for name, c in node["columns"].items()},
        "column_name": node.get("column_name"),
        "attached_node": node.get("attached_node"),
    }
for uid, node in manifest["sources"].items():
    expected["sources"][uid] = {k: node[k] for k in ("fqn", "schema", "database", "identifier", "relation_name", "tags", "description", "source_description", "loaded_at_field", "meta")}
for uid, node in manifest["exposures"].items():
    expected["exposures"][uid] = {"fqn": node["fqn"], "depends_on": sorted(node["depends_on"]["nodes"])}
for uid, node in manifest["unit_tests"].items():
    expected["unit_tests"][uid] = {"fqn": node["fqn"], "depends_on": sorted(node["depends_on"]["nodes"])}


def ls(select, exclude, *more):
    args = (["--select", *select] if select else []) + (["--exclude", *exclude] if exclude else [])
    with contextlib.redirect_stdout(io.StringIO()):
        return sorted(run("ls", *args, *more) or [])


for select, exclude in [(s, []) for s in SELECTIONS] + EXCLUDES:
    expected["ls"].append({"select": select, "exclude": exclude, "selectors": ls(select, exclude)})
for indirect in ("cautious", "buildable", "empty"):
    expected["ls"].append({"select": ["stg_orders"], "exclude": [], "indirect": indirect, "selectors": ls(["stg_orders"], [], "--indirect-selection", indirect)})
json.dump(expected, open(out, "w"), indent=1, sort_keys=True)
