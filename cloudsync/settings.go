package cloudsync

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/rpc/pki"
)

// The cloud settings by the names under which people and scripts know them.
const (
	SettingLocation = "cloud.location"
	SettingAPIKey   = "cloud.apikey"
	SettingCustomer = "cloud.customer"
	SettingUser     = "cloud.user.name"
	SettingPassword = "cloud.user.pass"
	SettingEnabled  = "etheria.client~enabled"
	SettingHost     = "etheria.client~host"
	SettingPort     = "etheria.client~port"
	SettingRootPath = "etheria.client~rootpath"
	SettingUser2    = "etheria.client~user"     // the same as cloud.user.name
	SettingPass2    = "etheria.client~password" // the same as cloud.user.pass
	SettingAuto     = "cloud.meter.register.auto"
	SettingRate     = "cloud.upload.rate" // pages a minute of what has waited; 0: no bound
	SettingChannels = "cloud.upload.channels"
	// SettingLimit begins the names of the limitor's numbers: cloud.limit.pq and those that limit.Names lists.
	SettingLimit    = "cloud.limit."
	SettingReceived = "cloud.upload.received"
	// SettingFingerprint is the certificate of the cloud, or of its authority; TrustFirst takes the one that it has now.
	SettingFingerprint = "cloud.fingerprint"

	SettingMeterUID     = "cloud.meter.uid"
	SettingMeterEnabled = "cloud.meter.enabled"
	SettingMeterUpload  = "cloud.meter.upload.enabled"
)

// needed is what a user must be allowed at the cloud to configure it for a customer.
var needed = permission.Of(permission.Upload, permission.MetersManage)

// Set changes one cloud setting by name. The text of lists is joined by commas; "*" stands for all channels.
func (l Link) Set(ctx context.Context, name, value string) error {
	if name == SettingFingerprint && strings.TrimSpace(value) == TrustFirst {
		d, err := l.Destination(ctx)
		if err != nil {
			return err
		}
		if value, err = l.service.fingerprintOf(ctx, d); err != nil {
			return err
		}
	}
	return l.change(ctx, func(d *Destination) error {
		return setDestination(d, name, value)
	})
}

// TrustFirst is the value of SettingFingerprint that takes the certificate which the cloud shows now.
const TrustFirst = "first"

// fingerprintOf asks a cloud for its certificate.
func (s *Service) fingerprintOf(ctx context.Context, d Destination) (string, error) {
	address := d.URL()
	if s.cfg.Fingerprint == nil || !strings.HasPrefix(address, "https://") {
		return "", fault.New(fault.Invalid, "A cloud without https:// shows no certificate.").At("value").WithHint("Set etheria.client~host first.")
	}
	found, err := s.cfg.Fingerprint(ctx, address)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "The cloud cannot be asked for its certificate.", err)
	}
	return found, nil
}

func setDestination(d *Destination, name, value string) error {
	value = strings.TrimSpace(value)
	invalid := func(why string) error { return fault.New(fault.Invalid, why).At("value") }
	switch name {
	case SettingLocation:
		d.Location = value
	case SettingAPIKey:
		d.APIKey = Secret(value)
	case SettingCustomer:
		d.Customer = value
	case SettingUser, SettingUser2:
		d.User, d.Token, d.Expires = value, "", 0
	case SettingPassword, SettingPass2:
		d.Password, d.Token, d.Expires = Secret(value), "", 0
	case SettingHost:
		if strings.ContainsAny(value, " \t\r\n@?#") {
			return invalid("The host is a name or address, with http:// or https:// before it where that matters.")
		}
		d.Host, d.Token, d.Expires = value, "", 0
	case SettingFingerprint:
		if value != "" {
			known, err := pki.ParseFingerprint(value)
			if err != nil {
				return invalid("The fingerprint is 64 hex digits, with or without colons, or first, or nothing.")
			}
			value = known
		}
		d.Fingerprint = value
	case SettingPort:
		port, err := strconv.Atoi(value)
		if err != nil || port < 0 || port > 65535 {
			return invalid("The port is a number from 1 to 65535, or 0 for the usual one.")
		}
		d.Port = port
	case SettingRate:
		rate, err := strconv.Atoi(value)
		if err != nil || rate < 0 || rate > 1_000_000 {
			return invalid("The rate is a number of pages a minute, or 0 for as many as the cloud takes.")
		}
		d.DrainRate = rate
	case SettingRootPath:
		d.RootPath = strings.Trim(value, "/")
	case SettingEnabled, SettingAuto, SettingReceived:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return invalid("The value must be true or false.")
		}
		switch name {
		case SettingEnabled:
			d.Enabled = on
		case SettingAuto:
			d.ManualRegister = !on
		default:
			d.OwnOnly = !on
		}
	case SettingChannels:
		return setChannels(d, value)
	default:
		if number, ok := strings.CutPrefix(name, SettingLimit); ok {
			return setLimit(d, number, value)
		}
		return fault.New(fault.Invalid, "There is no such cloud setting.").At("name")
	}
	return nil
}

// setLimit changes one of the limitor's numbers for what is uploaded to d.
func setLimit(d *Destination, name, value string) error {
	all := d.limits()
	if err := limit.Set(&all, name, value); err != nil {
		return fault.Wrap(fault.Invalid, "That is no limit: "+err.Error()+".", err).At("value").
			WithHint("Numbers of records: 10/s 30/min 100/h 200/d, or none, or default. All of them: rpc cloud.info")
	}
	if d.Limits = &all; reflect.DeepEqual(all, logdb.DefaultLimits()) {
		d.Limits = nil
	}
	return nil
}

func setChannels(d *Destination, value string) error {
	if value == "" || value == "*" {
		d.Channels = nil
		return nil
	}
	var keys []logdb.ChannelKey
	for part := range strings.SplitSeq(value, ",") {
		key, err := logdb.NormalizeChannel(strings.TrimSpace(part))
		if err != nil {
			return fault.Wrap(fault.Invalid, "One of these is not a channel key.", err).At("value")
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	d.Channels = keys
	return nil
}

// SetMeter changes one setting of a meter for the cloud.
func (l Link) SetMeter(ctx context.Context, meter logdb.MeterUID, name, value string) error {
	d, err := l.pick(ctx)
	if err != nil {
		return err
	}
	s := l.service
	if err := s.found(ctx, d, meter); err != nil {
		return err
	}
	defer s.poke()
	return s.changeMeter(ctx, d, meter, func(c *MeterConfig) error {
		c.Parked = ""
		switch name {
		case SettingMeterUID:
			c.CloudUID, c.Registered = logdb.MeterUID(value), logdb.Digest{}
			return nil
		case SettingMeterEnabled, SettingMeterUpload:
			on, err := strconv.ParseBool(value)
			if err != nil {
				return fault.New(fault.Invalid, "The value must be true or false.").At("value")
			}
			if name == SettingMeterEnabled {
				c.Enabled = on
			} else {
				c.UploadEnabled = on
			}
			return nil
		}
		return fault.New(fault.Invalid, "There is no such cloud setting of a meter.").At("name")
	})
}

// Meter returns the cloud settings of a meter; logdb.ErrUnknownMeter when it has none.
func (l Link) Meter(ctx context.Context, meter logdb.MeterUID) (MeterConfig, error) {
	d, err := l.pick(ctx)
	if err != nil {
		return MeterConfig{}, err
	}
	l.service.mu.Lock()
	defer l.service.mu.Unlock()
	if m := d.cache.Meters[meter]; m != nil {
		return m.Config, nil
	}
	return MeterConfig{}, fmt.Errorf("%w: %s", logdb.ErrUnknownMeter, meter)
}

// VerifyUser checks that a user can log in at the cloud, and what it may do there.
func (l Link) VerifyUser(ctx context.Context, user, pass string) (api.LoginAnswer, error) {
	d, err := l.Destination(ctx)
	if err != nil {
		return api.LoginAnswer{}, err
	}
	if d.Host == "" {
		return api.LoginAnswer{}, fault.New(fault.Invalid, "No cloud is set.").WithHint("Set its address first: rpc cloud.set " + SettingHost + " HOST")
	}
	d.User, d.Password, d.APIKey, d.Token = user, Secret(pass), "", ""
	cloud, err := l.service.dial(d)
	if err != nil {
		return api.LoginAnswer{}, fmt.Errorf("make a client of %s: %w", d.URL(), err)
	}
	answer, err := cloud.Login(ctx, api.LoginRequest{User: user, Password: pass})
	if err != nil {
		return api.LoginAnswer{}, fmt.Errorf("log in at the cloud: %w", err)
	}
	return answer, nil
}

// Enable verifies that the user may configure the cloud for its customer, keeps the login and switches the
// sync on. Without a user the stored login or key is verified.
func (l Link) Enable(ctx context.Context, user, pass string) (api.SyncStatus, error) {
	d, err := l.Destination(ctx)
	if err != nil {
		return api.SyncStatus{}, err
	}
	if user == "" {
		user, pass = d.User, string(d.Password)
	}
	change := func(d *Destination) error { d.Enabled = true; return nil }
	if user != "" {
		answer, err := l.VerifyUser(ctx, user, pass)
		if err != nil {
			return api.SyncStatus{}, err
		}
		if !answer.Permissions.Covers(needed) {
			return api.SyncStatus{}, fault.New(fault.Forbidden, "This user may not configure the cloud for its customer.").
				WithHint("It needs the permissions " + needed.String() + ".")
		}
		change = func(d *Destination) error {
			d.Enabled, d.User, d.Password = true, user, Secret(pass)
			d.Token, d.Expires = Secret(answer.Token), answer.Expires
			return nil
		}
	} else {
		if d.APIKey == "" {
			return api.SyncStatus{}, fault.New(fault.Invalid, "A user and password are needed.").At("user")
		}
		cloud, err := l.service.dial(d)
		if err != nil {
			return api.SyncStatus{}, fmt.Errorf("make a client of %s: %w", d.URL(), err)
		}
		if _, err := cloud.User(ctx); err != nil {
			return api.SyncStatus{}, fmt.Errorf("verify the key at the cloud: %w", err)
		}
	}
	if err := l.change(ctx, change); err != nil {
		return api.SyncStatus{}, err
	}
	return l.Status(ctx)
}

// Disable switches the sync off and forgets user, password and what the cloud said.
func (l Link) Disable(ctx context.Context) error {
	err := l.change(ctx, func(d *Destination) error {
		d.Enabled, d.User, d.Password, d.Token, d.Expires = false, "", "", "", 0
		return nil
	})
	if err != nil {
		return err
	}
	d, err := l.pick(ctx)
	if err != nil {
		return err
	}
	s := l.service
	s.mu.Lock()
	id := d.conf.ID
	d.info = CloudInfo{}
	s.mu.Unlock()
	return s.store.PutItem(ctx, id, infoItem, Item{Value: []byte("{}")})
}

// changeMeter stores a change of a meter's cloud settings and takes it up.
func (s *Service) changeMeter(ctx context.Context, d *destination, uid logdb.MeterUID, change func(*MeterConfig) error) error {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.mu.Lock()
	id := d.conf.ID
	c := MeterConfig{Meter: uid}
	if m := d.cache.Meters[uid]; m != nil {
		c = m.Config
	}
	s.mu.Unlock()
	if err := change(&c); err != nil {
		return err
	}
	if err := s.store.PutMeterConfig(ctx, id, c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := d.cache.Meters[uid]
	if m == nil {
		m = newMeterCache(c)
		d.cache.Meters[uid] = m
	}
	if m.Config.CloudUID != c.CloudUID {
		for _, l := range m.Logs {
			l.Known = false // another meter there: other sets
		}
		m.relay.dirty = true
	}
	m.Config = c
	return nil
}
