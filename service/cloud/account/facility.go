package account

import (
	"context"

	"metermanager/rpc/permission"
)

const noFacility = "There is no such facility."

// Facilities lists the facilities that p may see, by id: those that it is held to, those of its customer, or all.
func (s *Service) Facilities(ctx context.Context, p Principal, after FacilityID, limit int) ([]Facility, error) {
	if err := Allow(p, permission.MetersRead, Resource{}); err != nil {
		return nil, err
	}
	list, err := s.store.Facilities(ctx, p.Scope(), after, page(limit))
	return list, told(err, "list facilities", noFacility)
}

// CreateFacility makes a facility of p's customer, or of another one for who acts everywhere.
func (s *Service) CreateFacility(ctx context.Context, p Principal, f Facility) (Facility, error) {
	if err := manages(p, permission.FacilitiesManage); err != nil {
		return Facility{}, err
	}
	if err := first(checkText("name", f.Name, 1, 100), checkText("address", f.Address, 0, 300)); err != nil {
		return Facility{}, err
	}
	if f.Customer == "" {
		f.Customer = p.Customer
	}
	if _, err := s.store.Customer(ctx, p.Scope(), f.Customer); err != nil {
		return Facility{}, told(err, "read a customer", noCustomer)
	}
	f.ID, f.Created = FacilityID("f"+newID()), s.now()
	say(ctx, "facility", f.Name, "facility_uid", string(f.ID))
	return f, told(s.store.CreateFacility(ctx, p.Scope(), f), "store a facility", noFacility)
}

// UpdateFacility changes name and address; nil stays as it is.
func (s *Service) UpdateFacility(ctx context.Context, p Principal, id FacilityID, name, address *string) (Facility, error) {
	f, err := s.facility(ctx, p, id)
	if err != nil {
		return Facility{}, err
	}
	say(ctx, "name_before", f.Name, "address_before", f.Address)
	if name != nil {
		f.Name = *name
	}
	if address != nil {
		f.Address = *address
	}
	if err := first(checkText("name", f.Name, 1, 100), checkText("address", f.Address, 0, 300)); err != nil {
		return Facility{}, err
	}
	say(ctx, "name", f.Name, "address", f.Address)
	return f, told(s.store.UpdateFacility(ctx, p.Scope(), f), "store a facility", noFacility)
}

// DeleteFacility removes a facility: from the users who are held to it, and from its meters, which are at none then.
func (s *Service) DeleteFacility(ctx context.Context, p Principal, id FacilityID) error {
	f, err := s.facility(ctx, p, id)
	if err != nil {
		return err
	}
	say(ctx, "facility", f.Name)
	return told(s.store.DeleteFacility(ctx, p.Scope(), id), "delete a facility", noFacility)
}

// facility returns a facility that p may change.
func (s *Service) facility(ctx context.Context, p Principal, id FacilityID) (Facility, error) {
	if !p.Known() {
		return Facility{}, Allow(p, permission.FacilitiesManage, Resource{})
	}
	f, err := s.store.Facility(ctx, p.Scope(), id)
	if err != nil {
		return Facility{}, told(err, "read a facility", noFacility)
	}
	return f, manages(p, permission.FacilitiesManage)
}
