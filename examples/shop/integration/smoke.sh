#!/bin/sh
# smoke.sh API_URL WEB_URL: what a person would look at first.
set -eu
api=$1 web=$2
expect() { # URL WORD
  body=$(curl -fsS --max-time 5 "$1") || { echo "$1 does not answer"; exit 1; }
  case $body in *"$2"*) echo "ok $1 has $2" ;; *) echo "$1: no $2 in: $body"; exit 1 ;; esac
}
expect "$api/healthz" ok
expect "$api/items" anchor
expect "$web/healthz" ok
expect "$web/" "anchor: 42.00 EUR"
