package api

import "metermanager/rpc/permission"

// ParamType is the sort of value that a parameter of a command takes.
type ParamType string

// The sorts of parameters, as they stand in JSON.
const (
	ParamString ParamType = "string"
	ParamBool   ParamType = "bool"
	ParamInt    ParamType = "int"
	ParamSecret ParamType = "secret" // a string that no log and no history may show
)

// Param is one parameter of a command.
type Param struct {
	Name     string    `json:"name"`
	Type     ParamType `json:"type"`
	Required bool      `json:"required,omitempty"`
	Help     string    `json:"help"`
}

// Command is one RPC command: a POST to /api/v1/rpc/{name}, a word of the command line,
// a name in the audit.
type Command struct {
	Name       string                `json:"name"`
	Summary    string                `json:"summary"`
	Permission permission.Permission `json:"permission"`
	Params     []Param               `json:"params,omitempty"` // in the order of the command line
	Example    string                `json:"example"`
}

// The names of the commands.
const (
	CmdCloudAdd           = "cloud.add"
	CmdCloudList          = "cloud.list"
	CmdCloudRemove        = "cloud.remove"
	CmdCloudMeterRegister = "cloud.meter.register"
	CmdCloudMeterUpload   = "cloud.meter.upload"
	CmdCloudRefresh       = "cloud.refresh"
	CmdCloudInfo          = "cloud.info"
	CmdCloudSyncStatus    = "cloud.sync.status"
	CmdCloudSyncHistory   = "cloud.sync.history"
	CmdCloudUserVerify    = "cloud.user.verify"
	CmdCloudKeyRotate     = "cloud.key.rotate"
	CmdCloudEnable        = "cloud.enable"
	CmdCloudDisable       = "cloud.disable"
	CmdCloudSet           = "cloud.set"
	CmdMeterAdd           = "meter.add"
	CmdMeterList          = "meter.list"
	CmdMeterShow          = "meter.show"
	CmdMeterRemove        = "meter.remove"
	CmdMeterTest          = "meter.test"
	CmdMeterRead          = "meter.read"
	CmdMeterRetrieve      = "meter.retrieve"
	CmdMeterSet           = "meter.set"
	CmdMeterRedecode      = "meter.redecode"
	CmdMeterDiscover      = "meter.discover"
	CmdMeterDiscovered    = "meter.discovered"
	CmdMeterDiscoverStop  = "meter.discover.stop"
	CmdMeterRegisters     = "meter.registers"
	CmdMeterProfiles      = "meter.profiles"
	CmdMeterProfilePut    = "meter.profile.put"
	CmdMeterProfileDraft  = "meter.profile.draft"
	CmdMeterDoctor        = "meter.doctor"
	CmdPickupAdd          = "pickup.add"
	CmdPickupList         = "pickup.list"
	CmdPickupRemove       = "pickup.remove"
	CmdVerify             = "verify"
	CmdLimitList          = "limit.list"
	CmdLimitSet           = "limit.set"
	CmdRetentionGet       = "retention.get"
	CmdRetentionSet       = "retention.set"
	CmdRetentionRun       = "retention.run"
	CmdRetentionStatus    = "retention.status"
	CmdRetentionLose      = "retention.lose"
	CmdRetentionLosses    = "retention.losses"
	CmdNodeStatus         = "node.status"
	CmdAuditList          = "audit.list"
	CmdAuditCheck         = "audit.check"
	CmdAuditExportAdd     = "audit.export.add"
	CmdSecretSet          = "secret.set"
	CmdSecretList         = "secret.list"
	CmdSecretRemove       = "secret.remove"
	CmdAuditExportList    = "audit.export.list"
	CmdAuditExportRemove  = "audit.export.remove"
	CmdMailList           = "mail.list"
	CmdMeterStatus        = "meter.status"
	CmdNodeCheck          = "node.check"
	CmdLogLatest          = "log.latest"
	CmdLogSpace           = "log.space"
	CmdLogVacuum          = "log.vacuum"
)

// Commands lists every RPC command.
func Commands() []Command { return append([]Command(nil), commands...) }

// LookupCommand returns the command of a name.
func LookupCommand(name string) (Command, bool) {
	for _, c := range commands {
		if c.Name == name {
			return c, true
		}
	}
	return Command{}, false
}

// shared are the commands that tell each customer only what is its own. All others act for the customer that runs the node.
var shared = map[string]bool{
	CmdNodeStatus: true, CmdMeterStatus: true, CmdLogLatest: true, CmdLogSpace: true, CmdAuditList: true, CmdAuditCheck: true, CmdLimitList: true, CmdRetentionGet: true,
}

// Shared reports whether the command tells each customer only what is its own, so that all may call it.
func (c Command) Shared() bool { return shared[c.Name] }

// cloudParam names one of several clouds.
var cloudParam = Param{"cloud", ParamString, false, "name of the cloud; the first one without it"}

var commands = []Command{
	{CmdCloudAdd, "Add a cloud to which this node uploads; with host and key it is switched on", permission.RPCControl, []Param{
		{"name", ParamString, true, "short name for people and commands, such as backup"},
		{"host", ParamString, false, "its address, with http:// or https:// before it where that matters"},
		{"apikey", ParamSecret, false, "upload key of this node there"},
	}, "rpc cloud.add backup cloud.example.net mmk_0123"},
	{CmdCloudList, "The clouds to which this node uploads, with their state; the first is meant where none is named", permission.RPCRead, nil, "rpc cloud.list"},
	{CmdCloudRemove, "Forget a cloud, its key and settings; what was uploaded stays there, and is not sent again should it be added again", permission.RPCControl, []Param{
		{"name", ParamString, true, "name of the cloud"},
	}, "rpc cloud.remove backup"},
	{CmdCloudMeterRegister, "Register a meter at the cloud, or all that wait for it", permission.RPCControl, []Param{
		{"meter", ParamString, false, "name, serial or UID; all enabled meters without it"},
		cloudParam,
	}, "rpc cloud.meter.register main-incomer"},
	{CmdCloudMeterUpload, "Upload what the cloud is missing of a meter, or of all", permission.RPCControl, []Param{
		{"meter", ParamString, false, "name, serial or UID; all meters that upload without it"},
		{"requested", ParamBool, false, "also send what does not upload by itself"},
		{"from", ParamString, false, "with requested: start of the range, RFC 3339 or ms"},
		{"to", ParamString, false, "with requested: end of the range"},
		{"kind", ParamString, false, "with requested: one of the five logs; all without it"},
		{"what", ParamString, false, "with requested: skipped (the default), reduced, full, joined by commas"},
		cloudParam,
	}, "rpc cloud.meter.upload main-incomer"},
	{CmdCloudRefresh, "Compare this node with the cloud and enqueue what is missing", permission.RPCControl, []Param{cloudParam}, "rpc cloud.refresh"},
	{CmdCloudInfo, "Cloud configuration and status", permission.RPCRead, []Param{cloudParam}, "rpc cloud.info"},
	{CmdCloudSyncStatus, "Present action, queue and counts of the cloud sync; of each cloud where there are several", permission.RPCRead, []Param{cloudParam}, "rpc cloud.sync.status"},
	{CmdCloudSyncHistory, "The last actions of the cloud sync with their results", permission.RPCRead, []Param{
		{"limit", ParamInt, false, "how many, newest first; 100 without it, at most 1000"},
		{"meter", ParamString, false, "only actions of this meter"},
		{"result", ParamString, false, "only succeeded, failed or skipped"},
		{"cloud", ParamString, false, "only actions of this cloud"},
	}, "rpc cloud.sync.history 20"},
	{CmdCloudKeyRotate, "Have the cloud replace this node's upload key, and use the new one from then on", permission.RPCControl, []Param{
		{"overlap_s", ParamInt, false, "seconds for which the old key is still good; a day without it"},
		cloudParam,
	}, "rpc cloud.key.rotate"},
	{CmdCloudUserVerify, "Check that a user can log in at the cloud", permission.RPCControl, []Param{
		{"user", ParamString, true, "user name at the cloud"},
		{"pass", ParamSecret, true, "password at the cloud"},
		cloudParam,
	}, "rpc cloud.user.verify engineer secret"},
	{CmdCloudEnable, "Verify a user and switch the cloud sync on", permission.RPCControl, []Param{
		{"user", ParamString, false, "user name at the cloud; the stored one without it"},
		{"pass", ParamSecret, false, "password at the cloud"},
		cloudParam,
	}, "rpc cloud.enable engineer secret"},
	{CmdCloudDisable, "Switch the cloud sync off and forget user and password", permission.RPCControl, []Param{cloudParam}, "rpc cloud.disable"},
	{CmdCloudSet, "Change one cloud setting", permission.RPCControl, []Param{
		{"name", ParamString, true, "cloud.location, cloud.apikey, cloud.customer, etheria.client~host, etheria.client~port, etheria.client~rootpath, etheria.client~enabled, cloud.limit.pq ..."},
		{"value", ParamSecret, true, "the new value"},
		cloudParam,
	}, "rpc cloud.set etheria.client~host cloud.example.net"},
	{CmdMeterAdd, "Add a meter to the list", permission.RPCControl, []Param{
		{"name", ParamString, true, "name shown to people"},
		{"address", ParamString, true, "tcp://host:port, rtu+tcp://host:port or serial:port?baud=19200&parity=e&stop=1"},
		{"unit", ParamInt, false, "Modbus unit; 1 without it"},
		{"profile", ParamString, false, "profile of the meter; found out without it"},
		{"zone", ParamString, false, "IANA time zone of the meter; UTC without it"},
		{"serial", ParamString, false, "what stands on a meter that does not tell it; one is made up without it"},
	}, "rpc meter.add main-incomer tcp://192.0.2.7:502 1 eig-shark-200 Europe/Berlin"},
	{CmdMeterList, "Meters with their state", permission.RPCRead, nil, "rpc meter.list"},
	{CmdMeterShow, "One meter with settings, logs, schedule and state", permission.RPCRead, []Param{
		{"meter", ParamString, true, "name, serial or UID"},
	}, "rpc meter.show main-incomer"},
	{CmdMeterRemove, "Take a meter off the list; its data stay", permission.RPCControl, []Param{
		{"meter", ParamString, true, "name, serial or UID"},
	}, "rpc meter.remove main-incomer"},
	{CmdMeterTest, "Talk to a meter and tell what answers", permission.RPCControl, []Param{
		{"meter", ParamString, true, "name, serial, UID, or an address such as tcp://host:port"},
		{"unit", ParamInt, false, "Modbus unit, for an address"},
	}, "rpc meter.test tcp://192.0.2.7:502"},
	{CmdMeterRead, "Read present values from a meter", permission.RPCRead, []Param{
		{"meter", ParamString, true, "name, serial or UID"},
	}, "rpc meter.read main-incomer"},
	{CmdMeterRetrieve, "Retrieve new log records now", permission.RPCControl, []Param{
		{"meter", ParamString, false, "name, serial or UID; all meters without it"},
		{"kind", ParamString, false, "one of the five logs; all without it"},
	}, "rpc meter.retrieve main-incomer historical"},
	{CmdMeterSet, "Change one setting of a meter", permission.RPCControl, []Param{
		{"meter", ParamString, true, "name, serial or UID"},
		{"name", ParamString, true, "cloud.meter.enabled, cloud.meter.upload.enabled, cloud.meter.uid, name, address, unit, zone, nominal_volts, nominal_hz, ct_factor, pt_factor, schedule ..."},
		{"value", ParamString, true, "the new value"},
		{"cloud", ParamString, false, "with a setting that begins with cloud.: name of the cloud; the first one without it"},
	}, "rpc meter.set main-incomer cloud.meter.upload.enabled false"},
	{CmdMeterRedecode, "Decode a meter's kept raw records again by its zone, profile and ratio factors of now", permission.RPCControl, []Param{
		{"meter", ParamString, true, "name, serial or UID"},
		{"dry_run", ParamBool, false, "only count what would change"},
	}, "rpc meter.redecode main-incomer dry_run=true"},
	{CmdMeterDiscover, "Look for meters at given addresses; it answers at once, meter.discovered tells how far it has come", permission.RPCControl, []Param{
		{"ranges", ParamString, false, "hosts such as 192.168.1.0/24, 192.168.1.10-20 or 192.168.1.7, joined by commas; at most 1,024"},
		{"lines", ParamString, false, "gateways and serial lines of which every unit is asked, joined by commas: tcp://host:port, rtu+tcp://host:port, serial:port?baud=19200&parity=e&stop=1"},
		{"ports", ParamString, false, "ports of the hosts, joined by commas; 502 without it"},
		{"units", ParamString, false, "Modbus units such as 1-20,247; 1, 255 and 0 of a host, 1 to 247 of a line, without it"},
		{"public", ParamBool, false, "also addresses that are not private"},
	}, "rpc meter.discover 192.168.1.0/24"},
	{CmdMeterDiscovered, "The meters that the scan under way, or the last one, has found", permission.RPCRead, nil, "rpc meter.discovered"},
	{CmdMeterDiscoverStop, "End the scan for meters that is under way", permission.RPCControl, nil, "rpc meter.discover.stop"},
	{CmdMeterRegisters, "Read registers of a meter and show them in all byte orders", permission.RPCControl, []Param{
		{"meter", ParamString, true, "name, serial, UID, or an address such as tcp://host:port"},
		{"addr", ParamString, true, "first register as on the wire, counted from 0: 3000 or 0x0BB8"},
		{"count", ParamInt, false, "how many, at most 500; 20 without it"},
		{"fc", ParamInt, false, "3 (holding registers) or 4 (input registers); 3 without it"},
		{"unit", ParamInt, false, "Modbus unit, for an address; 1 without it"},
	}, "rpc meter.registers tcp://192.0.2.7:502 0x0BB8 40"},
	{CmdMeterProfiles, "The types of meters that this node knows", permission.RPCRead, nil, "rpc meter.profiles"},
	{CmdMeterProfilePut, "Add a profile of a type of meters, or replace it; meters of that type go on with it at once", permission.RPCControl, []Param{
		{"profile", ParamString, true, "the profile's text, JSON (docs/profiles.md)"},
	}, "rpc meter.profile.put profile={...}"},
	{CmdMeterProfileDraft, "Make the text of a profile from values that were found in registers; nothing is kept", permission.RPCControl, []Param{
		{"id", ParamString, true, "name of the profile: 3 to 40 of a-z, 0-9 and -"},
		{"picks", ParamString, true, "the values, as CHANNEL=ADDR:TYPE:ORDER*SCALE joined by commas; types u16 s16 u32 s32 f32 u64 s64 f64, orders ABCD CDAB BADC DCBA; a number of one register has no order"},
		{"vendor", ParamString, false, "maker of the meter; unknown without it"},
		{"model", ParamString, false, "its type; unknown without it"},
		{"fc", ParamInt, false, "3 (holding registers) or 4 (input registers); 3 without it"},
	}, "rpc meter.profile.draft acme-x1 readings.voltage.an=0:f32:ABCD,energy.total.wh.received=0x0048:f32:ABCD*1000 Acme X1 fc=4"},
	{CmdMeterDoctor, "How well meters and their lines answer, and why one does not", permission.RPCControl, []Param{
		{"meter", ParamString, false, "name, serial or UID; all connections and their meters without it"},
		{"examine", ParamBool, false, "with a meter: also ask it until it is known why it does not answer"},
	}, "rpc meter.doctor main-incomer examine=true"},
	{CmdPickupAdd, "Watch a folder of this node, or an FTP server, for files of a meter: CSV, PQDIF, COMTRADE, Green Button", permission.System, []Param{
		{"meter", ParamString, true, "name, serial or UID"},
		{"folder", ParamString, true, "whole path of a folder of this node; with ftp where its files are put first"},
		{"ftp", ParamString, false, "ftp://user@host:port/folder; anonymous without a user"},
		{"password_file", ParamString, false, "file of this node that holds the password of the user, or secret:NAME (see secret.set)"},
		{"zone", ParamString, false, "IANA time zone of times that carry none; UTC without it"},
		{"map", ParamString, false, "what channels are called here: NAME=KEY, joined by commas"},
		{"primary", ParamBool, false, "take secondary samples to primary ones by the ratio that a recording states"},
		{"every_s", ParamInt, false, "seconds between two looks, 5 to 86400; 30 without it"},
	}, "rpc pickup.add main-incomer /srv/meters/main zone=Europe/Berlin"},
	{CmdPickupList, "Watched folders with what became of their files", permission.System, nil, "rpc pickup.list"},
	{CmdPickupRemove, "Watch a folder no more; its files stay", permission.System, []Param{
		{"id", ParamString, true, "as pickup.list tells it"},
	}, "rpc pickup.remove k3w9q2ab"},
	{CmdVerify, "Compare meter, local database and cloud, log by log and day by day", permission.Verify, []Param{
		{"meter", ParamString, false, "name, serial or UID; all meters without it"},
		{"kind", ParamString, false, "one of the five logs; all without it"},
		{"deep", ParamBool, false, "read every record of the meters' memories again, not only the newest 5,000 of each log"},
		{"cloud", ParamString, false, "only with the cloud of this name; all clouds without it"},
	}, "rpc verify"},
	{CmdMeterStatus, "How far each log of a meter has come: at the meter, here, at each cloud; gaps, lag, errors", permission.RPCRead, []Param{
		{"meter", ParamString, true, "name, serial or UID"},
	}, "rpc meter.status main-incomer"},
	{CmdLimitList, "Limits that this node applies to what others upload", permission.RPCRead, nil, "rpc limit.list"},
	{CmdLimitSet, "Change a limit that this node applies to what others upload", permission.System, []Param{
		{"name", ParamString, true, "historical_interval, waveform, system, limits, pq, waveform_samples or waveform_samples_per_cycle"},
		{"value", ParamString, true, "numbers of records such as 10/s 30/min 100/h 200/d; a span; a number of samples; none; default"},
	}, "rpc limit.set pq 200/d"},
	{CmdRetentionGet, "How long data stay where, for a customer or by default", permission.RPCRead, []Param{
		{"customer", ParamString, false, "id of a customer; what holds for all who have no ages of their own without it"},
	}, "rpc retention.get"},
	{CmdRetentionSet, "Change how long data stay where", permission.System, []Param{
		{"name", ParamString, true, "full, quarter, hour, archive (values); waveform, samples (recordings)"},
		{"value", ParamString, true, "months or years such as 6mo or 2y; forever (archive, samples); default"},
		{"customer", ParamString, false, "id of a customer; all who have no age of their own without it"},
	}, "rpc retention.set hour 3y"},
	{CmdRetentionRun, "Move old data into the archive now", permission.System, []Param{
		{"meter", ParamString, false, "UID; all meters without it"},
		{"wait", ParamBool, false, "answer when it is done"},
	}, "rpc retention.run"},
	{CmdRetentionStatus, "What is in the archive since when, the last run, errors", permission.System, []Param{
		{"meter", ParamString, false, "UID; all meters without it"},
	}, "rpc retention.status"},
	{CmdRetentionLose, "Accept that an archive file is missing or damaged: what can still be read comes back, the rest is lost for good", permission.System, []Param{
		{"file", ParamString, true, "its name, as retention.status and check tell it"},
		{"why", ParamString, true, "why it is accepted"},
	}, "rpc retention.lose 4f2a/4f2a_2026-03_1.parquet disk-failed"},
	{CmdRetentionLosses, "Losses of archive files that were accepted: what, by whom, when, why", permission.System, []Param{
		{"meter", ParamString, false, "UID; all meters without it"},
	}, "rpc retention.losses"},
	{CmdLogLatest, "Newest recorded value of each channel, of every meter whose data may be read", permission.RPCRead, []Param{
		{"meter", ParamString, false, "name, serial or UID; all meters without it"},
		{"channels", ParamString, false, "channel keys joined by commas; all without it"},
	}, "rpc log.latest main-incomer readings.voltage.an,readings.voltage.bn"},
	{CmdLogSpace, "What each log of each meter takes in the database and in the archive", permission.RPCRead, nil, "rpc log.space"},
	{CmdLogVacuum, "Give free space of the log database back to the disk, a bounded step for each call", permission.System, []Param{
		{"mb", ParamInt, false, "at most so many MB; 16 without it, at most 256"},
	}, "rpc log.vacuum 16"},
	{CmdNodeCheck, "Look for damage in the databases: one part of the check, or without a part the list of all", permission.System, []Param{
		{"part", ParamString, false, "such as table/logs.db/chunk, references/meta.db, meter/UID/historical or archive"},
	}, "rpc node.check references/meta.db"},
	{CmdAuditList, "Who did what, newest first", permission.UsersManage, []Param{
		{"view", ParamString, false, "customer (the caller's own; without it), admin (of the node, without the traffic of machines), server (everything); the last two for system administrators"},
		{"from", ParamString, false, "start of the range, RFC 3339 or ms"},
		{"to", ParamString, false, "end of the range"},
		{"actor", ParamString, false, "id or name of a user or key"},
		{"action", ParamString, false, "such as login, or meter for all commands that begin so"},
		{"outcome", ParamString, false, "done, refused or failed"},
		{"before", ParamInt, false, "only events of a smaller number: the next page"},
		{"limit", ParamInt, false, "at most so many, 1 to 1000; 100 without it"},
		{"format", ParamString, false, "json (without it), cef or syslog (RFC 5424): lines for other programs"},
		{"customer", ParamString, false, "with the views admin and server: only events of this customer"},
	}, "rpc audit.list view=admin action=login outcome=refused"},
	{CmdAuditCheck, "Look whether events of the audit were changed or removed; of all customers for a system administrator", permission.UsersManage, nil, "rpc audit.check"},
	{CmdMailList, "Mails that the node wrote: what waits, what was sent, what failed and why; without their texts", permission.System, []Param{
		{"state", ParamString, false, "waiting, sent or failed; all without it"},
		{"limit", ParamInt, false, "how many, newest first; 100 without it, at most 1000"},
	}, "rpc mail.list failed"},
	{CmdSecretSet, "Keep a password for another machine sealed, under a name; where a password_file is asked for, secret:NAME takes it", permission.System, []Param{
		{"name", ParamString, true, "its name"},
		{"value", ParamSecret, false, "the secret, or"},
		{"file", ParamString, false, "a file of this node whose first line is the secret; it can be deleted then"},
	}, "rpc secret.set relay-ftp file=/etc/metermanager/relay"},
	{CmdSecretList, "Names of the secrets that are kept", permission.System, nil, "rpc secret.list"},
	{CmdSecretRemove, "Forget a secret", permission.System, []Param{
		{"name", ParamString, true, "as secret.list tells it"},
	}, "rpc secret.remove relay-ftp"},
	{CmdAuditExportAdd, "Send the audit to a file or a receiver of syslog, from now on", permission.System, []Param{
		{"name", ParamString, true, "short name for people and commands"},
		{"url", ParamString, true, "file:NAME (in the folder audit of the data folder), udp://host:port, tcp://host:port or tls://host:port; 514, and 6514 for tls, without a port"},
		{"format", ParamString, false, "syslog (RFC 5424; without it) or cef"},
		{"view", ParamString, false, "server (everything; without it) or admin"},
		{"ca", ParamString, false, "PEM file of this node with the authorities of a tls receiver"},
		{"fingerprint", ParamString, false, "the only certificate that a tls receiver may have, or that of its authority"},
		{"from_start", ParamBool, false, "also everything that is in the audit now"},
	}, "rpc audit.export.add siem tls://siem.example.net:6514 format=cef"},
	{CmdAuditExportList, "Where the audit is sent, and how far each target has come", permission.System, nil, "rpc audit.export.list"},
	{CmdAuditExportRemove, "Send the audit to a target no more", permission.System, []Param{
		{"name", ParamString, true, "as audit.export.list tells it"},
	}, "rpc audit.export.remove siem"},
	{CmdNodeStatus, "State of the node, its meters and its cloud sync", permission.RPCRead, nil, "rpc node.status"},
}
