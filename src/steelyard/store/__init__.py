"""Results on disk: the store of stages, and the ledger of server replies."""
