//! alertmanager-proxy
