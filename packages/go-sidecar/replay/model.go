// Package replay evaluates ModelSpecs. It is a tier for fan-out over many models; the Python floor,
// packages/pymars/pymars/accel/floor.py, says what the values mean.
package replay

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Refusal is an answer for the caller: its kind is a category of packaging/errors.yaml.
type Refusal struct {
	Kind    string
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func refuse(kind, format string, values ...any) error {
	return &Refusal{kind, fmt.Sprintf(format, values...)}
}

type feature struct {
	Name       string   `json:"name"`
	Categories []string `json:"categories"`
	Impute     *float64 `json:"impute"`
}

type term struct {
	Kind         string    `json:"kind"`
	Feature      int       `json:"feature"`
	Knot         float64   `json:"knot"`
	Side         string    `json:"side"`
	Levels       []string  `json:"levels"`
	When         string    `json:"when"`
	Parent       *int      `json:"parent"`
	Parents      []int     `json:"parents"`
	Coefficients []float64 `json:"coefficients"`
	codes        []float64
}

// Model is a ModelSpec that has been checked as far as replay needs it.
type Model struct {
	AllowMissing bool      `json:"allow_missing"`
	Link         string    `json:"link"`
	Features     []feature `json:"features"`
	Responses    []string  `json:"responses"`
	Terms        []term    `json:"terms"`
	used         []int
}

// Read turns a document into a Model, or says why it is none.
func Read(document []byte) (*Model, error) {
	model := new(Model)
	if err := json.Unmarshal(document, model); err != nil {
		return nil, refuse("malformed_spec", "the model cannot be read: %v", err)
	}
	if len(model.Responses) == 0 {
		return nil, refuse("invalid_spec", "the model has no responses")
	}
	links := []string{"", "log", "inverse", "logit", "cloglog", "softmax"}
	if !slices.Contains(links, model.Link) {
		return nil, refuse("invalid_spec", "the link %q is not known here", model.Link)
	}
	for k := range model.Terms {
		if err := model.check(k); err != nil {
			return nil, err
		}
	}
	slices.Sort(model.used)
	model.used = slices.Compact(model.used)
	return model, nil
}

func (m *Model) check(k int) error {
	t := &m.Terms[k]
	if t.Parent != nil {
		t.Parents = []int{*t.Parent}
	}
	for _, parent := range t.Parents {
		if parent < 0 || parent >= k {
			return refuse("invalid_spec", "term %d names the parent %d; a parent comes before", k, parent)
		}
	}
	if t.Coefficients != nil && len(t.Coefficients) != len(m.Responses) {
		return refuse("invalid_spec", "term %d has %d coefficients for %d responses",
			k, len(t.Coefficients), len(m.Responses))
	}
	switch t.Kind {
	case "constant", "interaction":
		return nil
	case "linear", "hinge", "categorical", "missingness":
	default:
		return refuse("invalid_spec", "term %d is of the unknown kind %q", k, t.Kind)
	}
	if t.Feature < 0 || t.Feature >= len(m.Features) {
		return refuse("invalid_spec", "term %d names the feature %d of %d", k, t.Feature, len(m.Features))
	}
	m.used = append(m.used, t.Feature)
	for _, level := range t.Levels {
		code := slices.Index(m.Features[t.Feature].Categories, level)
		if code < 0 {
			return refuse("invalid_spec", "term %d names the unknown level %q", k, level)
		}
		t.codes = append(t.codes, float64(code))
	}
	return nil
}

// checkRows says which row the model cannot take, the first by row and feature.
func (m *Model) checkRows(rows []float64, width, from, to int) error {
	for i := from; i < to; i++ {
		for _, j := range m.used {
			x, labels := rows[i*width+j], len(m.Features[j].Categories)
			switch {
			case math.IsNaN(x):
				if !m.AllowMissing {
					return refuse("missing_value",
						"row %d has no value for the feature %q, and the model allows none missing",
						i, m.Features[j].Name)
				}
			case labels > 0 && (x < 0 || x >= float64(labels) || x != math.Trunc(x)):
				return refuse("invalid_value",
					"row %d has %g for the categorical feature %q; expected a position from 0 to %d",
					i, x, m.Features[j].Name, labels-1)
			}
		}
	}
	return nil
}
