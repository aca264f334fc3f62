package api

import "metermanager/logdb"

// AccessAnswer says what a user may do and why, and, about one meter, why they can or cannot see it.
type AccessAnswer struct {
	UserUID    string            `json:"user_uid"`
	User       string            `json:"user"`
	State      string            `json:"state" enum:"member,pending,alone"`
	Blocked    string            `json:"blocked,omitempty" doc:"Why the user cannot log in; they may do nothing then"`
	Grants     []AccessGrant     `json:"grants" doc:"What the user may do, and what grants it"`
	Meter      *AccessMeter      `json:"meter,omitempty"`
	Operations []AccessOperation `json:"operations" doc:"Every route and command, as far as its permission decides"`
}

// AccessGrant is a permission, and what grants it.
type AccessGrant struct {
	Permission string   `json:"permission"`
	By         []string `json:"by" doc:"Ids of roles; owner; user for what was given besides"`
}

// AccessMeter says whether a user can see a meter, and why not.
type AccessMeter struct {
	MeterUID logdb.MeterUID `json:"meter_uid"`
	Sees     bool           `json:"sees"`
	Reads    bool           `json:"reads" doc:"Its data too"`
	Why      string         `json:"why,omitempty" doc:"Why not"`
}

// AccessOperation is a route or a command.
type AccessOperation struct {
	Name       string `json:"name"`
	Command    bool   `json:"command,omitempty"`
	Permission string `json:"permission"`
	Allowed    bool   `json:"allowed"`
}
