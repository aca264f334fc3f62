package api

import "fmt"

// nameSet finds members that stand twice. Most objects are small.
type nameSet struct {
	few  []string
	many map[string]struct{}
}

func (n *nameSet) len() int { return max(len(n.few), len(n.many)) }

func (n *nameSet) add(name string) bool {
	if n.many != nil {
		if _, ok := n.many[name]; ok {
			return false
		}
		n.many[name] = struct{}{}
		return true
	}
	for _, have := range n.few {
		if have == name {
			return false
		}
	}
	n.few = append(n.few, name)
	if len(n.few) == 32 {
		n.many = make(map[string]struct{}, 64)
		for _, have := range n.few {
			n.many[have] = struct{}{}
		}
	}
	return true
}

// skip passes over any value and checks it. Nesting lives in a stack of its own.
func (s *scan) skip() {
	var stack []*nameSet // nil for an array
	for s.err == nil {
		switch c := s.peek(); {
		case c == '{' || c == '[':
			if len(stack) >= s.lim.Depth {
				s.fail(s.i, RefusedLimit, fmt.Sprintf("nested deeper than %d", s.lim.Depth))
				return
			}
			s.i++
			if s.peek() == c+2 { // '}' and ']' follow their openers by two
				s.i++
				break
			}
			if c == '[' {
				stack = append(stack, nil)
				continue
			}
			stack = append(stack, &nameSet{})
			s.skipName(stack[len(stack)-1])
			continue
		case c == '"':
			s.text()
		case c == 't' || c == 'f':
			s.boolean()
		case c == 'n' || c == 'N':
			s.null(true)
		case startsValue(c):
			s.float()
		default:
			s.unexpected("a value")
		}
		if stack = s.unwind(stack); len(stack) == 0 {
			return
		}
	}
}

// unwind closes what ends here and passes to the next element.
func (s *scan) unwind(stack []*nameSet) []*nameSet {
	for len(stack) > 0 && s.err == nil {
		top, end := stack[len(stack)-1], byte(']')
		if top != nil {
			end = '}'
		}
		if s.peek() == end {
			s.i++
			stack = stack[:len(stack)-1]
			continue
		}
		if s.take(',', "a comma or an end") && top != nil {
			s.skipName(top)
		}
		break
	}
	return stack
}

func (s *scan) skipName(names *nameSet) {
	off, name := s.member()
	if s.err != nil {
		return
	}
	if !names.add(name) {
		s.fail(off, RefusedDuplicate, "this member stands twice in its object")
	} else if names.len() > s.lim.Unknown {
		s.fail(off, RefusedLimit, fmt.Sprintf("more than %d members in one object", s.lim.Unknown))
	}
}

// ignore passes over an unknown value and counts it.
func (s *scan) ignore() {
	s.seen++
	s.skip()
}
