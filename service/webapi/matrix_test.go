package webapi_test

import (
	"net/http"
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// sample is a request to an operation that succeeds when its sender may do it.
type sample struct {
	path string // empty: the operation's own
	body string
	// Public operations answer by who asks; these are the statuses that differ from 200.
	nobody, wrong, upload, reader int
	theirs                        int // of the other customer's administrator
	admin                         int // of the administrator's key, where it cannot do what a user can
}

// samples are requests about what a customer has.
func samples(of place) map[string]sample {
	const stream = "00112233445566778899aabbccddeeff:1"
	at := func(rest string) string { return api.Root + "/meters/" + string(of.meter) + rest }
	user, customer := api.Root+"/users/"+string(of.user), api.Root+"/customers/"+string(of.customer)
	pending, role, facility := api.Root+"/pending-users/"+string(of.pending), api.Root+"/roles/"+string(of.role), api.Root+"/facilities/"+string(of.facility)
	const keyIsNoUser = http.StatusForbidden
	return map[string]sample{
		api.OpLive: {}, api.OpReady: {}, api.OpVersion: {}, api.OpHome: {path: "/"}, api.OpOpenAPI: {}, api.OpSetupPage: {},
		api.OpSetup:  {body: `{"token":"setup-x","user":"u","password":"a long password"}`, nobody: 403, wrong: 403, upload: 403, reader: 403, theirs: 403},
		api.OpLogin:  {body: `{"user":"owner","password":"a long password"}`},
		api.OpLogout: {wrong: 401}, api.OpUser: {nobody: 401, wrong: 401},
		api.OpKeys: {}, api.OpCreateKey: {body: `{"name":"k","permissions":"upload"}`}, api.OpRevokeKey: {path: api.Root + "/keys/none", theirs: 404},
		api.OpRotateKey: {path: api.Root + "/keys/none/rotate", body: `{"overlap_s":60}`, nobody: 401, wrong: 401, upload: 403, reader: 403, theirs: 404}, api.OpAuthority: {},
		api.OpRegisterAccount: {body: `{"user":"somebody new","password":"a long password","customer_name":"New"}`, nobody: 403, wrong: 401, upload: 403, reader: 403, theirs: 403},
		api.OpForgot:          {body: `{"user":"owner"}`}, api.OpJoinPage: {}, api.OpResetPage: {},
		api.OpReset:          {body: `{"token":"mmr_x","password":"a long password"}`, nobody: 403, wrong: 403, upload: 403, reader: 403, theirs: 403},
		api.OpChangePassword: {body: `{"old":"a long password","password":"another password"}`, theirs: keyIsNoUser, admin: keyIsNoUser},
		api.OpApply:          {body: `{"customer_key":"mmc_theirs"}`, theirs: keyIsNoUser, admin: keyIsNoUser},
		api.OpUsers:          {}, api.OpAddUser: {body: `{"user":"added","password":"a long password","cust_uid":"` + string(of.customer) + `"}`, theirs: 404},
		api.OpGetUser: {path: user, theirs: 404}, api.OpUpdateUser: {path: user, body: `{"first_name":"Ann"}`, theirs: 404}, api.OpDeleteUser: {path: user, theirs: 404},
		api.OpEnableUser: {path: user + "/enabled", body: `{"enabled":true}`, theirs: 404}, api.OpBanUser: {path: user + "/ban", body: `{"why":"spam"}`},
		api.OpSetRoles: {path: user + "/roles", body: `{"add":["limited"]}`, theirs: 404}, api.OpResetUser: {path: user + "/password", theirs: 404},
		api.OpUserHistory: {path: user + "/history", theirs: 404}, api.OpAccess: {path: user + "/access?meter_uid=" + string(of.meter), theirs: 404}, api.OpPending: {},
		api.OpApprove: {path: pending + "/approve", body: `{}`, theirs: 404}, api.OpReject: {path: pending + "/reject", theirs: 404},
		api.OpInvitations: {}, api.OpInvite: {body: `{"email":"x@example.net"}`}, api.OpInvitation: {body: `{"invitation":"mmi_x"}`, nobody: 404, wrong: 404, upload: 404, reader: 404, theirs: 404}, api.OpEndInvitation: {path: api.Root + "/invitations/" + string(of.invitation), theirs: 404},
		api.OpRoles: {}, api.OpCreateRole: {body: `{"name":"r","permissions":"logs_read"}`},
		api.OpUpdateRole: {path: role, body: `{"name":"r","permissions":"logs_read"}`, theirs: 404}, api.OpDeleteRole: {path: role, theirs: 404},
		api.OpFacilities: {}, api.OpCreateFacility: {body: `{"name":"f"}`}, api.OpUpdateFacility: {path: facility, body: `{"name":"f"}`, theirs: 404}, api.OpDeleteFacility: {path: facility, theirs: 404},
		api.OpCustomers: {}, api.OpCustomer: {path: customer, theirs: 404}, api.OpUpdateCustomer: {path: customer, body: `{"company":"Ours"}`, theirs: 404},
		api.OpDeleteCustomer: {path: customer, theirs: 404, admin: keyIsNoUser}, api.OpRotateCustomer: {path: customer + "/key", theirs: 404},
		api.OpTransfer: {path: customer + "/owner", body: `{"user_uid":"` + string(of.user) + `"}`, theirs: 404, admin: keyIsNoUser},
		api.OpBilling:  {path: customer + "/billing", theirs: 404, admin: keyIsNoUser}, api.OpSetBilling: {path: customer + "/billing", body: `{}`, theirs: 404, admin: keyIsNoUser},
		api.OpPool: {path: api.Root + "/unassigned-meters?serial=none"}, api.OpMoveMeter: {path: at("/facility"), body: `{"facility_uid":"` + string(of.facility) + `"}`},
		api.OpAssignMeter:  {path: at("/customer"), body: `{"remove":true}`},
		api.OpReplaceMeter: {path: at("/hardware"), body: `{"serial":"another of ` + string(of.meter) + `"}`},
		api.OpCheckLogin:   {path: at("/login"), body: `{"user":"owner","password":"a long password"}`},
		api.OpRegister:     {body: `{"make":"EIG","serial":"1","name":"n"}`, nobody: 409, wrong: 401, reader: 403, theirs: 409},
		api.OpMeters:       {theirs: 200}, api.OpMeter: {path: at("")}, api.OpRemoveMeter: {path: at("")},
		api.OpPutSettings: {path: at("/settings"), body: `{"name":"n"}`}, api.OpChannels: {path: at("/channels")},
		api.OpRealtime: {path: at("/realtime")}, api.OpPostRealtime: {path: at("/realtime"), body: `{"time_ms":1772366400000,"values":[{"chan_key":"readings.voltage.an","value":null}]}`},
		api.OpUpload:  {path: at("/logs/historical"), body: rows(day0, 2)},
		api.OpPush:    {path: api.Root + "/push/historical", body: strings.Replace(rows(day0, 2), "{", `{"meter_uid":"`+string(of.meter)+`",`, 1), nobody: 401, wrong: 401, reader: 403, theirs: 404},
		api.OpHistory: {path: at("/logs/historical")}, api.OpEvents: {path: at("/logs/pq")},
		api.OpRecording: {path: at("/logs/waveform/1@" + stream)}, api.OpStreams: {path: at("/streams/historical")},
		api.OpVersions: {path: at("/versions/pq/1@" + stream)}, api.OpCorrect: {path: at("/logs/pq/corrections"), body: `{"position":1,"withdraw":true,"why":"test"}`},
		api.OpAnalysis: {path: at("/logs/waveform/1@" + stream + "/analysis")}, api.OpEN50160: {path: at("/en50160?week=2026-W10")},
		api.OpEventGroups: {path: api.Root + "/event-groups?from=2026-03-01&to=2026-03-02", theirs: 200},
		api.OpDigests:     {path: at("/digests/historical?stream=" + stream)},
		api.OpMarks:       {path: at("/marks/historical?first=1&last=9&journal=" + stream[:32])},
		api.OpForget:      {path: at("/logs/historical/forget"), body: `{"stream":"` + stream + `","from":0,"to":1}`},
		api.OpClear:       {path: at("/logs/pq")}, api.OpLimitCounts: {path: at("/limit-counts")}, api.OpEventCounts: {path: at("/event-counts")},
		api.OpSkipped: {path: at("/skipped/pq")}, api.OpFetch: {path: at("/requests"), body: `{"kind":"pq"}`}, api.OpFetches: {path: at("/requests")},
		api.OpCancelFetch: {path: at("/requests/none")}, api.OpOpenFetches: {path: api.Root + "/requests"},
		api.OpReportFetch: {path: at("/requests/none/report"), body: `{"state":"taken"}`},
		api.OpLatest:      {theirs: 200},
		api.OpExpiration:  {path: at("/expiration"), body: `{"expires":"2027-01-01"}`, theirs: 403},
		api.OpRenewals:    {theirs: 200}, api.OpUsage: {path: api.Root + "/usage/2026-03", theirs: 200}, api.OpExtensions: {theirs: 200},
		api.OpSwitch: {path: api.Root + "/extensions/analysis", body: `{"on":true}`, theirs: 200}, api.OpLicensing: {}, api.OpSetLicensing: {body: `{"required":false,"billable":[]}`},
		api.OpMeterStatus: {path: at("/status")}, api.OpMetrics: {}, api.OpProgramLog: {}, api.OpBackup: {},
		api.OpStatus: {}, api.OpCommand: {path: api.Root + "/rpc/node.status", nobody: 401, wrong: 401, upload: 403},
	}
}

// notThere are operations whose sample names something that is not there: allowed is 404.
var notThere = map[string]bool{api.OpInvitation: true, api.OpRecording: true, api.OpVersions: true, api.OpCorrect: true, api.OpAnalysis: true, api.OpDigests: true, api.OpForget: true, api.OpRevokeKey: true, api.OpRotateKey: true, api.OpCancelFetch: true, api.OpReportFetch: true}

// refusedToAll are operations whose sample nobody may do.
var refusedToAll = map[string]bool{api.OpSetup: true, api.OpReset: true, api.OpRegisterAccount: true}

// TestAuthorisation sends every operation under every sort of credential. An operation
// without a sample fails, so no route can be forgotten.
func TestAuthorisation(t *testing.T) {
	t.Parallel()
	for _, op := range api.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c, ok := samples(s.ours)[op.ID]
			if !ok {
				t.Fatal("the matrix does not cover this operation")
			}
			path := c.path
			if path == "" {
				path = op.Path
			}
			allowed := http.StatusOK
			if notThere[op.ID] {
				allowed = http.StatusNotFound
			}
			byRole := func(override int, perms permission.Set) int {
				switch {
				case override != 0:
					return override
				case !perms.Has(op.Permission):
					return http.StatusForbidden
				}
				return allowed
			}
			unknown := func(override int) int {
				switch {
				case override != 0:
					return override
				case op.Permission != permission.Public:
					return http.StatusUnauthorized
				}
				return http.StatusOK
			}
			theirs := byRole(c.theirs, adminPermissions)
			if strings.Contains(op.Path, "{meter_uid}") && c.theirs == 0 {
				theirs = http.StatusNotFound
			}
			admin := allowed
			ofNode := op.Permission == permission.System || op.Permission == permission.AllCustomers
			if c.admin != 0 {
				admin = c.admin
			} else if refusedToAll[op.ID] || ofNode {
				admin = http.StatusForbidden
			}
			if ofNode { // what only the owner of the node may see
				if r := s.call(s.system, op.Method, path, c.body); r.status != allowed {
					t.Errorf("the owner: status %d: %.300s", r.status, r.body)
				}
			}
			for _, one := range []struct {
				name, key string
				want      int
			}{
				{"nobody", "", unknown(c.nobody)},
				{"wrong key", "mmk_wrong", unknown(c.wrong)},
				{"a token as a key", "mm_wrong", unknown(c.wrong)},
				{"upload key", s.upload, byRole(c.upload, permission.Of(permission.Upload))},
				{"reader", s.reader, byRole(c.reader, readerPermissions)},
				{"other customer's administrator", s.theirs, theirs},
				{"administrator", s.admin, admin},
			} {
				r := s.call(one.key, op.Method, path, c.body)
				if r.status != one.want {
					t.Errorf("%s: status %d, want %d: %.300s", one.name, r.status, one.want, r.body)
				}
				if strings.Contains(r.body, "$schema") {
					t.Errorf("%s: the answer holds a $schema", one.name)
				}
			}
		})
	}
}
