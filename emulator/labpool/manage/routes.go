package manage

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// handler answers a request with an object of the schema.
type handler func(*http.Request) (any, error)

// routes is every path of the API with its methods.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for path, methods := range map[string]map[string]handler{
		"/pool": {"GET": s.getPool},

		"/users":                   {"GET": s.getUsers},
		"/users/{user}":            {"GET": s.getUser},
		"/users/{user}/pin":        {"GET": s.getPin, "PUT": s.putPin},
		"/users/{user}/unlock":     {"POST": s.unlock},
		"/users/{user}/enable":     {"POST": s.enable},
		"/users/{user}/disable":    {"POST": s.disable},
		"/users/{user}/await":      {"GET": s.await},
		"/users/{user}/deregister": {"POST": s.deregister},
		"/users/{user}/notify":     {"POST": s.notify},

		"/registrar":    {"GET": s.getRegistrar, "PATCH": s.patchRegistrar},
		"/web-services": {"GET": s.getWebServices, "PATCH": s.patchWebServices},

		"/registrations":                   {"GET": s.getRegistrations},
		"/registrations/drop-associations": {"POST": s.dropAssociations},
		"/certificates":                    {"GET": s.getCertificates},
		"/certificates/{user}":             {"DELETE": s.revoke},
		"/certificates/{user}/{device}":    {"DELETE": s.revoke},
		"/history":                         {"GET": s.getHistory},
		"/faults":                          {"GET": s.getFaults, "PUT": s.putFault, "DELETE": s.clearFaults},
		"/faults/{fault}":                  {"DELETE": s.clearFault},
	} {
		mux.HandleFunc("/"+Version+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, methods) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, problem(http.StatusNotFound, CodeUnknownPath, "there is no %.80s", r.URL.EscapedPath()))
	})
	return mux
}

func answer(w http.ResponseWriter, r *http.Request, methods map[string]handler) {
	do, ok := methods[r.Method]
	if !ok {
		allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		w.Header().Set("Allow", allowed)
		writeProblem(w, problem(http.StatusMethodNotAllowed, CodeMethod, "%.20s is not possible here, but %s", r.Method, allowed))
		return
	}
	control := http.NewResponseController(w)
	value, err := do(r.WithContext(withDeadlines(r.Context(), control)))
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	writeJSON(w, http.StatusOK, value)
}
