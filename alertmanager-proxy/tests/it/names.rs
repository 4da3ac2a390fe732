//! A name server whose zone changes while it runs, and which can fail as real ones do.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::{PATIENCE, any_port};

/// What the server says of a name.
#[derive(Clone)]
pub(crate) enum Says {
    /// SRV records: ports at `localhost`.
    Services(Vec<u16>),
    /// An A record.
    Address(Ipv4Addr),
    /// That it failed.
    Failure,
    /// Nothing at all.
    Silence,
}

pub(crate) struct Names {
    pub(crate) address: SocketAddr,
    zone: watch::Sender<BTreeMap<String, Says>>,
    asked: watch::Sender<BTreeMap<String, usize>>,
}

impl Names {
    pub(crate) async fn start() -> Self {
        let socket = Arc::new(UdpSocket::bind(any_port()).await.unwrap());
        let address = socket.local_addr().unwrap();
        let (zone, asked) = (watch::Sender::default(), watch::Sender::default());
        tokio::spawn(serve(socket, zone.clone(), asked.clone()));
        Self { address, zone, asked }
    }

    pub(crate) fn set(&self, name: &str, says: Says) {
        self.zone.send_modify(|zone| drop(zone.insert(name.to_owned(), says)));
    }

    /// Waits until the name has been asked for so many times more.
    pub(crate) async fn asked(&self, name: &str, times: usize) {
        let count = |asked: &BTreeMap<String, usize>| asked.get(name).copied().unwrap_or_default();
        let mut asked = self.asked.subscribe();
        let before = count(&asked.borrow());
        let enough = asked.wait_for(|asked| count(asked) >= before + times);
        drop(timeout(PATIENCE, enough).await.expect("the name is asked for").unwrap());
    }
}

async fn serve(
    socket: Arc<UdpSocket>,
    zone: watch::Sender<BTreeMap<String, Says>>,
    asked: watch::Sender<BTreeMap<String, usize>>,
) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let request = Message::from_vec(&buffer[..length]).unwrap();
        let name = request.queries[0].name().to_utf8().trim_end_matches('.').to_owned();
        let says = zone.borrow().get(&name).cloned();
        if let Some(answer) = answer(request, says) {
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
        asked.send_modify(|asked| *asked.entry(name).or_default() += 1);
    }
}

fn answer(mut message: Message, says: Option<Says>) -> Option<Message> {
    let (name, kind) = (message.queries[0].name().clone(), message.queries[0].query_type());
    message.metadata.message_type = MessageType::Response;
    message.metadata.recursion_available = true;
    let record = |data| Record::from_rdata(name.clone(), 0, data);
    match (says, kind) {
        (None, _) => message.metadata.response_code = ResponseCode::NXDomain,
        (Some(Says::Silence), _) => return None,
        (Some(Says::Failure), _) => message.metadata.response_code = ResponseCode::ServFail,
        (Some(Says::Services(ports)), RecordType::SRV) => {
            let host = Name::from_ascii("localhost.").unwrap();
            let service = |port| record(RData::SRV(SRV::new(0, 0, port, host.clone())));
            message.add_answers(ports.into_iter().map(service));
        }
        (Some(Says::Address(address)), RecordType::A) => drop(message.add_answer(record(RData::A(A(address))))),
        (Some(_), _) => {}
    }
    Some(message)
}
