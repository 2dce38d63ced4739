//! That the pages answer over a real connection, alike to everyone, and with nothing but reports.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use super::{Listing, Named, Reports, Shared, one, router, serve};
use crate::report::{Report, csv, html, sample};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const LONG: Duration = Duration::from_mins(1);

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &str| line.to_lowercase().starts_with(&format!("{name}: "));
        let found = self.head.lines().find(|l| line(l))?;
        found.split_once(": ").map(|(_, value)| value)
    }
}

fn report() -> Report {
    Report::new(sample::data()).unwrap()
}

/// Sends `request` as it stands, with the end of its head, and reads until the server closes.
async fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("{request}\r\nHost: pages\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = vec![];
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1")).await
}

/// The pages of `reports`, until the test ends.
async fn up(reports: Shared, longest: Duration) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = router(reports, longest).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

async fn sample_up() -> SocketAddr {
    let other = "<b>/two".to_owned();
    up(Arc::new(Named::new(vec![("one".to_owned(), report()), (other, report())])), LONG).await
}

/// A shelf whose books burn or take their time.
struct Broken;

impl Reports for Broken {
    fn list(&self) -> Vec<Listing> {
        std::thread::sleep(Duration::from_millis(500));
        vec![]
    }

    fn get(&self, _id: &str) -> Option<&Report> {
        panic!("a secret of the server")
    }
}

fn assert_guarded(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "style-src 'sha256-",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn every_report_is_listed_and_every_link_of_the_list_leads_somewhere() {
    let address = sample_up().await;
    let list = get(address, "/").await;
    assert_eq!((list.status, list.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(list.body.contains("What emotional labour in care is worth"));
    assert!(list.body.contains("2026-07-01 to 2026-09-30"));
    assert!(!list.body.contains("<b>") && list.body.contains("&lt;b&gt;/two"));
    let links: Vec<_> =
        list.body.split("href=\"/").skip(1).map(|l| l.split('"').next().unwrap()).collect();
    assert_eq!(links.len(), 8, "{links:?}");
    for link in links {
        let answer = get(address, &format!("/{link}")).await;
        assert_eq!(answer.status, 200, "{link}");
        assert_guarded(&answer);
    }
}

#[tokio::test]
async fn a_report_has_a_page_and_files_that_equal_the_written_ones() {
    let address = sample_up().await;
    let page = get(address, "/reports/one").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let (_, sections) = page.body.split_once("<main").unwrap();
    assert_eq!(sections, html::page(&report()).split_once("<main").unwrap().1);
    assert!(page.body.contains("href=\"/reports/one/allocation.csv\""));
    let json = get(address, "/reports/one.json").await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(Report::from_json(&json.body).unwrap(), report());
    for (name, text) in
        [("coefficients", csv::coefficients(&report())), ("allocation", csv::allocation(&report()))]
    {
        let table = get(address, &format!("/reports/one/{name}.csv")).await;
        assert_eq!(table.body, text);
        assert!(table.header("content-type").unwrap().starts_with("text/csv"));
        let kept = format!("attachment; filename=\"{name}.csv\"");
        assert_eq!(table.header("content-disposition"), Some(kept.as_str()));
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_plain_page_with_every_guard() {
    let address = sample_up().await;
    for path in
        ["/reports/none", "/reports/none.json", "/reports/none/allocation.csv", "/x", "/reports/"]
    {
        let answer = get(address, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("There is no such page here."));
        assert!(!answer.body.contains("none.json") && !answer.body.contains("<svg"));
        assert_guarded(&answer);
    }
    assert_eq!(get(address, "/reports/%FF").await.status, 400);
    assert_guarded(&get(address, "/reports/%FF").await);
}

#[tokio::test]
async fn the_server_says_that_it_lives() {
    let answer = get(sample_up().await, "/healthz").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    assert_guarded(&answer);
}

#[tokio::test]
async fn the_head_alone_can_be_asked_for() {
    let answer = send(sample_up().await, "HEAD /reports/one HTTP/1.1").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_guarded(&answer);
}

#[tokio::test]
async fn nothing_but_reading_is_allowed() {
    let address = sample_up().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let answer = send(address, &format!("{method} /reports/one HTTP/1.1")).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET,HEAD"));
        assert_guarded(&answer);
    }
    for length in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let answer = send(address, &format!("POST /reports/one HTTP/1.1\r\n{length}")).await;
        assert_eq!(answer.status, 413, "{length}");
        assert_guarded(&answer);
    }
    let empty = send(address, "GET /healthz HTTP/1.1\r\nContent-Length: 0").await;
    assert_eq!(empty.status, 200);
}

#[tokio::test]
async fn a_page_that_panics_tells_no_reader_why() {
    let answer = get(up(Arc::new(Broken), LONG).await, "/reports/one").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("The page could not be made."));
    assert!(!answer.body.contains("secret"));
    assert_guarded(&answer);
}

#[tokio::test]
async fn a_page_that_takes_too_long_is_given_up() {
    let answer = get(up(Arc::new(Broken), Duration::from_millis(20)).await, "/").await;
    assert_eq!(answer.status, 503);
    assert_guarded(&answer);
}

#[tokio::test]
async fn the_server_ends_when_told_and_not_before() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = oneshot::channel();
    let stop = async move { told.await.unwrap() };
    let server = tokio::spawn(serve(listener, one(report()), stop));
    assert!(get(address, "/").await.body.contains("/reports/333333333333"));
    assert!(!server.is_finished());
    tell.send(()).unwrap();
    assert_eq!(server.await.unwrap(), Ok(()));
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn of_two_reports_of_one_name_the_first_is_kept() {
    let mut later = sample::data();
    later.study.title = "Later".to_owned();
    let later = Report::new(later).unwrap();
    let named = Named::new(vec![("a".to_owned(), report()), ("a".to_owned(), later)]);
    assert_eq!(named.list().len(), 1);
    assert_eq!(named.get("a"), Some(&report()));
}
