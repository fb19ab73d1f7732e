#!/usr/bin/env python3
"""The whole reference project at a given size: what loading it costs, what goes on costs, and how soon one change is there.

      demo generate ──the first nine tenths, by time──> livemart build ──> marts.db      CPU of the process: initial load
                     └─the last tenth, appended──> livemart serve ──> marts.db           CPU per event with every table and test maintained
                                        one line at a time ──> serve ──> a reader        milliseconds from the write to the committed row

    shop.py --binary PATH [--customers 2000] [--days 540] [--activity 100] [--changes 100]

The load has as few cuts as can be (--full-refresh): on the way the clock goes through every day of the history, and each cut publishes
what its midnights move, rows that the next cut moves again.
CPU is user and system time of the process, all its threads: it says the same on a busy machine. The dashboards' queries are measured by dashboards.py.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True

ROOT = pathlib.Path(__file__).resolve().parents[1]
SYSTEMS = ("raw_data", "clickstream", "cards", "app", "stripe")
BEGIN_MS = 1_719_792_000_000  # the first day of every shop
DAY_MS = 86_400_000
WAIT_SECONDS = 3600


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--days", type=int, default=540)
    parser.add_argument("--activity", type=int, default=100, help="percent of what customers usually do day by day; fewer events of the same customers")
    parser.add_argument("--changes", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="livemart-shop-") as work:
        Figures(arguments, pathlib.Path(work)).print()


class Figures:
    def __init__(self, arguments, work):
        self.binary, self.arguments, self.work = arguments.binary.resolve(), arguments, work
        self.whole, self.shop, self.database = work / "whole", work / "shop", work / "marts.db"
        self.environment = {**os.environ, "SHOP_DATA": str(self.shop), "LIVEMART_DB": str(self.database), "LIVEMART_STATE": str(work / "state"), "TZ": "UTC"}
        self.project = work / "project"
        shutil.copytree(ROOT / "dataflows", self.project, ignore=shutil.ignore_patterns("target", "logs", "data", ".livemart"))

    def print(self):
        customers, days = self.arguments.customers, self.arguments.days
        self.livemart("demo", "generate", "--customers", customers, "--days", days, "--activity", self.arguments.activity, "--out", self.whole)
        first, rest = self.split(BEGIN_MS + days * 9 // 10 * DAY_MS)
        print(f"the whole shop: {customers:,} customers, {days} days, {self.arguments.activity} % of the usual activity, {first + rest:,} events from its systems; load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores", flush=True)
        began = time.monotonic()
        load = self.livemart("build", "--full-refresh", "-q", codes=(0, 1))
        months, plans = self.one("select count(*) from metric_mom_spend_change"), self.one("select count(*) from livemart_tests")
        print(f"  initial load (build)         {load.cpu:9.1f} s of CPU  {first / load.cpu:10,.0f} events per CPU second  {time.monotonic() - began:7.1f} s  {load.mib:6.0f} MiB at most")
        print(f"  of it                        {months:,} customer-months of the cards, {plans} tests")
        with self.serve() as server:
            before, began = server.cpu(), time.monotonic()
            self.append_rest()
            self.await_positions()
            took, cpu = time.monotonic() - began, server.cpu() - before
            print(f"  afterwards (serve)           {cpu:9.1f} s of CPU  {rest / cpu:10,.0f} events per CPU second  {took:7.1f} s")
            milliseconds = sorted(self.one_change(number) for number in range(self.arguments.changes))
        quantile = lambda q: milliseconds[min(len(milliseconds) - 1, int(len(milliseconds) * q))]  # noqa: E731
        print(f"  one change, write to row     p50 {statistics.median(milliseconds):7.1f} ms   p90 {quantile(0.9):7.1f} ms   p99 {quantile(0.99):7.1f} ms   ({len(milliseconds)} changes); load {os.getloadavg()[0]:.2f}")

    def livemart(self, *words, codes=(0,)):
        log = open(self.work / "livemart.log", "w+b")
        process = subprocess.Popen([str(w) for w in (self.binary, *words)], cwd=self.project, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            log.seek(0)
            raise SystemExit(f"livemart {' '.join(map(str, words))} ended with {process.returncode}:\n{log.read().decode()[-3000:]}")
        return Cost(usage)

    def split(self, until_ms):
        """Files of what is delivered before, and in memory what comes later; what is dropped as files is there from the start."""
        shutil.copytree(self.whole, self.shop)
        self.rest, first, rest = {}, 0, 0
        for system in SYSTEMS:
            path, kept, at = self.shop / f"{system}.jsonl", [], 0
            later = self.rest[system] = []
            with open(self.whole / f"{system}.jsonl", "rb") as lines:
                for line in lines:
                    with contextlib.suppress(ValueError, TypeError, KeyError):
                        at = max(at, json.loads(line)["source"]["ts_ms"])
                    (kept if at < until_ms else later).append(line)
            path.write_bytes(b"".join(kept))
            first, rest = first + len(kept), rest + len(later)
        shutil.rmtree(self.whole)
        return first, rest

    def append_rest(self):
        for system, lines in self.rest.items():
            with open(self.shop / f"{system}.jsonl", "ab") as file:
                file.writelines(lines)

    @contextlib.contextmanager
    def serve(self):
        log = open(self.work / "serve.log", "wb")
        process = subprocess.Popen([self.binary, "serve", "--listen", "127.0.0.1:0"], cwd=self.project, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + WAIT_SECONDS
            while not self.is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"serve does not come up:\n{(self.work / 'serve.log').read_text()[-3000:]}")
                time.sleep(0.05)
            yield Server(process.pid)
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def is_ready(self):
        told = re.search(r"http://[\d.]+:\d+", (self.work / "serve.log").read_text())
        try:
            return bool(told) and urllib.request.urlopen(f"{told[0]}/readyz", timeout=5).status == 200
        except OSError:
            return False

    def await_positions(self):
        ends = {system: (self.shop / f"{system}.jsonl").read_bytes().count(b"\n") for system in SYSTEMS}
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            with contextlib.closing(self.connect()) as connection:
                at = dict(connection.execute("select source, position from livemart_progress"))
            if all(at.get(system) == end for system, end in ends.items()):
                return
            time.sleep(0.05)
        raise SystemExit(f"serve does not come to the end: {at}, not {ends}")

    def one_change(self, number):
        """A customer moves; milliseconds until a reader sees the new city."""
        time.sleep(0.4 + number * 7919 % 50 / 1000)  # not in step with the interval
        with contextlib.closing(self.connect()) as connection:
            version = lambda: connection.execute("pragma data_version").fetchone()  # noqa: E731
            city = lambda: connection.execute("select email from mart_customer_360 where customer_id = ?", (customer,)).fetchone()  # noqa: E731
            customer = self.one("select customer_id from mart_customer_360 order by customer_id limit 1 offset ?", number)
            email, seen = f"moved{number}@example.com", version()
            after = {"customer_id": customer, "email": email, "first_name": "Moved", "last_name": "On", "created_at": "2024-07-01T00:00:00Z"}
            at = int(time.time() * 1000)
            change = {"before": None, "after": after, "source": {"name": "shop", "ts_ms": at, "table": "customers"}, "op": "u", "ts_ms": at}
            with open(self.shop / "raw_data.jsonl", "a") as file:
                file.write(json.dumps(change) + "\n")
            began = time.perf_counter()
            while time.perf_counter() - began < WAIT_SECONDS:
                if (now := version()) != seen:
                    seen = now
                    if city() == (email,):
                        return (time.perf_counter() - began) * 1000
                time.sleep(0.0002)
        raise SystemExit(f"change {number} does not come")

    def connect(self):
        return sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True, timeout=30, isolation_level=None)

    def one(self, statement, *values):
        with contextlib.closing(self.connect()) as connection:
            return connection.execute(statement, values).fetchone()[0]


class Cost:
    def __init__(self, usage):
        self.cpu, self.mib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Server:
    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
