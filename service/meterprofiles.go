package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"metermanager/assets"
	"metermanager/rpc/fault"
	"metermanager/service/field/device"
)

// profilesWith returns the built-in profiles and the id of the one that name means; name may be the file of a profile
// that is not built in.
func profilesWith(name string) (*device.Set, string, error) {
	profiles, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		return nil, "", fmt.Errorf("read the meter profiles: %w", err)
	}
	if strings.HasSuffix(name, ".json") {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, "", usageError{fmt.Sprintf("--profile: %v", err)}
		}
		p, err := device.Parse(data)
		if err != nil {
			return nil, "", usageError{fmt.Sprintf("--profile %s: %v", name, err)}
		}
		profiles.Put(p)
		return profiles, p.ID, nil
	}
	if name != "" {
		if _, ok := profiles.Get(name); !ok {
			return nil, "", noProfile(name, profiles)
		}
	}
	return profiles, name, nil
}

func noProfile(name string, profiles *device.Set) error {
	return fault.Newf(fault.NotFound, "There is no profile %q.", name).WithHint("There are: " + strings.Join(profiles.IDs(), ", ") + ".")
}

type meterProfilesCmd struct {
	output
	Profile string `arg:"" optional:"" placeholder:"NAME" help:"Print this one."`
}

// Help says how to make one's own.
func (meterProfilesCmd) Help() string {
	return `Example: metermanager meter profiles eastron-sdm630 > my-meter.json

A profile is one file. Try an edited one with meter test --profile FILE.json --address ...,
then put it into the folder profiles of the data folder and restart the service.`
}

// profileLine is one line of the list.
type profileLine struct {
	ID         string   `json:"id"`
	Vendor     string   `json:"vendor"`
	Model      string   `json:"model"`
	Source     string   `json:"source"`
	Readings   int      `json:"readings"`
	Memory     bool     `json:"keeps_logs"`
	Unverified []string `json:"unverified"`
}

// Run lists the built-in profiles, or prints one.
func (c *meterProfilesCmd) Run(p *program) error {
	profiles, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		return fmt.Errorf("read the meter profiles: %w", err)
	}
	if c.Profile != "" {
		if _, ok := profiles.Get(c.Profile); !ok {
			return noProfile(c.Profile, profiles)
		}
		text, err := fs.ReadFile(assets.Profiles(), c.Profile+".json")
		if err != nil {
			return fmt.Errorf("read profile %s: %w", c.Profile, err)
		}
		_, err = p.stdout.Write(text)
		return err
	}
	var list []profileLine
	for _, id := range profiles.IDs() {
		x, _ := profiles.Get(id)
		n := len(x.Points)
		if x.SunSpec != nil {
			for _, m := range x.SunSpec.Models {
				n = max(n, len(m.Points))
			}
		}
		list = append(list, profileLine{x.ID, x.Vendor, x.Model, x.Source, n, x.HasMemory(), append([]string{}, x.Unverified()...)})
	}
	if c.JSON {
		return printJSON(p.stdout, list)
	}
	t := newTable("Profile", "Vendor", "Model", ">Readings", "Logs", "Unverified")
	for _, x := range list {
		logs, unverified := "kept here", ""
		if x.Memory {
			logs = "in the meter"
		}
		if n := len(x.Unverified); n > 0 {
			unverified = count(int64(n), "item")
		}
		t.add(x.ID, x.Vendor, x.Model, fmt.Sprint(x.Readings), logs, unverified)
	}
	return t.write(p.stdout)
}
