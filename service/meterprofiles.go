package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"metermanager/assets"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/field/device"
	"metermanager/service/field/discover"
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
	remote
	Profile string `arg:"" optional:"" placeholder:"NAME" help:"Print this one."`
	Add     string `placeholder:"FILE" help:"Add this file to the service's profiles, in the place of one with the same id; it is used at once."`
	Service bool   `help:"List the profiles that the service knows, one's own among them."`
}

// Help says how to make one's own.
func (meterProfilesCmd) Help() string {
	return `Examples: metermanager meter profiles eastron-sdm630 > my-meter.json
          metermanager meter profiles --add my-meter.json

A profile is one file. Try an edited one with meter test --profile FILE.json --address ...,
then add it. Without --service and --add the built-in ones are meant, and no service is asked.`
}

// Run lists profiles, prints one, or adds one.
func (c *meterProfilesCmd) Run(ctx context.Context, p *program) error {
	switch {
	case c.Add != "":
		text, err := os.ReadFile(c.Add)
		if err != nil {
			return usageError{fmt.Sprintf("--add: %v", err)}
		}
		return p.callMeter(ctx, &c.remote, api.CmdMeterProfilePut, map[string]any{"profile": string(text)}, c.JSON)
	case c.Service:
		return p.callMeter(ctx, &c.remote, api.CmdMeterProfiles, map[string]any{}, c.JSON)
	}
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
	var list []api.MeterProfile
	for _, id := range profiles.IDs() {
		x, _ := profiles.Get(id)
		list = append(list, discover.Described(x))
	}
	if c.JSON {
		return printJSON(p.stdout, list)
	}
	return p.showProfiles(list)
}

func (p *program) showProfiles(list []api.MeterProfile) error {
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

func (p *program) showProfileAdded(x api.MeterProfile) error {
	_, err := fmt.Fprintf(p.stdout, "Added profile %s (%s %s) with %s. Meters of that profile go on with it.\nAdd one: metermanager meter add NAME tcp://HOST:PORT --profile %s\n",
		x.ID, x.Vendor, x.Model, count(int64(x.Readings), "reading"), x.ID)
	return err
}
