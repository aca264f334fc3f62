package pq

import (
	"math"
	"math/cmplx"
)

// Spectrum is the harmonics of whole cycles of a steady part of a signal.
type Spectrum struct {
	Hz     float64 // of the fundamental
	Cycles int
	DC     float64
	// RMS and Degrees of order h stand at index h; index 0 is unused. Degrees are against the fundamental of the same
	// signal as cosines, order h against h times its angle.
	RMS, Degrees []float64
	// TotalRMS is that of the samples themselves.
	TotalRMS, Peak float64
}

// maxOrders bounds the work of one spectrum; no standard looks beyond order 50, fault recorders show a few hundred.
const maxOrders = 255

// nyquistRoom is how far below half of the samples of a cycle an order must lie. One next to it has a sine that is next to zero at every sample:
// what is measured of it is rounding, many times the fundamental.
const nyquistRoom = 0.2

// Harmonics returns the spectrum of `cycles` whole cycles from a time on: all orders that the sample rate can tell apart (below
// half of the samples of a cycle). It fits sines of all orders at once by least squares, which for a whole number of samples
// a cycle is the DFT, and needs no such number. false when the cycles do not fit or nothing can be told.
func Harmonics(samples []float64, intervalSeconds, hz, atSeconds float64, cycles int) (Spectrum, bool) {
	f := hz * intervalSeconds
	first := int(math.Round(atSeconds / intervalSeconds))
	n := int(math.Round(float64(cycles) / f))
	orders := min(maxOrders, int(math.Ceil(0.5/f-nyquistRoom))-1)
	if cycles < 1 || orders < 1 || first < 0 || first+n > len(samples) || n < 2*orders+1 {
		return Spectrum{}, false
	}
	part, missing := filled(samples[first : first+n])
	if missing > n/4 {
		return Spectrum{}, false
	}
	coefficients, ok := fitHarmonics(part, f, orders)
	if !ok {
		return Spectrum{}, false
	}
	out := Spectrum{Hz: hz, Cycles: cycles, DC: coefficients[0], RMS: make([]float64, orders+1), Degrees: make([]float64, orders+1)}
	base := 0.0
	for h := 1; h <= orders; h++ {
		p := complex(coefficients[2*h-1], -coefficients[2*h]) // c cos + s sin is the real part of (c - js) e^jwt
		out.RMS[h] = cmplx.Abs(p) / math.Sqrt2
		if h == 1 {
			base = cmplx.Phase(p)
		}
		out.Degrees[h] = wrap(degrees(cmplx.Phase(p)-float64(h)*base), 360)
	}
	for _, v := range part {
		out.TotalRMS += v * v
		out.Peak = max(out.Peak, math.Abs(v))
	}
	out.TotalRMS = math.Sqrt(out.TotalRMS / float64(n))
	return out, true
}

// fitHarmonics returns the constant, then cosine and sine of each order, that fit samples best. The sums of products of sines
// are sums of sines of the sum and difference of orders, so that the matrix costs little.
func fitHarmonics(samples []float64, f float64, orders int) ([]float64, bool) {
	n := float64(len(samples))
	cosines, sines := make([]float64, 2*orders+1), make([]float64, 2*orders+1)
	for k := range cosines { // sum over samples of exp(j 2 pi f k i), in closed form
		step := cmplx.Exp(complex(0, 2*math.Pi*f*float64(k)))
		total := complex(n, 0)
		if cmplx.Abs(step-1) > 1e-12 {
			total = (cmplx.Exp(complex(0, 2*math.Pi*f*float64(k)*n)) - 1) / (step - 1)
		}
		cosines[k], sines[k] = real(total), imag(total)
	}
	sine := func(k int) float64 { // of a negative order too
		if k < 0 {
			return -sines[-k]
		}
		return sines[k]
	}
	cosine := func(k int) float64 { return cosines[max(k, -k)] }
	size := 2*orders + 1
	m := make([][]float64, size)
	for i := range m {
		m[i] = make([]float64, i+1) // the lower half
	}
	m[0][0] = n
	right := make([]float64, size)
	for h := 1; h <= orders; h++ {
		m[2*h-1][0], m[2*h][0] = cosines[h], sines[h]
		for g := 1; g <= h; g++ {
			m[2*h-1][2*g-1] = (cosine(h-g) + cosine(h+g)) / 2
			m[2*h][2*g-1] = (sine(h-g) + sine(h+g)) / 2
			m[2*h][2*g] = (cosine(h-g) - cosine(h+g)) / 2
			if g < h {
				m[2*h-1][2*g] = (sine(g-h) + sine(g+h)) / 2
			}
		}
	}
	for i, v := range samples {
		right[0] += v
		step := cmplx.Exp(complex(0, 2*math.Pi*f*float64(i)))
		w := complex(1, 0)
		for h := 1; h <= orders; h++ {
			w *= step
			right[2*h-1] += v * real(w)
			right[2*h] += v * imag(w)
		}
	}
	return solve(m, right)
}

// solve solves a symmetric positive definite system by Cholesky's method, in place; false when it is not definite.
func solve(m [][]float64, x []float64) ([]float64, bool) {
	for i := range m {
		for j := 0; j <= i; j++ {
			sum := m[i][j]
			for k := range j {
				sum -= m[i][k] * m[j][k]
			}
			if i > j {
				m[i][j] = sum / m[j][j]
			} else if m[i][i] = math.Sqrt(sum); !(sum > 1e-9*float64(len(x))) {
				return nil, false
			}
		}
	}
	for i := range x {
		for k := range i {
			x[i] -= m[i][k] * x[k]
		}
		x[i] /= m[i][i]
	}
	for i := len(x) - 1; i >= 0; i-- {
		for k := i + 1; k < len(x); k++ {
			x[i] -= m[k][i] * x[k]
		}
		x[i] /= m[i][i]
	}
	return x, true
}

// Orders returns the highest order.
func (s *Spectrum) Orders() int { return len(s.RMS) - 1 }

// distortion is the root of the sum of squares of orders 2 to most (0: all).
func (s *Spectrum) distortion(most int) float64 {
	sum := 0.0
	for h := 2; h <= s.Orders() && (most == 0 || h <= most); h++ {
		sum += square(s.RMS[h])
	}
	return math.Sqrt(sum)
}

// THD is the distortion up to an order (0: all) over the fundamental: THD_F, 40 in EN 50160, 50 in IEC 61000-4-7 and
// IEEE 519. NaN without a fundamental.
func (s *Spectrum) THD(most int) float64 {
	if s.RMS[1] == 0 {
		return math.NaN()
	}
	return s.distortion(most) / s.RMS[1]
}

// TDD is the distortion up to an order over the maximum demand load current (IEEE 519).
func (s *Spectrum) TDD(most int, demandAmperes float64) float64 {
	if !(demandAmperes > 0) {
		return math.NaN()
	}
	return s.distortion(most) / demandAmperes
}

// Crest is the peak over the RMS.
func (s *Spectrum) Crest() float64 {
	if s.TotalRMS == 0 {
		return math.NaN()
	}
	return s.Peak / s.TotalRMS
}

// KFactor is the sum of I_h^2 h^2 over that of I_h^2 (UL 1561; equal to IEEE C57.110's harmonic loss factor F_HL of the
// winding eddy losses); NaN without current.
func (s *Spectrum) KFactor() float64 { return s.loss(2) }

// StrayLossFactor is F_HL-STR of IEEE C57.110, with exponent 0.8.
func (s *Spectrum) StrayLossFactor() float64 { return s.loss(0.8) }

func (s *Spectrum) loss(exponent float64) float64 {
	over, under := 0.0, 0.0
	for h := 1; h <= s.Orders(); h++ {
		i2 := square(s.RMS[h])
		over, under = over+i2*math.Pow(float64(h), exponent), under+i2
	}
	if under == 0 {
		return math.NaN()
	}
	return over / under
}

// TransformerDerating is the largest nonsinusoidal load current of a dry-type transformer, per unit of rated
// (IEEE C57.110), for a K-factor and the rated winding eddy loss in per unit of the I²R loss, which only its maker knows.
func TransformerDerating(kFactor, eddyLossRatio float64) float64 {
	return math.Sqrt((1 + eddyLossRatio) / (1 + kFactor*eddyLossRatio))
}
