//! The engine in pure Rust.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView, ValueView};
use rten_tensor::{Layout, TensorView};

use super::{Graph, LoadError, RunError, Tensor};
use crate::model::ValueSpec;
use crate::operators;

struct Loaded {
    model: Model,
    threads: Arc<ThreadPool>,
    output: NodeId,
}

/// A model of encoded messages.
pub fn load(encoded: Vec<u8>) -> Result<Box<dyn Graph>, LoadError> {
    let threads = Arc::new(ThreadPool::with_num_threads(1));
    let load = || ModelOptions::with_ops(operators::registry()).load(encoded);
    let loaded = threads.run(load);
    let model = loaded.map_err(|error| LoadError::Engine(error.to_string()))?;
    let &[output, ..] = model.output_ids() else {
        return Err(LoadError::Engine("it sees no output".into()));
    };
    Ok(Box::new(Loaded {
        model,
        threads,
        output,
    }))
}

impl Graph for Loaded {
    fn inputs(&self) -> usize {
        self.model.input_ids().len()
    }

    fn run(&self, inputs: &[Tensor], specs: &[ValueSpec]) -> Result<Tensor, RunError> {
        let mut values: Vec<(NodeId, ValueOrView)> = Vec::with_capacity(inputs.len());
        for ((tensor, spec), &id) in inputs.iter().zip(specs).zip(self.model.input_ids()) {
            let view = TensorView::try_from_data(&tensor.shape[..], &tensor.data[..])
                .map_err(|error| RunError::Input(format!("{}: {error}", spec.name)))?;
            values.push((id, ValueView::from(view).into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(self.threads.clone()));
        let outputs = self
            .model
            .run(values, &[self.output], Some(options))
            .map_err(|error| RunError::Engine(error.to_string()))?;
        match outputs.into_iter().next() {
            Some(Value::FloatTensor(tensor)) => Ok(Tensor {
                shape: tensor.shape().to_vec(),
                data: tensor.into_data(),
            }),
            _ => Err(RunError::Output),
        }
    }
}
