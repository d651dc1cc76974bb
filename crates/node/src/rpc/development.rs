//! `dev_*`: what only a development chain does, and only when asked to at its start.

use super::{Api, Module, error, error::bad_parameter};
use crate::{author::Order, chain::Head, storage::beside};
use agon_runtime::AccountId;
use jsonrpsee::{core::RegisterMethodError, types::ErrorObjectOwned};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::task::spawn_blocking;

/// The longest name of a snapshot.
const MAX_NAME: usize = 64;

pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_async_method("dev_sealBlocks", |params, api, _| async move {
        order(&api, Order::Seal(params.one()?)).await
    })?;
    module.register_async_method("dev_jumpBlocks", |params, api, _| async move {
        order(&api, Order::Jump(params.one()?)).await
    })?;
    module.register_async_method("dev_jumpToEpoch", |params, api, _| async move {
        order(&api, Order::JumpToEpoch(params.one()?)).await
    })?;
    module.register_async_method("dev_setBalance", |params, api, _| async move {
        let mut params = params.sequence();
        let address: String = params.next()?;
        let account: AccountId = address
            .parse()
            .map_err(|reason| bad_parameter(format!("{address:?} is not an account: {reason}")))?;
        order(&api, Order::SetBalance(account, params.next()?)).await
    })?;
    module.register_async_method("dev_snapshot", |params, api, _| async move {
        let name: String = params.one()?;
        spawn_blocking(move || snapshot(&api, &name))
            .await
            .map_err(error::client)?
    })?;
    Ok(())
}

/// Has an order carried out and names the newest block after it.
async fn order(api: &Arc<Api>, order: Order) -> Result<Value, ErrorObjectOwned> {
    let Head { hash, header } = api.author.order(order).await?;
    Ok(json!({ "number": header.number, "hash": hash }))
}

/// Writes the whole chain into the directory beside its database, never anywhere else, and names the file.
fn snapshot(api: &Api, name: &str) -> Result<PathBuf, ErrorObjectOwned> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        return Err(bad_parameter(format!(
            "{name:?} is not a snapshot's name: up to {MAX_NAME} letters, digits, - and _"
        )));
    }
    let directory = api
        .snapshots
        .as_ref()
        .ok_or_else(|| bad_parameter("the chain is in memory only"))?;
    let path = directory.join(name).with_extension("redb");
    if path.exists() {
        return Err(bad_parameter(format!("{} exists already", path.display())));
    }
    write(api, directory, &path)
        .map_err(|reason| error::client(format!("no snapshot: {reason}")))?;
    Ok(path)
}

fn write(api: &Api, directory: &Path, path: &Path) -> Result<(), String> {
    let text = |error: io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(directory).map_err(text)?;
    let unfinished = beside(path, "unfinished");
    if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(text)?;
    }
    api.chain
        .copy_to(&unfinished)
        .map_err(|error| error.to_string())?;
    fs::rename(&unfinished, path)
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(text)
}
