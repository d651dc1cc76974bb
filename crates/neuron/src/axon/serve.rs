//! A service on a socket: bounded in connections, in the bytes of a request's head and in the time that one may take.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;

/// Bounds on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// So many at once; one more waits to be accepted.
    pub at_once: usize,
    /// So many of one address; one more is closed.
    pub per_ip: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    pub head_time: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// How long the encryption of a connection may take to be agreed on.
    pub handshake_time: Duration,
    /// How long an end waits for requests under way.
    pub drain_time: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            at_once: 16_384,
            per_ip: 1_024,
            head_time: Duration::from_secs(30),
            head_bytes: 16 << 10,
            handshake_time: Duration::from_secs(10),
            drain_time: Duration::from_secs(10),
        }
    }
}

/// The most headers of a request.
const MAX_HEADERS: usize = 100;
/// After a failed accept, for instance because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A service that is being served. It ends when this is dropped, or orderly with [`Server::stop`].
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests and waits for those under way.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the server did not end well");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// What can be served: it answers every request, whatever goes wrong.
pub trait Serving:
    tower::Service<
        Request<Incoming>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
    /// Its answers' bodies.
    type Body: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;
}

impl<S, B> Serving for S
where
    S: tower::Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    type Body = B;
}

/// Serves `service` on `listener`, encrypted if there is a certificate.
///
/// # Errors
/// When the listener has no address.
pub fn serve(
    listener: TcpListener,
    service: impl Serving,
    bounds: Connections,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let task = tokio::spawn(accept(listener, service, bounds, tls, stop.clone()));
    Ok(Server {
        address,
        stop,
        task,
    })
}

async fn accept(
    listener: TcpListener,
    service: impl Serving,
    bounds: Connections,
    tls: Option<Arc<ServerConfig>>,
    stop: CancellationToken,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_time)
        .max_headers(MAX_HEADERS)
        .max_buf_size(bounds.head_bytes.max(8 << 10));
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(bounds.at_once));
    let addresses = Addresses::new(bounds.per_ip);
    let graceful = GracefulShutdown::new();
    // However this ends, what is still open then is cut.
    let cut = CancellationToken::new();
    let _cut = cut.clone().drop_guard();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = next(&listener, &places) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = addresses.place(peer.ip()) else {
            metrics::counter!("agon_axon_connections_refused").increment(1);
            continue;
        };
        // Answers are small and must not wait for more.
        let _ = stream.set_nodelay(true);
        let (service, builder, watcher) = (service.clone(), builder.clone(), graceful.watcher());
        let (tls, handshake_time) = (tls.clone(), bounds.handshake_time);
        let conversation = async move {
            let _held: (OwnedSemaphorePermit, Place) = (permit, place);
            let ended = match tls {
                None => converse(builder, stream, peer, service, watcher).await,
                Some(tls) => match timeout(handshake_time, tls.accept(stream)).await {
                    Ok(Ok(stream)) => converse(builder, stream, peer, service, watcher).await,
                    _ => return,
                },
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection ended badly");
            }
        };
        tokio::spawn(cut.clone().run_until_cancelled_owned(conversation));
    }
    drop(listener);
    if timeout(bounds.drain_time, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still under way; their connections are cut");
    }
}

/// The next connection, when there is a place for one.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = places.clone().acquire_owned().await;
    let permit = permit.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn converse(
    builder: http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    service: impl Serving,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), hyper::Error> {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let mut service = service.clone();
        async move { service.call(request).await }
    });
    watcher
        .watch(builder.serve_connection(TokioIo::new(stream), service))
        .await
}

/// How many connections each address has.
#[derive(Clone)]
struct Addresses {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

/// One connection of an address.
struct Place(Addresses, IpAddr);

impl Addresses {
    fn new(most: usize) -> Self {
        Self {
            open: Arc::default(),
            most,
        }
    }

    fn place(&self, ip: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(ip).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place(self.clone(), ip))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is no PEM of this kind.
    #[error("the {0} is no PEM file")]
    Pem(&'static str),
    /// They do not belong together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What encryption needs, from a certificate's chain and its key in PEM.
///
/// # Errors
/// When they cannot be used.
pub fn tls_from_pem(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Pem("certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Pem("key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}
