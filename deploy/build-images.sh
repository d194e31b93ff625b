#!/bin/sh
# Builds the images. build-images.sh [TARGET...]: service and sandbox by default; trainer is large.
#   PYTHON=docker.io/library/python:3.11-slim@sha256:... NODE=docker.io/library/node:22-slim@sha256:... deploy/build-images.sh
#   BASE=debootstrap deploy/build-images.sh     no registry: the bases are made of Debian packages and this machine's node
# Other variables: BUILDER (docker, podman or buildah; default: the first that is installed), TAG (default: the package's
# version), REVISION (default: the commit), REGISTRY (a prefix of the names), EXTRAS and TORCH_INDEX (of the trainer;
# https://download.pytorch.org/whl/cpu leaves CUDA out), PACKAGES (that programs in the sandbox may import), FLAGS (more
# flags for the builder).
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "build-images: $*"; }
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -1)
TAG=${TAG:-$version}
REGISTRY=${REGISTRY:-}
BASE=${BASE:-registry}
if [ "$BASE" = debootstrap ]; then BUILDER=buildah; fi
for tool in docker podman buildah; do
  command -v "$tool" >/dev/null && BUILDER=${BUILDER:-$tool}
done
if [ -z "${BUILDER:-}" ]; then say "no docker, podman or buildah here"; exit 2; fi

# Bases without a registry: a minimal Debian with Python, and an image that holds nothing but this machine's node. Their
# names change only with their content, because otherwise the builder could not use its cache for what is built on them.
base() {
  if buildah inspect --type=image "$1" >/dev/null 2>&1; then return; fi
  container=$(buildah from scratch)
  buildah copy --quiet "$container" "$2" "$3" >/dev/null
  buildah commit --quiet --rm "$container" "$1" >/dev/null
}
from_debian() {
  folder=${BASE_FOLDER:-$HOME/.cache/ucoder/image-base}
  . /etc/os-release
  if [ ! -x "$folder/usr/bin/python3" ]; then
    mkdir -p "$folder"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$VERSION_CODENAME" "$folder" >/dev/null
  fi
  PYTHON=localhost/ucoder-base-python:$VERSION_CODENAME-$(stat -c %Y "$folder/var/lib/dpkg/status")
  base "$PYTHON" "$folder" /
  node=$(readlink -f "$(command -v node)")
  NODE=localhost/ucoder-base-node:$(stat -c %Y "$node")
  base "$NODE" "$node" /usr/local/bin/node
}

# Passes this machine's pip configuration to the build alone: the configuration as a secret file, and the local files and
# folders that it names as mounts. A local index (.../simple) links to files beside it.
pip_flags() {
  python3 -m pip config list | sed -n "s/^\(global\|:env:\)\.\([a-z-]*\)='\(.*\)'\$/\2 = \3/p" | sort -u >"$work/settings"
  { echo "[global]"; cat "$work/settings"; } >"$work/pip.conf"
  printf ' --secret id=pip,src=%s --volume /etc/ssl/certs:/etc/ssl/certs:ro' "$work/pip.conf"
  grep -oE "(file://)?/[^ ']+" "$work/settings" | sed 's|^file://||; s|/simple/*$||' | grep -v '^/etc/ssl/certs/' | sort -u |
    while read -r path; do if [ -e "$path" ]; then printf ' --volume %s:%s:ro' "$path" "$path"; fi; done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=${FLAGS:-}
case $BASE in
debootstrap)
  from_debian
  flags="$flags --layers --isolation=chroot --network=host --pull-never $(pip_flags)"
  ;;
registry)
  for base in "${PYTHON:-}" "${NODE:-}"; do
    case $base in
    *@sha256:*) ;;
    *) say "PYTHON and NODE must name their images by digest (...@sha256:...); got '$base'"; exit 2 ;;
    esac
  done
  ;;
*) say "BASE is registry or debootstrap, not '$BASE'"; exit 2 ;;
esac

# The labels' variables are replaced here, because buildah takes a LABEL with a variable from its cache even when the
# variable has changed.
REVISION=${REVISION:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
sed "s|\"\${VERSION}\"|\"$TAG\"|; s|\"\${REVISION}\"|\"$REVISION\"|" deploy/Dockerfile >"$work/Dockerfile"

for target in ${*:-service sandbox}; do
  say "ucoder-$target:$TAG with $BUILDER"
  # shellcheck disable=SC2086  # flags are words
  "$BUILDER" build $flags -f "$work/Dockerfile" --target "$target" -t "${REGISTRY}ucoder-$target:$TAG" \
    --build-arg PYTHON="$PYTHON" --build-arg NODE="$NODE" \
    --build-arg EXTRAS="${EXTRAS:-local}" --build-arg TORCH_INDEX="${TORCH_INDEX:-}" \
    --build-arg PACKAGES="${PACKAGES:-}" .
done
