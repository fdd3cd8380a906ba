# shellcheck shell=bash disable=SC2034
# Shared by the scripts: packages, Node, progress. Source it; it sets `top`.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export top

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# What each job needs. Without recommended packages, so that a small container stays small.
packages_build="gcc libc6-dev make pkg-config nginx-light nginx-dev libhiredis-dev libjansson-dev
  libjwt-dev libyaml-dev libcurl4-openssl-dev libxml2-dev unixodbc-dev libpcre2-dev libssl-dev libunistring-dev"
packages_run="nginx-light redis-server redis-tools odbc-mariadb"
packages_lab="mariadb-server openssh-server openssh-client"
# A Node that came from elsewhere brings its own npm, which Debian's package would conflict with.
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  packages_lab="$packages_lab nodejs npm"
fi
packages_test="clang libcmocka-dev pmccabe codespell shellcheck git
  postgresql odbc-postgresql vsftpd libtest-json-schema-acceptance-perl dpkg-dev procps curl valgrind
  chromium fonts-noto-cjk
  redmine redmine-sqlite puma request-tracker5 rt5-standalone rt5-db-sqlite radicale python3
  lemonldap-ng-fastcgi-server liblemonldap-ng-portal-perl libgd-securityimage-perl libimage-magick-perl
  libstring-random-perl libcrypt-openssl-bignum-perl libcrypt-openssl-rsa-perl libconvert-base32-perl
  libmime-tools-perl libcrypt-jwt-perl libemail-sender-perl
  apache2-bin libapache2-mod-auth-cas php-cas php-cli php-curl php-xml"

# clang's runtime carries its version.
if [ "$(. /etc/os-release && echo "${VERSION_ID%%.*}")" = 12 ]; then
  packages_test="$packages_test libclang-rt-14-dev"
else
  packages_test="$packages_test libclang-rt-19-dev"
fi

# Installing ca-certificates writes the system's bundle anew. Where the caller brought a bundle of
# their own (NODE_EXTRA_CA_CERTS), npm must go on using it as it was.
keep_ca_bundle() {
  local bundle=${NODE_EXTRA_CA_CERTS:-}
  if [ -n "$bundle" ] && [ -r "$bundle" ]; then
    mkdir -p "$top/build"
    [ -s "$top/build/ca-bundle.pem" ] || cp "$bundle" "$top/build/ca-bundle.pem"
    export NODE_EXTRA_CA_CERTS="$top/build/ca-bundle.pem"
  fi
}

# The version of Debian's own bundler. Debian 12's security update of Ruby (3.1.7) brings a newer one
# that does not find Debian's gems, and Redmine's installation script fails with it.
bundler_version() {
  LC_ALL=C apt-cache policy ruby-bundler | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p'
}

# install_packages LIST…: what is missing, with progress.
install_packages() {
  local wanted missing=() p
  keep_ca_bundle
  wanted=$*
  # shellcheck disable=SC2086
  for p in $wanted; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  note "installing from Debian: ${missing[*]}"
  as_root apt-get update -qq
  mkdir -p "$top/build"
  if ! as_root env DEBIAN_FRONTEND=noninteractive BUNDLER_VERSION="$(bundler_version)" apt-get install -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" 2>&1 | tee "$top/build/apt.log" \
    | awk '/^(Unpacking|Setting up)/ { n++; if (n % 20 == 0) { printf "\r   %d steps", n; fflush() } } END { print "" }'; then
    tail -n 20 "$top/build/apt.log" >&2
    die "apt-get install failed: ${missing[*]}"
  fi
}

# npm packages of tests/ and, where Node is older than npm's soap wants, Node 22 from npm beside them.
install_node() {
  keep_ca_bundle
  local tools=$top/build/tools
  mkdir -p "$tools"
  if [ -x "$tools/node_modules/.bin/node" ]; then
    export PATH="$tools/node_modules/.bin:$PATH"
  elif ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
    note "installing Node 22 from npm (this Node is older than 20.19)"
    (cd "$tools" && echo '{"private":true}' >package.json && npm install --no-audit --no-fund --silent node@22) \
      || die "npm could not install node@22"
    export PATH="$tools/node_modules/.bin:$PATH"
  fi
  if [ -e "$top/tests/package.json" ] && [ ! "$top/tests/node_modules/.package-lock.json" -nt "$top/tests/package-lock.json" ]; then
    note "installing the npm packages of tests/"
    (cd "$top/tests" && npm ci --no-audit --no-fund --silent) || die "npm ci in tests/ failed"
  fi
}

build_all() {
  note "compiling (log: build/make.log)"
  mkdir -p "$top/build"
  : >"$top/build/make.log"
  make -C "$top" -j"$(nproc)" all >"$top/build/make.log" 2>&1 &
  local pid=$! last=0 now
  while kill -0 "$pid" 2>/dev/null; do
    now=$(grep -c '^  ' "$top/build/make.log" || true)
    [ "$now" = "$last" ] || { printf '\r   %s files' "$now"; last=$now; }
    sleep 0.5
  done
  printf '\n'
  wait "$pid" || { tail -n 30 "$top/build/make.log" >&2; die "the build failed"; }
}
