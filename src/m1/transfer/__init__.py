"""Items in and out: export, import and copy, in the pieces that they share."""
