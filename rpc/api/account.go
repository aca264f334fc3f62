package api

import (
	"metermanager/logdb"
	"metermanager/rpc/permission"
)

// LoginRequest asks for a token.
type LoginRequest struct {
	User     string `json:"user" required:"true" minLength:"1" maxLength:"200" doc:"User name"`
	Password string `json:"password" required:"true" minLength:"1" maxLength:"1024" doc:"Password"`
	Cookie   bool   `json:"cookie,omitempty" doc:"Also set the session cookie, for browsers"`
}

// LoginAnswer carries a token. It is shown once.
type LoginAnswer struct {
	Token       string         `json:"token" doc:"Send it as Authorization: Bearer"`
	Expires     logdb.Millis   `json:"expires_ms" doc:"When the token ends"`
	User        string         `json:"user"`
	UserUID     string         `json:"user_uid,omitempty"`
	Customer    string         `json:"customer"`
	CustUID     string         `json:"cust_uid,omitempty"`
	Permissions permission.Set `json:"permissions" doc:"Names joined by commas"`
	State       string         `json:"state,omitempty" enum:"member,pending,alone"`
	Pending     int            `json:"pending_users,omitempty" doc:"How many users wait for the caller's decision"`
}

// UserAnswer says who the caller is.
type UserAnswer struct {
	User        string         `json:"user,omitempty" doc:"User name, for a token"`
	UserUID     string         `json:"user_uid,omitempty"`
	Email       string         `json:"email,omitempty"`
	State       string         `json:"state,omitempty" enum:"member,pending,alone" doc:"Of a user"`
	Pending     int            `json:"pending_users,omitempty" doc:"How many users wait for the caller's decision"`
	KeyID       string         `json:"key_id,omitempty" doc:"Id of the key, for a key"`
	Customer    string         `json:"customer"`
	CustUID     string         `json:"cust_uid,omitempty"`
	CustomerKey string         `json:"customer_key,omitempty" doc:"Joins users and meters to the customer; shown to its users"`
	Permissions permission.Set `json:"permissions" doc:"Names joined by commas"`
	Meter       logdb.MeterUID `json:"meter_uid,omitempty" doc:"The only meter of a meter's own key"`
	Expires     logdb.Millis   `json:"expires_ms,omitempty"`
	Started     logdb.Millis   `json:"node_started_ms,omitempty" doc:"When the program that answers was started. When it is another time than before, senders compare the settings of their meters with what is held here"`
}

// SetupRequest makes the first user of a node.
type SetupRequest struct {
	Token    string `json:"token" required:"true" minLength:"1" maxLength:"200" doc:"The one-time token that the node printed"`
	User     string `json:"user" required:"true" minLength:"1" maxLength:"200"`
	Password string `json:"password" required:"true" minLength:"10" maxLength:"72" doc:"10 to 72 bytes"`
}

// CreateKeyRequest asks for an upload key.
type CreateKeyRequest struct {
	Name        string         `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"What the key is for"`
	Permissions permission.Set `json:"permissions" doc:"Names joined by commas, at most the caller's own"`
	Meter       logdb.MeterUID `json:"meter_uid,omitempty" doc:"Bind the key to one meter"`
}

// Key is one upload key without its secret.
type Key struct {
	ID          string          `json:"key_id"`
	Name        string          `json:"name"`
	Permissions permission.Set  `json:"permissions"`
	Meter       logdb.MeterUID  `json:"meter_uid,omitempty"`
	CreatedBy   string          `json:"created_by,omitempty" doc:"Who made it; uploading goes on when they go"`
	Holds       *permission.Set `json:"holds,omitempty" doc:"What it may do now, where its maker may do less than it says by now"`
	Created     logdb.Millis    `json:"created_ms"`
	LastUsed    logdb.Millis    `json:"last_used_ms,omitempty"`
	Ends        logdb.Millis    `json:"ends_ms,omitempty" doc:"When a key ends that was replaced by another one"`
}

// RotateKeyRequest asks for a key in the place of another one.
type RotateKeyRequest struct {
	OverlapS *int64 `json:"overlap_s,omitempty" minimum:"0" maximum:"2592000" doc:"How many seconds the old key is still good; a day without it, 0: it ends at once"`
}

// KeysAnswer lists the keys of the caller's customer.
type KeysAnswer struct {
	Keys []Key `json:"keys"`
	// Next is the cursor of the next page; "" at the last one.
	Next string `json:"next,omitempty"`
}

// CreateKeyAnswer carries a new key's secret. It is shown once.
type CreateKeyAnswer struct {
	Key
	Secret string `json:"apikey" doc:"Send it as X-Api-Key, or as apikey in the body of an upload"`
}
