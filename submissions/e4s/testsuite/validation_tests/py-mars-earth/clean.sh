#!/bin/bash -e
rm -rf __pycache__ model.json
