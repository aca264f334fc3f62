package command

import (
	"context"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// Mails tells what became of the mails of the node.
type Mails interface {
	Mails(ctx context.Context, state string, limit int) ([]api.MailState, error)
}

// MailHandlers are the commands of the node's mails.
func MailHandlers(m Mails) Handlers {
	return Handlers{api.CmdMailList: Bind(mailCommands{m}.list)}
}

type mailCommands struct{ mails Mails }

type mailArgs struct {
	State string `json:"state"`
	Limit int    `json:"limit"`
}

func (c mailCommands) list(ctx context.Context, _ account.Principal, a mailArgs) (api.MailList, error) {
	switch a.State {
	case "", "waiting", "sent", "failed":
	default:
		return api.MailList{}, fault.New(fault.Invalid, "A state is waiting, sent or failed.").At("state")
	}
	if a.Limit <= 0 || a.Limit > 1000 {
		a.Limit = 100
	}
	list, err := c.mails.Mails(ctx, a.State, a.Limit)
	return api.MailList{Mails: append([]api.MailState{}, list...)}, err
}
