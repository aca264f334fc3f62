package backup

// sameOwner does nothing: files take the rights of their folder.
func sameOwner(dir, like string) error { return nil }
