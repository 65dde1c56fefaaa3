#!/bin/bash -e
. ./setup.sh
set -x
python3 ./replay.py
