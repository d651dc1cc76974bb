//! `system_*`: what the node is, and nonces.

use super::{Module, error::bad_parameter};
use agon_runtime::AccountId;
use jsonrpsee::{core::RegisterMethodError, types::ErrorObjectOwned};
use serde_json::json;

pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_method("system_chain", |_, _, _| "Agon Development")?;
    module.register_method("system_name", |_, _, _| "Agon Node")?;
    module.register_method("system_version", |_, _, _| env!("CARGO_PKG_VERSION"))?;
    module.register_method("system_chainType", |_, _, _| "Development")?;
    module.register_method(
        "system_health",
        |_, _, _| json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false }),
    )?;
    module.register_method(
        "system_properties",
        |_, _, _| json!({ "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" }),
    )?;
    module.register_method("system_peers", |_, _, _| json!([]))?;
    module.register_method("system_nodeRoles", |_, _, _| ["Authority"])?;
    module.register_method("system_syncState", |_, api, _| {
        let number = api.chain.head().header.number;
        json!({ "startingBlock": number, "currentBlock": number, "highestBlock": number })
    })?;
    module.register_blocking_method("system_accountNextIndex", |params, api, _| {
        let address: String = params.one()?;
        let account: AccountId = address
            .parse()
            .map_err(|reason| bad_parameter(format!("{address:?} is not an account: {reason}")))?;
        Ok::<_, ErrorObjectOwned>(api.chain.next_nonce(&account)?)
    })?;
    module.register_alias("account_nextIndex", "system_accountNextIndex")
}
