package manage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

// The codes of problems.
const (
	CodeWrongHost     = "wrong-host"     // 421, the Host header names another server
	CodeCrossOrigin   = "cross-origin"   // 403, a web page's request
	CodeUnauthorized  = "unauthorized"   // 401, token missing or wrong
	CodeUnknownPath   = "unknown-path"   // 404
	CodeMethod        = "method"         // 405, Allow has those that there are
	CodeTooLarge      = "too-large"      // 413, the body
	CodeNotJSON       = "not-json"       // 415, the Content-Type
	CodeMalformed     = "malformed"      // 400, body or query cannot be read
	CodeInvalid       = "invalid"        // 422, a value that cannot be
	CodeUnknownUser   = "unknown-user"   // 404
	CodeAmbiguousUser = "ambiguous-user" // 409, several users have this number or login
	CodeUnknownFault  = "unknown-fault"  // 404
	CodeFaultNotHere  = "fault-not-here" // 409, the fault has nothing to strike in this pool
	CodeNotRegistered = "not-registered" // 409, no endpoint of the user is registered
	CodeNotSubscribed = "not-subscribed" // 409, no endpoint has subscribed to the event
	CodeNoAssociation = "no-association" // 409, the security association was dropped
	CodeOtherAnswer   = "other-answer"   // 502, the handset answered something else than 200
	CodeNoAnswer      = "no-answer"      // 504, the handset did not answer
	CodeNotReached    = "not-reached"    // 409, the state that was awaited
	CodeInternal      = "internal"       // 500
)

// Problem is an answer that is none. It is an error of [Client].
type Problem struct {
	Status int    `json:"-"`
	Code   string `json:"error"`
	Detail string `json:"detail"`
}

func (p *Problem) Error() string { return p.Detail }

func problem(status int, code, format string, args ...any) *Problem {
	return &Problem{status, code, fmt.Sprintf(format, args...)}
}

func writeProblem(w http.ResponseWriter, p *Problem) { writeJSON(w, p.Status, p) }

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(value) // fails when the client is gone
}

// problemOf is what an error of the pool is for a client.
func problemOf(err error) *Problem {
	var p *Problem
	var pin *directory.PINError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, directory.ErrNobody):
		return problem(http.StatusNotFound, CodeUnknownUser, "%v", err)
	case errors.Is(err, directory.ErrSeveral):
		return problem(http.StatusConflict, CodeAmbiguousUser, "%v", err)
	case errors.As(err, &pin) && pin.Reason == directory.PINBelowRequirements:
		return problem(http.StatusUnprocessableEntity, CodeInvalid, "the PIN does not meet the PIN policy of the lab")
	case errors.Is(err, faults.ErrUnknown):
		return problem(http.StatusNotFound, CodeUnknownFault, "%v", err)
	case errors.Is(err, labpool.ErrNotHere):
		return problem(http.StatusConflict, CodeFaultNotHere, "%v", err)
	case errors.Is(err, registrar.ErrNotRegistered):
		return problem(http.StatusConflict, CodeNotRegistered, "%v", err)
	case errors.Is(err, registrar.ErrNotSubscribed):
		return problem(http.StatusConflict, CodeNotSubscribed, "%v", err)
	case errors.Is(err, registrar.ErrNoAssociation):
		return problem(http.StatusConflict, CodeNoAssociation, "%v", err)
	case errors.Is(err, registrar.ErrOtherAnswer):
		return problem(http.StatusBadGateway, CodeOtherAnswer, "%v", err)
	case errors.Is(err, registrar.ErrNoAnswer), errors.Is(err, net.ErrClosed):
		return problem(http.StatusGatewayTimeout, CodeNoAnswer, "%v", err)
	}
	return problem(http.StatusInternalServerError, CodeInternal, "%v", err)
}

// read reads the body of a request, one JSON object, into value.
func read(r *http.Request, value any) error {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return problem(http.StatusUnsupportedMediaType, CodeNotJSON, "a body of type application/json is expected, not %.40q", kind)
	}
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return problem(http.StatusRequestEntityTooLarge, CodeTooLarge, "the body has more than %d bytes", maxBody)
	}
	if err != nil {
		return problem(http.StatusBadRequest, CodeMalformed, "the body ends early")
	}
	if err := decode(body, value); err != nil {
		return problem(http.StatusBadRequest, CodeMalformed, "the body is %v", err)
	}
	return nil
}
