package webapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

func (a *API) command(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the parameters of a command: %w", err)
	}
	if at := tooDeep(body); at >= 0 {
		return fault.Newf(fault.Invalid, "The parameters are nested deeper than %d at byte %d.", mostNested, at)
	}
	auditCommand(r.Context(), r.PathValue("command"), body)
	if a.Licences != nil && c.Known() {
		if err := a.Licences.Uses(r.Context(), c.Principal, api.ExtensionOfCommand(r.PathValue("command"))); err != nil {
			return err
		}
	}
	result, err := a.Commands.Call(r.Context(), c.Principal, r.PathValue("command"), body)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result of a command: %w", err)
	}
	return writeJSON(w, http.StatusOK, api.CommandAnswer{Result: doc})
}
