//! A released test archive as something to judge with.
//!
//! The original takes an archive with up to two errors in it as it stands, and cancels the competition otherwise. Ours
//! leaves out the rows that cannot be judged on, on both sides, and says how many. Which images can be decoded is found
//! out before any model is asked, so that an image that cannot is no model's trouble, and the same for every validator.

use super::Tricorder;
use crate::pictures::unreadable;
use crate::release::{Progress, Reading};
use crate::reward::Scoring;
use agon_dataset::image::ImageError;
use agon_dataset::skin::Record;
use agon_dataset::skin::released::{self, ReleasedError, Row};
use agon_model::inference::Engine;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// With more errors than this the original cancels.
const MAX_ERRORS: usize = 2;

/// Processor time of a model for each sample, where the usual budget would be less: an archive is judged whole.
const EACH: Duration = Duration::from_secs(5);

/// What an unpacked archive is judged with: all of it, or `sample` images drawn anew each time.
///
/// # Errors
/// When the disk fails. That the archive cannot be judged on is an answer.
pub fn read(
    directory: &Path,
    scoring: Scoring,
    engine: Engine,
    sample: Option<usize>,
    progress: &Progress,
) -> io::Result<Reading> {
    let rows = match released::read(directory) {
        Ok(rows) => rows,
        Err(ReleasedError::Io { source, .. }) => return Err(source),
        Err(error) => return Ok(Reading::cancelled(0, error.to_string())),
    };
    let all = rows.len();
    let records = match scoring {
        Scoring::Original => original(rows, progress)?,
        Scoring::Robust => robust(rows, progress)?,
    };
    let records = match records {
        Ok(records) => records,
        Err(reason) => return Ok(Reading::cancelled(all, reason)),
    };
    let (samples, dropped) = (records.len(), all - records.len());
    let count = sample.unwrap_or(samples);
    let competition = Tricorder::new(records, count)
        .with_scoring(scoring)
        .with_engine(engine);
    let mut budget = competition.budget.clone();
    let needed = EACH.saturating_mul(u32::try_from(count.min(samples)).unwrap_or(u32::MAX));
    budget.total = budget.total.max(needed);
    Ok(Reading {
        samples,
        dropped,
        competition: Ok(Arc::new(competition.with_budget(budget))),
    })
}

/// All rows, unless there are too many errors in them.
fn original(rows: Vec<Row>, progress: &Progress) -> io::Result<Result<Vec<Record>, String>> {
    let errors = |row: &Row| {
        let has_no_record = usize::from(row.record.is_err());
        row.gaps + usize::from(row.invalid.is_some()) + has_no_record
    };
    let count: usize = rows.iter().map(errors).sum();
    if count > MAX_ERRORS {
        let first = rows.iter().find(|row| errors(row) > 0);
        let first = first.map_or(String::new(), |row| format!("; the first: {}", told(row)));
        return Ok(Err(format!(
            "{count} errors in the data, at most {MAX_ERRORS} are taken{first}"
        )));
    }
    // A label that is none, or an image less than there are labels, gives everybody nothing there.
    let records = rows.into_iter().map(|row| {
        let line = row.line;
        row.record
            .map_err(|reason| format!("line {line}: {reason}"))
    });
    let records: Vec<Record> = match records.collect() {
        Ok(records) => records,
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(match undecodable(&records, progress)?.first() {
        None => Ok(records),
        Some((at, reason)) => Err(format!(
            "the image {:?} cannot be read: {reason}",
            records[*at].image_id
        )),
    })
}

/// The rows that can be judged on.
fn robust(rows: Vec<Row>, progress: &Progress) -> io::Result<Result<Vec<Record>, String>> {
    let usable = rows.into_iter().filter(|row| row.invalid.is_none());
    let mut records: Vec<Record> = usable.filter_map(|row| row.record.ok()).collect();
    let failed: Vec<usize> = undecodable(&records, progress)?
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    let mut at = 0;
    records.retain(|_| {
        let is_read = failed.binary_search(&at).is_err();
        at += 1;
        is_read
    });
    Ok(match records.is_empty() {
        true => Err("no row of the data can be judged on".to_owned()),
        false => Ok(records),
    })
}

/// The images that are none, by their place. That this machine does not read one is no fault of the image.
fn undecodable(records: &[Record], progress: &Progress) -> io::Result<Vec<(usize, ImageError)>> {
    let found = unreadable(records, progress).into_iter();
    found
        .map(|(at, error)| match error {
            ImageError::Io(error) => Err(error),
            error => Ok((at, error)),
        })
        .collect()
}

fn told(row: &Row) -> String {
    let what = match (&row.record, &row.invalid) {
        (Err(reason), _) => reason.clone(),
        (_, Some(reason)) => reason.clone(),
        _ => "age, gender or location is missing".to_owned(),
    };
    format!("line {}: {what}", row.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_dataset::skin::synthetic::{Synthetic, generate};

    /// An unpacked archive of six images with this table; the last image is none.
    fn archive(table: &str) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        let small = Synthetic {
            images: 6,
            width: 24,
            height: 18,
            ..Synthetic::default()
        };
        let drawn = tempfile::tempdir().unwrap();
        generate(drawn.path(), &small, &|_, _| {}).unwrap();
        let images = std::fs::read_dir(drawn.path().join("images")).unwrap();
        let mut images: Vec<_> = images.map(|entry| entry.unwrap().path()).collect();
        images.sort();
        for (at, image) in images.iter().enumerate() {
            std::fs::copy(image, place.path().join(format!("{at}.jpg"))).unwrap();
        }
        std::fs::write(place.path().join("5.jpg"), "no image").unwrap();
        std::fs::write(place.path().join("labels.csv"), table).unwrap();
        place
    }

    const HEADER: &str = "filename,class,age,gender,location\n";

    fn table(rows: &[&str]) -> String {
        let rows: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(at, row)| format!("{at}.jpg,{row}\n"))
            .collect();
        format!("{HEADER}{}", rows.concat())
    }

    fn reading(table: &str, scoring: Scoring) -> (usize, usize, Option<String>) {
        let place = archive(table);
        let reading = read(place.path(), scoring, Engine::default(), None, &|_, _| {}).unwrap();
        let cancelled = reading.competition.as_ref().err().cloned();
        (reading.samples, reading.dropped, cancelled)
    }

    #[test]
    fn the_original_takes_two_errors_and_not_three() {
        let two = table(&["NV,50,f,arm", "MEL,,f,arm", "BCC,45.0,m,leg"]);
        assert_eq!(reading(&two, Scoring::Original), (3, 0, None));
        let three = table(&["NV,50,f,arm", "MEL,,f,arm", "BCC,45.0,m,knee"]);
        let (samples, _, reason) = reading(&three, Scoring::Original);
        let reason = reason.unwrap();
        assert_eq!(samples, 0);
        assert!(
            reason.contains("3 errors") && reason.contains("line 3"),
            "{reason}"
        );
        // What is missing is unknown, and no reason to leave a row out.
        assert_eq!(reading(&three, Scoring::Robust), (3, 0, None));
    }

    #[test]
    fn bad_rows_and_images_are_left_out_on_both_sides_or_cancel() {
        let rows = [
            "NV,50,f,arm",
            "XX,50,f,arm",
            "BCC,200,m,leg",
            "2,9,m,leg",
            "DF,9,m,leg",
            "MEL,9,m,leg",
        ];
        assert_eq!(reading(&table(&rows), Scoring::Robust), (3, 3, None));
        let one = |row: &str| reading(&table(&["NV,50,f,arm", row]), Scoring::Original);
        assert!(one("XX,50,f,arm").2.unwrap().contains("line 3: the class"));
        let unread = table(&[
            "NV,50,f,arm",
            "NV,50,f,arm",
            "NV,50,f,arm",
            "NV,50,f,arm",
            "NV,50,f,arm",
            "NV,50,f,arm",
        ]);
        let reason = reading(&unread, Scoring::Original).2.unwrap();
        assert!(reason.contains("\"5.jpg\" cannot be read"), "{reason}");
        // Nothing of this machine stands in a reason.
        assert!(!reason.contains("/tmp"), "{reason}");
        let nothing = format!("{HEADER}5.jpg,NV,1,f,arm\n");
        assert!(
            reading(&nothing, Scoring::Robust)
                .2
                .unwrap()
                .contains("no row")
        );
        assert!(
            reading("a,b\n1,2\n", Scoring::Robust)
                .2
                .unwrap()
                .contains("newfilename")
        );
    }
}
