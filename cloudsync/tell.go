package cloudsync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// settingsDigest is the digest of what the cloud is told of a meter.
func settingsDigest(settings logdb.Settings) logdb.Digest {
	settings.UID, settings.Version = "", ""
	text, err := json.Marshal(settings)
	if err != nil {
		return logdb.Digest{} // no float of settings is NaN, so that this does not happen
	}
	return logdb.DigestOf(text)
}

// register tells the cloud of a meter and takes the UID that it answers with.
func (s *Service) register(ctx context.Context, d *destination, cloud Cloud, uid logdb.MeterUID) (string, error) {
	settings, err := s.logs.Settings(ctx, uid)
	if err != nil {
		return "", fmt.Errorf("read the settings of meter %s: %w", uid, err)
	}
	s.mu.Lock()
	var conf MeterConfig
	digest := settingsDigest(settings)
	if m := d.cache.Meters[uid]; m != nil {
		// Else settings that were changed and changed back are asked for again and again, without a pause.
		m.Name, m.Settings = settings.Name, digest
		conf = m.Config
	}
	customer := d.conf.Customer
	s.mu.Unlock()
	if !conf.Enabled {
		return "the meter is not enabled for the cloud", runner.ErrNothing
	}
	if conf.CloudUID != "" && conf.Registered == digest {
		return "", runner.ErrNothing
	}
	q := api.RegisterRequest{Settings: settings, CustomerKey: customer}
	q.Settings.UID, q.Settings.Version = conf.CloudUID, ""
	var answer api.RegisterAnswer
	var did string
	holds := false
	for range tellTries { // what it was told, it says when it is asked again: or another program that serves the name
		err = runner.Retry(ctx, s.retry(), func(ctx context.Context) (err error) {
			answer, err = cloud.Register(ctx, q)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("register meter %s: %w", uid, err)
		}
		did = cmp.Or(did, answer.Registered)
		if holds = answer.Registered == api.RegisteredNew || holdsSettings(answer.Settings, settings); holds {
			break
		}
		settings.Version = answer.Settings.Version
		if conf.Registered != (logdb.Digest{}) { // else settings that are changed back, when the answer is lost, are taken for those that the cloud has
			if err := s.changeMeter(ctx, d, uid, func(c *MeterConfig) error { c.Registered = logdb.Digest{}; return nil }); err != nil {
				return "", err
			}
			conf.Registered = logdb.Digest{}
		}
		if did, err = s.tell(ctx, cloud, answer.MeterUID, settings); err != nil {
			return "", fmt.Errorf("tell the settings of meter %s: %w", uid, err)
		}
		if holds = did == api.RegisteredKnown; holds { // as far as it will
			break
		}
	}
	err = s.changeMeter(ctx, d, uid, func(c *MeterConfig) error {
		c.CloudUID, c.Registered, c.Parked = answer.MeterUID, digest, ""
		return nil
	})
	s.mu.Lock()
	if m := d.cache.Meters[uid]; m != nil {
		m.told.answered(digest, cmp.Or(answer.Started, d.program), answer.Settings.Version, holds)
	}
	s.mu.Unlock()
	return fmt.Sprintf("%s as %s", did, answer.MeterUID), err
}

// holdsSettings reports whether telling settings would change nothing of what is held: members that are not known here may be known there.
func holdsSettings(held, settings logdb.Settings) bool {
	settings.UID, settings.Version = "", ""
	var after logdb.Settings
	before, err := json.Marshal(held)
	if err == nil {
		err = json.Unmarshal(before, &after)
	}
	var change []byte
	if err == nil {
		change, err = api.SettingsDocument(settings)
	}
	if err == nil {
		err = json.Unmarshal(change, &after)
	}
	return err == nil && settingsDigest(after) == settingsDigest(held)
}

// told is which programs hold the settings of a meter that the cloud is told: several may serve one name, of one database or of copies.
type told struct {
	settings logdb.Digest
	programs []program
	tries    int // in vain
	// What somebody else has told the cloud instead: how often that was found, and when it is next taken notice of.
	others int
	quiet  time.Time
}

// program holds settings.
type program struct {
	started logdb.Millis
	version string // of the settings
}

// answered notes what a program, started at a time, holds after it was told, and under which version.
func (t *told) answered(settings logdb.Digest, started logdb.Millis, version string, holds bool) {
	if t.settings != settings {
		*t = told{settings: settings}
	}
	const mostTries = 5
	if !holds {
		if t.tries++; t.tries < mostTries { // then it takes them otherwise than they were sent, and would be told for ever
			return
		}
	}
	t.holds(started, version)
}

// holds notes that a program holds the settings under a version.
func (t *told) holds(started logdb.Millis, version string) {
	const mostPrograms = 16
	t.programs = slices.DeleteFunc(t.programs, func(p program) bool { return p.started == started })
	t.programs = append(t.programs[max(0, len(t.programs)-mostPrograms+1):], program{started, version})
}

// by reports whether a program that was started at a time holds these settings, and under which version.
func (t *told) by(settings logdb.Digest, started logdb.Millis) (version string, ok bool) {
	i := slices.IndexFunc(t.programs, func(p program) bool { return p.started == started })
	if t.settings != settings || i < 0 {
		return "", false
	}
	return t.programs[i].version, true
}

// overruled reports whether something else that the cloud was told is to be put right now, and notes that it was found. Who tells it that may be a copy
// of this node, or of one that passes on what this node says, and be gone tomorrow: then nobody else puts it right. Or another node that names the meter
// otherwise, for good: so that they do not tell each other's cloud in turn for ever, each time is waited for twice as long as the last.
func (t *told) overruled(now time.Time) bool {
	const first, mostDoublings = time.Hour, 12
	pause := func() time.Duration { return first << min(t.others, mostDoublings) }
	switch {
	case now.Before(t.quiet):
		return false
	case now.After(t.quiet.Add(pause())): // nobody contradicts any more
		t.others = 0
	}
	t.quiet = now.Add(pause())
	t.others++
	return true
}

// tellTries is how often a cloud is told settings until it says so. It is once, but for several programs that serve one name, each with a
// database of its own, and for who tells something else of the meter at the same moment: the next look at its list goes on.
const tellTries = 3

// found is the settings of a meter in the list of a program that was started at a time.
type found struct {
	meter    logdb.MeterUID
	settings logdb.Settings // as the cloud holds them
	started  logdb.Millis
	agreed   bool // it held those of this node
}

// toldAgain returns those of the meters that the cloud is to be told again: what it holds is not as it is here. Nothing can be told of a meter that it
// takes for another device: its customer has said there what hangs in its place before it did, and the old serial number would make a second meter.
func (s *Service) toldAgain(ctx context.Context, d *destination, list []found) (out []logdb.MeterUID, err error) {
	for _, f := range list {
		settings, err := s.logs.Settings(ctx, f.meter)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, logdb.ErrUnknownMeter) {
			continue
		}
		if err != nil {
			s.log.Warn("cannot compare the settings of a meter with the cloud's", "meter", string(f.meter), "err", err)
			continue
		}
		if !sameDevice(f.settings, settings) {
			continue
		}
		same := f.agreed && holdsSettings(f.settings, settings)
		s.mu.Lock()
		switch m := d.cache.Meters[f.meter]; {
		case m == nil:
		case same:
			m.told.holds(f.started, f.settings.Version)
		case !f.agreed || m.told.overruled(s.now()):
			out = append(out, f.meter)
		}
		s.mu.Unlock()
	}
	return out, nil
}

// sameDevice reports whether make and serial number are the same, as far as the cloud has some.
func sameDevice(held, settings logdb.Settings) bool {
	same := func(a, b string) bool {
		return a == "" || strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
	}
	return same(held.Make, settings.Make) && same(held.Serial, settings.Serial)
}

const toldThem = "told the settings of"

// tell stores the settings of a meter that the cloud knows already, unless they have another version there by now, and says what was done.
func (s *Service) tell(ctx context.Context, cloud Cloud, uid logdb.MeterUID, settings logdb.Settings) (string, error) {
	settings.UID = uid
	err := runner.Retry(ctx, s.retry(), func(ctx context.Context) error { return cloud.PutSettings(ctx, uid, settings) })
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Forbidden) { // it keeps what it has; the logs go there all the same
		s.log.Warn("the cloud takes no other settings of a meter than the first", "meter", string(uid), "err", err)
		return api.RegisteredKnown, nil
	}
	if errors.Is(err, fault.Stale) { // told already, when an answer was lost; or somebody else has changed them since
		return toldThem, nil
	}
	return toldThem, err
}
