package comtrade

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseTime reads dd/mm/yyyy (mm/dd/yy in 1991) and hh:mm:ss.ssssss, as if it were UTC. digits is how
// many stand below the second. Where only the other order of day and month makes sense it is taken, and swapped says so.
func parseTime(date, clock string, revision int) (t time.Time, digits int, swapped bool, err error) {
	parts := strings.FieldsFunc(date, func(r rune) bool { return r == '/' || r == '-' || r == '.' })
	if len(parts) != 3 {
		return t, 0, false, fmt.Errorf("the date has %d parts, want 3", len(parts))
	}
	var n [3]int
	for i, p := range parts {
		if n[i], err = strconv.Atoi(strings.TrimSpace(p)); err != nil || n[i] < 0 {
			return t, 0, false, fmt.Errorf("%q is no number", p)
		}
	}
	day, month, year := n[0], n[1], n[2]
	if revision == 1991 {
		day, month = month, day
	}
	if month > 12 && day <= 12 {
		day, month, swapped = month, day, true
	}
	switch {
	case len(strings.TrimSpace(parts[2])) > 2 || year > 99:
	case year >= 70:
		year += 1900
	default:
		year += 2000
	}
	if month < 1 || month > 12 {
		return t, 0, false, fmt.Errorf("there is no month %d", month)
	}
	if year < 1900 || year > 9999 {
		return t, 0, false, fmt.Errorf("there is no year %d", year)
	}
	if day < 1 || day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return t, 0, false, fmt.Errorf("there is no day %d in month %d", day, month)
	}
	since, digits, err := parseClock(clock)
	if err != nil {
		return t, 0, false, err
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Add(since), digits, swapped, nil
}

var errClock = errors.New("want a time such as 13:45:30.123456")

// parseClock reads a time of day. The second may be 60.
func parseClock(text string) (since time.Duration, digits int, err error) {
	parts := strings.Split(strings.TrimSpace(text), ":")
	if len(parts) != 3 {
		return 0, 0, errClock
	}
	whole, fraction, _ := strings.Cut(parts[2], ".")
	h, err1 := strconv.Atoi(strings.TrimSpace(parts[0]))
	m, err2 := strconv.Atoi(strings.TrimSpace(parts[1]))
	s, err3 := strconv.Atoi(strings.TrimSpace(whole))
	if err1 != nil || err2 != nil || err3 != nil || h < 0 || h > 24 || m < 0 || m > 59 || s < 0 || s > 60 || h == 24 && m+s > 0 {
		return 0, 0, errClock
	}
	fraction = strings.TrimSpace(fraction)
	digits = len(fraction)
	nano := 0
	if digits > 0 {
		if nano, err = strconv.Atoi((fraction + "000000000")[:9]); err != nil || nano < 0 {
			return 0, 0, errClock
		}
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(nano), digits, nil
}

// parseOffset reads an offset from UTC as the 2013 revision writes it: -5h30, +9, 10h, 0.
func parseOffset(text string) (time.Duration, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" || text == "x" {
		return 0, false
	}
	sign := time.Duration(1)
	switch text[0] {
	case '-':
		sign, text = -1, text[1:]
	case '+':
		text = text[1:]
	}
	hours, minutes, _ := strings.Cut(text, "h")
	h, err := strconv.Atoi(hours)
	m := 0
	if err == nil && minutes != "" {
		m, err = strconv.Atoi(minutes)
	}
	if err != nil || h < 0 || h > 24 || m < 0 || m > 59 {
		return 0, false
	}
	return sign * (time.Duration(h)*time.Hour + time.Duration(m)*time.Minute), true
}

// formatOffset writes what parseOffset reads.
func formatOffset(seconds int) string {
	if seconds == 0 {
		return "0"
	}
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	if m := seconds / 60 % 60; m != 0 {
		return fmt.Sprintf("%s%dh%02d", sign, seconds/3600, m)
	}
	return fmt.Sprintf("%s%d", sign, seconds/3600)
}
