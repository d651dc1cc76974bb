use tempfile::TempDir;

use super::*;

fn place(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (file, content) in files {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

fn read(source: &str, directory: &Path) -> Result<Raw, PrepareError> {
    let scratch = tempfile::tempdir().unwrap();
    let place = Place {
        source,
        directory,
        scratch: scratch.path(),
    };
    super::read(&place, &AtomicBool::new(false))
}

/// What was found: image, class, lesion, patient, encoded patient data.
fn found(raw: &Raw) -> Vec<String> {
    let line = |record: &Record| {
        format!(
            "{} {} {} {} {:?}",
            record.image_id,
            record.class.code(),
            record.lesion_id,
            record.patient_id.as_deref().unwrap_or("-"),
            record.demographics.encode()
        )
    };
    raw.records.iter().map(line).collect()
}

fn remarks(tally: &Tally) -> Vec<String> {
    let remarks = tally.clone().remarks("");
    remarks
        .map(|remark| format!("{} x{} ({})", remark.what, remark.count, remark.first))
        .collect()
}

#[test]
fn milk10k_joins_lesions_with_their_two_images() {
    let directory = place(&[
        ("MILK10k_Training_Input/IL_1/ISIC_0000001.jpg", "a"),
        ("MILK10k_Training_Input/IL_1/ISIC_0000002.jpg", "b"),
        ("MILK10k_Training_Input/IL_2/ISIC_0000003.jpg", "c"),
        (
            "MILK10k_Training_GroundTruth.csv",
            "lesion_id,AKIEC,BCC,BEN_OTH,BKL,DF,INF,MAL_OTH,MEL,NV,SCCKA,VASC\n\
             IL_1,0,0,0,0,0,1.0,0,0,0,0,0\nIL_2,0,1,0,0,0,0,0,1,0,0,0\n",
        ),
        (
            "MILK10k_Training_Metadata.csv",
            "lesion_id,image_type,isic_id,age_approx,sex,skin_tone_class,site\n\
             IL_1,dermoscopic,ISIC_0000001,45,female,3,head_neck_face\n\
             IL_1,clinical: close-up,ISIC_0000002,45,female,3,head_neck_face\n\
             IL_2,dermoscopic,ISIC_0000003,,male,3,trunk\n",
        ),
    ]);
    let raw = read("milk10k", directory.path()).unwrap();
    assert_eq!(
        found(&raw),
        [
            "ISIC_0000001 INF IL_1 - [45.0, 0.0, 5.0]",
            "ISIC_0000002 INF IL_1 - [45.0, 0.0, 5.0]",
        ]
    );
    let said = remarks(&raw.left_out);
    assert_eq!(
        said,
        ["several classes are marked x1 (MILK10k_Training_GroundTruth.csv line 3)"]
    );
}

#[test]
fn isic_2019_takes_its_metadata_and_isic_2020_its_diagnosis() {
    let directory = place(&[
        ("in/ISIC_0000001.jpg", "a"),
        ("in/ISIC_0000002_downsampled.jpg", "b"),
        (
            "truth.csv",
            "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\nISIC_0000001,0,0,0,1,0,0,0,0,0\nISIC_0000002_downsampled,0,0,0,0,0,0,0,0,1\n",
        ),
        (
            "meta.csv",
            "image,age_approx,anatom_site_general,lesion_id,sex\nISIC_0000001,30,head/neck,MSK4_1,male\n",
        ),
    ]);
    let raw = read("isic_2019", directory.path()).unwrap();
    assert_eq!(
        found(&raw),
        ["ISIC_0000001 AKIEC MSK4_1 - [30.0, 1.0, 5.0]"]
    );
    assert_eq!(
        remarks(&raw.left_out),
        ["the label says that no diagnosis is known x1 (in/ISIC_0000002_downsampled.jpg)"]
    );

    let directory = place(&[
        ("train/ISIC_0000001.jpg", "a"),
        ("train/ISIC_0000002.jpg", "b"),
        ("train/ISIC_0000003.jpg", "c"),
        (
            "train.csv",
            "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target,tfrecord,width,height\n\
            ISIC_0000001,IP_7,male,45.0,knee,melanoma,malignant,1,0,6000,4000\n\
            ISIC_0000002,IP_7,male,45.0,torso,unknown,benign,0,0,6000,4000\n\
            ISIC_0000003,IP_8,male,45.0,torso,melanom,benign,0,0,6000,4000\n",
        ),
        (
            "test.csv",
            "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,width,height\nISIC_9,IP_1,male,45,torso,1,1\n",
        ),
    ]);
    let raw = read("isic_2020", directory.path()).unwrap();
    assert_eq!(
        found(&raw),
        ["ISIC_0000001 MEL ISIC_0000001 IP_7 [45.0, 1.0, -1.0]"]
    );
    assert_eq!(
        remarks(&raw.left_out),
        [
            "a table names an image that is not there x1 (test.csv line 2: \"ISIC_9\")",
            "the label \"melanom\" is not known x1 (train.csv line 4)",
            "the label says that no diagnosis is known x1 (train/ISIC_0000002.jpg)",
        ]
    );
    assert_eq!(
        remarks(&raw.unknown),
        ["site \"knee\" is not known x1 (train.csv line 2)"]
    );
}

#[test]
fn folders_are_labels_where_no_table_has_any() {
    let directory = place(&[
        ("Train/pigmented benign keratosis/1.jpg", "a"),
        ("Test/melanoma/1.jpg", "b"),
        ("Test/Systemic Disease/1.jpg", "c"),
        ("Test/breaking/1.jpg", "d"),
    ]);
    let raw = read("nine", directory.path()).unwrap();
    assert_eq!(
        found(&raw),
        [
            "Test/melanoma/1.jpg MEL nine:Test/melanoma/1.jpg - [0.0, -1.0, -1.0]",
            "Train/pigmented benign keratosis/1.jpg BKL nine:Train/pigmented benign keratosis/1.jpg - [0.0, -1.0, -1.0]",
        ]
    );
    assert_eq!(
        remarks(&raw.left_out),
        [
            "the folder \"breaking\" is not a label x1 (Test/breaking/1.jpg)",
            "the label holds several classes x1 (Test/Systemic Disease/1.jpg)",
        ]
    );
}

#[test]
fn names_that_are_not_clear_and_labels_that_disagree_are_left_out() {
    let directory = place(&[
        ("a/1.jpg", "one"),
        ("b/1.jpg", "another"),
        ("2.jpg", "c"),
        ("3.jpg", "d"),
        (
            "labels.csv",
            "filename;class\n1;nv\na/1.jpg;mel\n2.jpg;nv\n../../etc/3.jpg;bcc\n",
        ),
        ("more.csv", "image,label\n2,mel\n"),
        ("broken.csv", "image,label\n2\n"),
    ]);
    let raw = read("x", directory.path()).unwrap();
    // A path in a table is only a name to look up: the 3.jpg here, never a file elsewhere.
    assert_eq!(
        found(&raw),
        [
            "3.jpg BCC x:3.jpg - [0.0, -1.0, -1.0]",
            "a/1.jpg MEL x:a/1.jpg - [0.0, -1.0, -1.0]",
        ]
    );
    let said = remarks(&raw.left_out).join("\n");
    assert!(said.contains("a name stands for several different files x1 (labels.csv line 2"));
    assert!(said.contains("no table has a label for the image x1 (b/1.jpg)"));
    assert!(said.contains("rows disagree about the label x1 (2.jpg)"));
    assert!(said.contains("a table is unreadable") && said.contains("(broken.csv)"));
}

#[test]
fn archive_names_are_exact() {
    assert_eq!(archive_name("ISIC_0024306"), Some("ISIC_0024306"));
    assert_eq!(
        archive_name("ISIC_0024306_downsampled"),
        Some("ISIC_0024306")
    );
    for other in [
        "ISIC_24306",
        "ISIC_0024306_segmentation",
        "xISIC_0024306",
        "ISIC_002430x",
    ] {
        assert_eq!(archive_name(other), None);
    }
}

#[test]
fn rows_of_one_image_that_disagree_are_told_and_nothing_is_taken_from_them() {
    let directory = place(&[
        ("a.jpg", "a"),
        ("b.jpg", "b"),
        ("c.jpg", "c"),
        (
            "meta.csv",
            "image,label,age,sex,site,lesion_id\n\
             a,nv,21,male,back,L1\na,nv,77,male,back,L1\na,nv,21,male,back,L1\n\
             b,mel,30,male,back,L2\nb,mel,30,,back,L3\n\
             c,nv,40,male,back,L4\nc,bcc,40,male,back,L4\n",
        ),
    ]);
    let raw = read("x", directory.path()).unwrap();
    assert_eq!(
        found(&raw),
        [
            "a.jpg NV x:L1 - [0.0, 1.0, 7.0]",
            "b.jpg MEL x:L2 - [30.0, 1.0, 7.0]",
        ]
    );
    assert_eq!(
        remarks(&raw.unknown),
        [
            "rows disagree about age: read as unknown x1 (meta.csv line 3: \"a\")",
            "rows disagree about lesion_id: the first is kept x1 (meta.csv line 6: \"b\")",
        ]
    );
    assert_eq!(
        remarks(&raw.left_out),
        ["rows disagree about the label x1 (c.jpg)"]
    );
    assert_eq!(
        remarks(&raw.noted),
        ["a row stands there twice x1 (meta.csv line 4)"]
    );
}

#[test]
fn a_name_in_two_folders_means_the_one_below_its_table() {
    let rows = |age: u8| format!("image,label,age\n0.jpg,nv,{age}\n1.jpg,mel,{age}\n");
    let (train, test) = (rows(20), rows(70));
    let images = [
        ("train/0.jpg", "one"),
        ("train/1.jpg", "two"),
        ("test/0.jpg", "six"),
        ("test/1.jpg", "two"),
    ];
    let tables = [("train/t.csv", train.as_str()), ("test/t.csv", &test)];
    let raw = read("x", place(&[&images[..], &tables].concat()).path()).unwrap();
    assert_eq!(
        found(&raw),
        [
            "test/0.jpg NV x:test/0.jpg - [70.0, -1.0, -1.0]",
            "test/1.jpg MEL x:test/1.jpg - [70.0, -1.0, -1.0]",
            "train/0.jpg NV x:train/0.jpg - [20.0, -1.0, -1.0]",
            "train/1.jpg MEL x:train/1.jpg - [20.0, -1.0, -1.0]",
        ]
    );
    // Above both it is not clear, though the files are of one size; the same bytes are one picture.
    let tables = [("all.csv", train.as_str())];
    let raw = read("x", place(&[&images[..], &tables].concat()).path()).unwrap();
    assert_eq!(
        found(&raw),
        [
            "test/1.jpg MEL x:test/1.jpg - [20.0, -1.0, -1.0]",
            "train/1.jpg MEL x:train/1.jpg - [20.0, -1.0, -1.0]",
        ]
    );
    assert_eq!(
        remarks(&raw.left_out),
        [
            "a name stands for several different files x1 (all.csv line 2: \"0.jpg\")",
            "no table has a label for the image x2 (test/0.jpg)",
        ]
    );
    // Beside one of them, that one is meant.
    let beside = [("0.jpg", "ten")];
    let raw = read("x", place(&[&images[..], &tables, &beside].concat()).path()).unwrap();
    assert_eq!(found(&raw)[0], "0.jpg NV x:0.jpg - [20.0, -1.0, -1.0]");
    assert_eq!(raw.records.len(), 3);
}

#[test]
fn images_of_other_formats_are_named() {
    let directory = place(&[
        ("a.jfif", "a"),
        ("b.JPE", "b"),
        ("c.TIFF", "c"),
        ("d.webp", "d"),
        ("e.tif", "e"),
        (
            "t.csv",
            "image,label\na,nv\nb.JPE,nv\nc.TIFF,nv\nd,nv\nf.tif,nv\n",
        ),
    ]);
    let raw = read("x", directory.path()).unwrap();
    assert_eq!(raw.records.len(), 2);
    assert_eq!(
        remarks(&raw.left_out),
        [
            "TIFF images are not read; convert them to PNG or JPEG x2 (c.TIFF)",
            "WebP images are not read; convert them to PNG or JPEG x1 (d.webp)",
            "a table names an image that is not there x1 (t.csv line 6: \"f.tif\")",
        ]
    );
    let directory = place(&[("nv/a.tif", "a"), ("nv/b.tif", "b"), ("mel/c.GIF", "c")]);
    let error = read("x", directory.path()).err().unwrap().to_string();
    assert!(
        error.contains("there are 1 GIF files and 2 TIFF files (mel/c.GIF, nv/a.tif, nv/b.tif)"),
        "{error}"
    );
}

#[test]
fn tables_that_say_nothing_are_named_with_what_was_meant() {
    let images = ("images/a.jpg", "a");
    let said = |table: &str| {
        let raw = read("x", place(&[images, ("labels.csv", table)]).path()).unwrap();
        assert_eq!(raw.records.len(), 0);
        remarks(&raw.noted).join("\n")
    };
    assert_eq!(
        said("image,lable,age\na,nv,3\n"),
        "a table has no column of labels, such as label: its header is \"image\", \"lable\", \"age\"; is label \
         meant by \"lable\"? x1 (labels.csv)"
    );
    assert!(said("imgae,label\na,nv\n").contains("of images, such as image: its header is \"imgae\", \"label\"; is image meant by \"imgae\"? x1"));
    assert!(said("one,two\na,nv\n").ends_with("header is \"one\", \"two\" x1 (labels.csv)"));
    // A table of patients is as it should be where another has the labels.
    let labels = ("labels.csv", "image|label\na|nv\n");
    let patients = ("patients.csv", "image,age\na,30\n");
    let raw = read("x", place(&[images, labels, patients]).path()).unwrap();
    assert_eq!(
        found(&raw),
        ["images/a.jpg NV x:images/a.jpg - [30.0, -1.0, -1.0]"]
    );
    assert_eq!(remarks(&raw.noted), [""; 0]);
}
