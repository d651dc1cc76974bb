//! `author_*`: transactions in.

use super::{Api, Module, error, notify};
use crate::{chain::Submitted, measures, pool::Fate};
use jsonrpsee::{
    PendingSubscriptionSink,
    core::RegisterMethodError,
    types::{ErrorObjectOwned, Params},
};
use serde_json::json;
use sp_core::{Bytes, H256};
use std::sync::Arc;

pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_async_method("author_submitExtrinsic", |params, api, _| async move {
        Ok::<H256, ErrorObjectOwned>(submit(&params, &api).await?.hash)
    })?;
    module.register_method("author_pendingExtrinsics", |_, api, _| {
        let pending = api.chain.pending().into_iter();
        pending.map(Bytes).collect::<Vec<_>>()
    })?;
    module.register_subscription(
        "author_submitAndWatchExtrinsic",
        "author_extrinsicUpdate",
        "author_unwatchExtrinsic",
        |params, pending, api, _| async move {
            // Before the transaction is taken: a watcher that finds no room must not have submitted.
            let Some(_place) = api.place() else {
                return pending.reject(error::too_many_subscriptions()).await;
            };
            match submit(&params, &api).await {
                Ok(submitted) => watch(submitted, pending).await,
                Err(failure) => pending.reject(failure).await,
            }
        },
    )?;
    Ok(())
}

async fn submit(params: &Params<'_>, api: &Arc<Api>) -> Result<Submitted, ErrorObjectOwned> {
    let bytes: Bytes = params.one()?;
    let _turn = api.submissions.acquire().await.map_err(error::client)?;
    let submitted = api.chain.submit(bytes.0).await;
    let submitted = submitted.inspect_err(|_| measures::refused())?;
    if submitted.ready {
        api.author.wake();
    }
    Ok(submitted)
}

/// Tells what becomes of a transaction. A block is final when it is made, so both come at once.
async fn watch(submitted: Submitted, pending: PendingSubscriptionSink) {
    let Ok(sink) = pending.accept().await else {
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
