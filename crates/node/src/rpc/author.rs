//! `author_*`: transactions in.

use super::{Module, accept, error, notify};
use crate::{
    chain::{Chain, Submitted},
    pool::Fate,
};
use jsonrpsee::{
    PendingSubscriptionSink,
    core::RegisterMethodError,
    types::{ErrorObjectOwned, Params},
};
use serde_json::json;
use sp_core::{Bytes, H256};
use std::sync::Arc;
use tokio::task::spawn_blocking;

pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("author_submitExtrinsic", |params, chain, _| {
        let bytes: Bytes = params.one()?;
        Ok::<H256, ErrorObjectOwned>(chain.submit(bytes.0)?.hash)
    })?;
    module.register_method("author_pendingExtrinsics", |_, chain, _| {
        chain.pending().into_iter().map(Bytes).collect::<Vec<_>>()
    })?;
    module.register_subscription(
        "author_submitAndWatchExtrinsic",
        "author_extrinsicUpdate",
        "author_unwatchExtrinsic",
        |params, pending, chain, _| async move {
            match submit(&params, chain.clone()).await {
                Ok(submitted) => watch(submitted, pending).await,
                Err(failure) => pending.reject(failure).await,
            }
        },
    )?;
    Ok(())
}

async fn submit(params: &Params<'_>, chain: Arc<Chain>) -> Result<Submitted, ErrorObjectOwned> {
    let bytes: Bytes = params.one()?;
    spawn_blocking(move || chain.submit(bytes.0))
        .await
        .map_err(error::client)?
        .map_err(Into::into)
}

/// Tells what becomes of a transaction. A block is final when it is made, so both come at once.
async fn watch(submitted: Submitted, pending: PendingSubscriptionSink) {
    let Some(sink) = accept(pending).await else {
        return;
    };
    notify(&sink, &if submitted.ready { "ready" } else { "future" }).await;
    let fate = tokio::select! {
        fate = submitted.fate => fate,
        // Many clients only want the first word.
        () = sink.closed() => return,
    };
    match fate {
        Ok(Fate::Included(block)) => {
            notify(&sink, &json!({ "inBlock": block })).await;
            notify(&sink, &json!({ "finalized": block })).await;
        }
        Ok(Fate::Invalid) => {
            notify(&sink, &"invalid").await;
        }
        Err(_) => {} // the node is stopping
    }
}
