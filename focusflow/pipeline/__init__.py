"""How one call becomes a page: download, transcribe, summarise, deliver, each step safe to repeat."""
