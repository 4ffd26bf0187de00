"""HTTP: parse, call, answer. One router per noun; no transactions, no files, no FAISS here."""
