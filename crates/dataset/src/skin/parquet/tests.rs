use std::sync::Arc;

use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rand::RngExt;
use tempfile::TempDir;

use super::*;
use crate::seed;
use crate::skin::table::field;

/// The values of a column; `level` is that of a value that is there.
enum Column {
    Bytes(i16, Vec<Option<Vec<u8>>>),
    Long(i16, Vec<Option<i64>>),
    Double(i16, Vec<Option<f64>>),
}

fn texts(values: &[&str]) -> Column {
    let values = values.iter();
    let values = values.map(|text| (!text.is_empty()).then(|| text.as_bytes().to_vec()));
    Column::Bytes(1, values.collect())
}

/// A file of one group of rows.
fn write(schema: &str, info: Option<&str>, columns: Vec<Column>) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message schema {{ {schema} }}")).unwrap());
    let info = info.map(|text| vec![KeyValue::new("huggingface".to_owned(), text.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(info)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    fn batch<T: DataType>(
        writer: &mut parquet::file::writer::SerializedColumnWriter,
        level: i16,
        values: Vec<Option<T::T>>,
    ) {
        let there = |value: &Option<T::T>| level - i16::from(value.is_none());
        let levels: Vec<i16> = values.iter().map(there).collect();
        let values: Vec<T::T> = values.into_iter().flatten().collect();
        // Only a list has a level above two here; each begins a new one.
        let starts = (level > 2).then(|| vec![0; levels.len()]);
        let typed = writer.typed::<T>();
        typed
            .write_batch(&values, Some(&levels), starts.as_deref())
            .unwrap();
    }
    for column in columns {
        let mut writer = group.next_column().unwrap().unwrap();
        match column {
            Column::Bytes(level, values) => {
                let values = values.into_iter().map(|value| value.map(ByteArray::from));
                batch::<ByteArrayType>(&mut writer, level, values.collect());
            }
            Column::Long(level, values) => batch::<Int64Type>(&mut writer, level, values),
            Column::Double(level, values) => batch::<DoubleType>(&mut writer, level, values),
        }
        writer.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

fn picture(shade: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&[shade; 48], 4, 4, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// What comes out of these bytes, with the place it is in.
fn run(bytes: &[u8]) -> (TempDir, Result<Extracted, String>) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, bytes).unwrap();
    let root = place.path().join("root");
    let extracted = extract(&path, &root, "data/a.parquet", &AtomicBool::new(false));
    if extracted.is_err() {
        assert!(!root.join("data/a.parquet").exists());
    }
    let extracted = extracted.map_err(|error| error.to_string());
    (place, extracted)
}

fn refused(bytes: &[u8]) -> String {
    match run(bytes) {
        (_, Err(said)) => said,
        (_, Ok(_)) => panic!("it was read"),
    }
}

fn remarks(tally: &Tally) -> Vec<String> {
    let remarks = tally.clone().remarks("");
    remarks
        .map(|remark| format!("{} x{} ({})", remark.what, remark.count, remark.first))
        .collect()
}

const HUB: &str = "optional group image { optional binary bytes; optional binary path (UTF8); } \
    optional binary image_id (UTF8); optional int64 dx; optional double age; \
    optional group more (LIST) { repeated group list { optional int64 element; } }";

/// As the Hub writes a set: pictures in structures, names of numbers in what it says of the file.
fn hub() -> Vec<u8> {
    let info = r#"{"info": {"features": {"dx": {"names": ["melanoma", "nevus"], "_type": "ClassLabel"}, "age": {"dtype": "float64"}}}}"#;
    let pictures = [
        Some(picture(1)),
        None,
        Some(b"GIF89a".to_vec()),
        Some(picture(4)),
        None,
    ];
    write(
        HUB,
        Some(info),
        vec![
            Column::Bytes(2, pictures.to_vec()),
            Column::Bytes(
                2,
                [1, 2, 3, 4]
                    .map(|n| Some(format!("p{n}.png").into()))
                    .into_iter()
                    .chain([None])
                    .collect(),
            ),
            texts(&["ISIC_0000001", "b", "c", "ISIC_0000001", "e"]),
            Column::Long(1, vec![Some(1), Some(0), Some(0), Some(7), None]),
            Column::Double(1, vec![Some(45.0), Some(f64::NAN), None, Some(30.5), None]),
            Column::Long(3, vec![None; 5]),
        ],
    )
}

#[test]
fn pictures_become_files_and_the_rest_a_table() {
    let (place, extracted) = run(&hub());
    let Extracted {
        images,
        table,
        left_out,
    } = extracted.unwrap();
    assert_eq!(table.header, ["image", "image_id", "dx", "age"]);
    let rows: Vec<(u64, String)> = table
        .rows
        .iter()
        .map(|(row, fields)| (*row, fields.iter().collect::<Vec<_>>().join("|")))
        .collect();
    assert_eq!(
        rows,
        [
            (
                1,
                "data/a.parquet/ISIC_0000001.png|ISIC_0000001|nevus|45".to_owned()
            ),
            // Only the path of a picture elsewhere.
            (2, "p2.png|b|melanoma|".to_owned()),
            // A second picture of the name, and a number that has none.
            (
                4,
                "data/a.parquet/ISIC_0000001-row-4.png|ISIC_0000001|7|30.5".to_owned()
            ),
        ]
    );
    let root = place.path().join("root");
    assert_eq!(
        images[1],
        root.join("data/a.parquet/ISIC_0000001-row-4.png")
    );
    assert_eq!(fs::read(&images[1]).unwrap(), picture(4));
    assert_eq!(
        remarks(&left_out),
        [
            "a row has no picture x1 (data/a.parquet row 5)",
            "unreadable: GIF images are not read; save it as JPEG, PNG or BMP x1 (data/a.parquet row 3)",
        ]
    );
}

#[test]
fn plain_bytes_are_pictures_if_they_are_called_so() {
    let pictures = || Column::Bytes(1, vec![Some(picture(1)), Some(picture(2))]);
    let bytes = write(
        "optional binary Image; optional binary mask; optional binary Label (UTF8);",
        None,
        vec![pictures(), pictures(), texts(&["nv", "mel"])],
    );
    let (_place, extracted) = run(&bytes);
    let table = extracted.unwrap().table;
    assert_eq!(table.header, ["image", "label"]);
    let image = |row: usize| field(&table.rows[row].1, Some(0)).to_owned();
    assert_eq!(image(1), "data/a.parquet/row-2.png");
    // Two columns could be meant.
    let structure = |name: &str| format!("optional group {name} {{ optional binary bytes; }} ");
    let two = structure("left") + &structure("right");
    let pictures = || Column::Bytes(2, vec![Some(picture(1))]);
    let said = refused(&write(&two, None, vec![pictures(), pictures()]));
    assert!(said.contains("several columns of pictures"), "{said}");
    let said = refused(&write(
        "optional int64 width;",
        None,
        vec![Column::Long(1, vec![Some(1)])],
    ));
    assert!(said.contains("none of its columns"), "{said}");
}

#[test]
fn what_is_no_parquet_file_is_named() {
    assert!(refused(b"PAR1").contains("too short"));
    assert!(refused(&[7; 100]).contains("no Parquet file, or its end is missing"));
    let mut encrypted = hub();
    let length = encrypted.len();
    encrypted[length - 1] = b'E';
    assert!(refused(&encrypted).contains("encrypted"));
    let mut long = hub();
    long[length - 8..length - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refused(&long).contains("too long"));
    // The number of Zstandard in place of Snappy's, after the name of a column.
    let mut other = hub();
    let name = b"\x18\x08image_id\x15";
    let place = other
        .windows(name.len())
        .position(|bytes| bytes == name)
        .unwrap();
    other[place + name.len()] = 6 << 1;
    let said = refused(&other);
    assert!(said.contains("with Snappy or gzip"), "{said}");
}

#[test]
fn what_comes_out_is_bounded_by_what_went_in() {
    // One picture, repeated by a dictionary of the file.
    let mut large = picture(1);
    large.extend(vec![0; 1 << 20]);
    let bytes = write(
        "optional group image { optional binary bytes; }",
        None,
        vec![Column::Bytes(2, vec![Some(large); 40])],
    );
    assert!(bytes.len() < 4 << 20, "{}", bytes.len());
    let said = refused(&bytes);
    assert!(said.contains("more comes out"), "{said}");

    let long = "x".repeat(MAX_TEXT + 1);
    let bytes = write(
        "optional binary image (UTF8); optional binary dx (UTF8);",
        None,
        vec![texts(&["a.jpg", "b.jpg"]), texts(&["nv", &long])],
    );
    let (_place, extracted) = run(&bytes);
    let extracted = extracted.unwrap();
    assert_eq!(extracted.table.rows.len(), 1);
    let said = remarks(&extracted.left_out);
    assert_eq!(
        said,
        ["a cell has a text of more than 1024 bytes x1 (data/a.parquet row 2)"]
    );
}

#[test]
fn damage_is_an_error_or_other_rows_but_never_an_end() {
    let whole = hub();
    for length in 0..whole.len() {
        refused(&whole[..length]);
    }
    let random = &mut seed::stream("damage of a table", 1, &[]);
    let mut refusals = 0;
    for _ in 0..1500 {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(1..6) {
            let place = random.random_range(0..bytes.len());
            bytes[place] = random.random();
        }
        refusals += usize::from(run(&bytes).1.is_err());
    }
    assert!(refusals > 300, "{refusals}");
}

#[test]
fn it_stops_when_told_to() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, hub()).unwrap();
    let stopped = extract(&path, place.path(), "x.parquet", &AtomicBool::new(true));
    assert!(matches!(stopped, Err(ExtractError::Stopped)));
    assert!(!place.path().join("x.parquet").exists());
}
