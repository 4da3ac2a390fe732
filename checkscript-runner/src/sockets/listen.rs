//! Binding a socket, however long that takes, and serving it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::oneshot;

use super::Shared;
use super::settings::Address;
use crate::events::sockets as events;

/// Waits between two attempts to bind: as much as a stopping sensu-client takes, and then rarely.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One of the three sockets.
pub(super) trait Endpoint: Sized + Send + 'static {
    /// As the log calls it.
    const NAME: &'static str;

    fn bind(host: &str, port: u16) -> impl Future<Output = io::Result<Self>> + Send;

    /// Goes on until it is dropped.
    fn serve(self, shared: Arc<Shared>) -> impl Future<Output = ()> + Send;
}

/// Binds and serves; `trying` is dropped after the first attempt.
pub(super) async fn listen<E: Endpoint>(address: Address, shared: Arc<Shared>, trying: oneshot::Sender<()>) {
    let endpoint = match bind::<E>(&address).await {
        Ok(endpoint) => {
            drop(trying);
            endpoint
        }
        Err(error) => {
            let place = (address.to_string(), address.kind.attribute());
            shared.intake.notice(&events::not_bound(E::NAME, (&place.0, place.1), &error));
            drop(trying);
            retry::<E>(&address, &shared).await
        }
    };
    endpoint.serve(shared).await;
}

async fn retry<E: Endpoint>(address: &Address, shared: &Shared) -> E {
    let waits =
        ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_max_delay(LONGEST_WAIT).without_max_times();
    let mut waits = waits.build();
    loop {
        tokio::time::sleep(waits.next().unwrap_or(LONGEST_WAIT)).await;
        if let Ok(endpoint) = bind::<E>(address).await {
            shared.intake.notice(&events::bound_at_last(E::NAME, &address.to_string()));
            return endpoint;
        }
    }
}

async fn bind<E: Endpoint>(address: &Address) -> io::Result<E> {
    let port = u16::try_from(address.port).map_err(|_| io::Error::other("a port is a number from 0 to 65535"))?;
    E::bind(&address.host, port).await
}
