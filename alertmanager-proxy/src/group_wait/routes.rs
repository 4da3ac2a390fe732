//! Alertmanager's routes, as far as they decide when a group is told first.

use std::ops::ControlFlow;
use std::time::Duration;

use service::config::Place;

/// Alertmanager's `group_wait` where no route says another one (`dispatch.DefaultRouteOpts`).
const DEFAULT: Duration = Duration::from_secs(30);

/// Routes that are read; more than any configuration has, fewer than would take long.
const MOST: usize = 10_000;

/// A route that waits less than alerts may be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortWait {
    /// Where it stands: `route.routes[1]`.
    pub route: String,
    /// Whom it tells.
    pub receiver: String,
    /// How long it waits.
    pub group_wait: Duration,
}

// === impl ShortWait ===

impl ShortWait {
    /// What is wrong with it, for a `hold`.
    pub fn told(&self, hold: Duration) -> String {
        let Self { route, receiver, group_wait } = self;
        format!(
            "{route} (receiver {receiver}) has a group_wait of {group_wait:?}, which must be longer than the hold of {hold:?}: \
             its alerts are told as they come, not as a group"
        )
    }
}

/// What a route has from those above it.
#[derive(Clone)]
struct Inherited {
    path: String,
    receiver: String,
    group_wait: Duration,
}

/// The routes of Alertmanager's configuration whose `group_wait` is not longer than `hold`.
///
/// # Errors
/// When it is not a configuration of an Alertmanager.
pub(super) fn short_waits(config: &str, hold: Duration) -> Result<Vec<ShortWait>, String> {
    let read = |root: Place<'_>| {
        let above = Inherited { path: "route".to_owned(), receiver: String::new(), group_wait: DEFAULT };
        let mut routes = Vec::new();
        if let Some(route) = root.fields().needed("route", "{receiver: default}") {
            // Beyond the limit nothing is said of the rest.
            let _ = collect(&route, above, &mut routes);
        }
        routes
    };
    let routes = service::config::parse(config, read).map_err(|error| error.to_string())?;
    Ok(routes.into_iter().filter(|route| route.group_wait <= hold).collect())
}

/// Adds the route in `place` and those below it.
fn collect(place: &Place<'_>, above: Inherited, to: &mut Vec<ShortWait>) -> ControlFlow<()> {
    if to.len() >= MOST {
        return ControlFlow::Break(());
    }
    let mut fields = place.fields();
    let receiver = fields.place("receiver").and_then(|place| place.text()).unwrap_or(above.receiver);
    let group_wait = fields.duration("group_wait", Duration::ZERO..=Duration::MAX, above.group_wait);
    let path = above.path;
    to.push(ShortWait { route: path.clone(), receiver: receiver.clone(), group_wait });
    for (index, child) in fields.list("routes").iter().enumerate() {
        let path = format!("{path}.routes[{index}]");
        collect(child, Inherited { path, receiver: receiver.clone(), group_wait }, to)?;
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(config: &str, hold: u64) -> Vec<(String, String, u64)> {
        let routes = short_waits(config, Duration::from_secs(hold)).unwrap();
        routes.into_iter().map(|route| (route.route, route.receiver, route.group_wait.as_secs())).collect()
    }

    #[test]
    fn every_route_counts_with_what_it_inherits() {
        let config = "
global: {resolve_timeout: 5m}
route:
  receiver: mail
  group_by: [instance, check]
  group_wait: 1m
  routes:
  - receiver: pager
    continue: true
    matchers: [severity=\"critical\"]
    group_wait: 2s
    routes:
    - matchers: [team=\"db\"]
    - receiver: slack
      group_wait: 3s
    - group_wait: 1d
  - {}
receivers: [{name: mail}, {name: pager}]
";
        let want = [
            ("route.routes[0]", "pager", 2),
            ("route.routes[0].routes[0]", "pager", 2),
            ("route.routes[0].routes[1]", "slack", 3),
        ];
        assert_eq!(short(config, 3), want.map(|(route, to, wait)| (route.to_owned(), to.to_owned(), wait)));
        assert_eq!(short(config, 60).len(), 5);
    }

    #[test]
    fn without_a_word_it_is_alertmanagers_default() {
        assert_eq!(short("route: {receiver: x}", 29), []);
        assert_eq!(short("route: {receiver: x}", 30), [("route".to_owned(), "x".to_owned(), 30)]);
    }

    #[test]
    fn what_is_no_config_is_told() {
        assert!(short_waits("", Duration::ZERO).unwrap_err().contains("route: is needed"));
        assert!(short_waits("route: {group_wait: soon}", Duration::ZERO).unwrap_err().contains("`soon`"));
    }
}
