# A real Kafka broker and a real PostgreSQL for tests, on 127.0.0.1 and on ports that were free. Sourced by x.
#
#   parts_up DIR      starts both with empty data; DIR/parts.env then exports LIVEMART_TEST_KAFKA and LIVEMART_TEST_POSTGRES,
#                     and LIVEMART_TEST_KAFKA_SASL_SSL and …_CA: the same broker behind TLS and SCRAM (user app, password app-pw);
#                     LIVEMART_TEST_KAFKA_BEHIND_PROXY: the same, telling its clients that it is at LIVEMART_TEST_KAFKA_PROXY, where nobody listens yet
#   parts_alive DIR   true while both run
#   parts_down DIR    ends both, by the process ids that DIR holds, and removes their data
#   up_postgres DIR PORT, postgres_url PORT        one more PostgreSQL; parts_down ends it, too
#
# Durability is switched off where the server allows it: the data is thrown away with the test. Who kills PostgreSQL sets
# LIVEMART_SYNCHRONOUS_COMMIT=on: what was committed must have left its process. LIVEMART_WAL_LEVEL=logical lets others follow the changes.

free_ports() { # N: prints N ports, all free at this moment
  python3 - "$1" <<'PY'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PY
}

# process_of DIR NAME: the id of a part's process, if the process is still that part and not a stranger under a reused id.
process_of() {
  local id
  [ -f "$1/$2.pid" ] || return 1
  id=$(cat "$1/$2.pid")
  tr '\0' ' ' <"/proc/$id/cmdline" 2>/dev/null | grep -qF -- "$(cat "$1/$2.folder")" && echo "$id"
}

parts_alive() { [ -f "$1/parts.env" ] && process_of "$1" kafka >/dev/null && process_of "$1" postgres >/dev/null; }

# wait_until SECONDS COMMAND...
wait_until() {
  local tries=$(($1 * 10))
  shift
  while ! "$@" >/dev/null 2>&1; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# launch LOG COMMAND...: starts a server that outlives this script and holds none of its files open; LAUNCHED is its process id.
launch() {
  local log=$1
  shift
  (
    cd / # a server must not hold the caller's folder
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    exec setsid "$@"
  ) >>"$log" 2>&1 </dev/null &
  LAUNCHED=$!
}

up_postgres() { # DIR PORT
  local dir=$1 port=$2 bin data as=()
  bin=$(postgres_bin)
  [ -n "$bin" ] || die "PostgreSQL is not installed" "run scripts/x setup"
  data=$(mktemp -d /tmp/livemart-postgres.XXXXXX)
  echo "$data" >"$dir/postgres.folder"
  if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root, and root's home is closed to others: hence /tmp
    id postgres >/dev/null 2>&1 || die "the operating system's user postgres is missing" "install the package postgresql, or run this as an unprivileged user"
    chown postgres "$data"
    as=(runuser -u postgres --)
  fi
  (cd / && "${as[@]}" "$bin/initdb" -D "$data" -U postgres --auth=trust -E UTF8 --locale=C.UTF-8 --no-sync) >"$dir/postgres.log" 2>&1 ||
    die "initdb failed: $(tail -3 "$dir/postgres.log")"
  local durability=(-c fsync=off -c "synchronous_commit=${LIVEMART_SYNCHRONOUS_COMMIT:-off}" -c full_page_writes=off)
  [ -z "${LIVEMART_PARTS_SYNC:-}" ] || durability=() # what is measured must cost what it costs
  launch "$dir/postgres.log" "${as[@]}" "$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    ${durability[@]+"${durability[@]}"} -c "wal_level=${LIVEMART_WAL_LEVEL:-replica}" -c max_connections=200 -c timezone=UTC
  wait_until 60 "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" || die "PostgreSQL did not start: $(tail -3 "$dir/postgres.log")"
  head -1 "$data/postmaster.pid" >"$dir/postgres.pid" # the server's own id; what was launched may be runuser
}

postgres_url() { echo "postgres://postgres@127.0.0.1:$1/postgres"; }

# certificates DIR: an authority ca.pem and a broker's certificate by it, with its key: broker.pem.
certificates() (
  cd "$1"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj /CN=livemart-test-ca
  openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=localhost
  openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out leaf.pem -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
  cat leaf.pem leaf.key >broker.pem
)

up_kafka() { # DIR PORT CONTROLLER_PORT SASL_SSL_PORT BEHIND_PROXY_PORT PROXY_PORT
  local dir=$1 port=$2 controller=$3 secure=$4 behind=$5 proxy=$6 data
  [ -f "$KAFKA_HOME/complete" ] || die "Kafka's jars are not in $KAFKA_HOME" "run scripts/x setup"
  data=$(mktemp -d /tmp/livemart-kafka.XXXXXX)
  echo "$data" >"$dir/kafka.folder"
  certificates "$data" >"$dir/certificates.log" 2>&1 || die "no certificates: $(tail -3 "$dir/certificates.log")" "install the package openssl"
  cat >"$data/broker.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:$secure,PROXIED://127.0.0.1:$behind,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:$secure,PROXIED://127.0.0.1:$proxy
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
ssl.keystore.type=PEM
ssl.keystore.location=$data/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$data/ca.pem
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
inter.broker.listener.name=PLAINTEXT
log.dirs=$data/log
# Topics exist because a test made them.
auto.create.topics.enable=false
# One node: every internal topic has one replica, and few partitions keep the start short.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
# A broker killed by a test waits this long for its own old session when it comes back.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
PROPERTIES
  local java=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto "-Dlog4j2.configurationFile=$KAFKA_HOME/log4j2.properties" -cp "$KAFKA_HOME/jars/*")
  local cluster
  cluster=$(python3 -c 'import base64, uuid; print(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A"))')
  "${java[@]}" -Xmx128m kafka.tools.StorageTool format -t "$cluster" -c "$data/broker.properties" \
    --add-scram 'SCRAM-SHA-512=[name=app,password=app-pw]' --add-scram 'SCRAM-SHA-256=[name=app,password=app-pw]' >"$dir/kafka.log" 2>&1 ||
    die "Kafka's folder could not be formatted: $(tail -3 "$dir/kafka.log")"
  launch "$dir/kafka.log" "${java[@]}" -Xms384m -Xmx384m kafka.Kafka "$data/broker.properties"
  echo "$LAUNCHED" >"$dir/kafka.pid"
  wait_until 90 listening "$port" && wait_until 90 listening "$secure" || die "Kafka did not start: $(tail -3 "$dir/kafka.log")"
}

parts_up() {
  local dir=$1 kafka controller secure behind proxy postgres starting
  parts_alive "$dir" && return 0
  mkdir -p "$dir"
  parts_down "$dir"
  read -r kafka controller secure behind proxy postgres < <(free_ports 6)
  (up_kafka "$dir" "$kafka" "$controller" "$secure" "$behind" "$proxy") &
  starting=$!
  (up_postgres "$dir" "$postgres") || { wait $starting || true; parts_down "$dir"; return 1; }
  wait $starting || { parts_down "$dir"; return 1; }
  cat >"$dir/parts.env" <<ENV
export LIVEMART_TEST_KAFKA=127.0.0.1:$kafka
export LIVEMART_TEST_KAFKA_BEHIND_PROXY=127.0.0.1:$behind
export LIVEMART_TEST_KAFKA_PROXY=127.0.0.1:$proxy
export LIVEMART_TEST_KAFKA_SASL_SSL=127.0.0.1:$secure
export LIVEMART_TEST_KAFKA_CA=$(cat "$dir/kafka.folder")/ca.pem
export LIVEMART_TEST_POSTGRES=$(postgres_url "$postgres")
ENV
}

parts_down() {
  local dir=$1 name id
  for name in kafka postgres; do
    if id=$(process_of "$dir" $name); then
      # SIGINT is PostgreSQL's fast shutdown; the broker's data is thrown away, so it need not say farewell.
      case $name in postgres) kill -INT "$id" ;; kafka) kill -KILL "$id" ;; esac
      wait_until 30 eval "! kill -0 $id" || kill -KILL "$id" 2>/dev/null || true
    fi
    # The folder was made by mktemp above; nothing else is ever removed.
    case $(cat "$dir/$name.folder" 2>/dev/null) in /tmp/livemart-$name.*) rm -rf "$(cat "$dir/$name.folder")" ;; esac
    rm -f "$dir/$name.pid" "$dir/$name.folder"
  done
  rm -f "$dir/parts.env"
}
