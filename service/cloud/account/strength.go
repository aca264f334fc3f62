package account

import (
	"strings"
	"unicode"
)

// rows are what fingers and minds walk along; a password that mostly does is among the first that are tried.
var rows = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik"}

// worn are words around which people put digits and signs and call it a password, folded as folded does.
var worn = func() map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(`password passwort motdepasse contrasena wachtwoord senha parola haslo administrator admin adminadmin administrateur root rootroot
		welcome willkommen bienvenue changeme changethis letmein secret topsecret default defaultpassword testtest testing tester guest guestguest master
		iloveyou sunshine princess football baseball superman batman trustno dragon monkey shadow michael jordan jennifer computer internet
		metermanager meter metering energy electric electricity power powermeter scada modbus operator engineer service company manager
		mypassword thepassword newpassword passwordpassword passpass qwerty qwertyqwerty asdfasdf abcabc abcdabcd abcdef abcdefgh
		january february march april june july august september october november december monday tuesday wednesday thursday friday saturday sunday
		spring summer autumn winter hello hellohello helloworld love lovelove user useruser username login loginlogin`) {
		out[folded(w)] = true
	}
	return out
}()

// folded takes what replaces letters back and leaves out all but letters.
func folded(s string) string {
	s = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i").Replace(strings.ToLower(s))
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}

// lettersOf leaves out all but letters.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// weak tells why a password that is long enough would be guessed early, "" when nothing is known against it.
func weak(user, password string) string {
	lower := []rune(strings.ToLower(password))
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	if len(distinct) < 5 {
		return "The password repeats the same few characters."
	}
	if walks(lower) {
		return "The password follows the keys or the alphabet."
	}
	core := strings.TrimFunc(password, func(r rune) bool { return !unicode.IsLetter(r) })
	if worn[folded(core)] || worn[folded(lettersOf(password))] {
		return "The password is a common word with digits or signs."
	}
	if name := strings.ToLower(user); len(name) >= 4 {
		if rest := strings.ReplaceAll(string(lower), name, ""); len(rest) < len(string(lower)) && len([]rune(rest)) < 6 {
			return "The password is little more than the user name."
		}
	}
	return ""
}

// walks reports whether most steps from one character to the next go along a row, in either direction, or stand still.
func walks(s []rune) bool {
	along := 0
	for i := 1; i < len(s); i++ {
		for _, row := range rows {
			a, b := strings.IndexRune(row, s[i-1]), strings.IndexRune(row, s[i])
			if a >= 0 && b >= 0 && (b-a == 1 || a-b == 1 || a == b) {
				along++
				break
			}
		}
	}
	return along*10 >= (len(s)-1)*8
}
