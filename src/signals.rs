//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};

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
