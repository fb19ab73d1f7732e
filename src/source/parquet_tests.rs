use std::fs;

use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::source::open_readers;
use crate::source::settings::{Connector, Format};
use crate::source::testing::{Sample, show};

const SCHEMA: &str = "message m {
    required int64 id;
    optional binary name (UTF8);
    required int64 at (TIMESTAMP(MICROS,true));
    required int32 day (DATE);
    required int32 price (DECIMAL(9,2));
}";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("livemart-parquet-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    /// A file with these ids, in row groups of two.
    fn write(&self, name: &str, ids: &[i64]) -> PathBuf {
        let path = self.0.join(name);
        let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
        let file = File::create(&path).expect("created");
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(file, schema, properties).expect("a writer");
        for ids in ids.chunks(2) {
            let mut group = writer.next_row_group().expect("a row group");
            let mut column = 0;
            while let Some(mut next) = group.next_column().expect("a column") {
                let numbers: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
                match column {
                    0 => next.typed::<Int64Type>().write_batch(ids, None, None).expect("written"),
                    1 => {
                        // Odd ids have a name.
                        let levels: Vec<i16> = ids.iter().map(|id| (id % 2) as i16).collect();
                        let names = ids.iter().filter(|id| *id % 2 == 1);
                        let names: Vec<ByteArray> = names.map(|id| format!("n{id}").as_str().into()).collect();
                        next.typed::<ByteArrayType>().write_batch(&names, Some(&levels), None).expect("written")
                    }
                    2 => {
                        let at: Vec<i64> = ids.iter().map(|id| 1_700_000_000_000_000 + id).collect();
                        next.typed::<Int64Type>().write_batch(&at, None, None).expect("written")
                    }
                    _ => next.typed::<Int32Type>().write_batch(&numbers, None, None).expect("written"),
                };
                next.close().expect("closed");
                column += 1;
            }
            group.close().expect("closed");
        }
        writer.close().expect("closed");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sample(path: &Path) -> Sample {
    let connector = Connector::File { path: path.to_path_buf(), topic: None };
    Sample::new("t(upsert) *id:bigint name:text at:timestamptz day:date price:numeric(9,2)")
        .at(connector, Format::Parquet)
}

/// The records that come, as lines, and where each file has been read to.
fn read(path: &Path, from: &Positions) -> Result<(Vec<String>, Positions), SourceError> {
    let sample = sample(path);
    let mut opened = open_readers(sample.tables.clone(), from, Until::End)?;
    let (mut lines, mut positions) = (Vec::new(), from.clone());
    while let Poll::Batch(batch) = opened[0].reader.poll(Duration::ZERO)? {
        lines.extend(batch.records.iter().map(|record| show(&sample, record)));
        positions.insert((batch.source.to_string(), batch.partition.to_string()), (batch.position, batch.mark));
    }
    Ok((lines, positions))
}

#[test]
fn rows_are_read_with_the_types_of_their_columns() {
    let folder = Folder::new("rows");
    let path = folder.write("a.parquet", &[1, 2, 3]);
    let (lines, _) = read(&path, &Positions::new()).expect("read");
    assert_eq!(
        lines,
        [
            "0 upsert t 1 = 1 n1 2023-11-14 22:13:20.000001+00 1970-01-02 0.01",
            "1 upsert t 2 = 2 null 2023-11-14 22:13:20.000002+00 1970-01-03 0.02",
            "2 upsert t 3 = 3 n3 2023-11-14 22:13:20.000003+00 1970-01-04 0.03",
        ]
    );
    let types = column_types(&path).expect("types");
    let types: Vec<String> =
        types.iter().map(|(name, ty)| format!("{name} {}", ty.as_ref().expect("a type"))).collect();
    assert_eq!(types, ["id bigint", "name text", "at timestamp with time zone", "day date", "price numeric(9,2)"]);
}

#[test]
fn reading_goes_on_where_it_ended_and_each_new_file_is_read_once() {
    let folder = Folder::new("folder");
    let pattern = folder.0.join("*.parquet");
    folder.write("a.parquet", &[1, 2, 3]);
    let (lines, positions) = read(&pattern, &Positions::new()).expect("read");
    assert_eq!(lines.len(), 3);
    assert_eq!(read(&pattern, &positions).expect("nothing new").0.len(), 0);
    folder.write("b.parquet", &[4]);
    let (lines, _) = read(&pattern, &positions).expect("read");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("0 upsert t 4"), "{lines:?}");
    let mut halfway = positions.clone();
    halfway.values_mut().for_each(|(position, _)| *position = 2);
    assert!(read(&pattern, &halfway).expect("read").0[0].starts_with("2 upsert t 3"), "in the middle of a file");
}

#[test]
fn a_followed_folder_waits_for_the_footer_of_a_new_file() {
    let folder = Folder::new("followed");
    let pattern = folder.0.join("*.parquet");
    let mut opened = open_readers(sample(&pattern).tables, &Positions::new(), Until::Stopped).expect("opened");
    let whole = fs::read(folder.write("elsewhere", &[7])).expect("bytes");
    fs::write(folder.0.join("new.parquet"), &whole[..whole.len() - 5]).expect("written");
    let mut came = |wait: u64| {
        let deadline = Instant::now() + Duration::from_millis(wait);
        while Instant::now() < deadline {
            if let Poll::Batch(batch) = opened[0].reader.poll(Duration::from_millis(100)).expect("read") {
                return batch.records.len();
            }
        }
        0
    };
    assert_eq!(came(1500), 0, "its writer is not done");
    fs::write(folder.0.join("new.parquet"), &whole).expect("written");
    assert_eq!(came(10_000), 1);
    folder.write("new.parquet", &[7, 8]);
    let deadline = Instant::now() + Duration::from_secs(10);
    let error = loop {
        assert!(Instant::now() < deadline, "the change was not noticed");
        if let Err(error) = opened[0].reader.poll(Duration::from_millis(100)) {
            break error;
        }
    };
    assert!(error.message.contains("new.parquet was changed"), "{error}");
}

#[test]
fn a_changed_or_lost_file_is_an_error_with_a_way_out() {
    let folder = Folder::new("changed");
    let path = folder.write("a.parquet", &[1, 2]);
    let (_, positions) = read(&path, &Positions::new()).expect("read");
    folder.write("a.parquet", &[1]);
    let error = read(&path, &positions).expect_err("another file");
    assert!(error.message.contains("a.parquet") && error.hint.is_some(), "{error}");
    fs::remove_file(&path).expect("removed");
    assert!(read(&path, &positions).expect_err("gone").message.contains("a.parquet"));
}

#[test]
fn any_damage_is_an_error_and_never_a_panic_of_the_process() {
    let folder = Folder::new("damaged");
    let whole = fs::read(folder.write("a.parquet", &[1, 2, 3, 4, 5])).expect("bytes");
    let path = folder.0.join("b.parquet");
    let mut refused = 0;
    for at in (4..whole.len() - 8).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).expect("written");
        refused += usize::from(read(&path, &Positions::new()).is_err());
    }
    assert!(refused > 5, "{refused} damaged files were refused");
}
