package virtual_test

import (
	"testing"
	"time"

	"metermanager/service/e2e/virtual"
	"metermanager/service/field/sim"
)

// A meter that is busy while its scaling is read must not have its energies scaled by nothing:
// seed 1081 of the first form of the harness, which found them ten times too small.
func TestBusyWhileTheSetupIsRead(t *testing.T) {
	t.Parallel()
	play(t, template(t), virtual.Plan{
		Seed: 1081, Zone: "Europe/London", Begin: time.Date(2026, 12, 31, 19, 21, 45, 0, time.UTC), History: 2 * time.Hour, Length: 4 * time.Hour,
		Events: []virtual.Event{
			{At: 50*time.Minute + 21046*time.Millisecond, For: time.Hour + 48*time.Second, Kind: virtual.MeterOdd,
				Meter: sim.Fault{Kind: sim.FaultException, Times: 10, Skip: 1, Code: 5}},
			{At: 56*time.Minute + 13788*time.Millisecond, For: 29*time.Minute + 13*time.Second, Kind: virtual.MeterOdd,
				Meter: sim.Fault{Kind: sim.FaultWindowNotReady, Times: 4, Skip: 1}, Retrieve: true},
		},
	})
}

// A site whose clock is weeks ahead for some minutes must not wait for those weeks once it is right again: neither to
// read the meter, nor to upload.
func TestClockAheadForAWhile(t *testing.T) {
	t.Parallel()
	play(t, template(t), virtual.Plan{
		Seed: 7, Zone: "UTC", Begin: time.Date(2026, 6, 15, 6, 0, 0, 0, time.UTC), History: time.Hour, Length: 2 * time.Hour,
		Events: []virtual.Event{
			{At: 20 * time.Minute, For: 10 * time.Minute, Kind: virtual.WrongClock, Host: "site", By: 21 * 24 * time.Hour},
			{At: 22 * time.Minute, For: 5 * time.Minute, Kind: virtual.LinkEvent, Link: virtual.Link{From: "site", To: "cloud"},
				Trouble: virtual.LinkFault{Trouble: virtual.Refuse, Chance: 1}},
		},
	})
}

// Two machines with one journal, of which one uploads to two clouds: when the upload to one gives the journal another id,
// the queue of the other cloud must know it. It uploaded nothing, again and again, without a pause: seed 6185.
func TestRenewedJournalIsKnownToEveryQueue(t *testing.T) {
	t.Parallel()
	play(t, template(t), virtual.NewPlan(6185))
}

// A second cloud to which the first passes everything on, while the first is sent some channels only for a time.
func TestOtherChannelsAlongTwoWays(t *testing.T) {
	t.Parallel()
	template := template(t)
	for _, seed := range []uint64{511, 1244, 3015, 7738} {
		play(t, template, virtual.NewPlan(seed))
	}
}

// New versions of records that have moved into the archive meanwhile, at the site and at the cloud, while more records of the
// same days come.
func TestRevisesIntoTheArchive(t *testing.T) {
	t.Parallel()
	out := play(t, template(t), virtual.Plan{
		Seed: 11, Zone: "Europe/Berlin", Begin: time.Date(2026, 3, 28, 21, 0, 0, 0, time.UTC), History: 2 * time.Hour, Length: 4 * time.Hour,
		Events: []virtual.Event{
			{At: 90 * time.Minute, Kind: virtual.Archive, Host: "site"},
			{At: 91 * time.Minute, Kind: virtual.Archive, Host: "cloud"},
			{At: 100 * time.Minute, For: 45 * time.Minute, Kind: virtual.Scale},
			{At: 2 * time.Hour, For: time.Hour, Kind: virtual.Zone, Retrieve: true},
			{At: 2*time.Hour + time.Minute, For: 5 * time.Minute, Kind: virtual.KillAfter, Host: "site", N: 40},
		},
	})
	if out.Archived < 2 {
		t.Errorf("%d files are in the archives of both", out.Archived)
	}
}

// A copy of the cloud's disk runs beside the cloud or instead of it, and for good: what either took, and what the site was
// told of it, ends in one cloud that has everything once.
func TestCopiesOfTheCloud(t *testing.T) {
	t.Parallel()
	template := template(t)
	for _, way := range []int64{0, 2} { // beside it, and for good
		play(t, template, virtual.Plan{
			Seed: 12, Zone: "UTC", Begin: time.Date(2026, 6, 15, 6, 0, 0, 0, time.UTC), History: time.Hour, Length: 3 * time.Hour,
			Events: []virtual.Event{
				{At: 20 * time.Minute, Kind: virtual.SecondUp},
				{At: 40 * time.Minute, For: 2 * time.Hour, Kind: virtual.CloneCloud, N: way},
				{At: time.Hour, For: 30 * time.Minute, Kind: virtual.Scale},
				{At: 100 * time.Minute, For: 20 * time.Minute, Kind: virtual.LinkEvent, Link: virtual.Link{From: "site", To: "cloud"},
					Trouble: virtual.LinkFault{Trouble: virtual.Twice, Chance: 1}},
			},
		})
	}
}

// The cloud lets go of all values but their sums; new versions of them change no sum and bring nothing back.
func TestSumsOutliveTheirValues(t *testing.T) {
	t.Parallel()
	out := play(t, template(t), virtual.Plan{
		Seed: 13, Zone: "Europe/Berlin", Begin: time.Date(2026, 6, 15, 6, 0, 0, 0, time.UTC), History: 4 * time.Hour, Length: time.Hour, Thin: true,
	})
	if out.Thinned < 1000 {
		t.Errorf("%d values were let go", out.Thinned)
	}
}

// The meter's clock is set back while a limit is exceeded, so that the end bears an earlier time than the start: how long it lasted is
// unknown, at the site, at the cloud, and when the records are decoded again.
func TestClockSetBackDuringAnEvent(t *testing.T) {
	t.Parallel()
	play(t, template(t), virtual.Plan{
		Seed: 17, Zone: "UTC", Begin: time.Date(2026, 6, 15, 4, 0, 0, 0, time.UTC), History: 2 * time.Hour, Length: 15 * time.Hour,
		Events: []virtual.Event{{At: 14 * time.Hour, For: 30 * time.Minute, Kind: virtual.Zone}},
	})
}

// A site that reads by a wrong zone sends a cloud other channels than its second cloud, which begins the journal under another name
// there, and then the zone is put right: what the cloud has under the name that was given up is shown at the wrong times no more.
func TestZonePutRightAfterOtherChannels(t *testing.T) {
	t.Parallel()
	template := template(t)
	for seed, channelsFor := range map[uint64]time.Duration{1: 30 * time.Minute, 2: 170 * time.Minute} { // put back before the zone, and after it
		play(t, template, virtual.Plan{
			Seed: seed, Zone: "America/St_Johns", Begin: time.Date(2026, 10, 31, 23, 28, 53, 0, time.UTC), History: 4 * time.Hour, Length: 5 * time.Hour,
			Events: []virtual.Event{
				{At: 15 * time.Minute, For: time.Hour, Kind: virtual.SecondUp},
				{At: 70 * time.Minute, For: time.Hour, Kind: virtual.Zone},
				{At: 90 * time.Minute, For: channelsFor, Kind: virtual.Channels},
			},
		})
	}
}
