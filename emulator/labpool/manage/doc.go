// Package manage lets other programs look at a running lab pool and change it: a server of JSON over HTTP on a
// loopback address, and the [Client] that the commands `lpe pool …` are made of.
//
// # Requests
//
// Every request carries "Authorization: Bearer TOKEN" and a Host header that names the server's own port of this
// computer (127.0.0.1, localhost, [::1] or the address it listens on): a name that somebody has pointed at this
// computer is refused, and so is every request with an Origin header, as browsers send. There are no CORS headers.
// Bodies are one JSON object of type application/json without keys that the schema does not have.
//
// A body has 64 KiB at most and a header 8 KiB; a request must be there within 10 s, and a connection without one is
// closed after a minute. Of connections that have not brought the token there are 64; for one more, the one that nothing
// was heard of for the longest has to go. What is asked is answered within 30 s; deregister and notify, where handsets
// have to answer, take up to 5 minutes, and await takes as long as it says, an hour at most. One answer has 10 000
// entries of the history; after=SEQ asks for those that follow.
//
// An answer has the status that fits and a JSON body. An error is {"error": CODE, "detail": SENTENCE}, see [Problem].
//
// # Paths, version 1
//
// USER is a SIP address with or without sip:, a phone number with or without plus, an extension, or a login.
//
//	GET    /v1/pool                                  Pool
//	GET    /v1/users                                 [User]
//	GET    /v1/users/USER                            User
//	GET    /v1/users/USER/pin                        PinInfo
//	PUT    /v1/users/USER/pin            NewPin      PinInfo
//	POST   /v1/users/USER/unlock                     PinInfo
//	POST   /v1/users/USER/enable                     User
//	POST   /v1/users/USER/disable                    User
//	GET    /v1/users/USER/await?state=S&timeout=D    Awaited
//	POST   /v1/users/USER/deregister     Deregister  [Registration]
//	POST   /v1/users/USER/notify         Notify      {}
//	GET    /v1/registrar                             Registrar
//	PATCH  /v1/registrar                 keys of it  Registrar
//	GET    /v1/web-services                          WebServices
//	PATCH  /v1/web-services              keys of it  WebServices
//	GET    /v1/registrations                         [Registration]
//	POST   /v1/registrations/drop-associations       [Registration]
//	GET    /v1/certificates                          [Certificate]
//	DELETE /v1/certificates/USER                     [Certificate] that are revoked
//	DELETE /v1/certificates/USER/DEVICE              [Certificate] that are revoked
//	GET    /v1/history?user=USER&after=SEQ           [Entry], both parameters may be left out
//	GET    /v1/faults                                [Fault]
//	PUT    /v1/faults                    SetFault    [Fault]
//	DELETE /v1/faults                                [Fault], none
//	DELETE /v1/faults/STAGE=KIND                     [Fault] that are left
//
// The objects are the types of this package, with the names of the cmdlets where a cmdlet has them. A list is in an
// object under the key "list".
package manage
