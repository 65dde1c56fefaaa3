#!/bin/sh
# Check the claims without the strict rules; takes the options of check_hpc_claims.py.
exec python3 "$(dirname "$0")/check_hpc_claims.py" "$@"
