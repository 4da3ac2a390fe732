//! An SMTP server that accepts every mail.

use std::collections::BTreeMap;

use anyhow::Context;
use mail_parser::MessageParser;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Received;

/// A mail as its reader sees it.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The sender's address.
    pub from: String,
    /// Decoded.
    pub subject: String,
    /// Every header, decoded where it is text.
    pub headers: BTreeMap<String, String>,
    /// The text body, decoded; lines end with `\n`.
    pub body: String,
}

/// Serves on `listener` until its runtime ends.
pub fn start(listener: TcpListener) -> Received<Mail> {
    let received = Received::default();
    let mails = received.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let mails = mails.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(connection, &mails).await {
                    eprintln!("SMTP sink: {error:#}");
                }
            });
        }
    });
    received
}

/// One session of RFC 5321, as far as a client that only sends mail needs it.
async fn converse(connection: TcpStream, mails: &Received<Mail>) -> anyhow::Result<()> {
    let (read, mut write) = connection.into_split();
    let mut read = BufReader::new(read);
    write.write_all(b"220 localhost ESMTP\r\n").await?;
    let mut line = String::new();
    while read.read_line(&mut line).await? > 0 {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" | "HELO" => "250 localhost",
            "DATA" => {
                write.write_all(b"354 end with a dot\r\n").await?;
                let data = data(&mut read).await?;
                mails.add(parse(&data).unwrap_or_else(|_| whole(&data)));
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

async fn data(read: &mut (impl AsyncBufRead + Unpin)) -> anyhow::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let start = message.len();
        if read.read_until(b'\n', &mut message).await? == 0 {
            anyhow::bail!("the connection ended within a mail");
        }
        match &message[start..] {
            b".\r\n" => {
                message.truncate(start);
                return Ok(message);
            }
            // A leading dot is doubled on the way.
            [b'.', b'.', ..] => drop(message.remove(start)),
            _ => {}
        }
    }
}

/// What is no mail is kept as the body of one: it was told all the same.
fn whole(message: &[u8]) -> Mail {
    let body = String::from_utf8_lossy(message).into_owned();
    Mail { from: String::new(), subject: String::new(), headers: BTreeMap::new(), body }
}

fn parse(message: &[u8]) -> anyhow::Result<Mail> {
    let mail = MessageParser::default().parse(message).context("not a mail")?;
    let headers = mail.headers().iter().map(|header| {
        let text = header.value().as_text().map_or_else(|| format!("{:?}", header.value()), str::to_owned);
        (header.name().to_owned(), text)
    });
    let body = mail.body_text(0).context("a mail without text")?.replace("\r\n", "\n");
    let from = mail.from().and_then(|from| from.first()?.address()).unwrap_or_default();
    let subject = mail.subject().unwrap_or_default();
    Ok(Mail { from: from.to_owned(), subject: subject.to_owned(), headers: headers.collect(), body })
}
