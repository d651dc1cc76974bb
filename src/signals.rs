//! Being told to stop.

use crate::failure::Failure;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// Returns when the user presses Ctrl-C, or a supervisor says the same with SIGTERM. Where neither can be heard it
/// never returns.
pub async fn told_to_stop() {
    let mut heard = tokio::task::JoinSet::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        match signal(kind) {
            Ok(mut signal) => {
                heard.spawn(async move { signal.recv().await });
            }
            Err(error) => tracing::warn!(%error, "a signal cannot be heard"),
        }
    }
    if heard.join_next().await.is_none() {
        std::future::pending().await
    }
}

/// While this is held, being told to stop ends the process at once: for long work that does not listen, and would leave
/// nothing behind.
pub struct EndsAtOnce(JoinHandle<()>);

impl EndsAtOnce {
    /// From now on.
    pub fn begin() -> Self {
        Self(tokio::spawn(async {
            told_to_stop().await;
            std::process::exit(Failure::INTERRUPTED.into());
        }))
    }
}

impl Drop for EndsAtOnce {
    fn drop(&mut self) {
        self.0.abort();
    }
}
