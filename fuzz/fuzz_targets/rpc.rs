//! Bytes as requests to the node's JSON-RPC.
//!
//! The text of a request, which begins with a brace; or a byte that chooses one of the methods, and the text of its
//! parameters.

#![no_main]

use agon_fuzz::{SIGNERS, Stage, account, generate, position, weights};
use agon_runtime::RuntimeCall;
use codec::Encode;
use jsonrpsee::Methods;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};
use sp_core::Bytes;
use std::{
    panic, process,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::runtime::Runtime;

/// The most blocks that one request may have made; the node's own bound takes minutes to reach.
const MOST_BLOCKS: u64 = 16;
/// The most blocks that all requests together may have made: each stays in memory.
const MOST_BLOCKS_EVER: u64 = 4_000;
/// Messages of a subscription that wait for a reader.
const MESSAGES: usize = 8;

static TOKIO: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static SERVED: OnceLock<Served> = OnceLock::new();

struct Served {
    methods: Methods,
    /// Sorted, so that a byte means the same each time.
    names: Vec<&'static str>,
}

fuzz_target!(
    init: {
        let stage = Stage::set();
        let signed = stage.sign(&mut stage.nonces.clone(), position("Eve"), weights());
        let head = stage.bench.head();
        let methods = stage.bench.methods().expect("an author");
        let mut names: Vec<_> = methods.method_names().collect();
        names.sort_unstable();
        generate("rpc", seeds(&names, &Bytes(signed), &json!(head)));
        assert!(SERVED.set(Served { methods, names }).is_ok(), "begun once");
        tolerate_arguments_that_do_not_decode();
    },
    |data: &[u8]| -> Corpus {
        let served = SERVED.get().expect("begun");
        let Some(request) = request(served, data) else {
            return Corpus::Reject;
        };
        if makes_many_blocks(&request) {
            return Corpus::Reject;
        }
        let asked = TOKIO.block_on(served.methods.raw_json_request(&request, MESSAGES));
        let Ok((answer, _subscription)) = asked else {
            return Corpus::Keep; // not a request
        };
        let answer: Value = serde_json::from_str(answer.get()).expect("answers are JSON");
        assert_eq!(answer["jsonrpc"], "2.0");
        assert_ne!(answer["error"]["code"], -32_603, "an internal error");
        Corpus::Keep
    }
);

/// The text of a request that bytes stand for.
fn request(served: &Served, data: &[u8]) -> Option<String> {
    let (first, rest) = data.split_first()?;
    if *first == b'{' {
        return String::from_utf8(data.to_vec()).ok();
    }
    let method = served.names[usize::from(*first) % served.names.len()];
    let params = str::from_utf8(rest).ok()?;
    Some(text(method, params))
}

fn text(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

/// Whether more blocks are to be made than there is time or memory for. Root has no epoch, and the way to it is long.
fn makes_many_blocks(request: &str) -> bool {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    let number = request["params"][0].as_u64();
    let count = match request["method"].as_str() {
        Some("dev_sealBlocks" | "dev_jumpBlocks") => number.unwrap_or(0),
        Some("dev_jumpToEpoch") if number == Some(0) => u64::MAX,
        Some("dev_jumpToEpoch" | "dev_setBalance") => 1,
        _ => return false,
    };
    count > MOST_BLOCKS || MADE.fetch_add(count, Ordering::Relaxed) > MOST_BLOCKS_EVER
}

/// Natively FRAME panics on arguments of a runtime function that do not decode, which the node catches. Every other
/// panic ends the process.
fn tolerate_arguments_that_do_not_decode() {
    let fatal = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let payload = info.payload_as_str().unwrap_or_default();
        if !payload.starts_with("Bad input data provided to ") {
            fatal(info);
            process::abort();
        }
    }));
}

fn seeds(names: &[&'static str], signed: &Bytes, head: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let alice = account(SIGNERS[0]);
    let call: RuntimeCall = frame_system::Call::remark { remark: vec![1] }.into();
    // System.Account's prefix.
    let prefix = "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9";
    let netuid = Bytes(1_u16.encode());
    let params = |name: &'static str| -> Option<Value> {
        Some(match name {
            "account_nextIndex" | "system_accountNextIndex" => json!([alice]),
            "author_submitExtrinsic" | "author_submitAndWatchExtrinsic" => json!([signed]),
            "payment_queryInfo" => json!([signed, head]),
            "chain_getBlock" | "chain_getHeader" | "state_getRuntimeVersion" => json!([head]),
            "chain_getBlockHash" => json!([[1, "0x2"]]),
            "dev_jumpBlocks" | "dev_sealBlocks" | "dev_jumpToEpoch" => json!([2]),
            "dev_setBalance" => json!([alice, 1_000_000_000_000_u64]),
            "dev_snapshot" => json!(["a_name"]),
            "state_call" => json!(["NeuronInfoRuntimeApi_get_neurons", netuid, head]),
            "state_getKeys" => json!([prefix]),
            "state_getKeysPaged" => json!([prefix, 2, prefix, head]),
            "state_getStorage" | "state_getStorageSize" | "state_getStorageHash" => {
                json!([prefix, head])
            }
            "state_queryStorageAt" => json!([[prefix], head]),
            "state_subscribeStorage" => json!([[prefix]]),
            "chain_subscribeNewHeads" | "state_getMetadata" => json!([]),
            _ => return None,
        })
    };
    let mut seeds: Vec<_> = (0..)
        .zip(names)
        .filter_map(|(index, name)| {
            let params = params(name)?.to_string();
            Some((*name, [&[index][..], params.as_bytes()].concat()))
        })
        .collect();
    let arguments = Bytes([call.encode(), 10_u32.encode()].concat());
    let params = json!(["TransactionPaymentCallApi_query_call_info", arguments]);
    seeds.push(("a-request", text("state_call", &params.to_string()).into()));
    seeds
}
