package httpmessage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readBody reads by Transfer-Encoding chunked, else Content-Length, else (toEnd) until the connection ends.
func readBody(br *bufio.Reader, headers []Header, limit int64, toEnd bool) ([]byte, error) {
	if coding := get(headers, "Transfer-Encoding"); coding != "" {
		if !strings.EqualFold(coding, "chunked") {
			return nil, fmt.Errorf("%w: transfer coding %.40q", ErrMalformed, coding)
		}
		return readChunks(br, limit)
	}
	text := get(headers, "Content-Length")
	if text == "" {
		if !toEnd {
			return nil, nil
		}
		return readLimited(br, limit)
	}
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 0 {
		return nil, fmt.Errorf("%w: Content-Length %.40q", ErrMalformed, text)
	}
	if size > limit {
		return nil, fmt.Errorf("%w: a body of %d bytes, at most %d", ErrTooLarge, size, limit)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(br, body); err != nil {
		return nil, unexpected(err)
	}
	return body, nil
}

func readChunks(br *bufio.Reader, limit int64) ([]byte, error) {
	body := []byte{}
	for {
		line, err := readLine(br)
		if err != nil {
			return nil, unexpected(err)
		}
		text, _, _ := strings.Cut(line, ";")
		size, err := strconv.ParseInt(strings.TrimSpace(text), 16, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("%w: chunk size %.40q", ErrMalformed, line)
		}
		if size > limit-int64(len(body)) {
			return nil, fmt.Errorf("%w: a body of more than %d bytes", ErrTooLarge, limit)
		}
		if size == 0 {
			_, err := readHeaders(br) // trailers
			return body, err
		}
		chunk := make([]byte, size)
		if _, err := io.ReadFull(br, chunk); err != nil {
			return nil, unexpected(err)
		}
		body = append(body, chunk...)
		if line, err := readLine(br); err != nil || line != "" {
			return nil, errors.Join(fmt.Errorf("%w: a chunk does not end with a line break", ErrMalformed), err)
		}
	}
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: a body of more than %d bytes", ErrTooLarge, limit)
	}
	return body, nil
}

func gunzip(body []byte, limit int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: gzip: %w", ErrMalformed, err)
	}
	out, err := readLimited(r, limit)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		err = fmt.Errorf("%w: gzip: %w", ErrMalformed, err)
	}
	return out, err
}

// unexpected turns the end of the connection inside a message into io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
