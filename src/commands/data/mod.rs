//! `agon data`: public data sets, and what is made of them.

mod download;
pub mod environment;
mod prepare;

use crate::args::{Data, DataCommand, DataSubnet, Synthesize};
use crate::commands::session::document;
use crate::failure::Failure;
use crate::printer::{Printer, result, say};
use crate::signals::told_to_stop;
use agon_dataset::chest::synthetic as x_rays;
use agon_dataset::skin::synthetic::{self as lesions, GenerateError};
use anyhow::anyhow;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Run the command; Ctrl-C or SIGTERM ends it at the next step, with nothing half-written under its final name.
pub async fn run(data: Data) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    tokio::spawn(async move {
        told_to_stop().await;
        flag.store(true, Ordering::Relaxed);
    });
    let work = move || match data.command {
        DataCommand::List(list) => download::list(list.subnet, list.source, list.json),
        DataCommand::Download(download) if download.list => download::list(
            download.subnet,
            download.source.unwrap_or(crate::args::SourceName::All),
            download.json,
        ),
        DataCommand::Download(download) => download::run(&download, &stop),
        DataCommand::Verify(verify) => download::verify(&verify, &stop),
        DataCommand::Prepare(prepare) => match prepare.subnet {
            DataSubnet::Tricorder => prepare::run(&prepare, &stop),
            DataSubnet::Healthcare => Err(Failure::User(anyhow!(
                "X-rays need no preparation: `agon train healthcare --data-dir DIR` reads them as they were downloaded"
            ))),
        },
        DataCommand::Synthesize(synthesize) => run_synthesize(&synthesize),
    };
    tokio::task::spawn_blocking(work).await?
}

fn run_synthesize(options: &Synthesize) -> Result<(), Failure> {
    let printer = Printer::new(false);
    let (seed, images) = (options.seed, options.num_samples as usize);
    let directory = &options.output_dir;
    let progress = |done: usize, total: usize| {
        printer.progress("images", done as u64, total as u64, String::new());
    };
    let generated = match options.subnet {
        DataSubnet::Tricorder => {
            let parameters = lesions::Synthetic {
                seed,
                images,
                ..lesions::Synthetic::default()
            };
            lesions::generate(directory, &parameters, &progress)
        }
        DataSubnet::Healthcare => {
            let parameters = x_rays::Synthetic {
                seed,
                images,
                labels: options.labels.clone(),
                ..x_rays::Synthetic::default()
            };
            x_rays::generate(directory, &parameters, &progress)
        }
    };
    generated.map_err(|error| match error {
        GenerateError::Io { .. } => Failure::Ours(error.into()),
        other => Failure::user(other),
    })?;
    if options.json {
        let made = json!({ "directory": directory, "images": images, "seed": seed });
        result(&document(made).to_string())?;
    } else {
        result(&format!(
            "{images} generated images in {}",
            directory.display()
        ))?;
    }
    say("they are drawn, not photographed: they say nothing about medicine");
    Ok(())
}
