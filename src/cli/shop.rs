//! `livemart demo generate` and `livemart demo produce`: a shop of any size, into files or into Kafka.

use std::time::Instant;

use super::args::{DemoVerb, ScaleArgs, WireEnvelopeArg, WireFormatArg};
use super::instance::VerbError;
use super::refuse;
use super::talk::Speaker;
use crate::observe::Progress;
use crate::shop::{Deliver, Files, Form, ProduceOptions, Producer, Scale, Summary, WireEnvelope, WireFormat, generate};
use crate::source::RegistrySettings;

/// Exit code 0 when all is written.
pub fn run(verb: &DemoVerb, quiet: bool, speaker: &Speaker) -> i32 {
    match make(verb, quiet) {
        Ok(summary) => {
            report(&summary);
            0
        }
        Err(error) => refuse(speaker, &error),
    }
}

fn make(verb: &DemoVerb, quiet: bool) -> Result<Summary, VerbError> {
    match verb {
        DemoVerb::Generate(args) => {
            let failed = |cause| VerbError::new(format!("could not write to {}: {cause}", args.out.display()));
            let form = if args.captured { Form::Captured } else { Form::Bare };
            let mut files = Files::create(&args.out, form).map_err(failed)?;
            let summary = with_progress(&args.scale, "generating", &mut files, quiet).map_err(failed)?;
            files.finish().map_err(failed)?;
            Ok(summary)
        }
        DemoVerb::Produce(args) => {
            let failed = |cause| VerbError::new(format!("could not produce to {}: {cause}", args.brokers));
            let format = match (args.format, &args.schema_registry) {
                (WireFormatArg::Avro, url) => {
                    let url = url.clone().unwrap_or_default();
                    WireFormat::Avro { registry: RegistrySettings { url, ..RegistrySettings::default() } }
                }
                (WireFormatArg::Json, None) => WireFormat::Json,
                (WireFormatArg::Json, Some(_)) => {
                    return Err(VerbError::new("JSON has no schemas that a registry could hold")
                        .with_hint("add --format avro, or leave --schema-registry out"));
                }
            };
            let envelope = match args.envelope {
                WireEnvelopeArg::Debezium => WireEnvelope::Debezium,
                WireEnvelopeArg::Plain => WireEnvelope::Plain,
            };
            let options = ProduceOptions {
                brokers: args.brokers.clone(),
                rate: args.rate,
                format,
                envelope,
                topic_prefix: args.topic_prefix.clone(),
                partitions: args.partitions.into(),
            };
            let drops = Files::create(&args.out, Form::Bare).map_err(failed)?;
            let mut producer = Producer::connect(&options, drops, Instant::now()).map_err(failed)?;
            let summary = with_progress(&args.scale, "producing", &mut producer, quiet).map_err(failed)?;
            producer.finish().map_err(failed)?;
            Ok(summary)
        }
    }
}

fn with_progress(scale: &ScaleArgs, what: &str, to: &mut dyn Deliver, quiet: bool) -> std::io::Result<Summary> {
    let scale = Scale {
        seed: scale.seed,
        customers: scale.customers.into(),
        days: scale.days.into(),
        activity_percent: scale.activity,
    };
    let mut progress = Progress::start(what, quiet, Instant::now());
    let summary = generate(scale, to, &mut |done, about| progress.advance_to(done, Some(about), Instant::now()))?;
    progress.finish(summary.records, Instant::now());
    Ok(summary)
}

fn report(summary: &Summary) {
    println!("{} records", summary.records);
    for (table, rows) in &summary.by_table {
        println!("{rows:>10}  {table}");
    }
    println!("planted on purpose:");
    for (situation, times) in &summary.situations {
        println!("{times:>10}  {situation}");
    }
}
