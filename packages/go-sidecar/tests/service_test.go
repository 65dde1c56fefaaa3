// Package tests holds the service to its contract, from inside Go.
package tests

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edithatogo/mars/packages/go-sidecar/replay"
	"github.com/edithatogo/mars/packages/go-sidecar/service"
)

const token = "0123456789abcdef"

const document = `{"spec_version": "1.0", "allow_missing": false, "responses": ["y"],
 "features": [{"name": "x"}, {"name": "kind", "categories": ["a", "b"]}],
 "terms": [{"kind": "constant", "coefficients": [1]},
  {"kind": "hinge", "feature": 0, "knot": 2, "side": "right", "coefficients": [3]},
  {"kind": "categorical", "feature": 1, "levels": ["b"], "parent": 1, "coefficients": [10]}]}`

func body(models string, rows, columns int, values ...float64) *bytes.Buffer {
	head := fmt.Sprintf(`{"models": [%s], "rows": %d, "columns": %d}`, models, rows, columns)
	out := bytes.NewBufferString(service.Magic)
	_ = binary.Write(out, binary.LittleEndian, uint32(len(head)))
	out.WriteString(head)
	_ = binary.Write(out, binary.LittleEndian, values)
	return out
}

func ask(handler http.Handler, content *bytes.Buffer) *httptest.ResponseRecorder {
	request := httptest.NewRequest("POST", "/v1/predict", content)
	request.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func TestPredicts(t *testing.T) {
	answer := ask(service.New(token, service.Default), body(document, 2, 2, 4, 1, 1, 0))
	if answer.Code != http.StatusOK {
		t.Fatal(answer.Body)
	}
	frame := answer.Body.Bytes()
	values := frame[8+binary.LittleEndian.Uint32(frame[4:]):]
	for k, want := range []float64{1 + 3*2 + 10*2, 1} {
		if got := math.Float64frombits(binary.LittleEndian.Uint64(values[8*k:])); got != want {
			t.Errorf("row %d: %g, want %g", k, got, want)
		}
	}
}

func TestBusyIsSaid(t *testing.T) {
	limits := service.Default
	limits.InFlight = 0
	if answer := ask(service.New(token, limits), body(document, 0, 2)); answer.Code != 429 {
		t.Fatal(answer.Code, answer.Body)
	}
}

func TestAnEndedContextStopsTheWork(t *testing.T) {
	model, err := replay.Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), -time.Second)
	defer cancel()
	_, err = replay.Predict(ctx, []*replay.Model{model}, make([]float64, 20000), 2, 2)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestTheAnswerIsBounded(t *testing.T) {
	limits := service.Default
	limits.BodyBytes = int64(len(document)) + 200
	many := strings.Repeat(`{"responses": ["y"]},`, 30) + `{"responses": ["y"]}`
	if answer := ask(service.New(token, limits), body(many, 1000, 1)); answer.Code != 413 {
		t.Fatal(answer.Code, answer.Body)
	}
}

func TestBadModelsAreRefused(t *testing.T) {
	for _, change := range [][2]string{
		{`"parent": 1`, `"parent": 2`},
		{`"parent": 1`, `"parents": [-1]`},
		{`"feature": 0`, `"feature": 9`},
		{`"kind": "hinge"`, `"kind": "bump"`},
		{`["b"]`, `["z"]`},
		{`"coefficients": [3]`, `"coefficients": [3, 4]`},
		{`"responses": ["y"]`, `"responses": [], "link": "log"`},
		{`"responses": ["y"]`, `"responses": ["y"], "link": "probit"`},
	} {
		if _, err := replay.Read([]byte(strings.Replace(document, change[0], change[1], 1))); err == nil {
			t.Errorf("%s was taken", change[1])
		}
	}
}

func TestTheFirstBadRowIsNamed(t *testing.T) {
	model, _ := replay.Read([]byte(document))
	rows := make([]float64, 2*3000)
	rows[2*2900], rows[2*700] = math.NaN(), math.NaN()
	for range 20 {
		_, err := replay.Predict(context.Background(), []*replay.Model{model}, rows, 2, 8)
		if err == nil || !strings.Contains(err.Error(), "row 700 ") {
			t.Fatal(err)
		}
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	limits := service.Default
	limits.InFlight = 64
	handler := service.New(token, limits)
	var group sync.WaitGroup
	for range 32 {
		group.Add(1)
		go func() {
			defer group.Done()
			values := make([]float64, 2*500)
			if answer := ask(handler, body(document+","+document, 500, 2, values...)); answer.Code != 200 {
				t.Error(answer.Code)
			}
		}()
	}
	group.Wait()
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(document))
	f.Fuzz(func(t *testing.T, text []byte) {
		model, err := replay.Read(text)
		if err != nil {
			return
		}
		width := len(model.Features)
		if width > 0 && width < 100 {
			_, _ = replay.Predict(context.Background(), []*replay.Model{model}, make([]float64, width), width, 1)
		}
	})
}
