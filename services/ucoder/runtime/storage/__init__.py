"""The object store and the files in it: one URL, immutable artefacts, and the ledger of an iteration's costs."""
