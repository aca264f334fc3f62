// Package account knows who somebody is and what they may do: customers, users,
// sessions, keys, and the one function that allows or refuses.
//
// Owns: the acting Principal, Scope, Allow, passwords, tokens, keys, the first set-up.
// Does not own: SQL (service/metadb), HTTP (service/webapi), meters (cloud/registry).
// May import: logdb and leaves. It is the only package that imports bcrypt.
// Start reading at: principal.go, then account.go (Service, Store).
package account
