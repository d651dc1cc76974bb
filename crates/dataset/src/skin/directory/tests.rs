//! Directories made for one test each; only the last test reads real data.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const HEADER: &str = "lesion_id,image_id,dx,dx_type,age,sex,localization";

/// A data directory with these images (empty files: loading does not decode) and this table.
fn directory(images: &[&str], table: impl AsRef<[u8]>) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("images")).unwrap();
    for image in images {
        fs::write(directory.path().join(format!("images/{image}.jpg")), b"").unwrap();
    }
    fs::write(directory.path().join("metadata.csv"), table).unwrap();
    directory
}

/// The message for one bad row between two good ones.
fn refusal(row: &str) -> String {
    let table =
        format!("{HEADER}\nL1,A,nv,histo,45.0,male,back\n{row}\nL2,B,df,histo,,female,acral\n");
    let directory = directory(&["A", "B", "C"], table);
    let error = load(directory.path()).unwrap_err();
    let LoadError::Rows { problems, .. } = &error else {
        panic!("not a row problem: {error}");
    };
    assert_eq!(problems.len(), 1, "{error}");
    assert_eq!(problems[0].line, 3);
    let message = error.to_string();
    assert!(
        message.contains("metadata.csv: 1 unusable row") && message.contains("line 3"),
        "{message}"
    );
    message
}

#[test]
fn reads_rows_in_order_with_the_tables_of_the_issue() {
    let sites = [
        ("upper extremity", Site::Arm),
        ("lower extremity", Site::Leg),
        ("back", Site::Torso),
        ("trunk", Site::Torso),
        ("chest", Site::Torso),
        ("abdomen", Site::Torso),
        ("face", Site::Head),
        ("scalp", Site::Head),
        ("ear", Site::Head),
        ("neck", Site::Head),
        ("hand", Site::Hand),
        ("foot", Site::Feet),
        ("genital", Site::Genitalia),
        ("acral", Site::Unknown),
        ("unknown", Site::Unknown),
    ];
    assert_eq!(sites.len(), LOCALIZATIONS.len());
    let classes = [
        ("akiec", "AKIEC"),
        ("bcc", "BCC"),
        ("bkl", "BKL"),
        ("df", "DF"),
        ("mel", "MEL"),
        ("nv", "NV"),
        ("vasc", "VASC"),
    ];
    let mut table = HEADER.to_owned();
    let mut names = Vec::new();
    for (row, (site, _)) in sites.iter().enumerate() {
        let (dx, _) = classes[row % classes.len()];
        table += &format!("\nL{row},I{row},{dx},histo,{}.0,male,{site}", row * 5);
        names.push(format!("I{row}"));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let directory = directory(&names, table);
    let records = load(directory.path()).unwrap();
    assert_eq!(records.len(), sites.len());
    for (row, record) in records.iter().enumerate() {
        assert_eq!(record.image_id, format!("I{row}"));
        assert_eq!(record.class.code(), classes[row % classes.len()].1);
        assert_eq!(record.demographics.site, sites[row].1);
        assert_eq!(record.demographics.age, Some(row as f32 * 5.0));
        assert_eq!(
            record.path,
            directory.path().join(format!("images/I{row}.jpg"))
        );
    }
}

#[test]
fn accepts_byte_order_mark_carriage_returns_quotes_spaces_and_further_columns() {
    let table = "\u{feff}\"image_id\",note,lesion_id,dx,age,sex,localization\r\n\
                 \"A\",\"a \"\"quoted\"\"\r\nnote\",L1, nv ,,unknown,\"lower extremity\"\r\n\
                 B,,L1,nv,0.0,female,foot\r\n";
    let directory = directory(&["A", "B"], table);
    let records = load(directory.path()).unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(
        records[0].demographics,
        Demographics {
            age: None,
            sex: Sex::Unknown,
            site: Site::Leg
        }
    );
    assert_eq!(records[1].demographics.age, Some(0.0));
}

#[test]
fn an_unknown_value_is_an_error_that_names_row_and_value() {
    let message = refusal("L3,C,naevus,histo,45.0,male,back");
    assert!(message.contains("dx \"naevus\" is not one of: akiec, bcc, bkl, df, mel, nv, vasc"));
    assert!(refusal("L3,C,,histo,45.0,male,back").contains("dx \"\""));
    assert!(refusal("L3,C,NV,histo,45.0,male,back").contains("dx \"NV\""));
    let message = refusal("L3,C,nv,histo,45.0,male,elbow");
    assert!(message.contains("localization \"elbow\""));
    assert!(refusal("L3,C,nv,histo,45.0,m,back").contains("sex \"m\""));
    for age in ["old", "-1", "121", "NaN", "inf", "4 5"] {
        let message = refusal(&format!("L3,C,nv,histo,{age},male,back"));
        assert!(message.contains(&format!("age {age:?}")), "{message}");
    }
    // A hostile value is escaped and cut.
    let message = refusal(&format!(
        "L3,C,\"\u{1b}[2J{}\",x,1,male,back",
        "z".repeat(5000)
    ));
    assert!(message.contains("\\u{1b}[2J") && message.len() < 400);
}

#[test]
fn names_cannot_leave_the_images_folder() {
    let long = "x".repeat(65);
    for name in [
        "../C",
        "/etc/passwd",
        "a/b",
        "C.jpg",
        "..",
        "",
        "C\0",
        "ä",
        long.as_str(),
    ] {
        let message = refusal(&format!("L3,{name},nv,histo,45.0,male,back"));
        assert!(message.contains("image_id"), "{message}");
    }
    assert!(refusal("\"a b\",C,nv,histo,45.0,male,back").contains("lesion_id \"a b\""));
}

#[test]
fn images_must_exist_once_and_lesions_have_one_diagnosis() {
    assert!(refusal("L3,D,nv,histo,45.0,male,back").contains("images/D.jpg"));
    let message = refusal("L3,A,nv,histo,45.0,male,back");
    assert!(message.contains("image_id \"A\" stands on line 2 too"));
    let message = refusal("L1,C,mel,histo,45.0,male,back");
    assert!(message.contains("lesion \"L1\" is MEL here and NV on line 2"));

    let directory = directory(&["A"], format!("{HEADER}\nL1,A,nv,histo,45.0,male,back\n"));
    let image = directory.path().join("images/A.jpg");
    let file = fs::File::create(&image).unwrap();
    file.set_len(MAX_ENCODED_BYTES + 1).unwrap();
    let message = load(directory.path()).unwrap_err().to_string();
    assert!(
        message.contains("A.jpg has 33554433 bytes, more than"),
        "{message}"
    );
    fs::remove_file(&image).unwrap();
    fs::create_dir(&image).unwrap();
    let message = load(directory.path()).unwrap_err().to_string();
    assert!(message.contains("not a regular file"), "{message}");
}

#[test]
fn a_message_spells_out_the_first_few_problems() {
    let mut table = HEADER.to_owned();
    for row in 0..30 {
        table += &format!("\nL{row},A{row},what{row},histo,1,male,back");
    }
    let directory = directory(&[], table);
    let message = load(directory.path()).unwrap_err().to_string();
    assert!(message.contains("30 unusable row(s)") && message.contains("and 25 more"));
    assert!(message.contains("\"what4\"") && !message.contains("\"what5\""));
}

#[test]
fn refuses_what_is_not_a_data_directory() {
    let empty = tempfile::tempdir().unwrap();
    let absent = empty.path().join("absent");
    for path in [absent.as_path(), empty.path()] {
        let error = load(path).unwrap_err();
        assert!(matches!(error, LoadError::Missing(_)), "{error}");
        assert!(error.to_string().contains("HAM10000 layout"));
    }
    fs::create_dir(empty.path().join("images")).unwrap();
    let error = load(empty.path()).unwrap_err();
    assert!(error.to_string().contains("metadata.csv is not there"));

    let missing = directory(&[], "lesion_id,image_id,age,sex,localization\n");
    let message = load(missing.path()).unwrap_err().to_string();
    assert!(
        message.contains("the column `dx`")
            && message.contains("found: \"lesion_id\", \"image_id\""),
        "{message}"
    );
    let twice = directory(&[], format!("{HEADER},dx\n"));
    assert!(matches!(
        load(twice.path()),
        Err(LoadError::Column { column: "dx", .. })
    ));
    let no_rows = directory(&[], HEADER);
    assert!(matches!(load(no_rows.path()), Err(LoadError::Empty(_))));
    let no_bytes = directory(&[], "");
    assert!(matches!(
        load(no_bytes.path()),
        Err(LoadError::Column { .. })
    ));
    let short_row = directory(&["A"], format!("{HEADER}\nL1,A,nv\n"));
    let message = load(short_row.path()).unwrap_err().to_string();
    assert!(message.contains("line: 2"), "{message}");
    let not_text = directory(
        &["A"],
        [HEADER.as_bytes(), b"\nL1,A,n\xff,x,1,male,back"].concat(),
    );
    assert!(matches!(
        load(not_text.path()),
        Err(LoadError::Malformed { .. })
    ));

    let large = directory(&[], HEADER);
    let file = fs::File::options()
        .write(true)
        .open(large.path().join("metadata.csv"))
        .unwrap();
    file.set_len(MAX_METADATA_BYTES + 1).unwrap();
    assert!(matches!(
        load(large.path()),
        Err(LoadError::TooLarge { .. })
    ));
}

#[test]
fn real_data_has_the_published_counts() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/skin");
    if !directory.is_dir() {
        eprintln!("SKIPPED: no real data beside the project");
        return;
    }
    let records = load(&directory).unwrap();
    assert_eq!(records.len(), 8006);
    let lesions: BTreeSet<&str> = records.iter().map(|r| r.lesion_id.as_str()).collect();
    assert_eq!(lesions.len(), 5952);
    let mut counts = BTreeMap::new();
    for record in &records {
        *counts.entry(record.class.code()).or_insert(0) += 1;
    }
    let expected = [
        ("AKIEC", 260),
        ("BCC", 409),
        ("BKL", 879),
        ("DF", 92),
        ("MEL", 889),
        ("NV", 5364),
        ("VASC", 113),
    ];
    assert_eq!(counts, BTreeMap::from(expected));
    for record in records.iter().step_by(500) {
        let image = crate::image::open(&record.path).unwrap();
        assert_eq!((image.height(), image.width()), (150, 200));
    }
    let without_age = records
        .iter()
        .filter(|record| record.demographics.age.is_none());
    assert_eq!(without_age.count(), 49);
}
