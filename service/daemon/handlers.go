package daemon

import (
	"path/filepath"

	"metermanager/service/command"
)

// handlers are the commands that this node carries out: those of its roles.
func (n *node) handlers(status command.StatusSource) []command.Handlers {
	out := []command.Handlers{command.NodeHandlers(status), command.CloudHandlers(n.sync), command.AuditHandlers(n.store, n.options.Version), command.AuditExportHandlers(n.export), command.SecretHandlers(n.secrets)}
	if n.field == nil {
		return append(out, command.VerifyHandlers(n.sync, n.logs, nil))
	}
	return append(out, command.MeterHandlers(n.field, command.SetCloudMeter(n.sync), status),
		command.PickupHandlers(n.files, n.registry),
		command.DiscoveryHandlers(n.field, n.scans, n.profiles, filepath.Join(n.config.Data, "profiles"), n.fieldConfig(n.part("field")).Modbus),
		command.VerifyHandlers(n.sync, n.logs, command.MeterChecker(n.field)))
}
