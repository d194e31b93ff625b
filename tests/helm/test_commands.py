"""Checks every command of docs/guides/kubernetes.md and of the notes.

The objects, secrets, keys, files and ports that they name must exist.
"""

import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ucoder.cli.command_line import app

from .chart import CHART, FILES, ROOT, VARIANTS, Object, flags, helm, notes, of_kind, render, templates

DOCUMENT = (ROOT / "docs" / "guides" / "kubernetes.md").read_text()
TYPES = {
    "deployment": "Deployment", "statefulset": "StatefulSet", "pvc": "PersistentVolumeClaim",
    "runtimeclass": "RuntimeClass", "certificate": "Certificate", "secret": "Secret", "namespace": "Namespace",
}  # fmt: skip
OF_THE_CLUSTER = {"namespace", "runtimeclass"}


class Release:
    """The objects that an installation of one or several values files makes, and the secrets that it needs."""

    def __init__(self, name: str, namespace: str, objects: tuple[Object, ...]) -> None:
        self.name, self.namespace, self.objects = name, namespace, objects
        self.secrets = dict(secrets(objects))

    def has(self, kind: str, name: str) -> bool:
        if kind == "Namespace":
            return name == self.namespace
        if kind == "Secret":
            return name in self.secrets
        if kind == "RuntimeClass":
            return name in {one["spec"].get("runtimeClassName") for one in templates(self.objects).values()}
        return name in of_kind(self.objects, kind)


def secrets(objects: tuple[Object, ...]) -> Iterator[tuple[str, set[str]]]:
    """Yields the names of secrets that pods read, each with the keys that it must have."""
    found: dict[str, set[str]] = {}
    for template in templates(objects).values():
        for volume in template["spec"].get("volumes", []):
            if secret := volume.get("secret"):
                found.setdefault(secret["secretName"], set()).update(one["key"] for one in secret.get("items", []))
        for container in [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]:
            for one in container.get("envFrom", []):
                if secret := one.get("secretRef"):
                    found.setdefault(secret["name"], set())
            for one in container.get("env", []):
                if secret := one.get("valueFrom", {}).get("secretKeyRef"):
                    found.setdefault(secret["name"], set()).add(secret["key"])
    yield from found.items()


@pytest.fixture(scope="module")
def documented() -> Release:
    """The release that the document installs, whatever values file it starts from."""
    objects: list[Object] = []
    for variant in FILES:
        done = helm("template", "ucoder", str(CHART), "--namespace", "ucoder", *flags(variant))
        objects += [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]
    return Release("ucoder", "ucoder", tuple(objects))


def commands(text: str) -> list[list[str]]:
    """Returns the words of each command in a text's shell blocks and between its backticks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    lines += re.findall(r"`((?:kubectl|helm|ucoder) [^` ]+ [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [
        part.split() for line in lines for part in re.split(r"&&|;|&$", " ".join(shlex.split(line, comments=True)))
    ]
    return [[words[0].removeprefix(".venv/bin/"), *words[1:]] for words in found if words]


def values_of(words: list[str], *names: str) -> list[str]:
    """Returns the values of a flag that may have several names, given as `-f x` or `-f=x`."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return [after for word, after in pairs if word in names] + [
        word.partition("=")[2] for word in words if word.partition("=")[0] in names and "=" in word
    ]


def check_kubectl(words: list[str], release: Release) -> None:
    named = [word.split("/", 1) for word in words if word.partition("/")[0] in TYPES and "/" in word]
    rest = [
        word for word in words[1:] if not word.startswith("-") and word not in values_of(words, "-n", "-p", "--type")
    ]
    if rest[0] in ("get", "patch", "create", "label"):
        kind, *names = rest[1:]
        names = [name for name in names if name != "generic" and "=" not in name and "/" not in name]
        named += [[kind, name] for name in (names if rest[0] == "get" else names[:1])]
    assert named, words
    for kind, name in named:
        assert release.has(TYPES[kind], name), (words, kind, name)
        assert kind in OF_THE_CLUSTER or values_of(words, "-n") == [release.namespace], words
    if rest[0] == "port-forward":
        [[kind, name]] = named
        deployment = of_kind(release.objects, TYPES[kind])[name]
        ports = [port["containerPort"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]]
        assert {int(port) for port in rest[2:]} <= set(ports), words


def check_helm(words: list[str], release: Release) -> None:
    verb = next(word for word in words[1:] if not word.startswith("-") and word not in values_of(words, "-n"))
    assert release.name in words, words
    assert values_of(words, "-n") == [release.namespace], words
    for path in [*values_of(words, "-f"), *(["helm/ucoder"] if verb in ("install", "upgrade") else [])]:
        assert path == "my.yaml" or (ROOT / path).exists(), words
    assert verb not in ("install", "upgrade") or "helm/ucoder" in words, words


def check_ucoder(words: list[str], release: Release) -> None:
    command, rest = typer.main.get_command(app), words[1:]
    while rest and (inner := getattr(command, "commands", {}).get(rest[0])):
        command, rest = getattr(inner, "loaded", inner), rest[1:]
    assert not hasattr(command, "commands"), words
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= known, words


CHECKS = {"kubectl": check_kubectl, "helm": check_helm, "ucoder": check_ucoder}


def test_the_document_s_commands_name_what_is_there(documented: Release) -> None:
    found = commands(DOCUMENT)
    assert set(CHECKS) <= {words[0] for words in found}
    for words in found:
        if words[0] in CHECKS:
            CHECKS[words[0]](words, documented)
        for path in [word for word in words if word.startswith("deploy/")]:
            assert (ROOT / path).is_file(), words


def test_a_check_fails_where_a_name_is_wrong(documented: Release) -> None:
    for wrong in (
        "kubectl -n ucoder get secret ucoder-token",
        "kubectl rollout restart statefulset/ucoder-nats",
        "kubectl -n ucoder rollout status deployment/ucoder-consensu",
        "kubectl -n ucoder port-forward deployment/ucoder-runs 7070 7072",
        "helm test ucoder -n other",
        "helm upgrade ucoder helm/ucoder -n ucoder -f helm/ucoder/values-prod.yaml",
        "ucoder runs begin --address localhost:7070",
        "ucoder runs create --adress localhost:7070",
    ):
        with pytest.raises(AssertionError):
            CHECKS[wrong.split()[0]](wrong.split(), documented)


def test_an_upgrade_names_the_values_files_of_the_installation() -> None:
    """Helm forgets the values files that an upgrade does not name again."""
    given = {verb: {tuple(values_of(words, "-f")) for words in commands(DOCUMENT) if words[:2] == ["helm", verb]}
             for verb in ("install", "upgrade")}  # fmt: skip
    assert given["install"] == given["upgrade"]


def test_the_document_makes_the_secrets_that_production_reads(documented: Release, tmp_path: Path) -> None:
    made: dict[str, list[str]] = {}
    for words in commands(DOCUMENT):
        if "create secret generic" in " ".join(words):
            made[words[words.index("generic") + 1]] = words
    own = {name for name, _ in secrets(render("production"))} - {"release-tls"}  # cert-manager makes this one
    assert set(made) == own
    runpy.run_path(str(ROOT / "deploy" / "nats_accounts.py"))["write"](tmp_path / "accounts")
    assert documented.secrets["ucoder-nats"] <= {path.name for path in (tmp_path / "accounts").iterdir()}
    assert documented.secrets["ucoder-tokens"] == set(values_of(made["ucoder-tokens"], "--from-file"))


def test_the_document_s_table_has_every_secret_and_its_keys() -> None:
    rows = dict(re.findall(r"^\| `([^`]*[sS]ecret)` \| (.*) \|$", DOCUMENT, re.MULTILINE))
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(rows) == set(secret_values(schema["properties"], ""))
    needed = {key for variant in VARIANTS for _, keys in secrets(render(variant)) for key in keys}
    words = " ".join(rows.values())
    assert {key for key in needed if not key.endswith(".creds")} <= set(re.findall(r"[\w.-]+", words.replace("`", " ")))


def secret_values(properties: dict[str, Any], path: str) -> Iterator[str]:
    """Yields the paths of the values that name a secret."""
    for key, one in properties.items():
        if key.lower().endswith("secret"):
            yield path + key
        yield from secret_values(one.get("properties", {}), f"{path}{key}.")


def test_the_document_binds_every_account_that_reaches_the_store() -> None:
    [loop] = re.findall(r"^for account in ([^;]*);", DOCUMENT, re.MULTILINE)
    accounts = {name for variant in ("gke", "training job") for name in of_kind(render(variant), "ServiceAccount")}
    assert {f"release-{name}" for name in loop.split()} == accounts
    for account in of_kind(render("gke"), "ServiceAccount").values():
        assert "iam.gke.io/gcp-service-account" in account["metadata"]["annotations"], account["metadata"]["name"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_notes_commands_name_what_is_there(variant: str, tmp_path: Path) -> None:
    said = notes(variant, tmp_path)
    found = [line.split() for line in said.splitlines() if line.startswith("  ")]
    release = Release("release", "space", render(variant))
    for words in found:
        CHECKS[words[0]](words, release)
    assert ["helm", "-n", "space", "test", "release", "--logs"] in found
    told = {name for words in found if "secret" in words for name in words[words.index("secret") + 1 :]}
    assert told == set(release.secrets) - ({"release-tls"} if of_kind(release.objects, "Certificate") else set())
