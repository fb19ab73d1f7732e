# Brings what building and testing need, into the cache and from Debian; each step is a no-op when its work is done. Sourced by x.
#
#   setup_build    compiler-side packages                                    (cargo build)
#   setup_parts    PostgreSQL, a JDK, Kafka's jars from Maven Central        (tests with real parts)
#   setup_debezium Debezium's connector for PostgreSQL from Maven Central    (scripts/x debezium)
#   setup_promtool Prometheus's promtool                                     (scripts/x alerts)
#   setup_oracle   a Python environment with dbt at exact versions           (tests/oracle)

# packages_for COMMAND-OR-FILE=PACKAGE...: the packages whose command or header is missing.
packages_for() {
  local pair probe
  for pair in "$@"; do
    probe=${pair%%=*}
    case $probe in
      *.h) printf '#include <%s>\n' "$probe" | cc -E - >/dev/null 2>&1 || echo "${pair#*=}" ;;
      *) command -v "$probe" >/dev/null 2>&1 || echo "${pair#*=}" ;;
    esac
  done
}

# apt PACKAGE...: installs Debian packages; says what to do where there is no apt-get or no right to use it.
apt() {
  [ $# -gt 0 ] || return 0
  local as=() packages=("$@")
  command -v apt-get >/dev/null 2>&1 || die "missing packages: ${packages[*]}" "install them with your system's package manager, then run this again"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "missing packages: ${packages[*]}" "as root: apt-get install ${packages[*]}"
    as=(sudo)
  fi
  say "installing ${packages[*]}"
  "${as[@]}" apt-get update -qq >/dev/null || say "apt-get update failed; trying with the package lists that are here"
  DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

setup_build() {
  command -v cargo >/dev/null 2>&1 || die "cargo is missing" "install Rust from https://rustup.rs"
  command -v cc >/dev/null 2>&1 || die "a C compiler is missing" "on Debian: apt-get install gcc libc6-dev"
  local missing
  mapfile -t missing < <(packages_for cmake=cmake make=make c++=g++ pkg-config=pkg-config \
    openssl/ssl.h=libssl-dev zlib.h=zlib1g-dev zstd.h=libzstd-dev curl/curl.h=libcurl4-openssl-dev)
  apt ${missing[@]+"${missing[@]}"}
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy
}

# The newest PostgreSQL of Debian keeps its programs out of PATH.
postgres_bin() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1) || true
  if [ -z "$found" ] && command -v initdb >/dev/null 2>&1; then found=$(dirname "$(command -v initdb)"); fi
  echo "$found"
}

setup_parts() {
  setup_servers
  setup_kafka
}

setup_servers() {
  local missing
  mapfile -t missing < <(packages_for java=default-jre-headless mvn=maven openssl=openssl)
  [ -n "$(postgres_bin)" ] || missing+=(postgresql)
  apt ${missing[@]+"${missing[@]}"}
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;q')
  [ "${version:-0}" -ge 17 ] || die "Kafka $KAFKA_VERSION needs Java 17 or newer, $(command -v java) is ${version:-unknown}" "put a newer java first in PATH"
}

# Prometheus's promtool, from Debian's package into the cache: nothing is installed, no server comes along.
setup_promtool() {
  PROMTOOL=$(command -v promtool || true)
  [ -z "$PROMTOOL" ] || return 0
  PROMTOOL=$CACHE/promtool/usr/bin/promtool
  [ ! -x "$PROMTOOL" ] || return 0
  command -v apt-get >/dev/null 2>&1 || die "promtool is missing" "install Prometheus, whose tool it is"
  mkdir -p "$CACHE/promtool"
  (cd "$CACHE/promtool" && apt-get download -qq prometheus >/dev/null 2>&1 && dpkg -x prometheus_*.deb . && rm prometheus_*.deb) ||
    die "promtool cannot be fetched: apt-get download prometheus" "run apt-get update, or install Prometheus"
}

setup_kafka() {
  [ ! -f "$KAFKA_HOME/complete" ] || return 0
  say "fetching Kafka $KAFKA_VERSION from Maven Central"
  rm -rf "$KAFKA_HOME"
  mkdir -p "$KAFKA_HOME"
  cat >"$KAFKA_HOME/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>livemart</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <!-- StorageTool formats the broker's folder. -->
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
    <!-- Without it the broker logs nothing at all. -->
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
  </dependencies>
</project>
XML
  (cd "$KAFKA_HOME" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=jars -DincludeScope=runtime)
  cat >"$KAFKA_HOME/log4j2.properties" <<'PROPERTIES'
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
PROPERTIES
  touch "$KAFKA_HOME/complete"
}

# A plugin of Kafka Connect, which comes with Kafka's own jars: what those have is left out.
setup_debezium() {
  [ ! -f "$DEBEZIUM_HOME/complete" ] || return 0
  say "fetching Debezium $DEBEZIUM_VERSION from Maven Central"
  rm -rf "$DEBEZIUM_HOME"
  mkdir -p "$DEBEZIUM_HOME"
  cat >"$DEBEZIUM_HOME/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>livemart</groupId><artifactId>connector</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.debezium</groupId><artifactId>debezium-connector-postgres</artifactId><version>$DEBEZIUM_VERSION</version></dependency>
    <!-- Its schema generator wants it, and names it as provided. -->
    <dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId><version>33.4.8-jre</version></dependency>
  </dependencies>
</project>
XML
  (cd "$DEBEZIUM_HOME" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory=plugins/debezium-postgres -DincludeScope=runtime \
    -DexcludeGroupIds=org.apache.kafka,org.slf4j,org.xerial.snappy,com.github.luben,at.yawk.lz4)
  touch "$DEBEZIUM_HOME/complete"
}

setup_oracle() {
  local wanted=$ROOT/scripts/oracle-requirements.txt
  cmp -s "$wanted" "$ORACLE_VENV/requirements.txt" && return 0
  command -v python3 >/dev/null 2>&1 || apt python3
  python3 -c 'import ensurepip' >/dev/null 2>&1 || apt python3-venv
  say "installing dbt into $ORACLE_VENV"
  rm -rf "$ORACLE_VENV"
  python3 -m venv "$ORACLE_VENV"
  "$ORACLE_VENV/bin/pip" install -q --disable-pip-version-check --no-deps -r "$wanted"
  "$ORACLE_VENV/bin/pip" check >/dev/null || die "the versions in $wanted do not fit together" "run: $ORACLE_VENV/bin/pip check"
  cp "$wanted" "$ORACLE_VENV/requirements.txt"
}

# Jars and Python packages come over the network side by side.
setup_all() {
  setup_build
  setup_servers
  setup_kafka &
  local jars=$!
  setup_oracle
  wait $jars
}
