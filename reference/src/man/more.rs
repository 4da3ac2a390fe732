//! What a command line does not say, in short; the component's page in `docs/` is the whole of it.

/// A list of terms under a heading.
pub(super) struct Section {
    pub(super) heading: &'static str,
    pub(super) entries: &'static [(&'static str, &'static str)],
}

const RUNNER: &[Section] = &[
    Section {
        heading: "ENVIRONMENT",
        entries: &[(
            "SENSU_CLIENT_NAME, SENSU_CLIENT_ADDRESS, SENSU_CLIENT_SUBSCRIPTIONS",
            "The client's name, address and comma-separated subscriptions; files win.",
        )],
    },
    Section {
        heading: "SIGNALS",
        entries: &[
            (
                "SIGTERM, SIGINT",
                "Stop: no new runs, those under way may end within --grace_period. A second one ends the waiting.",
            ),
            ("SIGHUP", "Read the configuration again; if anything is wrong with it, the old one stays."),
            ("SIGUSR2", "Open the log file again, as logrotate wants it."),
            ("SIGTRAP", "Debug messages on and off."),
        ],
    },
    Section {
        heading: "EXIT STATUS",
        entries: &[
            ("0", "Stopped by a signal; the configuration is valid."),
            ("1", "Unknown log level, a machine that refuses something, or a part that ended unasked."),
            ("2", "Bad command line, configuration or PID file; another runner uses the same PID file or log."),
        ],
    },
    Section {
        heading: "FILES",
        entries: &[
            ("/etc/sensu/config.json, /etc/sensu/conf.d", "The definitions, where -c and -d do not say otherwise."),
            (
                "PIDFILE.runs",
                "The checks under way, by which a start finds what a crash has left; without -p .NAME.runs beside the log.",
            ),
        ],
    },
];

/// What every server takes.
const STOP: (&str, &str) = ("SIGTERM, SIGINT", "Stop: what is in flight is finished within --web.shutdown-timeout.");
const RELOAD: (&str, &str) = (
    "SIGHUP",
    "Read the configuration again, as POST /-/reload does; if anything is wrong with it, the old one stays.",
);
const STATUS: Section = Section {
    heading: "EXIT STATUS",
    entries: &[
        ("0", "Stopped by a signal."),
        ("1", "A failure while it ran, or a port or file that cannot be used."),
        ("2", "Bad command line or configuration; every failure is told, before a port is opened."),
    ],
};
const STOPPED: Section = Section { heading: "SIGNALS", entries: &[STOP] };
const RELOADED: Section = Section { heading: "SIGNALS", entries: &[STOP, RELOAD] };

const AGENT: &[Section] = &[
    STOPPED,
    STATUS,
    Section {
        heading: "FILES",
        entries: &[
            (
                "/var/log/sensu/sensu-client.log, /var/log/checkscript/checkscript-runner.log",
                "The logs that are followed, where --check.log does not say otherwise.",
            ),
            (
                "/var/lib/checkscript-agent/state",
                "What is known of every check, kept over a restart, where that directory exists and --state.file does not say otherwise.",
            ),
        ],
    },
];
const GATEWAY: &[Section] = &[
    STOPPED,
    STATUS,
    Section {
        heading: "FILES",
        entries: &[(
            "FILE.copy",
            "A copy of the store of --persistence.file, made each --persistence.interval while pushes come in.",
        )],
    },
];
const RELOADING: &[Section] = &[RELOADED, STATUS];

/// The sections of a program; a tool says its exit status in its description.
pub(super) fn sections(program: &str) -> &'static [Section] {
    match program {
        "checkscript-runner" | "pushgateway-agent" => RUNNER,
        "checkscript-agent" => AGENT,
        "pushgateway-ex" => GATEWAY,
        "alertmanager-proxy" | "web-ui" => RELOADING,
        _ => &[],
    }
}
