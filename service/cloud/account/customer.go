package account

import (
	"context"
	"encoding/json"
	"fmt"

	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

const noCustomer = "There is no such customer."

// customerKeyPrefix begins every customer key.
const customerKeyPrefix = "mmc_"

// newCustomer makes a customer with its key, for an owner.
func (s *Service) newCustomer(name string, owner UserID) (Customer, error) {
	if err := checkText("customer_name", name, 1, 100); err != nil {
		return Customer{}, err
	}
	hash, sealed, err := s.newCustomerKey()
	return Customer{ID: CustomerID(owner), Owner: owner, Name: name, KeyHash: hash, SealedKey: sealed, Created: s.now()}, err
}

func (s *Service) newCustomerKey() (Hash, []byte, error) {
	key := newSecret(customerKeyPrefix)
	sealed, err := s.sealer.Seal([]byte(key))
	if err != nil {
		return Hash{}, nil, fmt.Errorf("seal the customer key: %w", err)
	}
	return HashOf(key), sealed, nil
}

// Listed is a customer with the user whose object it is.
type Listed struct {
	Customer
	OwnerUser User
}

// Customers lists every customer with its owner, by id.
func (s *Service) Customers(ctx context.Context, p Principal, after CustomerID, limit int) ([]Listed, error) {
	if err := manages(p, permission.AllCustomers); err != nil {
		return nil, err
	}
	list, err := s.store.Customers(ctx, p.Scope(), after, page(limit))
	if err != nil {
		return nil, told(err, "list customers", noCustomer)
	}
	var out []Listed
	for _, c := range list {
		one, err := s.withOwner(ctx, c)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (s *Service) withOwner(ctx context.Context, c Customer) (Listed, error) {
	if c.Owner == "" {
		return Listed{Customer: c}, nil
	}
	u, err := s.store.User(ctx, c.Owner)
	return Listed{c, u}, told(err, "read an owner", noUser)
}

// Listed returns a customer with its owner.
func (s *Service) Listed(ctx context.Context, p Principal, id CustomerID) (Listed, error) {
	if err := Allow(p, permission.OwnAccount, Resource{}); err != nil {
		return Listed{}, err
	}
	c, err := s.store.Customer(ctx, p.Scope(), id)
	if err != nil {
		return Listed{}, told(err, "read a customer", noCustomer)
	}
	return s.withOwner(ctx, c)
}

// customer returns a customer that p may change.
func (s *Service) customer(ctx context.Context, p Principal, perm permission.Permission, id CustomerID) (Customer, error) {
	if !p.Known() {
		return Customer{}, Allow(p, perm, Resource{})
	}
	c, err := s.store.Customer(ctx, p.Scope(), id)
	if err != nil {
		return Customer{}, told(err, "read a customer", noCustomer)
	}
	return c, manages(p, perm)
}

// CustomerInfo is what is said of a customer; nil stays as it is.
type CustomerInfo struct{ Name, First, Last, Email, Phone, Address *string }

// UpdateCustomer changes what is said of a customer.
func (s *Service) UpdateCustomer(ctx context.Context, p Principal, id CustomerID, in CustomerInfo) (Customer, error) {
	c, err := s.customer(ctx, p, permission.CustomerManage, id)
	if err != nil {
		return Customer{}, err
	}
	for _, x := range []struct {
		name     string
		to, from *string
	}{
		{"company", &c.Name, in.Name}, {"contact_first", &c.Contact.First, in.First}, {"contact_last", &c.Contact.Last, in.Last},
		{"contact_email", &c.Contact.Email, in.Email}, {"contact_phone", &c.Contact.Phone, in.Phone}, {"address", &c.Contact.Address, in.Address},
	} {
		if x.from != nil && *x.from != *x.to {
			say(ctx, x.name+"_before", *x.to, x.name, *x.from)
			*x.to = *x.from
		}
	}
	if err := first(checkText("company", c.Name, 1, 100), checkText("contact_first", c.Contact.First, 0, 100), checkText("contact_last", c.Contact.Last, 0, 100),
		checkEmail("contact_email", c.Contact.Email), checkText("contact_phone", c.Contact.Phone, 0, 50), checkText("address", c.Contact.Address, 0, 300)); err != nil {
		return Customer{}, err
	}
	return c, told(s.store.UpdateCustomer(ctx, p.Scope(), c), "store a customer", noCustomer)
}

// RotateCustomerKey gives a customer another key; the one before joins nobody any more. Upload keys are others and stay.
func (s *Service) RotateCustomerKey(ctx context.Context, p Principal, id CustomerID) (string, error) {
	if _, err := s.customer(ctx, p, permission.CustomerManage, id); err != nil {
		return "", err
	}
	hash, sealed, err := s.newCustomerKey()
	if err != nil {
		return "", err
	}
	if err := s.store.SetCustomerKey(ctx, p.Scope(), id, hash, sealed); err != nil {
		return "", told(err, "store a customer key", noCustomer)
	}
	key, err := s.sealer.Open(sealed)
	if err != nil {
		return "", fmt.Errorf("open the customer key: %w", err)
	}
	return string(key), nil
}

// owned returns a customer that belongs to p, or that p reaches as the administrator of the system.
func (s *Service) owned(ctx context.Context, p Principal, id CustomerID) (Customer, error) {
	c, err := s.customer(ctx, p, permission.OwnAccount, id)
	if err != nil {
		return Customer{}, err
	}
	if !p.System() && (p.User == "" || c.Owner != p.User) {
		return Customer{}, fault.New(fault.Forbidden, "This is for the owner of the customer.")
	}
	return c, nil
}

// TransferOwnership makes another user of the customer its owner. The owner before keeps the enterprise role.
func (s *Service) TransferOwnership(ctx context.Context, p Principal, id CustomerID, to UserID) error {
	c, err := s.owned(ctx, p, id)
	if err != nil {
		return err
	}
	u, err := s.store.UserIn(ctx, CustomerScope(id), to)
	if err != nil {
		return told(err, "read a user", noUser)
	}
	if u.Disabled || u.Banned != 0 {
		return fault.New(fault.Conflict, "This user is disabled.")
	}
	say(ctx, "owner_before", string(c.Owner), "owner", string(to))
	return told(s.store.SetOwner(ctx, p.Scope(), id, c.Owner, to, RoleEnterprise), "transfer the ownership", noUser)
}

// DeleteCustomer removes a customer with its facilities, roles, invitations and keys. Its users belong to nobody then. Its meters wait in
// the pool, with data that nobody can read until the administrator of the system decides.
func (s *Service) DeleteCustomer(ctx context.Context, p Principal, id CustomerID) error {
	c, err := s.owned(ctx, p, id)
	if err != nil {
		return err
	}
	home, err := s.store.FirstCustomer(ctx)
	if err != nil {
		return fmt.Errorf("look up the node's customer: %w", err)
	}
	if id == home {
		return fault.New(fault.Conflict, "This customer runs the node and cannot be deleted.")
	}
	mates, err := s.store.Mates(ctx, id, RoleEnterprise)
	if err != nil {
		return fmt.Errorf("list the administrators of a customer: %w", err)
	}
	var letters Letters
	for i := range mates {
		more, err := s.letters(letterCustomerDeleted, &mates[i], map[string]string{"customer": c.Name})
		if err != nil {
			return err
		}
		letters = append(letters, more...)
	}
	say(ctx, "company", c.Name)
	return told(s.store.DeleteCustomer(ctx, p.Scope(), id, letters), "delete a customer", noCustomer)
}

// Billing is what the invoices of a customer say. The node takes no money and keeps no cards.
type Billing struct {
	Company   string `json:"company,omitempty" maxLength:"100" doc:"Name on the invoice"`
	Attention string `json:"attention,omitempty" maxLength:"100" doc:"Person or department"`
	Address   string `json:"address,omitempty" maxLength:"300"`
	Email     string `json:"email,omitempty" maxLength:"254" doc:"Where invoices go"`
	TaxID     string `json:"tax_id,omitempty" maxLength:"50" doc:"VAT or tax number"`
	Order     string `json:"order,omitempty" maxLength:"100" doc:"Order number that the invoice repeats"`
}

// billed returns a customer whose billing p may see: its owner, and who has billing_manage everywhere.
func (s *Service) billed(ctx context.Context, p Principal, id CustomerID) (Customer, error) {
	c, err := s.customer(ctx, p, permission.BillingManage, id)
	if err == nil && p.User == "" {
		return Customer{}, fault.New(fault.Forbidden, "This is for the owner of the customer, not for a key.")
	}
	return c, err
}

// BillingOf returns what the invoices of a customer say.
func (s *Service) BillingOf(ctx context.Context, p Principal, id CustomerID) (Billing, error) {
	if _, err := s.billed(ctx, p, id); err != nil {
		return Billing{}, err
	}
	text, err := s.store.Billing(ctx, p.Scope(), id)
	if err != nil {
		return Billing{}, told(err, "read billing information", noCustomer)
	}
	var b Billing
	if text != "" {
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			return Billing{}, fmt.Errorf("read billing information: %w", err)
		}
	}
	return b, nil
}

// SetBilling stores what the invoices of a customer say.
func (s *Service) SetBilling(ctx context.Context, p Principal, id CustomerID, b Billing) error {
	if _, err := s.billed(ctx, p, id); err != nil {
		return err
	}
	if err := first(checkText("company", b.Company, 0, 100), checkText("attention", b.Attention, 0, 100), checkText("address", b.Address, 0, 300),
		checkEmail("email", b.Email), checkText("tax_id", b.TaxID, 0, 50), checkText("order", b.Order, 0, 100)); err != nil {
		return err
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode billing information: %w", err)
	}
	return told(s.store.SetBilling(ctx, p.Scope(), id, string(text)), "store billing information", noCustomer)
}
