package webapi_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// otherMethods are the methods of the client that this test leaves to others, and to which.
var otherMethods = map[string][]string{
	"the suite that every node passes (rpctest)": {"Call", "Ready", "Version", "Status", "PushPage", "Streams", "Marks", "Digests", "History", "HistoryPages", "Events", "Recording", "LimitCounts", "EventCounts",
		"Realtime", "PostRealtime"},
	"the tests of the client":       {"Backup", "URL", "Close", "Token"},
	"the commands of people (main)": {"Do"},
}

// folk is who calls in the test below.
type folk struct {
	t                                   *testing.T
	s                                   *server
	db                                  *sqldb.DB
	system, owner, guest, meter, nobody *client.Client
}

func (f *folk) as(cfg client.Config) *client.Client {
	f.t.Helper()
	cfg.Retries = -1
	c, err := client.New(f.s.url, cfg)
	must(f.t, err)
	f.t.Cleanup(c.Close)
	return c
}

// mailed returns what stands behind a word in the newest letter.
func (f *folk) mailed(word string) string {
	f.t.Helper()
	var sealed []byte
	must(f.t, f.db.Read().QueryRowContext(f.t.Context(), `SELECT body FROM mail ORDER BY rowid DESC LIMIT 1`).Scan(&sealed))
	text, err := f.s.accounts.OpenLetter(sealed)
	must(f.t, err)
	_, rest, ok := strings.Cut(text, word)
	if !ok {
		f.t.Fatalf("no %s in %q", word, text)
	}
	return strings.Fields(rest)[0]
}

// TestEveryMethodOfTheClient drives the methods of the typed client about accounts, meters, keys and licences against the server, one after
// the other, and looks what they did. It fails for a method that neither stands here nor in the list above.
func TestEveryMethodOfTheClient(t *testing.T) {
	t.Parallel()
	s, db := emptyServer(t)
	s.populate(db)
	f := &folk{t: t, s: s, db: db}
	f.system, f.nobody = f.as(client.Config{APIKey: s.system}), f.as(client.Config{})
	f.owner = f.as(client.Config{User: "boss", Password: password})
	f.guest = f.as(client.Config{User: "guest", Password: password})
	var (
		cust, boss, guest, ann, role, facility, key, invitation string
		customerKey, secret, link                               string
		meter                                                   logdb.MeterUID
		claim, request                                          string
	)
	stream, err := logdb.ParseStream("00112233445566778899aabbccddeeff:1")
	must(t, err)
	pushed := fmt.Sprintf(`{"stream":%q,"header":["start_time","duration","channel","exception_type","except_value","except_percent","pq_threshold"],
		"records":[[%d,0.1,"readings.voltage.an",0,100,50,207]],"positions":[[1,1]],"journal_end":1}`, stream.String(), day0+60_000)
	text := func(x string) *string { return &x }
	want := func(ok bool, got ...any) error {
		if !ok {
			return fmt.Errorf("unexpected: %+v", got)
		}
		return nil
	}
	type step struct {
		method string
		do     func(ctx context.Context) error
	}
	steps := []step{
		{"RegisterAccount", func(ctx context.Context) error {
			a, err := f.system.RegisterAccount(ctx, api.RegisterAccountRequest{User: "boss", Password: password, Email: "boss@example.net", CustomerName: "Works"})
			if err != nil {
				return err
			}
			cust, boss = a.CustUID, a.UserUID
			return want(cust != "" && a.State == api.UserMember, a)
		}},
		{"Login", func(ctx context.Context) error {
			a, err := f.owner.Login(ctx, api.LoginRequest{User: "boss", Password: password})
			return or(err, want(a.UserUID == boss, a))
		}},
		{"User", func(ctx context.Context) error {
			u, err := f.owner.User(ctx)
			customerKey = u.CustomerKey
			return or(err, want(u.User == "boss" && customerKey != "", u))
		}},
		{"ApplyToCustomer", func(ctx context.Context) error {
			a, err := f.nobody.RegisterAccount(ctx, api.RegisterAccountRequest{User: "guest", Password: password, CustomerKey: customerKey})
			if err != nil {
				return err
			}
			guest = a.UserUID
			if err := f.owner.RejectUser(ctx, guest); err != nil {
				return err
			}
			b, err := f.guest.ApplyToCustomer(ctx, api.ApplyRequest{CustomerKey: customerKey})
			return or(err, want(b.State == api.UserPending && b.Customer == "Works", b))
		}},
		{"PendingUsers", func(ctx context.Context) error {
			list, err := f.owner.PendingUsers(ctx)
			return or(err, want(len(list) == 1 && list[0].UID == guest, list))
		}},
		{"RejectUser", func(ctx context.Context) error {
			if err := f.owner.RejectUser(ctx, guest); err != nil {
				return err
			}
			_, err := f.guest.ApplyToCustomer(ctx, api.ApplyRequest{CustomerKey: customerKey})
			return err
		}},
		{"ApproveUser", func(ctx context.Context) error {
			u, err := f.owner.ApproveUser(ctx, guest, api.SetRolesRequest{Add: []string{"limited"}})
			return or(err, want(u.CustUID == cust && len(u.Roles) == 1, u))
		}},
		{"CreateFacility", func(ctx context.Context) error {
			got, err := f.owner.CreateFacility(ctx, api.CreateFacilityRequest{Name: "Hall"})
			facility = got.UID
			return or(err, want(facility != "" && got.CustUID == cust, got))
		}},
		{"UpdateFacility", func(ctx context.Context) error {
			got, err := f.owner.UpdateFacility(ctx, facility, api.UpdateFacilityRequest{Name: text("Hall 2")})
			return or(err, want(got.Name == "Hall 2", got))
		}},
		{"Facilities", func(ctx context.Context) error {
			list, err := f.owner.Facilities(ctx)
			return or(err, want(len(list) == 1 && list[0].Name == "Hall 2", list))
		}},
		{"CreateRole", func(ctx context.Context) error {
			r, err := f.owner.CreateRole(ctx, api.PutRoleRequest{Name: "auditor", Permissions: permission.Of(permission.LogsRead)})
			role = r.ID
			return or(err, want(r.Name == "auditor" && r.Permissions.Has(permission.LogsRead), r))
		}},
		{"UpdateRole", func(ctx context.Context) error {
			r, err := f.owner.UpdateRole(ctx, role, api.PutRoleRequest{Name: "auditor 2", Permissions: permission.Of(permission.LogsRead, permission.MetersRead)})
			return or(err, want(r.Name == "auditor 2" && r.Permissions.Has(permission.MetersRead), r))
		}},
		{"Roles", func(ctx context.Context) error {
			list, err := f.owner.Roles(ctx)
			return or(err, want(len(list) > 3 && list[len(list)-1].ID == role, list))
		}},
		{"AddUser", func(ctx context.Context) error {
			u, err := f.owner.AddUser(ctx, api.AddUserRequest{User: "ann", Password: password, Roles: []string{role}})
			ann = u.UID
			return or(err, want(u.Name == "ann" && len(u.Roles) == 1, u))
		}},
		{"UserByUID", func(ctx context.Context) error {
			u, err := f.owner.UserByUID(ctx, ann)
			return or(err, want(u.Name == "ann", u))
		}},
		{"Users", func(ctx context.Context) error {
			list, err := f.owner.Users(ctx)
			return or(err, want(len(list) == 3, list))
		}},
		{"UpdateUser", func(ctx context.Context) error {
			held := true
			u, err := f.owner.UpdateUser(ctx, ann, api.UpdateUserRequest{First: text("Ann"), ByFacility: &held, Facilities: &[]string{facility}})
			return or(err, want(u.First == "Ann" && u.ByFacility && len(u.Facilities) == 1, u))
		}},
		{"SetUserRoles", func(ctx context.Context) error {
			u, err := f.owner.SetUserRoles(ctx, ann, api.SetRolesRequest{Add: []string{"limited"}, Remove: []string{role}})
			return or(err, want(len(u.Roles) == 1 && u.Roles[0] == "limited", u))
		}},
		{"EnableUser", func(ctx context.Context) error {
			if err := f.owner.EnableUser(ctx, ann, false); err != nil {
				return err
			}
			u, err := f.owner.UserByUID(ctx, ann)
			return or(err, want(u.Disabled, u), f.owner.EnableUser(ctx, ann, true))
		}},
		{"BanUser", func(ctx context.Context) error {
			if err := f.system.BanUser(ctx, ann, "spam"); err != nil {
				return err
			}
			u, err := f.owner.UserByUID(ctx, ann)
			return or(err, want(u.Banned == "spam", u), f.system.BanUser(ctx, ann, ""))
		}},
		{"ResetUser", func(ctx context.Context) error {
			a, err := f.owner.ResetUser(ctx, ann)
			_, link, _ = strings.Cut(a.Link, "token=")
			return or(err, want(link != "" && !a.Mailed, a))
		}},
		{"ResetPassword", func(ctx context.Context) error {
			if err := f.nobody.ResetPassword(ctx, api.ResetRequest{Token: link, Password: "quite another one"}); err != nil {
				return err
			}
			_, err := f.as(client.Config{User: "ann", Password: "quite another one"}).User(ctx)
			return err
		}},
		{"ForgotPassword", func(ctx context.Context) error {
			if err := f.nobody.ForgotPassword(ctx, "boss"); err != nil {
				return err
			}
			return or(s.accounts.FulfilWishes(ctx), want(strings.HasPrefix(f.mailed("reset#token="), "mmr_")))
		}},
		{"ChangePassword", func(ctx context.Context) error {
			if err := f.guest.ChangePassword(ctx, api.ChangePasswordRequest{Old: password, Password: "yet another one"}); err != nil {
				return err
			}
			_, err := f.as(client.Config{User: "guest", Password: "yet another one"}).User(ctx)
			return err
		}},
		{"UserHistory", func(ctx context.Context) error {
			a, err := f.owner.UserHistory(ctx, boss, 0)
			if err != nil || len(a.Events) < 2 {
				return or(err, want(false, a))
			}
			b, err := f.owner.UserHistory(ctx, boss, a.Events[0].Seq)
			return or(err, want(len(b.Events) > 0 && b.Events[0].Seq < a.Events[0].Seq, b))
		}},
		{"Invite", func(ctx context.Context) error {
			i, err := f.owner.Invite(ctx, api.InviteRequest{Email: "ben@example.net"})
			invitation, secret = i.ID, f.mailed("join#invitation=")
			return or(err, want(i.Email == "ben@example.net", i))
		}},
		{"Invitations", func(ctx context.Context) error {
			list, err := f.owner.Invitations(ctx)
			return or(err, want(len(list) == 1 && list[0].ID == invitation, list))
		}},
		{"Invitation", func(ctx context.Context) error {
			a, err := f.nobody.Invitation(ctx, secret)
			return or(err, want(a.Customer == "Works" && a.CustomerKey == customerKey && a.By == "boss", a))
		}},
		{"WithdrawInvitation", func(ctx context.Context) error {
			if err := f.owner.WithdrawInvitation(ctx, invitation); err != nil {
				return err
			}
			_, err := f.nobody.Invitation(ctx, secret)
			return want(err != nil)
		}},
		{"Register", func(ctx context.Context) error {
			a, err := f.nobody.Register(ctx, api.RegisterRequest{Settings: logdb.Settings{Make: "EIG", Serial: "client"}})
			meter, claim, f.meter = a.MeterUID, a.ClaimCode, f.as(client.Config{APIKey: a.APIKey})
			return or(err, want(meter != "" && claim != "", a))
		}},
		{"UnassignedMeters", func(ctx context.Context) error {
			list, err := f.owner.UnassignedMeters(ctx, "EIG", "client", "")
			return or(err, want(len(list) == 1 && list[0].UID == meter, list))
		}},
		{"AssignMeter", func(ctx context.Context) error {
			a, err := f.owner.AssignMeter(ctx, meter, api.AssignMeterRequest{Claim: claim})
			return or(err, want(a.CustUID == cust, a))
		}},
		{"MoveMeter", func(ctx context.Context) error {
			m, err := f.owner.MoveMeter(ctx, meter, facility)
			return or(err, want(m.Facility == facility, m))
		}},
		{"CheckLogin", func(ctx context.Context) error {
			a, err := f.meter.CheckLogin(ctx, meter, api.CheckLoginRequest{User: "boss", Password: password})
			return or(err, want(a.Allowed && a.UserUID == boss, a))
		}},
		{"PutSettings", func(ctx context.Context) error {
			inferred := logdb.Settings{Name: "Main", Make: "EIG", Serial: "client", Unverified: []string{"log pq address"}, UnverifiedChannels: []logdb.ChannelKey{"energy.total.vah"}, NominalHz: 50}
			if err := f.meter.PutSettings(ctx, meter, inferred); err != nil {
				return err
			}
			m, err := f.owner.Meter(ctx, meter)
			if err = or(err, want(len(m.Settings.Unverified) == 1 && !m.Settings.Verified("energy.total.vah"), m)); err != nil {
				return err
			}
			return f.meter.PutSettings(ctx, meter, logdb.Settings{Name: "Main", Make: "EIG", Serial: "client"})
		}},
		{"Meter", func(ctx context.Context) error {
			m, err := f.owner.Meter(ctx, meter)
			return or(err, want(m.Settings.Name == "Main" && len(m.Settings.Unverified) == 0 && m.Settings.Verified("energy.total.vah") && m.Settings.NominalHz == 50, m))
		}},
		{"Meters", func(ctx context.Context) error {
			list, err := f.owner.Meters(ctx)
			return or(err, want(len(list) == 1 && list[0].UID == meter, list))
		}},
		{"Channels", func(ctx context.Context) error {
			if _, err := f.meter.Upload(ctx, meter, logdb.KindHistorical, []byte(rows(day0, 2))); err != nil {
				return err
			}
			a, err := f.owner.Channels(ctx, meter)
			return or(err, want(len(a.Channels) > 0 && a.MeterUID == meter, a))
		}},
		{"UserAccess", func(ctx context.Context) error {
			a, err := f.owner.UserAccess(ctx, ann, meter)
			return or(err, want(a.User == "ann" && a.Meter != nil && a.Meter.Sees && len(a.Grants) > 2, a))
		}},
		{"Latest", func(ctx context.Context) error {
			list, err := f.owner.Latest(ctx, nil)
			return or(err, want(len(list) == 1 && len(list[0].Values) > 0, list))
		}},
		{"Upload", func(ctx context.Context) error {
			a, err := f.meter.Upload(ctx, meter, logdb.KindPQ, []byte(pushed))
			return or(err, want(a.Stored == 1, a))
		}},
		{"Audit", func(ctx context.Context) error {
			a, err := f.meter.Audit(ctx, meter, logdb.KindPQ, stream)
			return or(err, want(len(a.Days) == 1 && a.Days[0].Data.Count == 1, a))
		}},
		{"EventPages", func(ctx context.Context) error {
			p, err := f.owner.EventPages(ctx, meter, api.EventsQuery{Kind: logdb.KindPQ})
			return or(err, want(len(p.Pages) == 1, p))
		}},
		{"Versions", func(ctx context.Context) error {
			a, err := f.owner.Versions(ctx, meter, logdb.KindPQ, api.RecordingID{Position: 1, Stream: stream})
			return or(err, want(len(a.Versions) == 1 && a.Versions[0].Op == "add", a))
		}},
		{"Correct", func(ctx context.Context) error { // the record is of another node's journal
			_, err := f.owner.Correct(ctx, meter, logdb.KindPQ, api.CorrectionRequest{Position: 1, Withdraw: true, Why: "test"})
			return want(fault.CodeOf(err) == fault.NotFound || fault.CodeOf(err) == fault.Conflict, err)
		}},
		{"EventGroups", func(ctx context.Context) error {
			a, err := f.owner.EventGroups(ctx, api.GroupsQuery{From: day0, To: day0 + logdb.DayMillis, WithinMillis: 250})
			return or(err, want(a.WithinMillis == 250, a))
		}},
		{"EN50160", func(ctx context.Context) error {
			w, err := f.owner.EN50160(ctx, meter, "2026-W09", "mv")
			return or(err, want(w.MeterUID == meter && w.To-w.From == 7*logdb.DayMillis, w))
		}},
		{"Analysis", func(ctx context.Context) error { // there is no recording
			_, err := f.owner.Analysis(ctx, meter, api.RecordingID{Position: 1, Stream: stream})
			return want(fault.CodeOf(err) == fault.NotFound, err)
		}},
		{"Skipped", func(ctx context.Context) error {
			a, err := f.owner.Skipped(ctx, meter, api.SkippedQuery{Kind: logdb.KindPQ, Limit: 5})
			return or(err, want(a.MeterUID == meter && a.Kind == "pq" && len(a.Skipped) == 0, a))
		}},
		{"Forget", func(ctx context.Context) error {
			n, err := f.owner.Forget(ctx, meter, logdb.KindPQ, api.ForgetRequest{Stream: stream.String(), From: day0, To: day0 + logdb.DayMillis})
			return or(err, want(n == 1, n))
		}},
		{"Clear", func(ctx context.Context) error {
			if err := f.owner.Clear(ctx, meter, logdb.KindHistorical); err != nil {
				return err
			}
			a, err := f.owner.Channels(ctx, meter)
			return or(err, want(len(a.Channels) == 0, a))
		}},
		{"RequestRecords", func(ctx context.Context) error {
			list, err := f.owner.RequestRecords(ctx, meter, api.FetchQuery{What: []string{"command"}, Instruction: api.Instruction{Command: "reset_energy"}})
			if err == nil && len(list) == 1 {
				request = list[0].ID
			}
			return or(err, want(request != "", list))
		}},
		{"OpenRequests", func(ctx context.Context) error {
			list, err := f.meter.OpenRequests(ctx)
			return or(err, want(len(list) == 1 && list[0].ID == request, list))
		}},
		{"ReportRequest", func(ctx context.Context) error {
			return f.meter.ReportRequest(ctx, meter, request, api.FetchReport{State: api.FetchTaken})
		}},
		{"RecordRequests", func(ctx context.Context) error {
			a, err := f.owner.RecordRequests(ctx, meter, request, "")
			return or(err, want(len(a.Requests) == 1 && a.Requests[0].State == api.FetchTaken, a))
		}},
		{"CancelRequest", func(ctx context.Context) error {
			r, err := f.owner.CancelRequest(ctx, meter, request)
			return or(err, want(r.State == api.FetchCanceled, r))
		}},
		{"Authority", func(ctx context.Context) error {
			b, err := f.nobody.Authority(ctx)
			return or(err, want(strings.HasPrefix(string(b), "-----BEGIN CERTIFICATE"), string(b)))
		}},
		{"ReplaceMeter", func(ctx context.Context) error {
			a, err := f.owner.ReplaceMeter(ctx, meter, api.ReplaceMeterRequest{Serial: "client 2"})
			return or(err, want(a.APIKey != "" && a.Meter.UID == meter, a))
		}},
		{"CreateKey", func(ctx context.Context) error {
			k, err := f.owner.CreateKey(ctx, api.CreateKeyRequest{Name: "site", Permissions: permission.Of(permission.Upload)})
			key = k.ID
			return or(err, want(k.Secret != "", k))
		}},
		{"RotateKey", func(ctx context.Context) error {
			k, err := f.owner.RotateKey(ctx, key, time.Hour)
			if err == nil && k.ID == key {
				err = fmt.Errorf("the key is the same")
			}
			key = k.ID
			return err
		}},
		{"Keys", func(ctx context.Context) error {
			list, err := f.owner.Keys(ctx)
			return or(err, want(len(list) >= 2, list)) // the one that is ending too
		}},
		{"RevokeKey", func(ctx context.Context) error {
			if err := f.owner.RevokeKey(ctx, key); err != nil {
				return err
			}
			return want(f.owner.RevokeKey(ctx, key) != nil)
		}},
		{"SetExpiration", func(ctx context.Context) error {
			a, err := f.system.SetExpiration(ctx, meter, "2026-03-20")
			return or(err, want(a.Expires > 0 && a.Enabled, a))
		}},
		{"Renewals", func(ctx context.Context) error {
			list, err := f.owner.Renewals(ctx)
			return or(err, want(len(list) == 1 && list[0].Meter == meter && list[0].CustomerName == "Works", list))
		}},
		{"SetLicensing", func(ctx context.Context) error {
			return f.system.SetLicensing(ctx, api.Licensing{Billable: []api.Extension{api.ExtensionAnalysis}})
		}},
		{"Licensing", func(ctx context.Context) error {
			l, err := f.system.Licensing(ctx)
			return or(err, want(!l.Required && len(l.Billable) == 1, l))
		}},
		{"SwitchExtension", func(ctx context.Context) error { return f.owner.SwitchExtension(ctx, api.ExtensionAnalysis, true, "") }},
		{"Extensions", func(ctx context.Context) error {
			list, err := f.owner.Extensions(ctx, "")
			return or(err, want(len(list) > 1 && list[0].On && list[0].Billable && !list[1].On, list))
		}},
		{"Usage", func(ctx context.Context) error {
			r, err := f.owner.Usage(ctx, "2026-03", "")
			return or(err, want(len(r.Customers) == 1 && len(r.Customers[0].Meters) == 1 && len(r.Customers[0].Extensions) == 1, r))
		}},
		{"UsageCSV", func(ctx context.Context) error {
			b, err := f.owner.UsageCSV(ctx, "2026-03", cust)
			return or(err, want(strings.Count(string(b), "\r\n") == 3, string(b)))
		}},
		{"Customer", func(ctx context.Context) error {
			c, err := f.owner.Customer(ctx, cust)
			return or(err, want(c.Company == "Works", c))
		}},
		{"UpdateCustomer", func(ctx context.Context) error {
			c, err := f.owner.UpdateCustomer(ctx, cust, api.UpdateCustomerRequest{Company: text("Works Ltd")})
			return or(err, want(c.Company == "Works Ltd", c))
		}},
		{"Customers", func(ctx context.Context) error {
			list, err := f.system.Customers(ctx)
			return or(err, want(len(list) == 3, list))
		}},
		{"RotateCustomerKey", func(ctx context.Context) error {
			k, err := f.owner.RotateCustomerKey(ctx, cust)
			return or(err, want(k != "" && k != customerKey))
		}},
		{"SetBillingInfo", func(ctx context.Context) error {
			return f.owner.SetBillingInfo(ctx, cust, api.BillingInfo{Company: "Works"})
		}},
		{"BillingInfo", func(ctx context.Context) error {
			b, err := f.owner.BillingInfo(ctx, cust)
			return or(err, want(b.Company == "Works", b))
		}},
		{"RemoveMeter", func(ctx context.Context) error {
			if err := f.owner.RemoveMeter(ctx, meter); err != nil {
				return err
			}
			list, err := f.owner.Meters(ctx)
			return or(err, want(len(list) == 0, list))
		}},
		{"DeleteRole", func(ctx context.Context) error { return f.owner.DeleteRole(ctx, role) }},
		{"DeleteFacility", func(ctx context.Context) error { return f.owner.DeleteFacility(ctx, facility) }},
		{"TransferOwnership", func(ctx context.Context) error {
			if err := f.owner.TransferOwnership(ctx, cust, ann); err != nil {
				return err
			}
			c, err := f.system.Customer(ctx, cust)
			return or(err, want(c.UserUID == ann, c))
		}},
		{"DeleteUser", func(ctx context.Context) error {
			if err := f.owner.DeleteUser(ctx, boss); err != nil {
				return err
			}
			list, err := f.as(client.Config{User: "ann", Password: "quite another one"}).Users(ctx)
			return or(err, want(len(list) == 2, list))
		}},
		{"DeleteCustomer", func(ctx context.Context) error {
			if err := f.as(client.Config{User: "ann", Password: "quite another one"}).DeleteCustomer(ctx, cust); err != nil {
				return err
			}
			list, err := f.system.Customers(ctx)
			return or(err, want(len(list) == 2, list))
		}},
		{"Logout", func(ctx context.Context) error {
			c := f.as(client.Config{User: "ann", Password: "quite another one"})
			if _, err := c.User(ctx); err != nil {
				return err
			}
			return or(c.Logout(ctx), want(c.Token() == "", "a token is kept"))
		}},
	}
	covered := map[string]bool{}
	for _, list := range otherMethods {
		for _, name := range list {
			covered[name] = true
		}
	}
	for _, x := range steps {
		if covered[x.method] {
			t.Errorf("%s stands twice", x.method)
		}
		covered[x.method] = true
	}
	all := reflect.TypeFor[*client.Client]()
	for i := range all.NumMethod() {
		name := all.Method(i).Name
		if !covered[name] {
			t.Errorf("no test drives %s", name)
		}
		delete(covered, name)
	}
	for name := range covered {
		t.Errorf("the client has no method %s", name)
	}
	for _, x := range steps { // each needs what those before have made
		if err := x.do(t.Context()); err != nil {
			t.Fatalf("%s: %v", x.method, err)
		}
	}
}

// or returns the first error.
func or(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
