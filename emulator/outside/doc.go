// Package outside tests handset and lab pool against software from elsewhere. Its tests carry a build tag, so that
// `make test` needs Go alone: outside for tshark, xmlsec1 and openssl; peers for servers that run in network namespaces,
// which needs root; bench for the measurements of `make bench`.
package outside
