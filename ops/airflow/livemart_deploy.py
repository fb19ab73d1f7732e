"""An example DAG: Airflow deploys and gates, livemart keeps the tables current.

      check the project ──> build it beside production, tests included ──> roll the service over ──> wait until it is ready

There is no schedule: changes flow through `livemart serve` all the time. The DAG runs when somebody deploys, and stops at the first red test.
"""

from __future__ import annotations

import os

import pendulum
from airflow.models.dag import DAG
from airflow.operators.bash import BashOperator

PROJECT = os.environ.get("LIVEMART_PROJECT", "/opt/shop/dataflows")
READY = os.environ.get("LIVEMART_READY", "http://livemart:9464/readyz")

with DAG(
    dag_id="livemart_deploy",
    description="Deploys a version of the shop's project and lets it through only when its tests pass",
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"version": "main"},
    tags=["livemart"],
) as dag:
    checkout = BashOperator(
        task_id="checkout",
        bash_command=f"git -C {PROJECT} fetch --quiet && git -C {PROJECT} checkout --quiet '{{{{ params.version }}}}'",
    )
    # Refuses what cannot be maintained, and what would touch a whole table with each change.
    plan = BashOperator(
        task_id="plan",
        bash_command=f"livemart parse --project-dir {PROJECT} --target ci --warn-error && livemart explain --project-dir {PROJECT} --target ci --deny per-table",
    )
    # A target with a database of its own: the tests are green before production is touched. Exit code 1 is a red test.
    gate = BashOperator(
        task_id="gate",
        bash_command=f"livemart build --project-dir {PROJECT} --target ci --full-refresh",
    )
    # What starts the service is the platform's business; the new process stands by until the old one has drained.
    roll = BashOperator(task_id="roll", bash_command="kubectl rollout restart deployment/livemart && kubectl rollout status deployment/livemart --timeout=10m")
    ready = BashOperator(
        task_id="ready",
        bash_command=f"for i in $(seq 120); do curl --fail --silent {READY} && exit 0; sleep 5; done; curl --silent {READY}; exit 1",
    )
    freshness = BashOperator(task_id="freshness", bash_command=f"livemart source freshness --project-dir {PROJECT} --target prod")

    checkout >> plan >> gate >> roll >> ready >> freshness
