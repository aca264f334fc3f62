// Package sim is simulated meters: one deterministic electrical model behind real Modbus TCP
// servers, a Shark 200 and a Nexus 1252 with their logs and a SunSpec three-phase meter, with faults to switch on.
//
// Owns: the model, the records that a simulated meter holds, its register map and log session.
// Does not own: decoding (field/device), retrieval, anything of the product's own data.
// May import: logdb, field/device, assets.
// Start reading at: sim.go (Config, Meter), then model.go (Reading), shark.go, session.go.
package sim
