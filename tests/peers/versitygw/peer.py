"""versitygw 1.8 (Go): S3 over a folder; it checks every signature, and its 403 says what should have been signed."""
import pathlib

import lib
import golang

HERE = pathlib.Path(__file__).resolve().parent
ACCESS, SECRET, REGION = "pipewarden", "pipewarden-secret", "us-east-1"


def get():
    return golang.build(HERE, ["github.com/versity/versitygw/cmd/versitygw"]) / "versitygw"


def start(folder):
    """The folders in folder/s3 are its buckets."""
    port = lib.free_port()
    (folder / "s3").mkdir()
    peer = lib.http_server([get(), "--port", f"127.0.0.1:{port}", "--access", ACCESS, "--secret", SECRET, "--region",
                            REGION, "--health", "/health", "posix", folder / "s3"], folder, "versitygw", port, "/health")
    peer.hint = f"access key {ACCESS}, secret {SECRET}, region {REGION}; buckets are folders in {folder}/s3"
    return peer
