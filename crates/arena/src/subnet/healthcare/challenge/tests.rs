//! The challenge as validators and miners use it.

use super::*;
use crate::ledger::Outcome;
use crate::subnet;
use agon_dataset::chest;
use agon_dataset::chest::synthetic::{Synthetic, generate};
use agon_model::architecture::{ChestModel, ChestOptions};
use agon_neuron::dendrite::Answer;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn seed(number: u8) -> Seed {
    Seed([number; 32])
}

fn account(number: u8) -> AccountId {
    AccountId::from([number; 32])
}

/// X-rays without images, with these findings of NIH's.
fn table(findings: &[&str]) -> Vec<Record> {
    let labels = LabelSet::nih();
    let rows = findings.iter().enumerate();
    rows.map(|(number, text)| Record {
        image_id: format!("{number:08}_000.png"),
        patient_id: number.to_string(),
        path: PathBuf::new(),
        findings: labels.read(text).unwrap(),
    })
    .collect()
}

fn challenge(findings: &[&str], sample: usize) -> XRayChallenge {
    XRayChallenge::new(LabelSet::nih(), table(findings), sample)
}

fn reply(body: impl Into<Vec<u8>>) -> Option<Reply> {
    let body = body.into().into();
    let answer = Answer {
        body,
        signed: false,
    };
    Some(Reply {
        answer,
        latency: Duration::from_millis(250),
    })
}

fn said(text: &str) -> Option<Reply> {
    reply(json!({ "input_image": "", "output_text": text }).to_string())
}

/// What one answer to a question about these findings is worth.
fn worth(truth: &str, reply: Option<Reply>) -> f64 {
    challenge(&[truth], 1).score(&[0], &[reply]).score
}

#[test]
fn every_finding_and_none_are_asked_about_equally_often() {
    let rows = [
        vec!["No Finding"; 300],
        vec!["Mass"; 60],
        vec!["Hernia"; 12],
        vec!["Edema|Effusion"; 20],
    ];
    let asking = challenge(&rows.concat(), 50);
    let drawn = asking.draw(seed(1));
    let of = |range: std::ops::Range<usize>| drawn.iter().filter(|it| range.contains(it)).count();
    // Two of five groups share one image a turn.
    let counts = [of(0..300), of(300..360), of(360..372), of(372..392)];
    assert_eq!(counts.iter().sum::<usize>(), 50);
    assert_eq!(counts[2], 10);
    assert!(counts[..2].iter().all(|&count| count == 10), "{counts:?}");
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 50);
    // The order is not the table's, in which findings stand together.
    assert!(!drawn.is_sorted());
    let first_half = drawn[..25].iter().filter(|&&item| item < 300).count();
    assert!((1..10).contains(&first_half), "{drawn:?}");
    assert_eq!(drawn, asking.draw(seed(1)));
    assert_ne!(drawn, asking.draw(seed(2)));
    // Of few groups that have an image, and of fewer images than are asked for.
    let all = challenge(&["Mass", "No Finding", "Mass"], 50).draw(seed(3));
    assert_eq!(BTreeSet::from_iter(all), BTreeSet::from([0, 1, 2]));
    assert!(challenge(&[], 50).draw(seed(3)).is_empty());
}

#[test]
fn a_question_is_an_image_that_nobody_has_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let synthetic = Synthetic {
        images: 4,
        side: 48,
        ..Synthetic::default()
    };
    generate(directory.path(), &synthetic, &|_, _| {}).unwrap();
    let records = chest::open(directory.path(), &synthetic.labels).unwrap();
    let mut records = records.records;
    let bytes = std::fs::read(&records[0].path).unwrap();
    records[3].path = directory.path().join("gone.png");
    let asking = XRayChallenge::new(synthetic.labels, records, 4);
    let question = asking.question(seed(1), 0).unwrap();
    assert_eq!(question.name, "Predict");
    assert_eq!(question.timeout, Duration::from_secs(30));
    assert_eq!(question.fields.keys().collect::<Vec<_>>(), ["input_image"]);
    assert_eq!(question, asking.question(seed(1), 0).unwrap());
    assert_ne!(question, asking.question(seed(2), 0).unwrap());
    let asked = question.fields["input_image"].as_str().unwrap();
    assert!(asked.len() < 1 << 20);
    let asked = BASE64_STANDARD.decode(asked).unwrap();
    assert_ne!(asked, bytes);
    let asked = image::decode(&asked).unwrap();
    assert_eq!((asked.height(), asked.width()), (512, 512));
    let error = asking.question(seed(1), 3).unwrap_err().to_string();
    assert!(error.contains("gone.png"), "{error}");
}

#[test]
fn the_golden_vector_and_the_mean_over_all_questions() {
    let truth = ["Mass|Nodule", "No Finding", "Edema", "Hernia"];
    let items = [0, 1, 2, 3];
    let replies = [
        said("Mass|Edema|Nodule"),
        said("No Finding"),
        said("mass"),
        None,
    ];
    let score = challenge(&truth, 4).score(&items, &replies);
    let worths = [2.0 / 3.0, 1.0, 0.0, 0.0];
    for (have, want) in score.evidence.iter().zip(worths) {
        assert!((f64::from(*have) - want).abs() < 1e-6);
    }
    assert!((score.score - worths.iter().sum::<f64>() / 4.0).abs() < 1e-12);
    assert_eq!(score.metrics["answered"], 0.75);
    assert_eq!(score.metrics["understood"], 0.75);
    assert_eq!(score.metrics["exact"], 0.25);
    assert_eq!(score.metrics["latency"], 0.25);
    // One finding, or none, is right about one image in four; all fourteen of (2, 0, 1, 1) true ones are worth less.
    assert_eq!(score.metrics["constant"], 0.25);
}

#[test]
fn what_is_no_list_of_known_findings_is_worth_nothing() {
    assert_eq!(worth("Mass", said("Mass")), 1.0);
    assert_eq!(worth("No Finding", said("normal")), 1.0);
    let everything = LabelSet::nih().names().join("|");
    assert!((worth("Mass", said(&everything)) - 1.0 / 14.0).abs() < 1e-12);
    let texts = [
        "",
        "|",
        "Mass|",
        "Mass|Mass",
        "Mass|mass",
        "Mass|No Finding",
        "No Finding|No Finding",
        "Mass|Cough",
        "Mass,Nodule",
        "Mass\u{0}",
        "0",
        "\u{202e}ssaM",
    ];
    for text in texts {
        for truth in ["Mass", "No Finding"] {
            assert_eq!(worth(truth, said(text)), 0.0, "{text:?}");
        }
    }
    let long = [everything, "|Mass".repeat(100_000)].concat();
    assert_eq!(worth("Mass", said(&long)), 0.0);
    let bodies = [
        "",
        "null",
        "[]",
        "\"Mass\"",
        "{}",
        r#"{"output_text": null}"#,
        r#"{"output_text": ["Mass"]}"#,
        r#"{"output_text": {"Mass": 1}}"#,
        r#"{"output_text": 9}"#,
        r#"{"output_text": "Mass""#,
        r#"{"output_text": "Mass", "output_text": "Mass"}"#,
        r#"{"Output_Text": "Mass"}"#,
    ];
    for body in bodies {
        assert_eq!(worth("Mass", reply(body)), 0.0, "{body}");
    }
    let nested = ["{\"output_text\":".repeat(100_000), "1".into()].concat();
    assert_eq!(worth("Mass", reply(nested)), 0.0);
    assert_eq!(worth("Mass", reply([0xff, 0xfe, 0x00])), 0.0);
}

proptest! {
    #[test]
    fn no_answer_breaks_the_score(
        bodies in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..60)), 3),
        text in "[|MasNodule_ ]{0,40}",
    ) {
        let asking = challenge(&["Mass", "No Finding", "Nodule|Edema"], 3);
        let replies: Vec<_> = bodies.into_iter().map(|body| body.and_then(reply)).collect();
        let score = asking.score(&[0, 1, 2], &replies);
        prop_assert!((0.0..=1.0).contains(&score.score));
        prop_assert_eq!(score.evidence.len(), 3);
        prop_assert!(score.metrics.values().all(|value| value.is_finite()));
        // Findings are told in one way: what is not that way is worth nothing.
        let labels = LabelSet::nih();
        let plain = |text: &str| text.trim().to_lowercase().replace('_', " ");
        let words: Vec<String> = text.split('|').map(plain).collect();
        let distinct = words.iter().collect::<BTreeSet<_>>().len() == words.len();
        let known = words.iter().all(|word| labels.names().iter().any(|name| plain(name) == *word));
        let value = worth("Mass", said(&text));
        prop_assert_eq!(value > 0.0, distinct && known && words.contains(&"mass".to_owned()), "{}", text);
    }
}

/// The row of somebody whose answers were worth this.
fn row(number: u8, evidence: Vec<f32>, constant: f64) -> Evaluation {
    let sum: f64 = evidence.iter().copied().map(f64::from).sum();
    Evaluation {
        score: sum / evidence.len() as f64,
        evidence,
        metrics: BTreeMap::from([("constant".to_owned(), constant)]),
        ..Evaluation::empty(account(number), (u64::from(number), 0), Outcome::Scored)
    }
}

#[test]
fn who_does_not_look_is_worth_the_constant_and_not_paid_by_the_robust_rules() {
    let truth = [
        "No Finding",
        "Mass",
        "Mass|Edema",
        "Nodule",
        "No Finding",
        "Hernia",
    ];
    let asking = challenge(&truth, 6);
    let items: Vec<usize> = (0..6).collect();
    let answer = |text: fn(usize) -> String| {
        let replies: Vec<_> = items.iter().map(|&item| said(&text(item))).collect();
        asking.score(&items, &replies)
    };
    let none = answer(|_| "No Finding".into());
    assert!((none.score - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(none.score, none.metrics["constant"]);
    let all = answer(|_| LabelSet::nih().names().join("|"));
    assert!(all.score < none.score);
    let right = answer(|item| {
        let texts = ["No Finding", "Mass", "Mass", "Nodule", "Mass", "Hernia"];
        texts[item].into()
    });
    assert!(right.score > none.score);

    let rows = [(1, &none), (2, &all), (3, &right)];
    let rows = rows.map(|(number, score)| {
        // Enough images for chance to be told apart.
        row(number, score.evidence.repeat(20), score.metrics["constant"])
    });
    let silent = Evaluation::empty(account(4), (4, 0), Outcome::TooSlow);
    let rounds = [Past {
        seed: seed(1),
        cutoff_block: 100,
        agenda: None,
        evaluations: [rows.to_vec(), vec![silent]].concat(),
    }];
    let shares = asking.shares(&rounds);
    let total = none.score + all.score + right.score;
    let expected = [none.score, all.score, right.score];
    for (number, score) in (1..).zip(expected) {
        assert!((shares[&account(number)] - score / total).abs() < 1e-6);
    }
    assert!(!shares.contains_key(&account(4)));
    let robust = asking.with_scoring(Scoring::Robust);
    let shares = robust.shares(&rounds);
    assert_eq!(shares.keys().collect::<Vec<_>>(), [&account(3)]);
    // Replay makes the same of the same rows, and does not take them for losses.
    let rules = subnet::rules(NAME, Scoring::Robust).unwrap();
    assert_eq!(rules.shares(&rounds), shares);
    assert_ne!(NAME, subnet::healthcare::NAME);
}

#[test]
fn findings_above_the_threshold_are_answered_or_the_likeliest_of_all() {
    let findings = |threshold: &str, probabilities: &[f32]| {
        let threshold: Threshold = threshold.parse().unwrap();
        let found = threshold.findings(probabilities);
        found.labels().collect::<Vec<_>>()
    };
    assert_eq!(findings("0.5", &[0.6, 0.2, 0.9]), [0, 2]);
    // Above is not at.
    assert_eq!(findings("0.5", &[0.5, 0.5, 0.2]), [0usize; 0]);
    assert_eq!(findings("0.2", &[0.3, 0.1, 0.1]), [0]);
    assert_eq!(findings("0.9", &[0.6, 0.7, 0.1]), [1]);
    assert_eq!(findings("0.9", &[0.4, 0.1, 0.1]), [0usize; 0]);
    assert_eq!(findings("0", &[f32::NAN, 0.1, 0.0]), [1]);
    for wrong in ["", "1", "-0.1", "NaN", "inf", "half"] {
        assert!(wrong.parse::<Threshold>().is_err(), "{wrong}");
    }
}

#[test]
fn a_model_answers_questions_and_blames_who_asks_nonsense() {
    let labels: LabelSet = "first,second".parse().unwrap();
    let options = ChestOptions {
        image_size: 32,
        labels: 2,
        dropout: None,
    };
    let mut model = ChestModel::Cnn.build(&options).unwrap();
    agon_train::init::initialise(&mut model, 1).unwrap();
    model.strip_training();
    let bytes = model.to_bytes();
    let threshold = |text: &str| text.parse::<Threshold>().unwrap();
    let load =
        |labels: &LabelSet, text| Classifier::load(bytes.clone(), labels.clone(), threshold(text));
    let error = load(&LabelSet::nih(), "0.5").err().unwrap();
    assert!(matches!(error, ClassifierError::Shape(14)), "{error}");
    assert!(Classifier::load(vec![1, 2, 3], labels.clone(), threshold("0.5")).is_err());
    let classifier = load(&labels, "0").unwrap();
    let picture = Disguise::draw(&mut seed(1).stream());
    let directory = tempfile::tempdir().unwrap();
    let synthetic = Synthetic {
        images: 1,
        side: 32,
        labels: labels.clone(),
        ..Synthetic::default()
    };
    generate(directory.path(), &synthetic, &|_, _| {}).unwrap();
    let record = chest::open(directory.path(), &labels)
        .unwrap()
        .records
        .remove(0);
    let image = image::open(&record.path).unwrap();
    let input_image = BASE64_STANDARD.encode(picture.apply(&image, 64).unwrap());
    let answer = classifier.answer(&Predict { input_image }).unwrap();
    // Every probability is above nought.
    assert_eq!(answer.output_text, "first|second");
    for nonsense in ["", "%", "AAAA"] {
        let question = Predict {
            input_image: nonsense.into(),
        };
        assert!(classifier.answer(&question).unwrap_err().is_callers());
    }
}
