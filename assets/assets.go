package assets

import (
	"embed"
	"io/fs"
)

//go:embed profiles/*.json
var profiles embed.FS

// Profiles returns the meter profiles: one JSON file each, at the root.
func Profiles() fs.FS {
	sub, err := fs.Sub(profiles, "profiles")
	if err != nil { // only possible for an invalid constant path
		return profiles
	}
	return sub
}
