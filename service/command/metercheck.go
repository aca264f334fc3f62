package command

import (
	"context"
	"errors"
	"fmt"

	"metermanager/cloudsync/verify"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/field/retrieve"
)

// MeterChecker lets verify compare a meter's memory with its journals, through the same
// queue as every other request to the meter: its newest records, or all when deep.
func MeterChecker(field *retrieve.Manager) func(deep bool) verify.MeterChecker {
	return func(deep bool) verify.MeterChecker {
		c := meterChecker{field: field, newest: newestRecords}
		if deep {
			c.newest = allRecords
		}
		return c
	}
}

// newestRecords is how many of the newest records of each log verify reads again: seconds of a meter's
// time, not hours. allRecords is more than any log holds.
const (
	newestRecords = 5_000
	allRecords    = 1 << 24
)

type meterChecker struct {
	field  *retrieve.Manager
	newest int
}

// CheckMeter compares the newest records; a meter that is not read here, or has no
// memory, has nothing to compare.
func (c meterChecker) CheckMeter(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) (api.VerifyReport, error) {
	var out api.VerifyReport
	listed := false
	for _, x := range c.field.Meters() {
		listed = listed || x.UID == meter && x.Enabled
	}
	if !listed {
		return out, nil
	}
	list, err := c.field.Compare(ctx, string(meter), kind, c.newest)
	if err != nil {
		if ctx.Err() != nil {
			return out, err
		}
		if errors.Is(err, retrieve.ErrStored) {
			out.Different = 1
			out.Days = append(out.Days, api.VerifyDay{
				Meter: meter, Between: verify.MeterSite, Kind: kind.String(), State: verify.StateDifferent, Count: 1, Reason: err.Error(),
			})
			return out, nil
		}
		// A meter that does not answer now proves nothing about what is stored.
		out.Days = append(out.Days, api.VerifyDay{
			Meter: meter, Between: verify.MeterSite, Kind: kind.String(), State: verify.StateNotComparable, Reason: "the meter could not be read: " + err.Error(),
		})
		return out, nil
	}
	for _, l := range list {
		out.Compared += l.Compared
		base := api.VerifyDay{Meter: meter, Between: verify.MeterSite, Kind: kind.String(), Log: l.Log}
		if l.NotRead > 0 {
			d := base
			d.State, d.Count, d.Reason = verify.StateNotComparable, l.NotRead, "only the newest records of the meter's memory are read again; --deep reads all"
			if l.Apart {
				d.Reason = "the meter's log was reset, programmed anew or overwritten since the last retrieval"
			}
			out.NotComparable += l.NotRead
			out.Days = append(out.Days, d)
		}
		for _, day := range l.Days {
			d := base
			d.Day, d.State, d.Here, d.There, d.Count = day.Day, verify.StateDifferent, day.Stored, day.Meter, max(day.Stored, day.Meter)
			d.Reason = "the meter's record is not the stored one"
			d.Advice = "keep what the meter's own software reads of this log: verify changes neither side"
			d.Records, d.More = namedRecords(day.Records)
			out.Different += d.Count
			out.Days = append(out.Days, d)
		}
	}
	return out, nil
}

// namedRecords lists the first records that a meter and its journal do not hold alike, and counts the others.
func namedRecords(list []retrieve.ComparedRecord) (out []api.VerifyRecord, more int64) {
	const most = 100
	for i, r := range list {
		if i == most {
			return out, int64(len(list) - most)
		}
		x := api.VerifyRecord{Place: logdb.PlaceRaw, Fault: r.Fault, Position: r.Position, Time: r.Time}
		if r.Stored != nil {
			x.Here = fmt.Sprintf("%x", r.Stored)
		}
		if r.Meter != nil {
			x.There = fmt.Sprintf("%x", r.Meter)
		}
		out = append(out, x)
	}
	return out, 0
}
