#!/bin/bash -e
# The test is a Python script, so this step checks only that the package loads.
. ./setup.sh
python3 -c "import pymars"
