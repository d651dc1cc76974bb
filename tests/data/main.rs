//! `agon data` from outside, against local servers that speak as Kaggle, the Hub and plain storage do.

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod input;
mod server;

use common::{Place, errors};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use server::{Answer, Server};
use sha2::{Digest, Sha256};
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Output;
use std::thread;
use zip::write::SimpleFileOptions;

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn run(place: &Place, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = place.command(arguments);
    command.envs(variables.iter().copied());
    command.output().unwrap()
}

fn kaggle(url: &str) -> [(&'static str, &str); 3] {
    [
        ("KAGGLE_API_ENDPOINT", url),
        ("KAGGLE_USERNAME", "me"),
        ("KAGGLE_KEY", "secret"),
    ]
}

const HAM: [&str; 5] = ["data", "download", "tricorder", "--dataset", "ham10000"];

/// Nothing stands under the set's name, and what was said.
fn refused(place: &Place, output: &Output, status: i32) -> String {
    let said = errors(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(!place.path("datasets/ham10000").exists());
    said
}

#[test]
fn the_catalogue_and_the_plan_follow_the_flags() {
    let place = Place::new();
    let keys = |arguments: &[&str], field: &str, key: &str| -> Vec<String> {
        let document = place.json(arguments);
        let sets = document[field].as_array().unwrap().clone();
        sets.iter()
            .map(|set| set[key].as_str().unwrap().to_owned())
            .collect()
    };
    let all = keys(&["data", "list", "tricorder", "--json"], "datasets", "key");
    assert_eq!((all.len(), all[0].as_str()), (11, "milk10k"));
    let shown = [
        "data",
        "download",
        "tricorder",
        "--list",
        "--source",
        "huggingface",
        "--json",
    ];
    assert_eq!(
        keys(&shown, "datasets", "key"),
        ["marmal88_skin", "isic_hf"]
    );

    let plan = |flags: &[&str]| {
        let mut arguments = vec!["data", "download", "tricorder", "--dry-run", "--json"];
        arguments.extend(flags);
        keys(&arguments, "plan", "dataset")
    };
    assert_eq!(plan(&["--dataset", "ph2,isic_2019"]), ["isic_2019", "ph2"]);
    assert_eq!(plan(&["--source", "direct"]), ["milk10k", "ph2"]);
    assert_eq!(plan(&["--all"]), all);
    assert_eq!(plan(&["--source", "all"]), all);
    assert!(!place.path("datasets").exists());
    // A file of settings chooses where no flag does.
    let yaml = "training:\n  epochs: 3\ndownload:\n  output_dir: raw\n  kaggle:\n    isic_2019: true\n    dermnet: false\n";
    std::fs::write(place.path("train_config.yaml"), yaml).unwrap();
    let config = ["--config", "train_config.yaml"];
    assert_eq!(plan(&config), ["isic_2019"]);
    assert_eq!(
        plan(&[&config[..], &["--dataset", "ph2"]].concat()),
        ["ph2"]
    );
    let arguments = ["data", "download", "tricorder", "--dry-run", "--json"];
    let planned = place.json(&[&arguments[..], &config].concat());
    assert_eq!(planned["plan"][0]["directory"], "raw/isic_2019");

    let said = place.mistake(&["data", "download", "tricorder"]);
    assert!(said.contains("--dataset KEY"), "{said}");
    let said = place.mistake(&["data", "download", "tricorder", "--dataset", "ham"]);
    assert!(said.contains("did you mean ham10000?"), "{said}");
    place.mistake(&["data", "download", "tricorder", "--dataset", "ph2", "--all"]);
}

#[test]
fn without_a_token_kaggle_is_explained_and_not_asked() {
    let place = Place::new();
    let server = Server::new(|_, _| Answer::new(500, ""));
    let output = run(&place, &[("KAGGLE_API_ENDPOINT", &server.url)], &HAM);
    let said = refused(&place, &output, 2);
    assert!(
        said.contains("kaggle.json") && said.contains("KAGGLE_KEY"),
        "{said}"
    );
    assert!(server.seen().is_empty());
    let output = run(&place, &kaggle("http://example.org"), &HAM);
    assert!(refused(&place, &output, 2).contains("in the clear"));
}

#[test]
fn kaggle_redirects_without_the_token_and_the_archive_is_unpacked() {
    let place = Place::new();
    let archive = zip(&[
        ("HAM10000_metadata.csv", b"image_id,dx\n"),
        ("part/x.jpg", &noise(300_000)),
    ]);
    let body = archive.clone();
    let storage = Server::new(move |request, _| Answer::file(request, &body));
    let target = format!("{}/bucket/file?signature=secret", storage.url);
    let api = Server::new(
        move |request, before| match (request.header("authorization"), before) {
            (Some("Basic bWU6c2VjcmV0"), 0) => Answer::new(429, "").with("retry-after", "0"),
            (Some("Basic bWU6c2VjcmV0"), 1) => Answer::new(503, ""),
            (Some("Basic bWU6c2VjcmV0"), _) => {
                Answer::new(302, "").with("location", target.clone())
            }
            _ => Answer::new(401, ""),
        },
    );
    let output = run(&place, &kaggle(&api.url), &HAM);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(api.seen().len(), 3);
    assert_eq!(
        api.seen()[0].path,
        "/datasets/download/kmader/skin-cancer-mnist-ham10000"
    );
    assert_eq!(storage.seen().len(), 1);
    assert_eq!(storage.seen()[0].header("authorization"), None);

    let set = place.path("datasets/ham10000");
    let unpacked = set.join("skin-cancer-mnist-ham10000");
    assert_eq!(
        std::fs::read(unpacked.join("part/x.jpg")).unwrap(),
        noise(300_000)
    );
    let receipt = std::fs::read_to_string(set.join("download.json")).unwrap();
    assert!(receipt.contains(&sha256(&archive)) && !receipt.contains("signature"));
    // Nothing hidden is left, and a second run transfers nothing.
    assert_eq!(
        std::fs::read_dir(place.path("datasets")).unwrap().count(),
        1
    );
    let output = run(&place, &kaggle(&api.url), &HAM);
    assert!(output.status.success() && errors(&output).contains("already"));
    assert_eq!(api.seen().len(), 3);

    // What changed since is found.
    assert!(place.run(&["data", "verify", "tricorder"]).status.success());
    std::fs::write(unpacked.join("part/x.jpg"), b"other").unwrap();
    let said = place.mistake(&["data", "verify", "tricorder"]);
    assert!(
        said.contains("changed: skin-cancer-mnist-ham10000/part/x.jpg"),
        "{said}"
    );
}

#[test]
fn a_refused_token_says_what_to_do() {
    let place = Place::new();
    let api = Server::new(|_, _| Answer::new(401, ""));
    let output = run(&place, &kaggle(&api.url), &HAM);
    let said = refused(&place, &output, 2);
    assert!(
        said.contains("status 401") && said.contains("kaggle.com/settings"),
        "{said}"
    );
    assert_eq!(api.seen().len(), 1, "a refusal is not asked again");
    assert!(!said.contains("secret"));
}

#[test]
fn a_broken_transfer_goes_on_where_it_was() {
    let place = Place::new();
    let archive = zip(&[("x.jpg", &noise(500_000))]);
    let body = archive.clone();
    let api = Server::new(move |request, before| match before {
        0 => Answer::file(request, &body).breaking_after(200_000),
        _ => Answer::file(request, &body),
    });
    let output = run(&place, &kaggle(&api.url), &HAM);
    assert!(output.status.success(), "{}", errors(&output));
    let seen = api.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].range(), Some(200_000));
    assert_eq!(seen[1].header("if-range"), Some("\"the-tag\""));
}

#[test]
fn a_transfer_that_fails_is_continued_by_the_next_run() {
    let place = Place::new();
    let archive = zip(&[("x.jpg", &noise(500_000))]);
    let body = archive.clone();
    let api = Server::new(move |request, before| match before {
        0 => Answer::file(request, &body).breaking_after(200_000),
        1 => Answer::new(500, ""),
        _ => Answer::file(request, &body),
    });
    let mut arguments = HAM.to_vec();
    arguments.extend(["--attempts", "2"]);
    let output = run(&place, &kaggle(&api.url), &arguments);
    let said = refused(&place, &output, 1);
    assert!(said.contains("2 attempts"), "{said}");
    let output = run(&place, &kaggle(&api.url), &arguments);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(api.seen()[2].range(), Some(200_000));
}

#[test]
fn a_file_that_changed_in_between_is_fetched_anew() {
    let place = Place::new();
    let [old, new] =
        [1, 2].map(|n: u8| zip(&[("x.jpg", &[&[n], noise(400_000).as_slice()].concat())]));
    let api = Server::new(move |request, before| match before {
        0 => Answer::file(request, &old).breaking_after(100_000),
        // The tag is another now, so the whole file comes.
        _ => Answer::new(200, new.clone()).with("etag", "\"another\""),
    });
    let output = run(&place, &kaggle(&api.url), &HAM);
    assert!(output.status.success(), "{}", errors(&output));
    let file = place.path("datasets/ham10000/skin-cancer-mnist-ham10000/x.jpg");
    assert_eq!(std::fs::read(file).unwrap()[0], 2);
}

#[test]
fn a_wrong_digest_is_named_and_nothing_is_kept() {
    let place = Place::new();
    // The MD5 of something else, as Kaggle's storage announces it.
    let api = Server::new(|request, _| {
        Answer::file(request, &zip(&[("x", b"1")]))
            .with("x-goog-hash", "crc32c=AAAA,md5=1B2M2Y8AsgTpgAmY7PhCfg==")
    });
    let output = run(&place, &kaggle(&api.url), &HAM);
    let said = refused(&place, &output, 1);
    assert!(
        said.contains("the MD5 is") && said.contains("d41d8cd98f00b204e9800998ecf8427e"),
        "{said}"
    );
    let left = std::fs::read_dir(place.path("datasets/.unfinished-ham10000")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [".lock"]);
}

#[test]
fn hostile_archives_leave_nothing() {
    let bomb = zip(&[("zeros", &vec![0; 64 << 20])]);
    let escape = zip(&[("../../outside", b"1")]);
    for (archive, what) in [(bomb, "more comes out"), (escape, "leads elsewhere")] {
        let place = Place::new();
        let api = Server::new(move |request, _| Answer::file(request, &archive));
        let output = run(&place, &kaggle(&api.url), &HAM);
        let said = refused(&place, &output, 1);
        assert!(said.contains(what), "{said}");
        assert!(!place.path("outside").exists() && !place.path("datasets/outside").exists());
        assert!(
            !place
                .path("datasets/.unfinished-ham10000/skin-cancer-mnist-ham10000")
                .exists()
        );
    }
}

/// A hub with one repository; `wrong` has it announce another digest.
fn hub(wrong: bool, names: [&'static str; 2]) -> Server {
    let image = noise(50_000);
    let digest = match wrong {
        true => "00".repeat(32),
        false => sha256(&image),
    };
    Server::new(move |request, _| {
        if request.header("authorization") != Some("Bearer hf_me") {
            return Answer::new(401, "");
        }
        let files = json!({ "sha": "abc123", "siblings": [
            { "rfilename": ".gitattributes", "size": 3 },
            { "rfilename": names[0], "size": 12 },
            { "rfilename": names[1], "size": 50_000, "lfs": { "sha256": digest, "size": 50_000 } },
        ]});
        match request.path.as_str() {
            "/api/datasets/NeuronZero/Skin-Cancer-ISIC?blobs=true" => {
                Answer::new(200, files.to_string())
            }
            "/datasets/NeuronZero/Skin-Cancer-ISIC/resolve/abc123/data/labels.csv" => {
                Answer::file(request, b"image,label\n")
            }
            "/datasets/NeuronZero/Skin-Cancer-ISIC/resolve/abc123/data/a%20b.jpg" => {
                Answer::file(request, &image)
            }
            _ => Answer::new(404, ""),
        }
    })
}

const HUB: [&str; 5] = ["data", "download", "tricorder", "--dataset", "isic_hf"];

#[test]
fn the_hub_is_asked_for_one_revision_and_its_digests_are_checked() {
    let place = Place::new();
    let server = hub(false, ["data/labels.csv", "data/a b.jpg"]);
    let output = run(&place, &[("HF_ENDPOINT", &server.url)], &HUB);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("HF_TOKEN"), "{said}");
    let variables = [("HF_ENDPOINT", server.url.as_str()), ("HF_TOKEN", "hf_me")];
    let output = run(&place, &variables, &HUB);
    assert!(output.status.success(), "{}", errors(&output));
    let set = place.path("datasets/isic_hf");
    assert_eq!(
        std::fs::read(set.join("data/a b.jpg")).unwrap(),
        noise(50_000)
    );
    let receipt: Value =
        serde_json::from_slice(&std::fs::read(set.join("download.json")).unwrap()).unwrap();
    assert_eq!(receipt["revision"], "abc123");
    assert_eq!(receipt["files"].as_array().unwrap().len(), 2);

    let place = Place::new();
    let server = hub(true, ["data/labels.csv", "data/a b.jpg"]);
    let variables = [("HF_ENDPOINT", server.url.as_str()), ("HF_TOKEN", "hf_me")];
    let output = run(&place, &variables, &HUB);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the SHA-256 is") && !place.path("datasets/isic_hf").exists());
}

#[test]
fn a_hub_that_lists_paths_elsewhere_is_refused() {
    let place = Place::new();
    let server = hub(false, ["../../labels.csv", "data/a b.jpg"]);
    let variables = [("HF_ENDPOINT", server.url.as_str()), ("HF_TOKEN", "hf_me")];
    let output = run(&place, &variables, &HUB);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("leads elsewhere"), "{said}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn direct_files_are_fetched_at_once_and_prepared() {
    let place = Place::new();
    let drawn = place.path("drawn");
    let made = place.json(&[
        "data",
        "synthesize",
        "tricorder",
        "--num-samples",
        "40",
        "--seed",
        "7",
        "--output-dir",
        "drawn",
        "--json",
    ]);
    assert_eq!(made["images"], 40);
    let images: Vec<Vec<u8>> = (0..40)
        .map(|n| std::fs::read(drawn.join(format!("images/SYN_{n:07}.jpg"))).unwrap())
        .collect();
    let names: Vec<String> = (0..40)
        .map(|n| format!("in/IL_{}/ISIC_{n:07}.jpg", n / 2))
        .collect();
    let entries: Vec<(&str, &[u8])> = names
        .iter()
        .zip(&images)
        .map(|(name, image)| (name.as_str(), image.as_slice()))
        .collect();
    let archive = zip(&entries);
    let mut truth = "lesion_id,AKIEC,BCC,BEN_OTH,BKL,DF,INF,MAL_OTH,MEL,NV,SCCKA,VASC\n".to_owned();
    let mut metadata =
        "lesion_id,image_type,isic_id,age_approx,sex,skin_tone_class,site\n".to_owned();
    for lesion in 0..20 {
        let marks = (0..11).map(|class| if class == lesion % 3 { ",1.0" } else { ",0.0" });
        truth += &format!("IL_{lesion}{}\n", marks.collect::<String>());
        for image in [2 * lesion, 2 * lesion + 1] {
            metadata += &format!("IL_{lesion},dermoscopic,ISIC_{image:07},45,male,3,trunk\n");
        }
    }
    let server = Server::new(move |request, _| match request.path.rsplit('/').next() {
        Some("MILK10k_Training_Input.zip") => Answer::file(request, &archive),
        Some("MILK10k_Training_GroundTruth.csv") => Answer::file(request, truth.as_bytes()),
        Some("MILK10k_Training_Metadata.csv") => Answer::file(request, metadata.as_bytes()),
        _ => Answer::new(404, ""),
    });
    let mirror = [("AGON_DIRECT_ENDPOINT", server.url.as_str())];
    let arguments = ["data", "download", "tricorder", "--dataset", "milk10k"];
    let output = run(&place, &mirror, &arguments);
    assert!(output.status.success(), "{}", errors(&output));

    let prepare = [
        "data",
        "prepare",
        "tricorder",
        "--data-dir",
        "datasets",
        "--output-dir",
        "prepared",
        "--near",
        "0",
        "--json",
    ];
    let document = place.json(&prepare);
    let report = &document["report"];
    assert_eq!(
        (&report["images"], &report["lesions"]),
        (&json!(40), &json!(20))
    );
    assert_eq!(report["classes"][1]["images"], 14);
    assert_eq!(report["classes"][1]["sources"]["milk10k"], 14);
    let parts: Vec<u64> = report["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap())
        .collect();
    assert_eq!(parts.iter().sum::<u64>(), 40);
    // It is whole, and it is not overwritten.
    assert!(
        place
            .run(&["data", "verify", "tricorder", "--data-dir", "prepared"])
            .status
            .success()
    );
    assert!(place.mistake(&prepare).contains("not empty"));
    damage(&place.path("prepared"));
    let said = place.mistake(&["data", "verify", "tricorder", "--data-dir", "prepared"]);
    assert!(
        said.contains("ISIC_0000003.jpg: the image is cut off"),
        "{said}"
    );
}

/// Cuts one image in half.
fn damage(prepared: &Path) {
    let path = prepared.join("images/milk10k/ISIC_0000003.jpg");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let place = Place::new();
    let staging = place.path("datasets/.unfinished-ham10000");
    std::fs::create_dir_all(&staging).unwrap();
    let lock = std::fs::File::create(staging.join(".lock")).unwrap();
    lock.lock().unwrap();
    let output = run(&place, &kaggle("http://127.0.0.1:9"), &HAM);
    assert!(refused(&place, &output, 2).contains("another agon"));
}

/// A transfer that is killed, not only broken off by the server, is continued by the next run.
#[test]
fn a_killed_download_is_continued() {
    let place = Place::new();
    let archive = zip(&[("x.jpg", &noise(500_000))]);
    let body = archive.clone();
    let api = Server::new(move |request, before| match before {
        0 => Answer::file(request, &body).stalling_after(200_000),
        _ => Answer::file(request, &body),
    });
    let mut command = place.command(&HAM);
    let mut child = command.envs(kaggle(&api.url)).spawn().unwrap();
    let part = place.path("datasets/.unfinished-ham10000/skin-cancer-mnist-ham10000.zip.part");
    let has_arrived = || std::fs::metadata(&part).is_ok_and(|file| file.len() == 200_000);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !has_arrived() && std::time::Instant::now() < until {
        thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has_arrived() && !place.path("datasets/ham10000").exists());
    let output = run(&place, &kaggle(&api.url), &HAM);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(api.seen()[1].range(), Some(200_000));
    let unpacked = place.path("datasets/ham10000/skin-cancer-mnist-ham10000/x.jpg");
    assert_eq!(std::fs::read(unpacked).unwrap(), noise(500_000));
}

#[test]
fn a_full_disk_is_named_and_costs_nothing_that_was_there() {
    let place = Place::new();
    let body = zip(&[("x.jpg", &noise(500_000))]);
    let api = Server::new(move |request, _| Answer::file(request, &body));
    let mut command = place.limited_command(400, &HAM);
    let output = command.envs(kaggle(&api.url)).output().unwrap();
    let said = refused(&place, &output, 1);
    assert!(
        said.contains(".zip.part") && said.contains("File too large"),
        "{said}"
    );
    let output = run(&place, &kaggle(&api.url), &HAM);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(api.seen()[1].range(), Some(400 * 512));
}

/// The weights of a trunk come from a model repository of the Hub; those of a pinned revision come once.
#[test]
fn pretrained_weights_come_from_the_hub() {
    let server = Server::new(|request, _| Answer::file(request, b"no weights at all"));
    let place = Place::new();
    let revision = "0a".repeat(20);
    let named = format!("hf:owner/name@{revision}/model.safetensors");
    let train = |named: &str| {
        let arguments = [
            "train",
            "tricorder",
            "--synthetic",
            "--synthetic-samples",
            "60",
        ];
        let network = ["--model-type", "lightweight", "--image-size", "32"];
        let pretrained = ["--pretrained", named];
        let mut command = place.command(&[&arguments[..], &network, &pretrained].concat());
        let command = command
            .env("HF_ENDPOINT", &server.url)
            .env("HF_TOKEN", "secret");
        let output = command.output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        said
    };
    let path = format!("owner/name/{revision}/model.safetensors");
    for _ in 0..2 {
        let said = train(&named);
        assert!(said.contains(&path), "{said}");
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].path,
        format!("/owner/name/resolve/{revision}/model.safetensors")
    );
    assert_eq!(seen[0].header("authorization"), Some("Bearer secret"));
    let said = train("hf:owner/../../etc");
    assert!(said.contains("owner/name@revision/file"), "{said}");
    assert_eq!(server.seen().len(), 1);
}

/// A Hub with the original's data set: a table, and two archives of images.
fn x_rays() -> Server {
    let packed = |names: &[&str]| {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(5);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, name, &b"image"[..])
                .unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    };
    let first = packed(&["images/00000001_000.png", "images/00000001_001.png"]);
    let second = packed(&["images/00000002_000.png"]);
    let table = b"image_name,label\n00000001_000.png,Mass|Edema\n00000001_001.png,No Finding\n00000002_000.png,Hernia\n";
    Server::new(move |request, _| {
        if request.header("authorization") != Some("Bearer hf_original") {
            return Answer::new(401, "");
        }
        let large = |name: &str, bytes: &[u8]| json!({ "rfilename": name, "size": bytes.len(), "lfs": { "sha256": sha256(bytes), "size": bytes.len() } });
        let files = json!({ "sha": "abc123", "siblings": [
            { "rfilename": "Data_Entry.csv", "size": table.len() },
            large("images_001.tar.gz", &first),
            large("images_002.tar.gz", &second),
        ]});
        let resolved = "/datasets/me/x-rays/resolve/abc123/";
        match request.path.as_str() {
            "/api/datasets/me/x-rays?blobs=true" => Answer::new(200, files.to_string()),
            path => match path.strip_prefix(resolved) {
                Some("Data_Entry.csv") => Answer::file(request, table),
                Some("images_001.tar.gz") => Answer::file(request, &first),
                Some("images_002.tar.gz") => Answer::file(request, &second),
                _ => Answer::new(404, ""),
            },
        }
    })
}

#[test]
fn x_rays_come_from_where_the_originals_users_say() {
    let place = Place::new();
    let server = x_rays();
    let variables = [("HF_ENDPOINT", server.url.as_str())];
    let download = ["data", "download", "healthcare"];
    let output = run(
        &place,
        &variables,
        &[&download[..], &["--dry-run"]].concat(),
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("/api/datasets/cogent-demon/miner_dataset"),
        "{said}"
    );
    let output = run(&place, &variables, &download);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    let env = "ACCESS_TOKEN=hf_original\nDATASET_LINK=\"me/x-rays\"\n";
    std::fs::write(place.path(".env"), env).unwrap();
    let output = run(&place, &variables, &download);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(!errors(&output).contains("hf_original"));
    let directory = place.path("datasets/chest_xray14");
    let labels = agon_dataset::chest::LabelSet::nih();
    let opened = agon_dataset::chest::open(&directory, &labels).unwrap();
    assert_eq!((opened.records.len(), opened.absent.len()), (3, 0));
    let labels: Vec<usize> = opened.records[0].findings.labels().collect();
    assert_eq!(labels, [3, 9]);
    let output = run(&place, &variables, &["data", "verify", "healthcare"]);
    assert!(output.status.success(), "{}", errors(&output));
    let output = run(
        &place,
        &variables,
        &["data", "list", "healthcare", "--json"],
    );
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["datasets"][0]["origin"]["huggingface"], "me/x-rays");
    // The token of the original is none of the other competitions' business.
    let other = ["data", "download", "tricorder", "--dataset", "isic_hf"];
    let output = run(&place, &variables, &other);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
}
