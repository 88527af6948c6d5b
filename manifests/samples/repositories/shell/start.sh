#!/bin/bash
# A site that this script writes when it starts, and a server for it.
set -euo pipefail

mkdir -p /tmp/site
echo "Hello from a shell script" > /tmp/site/index.html
exec busybox httpd -f -p "${PORT:-3000}" -h /tmp/site
