package manage

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

func userOf(u directory.User) User { return User{u.SIPAddress, u.LineURI, u.Enabled} }

func (s *Server) getUsers(*http.Request) (any, error) {
	users := list[User]{List: []User{}}
	for _, u := range s.pool.Directory.Users() {
		users.List = append(users.List, userOf(u))
	}
	return users, nil
}

func (s *Server) getUser(r *http.Request) (any, error) {
	u, err := s.pool.User(r.PathValue("user"))
	return userOf(u), err
}

// change does something to a user of the directory and notes it.
func (s *Server) change(r *http.Request, what string, do func(sip string) error) (directory.User, error) {
	u, err := s.pool.User(r.PathValue("user"))
	if err != nil {
		return u, err
	}
	if err := do(u.SIPAddress); err != nil {
		return u, err
	}
	s.note(u.SIPAddress, u.SIPAddress+": "+what)
	return s.pool.User(u.SIPAddress)
}

func (s *Server) enable(r *http.Request) (any, error) {
	u, err := s.change(r, "enabled", s.pool.Directory.Enable)
	return userOf(u), err
}

func (s *Server) disable(r *http.Request) (any, error) {
	u, err := s.change(r, "disabled", s.pool.Directory.Disable)
	return userOf(u), err
}

func (s *Server) getPin(r *http.Request) (any, error) {
	u, err := s.pool.User(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	return s.pinInfo(u)
}

func (s *Server) pinInfo(u directory.User) (any, error) {
	info, err := s.pool.Directory.PINInfo(u.SIPAddress)
	return PinInfo{info.Set, info.LockedOut, timeOrNull(info.Changed), timeOrNull(info.Expires)}, err
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (s *Server) putPin(r *http.Request) (any, error) {
	var pin NewPin
	if err := read(r, &pin); err != nil {
		return nil, err
	}
	u, err := s.change(r, "a new PIN is set", func(sip string) error { return s.pool.Directory.SetPIN(sip, pin.Pin) })
	if err != nil {
		return nil, err
	}
	return s.pinInfo(u)
}

func (s *Server) unlock(r *http.Request) (any, error) {
	u, err := s.change(r, "the PIN is unlocked", s.pool.Directory.Unlock)
	if err != nil {
		return nil, err
	}
	return s.pinInfo(u)
}

// await answers when the state is reached, or when the time is over.
func (s *Server) await(r *http.Request) (any, error) {
	query := r.URL.Query()
	state, patience := labpool.State(query.Get("state")), defaultAwait
	if !slices.Contains(labpool.States(), state) {
		return nil, problem(http.StatusBadRequest, CodeMalformed, "state %.40q is not one of %v", state, labpool.States())
	}
	if text := query.Get("timeout"); text != "" {
		var err error
		if patience, err = time.ParseDuration(text); err != nil || patience <= 0 || patience > maxAwait {
			return nil, problem(http.StatusBadRequest, CodeMalformed, "timeout %.40q is no duration of at most %v, such as 30s", text, maxAwait)
		}
	}
	extend(r, patience)
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	reached, err := s.pool.Await(ctx, r.PathValue("user"), state)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, problem(http.StatusConflict, CodeNotReached, "after %v: %v", patience, err)
	}
	if err != nil {
		return nil, err
	}
	return awaitedOf(reached), nil
}

func awaitedOf(r labpool.Reached) Awaited {
	a := Awaited{State: string(r.State), SIPAddress: r.User.SIPAddress}
	switch r.State {
	case labpool.Ticketed:
	case labpool.Enrolled:
		c := certificateOf(r.Certificate)
		a.Certificate = &c
	case labpool.Refused:
		e := Entry{r.Entry.Observation, r.Entry.User}
		a.Entry = &e
	default:
		one := registrationOf(r.Registration)
		a.Registration = &one
	}
	return a
}

func (s *Server) deregister(r *http.Request) (any, error) {
	var body Deregister
	if err := read(r, &body); err != nil {
		return nil, err
	}
	event := registrar.Event(body.Event)
	if !slices.Contains(events, event) {
		return nil, problem(http.StatusUnprocessableEntity, CodeInvalid, "event %.40q is not one of %v", body.Event, events)
	}
	u, err := s.pool.User(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	extend(r, handsetTime)
	if err := s.pool.Deregister(r.Context(), u.SIPAddress, event); err != nil {
		return nil, err
	}
	return s.registrations(func(one labpool.Registration) bool { return sameUser(one.SIP, u) }), nil
}

var events = []registrar.Event{registrar.Rejected, registrar.Unregistered, registrar.Deactivated}

func (s *Server) notify(r *http.Request) (any, error) {
	var body Notify
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.Event == "" {
		return nil, problem(http.StatusUnprocessableEntity, CodeInvalid, "no event")
	}
	extend(r, handsetTime)
	return struct{}{}, s.pool.Notify(r.Context(), r.PathValue("user"), registrar.Notification{
		Event: body.Event, ContentType: body.ContentType, Body: []byte(body.Body),
	})
}
