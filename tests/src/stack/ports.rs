//! Where everything listens.

use std::net::TcpListener;

use super::Part;
use crate::free_port;

/// The ports of one stack, all on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Ports {
    prometheus: u16,
    alertmanager: u16,
    proxy: u16,
    agent: u16,
    web_ui: u16,
    /// The SMTP sink.
    pub(crate) smtp: u16,
    /// The Slack sink.
    pub(crate) slack: u16,
}

impl Ports {
    /// The ports that the files of `examples/quickstart/` name.
    pub(crate) const QUICKSTART: Self =
        Self { prometheus: 9090, alertmanager: 9093, proxy: 9095, agent: 9780, web_ui: 9796, smtp: 1025, slack: 1080 };

    /// The quickstart's own ports where all of them are free, else others.
    pub fn preferred() -> std::io::Result<Self> {
        let own = Self::QUICKSTART;
        let free = own.all().iter().all(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        if free { Ok(own) } else { Self::free() }
    }

    /// Ports that nobody else takes.
    pub fn free() -> std::io::Result<Self> {
        Ok(Self {
            prometheus: free_port()?,
            alertmanager: free_port()?,
            proxy: free_port()?,
            agent: free_port()?,
            web_ui: free_port()?,
            smtp: free_port()?,
            slack: free_port()?,
        })
    }

    /// `127.0.0.1:PORT` of a server; the runner is none.
    pub(crate) fn address(&self, part: Part) -> Option<String> {
        let port = match part {
            Part::Prometheus => self.prometheus,
            Part::Alertmanager => self.alertmanager,
            Part::Proxy => self.proxy,
            Part::Agent => self.agent,
            Part::WebUi => self.web_ui,
            Part::Runner => return None,
        };
        Some(format!("127.0.0.1:{port}"))
    }

    /// In one order, so that those of two stacks can be paired.
    pub(crate) fn all(&self) -> [u16; 7] {
        [self.prometheus, self.alertmanager, self.proxy, self.agent, self.web_ui, self.smtp, self.slack]
    }
}
