// Package account knows who somebody is and what they may do: customers, users, roles, facilities, invitations, sessions, keys, and
// the one function that allows or refuses. docs/accounts.md tells the model and why it is so.
//
// Owns: the acting Principal, Scope, Allow, roles, passwords, tokens, keys, letters to people, the first set-up.
// Does not own: SQL (service/metadb), HTTP (service/webapi), meters (cloud/registry), sending mail (cloud/notify).
// May import: logdb and leaves. It is the only package that imports bcrypt.
// Start reading at: principal.go, then role.go, account.go (Service) and store.go (Store).
package account
