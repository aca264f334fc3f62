package discover

import (
	"metermanager/rpc/api"
	"metermanager/service/field/device"
)

// Described is a profile as lists of known types of meters show it.
func Described(p *device.Profile) api.MeterProfile {
	n := len(p.Points)
	if p.SunSpec != nil {
		for _, m := range p.SunSpec.Models {
			n = max(n, len(m.Points))
		}
	}
	return api.MeterProfile{
		ID: p.ID, Vendor: p.Vendor, Model: p.Model, Source: p.Source, Version: p.Version(), Readings: n, Memory: p.HasMemory(), Unverified: append([]string{}, p.Unverified()...),
	}
}
