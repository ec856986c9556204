// Package outside tests handset and lab pool against software from elsewhere. Its tests carry a build tag, so that
// `make test` needs Go alone: outside for tshark, xmlsec1, xmllint, openssl, curl and promtool; web for Chromium; peers
// for servers that run in network namespaces, which needs root, and for pidgin-sipe; soak, beside peers, for `make soak`;
// bench for the measurements of `make bench`.
package outside
