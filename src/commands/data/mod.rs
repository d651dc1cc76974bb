//! `agon data`: public data sets, and what is made of them.

mod download;
mod prepare;

use crate::args::{Data, DataCommand, Synthesize};
use crate::commands::session::document;
use crate::failure::Failure;
use crate::printer::{Printer, result, say};
use agon_dataset::skin::synthetic::{GenerateError, Synthetic, generate};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Run the command; Ctrl-C ends it at the next step, with nothing half-written under its final name.
pub async fn run(data: Data) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.store(true, Ordering::Relaxed);
        }
    });
    let work = move || match data.command {
        DataCommand::List(list) => download::list(list.source, list.json),
        DataCommand::Download(download) if download.list => download::list(
            download.source.unwrap_or(crate::args::SourceName::All),
            download.json,
        ),
        DataCommand::Download(download) => download::run(&download, &stop),
        DataCommand::Verify(verify) => download::verify(&verify, &stop),
        DataCommand::Prepare(prepare) => prepare::run(&prepare, &stop),
        DataCommand::Synthesize(synthesize) => run_synthesize(&synthesize),
    };
    tokio::task::spawn_blocking(work).await?
}

fn run_synthesize(options: &Synthesize) -> Result<(), Failure> {
    let printer = Printer::new(false);
    let parameters = Synthetic {
        seed: options.seed,
        images: options.num_samples as usize,
        ..Synthetic::default()
    };
    let directory = &options.output_dir;
    generate(directory, &parameters, &|done, total| {
        printer.progress("images", done as u64, total as u64, String::new());
    })
    .map_err(|error| match error {
        GenerateError::Io { .. } => Failure::Ours(error.into()),
        other => Failure::user(other),
    })?;
    if options.json {
        let made =
            json!({ "directory": directory, "images": parameters.images, "seed": parameters.seed });
        result(&document(made).to_string())?;
    } else {
        result(&format!(
            "{} generated images in {}",
            parameters.images,
            directory.display()
        ))?;
    }
    say("they are drawn, not photographed: they say nothing about medicine");
    Ok(())
}
