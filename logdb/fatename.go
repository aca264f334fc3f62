package logdb

// DifferFates names the range by which a set differs from the tally of what was decided: one that is gone (was), one that
// was added (is), or one that is called something else (both). end is the highest position that may be decided, days
// are days of which fates may be. Nothing is named when more than one range differs.
func (s *FateSet) DifferFates(claim FateTally, end Position, days []Millis) (was, is *FateRange) {
	have := s.Tally()
	n := fateNamer{set: s, lost: FateTally{claim.A - have.A, claim.B - have.B}, tries: 20_000_000}
	seen := map[Millis]bool{}
	for _, d := range days {
		if !seen[d] {
			seen[d] = true
			n.days = append(n.days, d)
		}
	}
	for _, h := range s.Missing(1, end) {
		for _, part := range ends(FateRange{First: h[0], Last: h[1]}) {
			for _, was := range n.guesses(part.First, part.Last) {
				if n.explains(&was, nil) {
					return &was, nil
				}
			}
		}
	}
	for _, r := range s.ranges {
		for _, is := range ends(r) {
			if n.explains(nil, &is) {
				return nil, &is
			}
		}
	}
	for _, r := range s.ranges {
		for _, is := range ends(r) {
			for _, was := range n.guesses(is.First, is.Last) {
				if n.explains(&was, &is) {
					return &was, &is
				}
			}
		}
	}
	return nil, nil
}

type fateNamer struct {
	set   *FateSet
	lost  FateTally
	days  []Millis
	tries int
}

func (n *fateNamer) explains(was, is *FateRange) bool {
	var t FateTally
	if n.tries--; n.tries < 0 {
		return false
	}
	if was != nil {
		t.Add(*was)
	}
	if is != nil {
		t.Remove(*is)
	}
	return t == n.lost
}

// ends returns r and its shorter ends: what was added or lost beside an equal range is one with it.
func ends(r FateRange) []FateRange {
	out := []FateRange{r}
	for n := Position(1); n <= 8 && n < Position(r.Count()); n++ {
		head, tail := r, r
		head.Last, tail.First = r.First+n-1, r.Last-n+1
		out = append(out, head, tail)
	}
	return out
}

// guesses returns what the positions may have been.
func (n *fateNamer) guesses(first, last Position) []FateRange {
	if n.tries < 0 {
		return nil
	}
	base := FateRange{First: first, Last: last}
	days, reasons, into := map[Millis]bool{}, map[string]bool{"minute": true, "hour": true, "day": true, "second": true, "size": true, "relayed": true}, map[Position]bool{}
	for p := last + 1; p <= last+16; p++ {
		into[p] = true
	}
	for _, r := range n.set.Within(first-min(first-1, 300), last+300) {
		if r.Fate == FateSkipped || r.Fate == FateReduced {
			for d := r.FirstTime.Day() - DayMillis; d <= r.FirstTime.Day()+DayMillis; d += DayMillis {
				days[d] = true
			}
		}
		switch {
		case r.Fate == FateSkipped:
			reasons[r.Reason] = true
		case r.Fate == FateReduced:
			into[r.Into] = true
		case r.Fate == FateStored && r.Count() <= 4:
			into[r.Last] = true
		}
	}
	for _, d := range n.days {
		days[d] = true
	}
	out := make([]FateRange, 0, 3+len(days)*(len(reasons)+len(into)))
	for _, fate := range []Fate{FateStored, FateNotChosen, FateHeld} {
		r := base
		r.Fate = fate
		out = append(out, r)
	}
	for day := range days {
		for reason := range reasons {
			r := base
			r.Fate, r.Reason, r.FirstTime, r.LastTime = FateSkipped, reason, day, day
			out = append(out, r)
		}
		for p := range into {
			r := base
			r.Fate, r.Into, r.FirstTime, r.LastTime = FateReduced, p, day, day
			out = append(out, r)
		}
	}
	return out
}

// Text says the fate in words.
func (r FateRange) Text() string {
	switch r.Fate {
	case FateReduced:
		return "reduced into another position"
	case FateSkipped:
		return "skipped for " + r.Reason
	}
	return r.Fate.String()
}

// FateFinding makes a finding of a range of fates that differs.
func FateFinding(was, is *FateRange) Finding {
	f := Finding{Place: PlaceFate, Fault: FaultAltered}
	at := was
	switch {
	case was == nil:
		at, f.Fault = is, FaultExtra
	case is == nil:
		f.Fault = FaultMissing
	}
	f.Position, f.Last, f.Day, f.Time = at.First, at.Last, at.FirstTime.Day(), at.FirstTime
	if f.Last == f.Position {
		f.Last = 0
	}
	if was != nil {
		f.Want = was.Text()
	}
	if is != nil {
		f.Have = is.Text()
	}
	return f
}
