package webapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"metermanager/rpc/api"
)

func (a *API) command(w http.ResponseWriter, r *http.Request, c caller) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the parameters of a command: %w", err)
	}
	auditCommand(r.Context(), r.PathValue("command"), body)
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
