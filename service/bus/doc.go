// Package bus carries messages between the services of one or several nodes by typed
// topics. A single node runs them inline: the consumer works in the publisher's
// goroutine, so what was published is done, or refused, when Publish returns.
//
// Owns: topics, the acknowledgement of a publish, the order of consumers.
// Does not own: what a message means, storage, retries of senders.
// May import: the standard library only.
// Start reading at: bus.go (Publisher, Inline).
package bus
