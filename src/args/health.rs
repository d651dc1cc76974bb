//! Where the health of a long-running command is served.

use clap::Args;

#[derive(Debug, Args)]
pub struct Watching {
    /// Serve /health (JSON; status 503 when something is stuck) and /metrics (Prometheus) on this port of this
    /// machine, 0 for a free one; default: nowhere.
    #[arg(long = "health.port", value_name = "PORT")]
    pub health_port: Option<u16>,
}
