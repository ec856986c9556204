package unknown

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Bounds of what is shown of a request.
const (
	maxHeaders  = 30
	maxReadBody = 16 << 10
)

// describedHeaders are those of requests in web-services.md §1.3, §3, §4.3 and §5, and of HTTP/1.1.
var describedHeaders = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Authorization": true, "Cache-Control": true, "Connection": true,
	"Content-Length": true, "Content-Type": true, "Cookie": true, "Date": true, "Expect": true, "Host": true, "Keep-Alive": true,
	"Pragma": true, "Soapaction": true, "Te": true, "Transfer-Encoding": true, "User-Agent": true, "X-User-Identity": true,
}

// Request shows a whole HTTP request but for method and path. A nil body is read here, as far as there is room for it.
func Request(r *http.Request, body []byte) string {
	var parts []string
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		parts = append(parts, "query that cannot be read")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		parts = append(parts, "query "+Parameter(name, query.Get(name)))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name != "Content-Length" {
			parts = append(parts, Header(name, r.Header.Get(name)))
		}
	}
	parts = parts[:min(len(parts), maxHeaders)]
	if body == nil {
		body, _ = io.ReadAll(io.LimitReader(r.Body, maxReadBody)) // as much as comes
	}
	return strings.Join(append(parts, "body "+Body(body)), "; ")
}

// TellRequest tells of an HTTP request, or of a part of it.
func (l *Log) TellRequest(r *http.Request, what string, detail func() string) {
	who, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		who = r.RemoteAddr
	}
	l.Tell(r.RemoteAddr, who, what, detail)
}

// TellHeaders tells of the headers of an HTTP request that no document has; asked names the request.
func (l *Log) TellHeaders(r *http.Request, asked string) {
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !describedHeaders[name] {
			l.TellRequest(r, "header "+Name(name)+" of "+asked, func() string { return Header(name, r.Header.Get(name)) })
		}
	}
}
