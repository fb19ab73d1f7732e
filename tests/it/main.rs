//! All integration tests, in one binary.
//!
//! Tests that need another process say so in their name: `kafka_`, `postgres_`, `pipeline_`. They fail when it is missing.

mod bad_input;
mod bench_in_miniature;
mod census;
mod flow_files;
mod fuzz;
mod kafka_avro;
mod kafka_partitions;
mod kafka_secure;
mod kafka_source;
mod moving_time;
mod nodes;
mod own_server;
mod pipeline;
mod postgres_deploy;
mod postgres_outage;
mod postgres_sink;
mod postgres_tls;
mod random_aggregates;
mod random_joins;
mod registry;
mod retain;
mod shop_flows;
mod shop_on_kafka;
mod simulation;
