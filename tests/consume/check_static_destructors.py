#!/usr/bin/env python3
"""Fails if an object of the library has a static object that is destroyed at exit: threads may run longer than that.

Usage: check_static_destructors.py LIBOBOL.A
"""
import subprocess
import sys

lines = subprocess.run(["nm", "-A", sys.argv[1]], check=True, capture_output=True, text=True).stdout.splitlines()
if not any("pthread_atfork" in line for line in lines):
    sys.exit("this is not the library")
wrong = [line.split(":")[1] for line in lines if line.endswith(" U __cxa_atexit")]
for name in wrong:
    print(f"{name} has a static object with a destructor; make it a reference to one on the heap")
sys.exit(1 if wrong else 0)
