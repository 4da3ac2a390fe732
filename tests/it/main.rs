//! The whole stack with the real Prometheus and Alertmanager.
