"""helm 3.22 (Go), a tool: it judges and renders charts for Kubernetes 1.36."""
import pathlib

import golang

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "v3.22.0"
# What a release is linked with: else helm takes every cluster that it does not ask for 1.20.
VARIABLES = [f"helm.sh/helm/v3/internal/version.version={VERSION}",
             *(f"helm.sh/helm/v3/pkg/{package}.k8sVersion{part}={number}"
               for package in ("lint/rules", "chartutil") for part, number in (("Major", 1), ("Minor", 36)))]


def get():
    return golang.build(HERE, ["helm.sh/helm/v3/cmd/helm"], variables=VARIABLES, level="nightly") / "helm"
