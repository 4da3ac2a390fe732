//! Where everything listens.

use std::net::TcpListener;

use super::Part;

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

    /// Ports that nobody uses now.
    pub fn free() -> std::io::Result<Self> {
        // All are held while they are chosen, so that none comes twice.
        let held = (0..7).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
        let ports = held.iter().map(|held| Ok(held.local_addr()?.port())).collect::<std::io::Result<Vec<_>>>()?;
        let [prometheus, alertmanager, proxy, agent, web_ui, smtp, slack] = ports[..] else {
            unreachable!("seven were held")
        };
        Ok(Self { prometheus, alertmanager, proxy, agent, web_ui, smtp, slack })
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
