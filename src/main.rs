//! The binary `agon`: what can be typed, settings and printing. It decides nothing about the chain,
//! training or judging; the crates under `crates/` do, and [`commands`] puts them together.

mod amount;
mod args;
mod commands;
mod failure;
mod files;
mod health;
mod hints;
mod logging;
mod memory;
mod metrics;
mod printer;
mod settings;
mod signals;
mod supervise;
mod talk;

use args::{Arguments, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A sandbox worker must not touch anything else on its way: no argument parser, no runtime.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == agon_arena::sandbox::WORKER_ARGUMENT)
    {
        return agon_arena::sandbox::worker_main();
    }
    supervise::end_with_supervisor();
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    let result = match arguments.command {
        Command::Up(up) => runtime.block_on(commands::up::run(up, &arguments.logging)),
        Command::Wallet(wallet) => runtime.block_on(commands::wallet::run(wallet)),
        Command::Subnet(subnet) => runtime.block_on(commands::subnet::run(subnet)),
        Command::Stake(stake) => runtime.block_on(commands::stake::run(stake)),
        Command::Weights(weights) => runtime.block_on(commands::weights::run(weights)),
        Command::Axon(axon) => runtime.block_on(commands::axon::run(axon, &arguments.logging)),
        Command::Query(query) => runtime.block_on(commands::query::run(query)),
        Command::Doctor(doctor) => runtime.block_on(commands::doctor::run(doctor)),
        Command::Commitment(commitment) => runtime.block_on(commands::commitment::run(commitment)),
        Command::Data(data) => runtime.block_on(commands::data::run(data)),
        Command::Train(train) => runtime.block_on(commands::train::run(train)),
        Command::Evaluate(evaluate) => runtime.block_on(commands::evaluate::run(evaluate)),
        Command::Miner(miner) => runtime.block_on(commands::miner::run(miner)),
        Command::Validator(validator) => {
            runtime.block_on(commands::validator::run(validator, &arguments.logging))
        }
        Command::Ledger(ledger) => runtime.block_on(commands::ledger::run(ledger)),
        Command::Board(board) => runtime.block_on(commands::board::run(board)),
        Command::Service(service) => runtime.block_on(commands::service::run(service)),
        Command::Submit(submit) => runtime.block_on(commands::submit::run(submit)),
        Command::Node(node) => runtime.block_on(commands::node::run(node, &arguments.logging)),
    };
    // Blocking work that was told to stop may still be on its way out.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
