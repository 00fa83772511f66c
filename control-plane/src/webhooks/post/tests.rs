#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};

use tokio::{net::TcpListener, sync::watch};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::*;
use crate::webhooks::receiver::{self, Received, Receiver, Reply};

const NOW_US: i64 = 1_800_000_000_000_000;
/// Only a broken test waits so long for an answer.
const FAR: Duration = Duration::from_secs(60);

fn post(answer: Duration) -> Post {
    Post::new(Settings::default(), answer).unwrap()
}

fn message<'m>(url: &'m str, secret: &'m Secret) -> Message<'m> {
    Message {
        url,
        id: "msg_7",
        body: r#"{"type":"alert"}"#,
        secrets: vec![secret],
    }
}

async fn sent(url: &str) -> Answer {
    let secret = Secret::draw();
    post(FAR).send(&message(url, &secret), NOW_US).await
}

#[tokio::test]
async fn a_message_is_json_that_the_library_of_receivers_takes_for_ours() {
    let receiver = Receiver::start().await;
    let (secret, other) = (Secret::draw(), Secret::draw());
    let url = receiver.url();
    let now_us = runtime::clock::now_us();
    let answer = post(FAR).send(&message(&url, &secret), now_us).await;
    assert_eq!((answer.verdict, answer.status), (Verdict::Delivered, 200));
    let came = receiver.received(1).await.remove(0);
    assert_eq!(came.body, r#"{"type":"alert"}"#);
    assert_eq!(came.headers["content-type"], "application/json");
    assert_eq!(came.headers["webhook-timestamp"], (now_us / 1_000_000).to_string());
    assert!(came.headers["user-agent"].starts_with("tidegate/"));
    assert!(came.is_signed_with(&secret.text()) && !came.is_signed_with(&other.text()));
}

#[tokio::test]
async fn the_status_decides() {
    let receiver = Receiver::start().await;
    let cases = [
        (200, Verdict::Delivered),
        (204, Verdict::Delivered),
        (299, Verdict::Delivered),
        (302, Verdict::Redirected),
        (304, Verdict::Redirected),
        (400, Verdict::Refused),
        (404, Verdict::Refused),
        (410, Verdict::Gone),
        (429, Verdict::Refused),
        (500, Verdict::Failed),
        (599, Verdict::Failed),
    ];
    for (status, verdict) in cases {
        receiver.replies(move |_| Reply::status(status));
        let answer = sent(&receiver.url()).await;
        assert_eq!((answer.verdict, answer.status), (verdict, status));
        assert_eq!(answer.is_good(), verdict == Verdict::Delivered);
        assert!(answer.words.contains(&status.to_string()), "{}", answer.words);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_wish_to_wait_is_heard() {
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let location = elsewhere.url();
    receiver.replies(move |_| Reply::Status(307, vec![("location", location.clone())]));
    let answer = sent(&receiver.url()).await;
    assert!(
        answer.words.contains("give the webhook the address itself"),
        "{}",
        answer.words
    );
    receiver.replies(|_| Reply::Status(503, vec![("retry-after", "120".to_owned())]));
    assert_eq!(sent(&receiver.url()).await.retry_after.as_deref(), Some("120"));
    assert!(elsewhere.so_far().is_empty());
}

#[tokio::test]
async fn an_answer_whose_body_never_ends_is_an_answer() {
    let receiver = Receiver::start().await;
    receiver.replies(|_| Reply::Endless);
    assert_eq!(sent(&receiver.url()).await.verdict, Verdict::Delivered);
}

#[tokio::test]
async fn what_hangs_is_cut_or_is_not_there_is_said_so() {
    let receiver = Receiver::start().await;
    receiver.replies(|_| Reply::Hang);
    let (url, secret) = (receiver.url(), Secret::draw());
    let hung = post(Duration::from_millis(50))
        .send(&message(&url, &secret), NOW_US)
        .await;
    assert_eq!((hung.verdict, hung.status), (Verdict::TimedOut, 0));
    for reply in [Reply::Cut, Reply::CutAnswer] {
        receiver.replies(move |_| reply.clone());
        assert_eq!(sent(&url).await.verdict, Verdict::Cut);
    }
    receiver.stop().await;
    let absent = sent(&url).await;
    assert_eq!(absent.verdict, Verdict::Unreachable);
    assert!(absent.words.contains("refused"), "{}", absent.words);
    assert!(!absent.words.contains("127.0.0.1"), "{}", absent.words);
    let unknown = sent("https://no-such-host.invalid/").await;
    assert_eq!(unknown.verdict, Verdict::Unreachable);
}

#[tokio::test]
async fn what_is_not_allowed_is_not_sent() {
    for url in ["http://192.0.2.7/", "ftp://192.0.2.7/", "nonsense"] {
        let answer = sent(url).await;
        assert_eq!(answer.verdict, Verdict::Forbidden);
        assert!(answer.words.starts_with("not sent: the address "), "{}", answer.words);
    }
}

/// A receiver behind TLS, for whom nobody but its own certificate vouches.
struct Behind {
    url: String,
    certificate: Certificate,
    received: Arc<Mutex<Vec<Received>>>,
}

async fn behind_tls() -> Behind {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let received = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn({
        let received = received.clone();
        async move {
            let script = Mutex::new(receiver::taking());
            let (counted, _) = watch::channel(0);
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(stream) = acceptor.accept(stream).await {
                    receiver::serve(stream, &received, &script, &counted).await;
                }
            }
        }
    });
    Behind {
        url,
        certificate: Certificate::from_pem(key.cert.pem().as_bytes()).unwrap(),
        received,
    }
}

#[tokio::test]
async fn a_receiver_is_believed_if_somebody_who_is_trusted_vouches_for_it() {
    let receiver = behind_tls().await;
    let stranger = sent(&receiver.url).await;
    assert_eq!(stranger.verdict, Verdict::Unreachable);
    assert!(
        stranger.words.to_lowercase().contains("certificate"),
        "{}",
        stranger.words
    );
    let settings = Settings {
        authorities: vec![receiver.certificate],
        ..Settings::default()
    };
    let secret = Secret::draw();
    let post = Post::new(settings, FAR).unwrap();
    let known = post.send(&message(&receiver.url, &secret), NOW_US).await;
    assert_eq!(known.verdict, Verdict::Delivered, "{}", known.words);
    assert_eq!(receiver.received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn where_nobody_is_trusted_http_is_reached_and_https_is_not() {
    let (near, receiver) = (Receiver::start().await, behind_tls().await);
    let post = Post {
        client: outward::trusting_nobody(FAR).unwrap(),
        allow_http: false,
    };
    let secret = Secret::draw();
    let stranger = post.send(&message(&receiver.url, &secret), NOW_US).await;
    assert_eq!(stranger.verdict, Verdict::Unreachable);
    assert!(post.send(&message(&near.url(), &secret), NOW_US).await.is_good());
}
