// Package line holds the meters of a site behind lines that spoil what they say, in virtual time and by a seed, and
// compares what is stored with what the meters hold.
//
// Owns: the spoiling gateway for Modbus TCP and for frames of a serial line, meters whose every value tells of itself, the judge of a run.
// Does not own: simulated meters with logs (service/field/sim), runs of whole sites and clouds (service/e2e/virtual).
// May import: nothing; its test drives service/field.
// Start reading at: line_test.go.
package line
