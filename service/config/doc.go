// Package config reads what must be known before the program starts.
//
// Owns: the file metermanager.json, the MM_ environment variables, their defaults and
// rules, the paths inside a data folder, the lock that keeps a second process out.
// Does not own: anything that is configured while the program runs (meters, cloud, users).
// May import: nothing.
// Start reading at: Load in config.go.
package config
