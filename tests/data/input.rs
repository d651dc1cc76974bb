//! What `agon data` and `agon train` make of tables, archives and Parquet files as strangers write them.

use super::server::{Answer, Server};
use super::{HUB, Place, errors, run};
use serde_json::json;
use std::sync::Arc;

/// Generated images in the HAM10000 layout, and the lines of their table.
fn drawn(place: &Place, images: &str) -> Vec<String> {
    let made = [
        "data",
        "synthesize",
        "tricorder",
        "--num-samples",
        images,
        "--seed",
        "7",
    ];
    place.json(&[&made[..], &["--output-dir", "drawn", "--json"]].concat());
    let table = std::fs::read_to_string(place.path("drawn/metadata.csv")).unwrap();
    table.lines().map(str::to_owned).collect()
}

#[test]
fn tables_of_strangers_are_read_or_named_with_line_and_value() {
    let place = Place::new();
    let lines = drawn(&place, "40");
    let write = |text: &[u8]| std::fs::write(place.path("drawn/metadata.csv"), text).unwrap();
    let verify = [
        "data",
        "verify",
        "tricorder",
        "--data-dir",
        "drawn",
        "--json",
    ];
    // A byte order mark, another delimiter, lines as another system ends them.
    for delimiter in [";", "\t"] {
        write(format!("\u{feff}{}", lines.join("\r\n").replace(',', delimiter)).as_bytes());
        assert_eq!(place.json(&verify)["good"], 40);
    }
    let row: Vec<&str> = lines[5].split(',').collect();
    let (image, age) = (row[1], row[4]);
    let old = lines[5].replacen(&format!(",{age},"), ",old,", 1);
    let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain(*b"a\0").collect();
    let without = lines.join("\n").replacen(",dx,", ",d,", 1);
    let twice = [&lines[..], &[lines[5].clone()]].concat().join("\n");
    let aged = [&lines[..5], std::slice::from_ref(&old), &lines[6..]]
        .concat()
        .join("\n");
    let train = ["train", "tricorder", "--data-dir", "drawn"];
    for (text, wanted) in [
        (
            without.as_bytes(),
            vec!["the column `dx`", "found:", "\"d\""],
        ),
        (
            twice.as_bytes(),
            vec!["line 42", image, "stands on line 6 too"],
        ),
        (
            aged.as_bytes(),
            vec!["line 6", "age \"old\" is not a number"],
        ),
        (&utf_16, vec!["UTF-16"]),
        (lines[0].as_bytes(), vec!["metadata.csv has no rows"]),
        (b"", vec!["the column `lesion_id`"]),
    ] {
        write(text);
        for said in [place.mistake(&train), place.mistake(&verify)] {
            assert!(
                wanted.iter().all(|what| said.contains(what)),
                "{wanted:?}: {said}"
            );
        }
        assert!(!place.path("checkpoints").exists());
    }
    // Where data are prepared, what is wrong in one field does not cost the image, and a row may stand twice.
    write([&aged, "\n", &old].concat().as_bytes());
    let prepare = [
        "data",
        "prepare",
        "tricorder",
        "--source-dir",
        "drawn",
        "--near",
        "0",
    ];
    let prepare = [&prepare[..], &["--output-dir", "prepared", "--json"]].concat();
    let report = place.json(&prepare)["report"].take();
    assert_eq!(
        (&report["images"], &report["left_out"]),
        (&json!(40), &json!([]))
    );
    let unknown = &report["unknown"][0];
    assert_eq!(unknown["what"], "age \"old\" is not known");
    assert_eq!(
        (&unknown["count"], &unknown["first"]),
        (&json!(2), &json!("metadata.csv line 6"))
    );
}

#[test]
fn a_full_disk_leaves_nothing_of_what_was_being_prepared() {
    let place = Place::new();
    drawn(&place, "40");
    let prepare = [
        "data",
        "prepare",
        "tricorder",
        "--source-dir",
        "drawn",
        "--output-dir",
        "out",
    ];
    let output = place.limited_command(4, &prepare).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot write") && said.contains("File too large"),
        "{said}"
    );
    let mut left: Vec<_> = std::fs::read_dir(place.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["drawn"]);
    assert!(place.run(&prepare).status.success());
}

#[test]
fn where_there_are_no_images_it_is_said_and_nothing_is_made() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    let prepare = ["data", "prepare", "tricorder", "--source-dir"];
    let output = ["--output-dir", "made/prepared"];
    for (directory, what) in [
        ("empty", "no images found in empty"),
        ("absent", "not a directory"),
    ] {
        for said in [
            place.mistake(&["train", "tricorder", "--data-dir", directory]),
            place.mistake(&["data", "verify", "tricorder", "--data-dir", directory]),
            place.mistake(&[&prepare[..], &[directory], &output].concat()),
        ] {
            assert!(said.contains(what), "{said}");
        }
    }
    // An archive that is not opened is named, with what to do.
    std::fs::write(place.path("empty/PH2Dataset.rar"), b"Rar!\x1a\x07").unwrap();
    let said = place.mistake(&[&prepare[..], &["empty"], &output].concat());
    assert!(
        said.contains("empty/PH2Dataset.rar") && said.contains("unpack it yourself"),
        "{said}"
    );
    assert!(!place.path("made/prepared").exists() && !place.path("checkpoints").exists());
}

#[test]
fn a_rar_archive_is_kept_and_told() {
    let place = Place::new();
    let server = Server::new(|request, _| Answer::file(request, b"Rar!\x1a\x07 and more"));
    let mirror = [("AGON_DIRECT_ENDPOINT", server.url.as_str())];
    let output = run(
        &place,
        &mirror,
        &["data", "download", "tricorder", "--dataset", "ph2"],
    );
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("PH2Dataset.rar") && said.contains("unpack it yourself in datasets/ph2"),
        "{said}"
    );
    let said = place.mistake(&[
        "data",
        "prepare",
        "tricorder",
        "--data-dir",
        "datasets",
        "--output-dir",
        "out",
    ]);
    assert!(said.contains("datasets/ph2/PH2Dataset.rar"), "{said}");
}

/// A Parquet file of pictures with names and labels, as the Hub keeps them.
fn parquet(rows: &[(Vec<u8>, String, i64)]) -> Vec<u8> {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    let schema = "message schema { optional group image { optional binary bytes; optional binary path (UTF8); } \
        optional int64 label; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let info = json!({ "info": { "features": { "label": { "names": ["nevus", "melanoma", "wart"], "_type": "ClassLabel" } } } });
    let info = KeyValue::new("huggingface".to_owned(), info.to_string());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![info]));
    let mut bytes = Vec::new();
    let writer = parquet::file::writer::SerializedFileWriter::new(
        &mut bytes,
        schema,
        Arc::new(properties.build()),
    );
    let mut writer = writer.unwrap();
    let mut group = writer.next_row_group().unwrap();
    let pictures: Vec<ByteArray> = rows.iter().map(|row| row.0.clone().into()).collect();
    let paths: Vec<ByteArray> = rows.iter().map(|row| row.1.as_str().into()).collect();
    for values in [pictures, paths] {
        let mut column = group.next_column().unwrap().unwrap();
        let levels = vec![2; rows.len()];
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
    }
    let mut column = group.next_column().unwrap().unwrap();
    let labels: Vec<i64> = rows.iter().map(|row| row.2).collect();
    let levels = vec![1; rows.len()];
    let typed = column.typed::<Int64Type>();
    typed.write_batch(&labels, Some(&levels), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_of_the_hub_is_prepared() {
    let place = Place::new();
    drawn(&place, "40");
    let image =
        |n: usize| std::fs::read(place.path(&format!("drawn/images/SYN_{n:07}.jpg"))).unwrap();
    // A picture that is none, a label that is in no table, and a number that has no name.
    let name = |n: usize| format!("ISIC_{n:07}.jpg");
    let mut rows: Vec<_> = (0..40)
        .map(|n| (image(n), name(n + 100), (n % 2) as i64))
        .collect();
    rows[7].0 = b"GIF89a".to_vec();
    rows[8].2 = 2;
    rows[9].2 = -1;
    let (first, second) = (parquet(&rows[..30]), parquet(&rows[30..]));
    let server = Server::new(move |request, _| match request.path.rsplit('/').next() {
        Some("Skin-Cancer-ISIC?blobs=true") => {
            let files = [
                "data/train-0.parquet",
                "data/train-1.parquet",
                "data/train-2.parquet",
            ];
            let files = files.map(|name| json!({ "rfilename": name }));
            Answer::new(
                200,
                json!({ "sha": "abc123", "siblings": files }).to_string(),
            )
        }
        Some("train-0.parquet") => Answer::file(request, &first),
        Some("train-1.parquet") => Answer::file(request, &second),
        // One whose end is missing.
        _ => Answer::file(request, &second[..second.len() - 9]),
    });
    let variables = [("HF_ENDPOINT", server.url.as_str())];
    let output = run(&place, &variables, &HUB);
    assert!(output.status.success(), "{}", errors(&output));
    let prepare = [
        "data",
        "prepare",
        "tricorder",
        "--data-dir",
        "datasets",
        "--near",
        "0",
    ];
    let report =
        place.json(&[&prepare[..], &["--output-dir", "prepared", "--json"]].concat())["report"]
            .take();
    assert_eq!(report["images"], 37);
    assert_eq!(report["classes"][7]["images"], 18);
    let said = report["left_out"].to_string();
    for what in [
        "train-2.parquet",
        "a Parquet file is unreadable: it is no Parquet file, or its end is missing",
        "data/train-0.parquet row 8",
        "GIF images are not read",
        "data/train-0.parquet row 9",
        "the label \\\"wart\\\" is not known",
        "the label \\\"-1\\\" is not known",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    // The pictures are what they were, under their names; nothing else is left beside them.
    let made = place.path("prepared/images/isic_hf");
    assert_eq!(
        std::fs::read(made.join("ISIC_0000100.jpg")).unwrap(),
        image(0)
    );
    assert_eq!(std::fs::read_dir(&made).unwrap().count(), 37);
    let left = std::fs::read_dir(place.path("")).unwrap();
    let hidden = left.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    });
    assert_eq!(hidden.count(), 0);
    let verify = ["data", "verify", "tricorder", "--data-dir", "prepared"];
    assert!(place.run(&verify).status.success());
}

/// A class's folder, a table with a row that stands twice and one that disagrees, and images that are not read.
#[test]
fn everything_that_is_left_out_is_named_and_said_in_short() {
    let place = Place::new();
    let lines = drawn(&place, "40");
    for number in 0..5 {
        let path = place.path(&format!("drawn/images/photo{number}.tiff"));
        std::fs::write(path, b"II*").unwrap();
    }
    let fields: Vec<&str> = lines[5].split(',').collect();
    let old = lines[5].replacen(&format!(",{},", fields[4]), ",99.0,", 1);
    let text = [lines.join("\n"), lines[7].clone(), old].join("\n");
    std::fs::write(place.path("drawn/metadata.csv"), text).unwrap();
    let prepare = [
        "data",
        "prepare",
        "tricorder",
        "--source-dir",
        "drawn",
        "--near",
        "0",
    ];
    let output = place.run(&[&prepare[..], &["--output-dir", "out"]].concat());
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    for what in [
        "left out: drawn: TIFF images are not read; convert them to PNG or JPEG (5 times: images/photo0.tiff, \
         images/photo1.tiff, images/photo2.tiff, …)",
        "not taken as it is: drawn: rows disagree about age: read as unknown (metadata.csv line 43",
        "noted: drawn: a row stands there twice (metadata.csv line 42)",
        "stands in out/prepared.json",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let report = std::fs::read(place.path("out/prepared.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let left_out = &report["left_out"][0];
    assert_eq!(left_out["places"].as_array().unwrap().len(), 5);
    assert_eq!(left_out["places"][4], "images/photo4.tiff");
    // Whoever may read the images may read the table.
    let modes = [
        "manifest.csv",
        "prepared.json",
        "images/drawn/SYN_0000001.jpg",
    ]
    .map(|name| {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(place.path("out").join(name)).unwrap();
        file.permissions().mode()
    });
    assert_eq!(modes, [modes[2]; 3]);
}

#[test]
fn a_table_that_is_not_understood_is_the_first_to_be_named() {
    let place = Place::new();
    drawn(&place, "8");
    std::fs::remove_file(place.path("drawn/metadata.csv")).unwrap();
    let table = "image,lable\nSYN_0000001,nv\n";
    std::fs::write(place.path("drawn/labels.csv"), table).unwrap();
    let prepare = ["data", "prepare", "tricorder", "--source-dir", "drawn"];
    let said = place.mistake(&[&prepare[..], &["--output-dir", "out"]].concat());
    let (table, folder) = (
        said.find("is label meant by \"lable\"? (labels.csv)"),
        said.find("the folder"),
    );
    assert!(table.is_some() && table < folder, "{said}");
}

#[test]
fn folders_with_other_formats_are_told_by_who_reads_them() {
    let place = Place::new();
    drawn(&place, "40");
    let classes = ["melanoma", "nevus"];
    for (number, class) in classes.into_iter().cycle().take(40).enumerate() {
        std::fs::create_dir_all(place.path("folders").join(class)).unwrap();
        let to = format!(
            "folders/{class}/{number}.{}",
            if number == 3 { "jfif" } else { "jpg" }
        );
        std::fs::rename(
            place.path(&format!("drawn/images/SYN_{number:07}.jpg")),
            place.path(&to),
        )
        .unwrap();
    }
    let verify = ["data", "verify", "tricorder", "--data-dir", "folders"];
    assert!(place.run(&verify).status.success());
    std::fs::write(
        place.path("folders/nevus/other.webp"),
        b"RIFF\x04\0\0\0WEBP",
    )
    .unwrap();
    let said = place.mistake(&verify);
    assert!(
        said.contains("nevus/other.webp: WebP images are not read"),
        "{said}"
    );
}
