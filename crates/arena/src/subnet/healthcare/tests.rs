//! The competition as validators use it.

use super::*;
use agon_dataset::chest;
use agon_dataset::chest::synthetic::{Synthetic, generate};
use agon_model::digest::Digest;
use std::path::Path;

fn records(directory: &Path, images: usize, seed: u64) -> (LabelSet, Vec<Record>) {
    let synthetic = Synthetic {
        images,
        side: 32,
        seed,
        ..Synthetic::default()
    };
    generate(directory, &synthetic, &|_, _| {}).unwrap();
    let opened = chest::open(directory, &synthetic.labels).unwrap();
    (synthetic.labels, opened.records)
}

fn account(number: u8) -> AccountId {
    AccountId::from([number; 32])
}

fn evaluation(number: u8, loss: Option<f64>, block: u64, file: &[u8]) -> Evaluation {
    let outcome = match loss {
        Some(_) => Outcome::Scored,
        None => Outcome::Crashed,
    };
    Evaluation {
        artefact: Some(Digest::of(file)),
        score: loss.map_or(0.0, |loss| (-loss).exp()),
        metrics: loss
            .into_iter()
            .map(|loss| ("loss".to_owned(), loss))
            .collect(),
        ..Evaluation::empty(account(number), (block, 0), outcome)
    }
}

fn past(evaluations: Vec<Evaluation>) -> Past {
    Past {
        seed: Seed::derive("test", &[]),
        cutoff_block: 100,
        agenda: None,
        evaluations,
    }
}

#[test]
fn inputs_are_the_image_at_the_size_that_the_model_declares() {
    let directory = tempfile::tempdir().unwrap();
    let (labels, records) = records(directory.path(), 30, 0);
    let competition = Healthcare::new(labels, records, 10);
    let items = competition.draw(Seed::derive("test", &[]));
    assert_eq!(items.len(), 10);
    assert!(items.is_sorted() && items.iter().all(|&item| item < 30));
    for (declared, side) in [
        (vec![None, Some(3), None, None], 224),
        (vec![None, None, Some(48), Some(48)], 48),
    ] {
        let [image] = competition
            .inputs(items[0], &[declared])
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(image.shape, [1, 3, side, side]);
        assert!(image.data.iter().all(|value| (0.0..=1.0).contains(value)));
        // Grey: all channels are alike.
        let (red, rest) = image.data.split_at(side * side);
        assert_eq!(red, &rest[..side * side]);
    }
    let answers: Vec<Vec<f32>> = vec![vec![0.25; 14]; 10];
    let score = competition.score(&items, &answers, 0);
    assert!(score.score > 0.0 && score.score < 1.0);
    assert_eq!(score.metrics["macro_auroc"], 0.5);
}

#[test]
fn sets_that_everybody_has_are_refused() {
    let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (labels, public) = records(directories[0].path(), 40, 0);
    let (_, mut fresh) = records(directories[1].path(), 20, 1);
    // The generator calls all patients alike.
    for record in &mut fresh {
        record.patient_id.insert_str(0, "hidden-");
    }
    let judged = |records: &[Record]| {
        Healthcare::hidden(labels.clone(), records.to_vec(), &public, 10).map(|_| ())
    };
    judged(&fresh).unwrap();
    let mut seen = fresh.clone();
    seen.push(Record {
        image_id: "renamed".into(),
        patient_id: "somebody".into(),
        ..public[7].clone()
    });
    let error = judged(&seen).unwrap_err().to_string();
    assert!(
        error.contains("1 image(s) and 0 patient(s)") && error.contains("renamed"),
        "{error}"
    );
    fresh[3].patient_id.clone_from(&public[3].patient_id);
    let error = judged(&fresh).unwrap_err().to_string();
    assert!(error.contains("0 image(s) and 1 patient(s)"), "{error}");
}

#[test]
fn original_shares_are_moving_averages_by_hotkey() {
    let first = vec![
        evaluation(1, Some(0.21), 50, b"a"),
        evaluation(2, Some(0.19), 90, b"b"),
        evaluation(3, Some(0.19), 70, b"c"),
        evaluation(4, None, 10, b"d"),
    ];
    // Who was not judged keeps the average; a copy of a better-ranked file earns nothing.
    let second = vec![
        evaluation(1, Some(0.15), 95, b"e"),
        evaluation(2, Some(0.18), 96, b"e"),
    ];
    let rounds = [past(first), past(second)];
    let competition = Healthcare::new(LabelSet::nih(), Vec::new(), 10);
    let shares = competition.shares(&rounds);
    let averages = [
        0.2 * 0.8 * 0.98f64.powi(2) + 0.8 * 30.0,
        0.2 * 0.8 * 0.98,
        0.8 * 30.0,
    ];
    let total: f64 = averages.iter().sum();
    for (number, average) in (1..).zip(averages) {
        let share = shares[&account(number)];
        assert!((share - average / total).abs() < 1e-12, "{number}: {share}");
    }
    // A failure is paid at the first stage only.
    assert!(!shares.contains_key(&account(4)));
    let competition = competition.with_stage(Stage::First);
    let shares = competition.shares(&rounds);
    assert!(shares[&account(4)] > 0.0);
    assert!((shares.values().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(competition.shares(&[]).is_empty());
}

#[test]
fn robust_shares_do_not_go_to_chance_or_to_failures() {
    // A hundred images; the second model is a little better on half of them and a little worse on the others, the third
    // is better on all, the fourth failed.
    let evidence = |loss: fn(usize) -> f32| (0..100).map(loss).collect::<Vec<f32>>();
    let scored = |number, evidence: Vec<f32>| Evaluation {
        evidence,
        ..evaluation(number, Some(0.2), u64::from(number), &[number])
    };
    let rounds = [past(vec![
        scored(1, evidence(|_| 0.2)),
        scored(2, evidence(|at| if at % 2 == 0 { 0.17 } else { 0.22 })),
        scored(3, evidence(|_| 0.15)),
        evaluation(4, None, 4, b"x"),
    ])];
    let competition = Healthcare::new(LabelSet::nih(), Vec::new(), 10);
    let shares = competition.with_scoring(Scoring::Robust).shares(&rounds);
    let share = |number| shares.get(&account(number)).copied().unwrap_or(0.0);
    assert!(share(3) > share(1) && share(1) > share(2), "{shares:?}");
    assert_eq!(share(4), 0.0);
}

#[test]
fn losses_that_differ_by_rounding_rank_by_commitment() {
    let evaluations = [
        evaluation(1, Some(0.19), 90, b"a"),
        evaluation(2, Some(0.19 + 1e-12), 70, b"b"),
    ];
    assert_eq!(second_stage(&evaluations), [0.98, 30.0]);
}
