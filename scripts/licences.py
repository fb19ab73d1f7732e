#!/usr/bin/env python3
"""Fails when a dependency has a licence that is not on our list, or when a crate that must be one is there twice.

    scripts/licences.py          needs no network: it reads `cargo metadata` of what is already downloaded for this platform

1. A licence expression is allowed when some choice of its ORs leaves only licences of `ALLOWED`.
2. A crate without a licence expression is refused unless `EXCEPTIONS` names it with a reason.
3. Crates of `SINGLE` appear in one version: two would mean two incompatible types, two copies of a C library, or a double compile.
"""

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
}

# crate -> why it is allowed although its licence is not on the list or not written as an expression
EXCEPTIONS = {}

SINGLE = {
    "bumpalo",
    "chrono",
    "chrono-tz",
    "columnar",
    "differential-dataflow",
    "libsqlite3-sys",
    "minijinja",
    "openssl-sys",
    "rdkafka-sys",
    "rusqlite",
    "serde",
    "serde_json",
    "sqlparser",
    "timely",
    "tokio",
    "tracing",
}


class Expression:
    """An SPDX licence expression: `or` binds weaker than `and`, which binds weaker than `with`."""

    def __init__(self, text):
        # `MIT/Apache-2.0` is how old crates wrote OR.
        self.words = re.findall(r"[()]|[^\s()]+", text.replace("/", " OR "))

    def allowed(self):
        verdict = self.any_of()
        if self.words:
            raise ValueError(f"unexpected {self.words[0]!r}")
        return verdict

    def any_of(self):
        verdict = self.all_of()
        while self.take("OR"):
            verdict = self.all_of() or verdict
        return verdict

    def all_of(self):
        verdict = self.one()
        while self.take("AND"):
            verdict = self.one() and verdict
        return verdict

    def one(self):
        if self.take("("):
            verdict = self.any_of()
            if not self.take(")"):
                raise ValueError("a parenthesis is not closed")
            return verdict
        if not self.words:
            raise ValueError("it ends too early")
        licence = self.words.pop(0)
        if self.take("WITH"):
            licence += " WITH " + self.words.pop(0)
        return licence in ALLOWED

    def take(self, word):
        if self.words and self.words[0].upper() == word:
            self.words.pop(0)
            return True
        return False


def packages():
    host = next(line.split()[1] for line in run("rustc", "-vV").splitlines() if line.startswith("host:"))
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host))
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [p for p in metadata["packages"] if p["id"] in used]


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def complaints(found):
    for package in found:
        name, version, licence = package["name"], package["version"], package["license"]
        if name in EXCEPTIONS:
            continue
        if not licence:
            yield f"{name} {version} has no licence expression (licence file: {package['license_file']})"
            continue
        try:
            if not Expression(licence).allowed():
                yield f'{name} {version} is under "{licence}", which is not on the list'
        except ValueError as error:
            yield f'{name} {version}: licence expression "{licence}" cannot be read: {error}'
    for name in sorted(SINGLE):
        versions = sorted(p["version"] for p in found if p["name"] == name)
        if len(versions) > 1:
            yield f"{name} is there in {len(versions)} versions: {', '.join(versions)}. See who asks: cargo tree -i {name}@{versions[0]}"


def main():
    found = packages()
    wrong = list(complaints(found))
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(found)} crates, {len(wrong)} complaints")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
