use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::skin::synthetic::{Synthetic, generate};
use crate::skin::{LesionClass, manifest};

/// A directory with empty files of these names.
fn place(files: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("data");
    fs::create_dir(&root).unwrap();
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"not decoded here").unwrap();
    }
    directory
}

fn root(directory: &TempDir) -> PathBuf {
    directory.path().join("data")
}

fn refusal(directory: &TempDir, table: &str, text: &str) -> String {
    fs::write(root(directory).join(table), text).unwrap();
    open(&root(directory), None).unwrap_err().to_string()
}

#[test]
fn the_original_table_is_read_with_its_paths() {
    let directory = place(&["images/a.jpg", "images/b.jpg"]);
    let text = "image,label,label_idx,age,sex,localization\n\
                data/images/a.jpg,MEL,7,45.0,male,back\n\
                images/b.jpg,NV,8,,unknown,unknown\n";
    fs::write(root(&directory).join("labels_final.csv"), text).unwrap();
    let records = open(&root(&directory), None).unwrap();
    assert_eq!(records[0].class, LesionClass::Mel);
    assert_eq!(records[0].demographics.encode(), [45.0, 1.0, 7.0]);
    assert!(records[0].path.ends_with("data/images/a.jpg"));
    assert_eq!(records[1].demographics.encode(), [0.0, -1.0, -1.0]);
    assert_eq!(records[1].lesion_id, "images/b.jpg");
}

#[test]
fn tables_of_the_competition_are_read() {
    let directory = place(&["a.jpg", "b.png"]);
    let text =
        "\u{feff}NewFileName;Class;Age;Gender;Location\na.jpg;11;50;f;Torso\nb;SCCKA;;m;hand\n";
    fs::write(root(&directory).join("test.csv"), text).unwrap();
    let records = open(&root(&directory), None).unwrap();
    assert_eq!(records[0].class, LesionClass::Vasc);
    assert_eq!(records[0].demographics.encode(), [50.0, 0.0, 7.0]);
    assert_eq!(records[1].class, LesionClass::Sccka);
    assert!(records[1].path.ends_with("b.png"));

    // A table that is named is read in place of the one that is found.
    let named = directory.path().join("mine.csv");
    fs::write(&named, "image\tlabel\na.jpg\tnevus\n").unwrap();
    let records = open(&root(&directory), Some(&named)).unwrap();
    assert_eq!(records[0].class, LesionClass::Nv);
    let error = open(&root(&directory), Some(Path::new("/nowhere.csv"))).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no table of labels /nowhere.csv")
    );
}

#[test]
fn rows_that_are_wrong_are_named_with_line_and_value() {
    let directory = place(&["a.jpg", "b.jpg"]);
    let said = |row: &str| {
        let text = format!(
            "image,label,label_idx,age,sex,site,lesion_id,digest\na.jpg,NV,8,,,,L1,\n{row}\n"
        );
        let said = refusal(&directory, "labels.csv", &text);
        assert!(said.contains("line 3"), "{said}");
        said
    };
    assert!(said("b.jpg,mole,,,,,,").contains("label \"mole\" is not known"));
    assert!(said("b.jpg,,,,,,,").contains("label \"\""));
    assert!(said("b.jpg,0,,,,,,").contains("label \"0\""));
    assert!(said("b.jpg,unknown,,,,,,").contains("no diagnosis is known"));
    assert!(said("b.jpg,MEL,0,,,,,").contains("label_idx says \"0\""));
    assert!(said("b.jpg,MEL,7,old,,,,").contains("age \"old\""));
    assert!(said("b.jpg,MEL,7,150,,,,").contains("age \"150\""));
    assert!(said("b.jpg,MEL,7,,x,,,").contains("sex \"x\""));
    assert!(said("b.jpg,MEL,7,,,elbow,,").contains("site \"elbow\""));
    assert!(said("b.jpg,MEL,7,,,,L1,").contains("lesion \"L1\" is MEL here and NV on line 2"));
    assert!(said("b.jpg,MEL,7,,,,,beef").contains("digest"));
    assert!(said("a.jpg,NV,8,,,,,").contains("stands on line 2 too"));
    assert!(said("c.jpg,NV,8,,,,,").contains("no image \"c.jpg\""));
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let directory = place(&["a.jpg"]);
    fs::write(directory.path().join("secret.jpg"), b"x").unwrap();
    for image in [
        "../secret.jpg",
        "/etc/passwd",
        "a/../../secret.jpg",
        "",
        ".",
    ] {
        let said = refusal(
            &directory,
            "labels.csv",
            &format!("image,label\n{image},NV\n"),
        );
        assert!(said.contains("line 2: image"), "{image}: {said}");
    }
}

#[test]
fn folders_are_classes_only_by_their_names() {
    let directory = place(&["Melanoma/1.jpg", "nv/deep/er/1.PNG", "notes/readme.txt"]);
    let records = open(&root(&directory), None).unwrap();
    let classes: Vec<_> = records.iter().map(|record| record.class.code()).collect();
    assert_eq!(classes, ["MEL", "NV"]);
    assert_eq!(records[0].image_id, "Melanoma/1.jpg");

    let directory = place(&["nv/1.jpg", "envy/1.jpg"]);
    let said = open(&root(&directory), None).unwrap_err().to_string();
    assert!(said.contains("folder \"envy\""), "{said}");
    let directory = place(&["readme.txt"]);
    let said = open(&root(&directory), None).unwrap_err().to_string();
    assert!(said.contains("no images found"), "{said}");
    let said = open(Path::new("/nowhere/at/all"), None)
        .unwrap_err()
        .to_string();
    assert!(said.contains("not a directory"), "{said}");
    assert!(refusal(&directory, "labels.csv", "image,label\n").contains("no rows"));
    assert!(refusal(&directory, "labels.csv", "image,age\na,3\n").contains("`label`"));
}

#[test]
fn a_manifest_gives_back_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let parameters = Synthetic {
        images: 30,
        ..Synthetic::default()
    };
    generate(directory.path(), &parameters, &|_, _| {}).unwrap();
    let mut records = open(directory.path(), None).unwrap();
    for (number, record) in records.iter_mut().enumerate() {
        let name = record
            .path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        record.image_id = format!("images/{name}");
        record.source = "generated, \"here\"".to_owned();
        record.digest = Some("ab".repeat(32));
        record.patient_id = (number % 2 == 0).then(|| format!("p{number}"));
        record.group = (number % 3 == 0).then(|| "g".to_owned());
    }
    manifest::write(directory.path(), &records).unwrap();
    // The manifest comes before the HAM10000 layout.
    assert_eq!(open(directory.path(), None).unwrap(), records);

    let elsewhere = tempfile::tempdir().unwrap();
    assert!(manifest::write(elsewhere.path(), &records).is_err());
    assert!(!elsewhere.path().join(manifest::MANIFEST).exists());
}

#[test]
fn a_table_with_the_name_of_another_layout_is_read_by_its_columns() {
    let directory = place(&["images/a.jpg", "images/b.jpg"]);
    let text = "image,label\na.jpg,NV\nb.jpg,MEL\n";
    fs::write(root(&directory).join("metadata.csv"), text).unwrap();
    let records = open(&root(&directory), None).unwrap();
    assert_eq!(records[1].class, LesionClass::Mel);
    // What is of that layout is still checked as strictly.
    let text = "lesion_id,image_id,dx,age,sex\nL,a,nv,3,male\n";
    assert!(refusal(&directory, "metadata.csv", text).contains("`localization`"));
}

#[test]
fn nothing_beside_the_directory_is_opened() {
    let directory = place(&["a.jpg"]);
    fs::write(directory.path().join("b.jpg"), b"x").unwrap();
    fs::create_dir(directory.path().join("other")).unwrap();
    fs::write(directory.path().join("other/c.jpg"), b"x").unwrap();
    for image in ["b.jpg", "other/c.jpg"] {
        let said = refusal(
            &directory,
            "labels.csv",
            &format!("image,label\n{image},NV\n"),
        );
        assert!(said.contains(&format!("no image \"{image}\"")), "{said}");
    }
}

#[test]
fn images_of_other_formats_are_told() {
    let directory = place(&["mel/a.jfif", "nv/b.tif", "other/c.gif"]);
    let records = open(&root(&directory), None).unwrap();
    let names: Vec<_> = records
        .iter()
        .map(|record| record.image_id.as_str())
        .collect();
    assert_eq!(names, ["mel/a.jfif", "nv/b.tif"]);
    let directory = place(&["nv/b.tif", "c.TIFF"]);
    let said = open(&root(&directory), None).unwrap_err().to_string();
    assert!(said.contains("no images found in"), "{said}");
    assert!(
        said.contains("there are 2 TIFF files (c.TIFF, nv/b.tif); convert"),
        "{said}"
    );
    let said = refusal(&directory, "labels.csv", "image,label\nnv/b,NV\n");
    assert!(
        said.contains("nv/b.tif is there, but TIFF images are not read"),
        "{said}"
    );
}
