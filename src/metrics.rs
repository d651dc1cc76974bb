//! Measures, served for Prometheus.

use crate::args::node::Metrics;
use crate::failure::Failure;
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::net::{Ipv4Addr, SocketAddr};

/// Where the metrics are served, if they are.
pub fn serve(metrics: &Metrics) -> Result<Option<SocketAddr>, Failure> {
    if metrics.prometheus_port == 0 {
        return Ok(None);
    }
    let host = if metrics.prometheus_external {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    let address = SocketAddr::from((host, metrics.prometheus_port));
    PrometheusBuilder::new()
        .with_http_listener(address)
        .install()
        .with_context(|| format!("cannot serve metrics on {address} (--prometheus-port)"))
        .map_err(Failure::User)?;
    Ok(Some(address))
}
