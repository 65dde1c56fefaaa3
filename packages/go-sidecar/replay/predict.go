package replay

import (
	"context"
	"math"
	"slices"
	"sync"
)

// block is how many rows are worked on together.
const block = 256

// Predict fills one slice per model, rows x responses in row order.
//
// The rows are in row order, width values each; workers bounds the goroutines (H1, not claimed). The first refusal in the order of models and rows is
// returned; a context that ends stops the work.
func Predict(ctx context.Context, models []*Model, rows []float64, width, workers int) ([][]float64, error) {
	n := 0
	if width > 0 {
		n = len(rows) / width
	}
	found := make([][]float64, len(models))
	for k, model := range models {
		if len(model.Features) != width {
			return nil, refuse("shape_mismatch",
				"the rows have %d columns, model %d was fitted on %d features; pass the same columns",
				width, k, len(model.Features))
		}
		found[k] = make([]float64, n*len(model.Responses))
	}
	type task struct{ model, from, to int }
	tasks := make(chan task)
	failures := make([]error, len(models))
	failedAt := make([]int, len(models))
	var mutex sync.Mutex
	var group sync.WaitGroup
	for range max(workers, 1) {
		group.Add(1)
		go func() {
			defer group.Done()
			var scratch [][block]float64
			for t := range tasks {
				if ctx.Err() != nil {
					continue
				}
				model := models[t.model]
				if len(scratch) < len(model.Terms) {
					scratch = make([][block]float64, len(model.Terms))
				}
				err := model.predict(rows, width, t.from, t.to, scratch, found[t.model])
				if err == nil {
					continue
				}
				mutex.Lock()
				if failures[t.model] == nil || t.from < failedAt[t.model] {
					failures[t.model], failedAt[t.model] = err, t.from
				}
				mutex.Unlock()
			}
		}()
	}
	for k := range models {
		for from := 0; from < n; from += block {
			tasks <- task{k, from, min(from+block, n)}
		}
	}
	close(tasks)
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (m *Model) predict(rows []float64, width, from, to int, values [][block]float64, out []float64) error {
	if err := m.checkRows(rows, width, from, to); err != nil {
		return err
	}
	responses := len(m.Responses)
	n := to - from
	for k := range m.Terms {
		t, own := &m.Terms[k], &values[k]
		for i := range n {
			own[i] = 1
		}
		for _, parent := range t.Parents {
			for i := range n {
				own[i] *= values[parent][i]
			}
		}
		switch {
		case t.Kind == "constant" || t.Kind == "interaction":
		case t.Kind == "hinge" && m.Features[t.Feature].Impute == nil:
			hinge(t, rows[from*width+t.Feature:], width, own[:n])
		default:
			for i := range n {
				own[i] *= m.factor(t, rows[(from+i)*width+t.Feature])
			}
		}
		for r, weight := range t.Coefficients {
			for i := range n {
				out[(from+i)*responses+r] += weight * own[i]
			}
		}
	}
	for i := from; i < to; i++ {
		respond(m.Link, out[i*responses:(i+1)*responses])
	}
	return nil
}

// hinge is factor for the common kind of term, without a question per row.
func hinge(t *term, rows []float64, width int, own []float64) {
	sign := -1.0
	if t.Side == "right" {
		sign = 1
	}
	for i := range own {
		d := sign * (rows[i*width] - t.Knot)
		if d <= 0 {
			d = 0
		}
		own[i] *= d
	}
}

func (m *Model) factor(t *term, x float64) float64 {
	missing := math.IsNaN(x)
	if t.Kind == "missingness" {
		if missing == (t.When == "missing") {
			return 1
		}
		return 0
	}
	if impute := m.Features[t.Feature].Impute; missing && impute != nil {
		x, missing = *impute, false
	}
	switch t.Kind {
	case "linear":
		return x
	case "categorical":
		if missing {
			return x
		}
		if slices.Contains(t.codes, x) {
			return 1
		}
		return 0
	}
	d := t.Knot - x
	if t.Side == "right" {
		d = x - t.Knot
	}
	// Where d is NaN the comparison is false and NaN passes through.
	if d <= 0 {
		return 0
	}
	return d
}

// respond turns the linear predictors of one row into responses.
func respond(link string, eta []float64) {
	switch link {
	case "":
		return
	case "softmax":
		most := math.Inf(-1)
		for _, e := range eta {
			if e > most {
				most = e
			}
		}
		total := 0.0
		for k, e := range eta {
			eta[k] = math.Exp(e - most)
			total += eta[k]
		}
		for k := range eta {
			eta[k] /= total
		}
		return
	}
	for k, e := range eta {
		switch link {
		case "log":
			eta[k] = math.Exp(e)
		case "inverse":
			eta[k] = 1 / e
		case "cloglog":
			eta[k] = -math.Expm1(-math.Exp(e))
		case "logit":
			small := math.Exp(-math.Abs(e))
			eta[k] = small / (1 + small)
			if e >= 0 {
				eta[k] = 1 / (1 + small)
			}
		}
	}
}
