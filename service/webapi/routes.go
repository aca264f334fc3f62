package webapi

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/metrics"
)

// routes registers every handler. The table of rpc/api says what each is called, which path
// it has and which permission it needs.
func (a *API) routes() error {
	r := &registrar{a: a}
	typed(r, api.OpLive, a.live)
	typed(r, api.OpReady, a.ready)
	typed(r, api.OpVersion, a.version)
	r.raw(api.OpHome, a.home, answers{media: "text/html"})
	r.raw(api.OpSetupPage, a.setupPage, answers{media: "text/html"})
	r.raw(api.OpAuthority, a.authority, answers{media: "application/x-pem-file"})
	r.raw(api.OpOpenAPI, a.openAPI, answers{media: "application/json"})

	typed(r, api.OpSetup, a.setup)
	typed(r, api.OpLogin, a.login)
	typed(r, api.OpLogout, a.logout)
	typed(r, api.OpUser, a.user)
	typed(r, api.OpKeys, a.keys)
	typed(r, api.OpCreateKey, a.createKey)
	typed(r, api.OpRevokeKey, a.revokeKey)
	typed(r, api.OpRotateKey, a.rotateKey)

	a.accountRoutes(r)

	typed(r, api.OpRegister, a.register)
	typed(r, api.OpMeters, a.meters)
	typed(r, api.OpMeter, a.meter)
	typed(r, api.OpRemoveMeter, a.removeMeter)
	typed(r, api.OpPool, a.pool)
	typed(r, api.OpAssignMeter, a.assignMeter)
	typed(r, api.OpMoveMeter, a.moveMeter)
	typed(r, api.OpReplaceMeter, a.replaceMeter)
	typed(r, api.OpCheckLogin, a.checkLogin)
	typed(r, api.OpPutSettings, a.putSettings)
	typed(r, api.OpChannels, a.channels)
	r.raw(api.OpLatest, a.latest, answers{body: reflect.TypeFor[api.LatestAnswer](), query: latestParams})
	typed(r, api.OpRealtime, a.realtime)
	typed(r, api.OpPostRealtime, a.postRealtime)

	typed(r, api.OpExpiration, a.setExpiration)
	typed(r, api.OpRenewals, a.renewals)
	r.raw(api.OpUsage, a.usage, answers{body: reflect.TypeFor[api.UsageReport](), query: usageParams})
	typed(r, api.OpExtensions, a.extensions)
	typed(r, api.OpSwitch, a.switchExtension)
	typed(r, api.OpLicensing, a.licensing)
	typed(r, api.OpSetLicensing, a.setLicensing)

	r.raw(api.OpUpload, a.upload, answers{body: reflect.TypeFor[api.UploadAnswer]()})
	r.raw(api.OpPush, a.upload, answers{body: reflect.TypeFor[api.UploadAnswer]()})
	r.raw(api.OpHistory, a.history, answers{media: "application/json", query: historyParams})
	r.raw(api.OpEvents, a.events, answers{media: "application/json", query: eventParams})
	r.raw(api.OpRecording, a.recording, answers{media: "application/json"})
	typed(r, api.OpAnalysis, a.analyseRecording)
	typed(r, api.OpEN50160, a.en50160)
	typed(r, api.OpEventGroups, a.eventGroups)
	typed(r, api.OpStreams, a.streams)
	typed(r, api.OpMarks, a.marks)
	typed(r, api.OpDigests, a.digests)
	typed(r, api.OpForget, a.forget)
	typed(r, api.OpVersions, a.versions)
	typed(r, api.OpCorrect, a.correct)
	typed(r, api.OpClear, a.clear)
	typed(r, api.OpLimitCounts, a.limitCounts)
	typed(r, api.OpEventCounts, a.eventCounts)
	typed(r, api.OpSkipped, a.skipped)
	typed(r, api.OpFetch, a.createFetch)
	typed(r, api.OpFetches, a.listFetch)
	typed(r, api.OpCancelFetch, a.cancelFetch)
	typed(r, api.OpOpenFetches, a.openFetches)
	typed(r, api.OpReportFetch, a.reportFetch)

	r.raw(api.OpStatus, a.status, answers{body: reflect.TypeFor[api.NodeStatus](), query: pageParams})
	typed(r, api.OpMeterStatus, a.meterStatus)
	r.raw(api.OpMetrics, a.metrics, answers{media: metrics.ContentType})
	typed(r, api.OpProgramLog, a.programLog)
	r.raw(api.OpBackup, a.backup, answers{media: "application/zstd", query: backupParams})
	r.raw(api.OpCommand, a.command, answers{body: reflect.TypeFor[api.CommandAnswer]()})
	return r.err
}

// accountRoutes registers what is about users and customers.
func (a *API) accountRoutes(r *registrar) {
	typed(r, api.OpRegisterAccount, a.registerAccount)
	typed(r, api.OpForgot, a.forgot)
	typed(r, api.OpReset, a.reset)
	r.raw(api.OpJoinPage, a.joinPage, answers{media: "text/html"})
	r.raw(api.OpResetPage, a.resetPage, answers{media: "text/html"})
	typed(r, api.OpChangePassword, a.changePassword)
	typed(r, api.OpApply, a.apply)
	typed(r, api.OpUsers, a.users)
	typed(r, api.OpGetUser, a.getUser)
	typed(r, api.OpAddUser, a.addUser)
	typed(r, api.OpUpdateUser, a.updateUser)
	typed(r, api.OpDeleteUser, a.deleteUser)
	typed(r, api.OpEnableUser, a.enableUser)
	typed(r, api.OpBanUser, a.banUser)
	typed(r, api.OpSetRoles, a.setRoles)
	typed(r, api.OpResetUser, a.resetUser)
	typed(r, api.OpUserHistory, a.userHistory)
	typed(r, api.OpAccess, a.access)
	typed(r, api.OpPending, a.pending)
	typed(r, api.OpApprove, a.approve)
	typed(r, api.OpReject, a.reject)
	typed(r, api.OpInvitations, a.invitations)
	typed(r, api.OpInvite, a.invite)
	typed(r, api.OpInvitation, a.invitation)
	typed(r, api.OpEndInvitation, a.endInvitation)
	typed(r, api.OpRoles, a.roles)
	typed(r, api.OpCreateRole, a.createRole)
	typed(r, api.OpUpdateRole, a.updateRole)
	typed(r, api.OpDeleteRole, a.deleteRole)
	typed(r, api.OpFacilities, a.facilities)
	typed(r, api.OpCreateFacility, a.createFacility)
	typed(r, api.OpUpdateFacility, a.updateFacility)
	typed(r, api.OpDeleteFacility, a.deleteFacility)
	typed(r, api.OpCustomers, a.customers)
	typed(r, api.OpCustomer, a.customer)
	typed(r, api.OpUpdateCustomer, a.updateCustomer)
	typed(r, api.OpDeleteCustomer, a.deleteCustomer)
	typed(r, api.OpRotateCustomer, a.rotateCustomerKey)
	typed(r, api.OpTransfer, a.transfer)
	typed(r, api.OpBilling, a.billing)
	typed(r, api.OpSetBilling, a.setBilling)
}

// registrar collects routes and keeps the first mistake.
type registrar struct {
	a   *API
	err error
}

func (r *registrar) operation(id string) (api.Operation, *huma.Operation) {
	op, ok := api.Lookup(id)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("route %s stands in no table of operations", id)
	}
	if r.a.served[id] && r.err == nil {
		r.err = fmt.Errorf("route %s has two handlers", id)
	}
	r.a.served[id] = true
	doc := &huma.Operation{
		OperationID: id, Method: op.Method, Path: op.Path, Summary: op.Summary, Tags: []string{op.Tag},
		Metadata: map[string]any{"permission": op.Permission.String()}, MaxBodyBytes: maxBody(op),
	}
	if op.Permission != permission.Public {
		doc.Description = strings.TrimSpace("Needs the permission " + op.Permission.String() + ". " + more[id])
	}
	doc.Security = credentials(op)
	return op, doc
}

// none is the input of a route that takes nothing.
type none struct{}

// answer is the reply of a typed route.
type answer[O any] struct {
	SetCookie    []http.Cookie `header:"Set-Cookie"`
	CacheControl string        `header:"Cache-Control"`
	Waiting      string        `header:"X-Requests-Waiting"`
	Body         *O
}

// typed registers a handler whose documents huma decodes, checks and encodes.
func typed[I, O any](r *registrar, id string, do func(ctx context.Context, c caller, in *I) (*O, error)) {
	op, doc := r.operation(id)
	if op.Body == api.BodyJSON && id == api.OpPostRealtime {
		doc.SkipValidateBody = true // null is an absent value there
	}
	if r.err != nil {
		return
	}
	huma.Register(r.a.huma, *doc, func(ctx context.Context, in *I) (*answer[O], error) {
		c := callerOf(ctx)
		out, err := do(ctx, c, in)
		if err != nil {
			return nil, r.a.problem(ctx, err)
		}
		return &answer[O]{SetCookie: c.request.cookies, CacheControl: "no-store", Waiting: c.request.waiting, Body: out}, nil
	})
}

// answers describes what a raw route answers, for the OpenAPI document.
type answers struct {
	media string
	body  reflect.Type
	query []param
}

// param is one query parameter of a raw route.
type param struct{ name, help string }

// raw registers a handler that reads and writes bodies itself: those that are large, and
// pages for people. It is in the OpenAPI document like any other.
func (r *registrar) raw(id string, do func(http.ResponseWriter, *http.Request, caller) error, out answers) {
	op, doc := r.operation(id)
	if r.err != nil {
		return
	}
	r.a.describe(doc, op, out)
	guarded{r.a}.HandleFunc(op.Pattern(), func(w http.ResponseWriter, req *http.Request) {
		if err := do(w, req, callerOf(req.Context())); err != nil {
			r.a.writeError(w, req, err)
		}
	})
}

// guarded is the mux as huma sees it: every route that it registers is behind the guard.
type guarded struct{ a *API }

// HandleFunc registers a handler behind the guard of its operation.
func (g guarded) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	for _, op := range api.Operations() {
		if op.Pattern() == pattern {
			g.a.mux.HandleFunc(pattern, g.a.measured(op, g.a.audited(op, g.a.inXML(op, g.a.guard(op, g.a.paid(op, g.a.queued(op, handler)))))))
			return
		}
	}
	// A route outside of the table would have no permission: it stays closed.
	g.a.mux.HandleFunc(pattern, g.a.unknown)
}

// ServeHTTP serves one request.
func (g guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.a.ServeHTTP(w, r) }

// unknown answers for paths that are not there, and for methods that a path does not have.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		try := r.Clone(r.Context())
		try.Method = method
		if _, pattern := a.mux.Handler(try); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.writeError(w, r, fault.New(fault.MethodNotAllowed, "This path does not take that method."))
		return
	}
	a.writeError(w, r, fault.New(fault.NotFound, "There is no such path.").WithHint("The paths stand in "+api.Root+"/openapi.json."))
}

// caller is who asks, and how the request came.
type caller struct {
	account.Principal
	request *request
}
