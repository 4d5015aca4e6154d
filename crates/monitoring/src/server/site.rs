//! The answer to a request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::access::{Access, Sight, TOKEN_NEEDED};
use super::calls::Calls;
use super::fresh::{Fresh, working};
use super::pages::{AddedPanel, AddedRoute, Call, Draw, Pages};
use super::query::Query;
use super::reply::Reply;
use super::route::{ENDPOINTS, Route};
use super::tally::Tally;
use super::{Drained, ServerOptions, Sources, accept, body, metrics_page, negotiation, page};
use crate::error::Error;
use crate::{Gauge, Health, Metrics};

/// All the server's answers, to be mounted in a server of the program's own: a service of hyper and of tower, and cheap to
/// clone. [`Server`](crate::Server) is this one with a thread of its own; [`serve`](Self::serve) is it on the caller's runtime.
///
/// As a service it knows nothing of connections: time-outs, caps and the address are its server's matter. The token counts
/// here too, but its wrong attempts are counted for all clients together. Its runtime is tokio's.
///
/// ```
/// use hyper::{Request, service::Service};
/// use trading_monitoring::{Health, Lifecycle, Metrics, ServerOptions, Site, Sources, System, SystemOptions};
///
/// # fn main() -> Result<(), trading_monitoring::Error> {
/// let sources = Sources {
///     metrics: Metrics::default(),
///     health: Health::start([])?,
///     system: System::start(SystemOptions::default())?,
///     lifecycle: Lifecycle::default(),
///     pages: Vec::new(),
/// };
/// let site = Site::new(ServerOptions::default(), sources)?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// let answer = site.call(Request::get("/ping").body(()).unwrap()).await.unwrap();
/// assert_eq!(answer.status(), 200);
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Site {
    inner: Arc<Inner>,
}

struct Inner {
    options: ServerOptions,
    metrics: Metrics,
    sources: Sources,
    access: Access,
    index: Reply,
    ping: Reply,
    live: Reply,
    fresh: Fresh,
    tally: Tally,
    connections: Gauge,
    calls: Calls,
    /// By path, with their places in the tally.
    added: HashMap<String, (usize, Call)>,
    panels: Vec<Panel>,
}

struct Panel {
    prefix: String,
    title: String,
    draw: Draw,
    /// One at a time: who comes meanwhile waits.
    calls: Calls,
}

/// Where a request leads.
enum Way<'a> {
    Ours(Route<'a>),
    Added(usize, &'a Call),
}

impl Site {
    /// Puts it together.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] when a number is zero that may not be, [`Error::InvalidPages`] when a prefix or a
    /// route of added pages is not one, is there twice, or is the server's own.
    pub fn new(options: ServerOptions, mut sources: Sources) -> Result<Self, Error> {
        options.check_numbers()?;
        Pages::check_all(&sources.pages)?;
        let metrics = sources.metrics.clone();
        sources.system.record_into(&metrics);
        metrics.describe("http_connections", "Open connections to the health server.");

        let mut endpoints: Vec<(String, String)> =
            ENDPOINTS.iter().map(|(path, says)| ((*path).to_owned(), (*says).to_owned())).collect();
        let (mut added, mut panels) = (HashMap::new(), Vec::new());
        for Pages { prefix, routes, panels: drawn } in sources.pages.drain(..) {
            for AddedRoute { path, says, call } in routes {
                added.insert(path.clone(), (endpoints.len(), call));
                endpoints.push((path, says));
            }
            panels.extend(drawn.into_iter().map(|AddedPanel { title, draw }| {
                let calls = Calls::new(1, options.call_timeout);
                Panel { prefix: prefix.clone(), title, draw, calls }
            }));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                access: Access::new(&options),
                index: Reply::json(&body::index(&endpoints)),
                ping: Reply::json(&json!({ "message": "pong" })),
                live: Reply::json(&json!({ "status": "alive" })),
                fresh: Fresh::default(),
                tally: Tally::new(&metrics, endpoints.into_iter().map(|(path, _)| path)),
                connections: metrics.gauge("http_connections", &[]),
                calls: Calls::new(options.calls_max, options.call_timeout),
                metrics,
                options,
                sources,
                added,
                panels,
            }),
        })
    }

    /// Serves a listener on the caller's runtime until `shutdown` says for how long the requests that are under way may
    /// still take; what is open after that is closed. [`ServerOptions::address`] does not count.
    ///
    /// Returns how the connections ended. Dropping the future closes everything at once.
    ///
    /// # Errors
    ///
    /// [`Error::Unprotected`] when other machines would see everything; [`Error::Runtime`] when the listener does not tell
    /// its address.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = Duration> + Send,
    ) -> Result<Drained, Error> {
        let address = listener.local_addr().map_err(|source| Error::Runtime { source })?;
        self.inner.options.check(address)?;
        Ok(accept::serve(listener, self, shutdown).await)
    }

    pub(super) fn options(&self) -> &ServerOptions {
        &self.inner.options
    }

    pub(super) fn note_connections(&self, open: usize) {
        self.inner.connections.set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
    }

    /// An answer to what is not even a request.
    pub(super) fn refuse(&self, reply: Reply) -> Response<Full<Bytes>> {
        self.inner.tally.count(None, reply.status);
        reply.response()
    }

    /// HEAD is answered like GET: hyper leaves the body out and keeps its length.
    pub(super) async fn answer(&self, head: &Parts, peer: Option<IpAddr>) -> Response<Full<Bytes>> {
        let way = self.way(head.uri.path());
        let place = match &way {
            None => None,
            Some(Way::Ours(route)) => Some(route.place()),
            Some(Way::Added(place, _)) => Some(*place),
        };
        let reply = self.reply(head, peer, way).await;
        self.inner.tally.count(place, reply.status);
        reply.response()
    }

    fn way<'a>(&'a self, path: &'a str) -> Option<Way<'a>> {
        let added = || self.inner.added.get(path).map(|(place, call)| Way::Added(*place, call));
        Route::of(path).map(Way::Ours).or_else(added)
    }

    async fn reply(&self, head: &Parts, peer: Option<IpAddr>, way: Option<Way<'_>>) -> Reply {
        let options = &self.inner.options;
        let target_bytes = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target_bytes > options.uri_bytes_max {
            let sentence = format!("a target has {} bytes at most", options.uri_bytes_max);
            return Reply::error(StatusCode::URI_TOO_LONG, &sentence);
        }
        let sight = match self.inner.access.judge(&head.uri, &head.headers, peer, Instant::now) {
            Ok(sight) => sight,
            Err(refusal) => return Reply::error(refusal.status(), refusal.sentence()),
        };
        if sight == Sight::Words && !way.as_ref().is_some_and(Way::has_words) {
            return Reply::error(StatusCode::UNAUTHORIZED, TOKEN_NEEDED);
        }
        let Some(way) = way else {
            return Reply::error(StatusCode::NOT_FOUND, "no such page: /?format=json lists those that there are");
        };
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return Reply::error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered");
        }
        match way {
            Way::Ours(route) => self.ours(route, head, sight).await,
            Way::Added(_, call) => {
                let (call, query) = (Arc::clone(call), Query::parse(head.uri.query().unwrap_or_default()));
                self.inner.calls.run(move || call(&query)).await.unwrap_or_else(|failed| {
                    Reply::error(StatusCode::SERVICE_UNAVAILABLE, &format!("the route {}", failed.sentence()))
                })
            }
        }
    }

    async fn ours(&self, route: Route<'_>, head: &Parts, sight: Sight) -> Reply {
        let Inner { sources, .. } = &*self.inner;
        match route {
            Route::Ping => self.inner.ping.clone(),
            Route::Live => self.inner.live.clone(),
            Route::Ready | Route::Health => {
                let answers = self.inner.fresh.answers(&sources.health, &sources.lifecycle);
                match (route, sight) {
                    (Route::Ready, Sight::All) => answers.ready.clone(),
                    (Route::Ready, Sight::Words) => answers.ready_words.clone(),
                    (_, Sight::All) => answers.health.clone(),
                    (_, Sight::Words) => answers.health_words.clone(),
                }
            }
            Route::Page => match negotiation::wanted(head, &[("text/html", "html"), negotiation::JSON]) {
                Ok(0) => page::html(),
                Ok(_) if sight == Sight::All => self.inner.index.clone(),
                Ok(_) => Reply::error(StatusCode::UNAUTHORIZED, TOKEN_NEEDED),
                Err(sentence) => Reply::error(StatusCode::BAD_REQUEST, &sentence),
            },
            Route::Asset(asset) => asset.reply(),
            Route::Component(name) => component(&sources.health, name),
            Route::Metrics => metrics_page::reply(&self.inner.metrics, head),
            Route::Transitions => Reply::json(&body::transitions(&sources.health.transitions())),
            Route::System => Reply::json(&body::system(&sources.system.report())),
            Route::Panels => self.panels().await,
        }
    }

    /// Draws all panels at once: one that hangs costs the others no more than its time-out.
    async fn panels(&self) -> Reply {
        let drawing: Vec<_> = self
            .inner
            .panels
            .iter()
            .map(|panel| {
                let (calls, draw) = (panel.calls.clone(), Arc::clone(&panel.draw));
                tokio::spawn(async move { calls.run(move || draw().map_err(sentence)).await })
            })
            .collect();
        let mut panels: Vec<Value> = Vec::with_capacity(drawing.len());
        for (panel, drawn) in self.inner.panels.iter().zip(drawing) {
            let Panel { prefix, title, .. } = panel;
            let drawn = match drawn.await {
                Ok(Ok(drawn)) => drawn,
                Ok(Err(failed)) => Err(failed.sentence()),
                Err(ended) => Err(ended.to_string()),
            };
            panels.push(match drawn {
                Ok(parts) => {
                    let parts: Vec<Value> = parts.into_iter().map(super::Part::into_json).collect();
                    json!({ "prefix": prefix, "title": title, "parts": parts })
                }
                Err(error) => json!({ "prefix": prefix, "title": title, "error": error }),
            });
        }
        Reply::json(&json!({ "panels": panels }))
    }
}

/// The error and its causes.
#[expect(clippy::needless_pass_by_value, reason = "it is what a panel returns")]
fn sentence(error: Box<dyn StdError + Send + Sync>) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Way<'_> {
    /// Whether it has something to say to those without the token.
    fn has_words(&self) -> bool {
        use Route::{Asset, Health, Live, Page, Ping, Ready};
        matches!(self, Way::Ours(Page | Asset(_) | Ping | Live | Ready | Health))
    }
}

fn component(health: &Health, name: &str) -> Reply {
    let report = health.report();
    if let Some(component) = report.component(name) {
        let history = health.history(name).unwrap_or_default();
        return Reply::json(&body::component_with_history(component, &history))
            .status(working(component.status.works()));
    }
    let known: Vec<&str> = report.components.iter().map(|component| component.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Reply::error(StatusCode::NOT_FOUND, &format!("no such component: there are {known}"))
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

impl<B> hyper::service::Service<Request<B>> for Site {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<B>) -> Answer {
        let (site, (head, _)) = (self.clone(), request.into_parts());
        Box::pin(async move { Ok(site.answer(&head, None).await) })
    }
}

impl<B> tower_service::Service<Request<B>> for Site {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        hyper::service::Service::call(self, request)
    }
}
