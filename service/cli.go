package main

import (
	"strings"

	"github.com/alecthomas/kong"

	"metermanager/rpc/api"
)

// cli is the list of commands. A field's tags are what people read in --help; the example
// stands in each command's Help method.
type cli struct {
	Demo     demoCmd     `cmd:"" group:"start" help:"Start a demonstration: simulated meters, a site and a cloud."`
	Run      runCmd      `cmd:"" group:"start" help:"Run the service in the foreground."`
	Service  serviceCmd  `cmd:"" group:"start" help:"Install and control the system service."`
	Simulate simulateCmd `cmd:"" group:"start" help:"Run one simulated meter that answers Modbus TCP."`

	Status   statusCmd   `cmd:"" group:"ask" help:"Show what the service is doing: meters, retrieval, cloud sync."`
	Meter    meterCmd    `cmd:"" group:"ask" help:"Add, show, test and read meters."`
	Log      logCmd      `cmd:"" group:"ask" help:"List, query and export logs."`
	Verify   verifyCmd   `cmd:"" group:"ask" help:"Compare meters, site and cloud, record by record."`
	Check    checkCmd    `cmd:"" group:"ask" help:"Look for damage in the databases and archive files."`
	Key      keyCmd      `cmd:"" group:"ask" help:"List, make, rotate and revoke upload keys."`
	Licence  licenceCmd  `cmd:"" group:"ask" help:"Until when meters are paid for, what customers used, extensions."`
	CA       caCmd       `cmd:"" name:"ca" group:"ask" help:"Show the certificate by which a node is trusted, with its fingerprint."`
	User     userCmd     `cmd:"" group:"people" help:"Users: list, add, invite, approve, disable; your own account."`
	Role     roleCmd     `cmd:"" group:"people" help:"Roles that users can have."`
	Facility facilityCmd `cmd:"" group:"people" help:"Places where meters are."`
	Customer customerCmd `cmd:"" group:"people" help:"Customers, their owners and billing information, and whose meters are."`

	RPC rpcCmd `cmd:"" name:"rpc" group:"ask" help:"Call one command of a running service by its name."`

	Backup   backupCmd   `cmd:"" group:"care" help:"Write the whole state of a node into one file, and check it."`
	Database databaseCmd `cmd:"" group:"care" help:"Move a node's databases between files and PostgreSQL."`
	Restore  restoreCmd  `cmd:"" group:"care" help:"Make a data folder of a backup."`
	Rollback rollbackCmd `cmd:"" group:"care" help:"Undo the migrations of the last upgrade."`

	Version versionCmd `cmd:"" group:"ask" help:"Print the version."`
}

func groups() []kong.Group {
	return []kong.Group{
		{Key: "start", Title: "Start:"},
		{Key: "ask", Title: "Ask and tell a running service:"},
		{Key: "people", Title: "People and customers:"},
		{Key: "care", Title: "Backup:"},
		{Key: "cloud", Title: "Cloud sync, under the names of the RPC commands:"},
		{Key: "csv", Title: "How a CSV file is to be read:"},
		{Key: "service", Title: "Which service:"},
	}
}

// cloudCommands makes a command of each cloud.* line of the table of RPC commands.
func cloudCommands() []kong.Option {
	var out []kong.Option
	for _, c := range api.Commands() {
		if strings.HasPrefix(c.Name, "cloud.") {
			out = append(out, kong.DynamicCommand(c.Name, c.Summary+".", "cloud", &namedCmd{command: c}))
		}
	}
	return out
}
