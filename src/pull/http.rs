//! Requests over HTTP: which way, how long, and what an answer says of the bytes in it.
//!
//! What leaves the board is one GET with a fixed user agent, and what `Range` and `If-Range` need; nothing else.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Body, ResponseExt};

/// For a connection, and for each of its reads and writes; a server that says nothing for so long has gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The longest wait that a server may ask for.
const WAIT_MAX_S: u64 = 60;
const USER_AGENT: &str = concat!("clawdbot/", env!("CARGO_PKG_VERSION"));

/// Why a server's answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Nobody to trust.
    #[error(
        "this system has no certificates of authorities ({0}), so no https:// can be trusted; install `ca-certificates`, or point SSL_CERT_FILE to a PEM file"
    )]
    NoRoots(String),
    /// The server says no.
    #[error("{url}: the server answers {status}: {meaning}")]
    Status {
        /// Whence.
        url: String,
        /// Its code.
        status: u16,
        /// In words, with what to do.
        meaning: &'static str,
    },
    /// Trying again would not help.
    #[error(
        "{url}: {reason}; check the address, the proxy (https_proxy), the clock and the certificates of this system"
    )]
    Refused {
        /// Whence.
        url: String,
        /// Why.
        reason: String,
    },
}

/// What asks servers.
#[derive(Debug)]
pub(super) struct Agent {
    plain: ureq::Agent,
    /// Follows no way back to http://.
    secure: ureq::Agent,
    /// Why nobody can be trusted, if so.
    no_roots: Option<String>,
}

/// Why a request has brought nothing.
#[derive(Debug)]
pub(super) enum Problem {
    /// Another try may help, after so many seconds if the server says.
    Passing(String, Option<u64>),
    /// The server does not have what was asked for from that byte on.
    NoSuchRange,
    /// It would not.
    Lasting(HttpError),
}

/// An answer with bytes.
pub(super) struct Reply {
    /// Who gave it, after all it was sent on to.
    pub(super) host: String,
    /// Where its bytes begin; 0 if the server has not heard of ranges.
    pub(super) from: u64,
    /// How many bytes the whole file has, if the server says.
    pub(super) total: Option<u64>,
    /// By what the server knows this version of the file; empty if it does not say.
    pub(super) mark: String,
    /// The bytes.
    pub(super) body: Box<dyn Read>,
}

impl Agent {
    /// With the system's certificates, and the environment's proxies (`https_proxy`, `http_proxy`, `no_proxy`).
    pub(super) fn new() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let no_roots = found.certs.is_empty().then(|| {
            let reasons = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            if reasons.is_empty() { "none found".into() } else { reasons }
        });
        let certificates: Vec<Certificate<'static>> =
            found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&certificates))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = |https_only: bool| -> ureq::Agent {
            ureq::Agent::config_builder()
                .tls_config(tls.clone())
                .https_only(https_only)
                .http_status_as_error(false)
                .user_agent(USER_AGENT)
                .accept("*/*")
                .timeout_connect(Some(SILENCE_MAX))
                .timeout_recv_response(Some(SILENCE_MAX))
                .timeout_per_read(Some(SILENCE_MAX))
                .timeout_per_write(Some(SILENCE_MAX))
                .build()
                .into()
        };
        Self { plain: agent(false), secure: agent(true), no_roots }
    }

    /// Asks for `url` from byte `done` on, if it is still the version that the server knows by `mark`.
    pub(super) fn get(&self, url: &str, done: u64, mark: &str) -> Result<Reply, Problem> {
        let is_secure = url.starts_with("https:");
        if let Some(reason) = self.no_roots.as_ref().filter(|_| is_secure) {
            return Err(Problem::Lasting(HttpError::NoRoots(reason.clone())));
        }
        let agent = if is_secure { &self.secure } else { &self.plain };
        let mut request = agent.get(url);
        if done > 0 {
            request = request.header("Range", format!("bytes={done}-"));
            if !mark.is_empty() {
                request = request.header("If-Range", mark);
            }
        }
        judge(url, done, request.call().map_err(|error| problem(url, &error))?)
    }
}

/// The host in an address.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[..end].rsplit('@').next().unwrap_or_default()
}

/// An address as messages may show it: without a name and password before the host, and without a query, which may be a
/// key.
pub(super) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let path = rest[end..].split(['?', '#']).next().unwrap_or_default();
    let query = if end + path.len() < rest.len() { "?..." } else { "" };
    let mark = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{mark}{}{path}{query}", host(url))
}

/// What is left of a response that has bytes of the file.
fn judge(url: &str, done: u64, response: Response<Body>) -> Result<Reply, Problem> {
    let status = response.status().as_u16();
    let headers = response.headers();
    let (from, total) = match status {
        200 => (0, number(headers, "content-length")),
        206 => content_range(text(headers, "content-range"))
            .filter(|&(from, _)| from == done)
            .ok_or_else(|| Problem::Passing(String::from("the server gave another range than was asked for"), None))?,
        _ => return Err(of_status(url, status, number(headers, "retry-after"))),
    };
    let mark = [text(headers, "etag"), text(headers, "last-modified")];
    // A weak one promises no equal bytes.
    let mark = mark.into_iter().find(|mark| !mark.is_empty() && !mark.starts_with("W/")).unwrap_or_default();
    Ok(Reply {
        host: response.get_uri().host().unwrap_or_default().to_owned(),
        from,
        total,
        mark: mark.to_owned(),
        body: Box::new(response.into_body().into_reader()),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name).parse().ok()
}

/// Where `bytes 100-199/200` begins, and of how many bytes; `*` is an unknown number.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to): (u64, u64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    let total = if total == "*" { None } else { Some(total.trim().parse().ok()?) };
    (from <= to && total.is_none_or(|total| to < total)).then_some((from, total))
}

/// What a status without bytes means.
fn of_status(url: &str, status: u16, wait: Option<u64>) -> Problem {
    let meaning = match status {
        416 => return Problem::NoSuchRange,
        408 | 425 | 429 | 500..=599 => {
            return Problem::Passing(format!("the server answers {status}"), wait.map(|wait| wait.min(WAIT_MAX_S)));
        }
        401 | 403 => {
            "it wants to know who asks. Get the file by a browser, where you log in and agree to its terms, and give it with --from FILE"
        }
        404 | 410 => {
            "it is not there (any more). Look for another address of the same file, and give it with --from URL"
        }
        _ => "that is no file",
    };
    Problem::Lasting(HttpError::Status { url: shown(url), status, meaning })
}

/// Whether another try helps against `error`.
fn problem(url: &str, error: &ureq::Error) -> Problem {
    let passes = match error {
        // A certificate that is not trusted comes as invalid data.
        ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_)
        | ureq::Error::BodyStalled => true,
        _ => false,
    };
    let reason = match error {
        error if is_nobody_there(error) => String::from("nobody knows an address of this host; is there a network?"),
        // Some name the address.
        error => error.to_string().replace(url, &shown(url)),
    };
    if passes {
        Problem::Passing(reason, None)
    } else {
        Problem::Lasting(HttpError::Refused { url: shown(url), reason })
    }
}

/// Whether the name has no address. ureq has a word for it, but the system's resolver fails by an error of std, which is known by
/// its text alone.
fn is_nobody_there(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound => true,
        ureq::Error::Io(error) => error.to_string().starts_with("failed to lookup address information"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
