//! The words of `livemart demo`: which shop, how large, and where its changes go.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

#[derive(Clone, Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    #[command(subcommand)]
    pub verb: Option<DemoVerb>,
    /// Where the shop's project is (dataflows/ of a checkout)
    #[arg(long, value_name = "DIR", default_value = "dataflows")]
    pub shop: PathBuf,
    /// Where the demo keeps its events and its database
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub folder: PathBuf,
}

#[derive(Clone, Debug, Subcommand)]
pub enum DemoVerb {
    /// Write a shop of any size to files, as the project's dev target reads them
    Generate(GenerateArgs),
    /// Send a shop of any size to Kafka at a given rate
    Produce(ProduceArgs),
}

/// Which shop, and how large. The same scale gives the same bytes.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub struct ScaleArgs {
    /// Customers, up to a million
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub customers: u32,
    /// Days of the shop's life, from 2024-07-01
    #[arg(long, value_name = "DAYS", default_value_t = 540, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub days: u32,
    /// How much customers do day by day, in percent of the usual: the same customers and days with fewer events
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub activity: u16,
    /// Another seed, another shop
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WireFormatArg {
    #[default]
    Json,
    /// Confluent's wire format, with schemas in a registry
    Avro,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WireEnvelopeArg {
    /// op, before, after
    #[default]
    Debezium,
    /// The row alone: for envelope upsert, and append where a table has no key
    Plain,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub scale: ScaleArgs,
    /// Folder for the files; SHOP_DATA points the project to it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Lines are whole records with topic, partition, offset and key
    #[arg(long)]
    pub captured: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ProduceArgs {
    #[command(flatten)]
    pub scale: ScaleArgs,
    /// Kafka's bootstrap servers
    #[arg(long, value_name = "HOST:PORT,…")]
    pub brokers: String,
    /// Records per second; as fast as the broker takes them without it
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<u64>,
    /// How records are encoded
    #[arg(long, value_enum, default_value_t)]
    pub format: WireFormatArg,
    /// How changes are told
    #[arg(long, value_enum, default_value_t)]
    pub envelope: WireEnvelopeArg,
    /// Where the schemas of Avro are registered: http://…
    #[arg(long, value_name = "URL", required_if_eq("format", "avro"))]
    pub schema_registry: Option<String>,
    /// Stands before the name of every topic
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub topic_prefix: String,
    /// Partitions of topics that are created
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub partitions: u16,
    /// Folder for what the shop's systems drop as files; SHOP_DROPS points the project to it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
