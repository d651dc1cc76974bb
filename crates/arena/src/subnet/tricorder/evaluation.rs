//! Everything that can be said of a model's answers on labelled images, and of two models' answers to the same ones.
//!
//! The score is the one validators pay for ([`super::score`]). Around it stand the field's usual figures and how much
//! of each is chance: the images of one lesion are drawn together. Answers are taken as they are; nothing is turned
//! into probabilities here, because no validator does so.

use super::CLASSES;
use super::score::{GROUPS, members, score_of};
use agon_dataset::skin::{LesionClass, Record, Risk};
use agon_model::metrics::{
    Calibration, Clusters, Confusion, Distribution, Group, Interval, Resampling, argmax, auroc,
    calibration,
};
use serde::Serialize;

/// Bins of the reliability diagram, as in Guo et al. 2017.
const BINS: usize = 15;

/// How far the values of an answer may sum from 1 to pass for probabilities, as in the original's export check.
const TOLERANCE: f64 = 0.01;

/// How sure the intervals are, and where their draws come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// The share of the draws that an interval holds, for example 0.95.
    pub confidence: f64,
    /// The draws.
    pub resampling: Resampling,
}

/// Labelled images that models have answered to.
#[derive(Clone, Debug)]
pub struct Truth {
    labels: Vec<usize>,
    lesions: Clusters,
}

impl Truth {
    /// The labels and lesions of these records.
    pub fn new<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let records: Vec<&Record> = records.into_iter().collect();
        Self {
            labels: records.iter().map(|record| record.class.index()).collect(),
            lesions: Clusters::new(records.iter().map(|record| &record.lesion_id)),
        }
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// The number of lesions.
    pub fn lesions(&self) -> usize {
        self.lesions.len()
    }
}

/// What a model answered.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Eleven finite values for each image.
    pub rows: Vec<Vec<f32>>,
    /// Bytes of the model.
    pub bytes: u64,
}

impl Answers {
    fn predictions(&self) -> Vec<usize> {
        let best = |row: &Vec<f32>| argmax(row).unwrap_or(0);
        self.rows.iter().map(best).collect()
    }
}

/// A figure and the interval it would mostly fall into on other lesions of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The figure on these images.
    pub value: f64,
    /// Its interval.
    #[serde(flatten)]
    pub interval: Interval,
}

/// The mean F1 of a risk group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RiskFigures {
    /// Which group.
    pub risk: Risk,
    /// Its weight in the weighted F1.
    pub weight: f64,
    /// The mean F1 of its classes.
    pub f1: Figure,
}

/// The figures of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Which class.
    pub class: LesionClass,
    /// Its risk group.
    pub risk: Risk,
    /// How many images have it.
    pub support: u64,
    /// Correct predictions among all predictions of the class.
    pub precision: Figure,
    /// Correct predictions among all its images.
    pub recall: Figure,
    /// The harmonic mean of the two.
    pub f1: Figure,
    /// Area under the ROC curve of the class against all others; none where it cannot be told.
    pub auroc: Option<f64>,
}

/// The figures of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Bytes of the model.
    pub bytes: u64,
    /// The competition's score.
    pub score: Figure,
    /// The share of correct predictions.
    pub accuracy: Figure,
    /// The mean F1 of the risk groups by their weights.
    pub weighted_f1: Figure,
    /// The mean recall of the classes that have images.
    pub balanced_accuracy: Figure,
    /// What the file's size is worth, 0 to 1.
    pub efficiency: f64,
    /// The risk groups.
    pub risks: Vec<RiskFigures>,
    /// The classes, in the order of the outputs.
    pub classes: Vec<ClassFigures>,
    /// The mean AUROC of the classes that have one.
    pub mean_auroc: Option<f64>,
    /// Row: label; column: prediction.
    pub confusion: Vec<Vec<u64>>,
    /// How far its probabilities can be believed; none when the answers are not probabilities.
    pub calibration: Option<Calibration>,
    /// How many answers do not sum to 1 or hold a negative value.
    pub not_probabilities: usize,
}

/// Positions in the list of [`figures`]; the classes' precision, recall and F1 come after.
const SCORE: usize = 0;
const ACCURACY: usize = 1;
const WEIGHTED_F1: usize = 2;
const BALANCED_ACCURACY: usize = 3;
const FIRST_RISK: usize = 4;
const FIRST_CLASS: usize = FIRST_RISK + GROUPS.len();

fn figures(confusion: &Confusion, bytes: u64) -> Vec<f64> {
    let score = score_of(confusion, bytes);
    let f1 = confusion.f1();
    let risk = |(risk, weight)| {
        let classes = &members(risk);
        Group { weight, classes }.mean(&f1)
    };
    let mut figures = vec![score.score];
    figures.extend(["accuracy", "weighted_f1", "balanced_accuracy"].map(|m| score.metrics[m]));
    figures.extend(GROUPS.map(risk));
    figures.extend(confusion.precision());
    figures.extend(confusion.recall());
    figures.extend(f1);
    figures
}

/// The counts of a model's predictions when image `i` counts `times[i]` times.
fn counts(labels: &[usize], predictions: &[usize], times: &[u32]) -> Confusion {
    Confusion::weighted(CLASSES, labels, predictions, times)
        .expect("labels and predictions come in pairs and below eleven")
}

/// The figures of a model that gave `answers` to the images of `truth`.
///
/// # Panics
/// When there are no images, or not one answer of eleven finite values for each.
pub fn evaluate(truth: &Truth, answers: &Answers, chance: &Chance) -> Evaluation {
    let (labels, rows) = (&truth.labels, &answers.rows);
    let fits = "one answer of eleven finite values for each image";
    let predictions = answers.predictions();
    let confusion = Confusion::new(CLASSES, labels, &predictions).expect(fits);
    let values = figures(&confusion, answers.bytes);
    let draws = chance.resampling.bootstrap(&truth.lesions, |times| {
        figures(&counts(labels, &predictions, times), answers.bytes)
    });
    let figure = |at: usize| figure(&values, &draws, at, chance.confidence);
    let areas = auroc(CLASSES, labels, rows).expect(fits);
    let known: Vec<f64> = areas.iter().copied().flatten().collect();
    let support = confusion.support();
    let class = |class: LesionClass| {
        let at = FIRST_CLASS + class.index();
        ClassFigures {
            class,
            risk: class.risk(),
            support: support[class.index()],
            precision: figure(at),
            recall: figure(at + CLASSES),
            f1: figure(at + 2 * CLASSES),
            auroc: areas[class.index()],
        }
    };
    let risk = |(position, (risk, weight))| RiskFigures {
        risk,
        weight,
        f1: figure(FIRST_RISK + position),
    };
    Evaluation {
        bytes: answers.bytes,
        score: figure(SCORE),
        accuracy: figure(ACCURACY),
        weighted_f1: figure(WEIGHTED_F1),
        balanced_accuracy: figure(BALANCED_ACCURACY),
        efficiency: score_of(&confusion, answers.bytes).metrics["efficiency"],
        risks: GROUPS.into_iter().enumerate().map(risk).collect(),
        classes: LesionClass::ALL.into_iter().map(class).collect(),
        mean_auroc: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
        confusion: (0..CLASSES)
            .map(|label| (0..CLASSES).map(|p| confusion.count(label, p)).collect())
            .collect(),
        calibration: calibration(CLASSES, labels, rows, BINS, TOLERANCE).expect(fits),
        not_probabilities: rows.iter().filter(|row| !probabilities(row)).count(),
    }
}

fn figure(values: &[f64], draws: &Distribution, at: usize, confidence: f64) -> Figure {
    Figure {
        value: values[at],
        interval: draws.interval(at, confidence),
    }
}

fn probabilities(row: &[f32]) -> bool {
    let sum: f64 = row.iter().map(|&value| f64::from(value)).sum();
    row.iter().all(|&value| value >= 0.0) && (sum - 1.0).abs() <= TOLERANCE
}

/// A figure of one model less that of another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// On these images.
    pub value: f64,
    /// Its interval; both models are judged under the same draws.
    #[serde(flatten)]
    pub interval: Interval,
    /// The probability of a difference as large as this by chance, from the same draws.
    pub p_value: f64,
}

/// How a model differs from another on the same images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Of the score.
    pub score: Difference,
    /// Of the accuracy.
    pub accuracy: Difference,
    /// Of the weighted F1.
    pub weighted_f1: Difference,
    /// Of the balanced accuracy.
    pub balanced_accuracy: Difference,
    /// The probability that answers which are alike differ as much in 0.5 accuracy + 0.5 weighted F1: a randomisation
    /// test, lesion by lesion. The sizes do not count here.
    pub answers_p_value: f64,
    /// What the intervals hold: with several comparisons each must be surer (Bonferroni).
    pub confidence: f64,
    /// Whether the interval of the score's difference leaves out 0.
    pub significant: bool,
}

/// How `model` differs from `other` in its answers to the same images, as one of `comparisons`.
///
/// # Panics
/// When there are no images or comparisons, or not one answer of each for each image.
pub fn compare(
    truth: &Truth,
    model: &Answers,
    other: &Answers,
    chance: &Chance,
    comparisons: usize,
) -> Comparison {
    assert!(comparisons > 0, "this is one of them");
    let labels = &truth.labels;
    let both = [model, other].map(|answers| (answers.predictions(), answers.bytes));
    let differences = |times: &[u32]| {
        let [model, other] = both
            .each_ref()
            .map(|(predictions, bytes)| figures(&counts(labels, predictions, times), *bytes));
        let pairs = model.iter().zip(&other).take(FIRST_RISK);
        pairs
            .map(|(model, other)| model - other)
            .collect::<Vec<f64>>()
    };
    let observed = differences(&vec![1; labels.len()]);
    let draws = chance.resampling.bootstrap(&truth.lesions, differences);
    let confidence = 1.0 - (1.0 - chance.confidence) / comparisons as f64;
    let difference = |at: usize| Difference {
        value: observed[at],
        interval: draws.interval(at, confidence),
        p_value: (draws.p_value(at) * comparisons as f64).min(1.0),
    };
    let swapped = |swapped: &[bool]| {
        let quality = |own: usize| {
            let (own, others) = (&both[own].0, &both[1 - own].0);
            let rows = own.iter().zip(others).zip(swapped);
            let predictions: Vec<usize> = rows
                .map(|((own, other), &swap)| if swap { *other } else { *own })
                .collect();
            let times = vec![1; labels.len()];
            // Of equal size, so that only the answers differ.
            score_of(&counts(labels, &predictions, &times), 0).score
        };
        quality(0) - quality(1)
    };
    let score = difference(SCORE);
    Comparison {
        score,
        accuracy: difference(ACCURACY),
        weighted_f1: difference(WEIGHTED_F1),
        balanced_accuracy: difference(BALANCED_ACCURACY),
        answers_p_value: chance.resampling.permutation(&truth.lesions, swapped),
        confidence,
        significant: score.interval.low > 0.0 || score.interval.high < 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subnet::tricorder::score;
    use agon_dataset::skin::{Demographics, Sex, Site};

    const CHANCE: Chance = Chance {
        confidence: 0.95,
        resampling: Resampling {
            resamples: 500,
            seed: 3,
        },
    };

    /// 300 images of 150 lesions of seven classes.
    fn truth() -> (Truth, Vec<usize>) {
        let classes = [0, 1, 3, 4, 7, 8, 10];
        let record = |image: usize| Record {
            image_id: format!("I{image}"),
            lesion_id: format!("L{}", image / 2),
            patient_id: None,
            group: None,
            source: String::new(),
            digest: None,
            path: "absent".into(),
            class: LesionClass::ALL[classes[image / 2 % 7]],
            demographics: Demographics {
                age: None,
                sex: Sex::Unknown,
                site: Site::Unknown,
            },
        };
        let records: Vec<Record> = (0..300).map(record).collect();
        let labels = records.iter().map(|record| record.class.index()).collect();
        (Truth::new(&records), labels)
    }

    /// The label, except that every `wrong`-th image is taken for a naevus.
    fn answers(labels: &[usize], wrong: usize) -> Answers {
        let row = |(image, &label): (usize, &usize)| {
            let mut row = vec![0.02f32; CLASSES];
            row[if image % wrong == 0 { 8 } else { label }] = 0.8;
            row
        };
        Answers {
            rows: labels.iter().enumerate().map(row).collect(),
            bytes: 1000,
        }
    }

    #[test]
    fn the_figures_are_those_of_the_validators_and_lie_in_their_intervals() {
        let (truth, labels) = truth();
        assert_eq!((truth.images(), truth.lesions()), (300, 150));
        let answers = answers(&labels, 3);
        let result = evaluate(&truth, &answers, &CHANCE);
        let official = score(&labels, &answers.predictions(), 1000);
        assert_eq!(result.score.value, official.score);
        assert_eq!(result.accuracy.value, official.metrics["accuracy"]);
        assert_eq!(result.weighted_f1.value, official.metrics["weighted_f1"]);
        assert_eq!(result.efficiency, 1.0);
        for figure in [result.score, result.accuracy, result.balanced_accuracy] {
            let Interval { low, high } = figure.interval;
            assert!(low < figure.value && figure.value < high, "{figure:?}");
            assert!(high - low < 0.2);
        }
        let weighted: f64 = result.risks.iter().map(|r| r.weight * r.f1.value).sum();
        assert!((weighted / 6.0 - result.weighted_f1.value).abs() < 1e-6);
        let absent = &result.classes[LesionClass::Inf.index()];
        assert_eq!(
            (absent.support, absent.f1.value, absent.auroc),
            (0, 0.0, None)
        );
        let naevus = &result.classes[LesionClass::Nv.index()];
        assert_eq!(naevus.recall.value, 1.0);
        let counted: u64 = result.confusion.iter().flatten().sum();
        assert_eq!(counted, 300);
        assert_eq!(result.not_probabilities, 0);
        let calibration = result.calibration.unwrap();
        assert!((calibration.expected_error - (0.8 - result.accuracy.value).abs()).abs() < 1e-6);
    }

    #[test]
    fn answers_that_are_not_probabilities_are_counted_and_not_mended() {
        let (truth, labels) = truth();
        let mut answers = answers(&labels, 3);
        let before = evaluate(&truth, &answers, &CHANCE);
        answers.rows[7].iter_mut().for_each(|value| *value *= 10.0);
        let after = evaluate(&truth, &answers, &CHANCE);
        assert_eq!((after.not_probabilities, &after.calibration), (1, &None));
        assert_eq!(after.score, before.score);
    }

    #[test]
    fn a_better_model_is_told_from_a_worse_one_and_from_itself() {
        let (truth, labels) = truth();
        let (good, bad) = (answers(&labels, 10), answers(&labels, 2));
        let better = compare(&truth, &good, &bad, &CHANCE, 1);
        assert!(better.significant && better.score.value > 0.1);
        assert!(better.score.interval.low > 0.0 && better.score.p_value < 0.05);
        assert!(better.answers_p_value < 0.05);
        let worse = compare(&truth, &bad, &good, &CHANCE, 1);
        assert_eq!(worse.score.value, -better.score.value);
        assert!(worse.significant);
        let itself = compare(&truth, &good, &good, &CHANCE, 1);
        assert!(!itself.significant);
        assert_eq!((itself.score.p_value, itself.answers_p_value), (1.0, 1.0));
    }

    #[test]
    fn several_comparisons_must_each_be_surer() {
        let (truth, labels) = truth();
        let (a, b) = (answers(&labels, 6), answers(&labels, 5));
        let alone = compare(&truth, &a, &b, &CHANCE, 1);
        let one_of_five = compare(&truth, &a, &b, &CHANCE, 5);
        assert!((one_of_five.confidence - 0.99).abs() < 1e-12);
        assert!(one_of_five.score.interval.low < alone.score.interval.low);
        assert!(one_of_five.score.p_value >= alone.score.p_value);
    }

    #[test]
    fn a_smaller_file_alone_makes_a_sure_difference_of_the_score() {
        let (truth, labels) = truth();
        let small = answers(&labels, 3);
        let large = Answers {
            bytes: 100 << 20,
            ..small.clone()
        };
        let result = compare(&truth, &small, &large, &CHANCE, 1);
        assert!((result.score.value - 0.05).abs() < 1e-9 && result.significant);
        assert_eq!(result.answers_p_value, 1.0);
        assert_eq!(result.accuracy.value, 0.0);
    }
}
