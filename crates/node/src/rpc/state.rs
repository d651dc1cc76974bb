//! `state_*`: storage, runtime functions and the runtime's version.

use super::{
    Api, Module, accept,
    error::{bad_parameter, client, too_large_count},
    notify,
};
use crate::{
    chain::Chain,
    engine::{ReadError, State},
    transaction,
};
use agon_runtime::{Balance, VERSION};
use codec::{Decode, Encode};
use jsonrpsee::{
    PendingSubscriptionSink,
    core::RegisterMethodError,
    types::{ErrorObjectOwned, Params},
};
use pallet_transaction_payment::RuntimeDispatchInfo;
use serde_json::{Value, json};
use sp_core::{Bytes, H256, Hasher};
use sp_runtime::traits::BlakeTwo256;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// The most keys `state_getKeysPaged` gives at once.
const MAX_PAGE: usize = 1_000;
/// The most keys `state_getKeys` gives: it has no pages, so more is an error.
const MAX_KEYS: usize = 100_000;
/// The most keys one `state_queryStorageAt` may ask for.
const MAX_QUERY: usize = 10_000;
/// The most keys one storage subscription may follow.
const MAX_FOLLOWED: usize = 128;

pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("state_getStorage", |params, api, _| {
        let mut params = params.sequence();
        let key: Bytes = params.next()?;
        let state = api.chain.state_at(params.optional_next()?)?;
        Ok::<_, ErrorObjectOwned>(state.get(&key)?.map(Bytes))
    })?;
    module.register_alias("state_getStorageAt", "state_getStorage")?;
    module.register_blocking_method("state_getStorageSize", |params, api, _| {
        let mut params = params.sequence();
        let key: Bytes = params.next()?;
        let state = api.chain.state_at(params.optional_next()?)?;
        Ok::<_, ErrorObjectOwned>(state.get(&key)?.map(|value| value.len()))
    })?;
    module.register_alias("state_getStorageSizeAt", "state_getStorageSize")?;
    module.register_blocking_method("state_getStorageHash", |params, api, _| {
        let mut params = params.sequence();
        let key: Bytes = params.next()?;
        let state = api.chain.state_at(params.optional_next()?)?;
        Ok::<_, ErrorObjectOwned>(state.get(&key)?.map(|value| BlakeTwo256::hash(&value)))
    })?;
    module.register_alias("state_getStorageHashAt", "state_getStorageHash")?;
    module.register_blocking_method("state_getKeysPaged", |params, api, _| {
        keys_paged(&api.chain, &params)
    })?;
    module.register_alias("state_getKeysPagedAt", "state_getKeysPaged")?;
    module.register_blocking_method("state_getKeys", |params, api, _| keys(&api.chain, &params))?;
    module.register_blocking_method("state_queryStorageAt", |params, api, _| {
        query(&api.chain, &params)
    })?;
    module.register_blocking_method("state_call", |params, api, _| {
        let mut params = params.sequence();
        let (function, arguments): (String, Bytes) = (params.next()?, params.next()?);
        call(
            &api.chain.state_at(params.optional_next()?)?,
            &function,
            &arguments,
        )
        .map(Bytes)
    })?;
    module.register_alias("state_callAt", "state_call")?;
    module.register_blocking_method("state_getMetadata", |params, api, _| {
        let state = api.chain.state_at(params.sequence().optional_next()?)?;
        decode(&call(&state, "Metadata_metadata", &[])?).map(Bytes)
    })?;
    module.register_blocking_method("state_getRuntimeVersion", |params, api, _| {
        // The program holds one runtime; the block only has to exist.
        api.chain.state_at(params.sequence().optional_next()?)?;
        Ok::<_, ErrorObjectOwned>(json!(VERSION))
    })?;
    module.register_alias("chain_getRuntimeVersion", "state_getRuntimeVersion")?;
    module.register_blocking_method("payment_queryInfo", |params, api, _| {
        query_info(&api.chain, &params)
    })?;
    module.register_subscription(
        "state_subscribeRuntimeVersion",
        "state_runtimeVersion",
        "state_unsubscribeRuntimeVersion",
        |_, pending, api, _| async move {
            let Some((sink, _place)) = accept(pending, &api).await else {
                return;
            };
            notify(&sink, &VERSION).await;
            sink.closed().await;
        },
    )?;
    module.register_alias(
        "chain_subscribeRuntimeVersion",
        "state_subscribeRuntimeVersion",
    )?;
    module.register_alias(
        "chain_unsubscribeRuntimeVersion",
        "state_unsubscribeRuntimeVersion",
    )?;
    module.register_subscription(
        "state_subscribeStorage",
        "state_storage",
        "state_unsubscribeStorage",
        |params, pending, api, _| async move {
            match followed_keys(&params) {
                Ok(keys) => follow(keys, pending, api).await,
                Err(error) => pending.reject(error).await,
            }
        },
    )?;
    Ok(())
}

fn keys_paged(chain: &Chain, params: &Params<'_>) -> Result<Vec<Bytes>, ErrorObjectOwned> {
    let mut params = params.sequence();
    let (prefix, count): (Bytes, usize) = (params.next()?, params.next()?);
    let start: Option<Bytes> = params.optional_next()?;
    let state = chain.state_at(params.optional_next()?)?;
    // A shorter page than asked for reads as the last one.
    if count > MAX_PAGE {
        return Err(too_large_count(count, MAX_PAGE));
    }
    let keys = state.keys(&prefix, start.as_deref(), count)?;
    Ok(keys.into_iter().map(Bytes).collect())
}

fn keys(chain: &Chain, params: &Params<'_>) -> Result<Vec<Bytes>, ErrorObjectOwned> {
    let mut params = params.sequence();
    let prefix: Bytes = params.next()?;
    let keys = chain
        .state_at(params.optional_next()?)?
        .keys(&prefix, None, MAX_KEYS + 1)?;
    if keys.len() > MAX_KEYS {
        return Err(bad_parameter(format!(
            "more than {MAX_KEYS} keys; use state_getKeysPaged"
        )));
    }
    Ok(keys.into_iter().map(Bytes).collect())
}

fn query(chain: &Chain, params: &Params<'_>) -> Result<Value, ErrorObjectOwned> {
    let mut params = params.sequence();
    let keys: Vec<Bytes> = params.next()?;
    if keys.len() > MAX_QUERY {
        return Err(bad_parameter(format!(
            "{} keys, {MAX_QUERY} allowed",
            keys.len()
        )));
    }
    // Named here, so that the answer and the state are of one block.
    let block: H256 = params.optional_next()?.unwrap_or_else(|| chain.head().hash);
    let changes = read_all(&chain.state_at(Some(block))?, &keys)?;
    Ok(json!([{ "block": block, "changes": changes }]))
}

type Changes = Vec<(Bytes, Option<Bytes>)>;

fn read_all(state: &State, keys: &[Bytes]) -> Result<Changes, ReadError> {
    keys.iter()
        .map(|key| Ok((key.clone(), state.get(key)?.map(Bytes))))
        .collect()
}

fn call(state: &State, function: &str, arguments: &[u8]) -> Result<Vec<u8>, ErrorObjectOwned> {
    if !transaction::callable(function, arguments) {
        return Err(client(format!(
            "Execution failed: {function} refuses these arguments"
        )));
    }
    let answer = state.call(function, arguments)?;
    answer.ok_or_else(|| {
        client(format!(
            "Execution failed: Exported method {function} is not found"
        ))
    })
}

fn decode<T: Decode>(mut answer: &[u8]) -> Result<T, ErrorObjectOwned> {
    T::decode(&mut answer)
        .map_err(|error| client(format!("the runtime's answer does not decode: {error}")))
}

fn query_info(
    chain: &Chain,
    params: &Params<'_>,
) -> Result<RuntimeDispatchInfo<Balance>, ErrorObjectOwned> {
    let mut params = params.sequence();
    let extrinsic: Bytes = params.next()?;
    let state = chain.state_at(params.optional_next()?)?;
    let length = extrinsic.len() as u32; // a request is smaller than 4 GiB
    let arguments = [&extrinsic[..], &length.encode()].concat();
    decode(&call(
        &state,
        "TransactionPaymentApi_query_info",
        &arguments,
    )?)
}

fn followed_keys(params: &Params<'_>) -> Result<Vec<Bytes>, ErrorObjectOwned> {
    let keys: Vec<Bytes> = params.sequence().next()?;
    if keys.len() > MAX_FOLLOWED {
        return Err(bad_parameter(format!(
            "{} keys, {MAX_FOLLOWED} allowed",
            keys.len()
        )));
    }
    Ok(keys)
}

/// Sends the values of all keys, and from then on of those that have changed.
async fn follow(keys: Vec<Bytes>, pending: PendingSubscriptionSink, api: Arc<Api>) {
    let mut heads = api.chain.heads();
    let Some((sink, _place)) = accept(pending, &api).await else {
        return;
    };
    let keys = Arc::new(keys);
    let mut sent: Option<Changes> = None;
    loop {
        let block = heads.borrow_and_update().hash;
        let (chain, asked) = (api.chain.clone(), keys.clone());
        let read = spawn_blocking(move || read_all(&chain.state_at(Some(block))?, &asked)).await;
        let Ok(Ok(values)) = read else { return };
        let is_new = |value: &_| sent.as_ref().is_none_or(|sent| !sent.contains(value));
        let changes: Vec<_> = values.iter().filter(|value| is_new(*value)).collect();
        if (sent.is_none() || !changes.is_empty())
            && !notify(&sink, &json!({ "block": block, "changes": changes })).await
        {
            return;
        }
        sent = Some(values);
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = sink.closed() => return,
        }
    }
}
