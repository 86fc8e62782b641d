//! A client of HTTP/1.1: one kept connection, one request at a time, blocking. It takes next to
//! no CPU, of which the server under test shall have as much as it can.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{About, Result};

/// Longest line of a reply's head, in bytes.
const LINE_BYTES_MAX: u64 = 16 << 10;
/// Longest body of a reply, in bytes.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Method, path with query, further headers and body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// Status and body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Whether it says that all is well.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The beginning of the body, for a message.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.trim().chars().take(500).collect()
    }
}

/// A connection, made when it is first needed and again after an error.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    timeout: Duration,
    stream: Option<BufReader<TcpStream>>,
    out: Vec<u8>,
}

impl Client {
    /// A client that waits no longer than `timeout` for anything.
    pub(crate) fn new(address: SocketAddr, timeout: Duration) -> Self {
        Self {
            address,
            timeout,
            stream: None,
            out: Vec::new(),
        }
    }

    /// Sends a request and waits for the reply. On a kept connection that the server has closed
    /// it is sent once more: what is asked here can be asked twice.
    ///
    /// # Errors
    /// Those of the connection; a reply that is not HTTP/1.1. Any status is a reply.
    pub(crate) fn request(&mut self, request: &Request) -> Result<Reply> {
        let kept = self.stream.is_some();
        let mut result = self.try_request(request);
        if kept && result.is_err() {
            result = self.try_request(request);
        }
        result.about(format_args!(
            "{} {}{}",
            request.method, self.address, request.path
        ))
    }

    /// GET of a path.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub(crate) fn get(&mut self, path: &str) -> Result<Reply> {
        self.request(&Request {
            method: "GET",
            path,
            headers: &[],
            body: &[],
        })
    }

    fn try_request(&mut self, request: &Request) -> io::Result<Reply> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        self.out.clear();
        write!(
            self.out,
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            request.method, request.path, self.address
        )?;
        for (name, value) in request.headers {
            write!(self.out, "{name}: {value}\r\n")?;
        }
        write!(self.out, "Content-Length: {}\r\n\r\n", request.body.len())?;
        self.out.extend_from_slice(request.body);
        stream.get_mut().write_all(&self.out)?;
        let (reply, keep) = read_reply(&mut stream)?;
        if keep {
            self.stream = Some(stream);
        }
        Ok(reply)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, self.timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(BufReader::new(stream))
    }
}

/// A reply, and whether the connection can be used again.
fn read_reply(from: &mut impl BufRead) -> io::Result<(Reply, bool)> {
    let line = read_line(from)?;
    let status = line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| wrong(format!("no status line: {line:?}")))?;
    let (mut len, mut chunked, mut keep) = (None, false, true);
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(wrong(format!("no header: {line:?}")));
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            len = Some(
                value
                    .parse()
                    .map_err(|_| wrong(format!("length {value:?}")))?,
            );
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("connection") {
            keep = !value.eq_ignore_ascii_case("close");
        }
    }
    let mut body = Vec::new();
    match (len, chunked) {
        _ if status == 204 || status == 304 => {}
        (_, true) => read_chunks(from, &mut body)?,
        (Some(len), false) => read_exactly(from, len, &mut body)?,
        (None, false) => {
            keep = false;
            from.take(BODY_BYTES_MAX).read_to_end(&mut body)?;
        }
    }
    Ok((Reply { status, body }, keep))
}

fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(from)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let len = u64::from_str_radix(digits, 16).map_err(|_| wrong(format!("chunk {line:?}")))?;
        if len > 0 {
            read_exactly(from, len, body)?;
        }
        // The end of the chunk; after the last one, the end of the trailers.
        while !read_line(from)?.is_empty() {}
        if len == 0 {
            return Ok(());
        }
    }
}

fn read_exactly(from: &mut impl BufRead, len: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if body.len() as u64 + len > BODY_BYTES_MAX {
        return Err(wrong(format!("a body above {BODY_BYTES_MAX} bytes")));
    }
    let read = from.take(len).read_to_end(body)? as u64;
    if read < len {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// A line without its end.
fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    let Some(line) = line.strip_suffix(b"\n") else {
        return Err(ErrorKind::UnexpectedEof.into());
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec()).map_err(|_| wrong("a head that is not UTF-8".to_owned()))
}

fn wrong(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// A text as part of a URL's query.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<(u16, String, bool)> {
        let (reply, keep) = read_reply(&mut text.as_bytes())?;
        Ok((reply.status, reply.text(), keep))
    }

    #[test]
    fn replies() -> io::Result<()> {
        let body = read("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef")?;
        assert_eq!(body, (200, "abc".to_owned(), true));
        let none = read("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
        assert_eq!(none, (204, String::new(), false));
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                      3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(read(chunks)?, (200, "abc0123456789".to_owned(), true));
        let open = read("HTTP/1.1 503 Full\r\n\r\nfull")?;
        assert_eq!(open, (503, "full".to_owned(), false));
        for cut in 0..chunks.len() {
            assert!(read(&chunks[..cut]).is_err(), "{cut}");
        }
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
        assert!(read(long).is_err());
        Ok(())
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(
            percent_encode("a{b=\"c\"}[5m] é"),
            "a%7Bb%3D%22c%22%7D%5B5m%5D%20%C3%A9"
        );
    }
}
