//! `chain_*`: blocks and their headers.

use super::{Api, Module, accept, error::bad_parameter, notify};
use crate::{
    chain::{Chain, Head},
    storage::StorageError,
};
use agon_runtime::Header;
use jsonrpsee::{PendingSubscriptionSink, core::RegisterMethodError, types::ErrorObjectOwned};
use serde::Deserialize;
use serde_json::{Value, json};
use sp_core::{Bytes, H256};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// The most numbers one `chain_getBlockHash` may ask for.
const MAX_NUMBERS: usize = 1_000;

pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("chain_getBlockHash", |params, api, _| {
        block_hash(&api.chain, params.sequence().optional_next()?)
    })?;
    module.register_alias("chain_getHead", "chain_getBlockHash")?;
    module.register_method("chain_getFinalizedHead", |_, api, _| {
        Ok::<_, ErrorObjectOwned>(api.chain.head().hash)
    })?;
    module.register_alias("chain_getFinalisedHead", "chain_getFinalizedHead")?;
    module.register_blocking_method("chain_getHeader", |params, api, _| {
        Ok::<_, ErrorObjectOwned>(api.chain.header_at(params.sequence().optional_next()?)?)
    })?;
    module.register_blocking_method("chain_getBlock", |params, api, _| {
        Ok::<_, ErrorObjectOwned>(block(&api.chain, params.sequence().optional_next()?)?)
    })?;
    for (subscribe, notification, unsubscribe, aliases) in [
        (
            "chain_subscribeNewHeads",
            "chain_newHead",
            "chain_unsubscribeNewHeads",
            &[
                ("chain_subscribeNewHead", "chain_unsubscribeNewHead"),
                ("subscribe_newHead", "unsubscribe_newHead"),
            ][..],
        ),
        (
            "chain_subscribeFinalizedHeads",
            "chain_finalizedHead",
            "chain_unsubscribeFinalizedHeads",
            &[(
                "chain_subscribeFinalisedHeads",
                "chain_unsubscribeFinalisedHeads",
            )],
        ),
        (
            "chain_subscribeAllHeads",
            "chain_allHead",
            "chain_unsubscribeAllHeads",
            &[],
        ),
    ] {
        module.register_subscription(
            subscribe,
            notification,
            unsubscribe,
            |_, pending, api, _| async move {
                follow(pending, api).await;
            },
        )?;
        for (alias, unsubscribe_alias) in aliases {
            module.register_alias(alias, subscribe)?;
            module.register_alias(unsubscribe_alias, unsubscribe)?;
        }
    }
    Ok(())
}

/// A block number as clients write it: 7 or "0x7".
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u64),
    Hexadecimal(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Many(Vec<Number>),
    One(Number),
}

fn block_hash(chain: &Chain, numbers: Option<Numbers>) -> Result<Value, ErrorObjectOwned> {
    let hash = |number: &Number| -> Result<Option<H256>, ErrorObjectOwned> {
        let number = match number {
            Number::Plain(number) => *number,
            Number::Hexadecimal(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16)
                .map_err(|_| bad_parameter(format!("{text:?} is not a block number")))?,
        };
        let header = u32::try_from(number).map_or(Ok(None), |number| chain.header(number))?;
        Ok(header.map(|header| header.hash()))
    };
    match numbers {
        None => Ok(json!(chain.head().hash)),
        Some(Numbers::One(number)) => Ok(json!(hash(&number)?)),
        Some(Numbers::Many(numbers)) if numbers.len() > MAX_NUMBERS => Err(bad_parameter(format!(
            "{} block numbers, {MAX_NUMBERS} allowed",
            numbers.len()
        ))),
        Some(Numbers::Many(numbers)) => Ok(json!(
            numbers.iter().map(hash).collect::<Result<Vec<_>, _>>()?
        )),
    }
}

fn block(chain: &Chain, hash: Option<H256>) -> Result<Option<Value>, StorageError> {
    let Some(header) = chain.header_at(hash)? else {
        return Ok(None);
    };
    let body = chain.body(header.number)?.unwrap_or_default();
    let extrinsics: Vec<Bytes> = body.into_iter().map(Bytes).collect();
    Ok(Some(
        json!({ "block": { "header": header, "extrinsics": extrinsics }, "justifications": null }),
    ))
}

/// Sends the newest header and then every later one, without a gap.
async fn follow(pending: PendingSubscriptionSink, api: Arc<Api>) {
    let chain = &api.chain;
    let mut heads = chain.heads();
    let Some((sink, _place)) = accept(pending, &api).await else {
        return;
    };
    let mut next = heads.borrow().header.number;
    loop {
        let Head { header: newest, .. } = heads.borrow_and_update().clone();
        while next <= newest.number {
            let header = if next == newest.number {
                Some(newest.clone())
            } else {
                missed(chain, next).await
            };
            let Some(header) = header else { return };
            if !notify(&sink, &header).await {
                return;
            }
            next += 1;
        }
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = sink.closed() => return,
        }
    }
}

/// A header that was not the newest any more when the subscriber was ready for it.
async fn missed(chain: &Arc<Chain>, number: u32) -> Option<Header> {
    let chain = chain.clone();
    spawn_blocking(move || chain.header(number))
        .await
        .ok()?
        .ok()?
}
