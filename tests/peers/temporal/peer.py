"""Temporal 1.29, the server that the CLI 1.5.1 holds (Go): schedules and workflows, in memory, over HTTP and gRPC."""
import pathlib

import lib
import golang

HERE = pathlib.Path(__file__).resolve().parent
API = "/api/v1/namespaces/default"


def get():
    return golang.build(HERE, ["github.com/temporalio/cli/cmd/temporal"], level="nightly") / "temporal"


def start(folder):
    port, grpc = lib.free_port(), lib.free_port()
    peer = lib.http_server([get(), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", grpc, "--http-port", port,
                            "--log-level", "warn"], folder, "temporal", port, API, env=golang.environment(HOME=folder))
    peer.grpc = grpc
    peer.hint = f"(HTTP, under {API}); gRPC 127.0.0.1:{grpc}; {get()} workflow list --address 127.0.0.1:{grpc}"
    return peer
