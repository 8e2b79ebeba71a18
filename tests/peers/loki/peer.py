"""Loki 3.7.8 (Go): one process, one replica, its chunks in the test's folder."""
import pathlib

import lib
import golang

HERE = pathlib.Path(__file__).resolve().parent
# The last three lines: it would wait for others to join the ring, and is so ready at once.
CONFIG = """
auth_enabled: false
analytics: {{reporting_enabled: false}}
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {port}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc}
  log_level: warn
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  replication_factor: 1
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
  ring: {{kvstore: {{store: inmemory}}}}
schema_config:
  configs:
    - {{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}
ingester: {{lifecycler: {{min_ready_duration: 0s}}}}
frontend_worker: {{dns_lookup_duration: 1s}}
frontend: {{scheduler_dns_lookup_period: 1s}}
"""


def get():
    return golang.build(HERE, ["github.com/grafana/loki/v3/cmd/loki"], level="nightly") / "loki"


def start(folder):
    port = lib.free_port()
    config = folder / "loki.yml"
    config.write_text(CONFIG.format(port=port, grpc=lib.free_port(), folder=folder / "loki"))
    peer = lib.http_server([get(), f"-config.file={config}"], folder, "loki", port, "/ready", env=golang.environment())
    peer.hint = "(push: POST /loki/api/v1/push, query: GET /loki/api/v1/query_range)"
    return peer
