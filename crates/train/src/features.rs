//! The features of a frozen trunk: computed once for every sample and view, kept on disk, and what the rest of the
//! network is trained on as long as the trunk stays as it is.
//!
//! The file has no name, so nothing is left of it however the run ends. Where it finds no room it is given up, because
//! checkpoints need the room more, and features are computed anew; results do not depend on it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use agon_model::Model;
use agon_model::split::split;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::{DeviceError, Engine, ExecuteError, Gradient};
use crate::examples::{Array, Batch, Examples};
use crate::loss::Targets;
use crate::options::FitOptions;
use crate::program::{CompileError, Moments, Program, Weights};
use crate::seed::{self, Part};

/// A network cut at the end of its trunk, compiled.
pub(crate) struct Cut {
    trunk: Program,
    head: Program,
    /// Where the whole program's inputs go: to the trunk, or as which input to the head.
    places: Vec<Place>,
    /// The whole program's numbers of the parts' parameters and statistics.
    trunk_parts: Parts,
    head_parts: Parts,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Trunk,
    Head,
}

/// The numbers in the whole program of a part's parameters and statistics.
struct Parts {
    parameters: Vec<usize>,
    statistics: Vec<usize>,
}

impl Parts {
    fn find(whole: &Program, part: &Program) -> Option<Self> {
        let parameter = |name: &str| whole.parameters.iter().position(|p| p.name == name);
        let statistic = |name: &str| whole.statistics.iter().position(|s| s.mean == name);
        let parameters = part.parameters.iter().map(|p| parameter(&p.name));
        let statistics = part.statistics.iter().map(|s| statistic(&s.mean));
        Some(Self {
            parameters: parameters.collect::<Option<_>>()?,
            statistics: statistics.collect::<Option<_>>()?,
        })
    }

    fn of(&self, whole: &Weights) -> Weights {
        let parameters = self.parameters.iter();
        let statistics = self.statistics.iter();
        Weights {
            parameters: parameters.map(|&at| whole.parameters[at].clone()).collect(),
            statistics: statistics.map(|&at| whole.statistics[at].clone()).collect(),
        }
    }
}

impl Cut {
    /// Cuts a model; `whole` is its program with the trunk frozen. `None` if its trunk does not end in one place, or an
    /// input goes to both parts.
    ///
    /// # Errors
    /// When a part cannot be compiled though the whole can.
    pub fn new(model: &Model, whole: &Program) -> Result<Option<Self>, CompileError> {
        let Ok(parts) = split(model) else {
            return Ok(None);
        };
        let (trunk, _) = Program::compile_part(&parts.trunk, model)?;
        let (head, _) = Program::compile_part(&parts.head, model)?;
        let has = |program: &Program, name: &str| program.inputs.iter().any(|i| i.name == name);
        let place = |name: &str| match (has(&trunk, name), has(&head, name)) {
            (true, false) => Some(Place::Trunk),
            (false, true) => Some(Place::Head),
            _ => None,
        };
        let places = whole.inputs.iter().map(|input| place(&input.name));
        let places: Option<Vec<Place>> = places.collect();
        let found = (
            places,
            Parts::find(whole, &trunk),
            Parts::find(whole, &head),
        );
        let (Some(places), Some(trunk_parts), Some(head_parts)) = found else {
            return Ok(None);
        };
        // Everything that learns must be in the head, or it would not.
        let learns = whole.parameters.iter().filter(|p| !p.frozen).count();
        let cut = Self {
            trunk,
            head,
            places,
            trunk_parts,
            head_parts,
        };
        Ok((learns == cut.head_parts.parameters.len()).then_some(cut))
    }
}

/// The head of a network on a device, with the features of its samples.
pub(crate) struct FrozenTrunk<'a> {
    cut: &'a Cut,
    trunk: Engine<'a>,
    head: Engine<'a>,
    trunk_weights: Weights,
    training: Views<'a>,
    selection: Views<'a>,
}

/// The shapes of what a row holds.
type Shapes = Vec<Vec<usize>>;

/// Samples whose features are kept.
struct Views<'a> {
    examples: &'a dyn Examples,
    /// Without one, samples are not augmented and have one view.
    seed: Option<u64>,
    views: usize,
    kept: Kept,
}

/// Whose features are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Training,
    Selection,
}

impl<'a> FrozenTrunk<'a> {
    /// Prepares both parts. `weights` are the whole network's; `views` and `seed` are of the training samples.
    pub fn new(
        cut: &'a Cut,
        options: &FitOptions,
        memory: u64,
        weights: &Weights,
        training: &'a dyn Examples,
        selection: &'a dyn Examples,
        directory: &Path,
    ) -> Result<Self, DeviceError> {
        let device = options.device;
        let (seed, views) = match options.augment {
            true => (Some(options.seed), options.frozen_views),
            false => (None, 1),
        };
        Ok(Self {
            trunk: Engine::on(&cut.trunk, device)?,
            head: Engine::on(&cut.head, device)?.with_memory(memory),
            trunk_weights: cut.trunk_parts.of(weights),
            cut,
            training: Views {
                examples: training,
                seed,
                views,
                kept: Kept::new(directory, training.len() * views),
            },
            selection: Views {
                examples: selection,
                seed: None,
                views: 1,
                kept: Kept::new(directory, selection.len()),
            },
        })
    }

    /// The head's inputs for some samples, features first; `epoch` decides about the view.
    pub fn batch(
        &self,
        whose: Whose,
        indices: &[usize],
        epoch: usize,
    ) -> Result<Batch, ExecuteError> {
        let samples = match whose {
            Whose::Training => &self.training,
            Whose::Selection => &self.selection,
        };
        let view = epoch % samples.views;
        let place = |index: usize| view * samples.examples.len() + index;
        let mut rows: Vec<Option<Vec<f32>>> = indices
            .iter()
            .map(|&index| samples.kept.read(place(index)))
            .collect();
        let missing: Vec<usize> = (0..indices.len())
            .filter(|&position| rows[position].is_none())
            .collect();
        let shapes = if missing.is_empty() {
            samples.kept.shapes()
        } else {
            let wanted: Vec<usize> = missing.iter().map(|&position| indices[position]).collect();
            let (shapes, computed) = self.compute(samples, &wanted, view)?;
            for (&position, row) in missing.iter().zip(computed) {
                samples.kept.write(place(indices[position]), &shapes, &row);
                rows[position] = Some(row);
            }
            shapes
        };
        let rows: Vec<Vec<f32>> = rows.into_iter().flatten().collect();
        let labels = indices.iter().map(|&index| samples.examples.label(index));
        Ok(Batch {
            inputs: unpacked(&shapes, &rows),
            labels: labels.collect(),
        })
    }

    /// Gives up the kept features, so that there is room for something else; says whether there were any.
    pub fn give_up(&self) -> bool {
        let kept = [&self.training.kept, &self.selection.kept];
        kept.map(Kept::give_up).contains(&true)
    }

    /// One row of each sample's head inputs, behind one another, and the shapes of what is in it.
    fn compute(
        &self,
        samples: &Views<'_>,
        indices: &[usize],
        view: usize,
    ) -> Result<(Shapes, Vec<Vec<f32>>), ExecuteError> {
        // Each alone, also in the trunk, so that a view depends on nothing but its sample to the last bit.
        let single = |&index: &usize| {
            let augment = samples.seed.map(|seed| {
                let place = [Part::Number(index), Part::Number(view)];
                seed::stream("view", seed, &place).next_u64()
            });
            samples.examples.batch(&[index], augment)
        };
        let singles: Vec<Batch> = indices.par_iter().map(single).collect::<Result<_, _>>()?;
        let mut shapes = Shapes::new();
        let mut rows = Vec::with_capacity(indices.len());
        for single in singles {
            let inputs = single.inputs.into_iter().zip(&self.cut.places);
            let (of_trunk, of_head): (Vec<_>, Vec<_>) =
                inputs.partition(|(_, place)| **place == Place::Trunk);
            let of_trunk = of_trunk.into_iter().map(|(array, _)| array).collect();
            let features = self.trunk.evaluate(&self.trunk_weights, of_trunk)?;
            let arrays = of_head.into_iter().map(|(array, _)| array);
            let arrays: Vec<Array> = std::iter::once(features).chain(arrays).collect();
            shapes = arrays
                .iter()
                .map(|array| array.shape[1..].to_vec())
                .collect();
            rows.push(arrays.into_iter().flat_map(|array| array.data).collect());
        }
        Ok((shapes, rows))
    }

    /// The whole network's gradient, of head inputs.
    pub fn gradient(
        &self,
        weights: &Weights,
        inputs: Vec<Array>,
        targets: &Targets<'_>,
        masks: &mut ChaCha8Rng,
    ) -> Result<Gradient, ExecuteError> {
        let parts = &self.cut.head_parts;
        let of_head = self
            .head
            .gradient(&parts.of(weights), inputs, targets, masks)?;
        let nothing = Moments {
            mean: vec![],
            variance: vec![],
        };
        let mut whole = Gradient {
            loss: of_head.loss,
            parameters: vec![vec![]; weights.parameters.len()],
            statistics: vec![nothing; weights.statistics.len()],
        };
        for (&at, gradient) in parts.parameters.iter().zip(of_head.parameters) {
            whole.parameters[at] = gradient;
        }
        for (&at, moments) in parts.statistics.iter().zip(of_head.statistics) {
            whole.statistics[at] = moments;
        }
        Ok(whole)
    }

    /// The network's output, of head inputs.
    pub fn evaluate(&self, weights: &Weights, inputs: Vec<Array>) -> Result<Array, ExecuteError> {
        self.head.evaluate(&self.cut.head_parts.of(weights), inputs)
    }
}

/// The arrays of which each row holds one sample's, behind one another.
fn unpacked(shapes: &[Vec<usize>], rows: &[Vec<f32>]) -> Vec<Array> {
    let mut start = 0;
    let mut arrays = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let length: usize = shape.iter().product();
        let parts = rows.iter().flat_map(|row| &row[start..start + length]);
        let mut whole = vec![rows.len()];
        whole.extend(shape);
        arrays.push(Array {
            shape: whole,
            data: parts.copied().collect(),
        });
        start += length;
    }
    arrays
}

/// Rows in a file without a name, all of one length.
struct Kept {
    /// None where it could not be made, or found no room.
    file: RwLock<Option<File>>,
    written: Vec<AtomicBool>,
    shapes: OnceLock<Shapes>,
}

impl Kept {
    fn new(directory: &Path, rows: usize) -> Self {
        let file = tempfile::tempfile_in(directory);
        if let Err(error) = &file {
            tracing::warn!(%error, "the features of the frozen trunk are computed anew each time");
        }
        Self {
            file: RwLock::new(file.ok()),
            written: (0..rows).map(|_| AtomicBool::new(false)).collect(),
            shapes: OnceLock::new(),
        }
    }

    /// The shapes of what every row holds; nothing before the first is written.
    fn shapes(&self) -> Shapes {
        self.shapes.get().cloned().unwrap_or_default()
    }

    fn length(&self) -> usize {
        let shapes = self.shapes.get().into_iter().flatten();
        shapes.map(|shape| shape.iter().product::<usize>()).sum()
    }

    fn read(&self, row: usize) -> Option<Vec<f32>> {
        if !self.written[row].load(Ordering::Acquire) {
            return None;
        }
        let mut bytes = vec![0; 4 * self.length()];
        let place = row as u64 * bytes.len() as u64;
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        file.as_ref()?.read_exact_at(&mut bytes, place).ok()?;
        let (values, _) = bytes.as_chunks::<4>();
        Some(values.iter().map(|&v| f32::from_le_bytes(v)).collect())
    }

    fn write(&self, row: usize, shapes: &[Vec<usize>], values: &[f32]) {
        self.shapes.get_or_init(|| shapes.to_vec());
        // A sample of another shape than the first cannot be kept beside it.
        if values.len() != self.length() {
            return;
        }
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let written = file
            .as_ref()
            .map(|file| file.write_all_at(&bytes, row as u64 * bytes.len() as u64));
        drop(file);
        match written {
            Some(Ok(())) => self.written[row].store(true, Ordering::Release),
            Some(Err(error)) if self.give_up() => {
                tracing::warn!(%error, "the features of the frozen trunk find no room and are computed anew each time");
            }
            _ => {}
        }
    }

    /// Closes the file, and with it goes its room on the disk; says whether there was one.
    fn give_up(&self) -> bool {
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        file.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_find_no_room_leave_what_they_had() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::new(home.path(), 3);
        let shapes = [vec![2]];
        kept.write(1, &shapes, &[1.0, 2.0]);
        assert_eq!(kept.read(1), Some(vec![1.0, 2.0]));
        assert_eq!(kept.read(0), None);
        // A device that is always full.
        let full = File::options().write(true).open("/dev/full").unwrap();
        *kept.file.write().unwrap() = Some(full);
        kept.write(2, &shapes, &[3.0, 4.0]);
        assert!(kept.file.read().unwrap().is_none(), "the file is closed");
        assert_eq!((kept.read(1), kept.read(2)), (None, None));
        // Nothing is kept any more, and that is no trouble.
        kept.write(0, &shapes, &[5.0, 6.0]);
        assert_eq!(kept.read(0), None);
        assert!(!kept.give_up());
    }
}
