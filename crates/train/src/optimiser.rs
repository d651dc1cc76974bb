//! AdamW over plain buffers (Loshchilov and Hutter 2019), gradient clipping and the averaging of weights.
//!
//! It stands here and not in the engine, because its state is what a checkpoint must hold bit for bit and because
//! every engine shares it.

use crate::program::{Moments, Program, Weights};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f32 = 1e-8;

/// AdamW's memory: moving averages of gradients and of their squares.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Moving averages of the gradients, in the order of the parameters.
    pub first: Vec<Vec<f32>>,
    /// Moving averages of their squares.
    pub second: Vec<Vec<f32>>,
    /// Steps taken.
    pub steps: u64,
}

impl AdamW {
    /// No memory yet.
    pub fn new(weights: &Weights) -> Self {
        let zeros = || {
            weights
                .parameters
                .iter()
                .map(|p| vec![0.0; p.len()])
                .collect()
        };
        Self {
            first: zeros(),
            second: zeros(),
            steps: 0,
        }
    }

    /// One step downhill. `gradients` are in the order of the parameters.
    pub fn step(
        &mut self,
        program: &Program,
        weights: &mut Weights,
        gradients: &[Vec<f32>],
        learning_rate: f64,
        weight_decay: f64,
    ) {
        self.steps += 1;
        let correction = |beta: f64| 1.0 - beta.powf(self.steps as f64);
        let (correction_1, correction_2) = (correction(BETA_1) as f32, correction(BETA_2) as f32);
        let (keep_1, keep_2) = (BETA_1 as f32, BETA_2 as f32);
        for (index, parameter) in program.parameters.iter().enumerate() {
            let decay = if parameter.role.decays() {
                weight_decay
            } else {
                0.0
            };
            let rate = learning_rate * parameter.rate;
            let (kept, rate) = ((1.0 - rate * decay) as f32, rate as f32);
            let memory = self.first[index].iter_mut().zip(&mut self.second[index]);
            let values = weights.parameters[index].iter_mut().zip(&gradients[index]);
            for ((weight, &gradient), (first, second)) in values.zip(memory) {
                *first = keep_1 * *first + (1.0 - keep_1) * gradient;
                *second = keep_2 * *second + (1.0 - keep_2) * gradient * gradient;
                let step = (*first / correction_1) / ((*second / correction_2).sqrt() + EPSILON);
                *weight = *weight * kept - rate * step;
            }
        }
    }
}

/// Scales the whole gradient down to `limit` if its Euclidean norm is larger.
pub fn clip(gradients: &mut [Vec<f32>], limit: f64) {
    let squares = |gradient: &Vec<f32>| gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
    let norm = gradients.iter().map(squares).sum::<f64>().sqrt();
    if norm > limit {
        let scale = (limit / norm) as f32;
        for gradient in gradients.iter_mut().flatten() {
            *gradient *= scale;
        }
    }
}

/// Moves `average` towards `present`. `steps` have been taken; young averages move faster, so that the initial
/// weights are soon forgotten.
pub fn average(average: &mut Weights, present: &Weights, decay: f64, steps: u64) {
    let young = (1.0 + steps as f64) / (10.0 + steps as f64);
    let keep = decay.min(young) as f32;
    let blend = |average: &mut Vec<f32>, present: &Vec<f32>| {
        // What is frozen stays as it is, to the last bit.
        let moved = |(average, present): &(&mut f32, &f32)| **average != **present;
        for (average, present) in average.iter_mut().zip(present).filter(moved) {
            *average = keep * *average + (1.0 - keep) * present;
        }
    };
    for (average, present) in average.parameters.iter_mut().zip(&present.parameters) {
        blend(average, present);
    }
    for (average, present) in average.statistics.iter_mut().zip(&present.statistics) {
        blend(&mut average.mean, &present.mean);
        blend(&mut average.variance, &present.variance);
    }
}

/// Moves running statistics towards those of a batch: new = momentum * old + (1 - momentum) * batch, as ONNX defines.
pub fn update_statistics(program: &Program, running: &mut [Moments], batch: &[Moments]) {
    for ((running, batch), statistics) in running.iter_mut().zip(batch).zip(&program.statistics) {
        let keep = statistics.momentum;
        let blend = |running: &mut Vec<f32>, batch: &Vec<f32>| {
            for (running, batch) in running.iter_mut().zip(batch) {
                *running = keep * *running + (1.0 - keep) * batch;
            }
        };
        blend(&mut running.mean, &batch.mean);
        blend(&mut running.variance, &batch.variance);
    }
}

#[cfg(test)]
mod tests {
    use agon_model::builder::GraphBuilder;
    use agon_model::{Dim, Model};
    use burn::optim::{AdamWConfig, Optimizer};
    use burn::tensor::{Device, Tensor};

    use super::*;

    fn linear() -> Model {
        let mut graph = GraphBuilder::new("linear");
        let x = graph.input("x", vec![Dim::Named("batch".into()), Dim::Fixed(3)]);
        let y = graph.linear(&x, 2);
        graph.output(&y, "y");
        graph.finish().unwrap()
    }

    #[test]
    fn it_is_burns_adamw() {
        let (program, mut weights) = Program::compile(&linear()).unwrap();
        let matrix = program
            .parameters
            .iter()
            .position(|p| p.role.decays())
            .unwrap();
        weights.parameters[matrix] = vec![0.5, -1.0, 2.0, 0.0, 0.3, -0.2];
        let reference = AdamWConfig::new()
            .with_epsilon(EPSILON)
            .with_weight_decay(0.1)
            .build();
        let device = Device::flex();
        let mut tensor = Tensor::<1>::from_floats(weights.parameters[matrix].as_slice(), &device);
        let mut memory = None;
        let mut ours = AdamW::new(&weights);
        for step in 0..50 {
            let gradient: Vec<f32> = (0..6).map(|i| ((step * 7 + i * 3) as f32).sin()).collect();
            let mut gradients = vec![vec![0.0; 2]; 2];
            gradients[matrix] = gradient.clone();
            ours.step(&program, &mut weights, &gradients, 0.01, 0.1);
            let gradient = Tensor::<1>::from_floats(gradient.as_slice(), &device);
            (tensor, memory) = reference.step(0.01, tensor, gradient, memory);
        }
        let expected = tensor.try_into_vec_as::<f32>().unwrap();
        for (ours, theirs) in weights.parameters[matrix].iter().zip(expected) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }

    #[test]
    fn biases_do_not_decay() {
        let (program, mut weights) = Program::compile(&linear()).unwrap();
        for values in &mut weights.parameters {
            values.fill(1.0);
        }
        let gradients: Vec<_> = weights
            .parameters
            .iter()
            .map(|p| vec![0.0; p.len()])
            .collect();
        AdamW::new(&weights).step(&program, &mut weights, &gradients, 0.1, 0.5);
        for (parameter, values) in program.parameters.iter().zip(&weights.parameters) {
            let expected = if parameter.dims.len() == 2 { 0.95 } else { 1.0 };
            assert!(values.iter().all(|&v| v == expected), "{}", parameter.name);
        }
    }

    #[test]
    fn clipping_bounds_the_norm_and_keeps_the_direction() {
        let mut gradients = vec![vec![3.0], vec![0.0, 4.0]];
        clip(&mut gradients, 10.0);
        assert_eq!(gradients, [vec![3.0], vec![0.0, 4.0]]);
        clip(&mut gradients, 2.5);
        assert_eq!(gradients, [vec![1.5], vec![0.0, 2.0]]);
    }
}
