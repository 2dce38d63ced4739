//! Report pages over HTTP, for reading only: no script, no form, no cookie, no request body.
//!
//! ```text
//! /                                  list of the reports
//! /reports/ID   /reports/ID.json     one report, as a page and as data
//! /reports/ID/coefficients.csv       its tables
//! /reports/ID/allocation.csv
//! /healthz                           `ok`
//! ```
//! Every answer, whatever its status, carries the same security headers. Pages come from
//! [`Reports`], a port: where reports are kept is left to others, and so is TLS (a proxy in front).
//! How many may connect, and for how long, is [`gate`]'s work.
mod gate;
mod pages;
#[cfg(test)]
mod tests;

use crate::report::{Report, csv, html};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderName, REFERRER_POLICY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gate::Gate;
use std::any::Any;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

/// A page takes longer than this only if something is wrong.
const PAGE_TIME_MAX: Duration = Duration::from_secs(10);
/// After a signal, answers that are on their way have this long.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// A line of the list of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What addresses the report.
    pub id: String,
    /// Title of the study.
    pub title: String,
    /// Short name of the study.
    pub study: String,
    /// First day of the period, `YYYY-MM-DD`, UTC.
    pub from: String,
    /// Day after the last.
    pub to: String,
    /// Why there is no report, in words; `None` if there is one.
    pub withheld: Option<String>,
}

impl Listing {
    /// A result of which no report is made.
    pub fn withheld(id: String, study: &Study, why: String) -> Self {
        let (from, to) = study.period();
        Self {
            id,
            title: study.title().to_owned(),
            study: study.name().to_string(),
            from: from.to_string(),
            to: to.to_string(),
            withheld: Some(why),
        }
    }
}

/// The reports that the pages show.
pub trait Reports: Send + Sync {
    /// All of them, in the order of the list.
    fn list(&self) -> Vec<Listing>;
    /// The report of that identifier, if there is one.
    fn get(&self, id: &str) -> Option<&Report>;
}

/// Reports held in memory, each under its name.
#[derive(Clone, Debug, Default)]
pub struct Named {
    reports: Vec<(String, Report)>,
    withheld: Vec<Listing>,
}

impl Named {
    /// Keeps the order given. Of two reports of one name the first is shown.
    pub fn new(reports: Vec<(String, Report)>) -> Self {
        let mut named = Self::default();
        for (id, report) in reports {
            if named.get(&id).is_none() {
                named.reports.push((id, report));
            }
        }
        named
    }

    /// The same, with results that the list names below as withheld.
    #[must_use = "returns the reports with more beside them"]
    pub fn with_withheld(mut self, withheld: Vec<Listing>) -> Self {
        self.withheld = withheld;
        self
    }
}

impl Reports for Named {
    fn list(&self) -> Vec<Listing> {
        let line = |(id, report): &(String, Report)| {
            let study = &report.data().study;
            Listing {
                id: id.clone(),
                title: study.title.clone(),
                study: study.name.clone(),
                from: study.from.clone(),
                to: study.to.clone(),
                withheld: None,
            }
        };
        self.reports.iter().map(line).chain(self.withheld.iter().cloned()).collect()
    }

    fn get(&self, id: &str) -> Option<&Report> {
        self.reports.iter().find(|(name, _)| name == id).map(|(_, report)| report)
    }
}

/// A single report, under the first twelve digits of its round.
pub fn one(report: Report) -> Arc<Named> {
    let id = report.data().inputs.round_config.chars().take(12).collect();
    Arc::new(Named::new(vec![(id, report)]))
}

/// Serves the pages until `stop` ends; answers on their way are finished first, within five seconds.
///
/// # Errors
/// An operator's fault if the listener fails.
pub async fn serve<R: Reports + 'static>(
    listener: TcpListener,
    reports: Arc<R>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Fault> {
    let app = router(reports, PAGE_TIME_MAX)?;
    let (end, told) = oneshot::channel();
    let stop = async move {
        stop.await;
        let _ = end.send(()); // nobody listens only if the server has ended already
    };
    // A reader that hangs would hold a graceful end for as long as its connection lives.
    let late = async move {
        match told.await {
            Ok(()) => tokio::time::sleep(LAST_ANSWERS).await,
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        served = axum::serve(Gate::new(listener), app).with_graceful_shutdown(stop) => {
            served.map_err(|e| Fault::operator(format!("the pages cannot be served: {e}")))
        }
        () = late => Ok(()),
    }
}

type Shared = Arc<dyn Reports>;

/// The pages; each may take `longest`.
fn router(reports: Shared, longest: Duration) -> Result<Router, Fault> {
    // A frame's owner is told by a header only; the rest stands in the pages as well.
    let policy = format!("{}; frame-ancestors 'none'", html::content_policy());
    let policy = HeaderValue::try_from(policy).map_err(|e| Fault::bug(e.to_string()))?;
    let header = |name: HeaderName, value| SetResponseHeaderLayer::overriding(name, value);
    let fixed = HeaderValue::from_static;
    Ok(Router::new()
        .route("/", get(list))
        .route("/reports/{id}", get(report))
        .route("/reports/{id}/coefficients.csv", get(coefficients))
        .route("/reports/{id}/allocation.csv", get(allocation))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(|| async { nothing() })
        .method_not_allowed_fallback(|| async { reading_only() })
        .with_state(reports)
        // The last layer is the outermost: headers go on whatever the others answer.
        .layer(middleware::from_fn(without_body))
        .layer(CatchPanicLayer::custom(failed))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, longest))
        .layer(header(CONTENT_SECURITY_POLICY, policy))
        .layer(header(X_CONTENT_TYPE_OPTIONS, fixed("nosniff")))
        .layer(header(REFERRER_POLICY, fixed("no-referrer")))
        .layer(header(CACHE_CONTROL, fixed("no-store"))))
}

async fn list(State(reports): State<Shared>) -> Response {
    made(reports, |reports| page(StatusCode::OK, pages::list(&reports.list()))).await
}

async fn report(State(reports): State<Shared>, Path(id): Path<String>) -> Response {
    made(reports, move |reports| match (reports.get(&id), id.strip_suffix(".json")) {
        (Some(report), _) => page(StatusCode::OK, pages::report(&id, report)),
        (None, Some(id)) => reports.get(id).map_or_else(nothing, json),
        (None, None) => nothing(),
    })
    .await
}

async fn coefficients(State(reports): State<Shared>, Path(id): Path<String>) -> Response {
    let found = move |reports: &dyn Reports| reports.get(&id).map(csv::coefficients);
    made(reports, move |reports| table("coefficients", found(reports))).await
}

async fn allocation(State(reports): State<Shared>, Path(id): Path<String>) -> Response {
    let found = move |reports: &dyn Reports| reports.get(&id).map(csv::allocation);
    made(reports, move |reports| table("allocation", found(reports))).await
}

/// Makes an answer off the threads that listen, so that the time limit can end the wait for it.
async fn made(
    reports: Shared,
    make: impl FnOnce(&dyn Reports) -> Response + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(move || make(reports.as_ref())).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic), // one place answers panics
            Err(_) => failed(Box::new(())),                // the program is ending
        },
    }
}

fn page(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn json(report: &Report) -> Response {
    match report.to_json() {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => failed(Box::new(())),
    }
}

fn table(name: &str, text: Option<String>) -> Response {
    let Some(text) = text else { return nothing() };
    let kept = format!("attachment; filename=\"{name}.csv\"");
    let kind = "text/csv; charset=utf-8; header=present".to_owned();
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, kept)], text).into_response()
}

fn nothing() -> Response {
    let words = "There is no such page here.";
    page(StatusCode::NOT_FOUND, pages::plain("Not found", words))
}

fn reading_only() -> Response {
    let words = "These pages can be read, nothing else.";
    let mut answer = page(StatusCode::METHOD_NOT_ALLOWED, pages::plain("Not allowed", words));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
    answer
}

/// Says nothing of the cause: the program's own log has it.
fn failed(_panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a report page could not be made");
    let words = "The page could not be made. Whoever runs this server finds the cause in its log.";
    page(StatusCode::INTERNAL_SERVER_ERROR, pages::plain("Something went wrong", words))
}

/// Nothing is ever sent to these pages, so a body is refused before a byte of it is read.
async fn without_body(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let sized = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if sized || headers.contains_key(TRANSFER_ENCODING) {
        let words = "A request to these pages has no content.";
        return page(StatusCode::PAYLOAD_TOO_LARGE, pages::plain("Not accepted", words));
    }
    next.run(request).await
}
