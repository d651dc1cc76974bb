//! `agon evaluate tricorder`: the validators' figures on the user's data, and what becomes of what cannot be judged.

mod common;

use agon_arena::competition::Competition;
use agon_arena::sandbox::Sandbox;
use agon_arena::subnet::tricorder::Tricorder;
use agon_arena::subnet::tricorder::parts::Parts;
use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_model::Dim;
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::builder::GraphBuilder;
use common::{AGON, Place, errors};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// A place with data and two untrained models.
fn place() -> Place {
    let place = Place::new();
    let synthetic = Synthetic {
        images: 240,
        width: 32,
        height: 24,
        ..Synthetic::default()
    };
    generate(&place.path("data"), &synthetic, &|_, _| {}).unwrap();
    for seed in [1, 2] {
        let mut model = lesion_classifier(&LesionClassifier::small()).unwrap();
        agon_train::init::initialise(&mut model, seed).unwrap();
        model.strip_training();
        let path = place.path(&format!("model-{seed}.onnx"));
        std::fs::write(path, model.to_bytes()).unwrap();
    }
    place
}

/// What every command begins with, and then `more`.
fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["evaluate", "tricorder", "--data-dir", "data"];
    all.extend(["--resamples", "100"]);
    all.extend(more);
    all
}

fn score(model: &Value) -> f64 {
    model["evaluation"]["score"]["value"].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_score_is_that_of_a_validator_whatever_the_number_of_workers() {
    let place = place();
    let models = ["--model", "model-1.onnx", "--compare", "model-2.onnx"];
    let run = |workers: &str| {
        place.json(&arguments(
            &[&models[..], &["--json", "--workers", workers]].concat(),
        ))
    };
    let alone = run("1");
    assert_eq!(alone, run("3"));

    let records = Parts::load(&place.path("data"), 20).unwrap().judging;
    let images = records.len();
    assert_eq!(alone["data"]["images"], images);
    let competition: Arc<dyn Competition> = Arc::new(Tricorder::new(records, images));
    let items: Vec<usize> = (0..images).collect();
    for model in alone["models"].as_array().unwrap() {
        let bytes = std::fs::read(place.path(model["name"].as_str().unwrap())).unwrap();
        let sandbox = Sandbox::new(PathBuf::from(AGON));
        let judged = sandbox.judge(competition.clone(), &bytes, &items).await;
        let official = judged.unwrap().judgement.score.unwrap();
        assert_eq!(score(model), official.score);
        let balanced = &model["evaluation"]["balanced_accuracy"]["value"];
        assert_eq!(
            balanced.as_f64().unwrap(),
            official.metrics["balanced_accuracy"]
        );
    }
    let models = alone["models"].as_array().unwrap();
    assert!(
        score(&models[0]) >= score(&models[1]),
        "the best comes first"
    );
    let compared = models.iter().filter(|model| !model["comparison"].is_null());
    let compared: Vec<&Value> = compared.map(|model| &model["name"]).collect();
    assert_eq!(compared, ["model-2.onnx"]);
}

#[test]
fn a_model_that_is_refused_is_shown_and_does_not_stop_the_others() {
    let place = place();
    std::fs::write(place.path("broken.onnx"), b"no model").unwrap();
    let models = ["--model", "broken.onnx", "--compare", "model-1.onnx"];
    let output = place.run(&arguments(&[&models[..], &["--output", "json"]].concat()));
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    assert!(errors(&output).contains("1 of 2 models have no score"));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [good, bad] = &document["models"].as_array().unwrap()[..] else {
        panic!("two models")
    };
    assert_eq!(
        (good["outcome"].as_str(), bad["outcome"].as_str()),
        (Some("scored"), Some("refused"))
    );
    assert!(bad["reason"].as_str().unwrap().contains("not an ONNX file"));
    assert!(bad["evaluation"].is_null() && good["comparison"].is_null());

    let output = place.run(&arguments(&models));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("broken.onnx: malformed: not an ONNX file"),
        "{table}"
    );

    let output = place.run(&arguments(&[&models[..], &["--output", "csv"]].concat()));
    let mut reader = csv::Reader::from_reader(&output.stdout[..]);
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let lines: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(&lines[1][column("outcome")], "refused");
    assert_eq!(&lines[1][column("score")], "");
    assert_eq!(
        lines[0][column("score")].parse::<f64>().unwrap(),
        score(good)
    );
    assert_eq!(&lines[0][column("f1_INF")], "0");
}

#[test]
fn unreadable_images_are_named_and_dropped_with_their_labels() {
    let place = place();
    let judging = Parts::load(&place.path("data"), 20).unwrap().judging;
    std::fs::write(&judging[2].path, b"no image").unwrap();
    let half = std::fs::read(&judging[5].path).unwrap();
    std::fs::write(&judging[5].path, &half[..half.len() / 2]).unwrap();
    let output = place.run(&arguments(&[
        "--model",
        "model-1.onnx",
        "--baselines",
        "--json",
    ]));
    assert!(output.status.success(), "{}", errors(&output));
    let said = errors(&output);
    assert!(
        said.contains("neither a JPEG nor a PNG nor a BMP image"),
        "{said}"
    );
    let rest = judging.len() - 2;
    let told = format!("2 unreadable image(s) are left out, with their labels; {rest} count");
    assert!(said.contains(&told), "{said}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["data"]["images"], rest);
    let unreadable = document["data"]["unreadable"].as_array().unwrap();
    assert!(
        unreadable[0]["image"]
            .as_str()
            .unwrap()
            .contains(&judging[2].image_id)
    );
    assert!(
        unreadable[1]["reason"]
            .as_str()
            .unwrap()
            .contains("cut off")
    );

    // The untrained model and two baselines, of which at least one has learnt something.
    let models = document["models"].as_array().unwrap();
    assert_eq!(models.len(), 3);
    for model in models {
        let rows = model["evaluation"]["confusion"].as_array().unwrap();
        let counts = rows.iter().flat_map(|row| row.as_array().unwrap());
        assert_eq!(
            counts.map(|count| count.as_u64().unwrap()).sum::<u64>() as usize,
            rest
        );
    }
    assert_ne!(models[0]["name"], "model-1.onnx");
    assert!(score(&models[0]) > score(&models[2]) + 0.1);
}

#[test]
fn both_engines_give_the_same_figures() {
    if !common::has_onnxruntime("an evaluation by ONNX Runtime") {
        return;
    }
    let place = place();
    let library = common::library().unwrap();
    let models = ["--model", "model-1.onnx", "--compare", "model-2.onnx"];
    let run = |engine: &str| {
        let library = library.to_str().unwrap();
        let more = ["--json", "--engine", engine, "--engine-library", library];
        place.json(&arguments(&[&models[..], &more].concat()))
    };
    let (ours, theirs) = (run("rten"), run("onnxruntime"));
    let engine = |document: &Value| document["engine"].as_str().unwrap().to_owned();
    assert!(engine(&ours).starts_with("rten "));
    assert!(engine(&theirs).starts_with("onnxruntime "));
    let figures = |document: &Value| -> Vec<f64> {
        let models = document["models"].as_array().unwrap().iter();
        models.map(score).collect()
    };
    for (ours, theirs) in figures(&ours).into_iter().zip(figures(&theirs)) {
        // An answer between two classes may fall to either.
        assert!((ours - theirs).abs() < 0.05, "{ours} {theirs}");
    }
}

#[test]
fn an_engine_that_is_not_there_says_how_to_get_it() {
    let place = place();
    let more = ["--model", "model-1.onnx", "--engine", "onnxruntime"];
    let library = ["--engine-library", "absent/libonnxruntime.so"];
    let said = place.mistake(&arguments(&[&more[..], &library].concat()));
    match cfg!(feature = "onnxruntime") {
        true => {
            assert!(said.contains("absent/libonnxruntime.so"), "{said}");
            assert!(said.contains(".ci/onnxruntime"), "{said}");
        }
        false => assert!(said.contains("--features onnxruntime"), "{said}"),
    }
}

#[test]
fn answers_that_are_not_probabilities_are_told_and_not_mended() {
    let place = place();
    let mut graph = GraphBuilder::new("logits");
    let fixed = Dim::Fixed;
    let image = vec![Dim::Named("batch".into()), fixed(3), fixed(16), fixed(16)];
    let image = graph.input("image", image);
    let colour = graph.global_average_pool(&image);
    let colour = graph.flatten(&colour);
    let logits = graph.linear(&colour, 11);
    graph.output(&logits, "logits");
    let mut model = graph.finish().unwrap();
    agon_train::init::initialise(&mut model, 1).unwrap();
    std::fs::write(place.path("logits.onnx"), model.to_bytes()).unwrap();

    let document = place.json(&arguments(&["--model", "logits.onnx", "--json"]));
    let evaluation = &document["models"][0]["evaluation"];
    assert!(evaluation["calibration"].is_null());
    assert_eq!(evaluation["not_probabilities"], document["data"]["images"]);
    let output = place.run(&arguments(&["--model", "logits.onnx"]));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("do not sum to 1"), "{table}");
}

#[test]
fn a_sample_is_drawn_from_the_seed() {
    let place = place();
    let run = |seed: &str| {
        let more = [
            "--model",
            "model-1.onnx",
            "--json",
            "--part",
            "all",
            "--max-samples",
            "40",
        ];
        place.json(&arguments(&[&more[..], &["--seed", seed]].concat()))
    };
    let first = run("1");
    assert_eq!(first["data"]["images"], 40);
    assert_eq!(first, run("1"));
    assert_ne!(
        first["models"][0]["evaluation"]["confusion"],
        run("2")["models"][0]["evaluation"]["confusion"]
    );
}

#[test]
fn a_model_is_judged_on_what_its_run_kept_for_that() {
    let place = place();
    // Another split than the usual one, by another seed.
    let run = [
        &["train", "tricorder", "--data-dir", "data"][..],
        &["--epochs", "1", "--image-size", "16", "--batch-size", "32"],
        &["--val-split", "0.1", "--test-split", "0.4"],
        &["--split-seed", "3", "--save-dir", "run", "--no-tensorboard"],
    ]
    .concat();
    let trained = place.run(&run);
    assert!(trained.status.success(), "{}", errors(&trained));
    let said = errors(&trained);
    let judge = |more: &[&str]| {
        let output = place.run(&arguments(&[&["--json"], more].concat()));
        assert!(output.status.success(), "{}", errors(&output));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (document["data"].clone(), errors(&output))
    };
    let (data, warnings) = judge(&["--model", "run/model.onnx"]);
    assert_eq!(
        data["split"],
        serde_json::json!({ "val_split": 0.1, "test_split": 0.4, "split_seed": 3 })
    );
    let kept = format!("{} kept for evaluation", data["images"]);
    assert!(said.contains(&kept), "{kept}: {said}");
    assert!(!warnings.contains("may have learnt"), "{warnings}");

    // Who judges otherwise is warned, and so where only a model that is compared was trained otherwise.
    let (data, warnings) = judge(&["--model", "run/model.onnx", "--split-seed", "20"]);
    assert_eq!(data["split"]["split_seed"], 20);
    assert!(warnings.contains("may have learnt"), "{warnings}");
    std::fs::create_dir(place.path("other")).unwrap();
    std::fs::copy(place.path("model-1.onnx"), place.path("other/model.onnx")).unwrap();
    let config = "data:\n  val_split: 0.15\n  test_split: 0.25\n  split_seed: 20\n";
    std::fs::write(place.path("other/config.yaml"), config).unwrap();
    let compared = ["--model", "run/model.onnx", "--compare", "other/model.onnx"];
    let (_, warnings) = judge(&compared);
    assert!(
        warnings.contains("other/model.onnx was trained with val-split 0.15"),
        "{warnings}"
    );

    // A run that kept nothing has nothing to be judged on.
    std::fs::write(place.path("other/config.yaml"), config.replace("0.25", "0")).unwrap();
    let said = place.mistake(&arguments(&["--model", "other/model.onnx"]));
    assert!(
        said.contains("other/config.yaml") && said.contains("test-split 0"),
        "{said}"
    );
    // Another tool's settings are none of a run.
    std::fs::write(place.path("other/config.yaml"), "model: x\n").unwrap();
    let (data, warnings) = judge(&["--model", "other/model.onnx"]);
    assert_eq!(data["split"]["split_seed"], 20);
    assert!(warnings.contains("does not say how"), "{warnings}");
}

#[test]
fn reports_stand_alone_and_escape_what_is_not_theirs() {
    let place = place();
    let name = "<b>&\"x.onnx";
    std::fs::copy(place.path("model-1.onnx"), place.path(name)).unwrap();
    for report in ["report.html", "report.svg"] {
        let more = [
            "--model",
            "model-2.onnx",
            "--compare",
            name,
            "--report",
            report,
        ];
        let output = place.run(&arguments(&more));
        assert!(output.status.success(), "{}", errors(&output));
        let text = std::fs::read_to_string(place.path(report)).unwrap();
        assert!(text.contains("&lt;b&gt;&amp;&quot;x.onnx") && !text.contains("<b>"));
        // Nothing is fetched: the only address is the name of SVG's vocabulary.
        let addresses = text.match_indices("://").count();
        assert_eq!(
            addresses,
            text.matches("http://www.w3.org/2000/svg").count()
        );
        for reference in ["<script", "src=", "href=", "@import", "url("] {
            assert!(!text.contains(reference), "{reference}");
        }
        for plot in [
            "confusion",
            "reliability",
            "classes",
            "difference of the score",
        ] {
            assert!(text.contains(plot), "{plot}");
        }
        assert_eq!(
            text.matches("<text").count(),
            text.matches("</text>").count()
        );
        assert!(text.contains("prefers-color-scheme:dark"));
    }
}

#[test]
fn mistakes_say_what_to_do() {
    let place = place();
    let told = |more: &[&str], words: &[&str]| {
        let said = place.mistake(&arguments(more));
        for word in words {
            assert!(said.contains(word), "{more:?}: {said}");
        }
    };
    told(
        &["--model", "absent.onnx"],
        &["absent.onnx", "No such file"],
    );
    told(&["--model", "data"], &["data", "not a file"]);
    told(&[], &["--model"]);
    told(
        &["--model", "model-1.onnx", "--report", "report.pdf"],
        &["report.pdf", ".html or .svg"],
    );
    told(
        &["--model", "model-1.onnx", "--report", "absent/report.svg"],
        &["absent/report.svg", "not there"],
    );
    told(
        &["--baselines", "--part", "all"],
        &["--part judging or selection"],
    );
    let said = place.mistake(&[
        "evaluate",
        "tricorder",
        "--model",
        "model-1.onnx",
        "--data-dir",
        "absent",
    ]);
    assert!(said.contains("absent is not a directory"), "{said}");

    // Two lesions cannot be split, but they can be judged.
    let header = "lesion_id,image_id,dx,dx_type,age,sex,localization\n";
    std::fs::create_dir_all(place.path("few/images")).unwrap();
    let rows = "L1,A,nv,histo,40,male,back\nL2,B,mel,histo,40,male,back\n";
    std::fs::write(place.path("few/metadata.csv"), format!("{header}{rows}")).unwrap();
    for image in ["A", "B"] {
        std::fs::write(place.path(&format!("few/images/{image}.jpg")), b"no image").unwrap();
    }
    let few = [
        "evaluate",
        "tricorder",
        "--model",
        "model-1.onnx",
        "--data-dir",
        "few",
    ];
    let said = place.mistake(&few);
    assert!(said.contains("--part all judges every image"), "{said}");
    let said = place.mistake(&[&few[..], &["--part", "all"]].concat());
    assert!(said.contains("none of the 2 images can be read"), "{said}");
}
