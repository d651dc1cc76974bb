//! The child: one model, one sample after another, until the parent closes the pipe.

use super::isolation::{forbid_processes, isolate};
use super::protocol::{
    Answer, Hello, Job, Loaded, MAX_TEXT, OUT_OF_MEMORY, encode, encode_answer, read_frame,
    read_inputs, write_frame,
};
use agon_model::digest::Digest;
use agon_model::inference::{LoadError, RunError, Runtime, Session};
use agon_model::inspect::{self, RefusalKind};
use agon_model::{Dim, canonical};
use std::io::{self, BufReader};
use std::process::ExitCode;

/// Act as a sandbox worker on standard input and output. Returns when the parent has closed its end.
pub fn worker_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut input = BufReader::new(io::stdin());
    let mut output = io::stdout();
    let job: Job = serde_json::from_slice(&read_frame(&mut input, MAX_TEXT)?)?;
    // While files can still be opened, and nothing of the model is here.
    let runtime = match job.engine.start(job.library.as_deref()) {
        Ok(runtime) => runtime,
        Err(error) => {
            let hello = Hello::NoEngine(error.to_string());
            return write_frame(&mut output, &encode(&hello)?);
        }
    };
    let strength = isolate(job.memory_bytes, job.processor_seconds)?;
    let system_calls = strength.system_calls;
    let hello = Hello::Ready {
        strength,
        engine: runtime.name().to_owned(),
    };
    write_frame(&mut output, &encode(&hello)?)?;

    let model = read_frame(&mut input, job.limits.bytes as usize)?;
    let session = match load(&runtime, model, &job)? {
        Ok((session, inputs, canonical)) => {
            let ready = Loaded::Ready { inputs, canonical };
            write_frame(&mut output, &encode(&ready)?)?;
            session
        }
        Err((kind, reason)) => {
            return write_frame(&mut output, &encode(&Loaded::Refused(kind, reason))?);
        }
    };
    if !system_calls {
        forbid_processes()?;
    }
    let mut inputs = Vec::new();
    loop {
        match read_inputs(&mut input, &mut inputs) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let answer: Answer = match session.run(&inputs) {
            Err(RunError::Memory) => return Err(out_of_memory()),
            answer => answer.map_err(|error| error.to_string()),
        };
        write_frame(&mut output, &encode_answer(&answer))?;
    }
}

/// An engine that says there is no memory ends the child as one that cannot.
fn out_of_memory() -> io::Error {
    io::Error::other(format!("{} the engine failed", OUT_OF_MEMORY[0]))
}

type Dimensions = Vec<Vec<Option<usize>>>;
type Loading = Result<(Session, Dimensions, Digest), (RefusalKind, String)>;

fn load(runtime: &Runtime, bytes: Vec<u8>, job: &Job) -> io::Result<Loading> {
    let inspected = inspect::inspect(&bytes, &job.limits)
        .map(|inspection| inspection.model)
        .and_then(|model| {
            inspect::check_contract(&model, &job.contract)?;
            inspect::check_work(&model, &job.contract, &job.limits)?;
            Ok(model)
        });
    let model = match inspected {
        Ok(model) => model,
        Err(refusal) => return Ok(Err((refusal.kind, refusal.to_string()))),
    };
    let size = |dimension: &Dim| match dimension {
        Dim::Fixed(size) => Some(*size),
        Dim::Named(_) => None,
    };
    let inputs = model.inputs();
    let declared = inputs
        .iter()
        .map(|input| input.dims.iter().map(size).collect())
        .collect();
    let canonical = canonical::digest(&model);
    match runtime.load(bytes) {
        Ok(session) => Ok(Ok((session, declared, canonical))),
        Err(LoadError::Memory) => Err(out_of_memory()),
        Err(error) => Ok(Err((RefusalKind::Malformed, error.to_string()))),
    }
}
