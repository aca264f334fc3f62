package retrieve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// retrieveLoop retrieves the meter's logs at its schedule and when somebody asks.
func (u *unit) retrieveLoop(ctx context.Context) {
	every := seconds(u.meter.RetrieveSeconds, u.m.cfg.Retrieve)
	states, err := u.m.state.LogStates(ctx, u.meter.UID)
	if err != nil && ctx.Err() == nil {
		u.m.cfg.Logger.Warn("cannot read where retrieval stood", "meter", string(u.meter.UID), "err", err)
	}
	if states == nil {
		states = map[string]LogState{}
	}
	var systemDue time.Time
	conflicts := 0 // in a row
	for next := u.m.cfg.Now(); ; {
		u.mu.Lock()
		u.st.nextDue = logdb.MillisOf(next)
		u.mu.Unlock()
		if !u.waitOrAnswer(ctx, next, every, func(o order) retrieved {
			if o.task != nil {
				return retrieved{err: o.task(ctx, states)}
			}
			return u.retrieve(ctx, states, "user", func(k logdb.Kind) bool { return o.kind == 0 || o.kind == k })
		}) {
			return
		}
		withSystem := u.left(systemDue, u.m.cfg.System) <= 0
		asked := false // the retrieval came to the system log
		out := u.retrieve(ctx, states, "schedule", func(k logdb.Kind) bool {
			asked = asked || withSystem && k == logdb.KindSystem
			return withSystem || k != logdb.KindSystem
		})
		if asked && ctx.Err() == nil && !u.failing(states, logdb.KindSystem) {
			systemDue = u.m.cfg.Now().Add(u.m.cfg.System)
		}
		wait := every
		if inConflict(out.err) {
			wait = apart(every, conflicts)
			conflicts++
		} else {
			conflicts = 0
		}
		now := u.m.cfg.Now()
		next = next.Add(every)
		if at := now.Add(wait); next.Before(now) || next.After(at) {
			next = at
		}
	}
}

// failing reports whether a log of the kind could not be read when it was tried last.
func (u *unit) failing(states map[string]LogState, kind logdb.Kind) bool {
	return slices.ContainsFunc(u.profile.Logs, func(l device.Log) bool { return l.LogKind() == kind && states[l.Name].LastError != "" })
}

// inConflict reports whether somebody else who reads the meter's logs ended a retrieval.
func inConflict(err error) bool {
	return errors.Is(err, ErrLogBusy) || errors.Is(err, ErrDisturbed) || errors.Is(err, ErrSessionLost)
}

// apart is how long to wait after the nth conflict in a row: far less than until the next retrieval, and never twice the same.
// Two managers whose schedules have fallen into step, as after a gateway that was away, would meet at each of them,
// and one of the two come too late for what the meter's memory held.
func apart(every time.Duration, n int) time.Duration {
	most := min(every/2, 15*time.Second<<min(n, 10))
	return most + rand.N(max(most, 1))
}

// retrieve goes through the wanted logs of the meter once. Logs that fail do not keep the others
// from being read, unless the meter does not answer at all.
func (u *unit) retrieve(ctx context.Context, states map[string]LogState, trigger string, wanted func(logdb.Kind) bool) retrieved {
	start := u.m.cfg.Now()
	if err := u.m.cfg.Room(); err != nil {
		u.rest(err)
		return retrieved{u.item(start, trigger, 0, err), err}
	}
	prio := modbus.Logs
	if trigger == "user" {
		prio = modbus.User
	}
	stale := u.catchUp(ctx, states) // before what is new is decoded
	u.setAction("identifying", "")
	defer u.setAction("", "")
	records, entries, err := 0, 0, error(nil)
	id, idErr := u.source.Identify(ctx, prio)
	if idErr == nil {
		idErr = u.identified(ctx, id, setsDST(states))
	}
	if idErr != nil {
		err = idErr
	} else {
		records, entries, err = u.logs(ctx, states, id, trigger, wanted)
	}
	if ctx.Err() != nil {
		if entries > 0 {
			u.m.cfg.OnNewData(u.meter.UID)
		}
		return retrieved{err: ctx.Err()}
	}
	u.note(reachability(err))
	known := false // nothing but what the turn before could not decode again either
	switch {
	case stale == nil:
	case err == nil:
		err, known = stale, true
	default:
		err = fmt.Errorf("%w; %w", err, stale)
	}
	item := u.item(start, trigger, records, err)
	u.mu.Lock()
	known = known && u.st.failing.since > 0 && u.st.failing.text == err.Error()
	if err == nil {
		u.st.lastSuccess, u.st.failing.since = logdb.MillisOf(u.m.cfg.Now()), 0
	} else {
		u.st.failing.note(err, logdb.MillisOf(u.m.cfg.Now()))
	}
	u.st.records += int64(records)
	u.mu.Unlock()
	if records > 0 || err != nil && !known || trigger == "user" { // a quiet minute is no history
		// It has ended: who stops the meter's goroutine just now, as for other settings, does not take it from the history.
		if herr := u.m.state.AddHistory(context.WithoutCancel(ctx), item, u.m.cfg.HistoryKeep); herr != nil {
			u.m.cfg.Logger.Error("cannot keep the history of retrievals", "meter", string(u.meter.UID), "err", herr)
		}
	}
	if entries > 0 {
		u.m.cfg.OnNewData(u.meter.UID)
	}
	return retrieved{item, err}
}

// reachability drops errors that a meter which answers can have.
func reachability(err error) error {
	if errors.Is(err, modbus.ErrUnreachable) || errors.Is(err, modbus.ErrTimeout) {
		return err
	}
	return nil
}

func (u *unit) logs(ctx context.Context, states map[string]LogState, id poll.Identity, trigger string, wanted func(logdb.Kind) bool) (records, entries int, err error) {
	t := u.target(id)
	r := &Reader{Store: u.m.store, Priority: modbus.Logs, Now: u.m.cfg.Now, Logger: u.m.cfg.Logger, Node: u.m.cfg.Node, Progress: u.progress, Room: u.m.cfg.Room}
	var errs []error
	if err := u.noteIntervals(ctx, t); err != nil {
		errs = append(errs, err)
		if ctx.Err() != nil || reachability(err) != nil {
			return 0, 0, err
		}
	}
	setsDST := setsDST(states)
	for _, log := range u.profile.Logs {
		if !wanted(log.LogKind()) {
			continue
		}
		u.setAction("retrieving", log.Name)
		st, known := states[log.Name]
		old := st
		st.SetsDST = setsDST
		out, lerr := r.Log(ctx, t, log, &st, trigger == "user")
		setsDST = st.SetsDST
		if !known && errors.Is(lerr, ErrLogDisabled) {
			continue // such as that of a card which this meter does not have
		}
		states[log.Name] = st
		u.progress(st)
		records, entries = records+out.Records, entries+out.Entries
		if errors.Is(lerr, ErrLogDisabled) || errors.Is(lerr, errAskedBefore) {
			lerr = nil
		}
		old.LastSuccess, old.Look, old.Settled = st.LastSuccess, st.Look, st.Settled
		if st != old {
			if perr := u.m.state.PutLogState(context.WithoutCancel(ctx), u.meter.UID, st); perr != nil {
				errs = append(errs, fmt.Errorf("keep the place in log %s: %w", log.Name, perr))
			}
		}
		if lerr != nil {
			errs = append(errs, lerr)
			if ctx.Err() != nil || reachability(lerr) != nil || errors.Is(lerr, logdb.ErrFull) {
				break
			}
		}
	}
	return records, entries, errors.Join(errs...)
}

// setsDST reports whether a record has shown a DST bit. One clock stamps all logs: what one log has shown holds for those that wrote
// their first record in the hour that repeats.
func setsDST(states map[string]LogState) bool {
	for _, st := range states {
		if st.SetsDST {
			return true
		}
	}
	return false
}

// rest notes why nothing is retrieved, which is no fault of the meter's and no history.
func (u *unit) rest(why error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.st.failing.note(why, logdb.MillisOf(u.m.cfg.Now()))
}

func (u *unit) setAction(action, log string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.st.action, u.st.session = action, log
}

func (u *unit) item(start time.Time, trigger string, records int, err error) HistoryItem {
	h := HistoryItem{
		Meter: u.meter.UID, Name: u.meter.Name, Start: logdb.MillisOf(start), Took: u.m.cfg.Now().Sub(start).Milliseconds(),
		Action: "retrieve", Trigger: trigger, Records: records,
	}
	if err != nil {
		h.Error = err.Error()
	}
	return h
}

// unverifiedChannels lists what the profile has by inference, and what the manager makes of it for a meter that keeps no log.
func unverifiedChannels(p *device.Profile) []logdb.ChannelKey {
	out := p.UnverifiedChannels()
	if !p.HasMemory() {
		for _, key := range out {
			out = append(out, poll.Derived(key)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mergeSettings lays what the meter says over what was known. The name and the zone are
// the user's.
func mergeSettings(old logdb.Settings, m Meter, p *device.Profile, id poll.Identity) logdb.Settings {
	s := old
	s.UID, s.Name, s.Zone, s.Profile = m.UID, m.Name, m.Zone, p.ID
	s.Make, s.Model, s.Serial, s.Firmware = id.Make, id.Model, cmp.Or(id.Serial, m.Serial), id.Firmware
	s.Unverified, s.UnverifiedChannels = p.Unverified(), unverifiedChannels(p)
	if id.HasSetup {
		x, c := id.Setup, m.correction()
		amps, volts := x.CurrentFullScale()*c.Factor("readings.current.a"), x.VoltageFullScale()*c.Factor("readings.voltage.an")
		s.Hookup = x.HookupName()
		s.CTPrimary, s.CTSecondary = amps, float64(x.CTDenominator)
		s.PTPrimary, s.PTSecondary = volts, float64(x.PTDenominator)
		s.VoltageFullScale, s.CurrentFullScale = volts, amps
		s.CurrentClass = x.CTDenominator
		s.Energy = x.Energy.Log()
	}
	return s
}
