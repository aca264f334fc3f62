package main

// bucketMutations break what is decided of the rows of an interval.
func bucketMutations() []mutation {
	const bucket = "cloudsync/reduce/bucket.go"
	return []mutation{
		{"a row for a closed bucket opens it again", bucket, []edit{{` || end <= ls.Closed {`, ` {`}}, []test{reduction}},
		{"a bucket travels at its first row", bucket, []edit{{`	last := b.rows[len(b.rows)-1]`, `	last := b.rows[0]`}}, []test{reduction}},
		{"a row on the full minute goes into the next bucket", bucket, []edit{{`	if f := t.Floor(step); f != t {
		t = f + step
	}`, `	t = t.Floor(step) + step`}}, []test{reduction}},
	}
}
