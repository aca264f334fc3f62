package command

import (
	"errors"
	"strconv"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// cloudFault says whose failure an error of the cloud's is: what the cloud refuses this node must not
// read as if this node refused its caller.
func cloudFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, cloudsync.ErrNoSuchCloud):
		return fault.Wrap(fault.NotFound, "There is no cloud of that name.", err).At("cloud").WithHint("All of them: rpc cloud.list")
	case errors.Is(err, cloudsync.ErrNoDestination):
		return fault.Wrap(fault.Conflict, "No cloud is set.", err).WithHint("Set its address: rpc cloud.set etheria.client~host HOST; then: rpc cloud.enable USER PASS")
	case errors.Is(err, runner.ErrStopped):
		return fault.Wrap(fault.Unavailable, "The cloud sync is not running.", err)
	case errors.Is(err, fault.Unauthenticated):
		return fault.Wrap(fault.Forbidden, "The cloud does not accept the user, password or key.", err).WithHint("Check them: rpc cloud.user.verify USER PASS")
	case errors.Is(err, fault.Internal):
		return fault.Wrap(fault.Unavailable, "The cloud has failed; its own log says why.", err)
	}
	return err
}

// timeArg reads a parameter that is a time: milliseconds or RFC 3339; "" is 0.
func timeArg(name, text string) (logdb.Millis, error) {
	if text == "" {
		return 0, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && logdb.Millis(ms) >= logdb.MinTime && logdb.Millis(ms) <= logdb.MaxTime {
		return logdb.Millis(ms), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || logdb.MillisOf(t) < logdb.MinTime || logdb.MillisOf(t) > logdb.MaxTime {
		return 0, fault.New(fault.Invalid, "The time is neither milliseconds since 1970 nor like 2026-01-31T12:00:00Z.").At(name)
	}
	return logdb.MillisOf(t), nil
}
