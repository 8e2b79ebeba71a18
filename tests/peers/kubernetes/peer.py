"""Kubernetes 1.36 with etcd (Go), and kwok, whose one node runs nothing but says of pods what their annotations ask."""
import pathlib
import subprocess

import lib
import golang

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = [*(f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kubectl")),
            "go.etcd.io/etcd/server/v3", "sigs.k8s.io/kwok/cmd/kwok"]
VERSION = "v1.36.3"
VARIABLES = [f"k8s.io/component-base/version.gitVersion={VERSION}"]  # kubectl reads it
CONTROLLERS = ["job", "cronjob", "daemonset", "namespace", "garbage-collector", "ttl-after-finished"]
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "{peer.url}", certificate-authority: "{peer.ca}"}}}}]
users: [{{name: admin, user: {{token: {peer.token}}}}}]
contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]
current-context: test
"""
NODE = "{apiVersion: v1, kind: Node, metadata: {name: node}}"


def get():
    """The folder of the executables; etcd's is called server."""
    return golang.build(HERE, COMMANDS, variables=VARIABLES, level="nightly")


class Kubernetes(lib.Process):
    """The API server at `url`, whose certificate is for 127.0.0.1 and signed by `ca`; `token` may do everything. No scheduler
    runs: a pod, or the template of a Job, says `nodeName: node`. What its annotations mean says stages.yml."""

    others = ()

    def kubectl(self, *arguments, text=None):
        """What kubectl says as the administrator, with `text` on its standard input."""
        done = subprocess.run([get() / "kubectl", "--kubeconfig", self.kubeconfig, *arguments], input=text, text=True,
                              capture_output=True, env=self.env, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done.stdout

    def stop(self, seconds=1):
        """While someone watches, it would take a minute to end: then it is killed."""
        for other in self.others:
            other.stop(seconds)
        return super().stop(seconds)


def start(folder, arguments=()):
    """`arguments` are options of kube-apiserver."""
    binaries, env = get(), golang.environment(HOME=folder)
    port, peers = lib.free_port(), f"http://127.0.0.1:{lib.free_port()}"
    etcd = lib.http_server([binaries / "server", "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level", "error",
                            "--listen-client-urls", f"http://127.0.0.1:{port}", "--advertise-client-urls",
                            f"http://127.0.0.1:{port}", "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                            "--initial-cluster", f"default={peers}"], folder, "etcd", port, "/readyz", env=env)
    peer = _api_server(folder, binaries, env, etcd, arguments)
    controllers = ",".join(f"{name}-controller" for name in CONTROLLERS)
    manager = lib.Process([binaries / "kube-controller-manager", "--kubeconfig", peer.kubeconfig, "--controllers", controllers,
                           "--leader-elect=false", "--secure-port=0"], folder, env=env)
    port = lib.free_port()
    kwok = lib.http_server([binaries / "kwok", "--kubeconfig", peer.kubeconfig, "--config", HERE / "stages.yml",
                            "--manage-all-nodes", "--node-ip", "127.0.0.1", "--server-address", f"127.0.0.1:{port}"],
                           folder, "kwok", port, "/healthz", env=env)
    peer.others = [kwok, manager, etcd]
    peer.kubectl("create", "-f", "-", text=NODE)
    peer.kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=30s")
    peer.hint = f"(certificate: {peer.ca}, token: {peer.token}); {binaries}/kubectl --kubeconfig {peer.kubeconfig} get nodes"
    return peer


def _api_server(folder, binaries, env, etcd, arguments):
    key, tokens = folder / "service-accounts.pem", folder / "tokens.csv"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    tokens.write_text("admin-token,admin,admin,system:masters\n")
    port = lib.free_port()
    peer = Kubernetes([binaries / "kube-apiserver", "--bind-address", "127.0.0.1", "--secure-port", port, "--cert-dir",
                       folder / "certificates", "--etcd-servers", etcd.url, "--authorization-mode=RBAC", "--token-auth-file",
                       tokens, "--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount",
                       "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file", key,
                       "--service-account-signing-key-file", key, "--service-cluster-ip-range=10.0.0.0/24", *arguments],
                      folder, env=env)
    peer.url, peer.token, peer.ca = f"https://127.0.0.1:{port}", "admin-token", folder / "certificates/apiserver.crt"
    peer.env, peer.kubeconfig = env, folder / "kubeconfig"
    peer.kubeconfig.write_text(KUBECONFIG.format(peer=peer))
    peer.wait_ready(lambda: peer.kubectl("get", "--raw", "/readyz") == "ok", 60)
    return peer
