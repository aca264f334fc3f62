// Package notify sends the letters that the rest of the node has written.
//
// Owns: the outbox that tries again until a mail is taken or given up, the mail server's protocol, the form of a mail.
// Does not own: what is written to whom (cloud/account), the table of letters (service/metadb).
// May import: leaves.
// Start reading at: outbox.go, then smtp.go.
package notify
