//! The child: one model, one sample after another, until the parent closes the pipe.

use super::isolation::isolate;
use super::protocol::{
    Answer, Job, Loaded, MAX_TEXT, decode_tensors, encode, encode_answer, read_frame, write_frame,
};
use agon_model::digest::Digest;
use agon_model::inference::Session;
use agon_model::inspect::{self, RefusalKind};
use agon_model::{Dim, canonical};
use std::io::{self, BufReader};
use std::process::ExitCode;

/// Longest frame of inputs: one image of 1024x1024 and some numbers fit many times.
const MAX_INPUTS: usize = 64 << 20;

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
    let strength = isolate(job.memory_bytes, job.processor_seconds)?;
    write_frame(&mut output, &encode(&strength)?)?;

    let model = read_frame(&mut input, job.limits.bytes as usize)?;
    let session = match load(model, &job) {
        Ok((session, inputs, canonical)) => {
            let ready = Loaded::Ready { inputs, canonical };
            write_frame(&mut output, &encode(&ready)?)?;
            session
        }
        Err((kind, reason)) => {
            return write_frame(&mut output, &encode(&Loaded::Refused(kind, reason))?);
        }
    };
    loop {
        let inputs = match read_frame(&mut input, MAX_INPUTS) {
            Ok(inputs) => inputs,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let inputs =
            decode_tensors(&inputs).ok_or_else(|| io::Error::other("inputs not understood"))?;
        let answer: Answer = session.run(&inputs).map_err(|error| error.to_string());
        write_frame(&mut output, &encode_answer(&answer))?;
    }
}

type Dimensions = Vec<Vec<Option<usize>>>;

fn load(bytes: Vec<u8>, job: &Job) -> Result<(Session, Dimensions, Digest), (RefusalKind, String)> {
    let model = inspect::inspect(&bytes, &job.limits)
        .map(|inspection| inspection.model)
        .and_then(|model| inspect::check_contract(&model, &job.contract).map(|()| model))
        .map_err(|refusal| (refusal.kind, refusal.to_string()))?;
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
    let session =
        Session::load(bytes).map_err(|error| (RefusalKind::Malformed, error.to_string()))?;
    Ok((session, declared, canonical))
}
