package typed

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Numbers are kept as text, as in Redis: an integer in the one form that has no
// sign but a minus, no leading zero and no space; a fraction as below.

// parseInt parses an integer in exactly the form appendInt writes.
func parseInt(b []byte) (int64, error) {
	digits := b
	minus := len(b) > 0 && b[0] == '-'
	if minus {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' && len(b) > 1 {
		return 0, base.ErrNotNumber
	}
	var v uint64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, base.ErrNotNumber
		}
		v = v*10 + uint64(d-'0') // 19 digits fit 64 bits
	}
	switch {
	case minus && v <= 1<<63:
		return -int64(v), nil
	case !minus && v < 1<<63:
		return int64(v), nil
	}
	return 0, base.ErrNotNumber
}

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// addInt returns a+b or ErrOverflow.
func addInt(a, b int64) (int64, error) {
	if s := a + b; (s > a) == (b > 0) {
		return s, nil
	}
	return 0, base.ErrOverflow
}

// Fractions are added with the 64-bit mantissa of an x86 long double, as Redis
// adds them, and the increment is taken for the decimal number it was written
// as. The sum is written without an exponent, with 17 significant digits, of which as
// many may stand behind the point, less the zeros at the end; more only in front of
// the point. So 0.1 and 0.2 make 0.3,
// however often, and an integer of 64 bits keeps its digits. (Redis writes 17
// digits behind the point whatever stands in front: 1000.09999999999999998.)
const (
	fractionBits = 64
	significant  = 17
)

// addFraction adds by to the number in old (nil: 0), appends the text of the sum to
// dst and returns it with the number that it says.
func addFraction(dst, old []byte, by float64) (text []byte, sum float64, err error) {
	if math.IsNaN(by) || math.IsInf(by, 0) {
		return dst, 0, base.ErrNaN
	}
	total, err := parseFraction(strconv.FormatFloat(by, 'e', -1, 64))
	if err != nil {
		return dst, 0, err
	}
	if old != nil {
		x, err := parseFraction(string(old))
		if err != nil {
			return dst, 0, err
		}
		total.Add(total, x)
	}
	near, _ := total.Float64()
	if math.IsInf(near, 0) {
		return dst, 0, base.ErrOverflow
	}
	text = appendFraction(dst, total, near)
	if sum, err = strconv.ParseFloat(string(text[len(dst):]), 64); err != nil {
		return dst, 0, base.ErrOverflow
	}
	return text, sum, nil
}

// appendFraction appends the text of x, which rounds to near.
func appendFraction(dst []byte, x *big.Float, near float64) []byte {
	places := significant
	for v := math.Abs(near); v >= 1 && places > 0; v /= 10 {
		places--
	}
	start := len(dst)
	dst = x.Append(dst, 'f', places)
	if places > 0 {
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
		if dst[len(dst)-1] == '.' {
			dst = dst[:len(dst)-1]
		}
	}
	if string(dst[start:]) == "-0" {
		dst = append(dst[:start], '0')
	}
	return dst
}

// parseFraction parses a decimal number with or without an exponent that is in the
// range of a float64 above, and below of what Redis adds with.
func parseFraction(s string) (*big.Float, error) {
	if s == "" || len(s) > maxFractionLen || strings.Trim(s, "0123456789+-.eE") != "" {
		return nil, base.ErrNotNumber
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f == 0 && vanishes(s) {
		return nil, base.ErrNotNumber
	}
	x := new(big.Float).SetPrec(fractionBits)
	if f == 0 {
		return x, nil // of 17 digits none would show it
	}
	if _, _, err := x.Parse(s, 10); err != nil {
		return nil, base.ErrNotNumber
	}
	return x, nil
}

// leastFraction is half of the least positive long double, 2⁻¹⁶⁴⁴⁵ or 3.6e−4951: what
// is not above it is 0 to Redis, which refuses a number that becomes 0.
var leastFraction = new(big.Float).SetMantExp(big.NewFloat(1), -16446)

// vanishes reports whether a number that is 0 as a float64 is not 0, and too small.
func vanishes(s string) bool {
	const leastExponent = -4951
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	whole, behind, _ := strings.Cut(strings.TrimLeft(mantissa, "+-"), ".")
	first := strings.IndexFunc(whole+behind, func(digit rune) bool { return digit != '0' })
	if first < 0 {
		return false
	}
	e := 0
	if exponent != "" {
		var err error
		if e, err = strconv.Atoi(exponent); err != nil {
			return true // it has more digits than an int, and is not above
		}
	}
	// The first digit that is not 0 stands for so many tens.
	if e += len(whole) - 1 - first; e != leastExponent {
		return e < leastExponent
	}
	x, _, err := new(big.Float).SetPrec(fractionBits).Parse(s, 10)
	return err != nil || x.Abs(x).Cmp(leastFraction) <= 0
}

// maxFractionLen bounds the text of a number: the largest float64 has 309 digits
// before the point, and there are 17 behind it.
const maxFractionLen = 512

// badCount refuses a count or limit that what cannot be.
func badCount[T int | int64](what string, n T) error {
	return base.Errorf(base.ErrBadOption, "%s %d makes no sense", what, n)
}

// outOfRange refuses an offset that what cannot be.
func outOfRange[T int | int64](what string, n T) error {
	return base.Errorf(base.ErrOutOfRange, "%s %d is out of range", what, n)
}

// errNoSources refuses a call that puts sources together and was given none.
func errNoSources(name string) error {
	return base.Errorf(base.ErrBadOption, "key %s cannot be made of no sources", base.Quote(name))
}
