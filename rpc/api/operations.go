package api

import "metermanager/rpc/permission"

// Root is the path below which the versioned routes live.
const Root = "/api/v1"

// Body says what a route takes as its request body.
type Body uint8

// The sorts of request bodies. They decide the limits and the decoder.
const (
	BodyNone   Body = iota
	BodyJSON        // a small document
	BodyUpload      // a page, read by ParsePage
)

// Operation is one HTTP route.
type Operation struct {
	ID         string // stable name, also in the OpenAPI document
	Method     string
	Path       string // net/http pattern: /meters/{meter_uid}
	Permission permission.Permission
	Summary    string
	Tag        string
	Body       Body
}

// Pattern returns the pattern for net/http's ServeMux.
func (o Operation) Pattern() string { return o.Method + " " + o.Path }

// The ids of the routes.
const (
	OpLive         = "live"
	OpReady        = "ready"
	OpVersion      = "version"
	OpHome         = "home"
	OpOpenAPI      = "openapi"
	OpSetupPage    = "setup-page"
	OpSetup        = "setup"
	OpLogin        = "login"
	OpLogout       = "logout"
	OpUser         = "user"
	OpRegister     = "register-meter"
	OpMeters       = "list-meters"
	OpMeter        = "get-meter"
	OpRemoveMeter  = "remove-meter"
	OpPutSettings  = "put-meter-settings"
	OpChannels     = "list-channels"
	OpUpload       = "upload"
	OpPush         = "push"
	OpHistory      = "query-historical"
	OpEvents       = "query-events"
	OpRecording    = "get-recording"
	OpAnalysis     = "analyse-recording"
	OpEN50160      = "evaluate-en50160"
	OpEventGroups  = "group-events"
	OpStreams      = "list-streams"
	OpMarks        = "list-marks"
	OpDigests      = "list-digests"
	OpForget       = "forget-records"
	OpVersions     = "list-versions"
	OpCorrect      = "correct-record"
	OpClear        = "clear-log"
	OpLimitCounts  = "limit-counts"
	OpEventCounts  = "event-counts"
	OpSkipped      = "list-skipped"
	OpFetch        = "request-records"
	OpFetches      = "list-requests"
	OpCancelFetch  = "cancel-request"
	OpOpenFetches  = "list-open-requests"
	OpReportFetch  = "report-request"
	OpLatest       = "list-latest"
	OpRealtime     = "get-realtime"
	OpPostRealtime = "post-realtime"
	OpStatus       = "status"
	OpMeterStatus  = "meter-status"
	OpMetrics      = "metrics"
	OpProgramLog   = "program-log"
	OpCommand      = "command"
	OpBackup       = "backup"
	OpKeys         = "list-keys"
	OpCreateKey    = "create-key"
	OpRevokeKey    = "revoke-key"
	OpRotateKey    = "rotate-key"
	OpAuthority    = "authority"
	OpExpiration   = "set-expiration"
	OpRenewals     = "list-renewals"
	OpUsage        = "usage-report"
	OpExtensions   = "list-extensions"
	OpSwitch       = "switch-extension"
	OpLicensing    = "get-licensing"
	OpSetLicensing = "set-licensing"

	OpRegisterAccount = "register-account"
	OpForgot          = "forgot-password"
	OpReset           = "reset-password"
	OpJoinPage        = "join-page"
	OpResetPage       = "reset-page"
	OpChangePassword  = "change-password"
	OpApply           = "apply-to-customer"
	OpUsers           = "list-users"
	OpGetUser         = "get-user"
	OpAddUser         = "add-user"
	OpUpdateUser      = "update-user"
	OpDeleteUser      = "delete-user"
	OpEnableUser      = "enable-user"
	OpBanUser         = "ban-user"
	OpSetRoles        = "set-user-roles"
	OpResetUser       = "reset-user-password"
	OpUserHistory     = "user-history"
	OpAccess          = "explain-access"
	OpPending         = "list-pending-users"
	OpApprove         = "approve-user"
	OpReject          = "reject-user"
	OpInvitations     = "list-invitations"
	OpInvite          = "invite-user"
	OpInvitation      = "look-at-invitation"
	OpEndInvitation   = "withdraw-invitation"
	OpRoles           = "list-roles"
	OpCreateRole      = "create-role"
	OpUpdateRole      = "update-role"
	OpDeleteRole      = "delete-role"
	OpFacilities      = "list-facilities"
	OpCreateFacility  = "create-facility"
	OpUpdateFacility  = "update-facility"
	OpDeleteFacility  = "delete-facility"
	OpCustomers       = "list-customers"
	OpCustomer        = "get-customer"
	OpUpdateCustomer  = "update-customer"
	OpDeleteCustomer  = "delete-customer"
	OpRotateCustomer  = "rotate-customer-key"
	OpTransfer        = "transfer-ownership"
	OpBilling         = "get-billing-information"
	OpSetBilling      = "put-billing-information"

	OpPool         = "search-unassigned-meters"
	OpAssignMeter  = "assign-meter"
	OpMoveMeter    = "move-meter"
	OpReplaceMeter = "replace-meter"
	OpCheckLogin   = "check-login"

	userPath     = Root + "/users/{user_uid}"
	customerPath = Root + "/customers/{cust_uid}"
	meterPath    = Root + "/meters/{meter_uid}"
	tagNode      = "node"
	tagAccount   = "account"
	tagMeters    = "meters"
	tagLogs      = "logs"
	tagCommands  = "commands"
	tagLicences  = "licences"
	methodGet    = "GET"
	methodPost   = "POST"
	methodPut    = "PUT"
	methodDelete = "DELETE"
)

// Operations lists every HTTP route. Server, OpenAPI document and permission tests are made
// from it.
func Operations() []Operation { return append([]Operation(nil), operations...) }

// Lookup returns the route of an id.
func Lookup(id string) (Operation, bool) {
	for _, o := range operations {
		if o.ID == id {
			return o, true
		}
	}
	return Operation{}, false
}

var operations = []Operation{
	{OpLive, methodGet, "/livez", permission.Public, "Is the process alive", tagNode, BodyNone},
	{OpReady, methodGet, "/readyz", permission.Public, "Can the node do its work", tagNode, BodyNone},
	{OpVersion, methodGet, "/version", permission.Public, "Version of the program", tagNode, BodyNone},
	{OpHome, methodGet, "/{$}", permission.Public, "Status page", tagNode, BodyNone},
	{OpOpenAPI, methodGet, Root + "/openapi.json", permission.Public, "This document", tagNode, BodyNone},
	{OpAuthority, methodGet, "/ca.pem", permission.Public, "Certificate of the node's own authority, for clients", tagNode, BodyNone},
	{OpSetupPage, methodGet, "/setup", permission.Public, "First start: choose a user and password", tagAccount, BodyNone},
	{OpSetup, methodPost, "/setup", permission.Public, "First start: make the first user with the one-time token", tagAccount, BodyJSON},

	{OpLogin, methodPost, Root + "/login", permission.Public, "Exchange user and password for a token", tagAccount, BodyJSON},
	{OpLogout, methodPost, Root + "/logout", permission.Public, "End the session of the token", tagAccount, BodyNone},
	{OpUser, methodGet, Root + "/user", permission.Public, "Who the caller is and what they may do", tagAccount, BodyNone},
	{OpKeys, methodGet, Root + "/keys", permission.UsersManage, "Upload keys, without their secrets", tagAccount, BodyNone},
	{OpCreateKey, methodPost, Root + "/keys", permission.UsersManage, "Make an upload key; it is shown once", tagAccount, BodyJSON},
	{OpRevokeKey, methodDelete, Root + "/keys/{key_id}", permission.UsersManage, "Revoke an upload key", tagAccount, BodyNone},
	{OpRotateKey, methodPost, Root + "/keys/{key_id}/rotate", permission.Public, "Make a key that takes the place of another one, or of the caller's own; the old one goes on for a while", tagAccount, BodyJSON},

	{OpRegisterAccount, methodPost, Root + "/accounts", permission.Public, "Make an account: with a new customer, by a customer key, or by an invitation", tagAccount, BodyJSON},
	{OpForgot, methodPost, Root + "/password/forgot", permission.Public, "Ask for a mail with a link to choose another password; answers alike for every name", tagAccount, BodyJSON},
	{OpReset, methodPost, Root + "/password/reset", permission.Public, "Choose a password by such a link", tagAccount, BodyJSON},
	{OpJoinPage, methodGet, "/join", permission.Public, "Page of an invitation's link", tagAccount, BodyNone},
	{OpResetPage, methodGet, "/reset", permission.Public, "Page of a link to choose a password", tagAccount, BodyNone},
	{OpChangePassword, methodPost, Root + "/user/password", permission.OwnAccount, "Change one's password; ends one's other logins", tagAccount, BodyJSON},
	{OpApply, methodPost, Root + "/user/customer", permission.OwnAccount, "Ask a customer to be let in, for who belongs to none", tagAccount, BodyJSON},
	{OpUsers, methodGet, Root + "/users", permission.OwnAccount, "Users with what is said of them: one's own, those of the customer for who manages users, all for administrators of the system", tagAccount, BodyNone},
	{OpAddUser, methodPost, Root + "/users", permission.UsersManage, "Add a user", tagAccount, BodyJSON},
	{OpGetUser, methodGet, userPath, permission.OwnAccount, "One user", tagAccount, BodyNone},
	{OpUpdateUser, methodPut, userPath, permission.OwnAccount, "Change what is said of a user, and the facilities to which they are held", tagAccount, BodyJSON},
	{OpDeleteUser, methodDelete, userPath, permission.OwnAccount, "Delete a user: oneself, or with users_delete another", tagAccount, BodyNone},
	{OpEnableUser, methodPost, userPath + "/enabled", permission.UsersManage, "Let a user log in, or not", tagAccount, BodyJSON},
	{OpBanUser, methodPost, userPath + "/ban", permission.System, "Keep a user out, whatever their customer says", tagAccount, BodyJSON},
	{OpSetRoles, methodPost, userPath + "/roles", permission.UsersManage, "Give roles to a user and take some; what is not named stays", tagAccount, BodyJSON},
	{OpResetUser, methodPost, userPath + "/password", permission.UsersManage, "End a user's password and logins, and send a link to choose another", tagAccount, BodyNone},
	{OpUserHistory, methodGet, userPath + "/history", permission.OwnAccount, "What a user did, newest first", tagAccount, BodyNone},
	{OpAccess, methodGet, userPath + "/access", permission.OwnAccount, "What a user may do and what grants it; with a meter, why they can or cannot see it", tagAccount, BodyNone},
	{OpPending, methodGet, Root + "/pending-users", permission.UsersManage, "Users who wait to be let in", tagAccount, BodyNone},
	{OpApprove, methodPost, Root + "/pending-users/{user_uid}/approve", permission.UsersManage, "Let a user in, with the limited role unless others are named", tagAccount, BodyJSON},
	{OpReject, methodPost, Root + "/pending-users/{user_uid}/reject", permission.UsersManage, "Turn a user away", tagAccount, BodyNone},
	{OpInvitations, methodGet, Root + "/invitations", permission.UsersManage, "Invitations that nobody has taken, and those whose time was over in the last month", tagAccount, BodyNone},
	{OpInvite, methodPost, Root + "/invitations", permission.UsersManage, "Invite somebody by mail", tagAccount, BodyJSON},
	{OpInvitation, methodPost, Root + "/invitation", permission.Public, "What an open invitation fills in, for who holds its link", tagAccount, BodyJSON},
	{OpEndInvitation, methodDelete, Root + "/invitations/{invitation}", permission.UsersManage, "Take an invitation back", tagAccount, BodyNone},
	{OpRoles, methodGet, Root + "/roles", permission.OwnAccount, "Roles that users can have", tagAccount, BodyNone},
	{OpCreateRole, methodPost, Root + "/roles", permission.RolesManage, "Make a role", tagAccount, BodyJSON},
	{OpUpdateRole, methodPut, Root + "/roles/{role}", permission.RolesManage, "Change a role", tagAccount, BodyJSON},
	{OpDeleteRole, methodDelete, Root + "/roles/{role}", permission.RolesManage, "Delete a role, and take it from who has it", tagAccount, BodyNone},
	{OpFacilities, methodGet, Root + "/facilities", permission.MetersRead, "Facilities: those to which the caller is held, those of the customer, or all for administrators of the system", tagAccount, BodyNone},
	{OpCreateFacility, methodPost, Root + "/facilities", permission.FacilitiesManage, "Make a facility", tagAccount, BodyJSON},
	{OpUpdateFacility, methodPut, Root + "/facilities/{facility_uid}", permission.FacilitiesManage, "Change a facility", tagAccount, BodyJSON},
	{OpDeleteFacility, methodDelete, Root + "/facilities/{facility_uid}", permission.FacilitiesManage, "Delete a facility; its meters are at none then", tagAccount, BodyNone},
	{OpCustomers, methodGet, Root + "/customers", permission.AllCustomers, "Every customer", tagAccount, BodyNone},
	{OpCustomer, methodGet, customerPath, permission.OwnAccount, "What is said of a customer", tagAccount, BodyNone},
	{OpUpdateCustomer, methodPut, customerPath, permission.CustomerManage, "Change what is said of a customer", tagAccount, BodyJSON},
	{OpDeleteCustomer, methodDelete, customerPath, permission.OwnAccount, "Delete a customer with its facilities, for its owner and administrators of the system; its users belong to none then, its meters wait in the pool", tagAccount, BodyNone},
	{OpRotateCustomer, methodPost, customerPath + "/key", permission.CustomerManage, "Give a customer another customer key", tagAccount, BodyNone},
	{OpTransfer, methodPost, customerPath + "/owner", permission.OwnAccount, "Make another user the owner, for the owner and administrators of the system", tagAccount, BodyJSON},
	{OpBilling, methodGet, customerPath + "/billing", permission.BillingManage, "What the invoices of a customer say", tagAccount, BodyNone},
	{OpSetBilling, methodPut, customerPath + "/billing", permission.BillingManage, "Change what the invoices of a customer say", tagAccount, BodyJSON},

	{OpRegister, methodPost, Root + "/meters/register", permission.Public, "Register a meter; a known one answers with its UID", tagMeters, BodyJSON},
	{OpMeters, methodGet, Root + "/meters", permission.MetersRead, "Meters that the caller may see", tagMeters, BodyNone},
	{OpMeter, methodGet, meterPath, permission.MetersRead, "One meter with its settings", tagMeters, BodyNone},
	{OpRemoveMeter, methodDelete, meterPath, permission.MetersManage, "Take a meter off the list; its data stay", tagMeters, BodyNone},
	{OpPool, methodGet, Root + "/unassigned-meters", permission.MetersManage, "Meters that wait for a customer: those of a serial or UID, all for administrators of the system", tagMeters, BodyNone},
	{OpAssignMeter, methodPost, meterPath + "/customer", permission.MetersManage, "Claim a meter that waits with its claim code, or take a meter from its customer; administrators of the system give it to any", tagMeters, BodyJSON},
	{OpMoveMeter, methodPost, meterPath + "/facility", permission.MetersManage, "Put a meter at a facility, or at none", tagMeters, BodyJSON},
	{OpReplaceMeter, methodPost, meterPath + "/hardware", permission.MetersManage, "Note that another meter hangs at the measuring point: UID and data stay, the keys of the one before end", tagMeters, BodyJSON},
	{OpCheckLogin, methodPost, meterPath + "/login", permission.Upload, "For a meter that keeps no passwords: may somebody log in at it, and what may they do", tagMeters, BodyJSON},
	{OpPutSettings, methodPut, meterPath + "/settings", permission.Upload, "Store the newest settings of a meter", tagMeters, BodyJSON},
	{OpChannels, methodGet, meterPath + "/channels", permission.LogsRead, "Channels of a meter with their ranges", tagMeters, BodyNone},
	{OpLatest, methodGet, Root + "/latest", permission.LogsRead, "Newest recorded value of each channel, of every meter that the caller may see", tagLogs, BodyNone},
	{OpRealtime, methodGet, meterPath + "/realtime", permission.RealtimeRead, "Present values", tagMeters, BodyNone},
	{OpPostRealtime, methodPost, meterPath + "/realtime", permission.RealtimePost, "Post present values", tagMeters, BodyJSON},

	{OpExpiration, methodPut, meterPath + "/expiration", permission.System, "Set the date from which a meter cannot be read, or clear it", tagLicences, BodyJSON},
	{OpRenewals, methodGet, Root + "/renewals", permission.UsersManage, "Meters whose licence ends until the end of the next month, or ended lately", tagLicences, BodyNone},
	{OpUsage, methodGet, Root + "/usage/{period}", permission.UsersManage, "What customers used in a month or a year, as JSON or CSV", tagLicences, BodyNone},
	{OpExtensions, methodGet, Root + "/extensions", permission.MetersRead, "Extensions, and which of them a customer has switched on", tagLicences, BodyNone},
	{OpSwitch, methodPut, Root + "/extensions/{extension}", permission.UsersManage, "Switch an extension on or off", tagLicences, BodyJSON},
	{OpLicensing, methodGet, Root + "/licensing", permission.System, "What this node asks its customers to pay for", tagLicences, BodyNone},
	{OpSetLicensing, methodPut, Root + "/licensing", permission.System, "Change what this node asks its customers to pay for", tagLicences, BodyJSON},

	{OpUpload, methodPost, meterPath + "/logs/{kind}", permission.Upload, "Upload a page of a meter's log", tagLogs, BodyUpload},
	{OpPush, methodPost, Root + "/push/{kind}", permission.Public, "Upload a page that names its meter and key itself", tagLogs, BodyUpload},
	{OpHistory, methodGet, meterPath + "/logs/historical", permission.LogsRead, "Historical data, raw or aggregated", tagLogs, BodyNone},
	{OpEvents, methodGet, meterPath + "/logs/{kind}", permission.LogsRead, "Events of a kind, or the list of recordings", tagLogs, BodyNone},
	{OpRecording, methodGet, meterPath + "/logs/waveform/{recording}", permission.LogsRead, "One recording with its samples", tagLogs, BodyNone},
	{OpAnalysis, methodGet, meterPath + "/logs/waveform/{recording}/analysis", permission.LogsRead, "What a recording shows: RMS, harmonics, phasors, events, likely causes", tagLogs, BodyNone},
	{OpEN50160, methodGet, meterPath + "/en50160", permission.LogsRead, "A week held against EN 50160", tagLogs, BodyNone},
	{OpEventGroups, methodGet, Root + "/event-groups", permission.LogsRead, "PQ events of several meters that may be one event of the network", tagLogs, BodyNone},
	{OpStreams, methodGet, meterPath + "/streams/{kind}", permission.Upload, "Positions held per stream, with their fates", tagLogs, BodyNone},
	{OpMarks, methodGet, meterPath + "/marks/{kind}", permission.Upload, "What stands at some positions of a journal, without values: who passes a journal on finds by it that another one came here under the same id", tagLogs, BodyNone},
	{OpDigests, methodGet, meterPath + "/digests/{kind}", permission.Upload, "Counts and digests per day", tagLogs, BodyNone},
	{OpForget, methodPost, meterPath + "/logs/{kind}/forget", permission.LogsDelete, "Remove a range so that it can be sent again", tagLogs, BodyJSON},
	{OpVersions, methodGet, meterPath + "/versions/{kind}/{record}", permission.LogsRead, "Versions of a record: the original first, with who changed it, when and why", tagLogs, BodyNone},
	{OpCorrect, methodPost, meterPath + "/logs/{kind}/corrections", permission.LogsCorrect, "Correct, withdraw or restore a record; the original stays", tagLogs, BodyJSON},
	{OpClear, methodDelete, meterPath + "/logs/{kind}", permission.LogsDelete, "Clear a log of a meter: its data are gone here for good; what was held stays known, so that nothing comes back by itself when it is sent again", tagLogs, BodyNone},
	{OpLimitCounts, methodGet, meterPath + "/limit-counts", permission.LogsRead, "What limits skipped or reduced, per log and day", tagLogs, BodyNone},
	{OpEventCounts, methodGet, meterPath + "/event-counts", permission.LogsRead, "Number of events per kind and day", tagLogs, BodyNone},
	{OpSkipped, methodGet, meterPath + "/skipped/{kind}", permission.LogsRead, "What limits skipped or reduced, record by record as far as it is known here", tagLogs, BodyNone},
	{OpFetch, methodPost, meterPath + "/requests", permission.RPCControl, "Ask the manager of a meter for what it did not send, or instruct a meter that calls in", tagLogs, BodyJSON},
	{OpFetches, methodGet, meterPath + "/requests", permission.LogsRead, "Requests for a meter, newest first, with what came of them", tagLogs, BodyNone},
	{OpCancelFetch, methodDelete, meterPath + "/requests/{request}", permission.RPCControl, "Take a request back", tagLogs, BodyNone},
	{OpOpenFetches, methodGet, Root + "/requests", permission.Upload, "Open requests for the meters that the caller uploads: what a manager polls, or a meter for its instructions", tagLogs, BodyNone},
	{OpReportFetch, methodPost, meterPath + "/requests/{request}/report", permission.Upload, "Say what became of a request", tagLogs, BodyJSON},

	{OpStatus, methodGet, Root + "/status", permission.RPCRead, "State of the node, its meters and its cloud sync", tagNode, BodyNone},
	{OpMeterStatus, methodGet, meterPath + "/status", permission.RPCRead, "How far each log of a meter has come: at the meter, here, at each cloud", tagMeters, BodyNone},
	{OpMetrics, methodGet, "/metrics", permission.RPCRead, "Figures for Prometheus, of the meters that the caller may see", tagNode, BodyNone},
	{OpProgramLog, methodGet, Root + "/log", permission.System, "The program's last lines of log, oldest first", tagNode, BodyNone},
	{OpBackup, methodGet, Root + "/backup", permission.System, "The whole state of the node in one file, while it works", tagNode, BodyNone},
	{OpCommand, methodPost, Root + "/rpc/{command}", permission.Public, "Carry out a command; each asks for its own permission", tagCommands, BodyJSON},
}
