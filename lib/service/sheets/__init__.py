"""Reading and writing sheets: every cell is text, as the person sees it."""
