//! A port of this machine that leads to the registry through the API server, for as long as one push takes. Who else
//! connects to it meets the registry proxy, which wants a token.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cli::door::PortForward;
use crate::cli::failure::Failure;
use crate::text::with_causes;

/// The tunnel. It closes when it is dropped.
pub(super) struct Tunnel {
    /// Where it begins, `host:port`.
    pub(super) host: String,
    error: Arc<Mutex<Option<String>>>,
    accepting: JoinHandle<()>,
}

impl Tunnel {
    /// Opens it.
    pub(super) async fn open(forward: PortForward) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::error(format!("cannot listen on 127.0.0.1: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let host = listener.local_addr().map_err(failed)?.to_string();
        let error = Arc::new(Mutex::new(None));
        let accepting = tokio::spawn(accept(listener, forward, error.clone()));
        Ok(Self { host, error, accepting })
    }

    /// The last connection that the API server did not open, or that broke.
    pub(super) fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, forward: PortForward, error: Arc<Mutex<Option<String>>>) {
    let mut connections = tokio::task::JoinSet::new(); // They end with the tunnel.
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((mut near, _)) = accepted else { return };
                let (forward, error) = (forward.clone(), error.clone());
                connections.spawn(async move {
                    let failed = match forward.connect().await {
                        Ok(mut far) => {
                            tokio::io::copy_bidirectional(&mut near, &mut far).await.err().map(|error| error.to_string())
                        }
                        Err(error) => Some(with_causes(&error)),
                    };
                    if failed.is_some() {
                        *error.lock().unwrap_or_else(PoisonError::into_inner) = failed;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
