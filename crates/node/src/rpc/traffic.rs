//! Counts connections and requests.

use crate::measures::{self, Open};
use jsonrpsee::{
    core::middleware::{Batch, Notification, RpcServiceT},
    types::Request,
};
use std::sync::Arc;

/// What serves one connection, counted.
#[derive(Clone)]
pub struct Traffic<S> {
    inner: S,
    _open: Arc<Open>,
}

impl<S> Traffic<S> {
    /// Called once for each connection.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            _open: Arc::new(Open::connection()),
        }
    }
}

impl<S: RpcServiceT> RpcServiceT for Traffic<S> {
    type MethodResponse = S::MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = S::BatchResponse;

    fn call<'a>(
        &self,
        request: Request<'a>,
    ) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        measures::request();
        self.inner.call(request)
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        measures::request();
        self.inner.batch(batch)
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}
