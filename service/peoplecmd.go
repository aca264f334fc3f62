package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
)

// userCmd manages users.
type userCmd struct {
	List        opCmd `cmd:"" help:"List users: yourself, or all that you manage."`
	Show        opCmd `cmd:"" help:"Show one user: USER_UID."`
	Add         opCmd `cmd:"" help:"Add a user: user=NAME password=- email=ADDRESS roles=LIST."`
	Set         opCmd `cmd:"" help:"Change a user: USER_UID first_name=... email=... facilities=LIST by_facility=true."`
	Roles       opCmd `cmd:"" help:"Give and take roles: USER_UID add=LIST remove=LIST."`
	Enable      opCmd `cmd:"" help:"Let a user log in, or not: USER_UID enabled=false."`
	Ban         opCmd `cmd:"" help:"Keep a user out, for administrators of the system: USER_UID why=TEXT; why= lets them in again."`
	Reset       opCmd `cmd:"" help:"End a user's password and send a link to choose another: USER_UID."`
	History     opCmd `cmd:"" help:"What a user did: USER_UID."`
	Access      opCmd `cmd:"" help:"Why a user may do what, and can or cannot see a meter: USER_UID meter_uid=UID."`
	Delete      opCmd `cmd:"" help:"Delete a user: USER_UID."`
	Pending     opCmd `cmd:"" help:"List users who wait to be let in."`
	Approve     opCmd `cmd:"" help:"Let a user in: USER_UID add=LIST facilities=LIST by_facility=true."`
	Reject      opCmd `cmd:"" help:"Turn a user away: USER_UID."`
	Invite      opCmd `cmd:"" help:"Invite somebody by mail: email=ADDRESS roles=LIST."`
	Invitations opCmd `cmd:"" help:"List invitations that nobody has taken."`
	Invitation  opCmd `cmd:"" help:"Show what an invitation fills in: invitation=TEXT of its link."`
	Withdraw    opCmd `cmd:"" help:"Take an invitation back: INVITATION."`
	Password    opCmd `cmd:"" help:"Change your own password: old=- password=-."`
	Apply       opCmd `cmd:"" help:"Ask a customer to be let in: customer_key=KEY."`
	Register    opCmd `cmd:"" help:"Make an account: user=NAME password=- and customer_name=NAME, customer_key=KEY or invitation=TEXT."`
	Forgot      opCmd `cmd:"" help:"Ask for a mail with a link to choose another password: user=NAME."`
	Choose      opCmd `cmd:"" help:"Choose a password by such a link: token=TEXT password=-."`
}

// roleCmd manages roles.
type roleCmd struct {
	List   opCmd `cmd:"" help:"List the roles that users can have."`
	Add    opCmd `cmd:"" help:"Make a role: name=NAME permissions=LIST."`
	Set    opCmd `cmd:"" help:"Change a role: ROLE name=NAME permissions=LIST."`
	Delete opCmd `cmd:"" help:"Delete a role: ROLE."`
}

// facilityCmd manages facilities.
type facilityCmd struct {
	List   opCmd `cmd:"" help:"List facilities."`
	Add    opCmd `cmd:"" help:"Make a facility: name=NAME address=TEXT."`
	Set    opCmd `cmd:"" help:"Change a facility: FACILITY_UID name=NAME address=TEXT."`
	Delete opCmd `cmd:"" help:"Delete a facility; its meters are at none then: FACILITY_UID."`
}

// customerCmd manages customers, and whose meters are.
type customerCmd struct {
	List       opCmd `cmd:"" help:"List every customer, for administrators of the system."`
	Show       opCmd `cmd:"" help:"Show a customer: CUST_UID."`
	Set        opCmd `cmd:"" help:"Change what is said of a customer: CUST_UID company=NAME contact_email=ADDRESS."`
	Key        opCmd `cmd:"" help:"Give a customer another customer key: CUST_UID."`
	Owner      opCmd `cmd:"" help:"Make another user the owner: CUST_UID user_uid=USER_UID."`
	Billing    opCmd `cmd:"" help:"Show what the invoices of a customer say: CUST_UID."`
	SetBilling opCmd `cmd:"" name:"set-billing" help:"Change what the invoices of a customer say: CUST_UID company=NAME email=ADDRESS."`
	Delete     opCmd `cmd:"" help:"Delete a customer with its facilities: CUST_UID."`
	Unassigned opCmd `cmd:"" help:"Find meters that wait for a customer: serial=TEXT or meter_uid=UID."`
	Meter      opCmd `cmd:"" help:"Claim a meter, or give it up: METER_UID claim=CODE or remove=true; administrators of the system: cust_uid=CUST_UID."`
	Move       opCmd `cmd:"" help:"Put a meter at a facility: METER_UID facility_uid=FACILITY_UID."`
	Replace    opCmd `cmd:"" help:"Note that another meter hangs at the measuring point: METER_UID serial=TEXT."`
}

// operationsOf are the operations of the commands above.
var operationsOf = map[string]string{
	"user list": api.OpUsers, "user show": api.OpGetUser, "user add": api.OpAddUser, "user set": api.OpUpdateUser, "user roles": api.OpSetRoles,
	"user enable": api.OpEnableUser, "user ban": api.OpBanUser, "user reset": api.OpResetUser, "user history": api.OpUserHistory, "user access": api.OpAccess, "user delete": api.OpDeleteUser,
	"user pending": api.OpPending, "user approve": api.OpApprove, "user reject": api.OpReject, "user invite": api.OpInvite, "user invitations": api.OpInvitations,
	"user invitation": api.OpInvitation, "user withdraw": api.OpEndInvitation, "user password": api.OpChangePassword, "user apply": api.OpApply, "user register": api.OpRegisterAccount,
	"user forgot": api.OpForgot, "user choose": api.OpReset,
	"role list": api.OpRoles, "role add": api.OpCreateRole, "role set": api.OpUpdateRole, "role delete": api.OpDeleteRole,
	"facility list": api.OpFacilities, "facility add": api.OpCreateFacility, "facility set": api.OpUpdateFacility, "facility delete": api.OpDeleteFacility,
	"customer list": api.OpCustomers, "customer show": api.OpCustomer, "customer set": api.OpUpdateCustomer, "customer key": api.OpRotateCustomer,
	"customer owner": api.OpTransfer, "customer billing": api.OpBilling, "customer set-billing": api.OpSetBilling, "customer delete": api.OpDeleteCustomer,
	"customer unassigned": api.OpPool, "customer meter": api.OpAssignMeter, "customer move": api.OpMoveMeter, "customer replace": api.OpReplaceMeter,
}

// opCmd carries out one operation of the web API.
type opCmd struct {
	remote
	JSON bool     `name:"json" help:"Print the answer as JSON."`
	Args []string `arg:"" optional:"" help:"What it is about, then name=value. Lists are joined by commas; a value given as - is read from standard input."`
}

// Help shows an example.
func (opCmd) Help() string {
	return "Example: metermanager user approve 4f2a90c1d2e3f4a5b6c7 add=limited facilities=f01,f02 by_facility=true"
}

// Run carries out the operation and prints its answer.
func (c *opCmd) Run(ctx context.Context, p *program, k *kong.Context) error {
	words := strings.Fields(k.Command())
	op, ok := api.Lookup(operationsOf[strings.Join(words[:2], " ")])
	if !ok {
		return fmt.Errorf("command %q has no operation", k.Command())
	}
	values, query, body, err := opArgs(op, c.Args, p.stdin)
	if err != nil {
		return err
	}
	service, done, err := c.connect(ctx, p, op.Permission)
	if err != nil {
		return err
	}
	defer done()
	answer, err := everyPage(ctx, service, op, values, query, body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, answer)
	}
	return printAnswer(p.stdout, answer)
}

// everyPage carries out an operation; of a list it reads all pages, unless somebody asked for one.
func everyPage(ctx context.Context, service *client.Client, op api.Operation, values []string, query url.Values, body any) (json.RawMessage, error) {
	answer, err := service.Do(ctx, op, values, query, body)
	if err != nil || query.Has("limit") || query.Has("cursor") {
		return answer, err
	}
	var doc map[string]any
	if json.Unmarshal(answer, &doc) != nil || doc["next"] == nil { // it is printed as it came
		return answer, nil
	}
	for next := doc["next"]; next != nil; {
		query.Set("cursor", fmt.Sprint(next))
		if answer, err = service.Do(ctx, op, values, query, body); err != nil {
			return nil, err
		}
		var page map[string]any
		if err := json.Unmarshal(answer, &page); err != nil {
			return nil, fault.Wrap(fault.Unavailable, "The answer is not understood.", err)
		}
		for name, value := range page {
			if rows, ok := value.([]any); ok {
				had, _ := doc[name].([]any)
				doc[name] = append(had, rows...)
			}
		}
		next = page["next"]
	}
	delete(doc, "next")
	return json.Marshal(doc)
}

var pathWord = regexp.MustCompile(`\{([a-z_]+)\}`)

// lists are the members of bodies that are lists, switches those that are true or false. remove is both: of roles, and of a meter.
var (
	lists    = []string{"roles", "facilities", "add", "remove"}
	switches = []string{"enabled", "by_facility", "system", "remove", "with_data"}
)

// opArgs takes words apart: the parts of the path first, then names with values.
func opArgs(op api.Operation, words []string, stdin io.Reader) (values []string, query url.Values, body map[string]any, err error) {
	input := bufio.NewReader(stdin)
	body, query = map[string]any{}, url.Values{}
	need := len(pathWord.FindAllString(op.Path, -1))
	for _, word := range words {
		name, value, named := strings.Cut(word, "=")
		if len(values) < need && !named {
			values = append(values, word)
			continue
		}
		if !named {
			return nil, nil, nil, usageError{fmt.Sprintf("%q: want name=value", word)}
		}
		if value == "-" {
			line, err := input.ReadString('\n')
			if err != nil && line == "" {
				return nil, nil, nil, usageError{name + ": nothing came from standard input"}
			}
			value = strings.TrimRight(line, "\r\n")
		}
		switch {
		case op.Method == http.MethodGet:
			query.Set(name, value)
		case slices.Contains(switches, name) && (value == "true" || value == "false"):
			body[name] = value == "true"
		case slices.Contains(lists, name):
			body[name] = slices.DeleteFunc(strings.Split(value, ","), func(s string) bool { return s == "" })
		default:
			body[name] = value
		}
	}
	if len(values) < need {
		return nil, nil, nil, usageError{"this needs " + strings.ToUpper(pathWord.FindAllStringSubmatch(op.Path, -1)[len(values)][1])}
	}
	return values, query, body, nil
}

// printAnswer prints a list as a table, anything else line by line.
func printAnswer(w io.Writer, answer json.RawMessage) error {
	var doc map[string]any
	if err := json.Unmarshal(answer, &doc); err != nil {
		return fault.Wrap(fault.Unavailable, "The answer is not understood.", err)
	}
	next := doc["next"]
	delete(doc, "next")
	lists := []string{}
	for name, value := range doc {
		rows, ok := value.([]any)
		if ok && (len(rows) > 0 && isObject(rows[0]) || len(rows) == 0 && len(doc) == 1) { // an empty list beside others is one of words
			lists = append(lists, name)
		}
	}
	slices.Sort(lists)
	printMembers(w, "", doc, lists)
	for _, name := range lists {
		if len(doc) > 1 {
			fmt.Fprintf(w, "\n%s\n", name)
		}
		rows, _ := doc[name].([]any)
		if err := printRows(w, rows); err != nil {
			return err
		}
	}
	if next != nil {
		fmt.Fprintf(w, "\nThere is more: cursor=%v\n", next)
	}
	return nil
}

// printMembers prints a document line by line, those within it under its name, without some.
func printMembers(w io.Writer, prefix string, doc map[string]any, without []string) {
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		if within, ok := doc[name].(map[string]any); ok {
			printMembers(w, prefix+name+".", within, nil)
		} else if !slices.Contains(without, name) {
			fmt.Fprintf(w, "%s%s: %s\n", prefix, name, namedValue(name, doc[name]))
		}
	}
}

// rank puts what a row is about before what else is known of it.
func rank(name string) int {
	for i, first := range []string{"user", "company", "name", "email", "user_uid", "role", "facility_uid", "invitation", "meter_uid", "cust_uid", "state", "roles"} {
		if name == first {
			return i
		}
	}
	return 100
}

// namedValue is a value as people read it: a time where the name says that it is one.
func namedValue(name string, v any) string {
	if ms, ok := v.(float64); ok && strings.HasSuffix(name, "_ms") {
		return logdb.Millis(ms).Time().UTC().Format("2006-01-02 15:04")
	}
	return plainValue(v)
}

func isObject(v any) bool { _, ok := v.(map[string]any); return ok }

func printRows(w io.Writer, rows []any) error {
	if len(rows) == 0 {
		fmt.Fprintln(w, "none")
		return nil
	}
	seen := map[string]bool{}
	for _, r := range rows {
		for k := range r.(map[string]any) {
			seen[k] = true
		}
	}
	if seen["roles"] {
		delete(seen, "permissions") // what the roles grant: role list tells
	}
	heads := slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	t := newTable(heads...)
	for _, r := range rows {
		cells := make([]string, len(heads))
		for i, h := range heads {
			cells[i] = namedValue(h, r.(map[string]any)[h])
		}
		t.add(cells...)
	}
	return t.write(w)
}

// plainValue is a value as people read it.
func plainValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		words := make([]string, len(v))
		for i, x := range v {
			words[i] = plainValue(x)
		}
		return strings.Join(words, ",")
	case float64:
		return fmt.Sprintf("%.0f", v)
	case map[string]any:
		text, _ := json.Marshal(v) // what was decoded is encoded again
		return string(text)
	}
	return fmt.Sprint(v)
}
