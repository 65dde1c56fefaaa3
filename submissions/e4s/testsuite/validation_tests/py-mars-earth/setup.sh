#!/bin/bash -e
# Loads the one installation that the suite tests.
. ../../setup.sh
spackLoadUnique py-mars-earth
