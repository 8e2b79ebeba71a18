// Writes go_cases.txt: what Go's own text/template and html/template make of the templates in templates.txt (one a line, as
// Go string literals). Run in this folder after a change of templates.txt: go run generate.go > go_cases.txt
package main

import (
	"bufio"
	"fmt"
	html "html/template"
	"os"
	"strconv"
	"strings"
	text "text/template"
	"time"
)

type Data struct {
	Name             string
	Int, Neg, Zero   int
	Float, Big       float64
	True, False      bool
	Empty            string
	List             []string
	Ints, None       []any
	Nil              any
	Map              map[string]string
	Time, Later      time.Time
	Dur              time.Duration
	Url, Script, Utf string
}

var data = Data{
	Name: "disk <full> & \"hot\"", Int: 42, Neg: -7, Float: 3.25, Big: 1234567, True: true,
	List: []string{"a", "b", "c"}, Ints: []any{1, 2, 3}, None: []any{},
	Map:  map[string]string{"job": "api", "env": "prod"},
	Time: time.Date(2026, 7, 4, 15, 3, 9, 120000000, time.UTC), Later: time.Date(2026, 7, 5, 16, 4, 10, 0, time.UTC),
	Dur: 90*time.Minute + 1500*time.Millisecond,
	Url: "https://example.org/a b?x=1&y=<2>", Script: "javascript:alert(1)", Utf: "grüße – 世界",
}

var functions = map[string]any{
	"upper": strings.ToUpper,
	"join":  func(sep string, s []string) string { return strings.Join(s, sep) },
	"add":   func(a, b int) int { return a + b },
	"half":  func(f float64) float64 { return f / 2 },
	"fail":  func(s string) (string, error) { return "", fmt.Errorf("no %s", s) },
	"safe":  func(s string) html.HTML { return html.HTML(s) },
	"many":  func(s ...string) int { return len(s) },
}

func result(out string, err error) {
	if err != nil {
		fmt.Printf("! %q\n", err.Error())
	} else {
		fmt.Printf("= %q\n", out)
	}
}

func main() {
	file, _ := os.Open("templates.txt")
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		source, err := strconv.Unquote(line)
		if err != nil {
			panic(line)
		}
		fmt.Println("T", line)
		var out strings.Builder
		t, err := text.New("t").Option("missingkey=zero").Funcs(functions).Parse(source)
		if err == nil {
			err = t.Execute(&out, data)
		}
		result(out.String(), err)
		out.Reset()
		h, err := html.New("t").Option("missingkey=zero").Funcs(functions).Parse(source)
		if err == nil {
			err = h.Execute(&out, data)
		}
		result(out.String(), err)
	}
}
