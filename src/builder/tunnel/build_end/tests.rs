//! Both ends over loopback, with an echo in place of BuildKit.

use std::path::PathBuf;

use tokio::sync::watch;

use super::super::builder_end::{self, End, State};
use super::*;

fn key(number: u8) -> BuilderKey {
    BuilderKey::new([number; 32])
}

/// A builder pod for the key, its address, and how it ends.
async fn builder(
    directory: &Path,
    key: BuilderKey,
    daemon: watch::Receiver<State>,
) -> (String, tokio::task::JoinHandle<End>) {
    let socket = directory.join("buildkitd.sock");
    let echo = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = echo.accept().await {
            let (mut from, mut to) = stream.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
        }
    });
    let listener = builder_end::listen(0).await.unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let end = tokio::spawn(async move { builder_end::serve(listener, &key, daemon, &socket).await.unwrap() });
    (address, end)
}

fn ready() -> watch::Receiver<State> {
    watch::channel(State::Ready).1
}

fn client_socket(directory: &Path) -> PathBuf {
    directory.join("client.sock")
}

#[tokio::test]
async fn the_client_of_the_build_reaches_buildkit_and_its_goodbye_ends_the_builder() {
    let dir = tempfile::tempdir().unwrap();
    let (address, end) = builder(dir.path(), key(1), ready()).await;
    let socket = client_socket(dir.path());
    let tunnel = Tunnel::open(&address, &key(1), &socket).await.unwrap();
    for text in ["first", "second"] {
        let mut client = UnixStream::connect(&socket).await.unwrap();
        client.write_all(text.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = String::new();
        client.read_to_string(&mut back).await.unwrap();
        assert_eq!(back, text);
    }
    assert!(tunnel.kills().await.is_some());
    tunnel.end().await;
    assert_eq!(end.await.unwrap(), End::Done);
}

#[tokio::test]
async fn a_client_that_disappears_ends_the_builder_without_success() {
    let dir = tempfile::tempdir().unwrap();
    let (address, end) = builder(dir.path(), key(1), ready()).await;
    let tunnel = Tunnel::open(&address, &key(1), &client_socket(dir.path())).await.unwrap();
    drop(tunnel);
    assert_eq!(end.await.unwrap(), End::Lost);
}

#[tokio::test]
async fn a_client_with_another_key_or_none_reaches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (address, end) = builder(dir.path(), key(1), ready()).await;
    let socket = client_socket(dir.path());
    let refused = Tunnel::open_within(Duration::ZERO, &address, &key(2), &socket).await.err().unwrap();
    assert!(refused.contains("did not answer within 0 s"), "{refused}");
    // Each in the role of the other, too: the builder's own key pair does not open its door.
    for purpose in [Purpose::Presence, Purpose::BuildKit] {
        let settings = Arc::new(tls::build_side(&key(2), purpose).unwrap());
        assert!(connect(&address, &settings).await.is_err());
    }
    let mut plain = TcpStream::connect(&address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    assert!(!end.is_finished(), "strangers do not end it");
}

#[tokio::test]
async fn strangers_that_open_connections_and_say_nothing_do_not_keep_the_client_out() {
    let dir = tempfile::tempdir().unwrap();
    let (address, _end) = builder(dir.path(), key(1), ready()).await;
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let mut strangers = vec![];
    for number in 0..400_u32 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        let own = std::net::Ipv4Addr::from(0x7f00_0002 + number % 4);
        socket.bind((own, 0).into()).unwrap();
        strangers.push(socket.connect((std::net::Ipv4Addr::LOCALHOST, port).into()).await.unwrap());
    }
    let tunnel = Tunnel::open_within(Duration::ZERO, &address, &key(1), &client_socket(dir.path())).await;
    assert!(tunnel.unwrap().kills().await.is_some());
}

#[tokio::test]
async fn the_client_learns_that_the_builder_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (address, end) = builder(dir.path(), key(1), ready()).await;
    let tunnel = Tunnel::open(&address, &key(1), &client_socket(dir.path())).await.unwrap();
    assert!(tunnel.kills().await.is_some() && !tunnel.is_lost());
    end.abort();
    assert!(end.await.unwrap_err().is_cancelled());
    tunnel.lost().await;
    assert_eq!(tunnel.kills().await, None);
    assert!(tunnel.is_lost());
}

#[tokio::test]
async fn an_impostor_with_another_key_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let (address, _end) = builder(dir.path(), key(2), ready()).await;
    let settings = Arc::new(tls::build_side(&key(1), Purpose::BuildKit).unwrap());
    assert!(connect(&address, &settings).await.is_err());
}

#[tokio::test]
async fn the_client_learns_why_the_daemon_did_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let (state, daemon) = watch::channel(State::Starts);
    let (address, _end) = builder(dir.path(), key(1), daemon).await;
    let socket = client_socket(dir.path());
    let key = key(1);
    let opening = Tunnel::open(&address, &key, &socket);
    let failed = async { state.send(State::Failed("no user\nnamespaces".to_owned())).unwrap() };
    let (opened, ()) = tokio::join!(opening, failed);
    assert_eq!(opened.err().unwrap(), "no user namespaces");
}
