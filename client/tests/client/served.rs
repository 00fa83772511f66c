//! Under a real HTTP server: what a connection does to a request is what the layer makes of it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use proto::v1::{Observation, OutcomeKind};
use tidegate_client::{Client, ReportLayer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::fake::{Agent, World};
use crate::setting::{Place, split, user};

/// A shop with handlers that answer, stream, or hang, each of which uses a flag.
struct Shop {
    world: World,
    hangs: Arc<Notify>,
    at: Place,
    _agent: Agent,
    _place: Place,
}

impl Shop {
    fn open() -> Self {
        let (place, at) = (Place::new(), Place::new());
        let world = World::new([("checkout", split())]);
        let agent = world.listen(&place.path);
        let client = place.patient();
        let hangs = Arc::new(Notify::new());
        let routes = routes(&client, &hangs).layer(ReportLayer::new(&client));
        let listener = UnixListener::bind(&at.path).unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            world,
            hangs,
            at,
            _agent: agent,
            _place: place,
        }
    }

    /// Sends a request and leaves the connection open.
    async fn ask(&self, method: &str, path: &str) -> UnixStream {
        let mut connection = UnixStream::connect(&self.at.path).await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        connection
    }

    /// The one report that is made.
    async fn report(&self) -> Observation {
        let heard = self.world.heard(1).await;
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.into_iter().next().unwrap()
    }
}

fn routes(client: &Client, hangs: &Arc<Notify>) -> Router {
    let answer = {
        let client = client.clone();
        async move || client.boolean("checkout", false, &user()).await.variant.unwrap()
    };
    let flow = {
        let client = client.clone();
        async move || {
            client.boolean("checkout", false, &user()).await;
            let parts = stream::iter(["one ", "two ", "three"]).then(async |part| {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Bytes::from_static(part.as_bytes()))
            });
            Body::from_stream(parts)
        }
    };
    let hang = {
        let (client, hangs) = (client.clone(), Arc::clone(hangs));
        async move || {
            client.boolean("checkout", false, &user()).await;
            hangs.notify_one();
            std::future::pending::<()>().await
        }
    };
    Router::new()
        .route("/answer", get(answer))
        .route("/flow", get(flow))
        .route("/hang", get(hang))
}

#[tokio::test]
async fn what_is_answered_whole_has_worked() {
    for (method, path) in [
        ("GET", "/answer"),
        ("GET", "/flow"),
        ("HEAD", "/answer"),
        ("HEAD", "/flow"),
    ] {
        let shop = Shop::open();
        let mut answer = String::new();
        shop.ask(method, path).await.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let report = shop.report().await;
        assert_eq!(report.outcome(), OutcomeKind::Ok, "{method} {path}");
        assert_eq!(report.values[0].value, 200.0, "{method} {path}");
    }
}

#[tokio::test]
async fn a_caller_that_closes_its_connection_cancels_its_request() {
    let shop = Shop::open();
    let connection = shop.ask("GET", "/hang").await;
    shop.hangs.notified().await;
    drop(connection);
    assert_eq!(shop.report().await.outcome(), OutcomeKind::Cancelled);
}
