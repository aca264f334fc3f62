package account

import (
	"fmt"
	"strings"
)

// The letters that the node writes.
const (
	letterInvitation      LetterKind = "invitation"
	letterPending         LetterKind = "pending"
	letterAccepted        LetterKind = "accepted"
	letterRejected        LetterKind = "rejected"
	letterReset           LetterKind = "reset"
	letterResetByAdmin    LetterKind = "reset_by_administrator"
	letterPasswordChanged LetterKind = "password_changed"
	letterEmailChanged    LetterKind = "email_changed"
	letterCustomerDeleted LetterKind = "customer_deleted"
)

type letterText struct{ subject, body string }

// texts are plain text; {x} stands for a value. What people typed stands in none of the subjects but the names of customers.
var texts = map[LetterKind]letterText{
	letterInvitation: {"Invitation to {customer}", `{by} invites you to see the meters of {customer} with Meter Manager.

Choose a user name and a password here:
{link}

The link works once, for {days} days. If you do not know what this is about, do nothing.
`},
	letterPending: {"A user waits to join {customer}", `Somebody asks to join {customer}:

User name: {name}
Name:      {person}
E-mail:    {email}

Approve or reject them:
{link}
`},
	letterAccepted: {"Welcome to {customer}", `You have been accepted by {customer}. You can see its meters now:
{link}
`},
	letterRejected: {"Your request to {customer}", `{customer} has not accepted your request to join.

Your account is still there. You can ask another customer with its key.
`},
	letterReset: {"A new password", `Somebody asked for a new password for the user {name}. If it was you, choose one here:
{link}

The link works once, for one hour. If it was not you, do nothing: your password stays.
`},
	letterResetByAdmin: {"Choose a new password", `{by} has reset the password of the user {name}. The old one does not work any more. Choose another one here:
{link}

The link works once, for three days.
`},
	letterPasswordChanged: {"Your password was changed", `The password of your account has been changed, and you were logged out everywhere else.

If it was not you, ask an administrator at once.
`},
	letterEmailChanged: {"Your e-mail address was changed", `Mails for your account go to {email} from now on, not to this address.

If it was not you, ask an administrator at once.
`},
	letterCustomerDeleted: {"{customer} was deleted", `The customer {customer} has been deleted with its facilities. Its meters do not show their data any more.

Your account is still there. You can ask another customer with its key.
`},
}

// letters writes one to a user, none to who has no address. What belongs to a change is given to its method of the store.
func (s *Service) letters(kind LetterKind, to *User, values map[string]string) (Letters, error) {
	if to.Email == "" {
		return nil, nil
	}
	t, ok := texts[kind]
	if !ok {
		return nil, fmt.Errorf("letter %s has no text", kind)
	}
	var pairs []string
	for k, v := range values {
		pairs = append(pairs, "{"+k+"}", v)
	}
	fill := strings.NewReplacer(pairs...)
	sealed, err := s.sealer.Seal([]byte(fill.Replace(t.body)))
	if err != nil {
		return nil, fmt.Errorf("seal a letter: %w", err)
	}
	return Letters{{Kind: kind, Customer: to.Customer, To: to.Email, Subject: fill.Replace(t.subject), Sealed: sealed, Written: s.now()}}, nil
}

// OpenLetter returns the text of a letter for who sends it.
func (s *Service) OpenLetter(sealed []byte) (string, error) {
	text, err := s.sealer.Open(sealed)
	if err != nil {
		return "", fmt.Errorf("open a letter: %w", err)
	}
	return string(text), nil
}
