//! The UDP socket: a datagram is a document, or `ping`. Nobody is answered, so what is wrong is only logged.

use std::io;
use std::sync::Arc;

use tokio::net::UdpSocket;

use super::accept::PAUSE;
use super::intake::Intake;
use super::listen::Endpoint;
use super::tcp::is_ping;
use super::{Shared, events};

/// More than a datagram can hold.
const DATAGRAM: usize = 64 * 1024;

impl Endpoint for UdpSocket {
    const NAME: &'static str = "udp";

    async fn bind(host: &str, port: u16) -> io::Result<Self> {
        Self::bind((host, port)).await
    }

    async fn serve(self, shared: Arc<Shared>) {
        let mut datagram = vec![0; DATAGRAM];
        let mut failing = false;
        loop {
            match self.recv(&mut datagram).await {
                Ok(length) => {
                    failing = false;
                    receive(&shared.intake, &datagram[..length]).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        shared.intake.notice(&events::not_received(<Self as Endpoint>::NAME, &error));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn receive(intake: &Intake, data: &[u8]) {
    if is_ping(data) {
        return intake.debug(events::ping);
    }
    intake.debug(|| events::data(data));
    let taken = match intake.read(data).await {
        Ok(document) => intake.publish(document).await.map_err(|refusal| refusal.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(reason) = taken {
        intake.notice(&events::refused(data, &reason));
    }
}
