//! Which web pages may speak to the node.
//!
//! A browser lets any page open a WebSocket to this machine and says only in a header whose page it is; programs that
//! are no browsers send none. So a request from a page that is not allowed is refused outright, and the rest get the
//! headers browsers ask for.

use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use std::{
    convert::Infallible,
    pin::Pin,
    str::FromStr,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// The web pages that may speak to the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Every page.
    All,
    /// Pages of these origins, `scheme://host[:port]`; a port of `*` stands for any.
    These(Vec<String>),
}

impl Default for Origins {
    /// Pages this machine serves, and the explorer most people use.
    fn default() -> Self {
        let local = ["http", "https"].into_iter().flat_map(|scheme| {
            ["localhost", "127.0.0.1"].map(|host| format!("{scheme}://{host}:*"))
        });
        Self::These(local.chain(["https://polkadot.js.org".into()]).collect())
    }
}

impl FromStr for Origins {
    type Err = Infallible;

    /// `all`, `none`, or origins with commas between them.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "all" | "*" => Self::All,
            "none" => Self::These(Vec::new()),
            list => Self::These(list.split(',').map(|origin| origin.trim().into()).collect()),
        })
    }
}

impl Origins {
    fn allow(&self, origin: &str) -> bool {
        let Self::These(allowed) = self else {
            return true;
        };
        allowed
            .iter()
            .any(|allowed| match allowed.strip_suffix(":*") {
                None => allowed == origin,
                Some(host) => origin.strip_prefix(host).is_some_and(|port| {
                    port.is_empty()
                        || port
                            .strip_prefix(':')
                            .is_some_and(|digits| digits.parse::<u16>().is_ok())
                }),
            })
    }
}

/// Puts the question before a server.
#[derive(Clone)]
pub struct OriginLayer(pub Arc<Origins>);

impl<S> Layer<S> for OriginLayer {
    type Service = OriginService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OriginService {
            inner,
            origins: self.0.clone(),
        }
    }
}

/// A server behind the question.
#[derive(Clone)]
pub struct OriginService<S> {
    inner: S,
    origins: Arc<Origins>,
}

impl<S, B> Service<HttpRequest<B>> for OriginService<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let Some(origin) = request.headers().get("origin").cloned() else {
            return Box::pin(self.inner.call(request));
        };
        if !origin
            .to_str()
            .is_ok_and(|origin| self.origins.allow(origin))
        {
            let refusal = "this origin may not speak to the node (--rpc-cors)\n";
            return Box::pin(async { Ok(answer(403, refusal)) });
        }
        // A browser asks before it sends what a form could not.
        let inner = (request.method() != "OPTIONS").then(|| self.inner.call(request));
        Box::pin(async {
            let mut response = match inner {
                Some(response) => response.await?,
                None => answer(204, ""),
            };
            let headers = response.headers_mut();
            headers.insert("access-control-allow-origin", origin);
            for (name, value) in [
                ("access-control-allow-methods", "POST, GET"),
                ("access-control-allow-headers", "content-type"),
                ("vary", "origin"),
            ] {
                headers.insert(name, value.parse().expect("a header's letters"));
            }
            Ok(response)
        })
    }
}

fn answer(status: u16, text: &'static str) -> HttpResponse {
    HttpResponse::<()>::builder()
        .status(status)
        .body(HttpBody::from(text))
        .expect("a status of three digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_pages_and_the_explorer_are_allowed_unless_told_otherwise() {
        let origins = Origins::default();
        for allowed in [
            "http://localhost",
            "http://localhost:3000",
            "https://127.0.0.1:1",
            "https://polkadot.js.org",
        ] {
            assert!(origins.allow(allowed), "{allowed}");
        }
        for refused in [
            "http://localhost.evil.org",
            "http://localhost:80.evil.org",
            "https://evil.org",
            "null",
            "",
            "http://polkadot.js.org",
        ] {
            assert!(!origins.allow(refused), "{refused}");
        }
        assert_eq!("all".parse(), Ok(Origins::All));
        let Ok(two) = "https://a.org, https://b.org".parse::<Origins>();
        assert!(two.allow("https://b.org") && !two.allow("http://localhost"));
        let Ok(none) = "none".parse::<Origins>();
        assert!(!none.allow("http://localhost"));
    }
}
