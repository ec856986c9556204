package credentials

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// Bounds of a file of users.
const (
	maxUsersFile = 4 << 20 // bytes
	maxUsers     = 10_000
	maxProblems  = 100 // that are told
)

// User is one line of a file of users.
type User struct {
	Line       int
	Number     string
	PIN        secret.Value
	SIPAddress string // the credentials must belong to it, "": not compared
}

// header is a first line that may be left out.
var header = []string{"number", "pin", "sip"}

// ReadUsers reads a CSV file (RFC 4180, UTF-8) that only its owner can read: number, PIN, and if wanted the SIP address
// that they must belong to. The first line may be number,pin,sip. Its error tells everything that is wrong, a line each.
func ReadUsers(path string) ([]User, error) {
	text, err := wholefile.ReadPrivate(path, maxUsersFile)
	if err != nil {
		return nil, err
	}
	users, problems := parseUsers(text)
	if len(users) == 0 && len(problems) == 0 {
		problems = append(problems, problem{1, errors.New("no user is in it: number,PIN,SIP address in each line expected")})
	}
	if len(problems) == 0 {
		return users, nil
	}
	slices.SortStableFunc(problems, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for i, p := range problems {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s: %d further lines are wrong", path, len(problems)-i))
			break
		}
		errs = append(errs, fmt.Errorf("%s:%d: %w", path, p.line, p.err))
	}
	return nil, errors.Join(errs...)
}

type problem struct {
	line int
	err  error
}

func parseUsers(text []byte) (users []User, problems []problem) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\uFEFF"))))
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	r.ReuseRecord = true
	numbers, addresses := map[string]int{}, map[string]int{} // to lines
	for first := true; ; first = false {
		row, err := r.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return users, problems
		case errors.As(err, &wrong):
			problems = append(problems, problem{wrong.Line, wrong.Err})
			continue
		case err != nil:
			return users, append(problems, problem{1, err})
		}
		line, _ := r.FieldPos(0)
		if first && isHeader(row) {
			continue
		}
		if len(users) == maxUsers {
			return users, append(problems, problem{line, fmt.Errorf("more than %d users", maxUsers)})
		}
		user, errs := parseUser(row)
		user.Line = line
		errs = append(errs, twice(numbers, strings.TrimPrefix(user.Number, "+"), line), twice(addresses, strings.ToLower(user.SIPAddress), line))
		if err := errors.Join(errs...); err != nil {
			problems = append(problems, problem{line, oneLine(err)})
		}
		users = append(users, user)
	}
}

func isHeader(row []string) bool {
	return len(row) >= 2 && len(row) <= len(header) && slices.EqualFunc(row, header[:len(row)], func(a, b string) bool {
		return strings.EqualFold(strings.TrimSpace(a), b)
	})
}

func parseUser(row []string) (user User, errs []error) {
	if len(row) < 2 || len(row) > 3 {
		return user, []error{fmt.Errorf("number,PIN,SIP address expected, separated by commas; there are %d fields", len(row))}
	}
	user.Number = strings.TrimSpace(row[0])
	errs = append(errs, CheckNumber(user.Number))
	var err error
	user.PIN, err = CheckPIN(row[1])
	errs = append(errs, err)
	if len(row) == 3 {
		if user.SIPAddress = strings.TrimSpace(row[2]); user.SIPAddress != "" {
			errs = append(errs, CheckSIP(user.SIPAddress))
		}
	}
	return user, errs
}

// twice refuses a user who comes again: two wrong PINs would count against one account.
func twice(seen map[string]int, what string, line int) error {
	if what == "" {
		return nil
	}
	if earlier, ok := seen[what]; ok {
		return fmt.Errorf("%s is in line %d already", what, earlier)
	}
	seen[what] = line
	return nil
}

// oneLine puts the errors of one line of the file on one line.
func oneLine(err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
