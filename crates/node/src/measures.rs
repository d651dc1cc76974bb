//! What a node counts. The façade is `metrics`: without a recorder in the process it costs next to nothing.

use crate::pool::Load;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use std::time::Duration;

const HEIGHT: &str = "agon_block_height";
const SEALED: &str = "agon_blocks_sealed_total";
const SEAL_TIME: &str = "agon_block_seal_seconds";
const INCLUDED: &str = "agon_transactions_included_total";
const DROPPED: &str = "agon_transactions_dropped_total";
const REFUSED: &str = "agon_transactions_refused_total";
const READY: &str = "agon_pool_ready";
const FUTURE: &str = "agon_pool_future";
const POOL_BYTES: &str = "agon_pool_bytes";
const CONNECTIONS: &str = "agon_rpc_connections";
const SUBSCRIPTIONS: &str = "agon_rpc_subscriptions";
const REQUESTS: &str = "agon_rpc_requests_total";

/// Tells the process's recorder what the names mean.
pub fn describe() {
    describe_gauge!(HEIGHT, "Number of the newest block");
    describe_counter!(SEALED, "Blocks made since the start");
    describe_histogram!(
        SEAL_TIME,
        Unit::Seconds,
        "Time to make blocks durable, jumps in batches"
    );
    describe_counter!(INCLUDED, "Transactions put into blocks");
    describe_counter!(
        DROPPED,
        "Transactions that became invalid while they waited"
    );
    describe_counter!(REFUSED, "Transactions refused on arrival");
    describe_gauge!(READY, "Waiting transactions the next block may hold");
    describe_gauge!(FUTURE, "Waiting transactions behind a nonce gap");
    describe_gauge!(POOL_BYTES, Unit::Bytes, "Bytes of all waiting transactions");
    describe_gauge!(CONNECTIONS, "Open connections");
    describe_gauge!(SUBSCRIPTIONS, "Open subscriptions");
    describe_counter!(REQUESTS, "Requests");
}

/// The newest block.
pub fn height(number: u32) {
    gauge!(HEIGHT).set(f64::from(number));
}

/// One block is made.
pub fn sealed(included: usize, dropped: usize) {
    counter!(SEALED).increment(1);
    counter!(INCLUDED).increment(included as u64);
    counter!(DROPPED).increment(dropped as u64);
}

/// How long it took.
pub fn seal_time(time: Duration) {
    histogram!(SEAL_TIME).record(time.as_secs_f64());
}

/// What waits.
pub fn load(load: Load) {
    gauge!(READY).set(load.ready as f64);
    gauge!(FUTURE).set(load.future as f64);
    gauge!(POOL_BYTES).set(load.bytes as f64);
}

/// One transaction is refused.
pub fn refused() {
    counter!(REFUSED).increment(1);
}

/// One request came.
pub fn request() {
    counter!(REQUESTS).increment(1);
}

/// Something that is open as long as this lives.
pub struct Open(&'static str);

impl Open {
    /// A connection.
    pub fn connection() -> Self {
        Self::of(CONNECTIONS)
    }

    /// A subscription.
    pub fn subscription() -> Self {
        Self::of(SUBSCRIPTIONS)
    }

    fn of(name: &'static str) -> Self {
        gauge!(name).increment(1);
        Self(name)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1);
    }
}
