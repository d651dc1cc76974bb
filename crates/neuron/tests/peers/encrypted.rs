use std::sync::Arc;
use std::time::Duration;

use agon_neuron::axon::{Connections, TlsError, serve, tls_from_pem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::world::*;

#[tokio::test]
async fn a_certificate_encrypts_the_way() {
    let world = World::new().await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = tls_from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bounds = Connections {
        handshake_time: Duration::from_millis(300),
        ..Connections::default()
    };
    let server = serve(listener, world.service.clone(), bounds, Some(tls)).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = signed(&world, "Bob", "Dummy", 7, now());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 16_384];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    // Who does not encrypt, and who says nothing, is cut off.
    for words in [&b"POST /Dummy HTTP/1.1\r\n\r\n"[..], b""] {
        let mut plain = TcpStream::connect(server.address()).await.unwrap();
        plain.write_all(words).await.unwrap();
        let mut said = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), plain.read_to_end(&mut said));
        assert!(ended.await.is_ok());
        assert!(!said.starts_with(b"HTTP"));
    }
    server.stop().await;

    assert!(matches!(
        tls_from_pem(b"nonsense", key.as_bytes()),
        Err(TlsError::Unusable(_) | TlsError::Pem(_))
    ));
    assert!(matches!(
        tls_from_pem(chain.as_bytes(), b""),
        Err(TlsError::Pem("key"))
    ));
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = other.signing_key.serialize_pem();
    assert!(matches!(
        tls_from_pem(chain.as_bytes(), other.as_bytes()),
        Err(TlsError::Unusable(_))
    ));
}
