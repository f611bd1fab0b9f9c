#!/bin/sh
# make_venv.sh FOLDER [PYTHON]: create a fresh virtual environment in FOLDER with the first Python that fits.
# A name on the PATH may be a shim without a Python behind it, so each candidate has to prove itself by running.
set -eu

folder=$1
candidates=${2:-python3.13 python3.12 python3.11 python3 python}

for python in $candidates; do
    if "$python" -c '
import ensurepip, sys, venv
sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; then
        echo "Creating $folder with $("$python" --version)."
        exec "$python" -m venv --clear "$folder"
    fi
done

cat >&2 <<EOF
No usable Python found (tried: $candidates).
The course needs Python 3.11, 3.12 or 3.13 with its venv module (on Debian and Ubuntu: the package python3-venv).
If you have one elsewhere, name it:  make course PYTHON=/path/to/python3.12
EOF
exit 1
