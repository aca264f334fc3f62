// Package runner is the queue actor: actions with keys run one after another, and what
// waits, what runs and what became of the last thousand can be read at any time.
//
// Owns: the queue, the current action, its counts and history, capped backoff.
// Does not own: what an action does, which actions there are, when they are wanted.
// May import: the standard library only.
// Start reading at: runner.go (Runner.Run), then retry.go.
package runner
