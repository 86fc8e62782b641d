#!/usr/bin/env bash
# Puts the programs that Silverback is tested against into a directory, without installing or
# starting any of them: DIR/usr/bin/{prometheus,prometheus-node-exporter,victoria-metrics,vmagent,
# prometheus-alertmanager}. They are unpacked from Debian's newest packages; where that cannot
# be done, programs that are already on PATH are linked in their place.
#
# usage: scripts/peers.sh DIR
#   PEERS_MIRROR  Debian mirror, such as https://mirror.example.org/debian
#                 (default: the first Debian mirror in apt's sources)
#   PEERS_SUITE   suite to take packages from (default: sid, which has the newest)
# What DIR has already is kept; remove it to get newer ones.
# Exit code: 0 when all of them are there and run, 1 when not, 2 for wrong usage.
set -euo pipefail

packages=(prometheus prometheus-node-exporter victoria-metrics prometheus-alertmanager)
# A program of each package's name, and vmagent, which is in that of victoria-metrics.
programs=("${packages[@]}" vmagent)
suite=${PEERS_SUITE:-sid}

say() { printf 'peers: %s\n' "$*" >&2; }

# The name a program has where its own project packages it rather than Debian.
upstream_name() {
  case $1 in
    prometheus-node-exporter) echo node_exporter ;;
    prometheus-alertmanager) echo alertmanager ;;
    victoria-metrics) echo victoria-metrics-prod ;;
    vmagent) echo vmagent-prod ;;
    *) echo "$1" ;;
  esac
}

# Names of the programs that DIR lacks, or that are there but do not run (a libc too old).
missing() {
  local name
  for name in "${programs[@]}"; do
    "$dir/usr/bin/$name" --version >/dev/null 2>&1 || echo "$name"
  done
}

# URIs in apt's sources, of both forms: deb822 paragraphs (*.sources) and lines (*.list).
apt_uris() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] || continue
    awk '
      function flush(  i, n, parts) {
        if (enabled && types ~ /(^| )deb( |$)/) {
          n = split(uris, parts, " ")
          for (i = 1; i <= n; i++) print parts[i]
        }
        field = types = uris = ""; enabled = 1
      }
      BEGIN { enabled = 1 }
      /^[ \t]*$/ { flush(); next }
      /^#/ { next }
      /^[ \t]/ { if (field == "uris") uris = uris " " $0; next }
      {
        colon = index($0, ":")
        field = tolower(substr($0, 1, colon - 1))
        value = substr($0, colon + 1)
        gsub(/^[ \t]+|[ \t]+$/, "", value)
        if (field == "types") types = value
        if (field == "uris") uris = value
        if (field == "enabled" && tolower(value) ~ /^(no|false|0|off)$/) enabled = 0
      }
      END { flush() }
    ' "$file"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] || continue
    sed -n -E 's/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' "$file"
  done
}

mirror() {
  if [ -n "${PEERS_MIRROR:-}" ]; then
    echo "$PEERS_MIRROR"
    return
  fi
  # A path that ends in "debian", or a list of mirrors named so; not the security archive.
  # awk reads to the end, so that the writer never meets a closed pipe.
  apt_uris | awk '!found && (/\/debian\/?$/ || /^mirror.*\/debian\.list$/) { found = 1; print }'
}

# Downloads the packages into a temporary directory and unpacks them into DIR. apt works on
# lists and a cache of its own, so neither root nor the machine's apt state is touched.
from_debian() {
  local tool
  for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || { say "no $tool on this machine"; return 1; }
  done
  local from
  from=$(mirror)
  if [ -z "$from" ]; then
    say "no Debian mirror in apt's sources; name one in PEERS_MIRROR"
    return 1
  fi
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb"
  local signed="" keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$keyring" ] && signed="[signed-by=$keyring] "
  echo "deb $signed$from $suite main" >"$work/sources.list"
  local opts=(
    -qq
    -o "Dir::Etc::sourcelist=$work/sources.list"
    -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$work/lists"
    -o "Dir::Cache=$work/cache"
    -o Acquire::Retries=3
    -o Acquire::Languages=none
    -o APT::Update::Error-Mode=any
  )
  # As root apt would drop to a user who cannot write here.
  [ "$(id -u)" -ne 0 ] || opts+=(-o APT::Sandbox::User=root)
  if ! apt-get "${opts[@]}" update >&2; then
    say "apt-get update of $suite failed (mirror: $from); another one may be named in PEERS_MIRROR"
    return 1
  fi
  if ! (cd "$work/deb" && apt-get "${opts[@]}" download "${packages[@]}" >&2); then
    say "download of ${packages[*]} from $suite failed"
    return 1
  fi
  local deb
  for deb in "$work"/deb/*.deb; do
    dpkg-deb -x "$deb" "$work/root" || { say "cannot unpack $deb"; return 1; }
  done
  mkdir -p "$dir/usr/bin"
  local name
  for name in "${programs[@]}"; do
    # A rename within DIR, so that a run cut short never leaves half a program.
    mv -f "$work/root/usr/bin/$name" "$dir/usr/bin/$name" ||
      { say "the packages of $suite have no /usr/bin/$name"; return 1; }
  done
}

# Links programs on PATH into DIR for what DIR lacks.
from_path() {
  local name found
  mkdir -p "$dir/usr/bin"
  for name in $(missing); do
    found=$(command -v "$name" || command -v "$(upstream_name "$name")" || true)
    if [ -n "$found" ]; then
      say "$name: $found from PATH in place of Debian's"
      ln -sfn "$(realpath "$found")" "$dir/usr/bin/$name"
    fi
  done
}

if [ $# -ne 1 ] || [ -z "$1" ] || [ "${1#-}" != "$1" ]; then
  echo "usage: $0 DIR" >&2
  exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)

if [ -n "$(missing)" ]; then
  work=$(mktemp -d "$dir/.fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  # mktemp makes it private; apt's download methods may run as another user.
  chmod 755 "$work"
  from_debian || from_path
fi
lacking=$(missing | paste -s -d ' ')
if [ -n "$lacking" ]; then
  say "not there, or there but not able to run: $lacking"
  say "unpack them into $dir/usr/bin, or put them on PATH, and run this again"
  exit 1
fi
for name in "${programs[@]}"; do
  version=$("$dir/usr/bin/$name" --version 2>&1 | awk 'NR == 1')
  printf '%s: %s\n' "$name" "${version:-version not told}"
done
