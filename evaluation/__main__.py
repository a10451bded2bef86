"""Every measurement, one after the other: `python -m evaluation [--data DIR]`; retrieval only with a benchmark."""

import argparse
import sys

from evaluation import answers, latency, retrieval, safety

parser = argparse.ArgumentParser(prog="python -m evaluation", description="Measure retrieval, answers and speed.")
parser.add_argument("--data", metavar="DIR", help="folder of the benchmark; without it retrieval is left out")
given = parser.parse_args()
status = 0
if given.data:
    print("# Retrieval\n")
    status = retrieval.main(["--data", given.data])
print("\n# Answers\n")
status = status or answers.main(["--ablations"])
print("\n# People in danger, and advice\n")
print(safety.table())
print("\n# Speed and size\n")
sys.exit(status or latency.main([]))
