//! A connection to a server that speaks no HTTP: the same checks of addresses as for all else that is read, and TLS with
//! the roots of the web and of this machine.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto, pki_types::ServerName};

use super::{Client, FetchError, Reach};

/// Made once: reading the machine's certificates takes a while.
static TLS: LazyLock<Option<TlsConnector>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is none.
        let _ = roots.add(certificate);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
});

impl Client {
    /// Connects to an address that the host's name leads to and that may be called.
    ///
    /// # Errors
    /// [`FetchError`]: refused, or no connection in time.
    pub async fn reach(&self, host: &str, port: u16, reach: Reach) -> Result<TcpStream, FetchError> {
        if reach == Reach::Public && host.parse::<IpAddr>().is_ok_and(|address| !(self.judge)(address)) {
            return Err(FetchError::Refused(host.to_owned()));
        }
        let connect = async {
            let found: Vec<_> = tokio::net::lookup_host((host, port))
                .await
                .map_err(|fault| FetchError::Unreachable(fault.to_string()))?
                .filter(|address| reach == Reach::Local || (self.judge)(address.ip()))
                .collect();
            if found.is_empty() {
                return Err(FetchError::Refused(host.to_owned()));
            }
            TcpStream::connect(found.as_slice()).await.map_err(|fault| FetchError::Unreachable(fault.to_string()))
        };
        timeout(self.limits.connect, connect).await.unwrap_or(Err(FetchError::TimedOut("the connection")))
    }

    /// Encrypts a connection, and makes sure that it is the host that answers.
    ///
    /// # Errors
    /// When its certificate does not hold, or it does not answer in time.
    pub async fn secured(&self, stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, FetchError> {
        let unreachable = |what: String| FetchError::Unreachable(what);
        let name = ServerName::try_from(host.to_owned()).map_err(|fault| unreachable(fault.to_string()))?;
        let tls = TLS.as_ref().ok_or_else(|| unreachable("no TLS here".to_owned()))?;
        let shaken = timeout(self.limits.connect, tls.connect(name, stream)).await;
        shaken
            .map_err(|_| FetchError::TimedOut("the connection"))?
            .map_err(|fault| unreachable(format!("tls: {fault}")))
    }
}
