#!/bin/sh
# Print the Python to build the virtual environment with: $PYTHON where it is given,
# else python3 where that is new enough, else the newest of the versions Octavo is tested with.
set -eu

is_new_enough() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1
}

for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if is_new_enough "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done

cat >&2 <<EOF
Octavo needs Python 3.11 to 3.14; tried: ${PYTHON:-python3, python3.14, python3.13, python3.12, python3.11}.
Install one and try again:
  Debian 12 or Ubuntu 24.04 and later:  sudo apt-get install python3 python3-venv
  macOS with Homebrew:                  brew install python@3.13
or name one: make PYTHON=/path/to/python3.12 ...
EOF
exit 1
