//! Lists as files: all rows that a page's address asks for, not one page of them.
//!
//! ```text
//! GET /{alerts,nodes,checks,silences}.csv    for spreadsheets
//! GET /{alerts,nodes,checks,silences}.json   {"total": …, "rows": […]}, rows as in the API
//! ```
//!
//! A file is written while it is read, in pieces, so that a hundred thousand rows take the memory of a few hundred. What is
//! too much is said in the file's name: a last row that says so would be taken for an alert by the next program. A file whose
//! writer fails breaks off in a way that whoever reads it notices.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::StreamExt as _;
use futures_util::stream::{Stream, unfold};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::error;

use super::Asked;
use crate::App;
use crate::address::Address;
use crate::lists::{BadAddress, Page, Snapshot, WHOLE, alerts, checks, nodes, silences};

mod table;

use table::Table;

/// Rows of a piece.
const PIECE: usize = 500;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// A list that can be had as a file.
struct List {
    name: &'static str,
    /// Its rows, as pieces of a file.
    rows: for<'a> fn(&'a Snapshot, &Address, Format) -> Result<File<'a>, BadAddress>,
}

/// How many rows a file is about, or why there is none.
type Known = Result<usize, BadAddress>;

/// A piece of a body, or that there is no more of it though there should be.
type Piece = Result<Bytes, io::Error>;

/// Whose pieces come, and who writes them.
type Writing = (mpsc::Receiver<Piece>, JoinHandle<()>);

/// What a file will hold.
struct File<'a> {
    /// How many rows there are, those that are left out among them.
    total: usize,
    pieces: Box<dyn Iterator<Item = Vec<u8>> + Send + 'a>,
}

const LISTS: [List; 4] = [
    List { name: "alerts", rows: |now, address, format| Ok(File::of(alerts::list(now, address)?.page, format)) },
    List { name: "nodes", rows: |now, address, format| Ok(File::of(nodes::list(now, address)?.page, format)) },
    List { name: "checks", rows: |now, address, format| Ok(File::of(checks::list(now, address)?.page, format)) },
    List { name: "silences", rows: |now, address, format| Ok(File::of(silences::list(now, address)?.page, format)) },
];

/// The routes.
pub(super) fn routes() -> Router<Arc<App>> {
    let files = LISTS.iter().flat_map(|list| [Format::Csv, Format::Json].map(|format| (list, format)));
    files.fold(Router::new(), |router, (list, format)| {
        let path = format!("/{}.{}", list.name, format.extension());
        router.route(&path, get(async move |asked: Asked| file(asked, list, format).await))
    })
}

async fn file(asked: Asked, list: &'static List, format: Format) -> Response {
    let Ok(permit) = Arc::clone(&asked.app.exports).try_acquire_owned() else {
        let busy = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], asked.texts.busy);
        return busy.into_response();
    };
    let address = asked.address.with("group", "").whole();
    let (total, pieces) = match written(list, format, (asked.snapshot.clone(), address), permit).await {
        Ok(begun) => begun,
        Err(error) if format == Format::Csv => return asked.refuse(error).into_response(),
        Err(error) => return super::api::refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    asked.app.events().exported(list.name, format.extension(), total.saturating_sub(WHOLE));
    let name = name(list.name, total, Timestamp::now());
    let headers = [
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.{}\"", format.extension())),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// How many rows a file is about, and the pieces of it, which are written as they are taken.
///
/// # Panics
/// As the writer does before its first piece.
async fn written(
    list: &'static List,
    format: Format,
    asked: (Snapshot, Address),
    permit: OwnedSemaphorePermit,
) -> Result<(usize, impl Stream<Item = Piece> + use<>), BadAddress> {
    let ((told, total), (to, pieces)) = (oneshot::channel(), mpsc::channel(1));
    // Ends by itself when nobody reads on: nothing takes its pieces then.
    let writer = tokio::spawn(write(list, format, asked, (told, to), permit));
    match total.await {
        // Compression asks once more for what has ended, which `unfold` does not bear.
        Ok(total) => Ok((total?, unfold(Some((pieces, writer)), next).fuse())),
        Err(_) => {
            let failed = writer.await.expect_err("a writer that does not panic says first what it will write");
            std::panic::resume_unwind(failed.into_panic())
        }
    }
}

/// The next piece, or where there is none whether that was the last.
async fn next(writing: Option<Writing>) -> Option<(Piece, Option<Writing>)> {
    let (mut pieces, writer) = writing?;
    if let Some(piece) = pieces.recv().await {
        return Some((piece, Some((pieces, writer))));
    }
    let failed = writer.await.err()?;
    error!("The writer of a file failed, and the file breaks off: {failed}");
    Some((Err(io::Error::other("the file's writer failed")), None))
}

/// Writes a file for as long as its pieces are taken.
async fn write(
    list: &'static List,
    format: Format,
    (snapshot, address): (Snapshot, Address),
    (told, to): (oneshot::Sender<Known>, mpsc::Sender<Piece>),
    _permit: OwnedSemaphorePermit,
) {
    let file = (list.rows)(&snapshot, &address, format);
    let known = file.as_ref().map(|file| file.total).map_err(Clone::clone);
    let (Ok(()), Ok(file)) = (told.send(known), file) else { return };
    for piece in file.pieces {
        if to.send(Ok(piece.into())).await.is_err() {
            return;
        }
    }
}

/// A file's name, without its extension; it says when it was made, and how much of what there is it has.
fn name(list: &str, total: usize, now: Timestamp) -> String {
    let made = now.strftime("%Y%m%dT%H%M%SZ");
    match total > WHOLE {
        true => format!("{list}-{made}-first-{WHOLE}-of-{total}"),
        false => format!("{list}-{made}"),
    }
}

// === impl Format ===

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }
}

// === impl File ===

impl<'a> File<'a> {
    fn of<R: Table + Serialize + Send + 'a>(page: Page<R>, format: Format) -> Self {
        let (total, mut rows) = (page.total, page.rows.into_iter());
        let mut begun = false;
        let mut ended = false;
        let pieces = std::iter::from_fn(move || {
            let piece: Vec<R> = rows.by_ref().take(PIECE).collect();
            // The first piece is there even without rows: it has what stands before them.
            let is_first = !std::mem::replace(&mut begun, true);
            let is_last = piece.len() < PIECE;
            (!std::mem::replace(&mut ended, is_last)).then(|| match format {
                Format::Csv => table::csv(&piece, is_first),
                Format::Json => json(&piece, total, (is_first, is_last)),
            })
        });
        Self { total, pieces: Box::new(pieces) }
    }
}

fn json(rows: &[impl Serialize], total: usize, (is_first, is_last): (bool, bool)) -> Vec<u8> {
    let mut text = if is_first { format!("{{\"total\":{total},\"rows\":[").into_bytes() } else { Vec::new() };
    for (index, row) in rows.iter().enumerate() {
        text.extend_from_slice(if is_first && index == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut text, row).expect("rows are written to memory, and their keys are text");
    }
    if is_last {
        text.extend_from_slice(b"\n]}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Table for usize {
        const COLUMNS: &'static [&'static str] = &["number"];

        fn cells(&self) -> Vec<String> {
            vec![self.to_string()]
        }
    }

    fn text(rows: usize, format: Format) -> String {
        let page = Page { total: rows, page: 1, pages: 1, rows: (0..rows).collect() };
        String::from_utf8(File::of(page, format).pieces.flatten().collect()).unwrap()
    }

    #[test]
    fn pieces_are_one_file() {
        for rows in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let json: serde_json::Value = serde_json::from_str(&text(rows, Format::Json)).unwrap();
            assert_eq!((&json["total"], json["rows"].as_array().unwrap().len()), (&rows.into(), rows));
            let csv = text(rows, Format::Csv);
            let lines: Vec<_> = csv.lines().collect();
            assert_eq!((lines.len(), lines[0]), (rows + 1, "\u{feff}number"), "the head once");
        }
    }

    fn broken(rows: usize) -> File<'static> {
        let page = Page { total: 3 * PIECE, page: 1, pages: 1, rows: (0..rows).collect::<Vec<_>>() };
        let file = File::of(page, Format::Csv);
        let breaks = std::iter::from_fn(|| panic!("a row cannot be written"));
        File { pieces: Box::new(file.pieces.take(rows / PIECE).chain(breaks)), ..file }
    }

    async fn begun(list: &'static List) -> (usize, impl Stream<Item = Piece>) {
        let permit = Arc::new(tokio::sync::Semaphore::new(1)).acquire_owned().await.unwrap();
        written(list, Format::Csv, (Snapshot(Vec::new()), Address::default()), permit).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_whose_writer_panics_is_not_taken_for_whole() {
        static BREAKS: List = List { name: "numbers", rows: |_, _, _| Ok(broken(2 * PIECE)) };
        let (total, pieces) = begun(&BREAKS).await;
        let pieces: Vec<_> = pieces.collect().await;
        assert_eq!((total, pieces.iter().map(Result::is_ok).collect::<Vec<_>>()), (3 * PIECE, vec![true, true, false]));
        static WHOLE: List = List { name: "nodes", ..LISTS[1] };
        let (_, pieces) = begun(&WHOLE).await;
        assert!(pieces.all(async |piece| piece.is_ok()).await);
    }

    #[tokio::test]
    #[should_panic(expected = "no list can be made")]
    async fn a_panic_before_the_first_piece_is_one_of_the_request() {
        static BREAKS: List = List { name: "numbers", rows: |_, _, _| panic!("no list can be made") };
        drop(begun(&BREAKS).await);
    }

    #[test]
    fn a_file_that_lacks_rows_says_so_in_its_name() {
        let now = Timestamp::from_second(0).unwrap();
        assert_eq!(name("nodes", WHOLE, now), "nodes-19700101T000000Z");
        assert_eq!(name("nodes", WHOLE + 1, now), "nodes-19700101T000000Z-first-100000-of-100001");
    }
}
