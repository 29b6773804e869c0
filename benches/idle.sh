#!/usr/bin/env bash
# What lyhord costs while nothing happens: CPU in percent of one core over a minute, and resident memory.
# Usage: benches/idle.sh PATH-TO-LYHORD [SECONDS [WARM-UP-SECONDS]]
# The shipped configuration, every source paused, no chat, an empty temporary database, a free port of the kernel's.
set -euo pipefail
binary=${1:?usage: benches/idle.sh PATH-TO-LYHORD [SECONDS [WARM-UP-SECONDS]]}
seconds=${2:-60} warm_up=${3:-15}
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true; rm -rf "$folder"' EXIT

cp -r "$here/config" "$folder/config"
sed -i 's/^\[\[source\]\]/&\npaused = true/' "$folder/config/sources.toml"
sed -i '/^\[chat\./,/^$/d; s/^listen = .*/listen = "127.0.0.1:0"/; s|^address = .*|address = "sqlite:'"$folder"'/lyhord.sqlite"|' \
    "$folder/config/lyhord.toml"
LYHORD_CONFIG="$folder/config" "$binary" >"$folder/log" 2>&1 &
server=$!

# Fields 14 and 15 of stat are user and system ticks; the name in field 2 may hold blanks, so count after its bracket.
ticks() { sed 's/.*) //' "/proc/$server/stat" | awk '{ print $12 + $13 }'; }
word='function word(figure, gate, aim) { return figure <= aim ? "aim met" : figure <= gate ? "met" : "**not met**" }'
sleep "$warm_up"
kill -0 "$server" 2>/dev/null || { echo "lyhord ended:" >&2; cat "$folder/log" >&2; exit 1; }
before=$(ticks)
sleep "$seconds"
after=$(ticks)
awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v seconds="$seconds" \
    'BEGIN { share = 100 * ticks / hz / seconds
    printf "| R3 | idle CPU, %d s | 0.5 %% of a core | 0.1 %% of a core | %.2f %% of a core: %s |\n", seconds, share, word(share, 0.5, 0.1) }
    '"$word"
awk '/^VmRSS/ { mb = $2 / 1024
    printf "|  | idle memory, empty database | 96 MB |  | %.1f MB: %s |\n", mb, word(mb, 96, 0) }
    '"$word" "/proc/$server/status"
