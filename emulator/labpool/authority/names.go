package authority

import "strings"

// wrongName is what a certificate under WrongName is for (RFC 2606).
const wrongName = "other.example.com"

// serverNames are the names that the certificate gets, the first of them its CN.
func serverNames(names []string, o ServerOptions) []string {
	switch {
	case o.WrongName:
		return []string{wrongName}
	case o.Wildcard:
		_, domain, _ := strings.Cut(names[0], ".")
		return []string{"*." + domain}
	}
	return unique(names)
}

// unique drops repeated and empty names and keeps the order.
func unique(names []string) []string {
	seen := map[string]bool{"": true}
	var out []string
	for _, name := range names {
		if key := strings.ToLower(name); !seen[key] {
			seen[key] = true
			out = append(out, name)
		}
	}
	return out
}
