// Package subscription is what customers pay for: meters until a date, and extensions.
//
// Owns: expirations, the periods in which meters and extensions were on, usage reports, renewals, what a date costs in months.
// Does not own: prices and invoices (the accounting system), whether a meter can be read (registry), SQL (metadb).
// May import: account, the table of extensions of rpc/api.
// Start reading at: subscription.go (Service), usage.go (Report).
package subscription
