//! The terminal: results on standard output, talk on standard error, bars only when someone looks.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::{ErrorKind, IsTerminal, Result, Write};
use std::sync::Mutex;

/// One result, on standard output. That nobody reads any more (`agon … | head`) is no failure.
///
/// # Errors
/// When it cannot be written for another reason, for example to a full disk.
pub fn result(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// One line of talk, on standard error. If nobody can hear it, nothing is lost.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Owns what is shown on the terminal.
pub struct Printer {
    bars: MultiProgress,
    running: Mutex<HashMap<String, ProgressBar>>,
}

impl Printer {
    /// A printer; `plain` hides the bars even on a terminal (a detailed log would tear them).
    pub fn new(plain: bool) -> Self {
        let target = if plain || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            running: Mutex::new(HashMap::new()),
        }
    }

    /// One line of talk.
    pub fn say(&self, line: &str) {
        self.bars.suspend(|| say(line));
    }

    /// One result, on standard output.
    pub fn result(&self, text: &str) {
        if let Err(error) = self.bars.suspend(|| result(text)) {
            self.say(&format!("the result cannot be written: {error}"));
        }
    }

    /// Move the bar called `name` to `done` of `total`; it appears with its first move and goes when
    /// it is full.
    pub fn progress(&self, name: &str, done: u64, total: u64, message: String) {
        let Ok(mut running) = self.running.lock() else {
            return;
        };
        let bar = running.entry(name.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(total));
            let template = "{prefix:>12} [{bar:30}] {pos}/{len} {msg} (left: {eta})";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(name.to_owned());
            bar
        });
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(message);
        if done >= total
            && let Some(bar) = running.remove(name)
        {
            bar.finish_and_clear();
        }
    }
}
