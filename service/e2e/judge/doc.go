// Package judge says what is wrong after a run of the fault harness: it compares what a
// simulated meter recorded, what the site holds, what a cloud answers, and what they say of
// each other.
//
// Owns: the truth of a meter against a site, the oracle of fates and reduction, the
// comparison of a site with a cloud through their web API.
// Does not own: faults, nodes, networks; any rule that the product itself applies, but how a
// recording is shortened (logdb/limit, which has tests of its own).
// May import: the client of the web API, the simulator, the reference model.
// Start reading at: judge.go (Check).
package judge
