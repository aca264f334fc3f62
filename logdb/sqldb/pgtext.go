package sqldb

import (
	"strconv"
	"strings"
)

// pgQuery is a statement in PostgreSQL's words. Its parameters are numbered as SQLite numbers them.
type pgQuery struct {
	text string
	// names holds the name of each parameter, "" of one that has only its number.
	names []string
}

// pgReserved are names of our tables and columns that PostgreSQL reads as something else unless they are quoted:
// its user and session_user are functions that return a role.
var pgReserved = map[string]bool{"user": true, "session_user": true}

// translate rewrites what SQLite and PostgreSQL write differently in a statement: parameters (?, ?1, @name),
// blobs (x'00') and reserved names. Everything else must be written so that both understand it.
func translate(query string) *pgQuery {
	q := &pgQuery{}
	var out strings.Builder
	out.Grow(len(query) + 16)
	for _, t := range tokens(query) {
		q.write(&out, t)
	}
	q.text = out.String()
	return q
}

func (q *pgQuery) write(out *strings.Builder, t string) {
	switch c := t[0]; {
	case c == '?' && len(t) == 1:
		q.names = append(q.names, "")
		writeParam(out, len(q.names))
	case c == '?':
		n, err := strconv.Atoi(t[1:])
		if err != nil || n == 0 || n > 65535 {
			out.WriteString(t) // PostgreSQL will refuse it
			return
		}
		for len(q.names) < n {
			q.names = append(q.names, "")
		}
		writeParam(out, n)
	case c == '@' && len(t) > 1:
		writeParam(out, q.named(t[1:]))
	case (c == 'x' || c == 'X') && len(t) > 1 && t[1] == '\'':
		out.WriteString(`'\x` + t[2:] + `::bytea`)
	case pgReserved[strings.ToLower(t)]:
		out.WriteString(`"` + strings.ToLower(t) + `"`)
	default:
		out.WriteString(t)
	}
}

func writeParam(out *strings.Builder, n int) {
	out.WriteByte('$')
	out.WriteString(strconv.Itoa(n))
}

// named returns the number of a named parameter.
func (q *pgQuery) named(name string) int {
	for i, n := range q.names {
		if n == name {
			return i + 1
		}
	}
	q.names = append(q.names, name)
	return len(q.names)
}

// tokens cuts SQL into words, numbers, literals, comments, parameters, spaces and single signs; together they are the text.
func tokens(text string) []string {
	var out []string
	for text != "" {
		n := tokenLen(text)
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

func tokenLen(s string) int {
	switch c := s[0]; {
	case c == '\'' || c == '"':
		return quotedLen(s, c)
	case (c == 'x' || c == 'X') && len(s) > 1 && s[1] == '\'':
		return 1 + quotedLen(s[1:], '\'')
	case strings.HasPrefix(s, "--"):
		if n := strings.IndexByte(s, '\n'); n >= 0 {
			return n
		}
		return len(s)
	case strings.HasPrefix(s, "/*"):
		if n := strings.Index(s[2:], "*/"); n >= 0 {
			return n + 4
		}
		return len(s)
	case c == '?':
		return 1 + span(s[1:], func(c byte) bool { return c >= '0' && c <= '9' })
	case c == '@':
		return 1 + span(s[1:], isWord)
	case isWord(c):
		return span(s, isWord)
	case isSpace(c):
		return span(s, isSpace)
	case isSign(c):
		return span(s, isSign)
	}
	return 1
}

// quotedLen is the length of a quoted text; the quote twice stands for itself.
func quotedLen(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(s)
}

func span(s string, is func(byte) bool) int {
	for i := range len(s) {
		if !is(s[i]) {
			return i
		}
	}
	return len(s)
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// isSign reports what operators of several signs are made of.
func isSign(c byte) bool { return strings.IndexByte("<>=!|:", c) >= 0 }

func isComment(t string) bool { return strings.HasPrefix(t, "--") || strings.HasPrefix(t, "/*") }
