//! The best model so far, answering validators while the next one is trained.

use agon_arena::subnet::healthcare::challenge::{
    Classifier, Predict, Predicted, REQUEST, Threshold,
};
use agon_dataset::chest::LabelSet;
use agon_neuron::axon::{Axon, Context as Asked, Cover, Failure as HandlerFailure};
use anyhow::Context;
use hyper::StatusCode;
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Semaphore;

/// Answers questions with a model that is replaced while they come. Each answer is of one model: a question that has
/// begun keeps the one it has.
pub struct Answering {
    labels: LabelSet,
    threshold: Threshold,
    model: RwLock<Option<Arc<Classifier>>>,
    /// As many models run at once as there are cores; a run that nobody waits for any more keeps its place.
    places: Arc<Semaphore>,
}

impl Answering {
    /// Without a model yet.
    pub fn new(labels: LabelSet, threshold: Threshold) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Arc::new(Self {
            labels,
            threshold,
            model: RwLock::new(None),
            places: Arc::new(Semaphore::new(cores)),
        })
    }

    /// Answers with the model in this file from here on.
    ///
    /// # Errors
    /// When it cannot be read, or answers something else; then the model before it stays.
    pub fn take(&self, path: &Path) -> anyhow::Result<()> {
        let what = || format!("the model {}", path.display());
        let bytes = std::fs::read(path).with_context(what)?;
        let loaded = Classifier::load(bytes, self.labels.clone(), self.threshold);
        let loaded = Arc::new(loaded.with_context(what)?);
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(())
    }

    fn model(&self) -> Option<Arc<Classifier>> {
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner);
        model.clone()
    }

    /// The same server, answering questions too. Their signature need not cover the image, as in the original: whoever
    /// stands between could change the answer as well.
    pub fn route(self: Arc<Self>, axon: Axon) -> Axon {
        axon.route(REQUEST, Cover::Nothing, move |question, asked| {
            self.clone().answer(question, asked)
        })
    }

    async fn answer(
        self: Arc<Self>,
        question: Predict,
        asked: Asked,
    ) -> Result<Predicted, HandlerFailure> {
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(HandlerFailure::internal)?;
        let Some(model) = self.model() else {
            return Err(HandlerFailure::Status {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: "there is no model yet".to_owned(),
            });
        };
        let running = tokio::task::spawn_blocking(move || {
            let _place = place;
            match asked.cancelled.is_cancelled() {
                true => None,
                false => Some(model.answer(&question)),
            }
        });
        match running.await.map_err(HandlerFailure::internal)? {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) if error.is_callers() => {
                Err(HandlerFailure::Request(error.to_string()))
            }
            Some(Err(error)) => Err(HandlerFailure::internal(error)),
            None => Err(HandlerFailure::Request("nobody waits".to_owned())),
        }
    }
}
