"""The consensus service: selects the program that is most probably correct, and seals selected programs as datasets."""
