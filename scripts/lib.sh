# What the scripts share: where things are, which compiler, a clean environment. Sourced by bash, never run.
# shellcheck shell=bash disable=SC2034,SC2120

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build_root=$root/build
python=/usr/bin/python3 # Debian's, with Debian's modules; another one on PATH may lack them
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$(basename "$0"): $*"
    exit 2
}

# The comment at a script's head, without the marks, is its help.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

# What a user's shell or a service manager may have set and what must not reach the programs under test.
# `clean_environment keep-key` leaves ANTHROPIC_* and MODEL_ID (scripts/demo with a real key).
clean_environment() {
    local name
    while IFS= read -r name; do
        case $name in
        ANTHROPIC_* | MODEL_ID) [ "${1-}" = keep-key ] || unset "$name" ;;
        SSL_CERT_* | AGENTD_* | XDG_* | *_DIRECTORY) unset "$name" ;;
        NOTIFY_SOCKET | LISTEN_* | JOURNAL_STREAM | WATCHDOG_*) unset "$name" ;;
        *_proxy | *_PROXY) unset "$name" ;;
        esac
    done < <(compgen -e)
}

# The compiler of release, asan and tsan: CXX if the caller says so, else clang-19, else what c++ is.
choose_compiler() {
    if [ -z "${CXX-}" ]; then
        if command -v clang++-19 >/dev/null; then CXX=clang++-19; else CXX=g++; fi
    fi
    case $CXX in
    *clang++*) CC=${CC-${CXX/clang++/clang}} ;;
    *g++*) CC=${CC-${CXX/g++/gcc}} ;;
    esac
    export CXX CC=${CC-cc}
}

# A clone brings its own compiler cache, so that a second build of anything is quick and nothing else is touched.
use_ccache() {
    command -v ccache >/dev/null || return 0
    export CCACHE_DIR=${CCACHE_DIR-$build_root/ccache}
    export CCACHE_BASEDIR=${CCACHE_BASEDIR-$root} CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=${CCACHE_MAXSIZE-5G}
}

# The C++ sources that git knows or could know; without git, all below the source folders. From $root.
list_sources() {
    {
        git ls-files -co --exclude-standard daemon proto tests 2>/dev/null || find daemon proto tests -type f
    } | grep -E '\.(cpp|hpp)$' | sort -u | while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done
}
