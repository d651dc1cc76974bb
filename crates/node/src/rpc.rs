//! The Substrate JSON-RPC, WebSocket and HTTP on one port.
//!
//! The classic methods only: clients use the `chainHead_v1` family as soon as `rpc_methods` names it, and none of
//! them needs it. A request that reads the state or the disk runs on a thread that may block.

mod author;
mod blocks;
mod error;
mod state;
mod system;

use crate::chain::Chain;
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionSink,
    core::RegisterMethodError,
    server::{BatchRequestConfig, RandomStringIdProvider, Server, ServerConfig, ServerHandle},
};
use serde::Serialize;
use serde_json::{json, value::to_raw_value};
use std::{io, net::SocketAddr, sync::Arc};

const MAX_CONNECTIONS: u32 = 256;
/// The Rust client opens a subscription for every transaction it submits.
const MAX_SUBSCRIPTIONS_PER_CONNECTION: u32 = 4_096;
const MAX_REQUEST_BYTES: u32 = 8 << 20;
/// A large subnet's neurons in hexadecimal.
const MAX_RESPONSE_BYTES: u32 = 64 << 20;
const MAX_BATCH: u32 = 128;

type Module = RpcModule<Chain>;

/// Serves `chain`; gives the address that was bound. Stops when every handle is dropped.
pub async fn serve(
    listen: SocketAddr,
    chain: Arc<Chain>,
) -> io::Result<(SocketAddr, ServerHandle)> {
    let configuration = ServerConfig::builder()
        .max_connections(MAX_CONNECTIONS)
        .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS_PER_CONNECTION)
        .max_request_body_size(MAX_REQUEST_BYTES)
        .max_response_body_size(MAX_RESPONSE_BYTES)
        .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
        // The Python clients expect subscription ids to be strings.
        .set_id_provider(RandomStringIdProvider::new(16))
        .build();
    let server = Server::builder()
        .set_config(configuration)
        .build(listen)
        .await?;
    let address = server.local_addr()?;
    let module = module(chain).expect("every method name is registered once");
    Ok((address, server.start(module)))
}

fn module(chain: Arc<Chain>) -> Result<Module, RegisterMethodError> {
    let mut module = RpcModule::from_arc(chain);
    author::register(&mut module)?;
    blocks::register(&mut module)?;
    state::register(&mut module)?;
    system::register(&mut module)?;
    let mut names: Vec<&str> = module.method_names().chain(["rpc_methods"]).collect();
    names.sort_unstable();
    let methods = json!({ "methods": names });
    module.register_method("rpc_methods", move |_, _, _| methods.clone())?;
    Ok(module)
}

/// Accepts a subscription; `None` when the client is gone.
async fn accept(pending: PendingSubscriptionSink) -> Option<SubscriptionSink> {
    pending.accept().await.ok()
}

/// Sends one notification; false when the client is gone.
async fn notify(sink: &SubscriptionSink, value: &impl Serialize) -> bool {
    let raw =
        to_raw_value(value).expect("headers, hashes and bytes have no key that is not a string");
    sink.send(raw).await.is_ok()
}
