#!/usr/bin/env python3
"""Pushes to a gateway with every push function and handler of Prometheus's Python client, and looks at what the gateway then shows.

usage: pushgateway_python.py URL URL-THAT-ASKS-FOR-A-PASSWORD URL-THAT-ASKS-FOR-A-CERTIFICATE CA CERTIFICATE KEY
       (user `python`, password `secret`; files in PEM)
       exit 0: everything is as pushed; an AssertionError otherwise
"""

import functools
import http.client
import ssl
import sys
import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client import delete_from_gateway, instance_ip_grouping_key, push_to_gateway, pushadd_to_gateway
from prometheus_client.exposition import basic_auth_handler, passthrough_redirect_handler, tls_auth_handler
from prometheus_client.parser import text_string_to_metric_families


def samples(url, job, context=None):
    """Every sample of a job that the gateway shows, but its own two: name and labels to value."""
    page = urllib.request.urlopen(f"{url}/metrics", context=context).read().decode()
    families = text_string_to_metric_families(page)
    all_samples = (sample for family in families for sample in family.samples)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for sample in all_samples
        if sample.labels.get("job") == job and not sample.name.startswith("push_")
    }


def one_gauge(name, value):
    registry = CollectorRegistry()
    Gauge(name, "A gauge", registry=registry).set(value)
    return registry


def every_type(url):
    registry = CollectorRegistry()
    Counter("batch_records", "Records", ["kind"], registry=registry).labels('a"b\\c\nd').inc(3)
    Gauge("batch_last_success_seconds", "When", registry=registry).set(1.5e9)
    Summary("batch_step_seconds", "Steps", registry=registry).observe(2)
    Histogram("batch_size_bytes", "Sizes", buckets=(1, 10), registry=registry).observe(7)
    Info("batch_build", "Build", registry=registry).info({"version": "1.2"})
    Enum("batch_state", "State", states=["done", "failed"], registry=registry).state("done")
    push_to_gateway(url, job="types", registry=registry, grouping_key={"instance": "日本-1"})
    shown = samples(url, "types")
    group = (("instance", "日本-1"), ("job", "types"))

    def value(name, *labels):
        return shown[(name, tuple(sorted(group + labels)))]

    assert value("batch_records_total", ("kind", 'a"b\\c\nd')) == 3
    assert value("batch_last_success_seconds") == 1.5e9
    assert (value("batch_step_seconds_sum"), value("batch_step_seconds_count")) == (2, 1)
    buckets = [value("batch_size_bytes_bucket", ("le", bound)) for bound in ("1", "10", "+Inf")]
    assert buckets == [0, 1, 1], buckets
    assert value("batch_build_info", ("version", "1.2")) == 1
    assert value("batch_state", ("batch_state", "done")) == 1


def replace_add_and_delete(url):
    names = lambda: {name for name, _ in samples(url, "functions")}
    key = {"path": "/var/lib", "empty": ""}
    push_to_gateway(url, job="functions", registry=one_gauge("one", 1), grouping_key=key)
    pushadd_to_gateway(url, job="functions", registry=one_gauge("two", 2), grouping_key=key)
    assert names() == {"one", "two"}, names()
    assert all(("path", "/var/lib") in labels for _, labels in samples(url, "functions"))
    push_to_gateway(url, job="functions", registry=one_gauge("three", 3), grouping_key=key)
    assert names() == {"three"}, names()
    delete_from_gateway(url, job="functions", grouping_key=key)
    assert names() == set(), names()


def instance_ip_and_redirects(url):
    key = instance_ip_grouping_key()
    push_to_gateway(url, job="ip", registry=one_gauge("m", 1), grouping_key=key, handler=passthrough_redirect_handler)
    ((name, labels),) = samples(url, "ip")
    assert name == "m" and ("instance", key["instance"]) in labels, labels


def passwords(url):
    handler = lambda password: functools.partial(basic_auth_handler, username="python", password=password)
    push_to_gateway(url, job="auth", registry=one_gauge("m", 1), handler=handler("secret"))
    pushadd_to_gateway(url, job="auth", registry=one_gauge("n", 1), handler=handler("secret"))
    delete_from_gateway(url, job="auth", handler=handler("secret"))
    try:
        push_to_gateway(url, job="auth", registry=one_gauge("m", 1), handler=handler("wrong"))
    except urllib.error.HTTPError as error:
        assert error.code == 401, error.code
    else:
        raise AssertionError("a wrong password was taken")


def certificates(url, ca, certificate, key):
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    handler = functools.partial(tls_auth_handler, certfile=certificate, keyfile=key, cafile=ca)
    names = lambda: {name for name, _ in samples(url, "tls", context)}
    push_to_gateway(url, job="tls", registry=one_gauge("m", 1), handler=handler)
    pushadd_to_gateway(url, job="tls", registry=one_gauge("n", 1), handler=handler)
    assert names() == {"m", "n"}, names()
    delete_from_gateway(url, job="tls", handler=handler)
    assert names() == set(), names()
    try:
        # Whoever has no certificate trusts the server, and is not trusted.
        urllib.request.urlopen(f"{url}/metrics", context=ssl.create_default_context(cafile=ca))
    except (OSError, http.client.HTTPException):
        pass
    else:
        raise AssertionError("a client without a certificate was answered")


def refusals(url):
    push_to_gateway(url, job="refusals", registry=one_gauge("batch_clash", 1))
    registry = CollectorRegistry()
    Summary("batch_clash", "Another type", registry=registry).observe(1)
    try:
        push_to_gateway(url, job="refusals", registry=registry, grouping_key={"other": "group"})
    except urllib.error.HTTPError as error:
        assert error.code == 400, error.code
    else:
        raise AssertionError("a name has two types")


def main():
    url, with_password, *with_certificate = sys.argv[1:]
    every_type(url)
    replace_add_and_delete(url)
    instance_ip_and_redirects(url)
    refusals(url)
    passwords(with_password)
    certificates(*with_certificate)
    print("prometheus_client pushes with every function and handler")


if __name__ == "__main__":
    main()
