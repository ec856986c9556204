package manage

import (
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/phone-edition/lpe/emulator/secret"
)

// hostsOf are the Host headers that mean the server: its own address and the names of this computer's loopback, with
// the server's port.
func hostsOf(at *net.TCPAddr) []string {
	port := strconv.Itoa(at.Port)
	var out []string
	for _, host := range []string{at.IP.String(), "127.0.0.1", "localhost", "::1"} {
		out = append(out, net.JoinHostPort(host, port))
		if at.Port == 80 {
			out = append(out, strings.TrimSuffix(net.JoinHostPort(host, port), ":80"))
		}
	}
	return out
}

// guard lets a request pass that comes from a program of this computer that knows the token. A browser that is led to
// this port by a name that somebody else resolves (DNS rebinding), or by another site's page, does not.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if p := s.check(r); p != nil {
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="lpe pool"`)
			}
			w.Header().Set("Connection", "close") // the body is not read
			writeProblem(w, p)
			return
		}
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			s.guests.Leave(conn) // who knows the token is no guest
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func (s *Server) check(r *http.Request) *Problem {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case !slices.Contains(s.hosts, strings.ToLower(r.Host)):
		return problem(http.StatusMisdirectedRequest, CodeWrongHost, "Host %.80q does not name this server, which is %s", r.Host, s.at)
	case len(r.Header.Values("Origin")) > 0:
		return problem(http.StatusForbidden, CodeCrossOrigin, "requests of web pages are not answered")
	case !strings.EqualFold(scheme, "Bearer") || !secret.New(strings.TrimSpace(token)).Equal(s.token):
		return problem(http.StatusUnauthorized, CodeUnauthorized, "the token of the pool's ready file is missing or wrong")
	case path.Clean(r.URL.Path) != r.URL.Path:
		return problem(http.StatusNotFound, CodeUnknownPath, "there is no %.80s", r.URL.EscapedPath())
	}
	return nil
}
