// Package demo runs a demonstration: simulated meters, a site and a cloud, each as a
// child process on loopback.
//
// Owns: demo.json, the made-up secrets, the start and the end of the children.
// Does not own: what the children do; they are the same program with other words.
// May import: config and the client of the web API.
// Start reading at: Run in demo.go.
package demo
