package registrar

import "github.com/phone-edition/lpe/protocol/provisioning"

// maxPublications bounds the categories that one user can have published.
const maxPublications = 256

// publicationKey names a publication: one category, instance and container of a user.
type publicationKey struct {
	category  string
	instance  uint32
	container int
}

// publication is what the pool keeps of one. Versions count from 1; one that is gone has version 0.
type publication struct {
	version    int
	expireType string
	epid       string // who published it
}

// publish takes all publications of a request or, if the version of any is not the current one, none: then the
// operations tell the current versions (sip.md §5.3.1).
func (e *endpoints) publish(sip, epid string, list []provisioning.Publication) (wrong []provisioning.Operation, full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := e.user(sip).publications
	key := func(p provisioning.Publication) publicationKey {
		return publicationKey{p.Category, p.Instance, p.Container}
	}
	added := map[publicationKey]bool{}
	for i, p := range list {
		if current := held[key(p)].version; p.Version != current {
			wrong = append(wrong, provisioning.Operation{Index: i + 1, CurrentVersion: current})
		}
		if _, ok := held[key(p)]; !ok {
			added[key(p)] = true
		}
	}
	if len(wrong) > 0 {
		return wrong, false
	}
	if len(held)+len(added) > maxPublications {
		return nil, true
	}
	for _, p := range list {
		held[key(p)] = publication{p.Version + 1, p.ExpireType, epid}
	}
	return nil, false
}

// categories are the user's publications as roaming-self shows them, those named if any are.
func (e *endpoints) categories(sip string, only []provisioning.Publication) []provisioning.Category {
	e.mu.Lock()
	defer e.mu.Unlock()
	wanted := map[publicationKey]bool{}
	for _, p := range only {
		wanted[publicationKey{p.Category, p.Instance, p.Container}] = true
	}
	var out []provisioning.Category
	for key, held := range e.user(sip).publications {
		if len(only) > 0 && !wanted[key] {
			continue
		}
		out = append(out, provisioning.Category{Name: key.category, Instance: key.instance, Container: key.container, Version: held.version})
	}
	sortCategories(out)
	return out
}
