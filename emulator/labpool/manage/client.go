package manage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/phone-edition/lpe/emulator/secret"
)

const maxAnswer = 64 << 20

// NoAnswerError means that no pool answers at the address of a ready file.
type NoAnswerError struct {
	URL string
	Err error
}

func (e *NoAnswerError) Error() string {
	return fmt.Sprintf("the pool at %s does not answer, is it still running? %v", e.URL, e.Err)
}

func (e *NoAnswerError) Unwrap() error { return e.Err }

// Client asks the management API of a pool. What the pool refuses is a *[Problem]; a pool that does not answer is a
// *[NoAnswerError].
type Client struct {
	url   string
	token secret.Value
	http  *http.Client
}

// NewClient returns a client of the pool that a ready file describes.
func NewClient(r Ready) *Client {
	return &Client{url: r.ManagementURL, token: r.Token, http: &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // and no proxy
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask sends a request and reads the answer into a value of type T.
func ask[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	return askFor[T](ctx, c, answerTime, method, path, body)
}

// askFor is ask of what takes so long.
func askFor[T any](asked context.Context, c *Client, takes time.Duration, method, path string, body any) (T, error) {
	ctx, cancel := context.WithTimeout(asked, takes+answerTime)
	defer cancel()
	var out T
	text, err := json.Marshal(body)
	if err != nil {
		return out, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+"/"+Version+path, bytes.NewReader(text))
	if err != nil {
		return out, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	if body == nil {
		request.Body, request.ContentLength = nil, 0
	} else {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return out, c.noAnswer(asked, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return out, c.noAnswer(asked, err)
	case len(answer) > maxAnswer:
		return out, fmt.Errorf("the pool at %s answers with more than %d bytes", c.url, maxAnswer)
	case response.StatusCode != http.StatusOK:
		p := Problem{Status: response.StatusCode}
		if json.Unmarshal(answer, &p) != nil || p.Code == "" {
			return out, fmt.Errorf("%s answers %s, which no pool does", c.url, response.Status)
		}
		return out, &p
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, fmt.Errorf("%s answers what no pool does: %w", c.url, err)
	}
	return out, nil
}

// noAnswer is the error of a request that failed, without the address, which it tells itself.
func (c *Client) noAnswer(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if of, ok := err.(*url.Error); ok {
		err = of.Err
	}
	return &NoAnswerError{c.url, err}
}

func askList[T any](ctx context.Context, c *Client, method, path string, body any) ([]T, error) {
	l, err := ask[list[T]](ctx, c, method, path, body)
	return l.List, err
}

func userPath(user, rest string) string { return "/users/" + url.PathEscape(user) + rest }

// Pool tells about the pool as a whole.
func (c *Client) Pool(ctx context.Context) (Pool, error) {
	return ask[Pool](ctx, c, http.MethodGet, "/pool", nil)
}

// Users lists the users.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	return askList[User](ctx, c, http.MethodGet, "/users", nil)
}

// User tells about a user.
func (c *Client) User(ctx context.Context, user string) (User, error) {
	return ask[User](ctx, c, http.MethodGet, userPath(user, ""), nil)
}

// PinInfo tells about a user's PIN.
func (c *Client) PinInfo(ctx context.Context, user string) (PinInfo, error) {
	return ask[PinInfo](ctx, c, http.MethodGet, userPath(user, "/pin"), nil)
}

// SetPin gives a user another PIN.
func (c *Client) SetPin(ctx context.Context, user string, pin secret.Value) (PinInfo, error) {
	return ask[PinInfo](ctx, c, http.MethodPut, userPath(user, "/pin"), NewPin{pin.Reveal()})
}

// Unlock ends the lock of a user's PIN.
func (c *Client) Unlock(ctx context.Context, user string) (PinInfo, error) {
	return ask[PinInfo](ctx, c, http.MethodPost, userPath(user, "/unlock"), nil)
}

// Enable lets a user sign in.
func (c *Client) Enable(ctx context.Context, user string) (User, error) {
	return ask[User](ctx, c, http.MethodPost, userPath(user, "/enable"), nil)
}

// Disable keeps a user out.
func (c *Client) Disable(ctx context.Context, user string) (User, error) {
	return ask[User](ctx, c, http.MethodPost, userPath(user, "/disable"), nil)
}

// Await waits until a user is in a state, for 30 s if timeout is 0. That it was not reached is a [Problem] with
// [CodeNotReached].
func (c *Client) Await(ctx context.Context, user, state string, timeout time.Duration) (Awaited, error) {
	timeout = cmp.Or(timeout, defaultAwait)
	query := url.Values{"state": {state}, "timeout": {timeout.String()}}
	return askFor[Awaited](ctx, c, timeout, http.MethodGet, userPath(user, "/await?"+query.Encode()), nil)
}

// Deregister ends the registrations of a user and returns them.
func (c *Client) Deregister(ctx context.Context, user, event string) ([]Registration, error) {
	l, err := askFor[list[Registration]](ctx, c, handsetTime, http.MethodPost, userPath(user, "/deregister"), Deregister{event})
	return l.List, err
}

// Notify tells the endpoints of a user that have subscribed.
func (c *Client) Notify(ctx context.Context, user string, n Notify) error {
	_, err := askFor[struct{}](ctx, c, handsetTime, http.MethodPost, userPath(user, "/notify"), n)
	return err
}

// Registrar tells the registrars' configuration.
func (c *Client) Registrar(ctx context.Context) (Registrar, error) {
	return ask[Registrar](ctx, c, http.MethodGet, "/registrar", nil)
}

// SetRegistrar changes the registrars' configuration and returns it.
func (c *Client) SetRegistrar(ctx context.Context, change RegistrarChange) (Registrar, error) {
	return ask[Registrar](ctx, c, http.MethodPatch, "/registrar", change)
}

// WebServices tells the web services' configuration.
func (c *Client) WebServices(ctx context.Context) (WebServices, error) {
	return ask[WebServices](ctx, c, http.MethodGet, "/web-services", nil)
}

// SetWebServices changes the web services' configuration and returns it.
func (c *Client) SetWebServices(ctx context.Context, change WebServicesChange) (WebServices, error) {
	return ask[WebServices](ctx, c, http.MethodPatch, "/web-services", change)
}

// Registrations lists the endpoints of all users.
func (c *Client) Registrations(ctx context.Context) ([]Registration, error) {
	return askList[Registration](ctx, c, http.MethodGet, "/registrations", nil)
}

// DropAssociations lets the registrars forget their security associations.
func (c *Client) DropAssociations(ctx context.Context) ([]Registration, error) {
	return askList[Registration](ctx, c, http.MethodPost, "/registrations/drop-associations", nil)
}

// Certificates lists the published certificates.
func (c *Client) Certificates(ctx context.Context) ([]Certificate, error) {
	return askList[Certificate](ctx, c, http.MethodGet, "/certificates", nil)
}

// Revoke takes back the certificates of a user, those of one device if device is not "", and returns them.
func (c *Client) Revoke(ctx context.Context, user, device string) ([]Certificate, error) {
	path := "/certificates/" + url.PathEscape(user)
	if device != "" {
		path += "/" + url.PathEscape(device)
	}
	return askList[Certificate](ctx, c, http.MethodDelete, path, nil)
}

// History returns what the pool observed after the entry of that number, of one user if user is not "".
func (c *Client) History(ctx context.Context, user string, after uint64) ([]Entry, error) {
	var out []Entry
	for {
		query := url.Values{"user": {user}, "after": {strconv.FormatUint(after, 10)}}
		page, err := askList[Entry](ctx, c, http.MethodGet, "/history?"+query.Encode(), nil)
		out = append(out, page...)
		if err != nil || len(page) < pageSize {
			return out, err
		}
		after = page[len(page)-1].Seq
	}
}

// Faults lists the faults that strike.
func (c *Client) Faults(ctx context.Context) ([]Fault, error) {
	return askList[Fault](ctx, c, http.MethodGet, "/faults", nil)
}

// SetFault lets a fault strike, and returns all that do.
func (c *Client) SetFault(ctx context.Context, fault, user string) ([]Fault, error) {
	return askList[Fault](ctx, c, http.MethodPut, "/faults", SetFault{fault, user})
}

// ClearFault ends a fault, all of them if name is "", and returns those that are left.
func (c *Client) ClearFault(ctx context.Context, name string) ([]Fault, error) {
	path := "/faults"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return askList[Fault](ctx, c, http.MethodDelete, path, nil)
}
