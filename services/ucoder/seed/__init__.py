"""The seed model: a tiny real model, the program that makes it, and the problems it is measured on."""
