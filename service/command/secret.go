package command

import (
	"context"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
)

// SecretStore keeps passwords for other machines sealed.
type SecretStore interface {
	PutSecret(ctx context.Context, name, value string) error
	TakeSecret(ctx context.Context, name, file string) error
	RemoveSecret(ctx context.Context, name string) error
	Secrets(ctx context.Context) ([]string, error)
}

// SecretHandlers are the commands of secrets. None tells one.
func SecretHandlers(s SecretStore) Handlers {
	c := secretCommands{s}
	return Handlers{api.CmdSecretSet: Bind(c.set), api.CmdSecretList: Bind(c.list), api.CmdSecretRemove: Bind(c.remove)}
}

type secretCommands struct{ store SecretStore }

type secretArgs struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	File  string `json:"file"`
}

type secretNames struct {
	Secrets []string `json:"secrets"`
}

func (c secretCommands) set(ctx context.Context, _ account.Principal, a secretArgs) (secretNames, error) {
	var err error
	switch {
	case (a.Value == "") == (a.File == ""):
		return secretNames{}, fault.New(fault.Invalid, "Give the secret, or a file of this node that holds it.").At("value")
	case a.File != "":
		err = c.store.TakeSecret(ctx, a.Name, a.File)
	default:
		err = c.store.PutSecret(ctx, a.Name, a.Value)
	}
	if err != nil {
		return secretNames{}, err
	}
	return c.all(ctx)
}

func (c secretCommands) list(ctx context.Context, _ account.Principal, _ none) (secretNames, error) {
	return c.all(ctx)
}

func (c secretCommands) remove(ctx context.Context, _ account.Principal, a struct {
	Name string `json:"name"`
}) (secretNames, error) {
	if err := c.store.RemoveSecret(ctx, a.Name); err != nil {
		return secretNames{}, err
	}
	return c.all(ctx)
}

func (c secretCommands) all(ctx context.Context) (secretNames, error) {
	names, err := c.store.Secrets(ctx)
	return secretNames{names}, err
}
