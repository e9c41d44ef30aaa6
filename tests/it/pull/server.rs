//! A small HTTP server on the loopback, which does what the test at hand wants of it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) path: String,
    /// From which byte on.
    pub(super) range: Option<usize>,
    pub(super) if_range: Option<String>,
    pub(super) user_agent: String,
    /// All header lines, in small letters.
    pub(super) headers: Vec<String>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) headers: Vec<String>,
    pub(super) body: Vec<u8>,
    /// Bytes of the body after which the connection breaks.
    pub(super) cut: Option<usize>,
}

impl Answer {
    pub(super) fn status(status: &'static str) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None }
    }

    /// All of `body`, whatever was asked for.
    pub(super) fn whole(body: &[u8]) -> Self {
        let headers = vec![format!("Content-Length: {}", body.len())];
        Self { status: "200 OK", headers, body: body.to_vec(), cut: None }
    }

    /// What `request` asked of `body`, whose version is called `mark`.
    pub(super) fn ranged(request: &Request, body: &[u8], mark: &str) -> Self {
        let same = request.if_range.as_deref().is_none_or(|wanted| wanted == mark);
        let mut answer = match request.range.filter(|&from| same && from < body.len()) {
            None => Self::whole(body),
            Some(from) => {
                let mut answer = Self::whole(&body[from..]);
                answer.status = "206 Partial Content";
                answer.headers.push(format!("Content-Range: bytes {from}-{}/{}", body.len() - 1, body.len()));
                answer
            }
        };
        answer.headers.push(format!("ETag: {mark}"));
        answer
    }

    fn head(&self) -> String {
        let headers: String = self.headers.iter().map(|line| format!("{line}\r\n")).collect();
        format!("HTTP/1.1 {}\r\nConnection: close\r\n{headers}\r\n", self.status)
    }

    pub(super) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }
}

/// See the module. Its thread ends with the process.
pub(super) struct Server {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `answer`, which is told how many came before.
    pub(super) fn start(answer: impl Fn(usize, &Request) -> Answer + Send + 'static) -> Self {
        Self::start_with(None, answer)
    }

    /// The same over TLS, if `tls` is given.
    pub(super) fn start_with(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(usize, &Request) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                match &tls {
                    None => serve(stream, &seen, &answer),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        serve(StreamOwned::new(connection, stream), &seen, &answer);
                    }
                }
            }
        });
        Self { port, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn url(&self, file: &str) -> String {
        format!("http://127.0.0.1:{}/{file}", self.port)
    }
}

/// One request a connection.
fn serve<S: Read + Write>(stream: S, seen: &Mutex<Vec<Request>>, answer: &impl Fn(usize, &Request) -> Answer) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream) else { return };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let answer = answer(before, &request);
    let head = answer.head();
    let body = &answer.body[..answer.cut.unwrap_or(answer.body.len())];
    let stream = stream.get_mut();
    // Whoever has heard enough may go: that is what some tests are about.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).and_then(|()| stream.flush()));
}

/// `None` when the client has gone, or does not trust us.
fn read(stream: &mut BufReader<impl Read>) -> Option<Request> {
    let mut request = Request::default();
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    request.path = line.split(' ').nth(1)?.to_owned();
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let text = line.trim_end();
        let Some((name, value)) = text.split_once(": ") else { return text.is_empty().then_some(request) };
        request.headers.push(text.to_ascii_lowercase());
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = value.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok(),
            "if-range" => request.if_range = Some(value.to_owned()),
            "user-agent" => request.user_agent = value.to_owned(),
            _ => {}
        }
    }
}

/// A server that gives the first `most` bytes and then nothing more until its client goes; what is asked for again comes whole.
/// Also how much was sent of the last answer.
pub(super) fn stall(body: Vec<u8>, most: usize) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, sent) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(0)));
    let told = Arc::clone(&sent);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stall_into(stream.unwrap(), &body, most, &told);
        }
    });
    (port, sent)
}

fn stall_into(stream: TcpStream, body: &[u8], most: usize, told: &Mutex<usize>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream) else { return };
    let answer = Answer::ranged(&request, body, "\"one\"");
    let most = if request.range.is_some() { answer.body.len() } else { most };
    let socket = stream.get_mut();
    if socket.write_all(answer.head().as_bytes()).is_err() || socket.write_all(&answer.body[..most]).is_err() {
        return;
    }
    *told.lock().unwrap() = most;
    // The client says nothing more: this ends when it goes.
    drop(socket.read(&mut [0]));
}
