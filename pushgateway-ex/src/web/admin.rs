//! Health and orders.
//!
//! ```text
//! GET  /-/healthy  /-/ready   200 `OK`; 500 while as many changes wait as may, and when nothing takes them any more
//! PUT  POST  /-/quit          with --web.enable-lifecycle: the gateway stops
//! PUT  /api/v1/admin/wipe     with --web.enable-admin-api: 202, every group is deleted
//! ```

use axum::http::{Method, StatusCode};
use axum::response::Response;

use super::push::NotPushed;
use super::{Gateway, reply};
use crate::keeper::Change;

impl Gateway {
    pub(super) fn healthy(&self) -> Response {
        if self.keeper.has_ended() {
            return reply::error(StatusCode::INTERNAL_SERVER_ERROR, "the thread that keeps the groups has ended");
        }
        if self.keeper.is_full() {
            return reply::error(StatusCode::INTERNAL_SERVER_ERROR, "write queue is full");
        }
        reply::text(StatusCode::OK, "OK")
    }

    /// Whether pushes can be taken and shown.
    pub(super) async fn ready(&self) -> Response {
        match self.keeper.current().await {
            Ok(_) => self.healthy(),
            Err(error) => reply::unavailable(error),
        }
    }

    pub(super) fn quit(&self, method: &Method) -> Response {
        if *method == Method::GET {
            return reply::text(StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed.");
        }
        match &self.quit {
            Some(quit) => {
                quit.cancel();
                reply::text(StatusCode::OK, "Requesting termination... Goodbye!")
            }
            None => reply::text(StatusCode::FORBIDDEN, "Lifecycle API is not enabled."),
        }
    }

    pub(super) async fn wipe(&self) -> Response {
        match self.keeper.change(Change::Wipe).await {
            Ok(_) => reply::empty(StatusCode::ACCEPTED),
            Err(error) => {
                let error = NotPushed::from(error);
                reply::error(error.meaning().0, error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::events::Events;
    use crate::flags::Flags;
    use crate::groups::Groups;
    use crate::keeper::Keeper;

    #[tokio::test]
    async fn without_its_thread_it_is_neither_healthy_nor_ready() {
        let flags = Flags::try_parse_from(["pushgateway-ex"]).unwrap();
        let groups = Groups::new(BTreeMap::new(), flags.limits.kept());
        let mut server = service::Server::new(service::build_info!(), &flags.web).unwrap();
        let events = Events::new(server.registry());
        let parts = (Keeper::ended(groups), events, server.request_limit(1));
        let gateway = Gateway::new(service::build_info!(), &flags, parts, CancellationToken::new());
        assert_eq!(gateway.healthy().status(), 500);
        assert_eq!(gateway.ready().await.status(), 500);
    }
}
